//! What /proc says about a process that is about to be gone.

use std::fs;
use std::path::Path;

use probe_user::Context;

use crate::record::Program;

/// The name of a process; `None` when it is gone.
pub fn name(proc: &Path, pid: u32) -> Option<String> {
    let bytes = fs::read(proc.join(pid.to_string()).join("comm")).ok()?;
    Some(String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned())
}

/// The program of the task in `context`. What is gone already is told by the event, or stays empty.
pub fn program(proc: &Path, context: &Context) -> Program {
    let folder = proc.join(context.tgid.to_string());
    let executable = fs::read_link(folder.join("exe"))
        .map(|path| path.to_string_lossy().into_owned())
        .unwrap_or_default();
    // Another thread's name says little: the process's says which program it is.
    let name = if context.pid == context.tgid {
        context.comm.clone()
    } else {
        name(proc, context.tgid).unwrap_or_else(|| context.comm.clone())
    };
    Program { name, executable }
}

#[cfg(test)]
mod tests {
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
        }
    }

    #[test]
    fn a_thread_is_told_by_its_process() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("7");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("comm"), "server\n").unwrap();
        std::os::unix::fs::symlink("/usr/bin/server", folder.join("exe")).unwrap();
        let program = program(dir.path(), &context(8, 7));
        assert_eq!(
            (program.name.as_str(), program.executable.as_str()),
            ("server", "/usr/bin/server")
        );
    }

    #[test]
    fn a_process_that_is_gone_is_told_by_the_event() {
        let dir = tempfile::tempdir().unwrap();
        for tgid in [7, 8] {
            let program = program(dir.path(), &context(8, tgid));
            assert_eq!(
                (program.name.as_str(), program.executable.as_str()),
                ("worker", "")
            );
        }
    }
}
