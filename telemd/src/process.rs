//! What /proc says about a process that is about to be gone.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::path::Path;

use probe_user::{Context, UserFrame};
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use crate::record::Program;
use crate::text::cut;

/// How much of a program is looked at for its build id, bytes. Linkers put it on the first page, where the kernel looks
/// for it too (`lib/buildid.c`).
const HEAD_BYTES: u64 = 64 << 10;
/// Longest path of a program that is told, bytes (`PATH_MAX` of `include/uapi/linux/limits.h`).
const PATH_BYTES: usize = 4096;

/// The name of a process; `None` when it is gone.
pub fn name(proc: &Path, pid: u32) -> Option<String> {
    let bytes = fs::read(proc.join(pid.to_string()).join("comm")).ok()?;
    Some(String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned())
}

/// What a process runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executable {
    /// Its path; empty when the process is gone, or another user's.
    pub path: String,
    /// Its GNU build id, lower-case hexadecimal; empty when it has none.
    pub build_id: String,
}

/// What a process runs. The programs of other users are shown only to those who hold `CAP_SYS_PTRACE`.
pub fn executable(proc: &Path, pid: u32) -> Executable {
    let link = proc.join(pid.to_string()).join("exe");
    let Ok(path) = fs::read_link(&link) else {
        return Executable::default();
    };
    Executable {
        path: cut(&path.to_string_lossy(), PATH_BYTES).to_owned(),
        build_id: build_id(&link).unwrap_or_default(),
    }
}

/// The program of the task in `context`, which is `running` as far as that is known. What is gone already is told by the
/// event: `executable` is the path that the kernel saw, and a file that is there now counts as the program when the
/// stack, `frames`, leads through its build id.
pub fn program(
    proc: &Path,
    running: Executable,
    context: &Context,
    executable: Option<&str>,
    frames: &[UserFrame],
) -> Program {
    let on_the_stack = |id: &String| frames.iter().any(|frame| frame.build_id.as_ref() == Some(id));
    let build_id = Some(running.build_id)
        .filter(|id| !id.is_empty())
        .or_else(|| build_id(Path::new(executable?)).filter(on_the_stack));
    // Another thread's name says little: the process's says which program it is.
    let name = if context.pid == context.tgid {
        context.comm.clone()
    } else {
        name(proc, context.tgid).unwrap_or_else(|| context.comm.clone())
    };
    Program {
        name,
        executable: if running.path.is_empty() {
            executable.unwrap_or_default().to_owned()
        } else {
            running.path
        },
        build_id: build_id.unwrap_or_default(),
    }
}

/// The GNU build id of an ELF file, lower-case hexadecimal.
fn build_id(path: &Path) -> Option<String> {
    let file = open_regular(path)?;
    let mut head = Vec::new();
    file.take(HEAD_BYTES).read_to_end(&mut head).ok()?;
    let note = core_dump::build_id(&head)?;
    Some(faults::symbols::BuildId::new(note)?.to_string())
}

/// Opens a regular file. What is at a path may be anything by now: opening a pipe waits, opening a watchdog starts it. So
/// it is looked at before it is opened.
fn open_regular(path: &Path) -> Option<File> {
    if !path.is_absolute() {
        return None;
    }
    let seen = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let kind = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&seen).ok()?.st_mode);
    if kind != rustix::fs::FileType::RegularFile {
        return None;
    }
    File::open(format!("/proc/self/fd/{}", seen.as_raw_fd())).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn context(pid: u32, tgid: u32) -> Context {
        Context {
            hook: probe_user::hook::SIGNAL_DELIVER.into(),
            attach: probe_user::Attach::RawTp,
            cpu: 0,
            pid,
            tgid,
            comm: "worker".into(),
            cgroup_id: 0,
            since_boot_ns: 1,
            sequence: 1,
            stack: Vec::new(),
        }
    }

    fn running(proc: &Path, context: &Context, seen: Option<&str>, frames: &[UserFrame]) -> Program {
        program(proc, executable(proc, context.tgid), context, seen, frames)
    }

    #[test]
    fn a_thread_is_told_by_its_process() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("7");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("comm"), "server\n").unwrap();
        symlink("/usr/bin/server", folder.join("exe")).unwrap();
        let program = running(dir.path(), &context(8, 7), Some("/other"), &[]);
        assert_eq!(
            (program.name.as_str(), program.executable.as_str()),
            ("server", "/usr/bin/server")
        );
    }

    #[test]
    fn a_process_that_is_gone_is_told_by_the_event() {
        let dir = tempfile::tempdir().unwrap();
        for tgid in [7, 8] {
            let program = running(dir.path(), &context(8, tgid), Some("/usr/bin/server"), &[]);
            assert_eq!(
                (
                    program.name.as_str(),
                    program.executable.as_str(),
                    program.build_id.as_str()
                ),
                ("worker", "/usr/bin/server", "")
            );
        }
        assert_eq!(running(dir.path(), &context(8, 8), None, &[]).executable, "");
    }

    /// A 64-bit program with a build id of these bytes.
    fn elf(build_id: [u8; 8]) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(16, 0);
        for half in [3_u16, 62] {
            bytes.extend(half.to_le_bytes());
        }
        bytes.extend(1_u32.to_le_bytes());
        // Entry, program headers, section headers.
        for word in [0_u64, 64, 0] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(0_u32.to_le_bytes());
        for half in [64_u16, 56, 1, 0, 0, 0] {
            bytes.extend(half.to_le_bytes());
        }
        // PT_NOTE, readable, at 120.
        bytes.extend([4, 0, 0, 0, 4, 0, 0, 0]);
        for word in [120_u64, 120, 120, 24, 24, 4] {
            bytes.extend(word.to_le_bytes());
        }
        for word in [4_u32, 8, 3] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(b"GNU\0");
        bytes.extend(build_id);
        bytes
    }

    #[test]
    fn the_build_id_is_that_of_the_process_or_of_a_file_that_the_stack_leads_through() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server");
        fs::write(&path, elf(*b"01234567")).unwrap();
        let path = path.to_str().unwrap();
        let id = "3031323334353637";
        let frame = UserFrame {
            build_id: Some(id.to_owned()),
            offset: 1,
        };
        let gone = |frames: &[UserFrame]| running(dir.path(), &context(7, 7), Some(path), frames).build_id;
        assert_eq!((gone(&[frame]).as_str(), gone(&[]).as_str()), (id, ""));

        fs::create_dir(dir.path().join("7")).unwrap();
        symlink(path, dir.path().join("7/exe")).unwrap();
        assert_eq!(running(dir.path(), &context(7, 7), None, &[]).build_id, id);
    }

    #[test]
    fn what_is_no_program_has_no_build_id() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("text");
        fs::write(&path, "#!/bin/sh\n").unwrap();
        assert_eq!(
            (
                build_id(&path),
                build_id(dir.path()),
                build_id(Path::new("/dev/null"))
            ),
            (None, None, None)
        );
    }
}
