//! What a core dump's record may say: the limits of `ProgramCrash` in `telemetry/v1/record.proto`, and one for all of it.

use prost::Message as _;
use proto::v1::{CoreDump, Submission, UserFrame};

use super::ValueError;

/// Encoded size of a core dump's record, bytes: less than the payload and the fields of a program's record may take.
pub const CORE_DUMP_BYTES: usize = 65_536;
/// Longest name of a process, bytes (`TASK_COMM_LEN` of `include/linux/sched.h`, without its NUL).
pub const COMM_BYTES: usize = 15;
/// Most frames of the thread that crashed.
pub const FRAMES: usize = 64;
/// Most other threads.
pub const THREADS: usize = 32;
/// Most frames of one of them.
pub const THREAD_FRAMES: usize = 16;
/// Longest path, bytes.
pub const PATH_BYTES: usize = 4_096;
/// Longest path of a cgroup, bytes.
const CGROUP_BYTES: usize = 1_024;
/// Longest build id, hexadecimal digits.
const BUILD_ID_CHARS: usize = 40;
/// Longest name of a function, bytes.
const FUNCTION_BYTES: usize = 512;

/// Checks a core dump, and that its submission has nothing beside it.
pub(super) fn check(dump: &CoreDump, submission: &Submission) -> Result<(), ValueError> {
    let alone = Submission {
        core_dump: Some(dump.clone()),
        ..Submission::default()
    };
    let crash = dump.crash.as_ref().ok_or(ValueError::CoreDump("crash"))?;
    let others = crash.threads.iter();
    let frames = crash
        .frames
        .iter()
        .chain(others.clone().flat_map(|thread| &thread.frames));
    let rules = [
        ("size", dump.encoded_len() <= CORE_DUMP_BYTES),
        ("company", *submission == alone),
        ("comm", is_text(&dump.comm, COMM_BYTES)),
        ("cgroup", is_text(&dump.cgroup, CGROUP_BYTES)),
        ("executable", is_text(&crash.executable, PATH_BYTES)),
        ("build_id", is_text(&crash.build_id, BUILD_ID_CHARS)),
        ("frames", crash.frames.len() <= FRAMES),
        ("threads", others.len() <= THREADS),
        (
            "thread",
            others.clone().all(|thread| thread.frames.len() <= THREAD_FRAMES),
        ),
        ("frame", frames.clone().all(is_frame)),
    ];
    match rules.iter().find(|(_, holds)| !holds) {
        Some((name, _)) => Err(ValueError::CoreDump(name)),
        None => Ok(()),
    }
}

fn is_frame(frame: &UserFrame) -> bool {
    is_text(&frame.build_id, BUILD_ID_CHARS)
        && is_text(&frame.file, PATH_BYTES)
        && is_text(&frame.function, FUNCTION_BYTES)
}

fn is_text(text: &str, bytes: usize) -> bool {
    text.len() <= bytes && !text.contains('\0')
}

#[cfg(test)]
mod tests {
    use proto::v1::{CrashThread, ProgramCrash};

    use super::super::check;
    use super::*;

    fn submission(crash: ProgramCrash) -> Submission {
        Submission {
            core_dump: Some(CoreDump {
                pid: 7,
                comm: "server".into(),
                cgroup: "/system.slice/server.service".into(),
                crash: Some(crash),
            }),
            ..Submission::default()
        }
    }

    #[test]
    fn a_core_dump_is_taken_within_its_limits_and_alone() {
        let frames = |count| vec![UserFrame::default(); count];
        let thread = |count| CrashThread {
            tid: 8,
            frames: frames(count),
        };
        let most = ProgramCrash {
            frames: frames(FRAMES),
            threads: vec![thread(THREAD_FRAMES); THREADS],
            ..ProgramCrash::default()
        };
        assert_eq!(check(&submission(most.clone())), Ok(()));
        let too_much = [
            (
                "frames",
                ProgramCrash {
                    frames: frames(FRAMES + 1),
                    ..ProgramCrash::default()
                },
            ),
            (
                "threads",
                ProgramCrash {
                    threads: vec![thread(0); THREADS + 1],
                    ..ProgramCrash::default()
                },
            ),
            (
                "thread",
                ProgramCrash {
                    threads: vec![thread(THREAD_FRAMES + 1)],
                    ..ProgramCrash::default()
                },
            ),
            (
                "executable",
                ProgramCrash {
                    executable: "x".repeat(PATH_BYTES + 1),
                    ..ProgramCrash::default()
                },
            ),
        ];
        for (name, crash) in too_much {
            assert_eq!(check(&submission(crash)), Err(ValueError::CoreDump(name)));
        }
        let long = UserFrame {
            file: "x".repeat(PATH_BYTES),
            ..UserFrame::default()
        };
        let large = ProgramCrash {
            frames: vec![long; FRAMES],
            ..ProgramCrash::default()
        };
        assert_eq!(check(&submission(large)), Err(ValueError::CoreDump("size")));
        let accompanied = Submission {
            payload: "x".into(),
            ..submission(most)
        };
        assert_eq!(check(&accompanied), Err(ValueError::CoreDump("company")));
    }
}
