//! The generic program on the kernel that this test runs on. Needs root and an object built by `cargo xtask build-ebpf`;
//! what is not possible here is skipped with its reason.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test panics")]

use std::{
    fs,
    os::unix::fs::symlink,
    process::{Child, Command},
    time::Duration,
};

use faults::{Class, Severity};
use probe_user::{
    Attach, AttachError, Context, Event, Fields, HookState, Options, Probes, Reader, Value, hook,
    user_probe::{MAX_RATE, UserProbe, Written},
};
use rustix::process::{Signal, getpid, kill_process};
use testing::skip;

/// How long an event may take; it comes within milliseconds unless the machine is very busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// A tracepoint that is watched alone.
struct Watched {
    probes: Probes,
    reader: Reader,
}

/// What came.
struct Seen {
    context: Context,
    fields: Fields,
}

impl Watched {
    /// A host that has no such tracepoint, or allows nothing, is a skip.
    fn new(test: &str, ring_bytes: u32, change: impl FnOnce(&mut Written)) -> Option<Self> {
        match Self::attach(ring_bytes, change) {
            Ok((watched, state)) if state.attach == Some(Attach::Tracepoint) => Some(watched),
            Ok((_, state)) => {
                skip(test, &state.reason);
                None
            }
            Err(error @ (AttachError::NoObject | AttachError::NotPermitted(_))) => {
                skip(test, &error.to_string());
                None
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    fn attach(ring_bytes: u32, change: impl FnOnce(&mut Written)) -> Result<(Self, HookState), AttachError> {
        let mut written = Written {
            name: "test".into(),
            title: "seen".into(),
            severity: "low".into(),
            rate: 1,
            ..Written::default()
        };
        change(&mut written);
        let options = Options {
            ring_bytes,
            disable: hook::ALL.map(str::to_owned).to_vec(),
            probes: vec![UserProbe::new(&written).unwrap()],
            ..Options::default()
        };
        let mut probes = Probes::attach(&options)?;
        let reader = probes.reader().unwrap();
        let state = probes.states().pop().unwrap();
        assert_eq!(&*state.hook, "user.test");
        Ok((Self { probes, reader }, state))
    }

    fn state(&mut self) -> HookState {
        self.probes.states().pop().unwrap()
    }

    /// Appends at least one event.
    async fn read(&mut self, seen: &mut Vec<Seen>) {
        let mut events = Vec::new();
        tokio::time::timeout(PATIENCE, self.reader.next(&mut events))
            .await
            .expect("no event came")
            .unwrap();
        seen.extend(events.into_iter().map(|event| match event {
            Event::Record {
                context,
                fields,
                told,
                ..
            } => {
                assert_eq!(
                    (told.class, told.severity),
                    (Class::CustomTracepoint, Severity::Low)
                );
                assert_eq!(told.title, "seen");
                Seen { context, fields }
            }
            other => panic!("{other:?}"),
        }));
    }

    /// The first event that is wanted.
    async fn find(&mut self, wanted: impl Fn(&Seen) -> bool) -> Seen {
        loop {
            let mut seen = Vec::new();
            self.read(&mut seen).await;
            if let Some(found) = seen.into_iter().find(&wanted) {
                return found;
            }
        }
    }
}

fn run(program: &str) -> Child {
    Command::new(program).arg("0").spawn().unwrap()
}

fn is_of(pid: u32) -> impl Fn(&Seen) -> bool {
    move |seen| seen.context.tgid == pid
}

#[tokio::test]
async fn a_program_that_starts_is_told_with_its_file() {
    let test = "a_program_that_starts_is_told_with_its_file";
    let Some(mut watched) = Watched::new(test, 0, |written| {
        written.tracepoint = "sched:sched_process_exec".into();
    }) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    // Once for each size of entry.
    for length in [1, 40, 150, 250] {
        let link = dir.path().join("x".repeat(length));
        symlink("/bin/sleep", &link).unwrap();
        let path = link.to_str().unwrap();
        let mut child = run(path);
        let seen = watched.find(is_of(child.id())).await;
        child.wait().unwrap();
        let names: Vec<_> = seen.fields.iter().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(names, ["filename", "pid", "old_pid"]);
        assert_eq!(seen.fields.text("filename"), Some(path));
        assert_eq!(
            seen.fields.get("pid"),
            Some(&Value::Signed(i64::from(child.id())))
        );
        assert_eq!(
            (&*seen.context.hook, seen.context.attach),
            ("user.test", Attach::Tracepoint)
        );
        assert!(seen.context.stack.is_empty());
    }
}

#[tokio::test]
async fn a_file_whose_name_is_too_long_is_told_as_far_as_it_fits() {
    let test = "a_file_whose_name_is_too_long_is_told_as_far_as_it_fits";
    let Some(mut watched) = Watched::new(test, 0, |written| {
        written.tracepoint = "sched:sched_process_exec".into();
    }) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let mut folder = dir.path().to_owned();
    while folder.as_os_str().len() < 3000 {
        folder.push("x".repeat(200));
    }
    fs::create_dir_all(&folder).unwrap();
    let link = folder.join("sleep");
    symlink("/bin/sleep", &link).unwrap();
    let path = link.to_str().unwrap();
    let mut child = run(path);
    let seen = watched.find(is_of(child.id())).await;
    child.wait().unwrap();
    let told = seen.fields.text("filename").unwrap();
    assert!(
        path.starts_with(told) && told.len() > 1900 && told.len() < 2048,
        "{}",
        told.len()
    );
}

#[tokio::test]
async fn a_record_that_a_filter_refuses_is_never_sent() {
    let test = "a_record_that_a_filter_refuses_is_never_sent";
    let pid = getpid().as_raw_nonzero();
    let Some(mut watched) = Watched::new(test, 0, |written| {
        written.tracepoint = "signal:signal_generate".into();
        written.filter = format!("sig == {} && pid == {pid} && code <= 0", Signal::WINCH.as_raw());
    }) else {
        return;
    };
    for _ in 0..10 {
        // Both are ignored by default.
        kill_process(getpid(), Signal::URG).unwrap();
        kill_process(getpid(), Signal::WINCH).unwrap();
    }
    let mut seen = Vec::new();
    while seen.len() < 10 {
        watched.read(&mut seen).await;
    }
    let winch = Value::Signed(i64::from(Signal::WINCH.as_raw()));
    assert!(seen.iter().all(|seen| seen.fields.get("sig") == Some(&winch)));
    let state = watched.state();
    assert_eq!((state.events, state.lost), (10, 0));
}

#[tokio::test]
async fn the_kernels_stack_comes_with_the_record() {
    let test = "the_kernels_stack_comes_with_the_record";
    let Some(mut watched) = Watched::new(test, 0, |written| {
        written.tracepoint = "sched:sched_process_exec".into();
        written.stack = true;
    }) else {
        return;
    };
    let mut child = run("/bin/sleep");
    let seen = watched.find(is_of(child.id())).await;
    child.wait().unwrap();
    assert_eq!(seen.fields.text("filename"), Some("/bin/sleep"));
    assert!(seen.context.stack.len() > 2, "{:x?}", seen.context.stack);
    assert!(
        seen.context.stack.iter().all(|address| *address >> 63 == 1),
        "{:x?}",
        seen.context.stack
    );
}

#[tokio::test]
async fn a_string_behind_a_pointer_is_read() {
    let test = "a_string_behind_a_pointer_is_read";
    let Some(mut watched) = Watched::new(test, 0, |written| {
        written.tracepoint = "rcu:rcu_utilization".into();
    }) else {
        return;
    };
    let seen = watched.find(|_| true).await;
    let text = seen.fields.text("s").unwrap();
    assert!(text.starts_with("Start ") || text.starts_with("End "), "{text}");
}

#[tokio::test]
async fn beyond_a_full_ring_every_record_is_counted_as_lost() {
    const SIGNALS: u64 = 2000;
    let test = "beyond_a_full_ring_every_record_is_counted_as_lost";
    let page = u32::try_from(rustix::param::page_size()).unwrap();
    let pid = getpid().as_raw_nonzero();
    let Some(mut watched) = Watched::new(test, page, |written| {
        written.tracepoint = "signal:signal_generate".into();
        written.rate = MAX_RATE;
        written.filter = format!("sig == {} && pid == {pid}", Signal::URG.as_raw());
    }) else {
        return;
    };
    let mut seen = Vec::new();
    for sent in 0..SIGNALS {
        kill_process(getpid(), Signal::URG).unwrap();
        if sent % 500 == 499 {
            watched.read(&mut seen).await;
        }
    }
    let state = watched.state();
    assert!(state.lost > 0, "{state:?}");
    assert_eq!(state.events + state.lost + state.limited, SIGNALS);
    while u64::try_from(seen.len()).unwrap() < state.events {
        watched.read(&mut seen).await;
    }
    assert_eq!(u64::try_from(seen.len()).unwrap(), state.events);
}

#[tokio::test]
async fn a_tracepoint_that_is_not_there_is_waited_for() {
    let test = "a_tracepoint_that_is_not_there_is_waited_for";
    let attached = Watched::attach(0, |written| written.tracepoint = "nobody:knows_this".into());
    let (mut watched, state) = match attached {
        Ok(attached) => attached,
        Err(error @ (AttachError::NoObject | AttachError::NotPermitted(_))) => {
            return skip(test, &error.to_string());
        }
        Err(error) => panic!("{error:?}"),
    };
    if state.reason.starts_with("tracefs") {
        return skip(test, &state.reason);
    }
    assert_eq!(state.attach, None);
    assert_eq!(state.reason, "waits for a module that brings nobody:knows_this");
    assert!(!watched.probes.attach_missing());
    assert_eq!(watched.state().reason, state.reason);
}
