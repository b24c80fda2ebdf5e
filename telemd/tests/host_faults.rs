//! Real faults on this host's kernel, caught by the real hooks. Needs root and the eBPF object.

mod common;

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::crash::{about, copied, crash, name_of, start};
use probe_user::hook;
use proto::v1::record::Payload;

#[test]
fn a_program_that_crashes_is_one_record_with_its_path() {
    let test = "a_program_that_crashes_is_one_record_with_its_path";
    let Some((mut host, collector)) = start(test, hook::SIGNAL_DELIVER, "") else {
        return;
    };
    let program = match crash(&host, "crash") {
        Ok(program) => program,
        Err(reason) => return testing::skip(test, reason),
    };
    let name = name_of(&program);
    host.wait("the record", |_| !about(&collector, &name).is_empty());
    // Long enough for the kernel's own line about the crash to become a second record, if it did.
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(host.stop(), Some(0));
    let crashes = about(&collector, &name);
    assert_eq!(crashes.len(), 1, "{crashes:#?}");
    let Some(Payload::ProgramCrash(crash)) = &crashes[0].payload else {
        panic!("{crashes:#?}");
    };
    assert_eq!(crash.signal, 11);
    assert_eq!(crashes[0].context.as_ref().unwrap().comm, name);
    // The program may be gone before its path is read.
    assert!(
        ["", &program.display().to_string()].contains(&crash.executable.as_str()),
        "{}",
        crash.executable
    );
}

#[test]
fn a_process_killed_for_its_memory_is_one_record_though_the_kernel_also_prints_it() {
    let test = "a_process_killed_for_its_memory_is_one_record_though_the_kernel_also_prints_it";
    let Some((mut host, collector)) = start(test, hook::OOM_MARK_VICTIM, "") else {
        return;
    };
    let cgroup = match Cgroup::create() {
        Ok(cgroup) => cgroup,
        Err(reason) => return testing::skip(test, &reason),
    };
    let program = copied(Path::new("/usr/bin/tail"), &host, "oom");
    let name = name_of(&program);
    // The shell joins the cgroup and becomes the hog. It offers itself first, should the limit not hold.
    let script =
        r#"echo 1000 > /proc/self/oom_score_adj; echo $$ > "$1/cgroup.procs" && exec "$2" /dev/zero"#;
    let status = Command::new("/bin/sh")
        .args(["-c", script, "sh"])
        .args([&cgroup.0, &program])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.signal(), Some(9));
    host.wait("the record", |_| !about(&collector, &name).is_empty());
    // Longer than the text waits for the hook.
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert_eq!(host.stop(), Some(0));
    let found = about(&collector, &name);
    assert_eq!(found.len(), 1, "{found:#?}");
    let Some(Payload::OomKill(kill)) = &found[0].payload else {
        panic!("{found:#?}");
    };
    assert!(kill.victim_pid > 0);
    assert_eq!(kill.victim_comm, name);
}

/// A memory cgroup with 32 MiB, version 1 or 2. Removed when dropped.
struct Cgroup(PathBuf);

impl Cgroup {
    fn create() -> Result<Self, String> {
        let unified = Path::new("/sys/fs/cgroup");
        let (parent, limit) = if unified.join("memory/memory.limit_in_bytes").exists() {
            (unified.join("memory"), "memory.limit_in_bytes")
        } else {
            (unified.to_owned(), "memory.max")
        };
        let cgroup = Self(parent.join(format!("telemd-test-{}", std::process::id())));
        let what = |error| format!("no memory cgroup can be made in {}: {error}", parent.display());
        std::fs::create_dir(&cgroup.0).map_err(what)?;
        std::fs::write(cgroup.0.join(limit), "33554432").map_err(what)?;
        // Where there is swap the hog would fill it first; without swap accounting the file is not there.
        let swap = cgroup.0.join("memory.swap.max");
        if swap.exists() {
            std::fs::write(swap, "0").map_err(what)?;
        }
        Ok(cgroup)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // The kernel frees a killed task's memory for a moment longer and answers EBUSY until then.
        for _ in 0..100 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert!(std::thread::panicking(), "{} is left behind", self.0.display());
    }
}
