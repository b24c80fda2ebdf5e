//! The programs on the kernel that this test runs on. Needs root and an object built by `cargo xtask build-ebpf`; what
//! is not possible here is skipped with its reason.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test panics")]

mod memory_group;
mod watch;

use std::{collections::HashMap, path::Path, sync::Mutex, time::Duration};

use probe_user::{
    Event, Options, hook,
    kmsg::{KernelLog, Position},
};
use testing::skip;

use memory_group::MemoryGroup;
use watch::{PATIENCE, Watch, attach, attach_one, shell, wait_for};

#[tokio::test]
async fn every_hook_is_attached_or_says_why_not() {
    let Some(mut probes) = attach("every_hook_is_attached_or_says_why_not", &Options::default()) else {
        return;
    };
    let states = probes.states();
    assert_eq!(
        states.iter().map(|state| &*state.hook).collect::<Vec<_>>(),
        hook::ALL
    );
    for state in &states {
        println!("{}: {:?} {}", state.hook, state.attach, state.reason);
        assert!(state.attach.is_some() || !state.reason.is_empty(), "{state:?}");
        assert_eq!(state.lost, 0, "{state:?}");
    }
    assert!(states.iter().any(|state| state.attach.is_some()), "{states:?}");
}

#[tokio::test]
async fn disabled_hooks_stay_alone() {
    let disable = hook::ALL.map(str::to_owned).to_vec();
    let Some(mut probes) = attach(
        "disabled_hooks_stay_alone",
        &Options {
            disable,
            ..Options::default()
        },
    ) else {
        return;
    };
    for state in probes.states() {
        assert_eq!(
            (state.attach, state.reason.as_str()),
            (None, "disabled in the configuration")
        );
    }
}

#[tokio::test]
async fn a_crash_of_a_program_is_a_fatal_signal() {
    let name = "a_crash_of_a_program_is_a_fatal_signal";
    let Some(mut probes) = attach_one(name, hook::SIGNAL_DELIVER, 0) else {
        return;
    };
    // Endless recursion on a small stack: the kernel itself raises the signal.
    let mut child = shell("ulimit -c 0; ulimit -s 256; f() { f; }; f");
    let crash = wait_for(&mut probes, |event| match event {
        Event::FatalSignal {
            context, signal: 11, ..
        } if context.tgid == child.id() => Some(event.clone()),
        _ => None,
    })
    .await;
    child.wait().unwrap();
    let Event::FatalSignal {
        context,
        code,
        address,
        frames,
        executable,
        ..
    } = crash
    else {
        panic!("{crash:?}");
    };
    assert!(code > 0, "{code}");
    if context.attach == probe_user::Attach::TpBtf {
        // The kernel's type information is there: below the stack something was written that is not mapped.
        assert!(address.is_some(), "{context:?}");
        let shell = std::fs::canonicalize("/bin/sh").unwrap();
        let executable = executable.unwrap();
        assert!(
            shell.ends_with(executable.trim_start_matches('/')),
            "{executable} is not {shell:?}"
        );
    }
    assert!(
        frames.first().is_some_and(|frame| frame.build_id.is_some()),
        "{frames:?}"
    );
    assert_eq!(
        (&*context.hook, context.comm.as_str(), context.pid),
        (hook::SIGNAL_DELIVER, "sh", child.id())
    );
    assert!(context.since_boot_ns > 0 && context.sequence > 0, "{context:?}");
}

#[tokio::test]
async fn a_signal_that_is_handled_is_no_event() {
    let name = "a_signal_that_is_handled_is_no_event";
    let Some(mut probes) = attach_one(name, hook::SIGNAL_DELIVER, 0) else {
        return;
    };
    let mut child = shell("ulimit -c 0; trap : ABRT; kill -ABRT $$; kill -TERM $$ & wait; kill -QUIT $$");
    let signal = wait_for(&mut probes, |event| match event {
        Event::FatalSignal { context, signal, .. } if context.tgid == child.id() => Some(*signal),
        _ => None,
    });
    // SIGABRT was handled and SIGTERM is no crash, so the first event, if any, is the last signal.
    let ended = tokio::time::timeout(Duration::from_secs(2), signal).await;
    child.wait().unwrap();
    if let Ok(signal) = ended {
        assert_eq!(signal, 3);
    }
}

#[tokio::test]
async fn an_out_of_memory_kill_names_its_victim() {
    let name = "an_out_of_memory_kill_names_its_victim";
    let Some(mut probes) = attach_one(name, hook::OOM_MARK_VICTIM, 0) else {
        return;
    };
    let group = match MemoryGroup::create(8 << 20) {
        Ok(group) => group,
        Err(reason) => return skip(name, &reason),
    };
    let procs = group.path.join("cgroup.procs");
    let mut child = shell(&format!("echo $$ > {} && exec tail /dev/zero", procs.display()));
    let victim = wait_for(&mut probes, |event| match event {
        Event::OomVictim { victim, .. } if victim.pid == child.id() => Some(victim.clone()),
        _ => None,
    })
    .await;
    child.wait().unwrap();
    // The short form of the record has the pid alone.
    assert!(victim.comm.is_none_or(|comm| comm == "tail"));
    assert!(victim.anon_rss_kib.is_none_or(|kib| kib > 0 && kib <= 8 << 10));
}

#[tokio::test]
async fn beyond_a_full_ring_every_event_is_counted_as_lost() {
    const CRASHES: u64 = 500;
    let name = "beyond_a_full_ring_every_event_is_counted_as_lost";
    let page = u32::try_from(rustix::param::page_size()).unwrap();
    let Some(mut probes) = attach_one(name, hook::SIGNAL_DELIVER, page) else {
        return;
    };
    let script = format!(
        "ulimit -c 0; n=0; while [ $n -lt {CRASHES} ]; do \
         ( read -r pid rest < /proc/self/stat; kill -ABRT $pid ); n=$((n + 1)); done"
    );
    let status = shell(&script).wait().unwrap();
    assert!(status.success());

    let state = |probes: &mut Watch| {
        probes
            .states()
            .into_iter()
            .find(|state| &*state.hook == hook::SIGNAL_DELIVER)
            .unwrap()
    };
    // Nothing was read so far, so the page is full. Programs beyond this test may have crashed too.
    let full = state(&mut probes);
    assert!(full.lost > 0 && full.events + full.lost >= CRASHES, "{full:?}");

    // One more crash, whose event tells the end.
    let mut events = Vec::new();
    probes.next(&mut events).await;
    let mut last = shell("ulimit -c 0; kill -SEGV $$");
    while !events
        .iter()
        .any(|event| matches!(event, Event::FatalSignal { context, .. } if context.tgid == last.id()))
    {
        tokio::time::timeout(PATIENCE, probes.next(&mut events))
            .await
            .expect("the event did not come");
    }
    last.wait().unwrap();

    let read = u64::try_from(events.len()).unwrap();
    let counted = state(&mut probes);
    assert_eq!(read, counted.events, "{counted:?}");
    let mut by_cpu = HashMap::new();
    for event in &events {
        let Event::FatalSignal { context, .. } = event else {
            panic!("{event:?}")
        };
        let before = by_cpu.insert(context.cpu, context.sequence);
        assert!(before < Some(context.sequence), "{event:?}");
    }
}

/// Collects what the programs log.
struct Lines(Mutex<Vec<String>>);

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        self.0.lock().unwrap().push(record.args().to_string());
    }
    fn flush(&self) {}
}

#[tokio::test]
async fn an_object_with_a_log_is_heard() {
    static LINES: Lines = Lines(Mutex::new(Vec::new()));
    let name = "an_object_with_a_log_is_heard";
    let object = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bpf/probes-log.bpf.o");
    if !object.is_file() {
        return skip(name, "no object was built by `cargo xtask build-ebpf --log`");
    }
    log::set_logger(&LINES).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let disable = hook::ALL
        .iter()
        .filter(|hook| **hook != hook::SIGNAL_DELIVER)
        .map(|hook| (*hook).to_owned());
    let options = Options {
        object: Some(object),
        disable: disable.collect(),
        ..Options::default()
    };
    let Some(mut probes) = attach(name, &options) else {
        return;
    };
    let mut child = shell("ulimit -c 0; kill -SEGV $$");
    let heard = async {
        let mut events = Vec::new();
        while !LINES
            .0
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.starts_with("signal_deliver"))
        {
            // The log is read with the counters.
            drop(probes.states());
            tokio::time::timeout(Duration::from_secs(1), probes.next(&mut events))
                .await
                .ok();
        }
    };
    tokio::time::timeout(PATIENCE, heard)
        .await
        .expect("the programs are not heard");
    child.wait().unwrap();
}

#[tokio::test]
async fn the_kernel_log_is_read_in_order() {
    let name = "the_kernel_log_is_read_in_order";
    let mut log = match KernelLog::open(Path::new("/dev/kmsg"), Position::Oldest) {
        Ok(log) => log,
        Err(error) => return skip(name, &format!("{error}: needs root")),
    };
    let mut records = Vec::new();
    match tokio::time::timeout(Duration::from_secs(5), log.next(&mut records)).await {
        Ok(read) => read.unwrap(),
        Err(_elapsed) => return skip(name, "the kernel log is empty"),
    }
    assert!(records.is_sorted_by(|a, b| a.sequence < b.sequence));
    assert!(records.iter().all(|record| record.level <= 7));
    assert_eq!((log.lost(), log.undecodable()), (0, 0));

    // Starting in the middle gives the same records again.
    let middle = records[records.len() / 2].clone();
    let mut again = KernelLog::open(Path::new("/dev/kmsg"), Position::Sequence(middle.sequence)).unwrap();
    let mut rest = Vec::new();
    again.next(&mut rest).await.unwrap();
    assert_eq!(rest.first(), Some(&middle));
}
