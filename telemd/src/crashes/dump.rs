//! What a core dump says, as it is told to telemd.

use std::fs;
use std::io::Read;
use std::path::Path;

use core_dump::{CoreError, Dump};
use local::rules::{COMM_BYTES, CORE_DUMP_BYTES, FRAMES, PATH_BYTES, THREAD_FRAMES, THREADS};
use prost::Message as _;
use proto::v1::{CoreDump, CrashThread, ProgramCrash, Submission, UserFrame};

use crate::process;
use crate::text::cut;

/// Longest path of a cgroup, bytes: the limit of the wire format.
const CGROUP_BYTES: usize = 1_024;

/// What is known of a process before its dump is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its name.
    pub comm: String,
    /// Path of its program, as the host sees it.
    pub executable: String,
    /// Its build id, hexadecimal.
    pub build_id: String,
    /// Path of its cgroup of version 2.
    pub cgroup: String,
}

impl Process {
    /// Looks at a process while it is still there; what is not shown stays empty.
    pub fn look(proc: &Path, pid: u32) -> Self {
        let running = process::executable(proc, pid);
        let cgroups = fs::read_to_string(proc.join(pid.to_string()).join("cgroup")).unwrap_or_default();
        let cgroup = cgroups.lines().find_map(|line| line.strip_prefix("0::"));
        Self {
            pid,
            comm: process::name(proc, pid).unwrap_or_default(),
            executable: running.path,
            build_id: running.build_id,
            // The root is none that is worth telling.
            cgroup: cgroup.filter(|path| *path != "/").unwrap_or_default().to_owned(),
        }
    }
}

/// Reads a dump of `process`, which died of `signal`, and answers what telemd is told. That there was a dump is told whatever it holds:
/// the error says why it holds nothing.
pub fn read(process: Process, signal: u32, core: impl Read) -> (Submission, Option<CoreError>) {
    let (dump, error) = match core_dump::read(core) {
        Ok(dump) => (dump, None),
        Err(error) => {
            let dump = Dump {
                truncated: true,
                ..Dump::default()
            };
            (dump, Some(error))
        }
    };
    (submission(process, signal, &dump), error)
}

fn submission(process: Process, signal: u32, dump: &Dump) -> Submission {
    let or = |known: String, found: &str| if known.is_empty() { found.to_owned() } else { known };
    let mut threads = dump.threads.iter();
    let frames = threads.next().map(|thread| frames(&thread.frames, FRAMES));
    let others = threads.take(THREADS).map(|thread| CrashThread {
        tid: thread.tid,
        frames: self::frames(&thread.frames, THREAD_FRAMES),
    });
    let died_of = dump.signal.filter(|seen| seen.number == signal);
    let crash = ProgramCrash {
        signal,
        code: died_of.map_or(0, |signal| signal.code),
        errno: died_of.map_or(0, |signal| signal.errno),
        executable: text(&or(process.executable, &dump.executable), PATH_BYTES),
        address: died_of.and_then(|signal| signal.address),
        build_id: or(process.build_id, &hex(&dump.build_id)),
        frames: frames.unwrap_or_default(),
        core_dumped: Some(true),
        threads: others.collect(),
        core_truncated: dump.truncated,
    };
    let mut core_dump = CoreDump {
        pid: process.pid,
        comm: text(&or(process.comm, &dump.comm), COMM_BYTES),
        cgroup: text(&process.cgroup, CGROUP_BYTES),
        crash: Some(crash),
    };
    fit(&mut core_dump);
    Submission {
        core_dump: Some(core_dump),
        ..Submission::default()
    }
}

/// Leaves out the last threads, and then paths, until the record is small enough.
fn fit(dump: &mut CoreDump) {
    while dump.encoded_len() > CORE_DUMP_BYTES {
        let Some(crash) = &mut dump.crash else { return };
        crash.core_truncated = true;
        if crash.threads.pop().is_none() {
            let mut frames = crash.frames.iter_mut().rev();
            match frames.find(|frame| !frame.file.is_empty()) {
                Some(frame) => frame.file.clear(),
                None => return,
            }
        }
    }
}

fn frames(frames: &[core_dump::Frame], most: usize) -> Vec<UserFrame> {
    let wire = |frame: &core_dump::Frame| UserFrame {
        build_id: hex(&frame.build_id),
        offset: frame.offset,
        file: text(&frame.file, PATH_BYTES),
        function: String::new(),
    };
    frames.iter().take(most).map(wire).collect()
}

/// Hexadecimal digits of a build id; none of what is no build id.
fn hex(bytes: &[u8]) -> String {
    faults::symbols::BuildId::new(bytes).map_or_else(String::new, |id| id.to_string())
}

fn text(text: &str, bytes: usize) -> String {
    cut(&text.replace('\0', "\u{fffd}"), bytes).to_owned()
}

#[cfg(test)]
mod tests {
    use core_dump::{Frame, Thread};

    use super::*;

    fn thread(tid: u32, file: &str, frames: usize) -> Thread {
        let frame = Frame {
            build_id: vec![0xab; 20],
            file: file.to_owned(),
            offset: 0x10,
        };
        Thread {
            tid,
            frames: vec![frame; frames],
        }
    }

    fn told(dump: &Dump) -> CoreDump {
        let process = Process {
            pid: 7,
            comm: "server".into(),
            ..Process::default()
        };
        let submission = submission(process, 11, dump);
        local::rules::check(&submission).unwrap();
        submission.core_dump.unwrap()
    }

    #[test]
    fn whatever_a_dump_holds_its_record_is_taken() {
        let long = "x".repeat(5_000);
        for file in ["/usr/bin/server", &long] {
            let dump = Dump {
                comm: long.clone(),
                executable: long.clone(),
                threads: (0..40).map(|tid| thread(tid, file, 64)).collect(),
                ..Dump::default()
            };
            let crash = told(&dump).crash.unwrap();
            assert_eq!((crash.frames.len(), crash.frames[63].build_id.len()), (64, 40));
            assert_eq!(crash.core_truncated, file == long);
            assert_eq!(crash.threads.len(), if file == long { 0 } else { THREADS });
        }
    }

    #[test]
    fn a_dump_that_cannot_be_read_is_a_record_all_the_same() {
        let process = Process {
            pid: 7,
            comm: "server".into(),
            executable: "/usr/bin/server".into(),
            ..Process::default()
        };
        let (submission, error) = read(process, 6, b"\x7fELF".as_slice());
        local::rules::check(&submission).unwrap();
        let crash = submission.core_dump.unwrap().crash.unwrap();
        assert_eq!((crash.signal, crash.core_truncated), (6, true));
        assert_eq!(crash.executable, "/usr/bin/server");
        assert_eq!(error, Some(CoreError::NotElf));
    }
}
