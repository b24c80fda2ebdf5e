//! The programs on this host, and what they catch.

use std::{
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use probe_user::{AttachError, Event, HookState, Options, Probes, Reader, hook};
use testing::skip;

/// How long an event may take; it comes within milliseconds unless the machine is very busy.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// One test's programs are attached at a time. Two programs that ask for a user stack in one event get in each other's
/// way: the second is given addresses without build ids, because a CPU has room for one unlock of `mmap_lock` that
/// waits for interrupts (`irq_work_busy` in kernel/bpf/stackmap.c).
static ALONE: Mutex<()> = Mutex::new(());

/// The programs, and what reads them.
pub(crate) struct Watch {
    probes: Probes,
    reader: Reader,
    _alone: MutexGuard<'static, ()>,
}

impl Watch {
    pub(crate) fn states(&mut self) -> Vec<HookState> {
        self.probes.states()
    }

    pub(crate) async fn next(&mut self, events: &mut Vec<Event>) {
        self.reader.next(events).await.unwrap();
    }
}

/// Attaches; a host that does not allow it is a skip.
pub(crate) fn attach(test: &str, options: &Options) -> Option<Watch> {
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    match Probes::attach(options) {
        Ok(probes) => {
            let reader = probes.reader().unwrap();
            Some(Watch {
                probes,
                reader,
                _alone: alone,
            })
        }
        Err(error @ (AttachError::NoObject | AttachError::NotPermitted(_))) => {
            skip(test, &error.to_string());
            None
        }
        // An object that is built by hand may be an old one.
        Err(error @ AttachError::OtherVersion(_)) if options.object.is_some() => {
            skip(test, &error.to_string());
            None
        }
        Err(error) => panic!("{error:?}"),
    }
}

/// Attaches one hook; a host that does not have it is a skip.
pub(crate) fn attach_one(test: &str, name: &'static str, ring_bytes: u32) -> Option<Watch> {
    let disable = hook::ALL
        .iter()
        .filter(|other| **other != name)
        .map(|other| (*other).to_owned())
        .collect();
    let mut probes = attach(
        test,
        &Options {
            ring_bytes,
            disable,
            ..Options::default()
        },
    )?;
    let state = probes
        .states()
        .into_iter()
        .find(|state| &*state.hook == name)
        .unwrap();
    if state.attach.is_none() {
        skip(test, &format!("{name} is not attached: {}", state.reason));
        return None;
    }
    Some(probes)
}

/// Reads until an event is what the test waits for.
pub(crate) async fn wait_for<T>(probes: &mut Watch, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
    let reading = async {
        let mut events = Vec::new();
        loop {
            events.clear();
            probes.next(&mut events).await;
            if let Some(found) = events.iter().find_map(&mut wanted) {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("the event did not come")
}

pub(crate) fn shell(script: &str) -> Child {
    Command::new("sh")
        .args(["-c", script])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
