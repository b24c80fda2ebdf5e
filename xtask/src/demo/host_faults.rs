//! Real faults on this host that harm nothing: a program that crashes, and an out-of-memory kill inside a small memory
//! cgroup of its own.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::Signal;

use crate::vm;

/// A fault that this host can have.
pub(super) struct HostFault {
    /// The hook that sees it.
    pub(super) hook: &'static str,
    /// The class of its record.
    pub(super) class: &'static str,
    /// The program that has it, whose name is in the title.
    pub(super) program: &'static str,
    /// Causes it, with a folder to work in.
    pub(super) cause: fn(&Path) -> Result<()>,
}

/// All of them.
pub(super) const ALL: [HostFault; 2] = [
    HostFault {
        hook: "signal_deliver",
        class: "program.crash",
        program: CRASHER,
        cause: crash,
    },
    HostFault {
        hook: "oom_mark_victim",
        class: "memory.oom_kill",
        program: HOG,
        cause: run_out_of_memory,
    },
];

/// How the crashing program is called, so that its record is told from those of other crashes on this host.
const CRASHER: &str = "demo-crash";
/// How the program that runs out of memory is called.
const HOG: &str = "demo-hog";

/// Memory the hog may use: far below what any host has, reached within a second.
const HOG_LIMIT_BYTES: u64 = 32 << 20;
/// How long a fault may take.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// Runs a program that dereferences a null pointer. Fails when it did not die of it.
fn crash(dir: &Path) -> Result<()> {
    let program = dir.join(CRASHER);
    fs::write(&program, vm::crashing_program()).with_context(|| format!("write {}", program.display()))?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    let child = quiet(&mut Command::new(program))
        .spawn()
        .context("start the crashing program")?;
    let status = wait(child).context("the crashing program")?;
    died_of(status, Signal::SEGV)
}

/// Lets a program eat memory in a cgroup of its own until the kernel kills it.
fn run_out_of_memory(dir: &Path) -> Result<()> {
    // Under another name, so that the kernel calls its task that.
    let program = dir.join(HOG);
    fs::copy("/usr/bin/tail", &program).context("copy tail")?;
    let cgroup = MemoryCgroup::create(HOG_LIMIT_BYTES)?;
    // The shell joins the cgroup and becomes the hog. It offers itself first, should the limit not hold.
    let script = r#"echo 1000 > /proc/self/oom_score_adj; echo $$ > "$1" && exec "$2" /dev/zero"#;
    let child = quiet(
        Command::new("/bin/sh")
            .args(["-c", script, "sh"])
            .args([&cgroup.procs, &program]),
    )
    .spawn()
    .context("start the program that eats memory")?;
    let status = wait(child).context("the program that eats memory")?;
    died_of(status, Signal::KILL)
}

fn quiet(command: &mut Command) -> &mut Command {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
}

/// Waits for the end of a child, and ends it when that takes too long.
fn wait(mut child: Child) -> Result<ExitStatus> {
    for _ in 0..PATIENCE.as_millis() / POLL.as_millis() {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        std::thread::sleep(POLL);
    }
    child.kill()?;
    child.wait()?;
    bail!("still ran after {} s and was ended", PATIENCE.as_secs())
}

fn died_of(status: ExitStatus, signal: Signal) -> Result<()> {
    ensure!(status.signal() == Some(signal.as_raw()), "it ended with {status}");
    Ok(())
}

/// A memory cgroup with a limit, version 1 or 2. Removed when dropped.
#[derive(Debug)]
struct MemoryCgroup {
    dir: PathBuf,
    procs: PathBuf,
}

impl MemoryCgroup {
    fn create(limit_bytes: u64) -> Result<Self> {
        let (parent, limit_file) = memory_hierarchy()?;
        let dir = parent.join(format!("telemetrics-demo-{}", std::process::id()));
        fs::create_dir(&dir).with_context(|| format!("create the cgroup {}", dir.display()))?;
        let procs = dir.join("cgroup.procs");
        let cgroup = Self { dir, procs };
        let limit = cgroup.dir.join(limit_file);
        fs::write(&limit, limit_bytes.to_string()).with_context(|| format!("write {}", limit.display()))?;
        // Where there is swap the hog would fill it first; without swap accounting the file is not there.
        let swap = cgroup.dir.join("memory.swap.max");
        if swap.exists() {
            fs::write(&swap, "0").with_context(|| format!("write {}", swap.display()))?;
        }
        Ok(cgroup)
    }
}

impl Drop for MemoryCgroup {
    fn drop(&mut self) {
        // The kernel frees a killed task's memory for a moment longer and answers EBUSY until then.
        for _ in 0..100 {
            if fs::remove_dir(&self.dir).is_ok() {
                return;
            }
            std::thread::sleep(POLL);
        }
        crate::progress::say(format!(
            "could not remove the cgroup {}: remove it with rmdir",
            self.dir.display()
        ));
    }
}

/// The folder to create memory cgroups in, and the name of the file that holds their limit.
fn memory_hierarchy() -> Result<(PathBuf, &'static str)> {
    let unified = Path::new("/sys/fs/cgroup");
    if let Ok(delegated) = fs::read_to_string(unified.join("cgroup.subtree_control")) {
        let has_memory = delegated
            .split_ascii_whitespace()
            .any(|controller| controller == "memory");
        ensure!(
            has_memory,
            "the memory controller is not enabled in {}/cgroup.subtree_control",
            unified.display()
        );
        return Ok((unified.to_owned(), "memory.max"));
    }
    let version_1 = unified.join("memory");
    ensure!(
        version_1.join("memory.limit_in_bytes").exists(),
        "no memory cgroup is mounted below {}",
        unified.display()
    );
    Ok((version_1, "memory.limit_in_bytes"))
}
