//! A guest: a virtual machine with a Debian kernel and the agent, that has faults when told to.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{fault::Fault, initramfs, kernels::Kernel};
use crate::{progress, service::tail};

/// From power-on to an agent that answers: 10 s on a free machine; software emulation on a busy one is much slower.
const BOOT_PATIENCE: Duration = Duration::from_mins(5);
/// From the word to the fault's end: 10 s for a lockup on a free machine.
const FAULT_PATIENCE: Duration = Duration::from_mins(3);
/// A console that has said nothing for so long belongs to a guest that hangs.
const SILENCE: Duration = Duration::from_mins(1);
/// What a fault prints after it is over: other tasks, and CPUs that find out late.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// The first line of a kernel.
const NEXT_BOOT: &[u8] = b"Linux version ";
const MEMORY_MIB: u32 = 1024;
/// Holds the agent's state. A sparse file: it takes what is written.
const DISK_BYTES: u64 = 256 << 20;
/// All that software emulation can do, by the name of an Intel server processor, whose machine checks say which memory
/// channel failed.
const CPU: &str = "max,vendor=GenuineIntel,family=6,model=85,stepping=4";

/// What to boot.
#[derive(Debug)]
pub(crate) struct GuestOptions<'a> {
    /// The kernel.
    pub(crate) kernel: &'a Kernel,
    /// The agent, if it is to have one.
    pub(crate) agent: Option<AgentOptions<'a>>,
    /// The guest's host name.
    pub(crate) hostname: &'a str,
    /// An existing folder for its files: disk, initramfs, console log.
    pub(crate) work_dir: &'a Path,
}

/// The agent of a guest.
#[derive(Debug)]
pub(crate) struct AgentOptions<'a> {
    /// The folder with `telemd`, `telemctl` and `telem-record-gen`, see [`super::build_programs`].
    pub(crate) programs: &'a Path,
    /// Port of the collector's gRPC on this host's loopback.
    pub(crate) collector_port: u16,
}

/// A running guest. It dies when this value is dropped, and with this process.
#[derive(Debug)]
pub(crate) struct Guest {
    machine: Machine,
}

impl Guest {
    /// Boots a guest and waits until it, and its agent, is ready.
    pub(crate) fn boot(options: &GuestOptions<'_>) -> Result<Self> {
        let kernel = options.kernel;
        let step = progress::step(format!("boot Linux {} ({})", kernel.release, kernel.package));
        let initramfs = options.work_dir.join("initramfs");
        initramfs::build(options, &initramfs).context("build the guest's initramfs")?;
        let disk = options.work_dir.join("disk");
        make_disk(&disk)?;
        let console = options.work_dir.join("console.log");
        let mut machine = Machine::start(&mut qemu(kernel, &initramfs, &disk, &console), &console)?;
        machine.wait_for("ready", BOOT_PATIENCE)?;
        step.done();
        Ok(Self { machine })
    }

    /// Causes a fault and waits until it is over; after a panic, until the next boot is ready. When this
    /// returns, the fault is not necessarily on its way to the collector.
    pub(crate) fn cause(&mut self, fault: Fault) -> Result<()> {
        let step = progress::step(format!("cause a fault in the guest: {fault}"));
        self.machine.tell(&fault.name())?;
        if fault.is_fatal() {
            self.machine.wait_for("ready", BOOT_PATIENCE)?;
        } else {
            self.machine.wait_for("done", FAULT_PATIENCE)?;
        }
        step.done();
        Ok(())
    }

    /// Causes a fault and returns what the console said meanwhile, up to the next boot.
    pub(crate) fn cause_and_listen(&mut self, fault: Fault) -> Result<Vec<u8>> {
        let before = self.console()?.len();
        self.cause(fault)?;
        thread::sleep(LAST_WORDS);
        let console = self.console()?;
        let said = console.get(before..).unwrap_or_default();
        let end = said
            .windows(NEXT_BOOT.len())
            .position(|window| window == NEXT_BOOT);
        let said = said.get(..end.unwrap_or(said.len())).unwrap_or_default();
        let last = said.iter().rposition(|byte| *byte == b'\n');
        Ok(said.get(..=last.unwrap_or(0)).unwrap_or_default().to_vec())
    }

    fn console(&self) -> Result<Vec<u8>> {
        let path = &self.machine.console;
        fs::read(path).with_context(|| format!("read {}", path.display()))
    }

    /// The last lines of the console: the kernel's log and the agent's.
    pub(crate) fn console_tail(&self) -> String {
        tail(&self.machine.console)
    }
}

fn qemu(kernel: &Kernel, initramfs: &Path, disk: &Path, console: &Path) -> Command {
    // Killed by the kernel when this process ends, however it ends.
    let mut command = Command::new("setpriv");
    let append = format!(
        "console=ttyS0,115200 panic=1 loglevel=7 memmap={:#x}${:#x}",
        initramfs::RAMOOPS_BYTES,
        initramfs::RAMOOPS_ADDRESS,
    );
    command
        .args(["--pdeathsig", "KILL", "qemu-system-x86_64"])
        .args(["-nodefaults", "-no-user-config", "-display", "none"])
        .args(["-machine", "pc", "-accel", "tcg", "-cpu", CPU, "-smp", "2"])
        .args(["-m", &MEMORY_MIB.to_string()])
        .arg("-kernel")
        .arg(kernel.image())
        .arg("-initrd")
        .arg(initramfs)
        .args(["-append", &append])
        .arg("-serial")
        .arg(prefixed("file:", console))
        .args(["-serial", "stdio", "-monitor", "none"])
        .args([
            "-netdev",
            "user,id=net0",
            "-device",
            "virtio-net-pci,netdev=net0,romfile=",
        ])
        .arg("-drive")
        .arg(prefixed("if=virtio,format=raw,file=", disk));
    command
}

fn prefixed(prefix: &str, path: &Path) -> std::ffi::OsString {
    let mut text = std::ffi::OsString::from(prefix);
    text.push(path);
    text
}

fn make_disk(disk: &Path) -> Result<()> {
    let file = File::create(disk).with_context(|| format!("create {}", disk.display()))?;
    file.set_len(DISK_BYTES).context("size the guest's disk")?;
    let output = Command::new(crate::packages::find_program("mke2fs").context("mke2fs is missing")?)
        .args(["-q", "-t", "ext4", "-F"])
        .arg(disk)
        .stdin(Stdio::null())
        .output()
        .context("start mke2fs")?;
    if !output.status.success() {
        bail!(
            "mke2fs ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// A process with a console log that answers words with lines.
#[derive(Debug)]
struct Machine {
    process: Child,
    words: ChildStdin,
    answers: Receiver<String>,
    console: PathBuf,
}

impl Machine {
    fn start(command: &mut Command, console: &Path) -> Result<Self> {
        let log = console.with_extension("qemu.log");
        let errors = File::create(&log).with_context(|| format!("create {}", log.display()))?;
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .with_context(|| format!("start {}", command.get_program().display()))?;
        let words = process.stdin.take().context("its input is piped")?;
        let output = process.stdout.take().context("its output is piped")?;
        let (sender, answers) = channel();
        // Ends with the process, or with the receiver.
        thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n') {
                let Ok(line) = line else { break };
                let line = String::from_utf8_lossy(&line).trim().to_owned();
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            process,
            words,
            answers,
            console: console.to_owned(),
        })
    }

    fn tell(&mut self, word: &str) -> Result<()> {
        let told = self.words.write_all(format!("{word}\n").as_bytes());
        if let Err(error) = told.and_then(|()| self.words.flush()) {
            return Err(self.failure(&format!("the guest does not listen ({error})")));
        }
        Ok(())
    }

    /// Waits for a line that starts with a word.
    #[expect(clippy::disallowed_methods, reason = "the guest's time is wall time")]
    fn wait_for(&mut self, word: &str, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.answers.recv_timeout(left) {
                Ok(line) if line.split_ascii_whitespace().next() == Some(word) => return Ok(()),
                Ok(line) if line.starts_with("failed ") => {
                    return Err(self.failure(&format!("the guest {line}")));
                }
                // The firmware's and the line's own noise.
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let end = self.process.wait().context("wait for QEMU")?;
                    let said = tail(&self.console.with_extension("qemu.log"));
                    return Err(self.failure(&format!(
                        "the guest is dead: its machine ended with {end}. {said}"
                    )));
                }
                Err(RecvTimeoutError::Timeout) => {
                    let silent = silence(&self.console);
                    let state = if silent >= SILENCE.min(patience / 2) {
                        format!(
                            "the guest hangs: no \"{word}\" within {patience:?} and a console silent for {silent:?}"
                        )
                    } else {
                        format!("time-out: the guest is busy, but no \"{word}\" within {patience:?}")
                    };
                    return Err(self.failure(&state));
                }
            }
        }
    }

    fn failure(&self, what: &str) -> anyhow::Error {
        anyhow::anyhow!(
            "{what}\nThe end of its console ({}):\n{}",
            self.console.display(),
            tail(&self.console)
        )
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Both fail only when it has ended and been waited for.
        let _killed = self.process.kill();
        let _waited = self.process.wait();
    }
}

/// How long ago a file was last written to.
fn silence(file: &Path) -> Duration {
    let written = fs::metadata(file).and_then(|data| data.modified());
    let age = written
        .ok()
        .and_then(|time| time.elapsed().ok())
        .unwrap_or_default();
    Duration::from_secs(age.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(400);

    /// A machine made of a shell script, which gets the console's path as `$0`.
    fn machine(dir: &Path, script: &str) -> Machine {
        let console = dir.join("console.log");
        fs::write(&console, "[ 1.0] Linux version\n").unwrap();
        Machine::start(Command::new("sh").arg("-c").arg(script).arg(&console), &console).unwrap()
    }

    fn failure(script: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        machine(dir.path(), script)
            .wait_for("ready", SHORT)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn words_are_answered() {
        let dir = tempfile::tempdir().unwrap();
        let script = "echo noise; echo ready 6.1; while read -r word; do echo done $word; done";
        let mut machine = machine(dir.path(), script);
        machine.wait_for("ready", FAULT_PATIENCE).unwrap();
        machine.tell("oops").unwrap();
        machine.wait_for("done", FAULT_PATIENCE).unwrap();
    }

    #[test]
    fn a_dead_guest_is_told_with_its_console() {
        let message = failure("echo 'Kernel panic - not syncing' >> $0; echo no memory >&2; exit 3");
        assert!(message.contains("dead"), "{message}");
        assert!(message.contains("exit status: 3"), "{message}");
        assert!(message.contains("no memory"), "{message}");
        assert!(message.contains("Kernel panic"), "{message}");
    }

    #[test]
    fn a_hanging_guest_is_told_with_its_console() {
        let dir = tempfile::tempdir().unwrap();
        let mut machine = machine(dir.path(), "exec sleep 60");
        let long_ago = std::time::SystemTime::UNIX_EPOCH;
        File::options()
            .write(true)
            .open(&machine.console)
            .and_then(|file| file.set_modified(long_ago))
            .unwrap();
        let message = machine.wait_for("ready", SHORT).unwrap_err().to_string();
        assert!(message.contains("hangs"), "{message}");
        assert!(message.contains("Linux version"), "{message}");
    }

    #[test]
    fn a_busy_guest_runs_into_the_time_out() {
        let message = failure("while sleep 0.05; do echo busy >> $0; done");
        assert!(message.contains("time-out"), "{message}");
        assert!(message.contains("\nbusy"), "{message}");
    }

    #[test]
    fn what_the_guest_failed_to_do_is_told() {
        let message = failure("echo failed to load module ext4; sleep 60");
        assert!(
            message.contains("the guest failed to load module ext4"),
            "{message}"
        );
    }
}
