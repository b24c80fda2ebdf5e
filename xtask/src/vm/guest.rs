//! A guest: a virtual machine with a Debian kernel and the agent, that has faults when told to.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use super::{
    boot::Boot,
    initramfs,
    kernels::Kernel,
    machine::{Answer, Machine},
    scenario::Scenario,
};
use crate::progress;

/// From power-on to an agent that answers: 10 s on a free machine, 30 times as long where ten others share its processors.
const BOOT_PATIENCE: Duration = Duration::from_mins(15);
/// From the word to the fault's end: 10 s for a lockup on a free machine, minutes for a program that eats all memory of a
/// guest on a busy one.
const FAULT_PATIENCE: Duration = Duration::from_mins(10);
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
    /// How it boots.
    pub(crate) boot: Boot,
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
    /// Port of the collector's netconsole there.
    pub(crate) netconsole_port: u16,
}

/// A running guest. It dies when this value is dropped, and with this process.
#[derive(Debug)]
pub(crate) struct Guest {
    machine: Machine,
    hostname: String,
}

/// How a scenario went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caused {
    /// It is over.
    Done,
    /// This kernel cannot do it, for this reason.
    Cannot(String),
}

impl Guest {
    /// Boots a guest and waits until it, and its agent, is ready.
    pub(crate) fn boot(options: &GuestOptions<'_>) -> Result<Self> {
        let kernel = options.kernel;
        let hostname = options.hostname.to_owned();
        let step = progress::step(format!(
            "{hostname}: boot Linux {} ({})",
            kernel.release, kernel.package
        ));
        let initramfs = options.work_dir.join("initramfs");
        initramfs::build(options, &initramfs).context("build the guest's initramfs")?;
        let disk = options.work_dir.join("disk");
        make_disk(&disk)?;
        let console = options.work_dir.join("console.log");
        let monitor = options.work_dir.join("monitor");
        let mut command = qemu(options, &initramfs, &disk)?;
        command.arg("-serial").arg(prefixed("file:", &console));
        command.args(["-serial", "stdio"]);
        let mut socket = prefixed("unix:", &monitor);
        socket.push(",server,nowait");
        command.arg("-monitor").arg(socket);
        let mut machine = Machine::start(&mut command, &console, &monitor)?;
        machine.wait_for_boot(BOOT_PATIENCE)?;
        step.done();
        Ok(Self { machine, hostname })
    }

    /// Causes something and waits until it is over; when it ends the boot, until the next one is ready. When this
    /// returns, its records are not necessarily on their way to the collector.
    pub(crate) fn cause(&mut self, scenario: &Scenario) -> Result<Caused> {
        let step = progress::step(format!("{}: {}", self.hostname, scenario.name));
        self.machine.tell(scenario.name)?;
        if scenario.is_fatal && scenario.monitor_command().is_none() {
            self.machine.wait_for_boot(BOOT_PATIENCE)?;
            step.done();
            return Ok(Caused::Done);
        }
        let answer = self.machine.wait_for("done", scenario.name, FAULT_PATIENCE)?;
        if let Answer::Cannot(reason) = answer {
            step.done();
            return Ok(Caused::Cannot(reason));
        }
        if let Some(command) = scenario.monitor_command() {
            self.machine.monitor(command)?;
            if scenario.is_fatal {
                self.machine.wait_for_boot(BOOT_PATIENCE)?;
            }
        }
        step.done();
        Ok(Caused::Done)
    }

    /// Causes something and returns how that went with what the console said meanwhile, up to the next boot.
    pub(crate) fn cause_and_listen(&mut self, scenario: &Scenario) -> Result<(Caused, Vec<u8>)> {
        let before = self.console()?.len();
        let caused = self.cause(scenario)?;
        thread::sleep(LAST_WORDS);
        let console = self.console()?;
        let said = console.get(before..).unwrap_or_default();
        let end = said
            .windows(NEXT_BOOT.len())
            .position(|window| window == NEXT_BOOT);
        let said = said.get(..end.unwrap_or(said.len())).unwrap_or_default();
        let last = said.iter().rposition(|byte| *byte == b'\n');
        let said = said.get(..=last.unwrap_or(0)).unwrap_or_default();
        Ok((caused, said.to_vec()))
    }

    fn console(&self) -> Result<Vec<u8>> {
        let path = self.machine.console();
        fs::read(path).with_context(|| format!("read {}", path.display()))
    }

    /// How often a boot stood still and was begun again.
    pub(super) const fn resets(&self) -> u32 {
        self.machine.resets()
    }

    /// The log of its console: the kernel's and the agent's.
    pub(crate) fn console_file(&self) -> &Path {
        self.machine.console()
    }
}

fn qemu(options: &GuestOptions<'_>, initramfs: &Path, disk: &Path) -> Result<Command> {
    // Killed by the kernel when this process ends, however it ends.
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "qemu-system-x86_64"])
        .args(["-nodefaults", "-no-user-config", "-display", "none"])
        .args(["-machine", "q35", "-accel", "tcg", "-cpu", CPU, "-smp", "2"])
        .args(["-m", &MEMORY_MIB.to_string()])
        .arg("-kernel")
        .arg(options.kernel.image())
        .arg("-initrd")
        .arg(initramfs)
        .args(["-append", &options.boot.kernel_parameters(options.kernel.series)])
        .args([
            "-netdev",
            "user,id=net0",
            "-device",
            "virtio-net-pci,netdev=net0,romfile=",
        ])
        .arg("-drive")
        .arg(prefixed("if=virtio,format=raw,file=", disk))
        .args(options.boot.devices(options.work_dir)?);
    Ok(command)
}

fn prefixed(prefix: &str, path: &Path) -> OsString {
    let mut text = OsString::from(prefix);
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
