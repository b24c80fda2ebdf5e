//! Crashes that a hook and the helper both see: one record of both.
//!
//! The hook sees a crash before the dump is written, and where the kernel was; the helper sees all threads. So while dumps are read here,
//! what the hook saw waits for the dump, and is told alone when none comes. Whichever comes late is left out.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use proto::v1::record::Payload;
use proto::v1::{ProgramCrash, Record};

use super::pattern;
use crate::pipeline::Found;

/// How long what a hook saw waits for the dump: writing one of some gigabytes, and compressing it, takes as long. Nanoseconds.
const WAIT_NS: u64 = 30_000_000_000;
/// How long it is known that a process's crash was told: less than it takes until another process has its id. Nanoseconds.
const KNOWN_NS: u64 = 120_000_000_000;
/// Crashes that wait, and that are known, at most; more are told at once, or forgotten.
const CRASHES: usize = 64;
/// The signals that have programs dump core (signal(7)): SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS.
const DUMPING: [u32; 10] = [3, 4, 5, 6, 7, 8, 11, 24, 25, 31];

/// The crashes of the last minutes.
#[derive(Debug, Default)]
pub struct Twins(Mutex<Crashes>);

#[derive(Debug, Default)]
struct Crashes {
    /// What a hook saw, with the process and when.
    waiting: VecDeque<(u32, u64, Found)>,
    /// Processes whose crash was told, and when.
    told: VecDeque<(u32, u64)>,
}

impl Twins {
    /// Takes what a hook found; gives back what is to be told now. `core_pattern`: the file of that setting.
    pub fn hook(&self, found: Found, core_pattern: &Path, now_ns: u64) -> Option<Found> {
        let Some((pid, crash)) = crash(&found.record) else {
            return Some(found);
        };
        let dumps = DUMPING.contains(&crash.signal)
            && fs::read_to_string(core_pattern).is_ok_and(|value| pattern::is_ours(value.trim_end()));
        let mut crashes = self.crashes();
        if crashes.is_told(pid, now_ns) {
            return None;
        }
        if !dumps {
            return Some(found);
        }
        let oldest = (crashes.waiting.len() == CRASHES).then(|| crashes.waiting.pop_front());
        crashes.waiting.push_back((pid, now_ns, found));
        let (pid, _, oldest) = oldest.flatten()?;
        crashes.tell(pid, now_ns);
        Some(oldest)
    }

    /// Takes what a dump says; gives back what is to be told, unless it was.
    pub fn dump(&self, record: Record, now_ns: u64) -> Option<Record> {
        let Some((pid, _)) = crash(&record) else {
            return Some(record);
        };
        let mut crashes = self.crashes();
        if crashes.is_told(pid, now_ns) {
            return None;
        }
        crashes.tell(pid, now_ns);
        let seen = crashes.waiting.iter().position(|(waits, _, _)| *waits == pid);
        Some(match seen.and_then(|at| crashes.waiting.remove(at)) {
            Some((_, _, found)) => joined(found.record, record),
            None => record,
        })
    }

    /// The next crash whose dump did not come in time; every one when `now_ns` is the end of time.
    pub fn late(&self, now_ns: u64) -> Option<Found> {
        let mut crashes = self.crashes();
        let (pid, since_ns, found) = crashes
            .waiting
            .pop_front_if(|(_, since_ns, _)| since_ns.saturating_add(WAIT_NS) < now_ns)?;
        crashes.tell(pid, since_ns.saturating_add(WAIT_NS));
        Some(found)
    }

    fn crashes(&self) -> MutexGuard<'_, Crashes> {
        // Nothing panics between two changes that belong together.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Crashes {
    fn is_told(&self, pid: u32, now_ns: u64) -> bool {
        let mut told = self.told.iter();
        told.any(|(told, at_ns)| *told == pid && now_ns.saturating_sub(*at_ns) < KNOWN_NS)
    }

    fn tell(&mut self, pid: u32, now_ns: u64) {
        if self.told.len() == CRASHES {
            self.told.pop_front();
        }
        self.told.push_back((pid, now_ns));
    }
}

fn crash(record: &Record) -> Option<(u32, &ProgramCrash)> {
    match (&record.context, &record.payload) {
        (Some(context), Some(Payload::ProgramCrash(crash))) => Some((context.tgid, crash)),
        _ => None,
    }
}

/// What the hook saw, with what the dump adds: the other threads, and what the hook was refused. Both walk the stack of the thread
/// that crashed; the longer one is told, with what it is grouped by.
fn joined(mut seen: Record, dumped: Record) -> Record {
    let (Some(Payload::ProgramCrash(crash)), Some(Payload::ProgramCrash(dump))) =
        (&mut seen.payload, dumped.payload)
    else {
        return seen;
    };
    if dump.frames.len() >= crash.frames.len() {
        crash.frames = dump.frames;
        seen.fingerprints = dumped.fingerprints;
    }
    if crash.executable.is_empty() {
        crash.executable = dump.executable;
    }
    if crash.build_id.is_empty() {
        crash.build_id = dump.build_id;
    }
    crash.core_dumped = dump.core_dumped;
    crash.threads = dump.threads;
    crash.core_truncated = dump.core_truncated;
    seen
}

#[cfg(test)]
mod tests {
    use proto::v1::{Context, CrashThread, Hook, UserFrame};

    use super::*;
    use crate::record::CORE_PATTERN;

    const SECOND: u64 = 1_000_000_000;

    struct Host {
        dir: tempfile::TempDir,
        twins: Twins,
    }

    impl Host {
        fn new(pattern: &str) -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("core_pattern"), pattern).unwrap();
            Self {
                dir,
                twins: Twins::default(),
            }
        }

        fn ours() -> Self {
            Self::new("|/usr/bin/telemd-crash %P %s %d nothing\n")
        }

        fn hook(&self, record: Record, now_ns: u64) -> Option<Record> {
            let found = Found { record, mark: None };
            let told = self
                .twins
                .hook(found, &self.dir.path().join("core_pattern"), now_ns);
            told.map(|found| found.record)
        }

        fn late(&self, now_ns: u64) -> Option<Record> {
            self.twins.late(now_ns).map(|found| found.record)
        }
    }

    fn crash(hook: &str, pid: u32, frames: usize) -> Record {
        let crash = ProgramCrash {
            signal: 11,
            frames: vec![UserFrame::default(); frames],
            ..ProgramCrash::default()
        };
        Record {
            hook: Some(Hook {
                name: hook.into(),
                attach: String::new(),
            }),
            context: Some(Context {
                tgid: pid,
                ..Context::default()
            }),
            payload: Some(Payload::ProgramCrash(crash)),
            ..Record::default()
        }
    }

    fn seen(pid: u32) -> Record {
        crash("signal_deliver", pid, 3)
    }

    fn dumped(pid: u32, frames: usize) -> Record {
        let mut record = crash(CORE_PATTERN, pid, frames);
        if let Some(Payload::ProgramCrash(crash)) = &mut record.payload {
            crash.executable = "/usr/bin/server".into();
            crash.threads = vec![CrashThread::default()];
        }
        record
    }

    fn payload(record: &Record) -> (usize, usize, &str) {
        let Some(Payload::ProgramCrash(crash)) = &record.payload else {
            panic!("{record:?}");
        };
        (crash.frames.len(), crash.threads.len(), crash.executable.as_str())
    }

    #[test]
    fn a_crash_that_hook_and_dump_tell_is_one_record_of_both() {
        for (frames, told) in [(1, 3), (5, 5)] {
            let host = Host::ours();
            assert_eq!(host.hook(seen(7), SECOND), None);
            assert_eq!(host.hook(seen(8), SECOND), None);
            let record = host.twins.dump(dumped(7, frames), 2 * SECOND).unwrap();
            assert_eq!(record.hook, seen(7).hook);
            assert_eq!(payload(&record), (told, 1, "/usr/bin/server"));
            assert_eq!(host.late(60 * SECOND), Some(seen(8)));
            assert_eq!(host.late(u64::MAX), None);
        }
    }

    #[test]
    fn whichever_comes_late_is_left_out() {
        let host = Host::ours();
        assert_eq!(host.twins.dump(dumped(7, 1), SECOND), Some(dumped(7, 1)));
        assert_eq!(host.hook(seen(7), 2 * SECOND), None);
        assert_eq!(host.hook(seen(8), 2 * SECOND), None);
        assert_eq!(host.late(10 * SECOND), None);
        assert_eq!(host.late(40 * SECOND), Some(seen(8)));
        assert_eq!(host.twins.dump(dumped(8, 1), 41 * SECOND), None);
        // The id of a process that is long gone is another's.
        assert_eq!(host.twins.dump(dumped(8, 1), 400 * SECOND), Some(dumped(8, 1)));
    }

    #[test]
    fn nothing_waits_for_a_dump_that_does_not_come() {
        let elsewhere = Host::new("core\n");
        assert_eq!(elsewhere.hook(seen(7), SECOND), Some(seen(7)));
        let host = Host::ours();
        let mut killed = seen(7);
        if let Some(Payload::ProgramCrash(crash)) = &mut killed.payload {
            crash.signal = 9;
        }
        assert_eq!(host.hook(killed.clone(), SECOND), Some(killed));
        let other = Record::default();
        assert_eq!(host.hook(other.clone(), SECOND), Some(other));
    }

    #[test]
    fn more_than_may_wait_are_told_at_once() {
        let host = Host::ours();
        let most = u32::try_from(CRASHES).unwrap();
        for pid in 1..=most {
            assert_eq!(host.hook(seen(pid), SECOND), None);
        }
        assert_eq!(host.hook(seen(most + 1), SECOND), Some(seen(1)));
        assert_eq!(host.twins.dump(dumped(1, 1), SECOND), None);
    }
}
