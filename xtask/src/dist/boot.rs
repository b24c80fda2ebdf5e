//! The packages under a real systemd: a guest in QEMU whose disk is the Debian that they are installed in.

use std::{
    fs::{self, File},
    io::BufWriter,
    os::unix::fs::symlink,
    path::Path,
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use super::build;
use crate::{
    progress,
    service::tail,
    vm::{self, Archive, Kernel, Modules, Series},
};

/// The kernel of the Debian that the packages are installed in.
const KERNEL: Series = Series::V6_1;
/// What it takes to find the disk and what is on it, in the order of need; ext4 asks for the checksum by an alias.
const MODULES: [&str; 4] = ["virtio_pci", "virtio_blk", "crc32c_generic", "ext4"];
/// MiB; a private PostgreSQL and the agent take a quarter of it.
const MEMORY: &str = "2048";
/// A sparse file: it takes what is written.
const DISK: &str = "3G";
/// Software emulation takes 2 minutes on a free machine, many times as long on a busy one. Seconds.
const PATIENCE: &str = "2400";
/// How the guest says that all was right.
const RIGHT: &str = "boot: all was right";

const SCRIPT: &str = include_str!("boot.sh");
const INIT: &str = include_str!("boot-init.sh");
const UNIT: &str = include_str!("boot-check.service");
const UNIT_NAME: &str = "boot-check.service";

/// Boots the Debian in `root`, in which the packages are installed, with its files in `work`.
pub(super) fn run(root: &Path, work: &Path) -> Result<()> {
    let kernel = vm::prepare(KERNEL, false)?;
    place(root)?;
    let [disk, initramfs, console] = ["disk", "initramfs", "console.log"].map(|name| work.join(name));
    progress::run(
        "write the guest's disk",
        Command::new("mke2fs")
            .args(["-q", "-t", "ext4", "-d"])
            .arg(root)
            .arg(&disk)
            .arg(DISK),
    )?;
    write_initramfs(&kernel, &initramfs)?;
    progress::run(
        format!("boot it with Linux {}", kernel.release),
        Command::new("timeout")
            .args([PATIENCE, "qemu-system-x86_64"])
            .args(["-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", MEMORY])
            .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
            .arg("-kernel")
            .arg(kernel.image())
            .arg("-initrd")
            .arg(&initramfs)
            .args(["-append", "console=ttyS0 panic=-1 quiet systemd.show_status=0"])
            .arg("-drive")
            .arg(format!("file={},if=virtio,format=raw", disk.display()))
            .arg("-serial")
            .arg(format!("file:{}", console.display())),
    )?;
    let said = fs::read(&console).with_context(|| format!("read {}", console.display()))?;
    ensure!(
        String::from_utf8_lossy(&said).contains(RIGHT),
        "the guest did not say \"{RIGHT}\"; {}:\n{}",
        console.display(),
        tail(&console)
    );
    Ok(())
}

/// Puts what checks into the Debian, as a unit that begins with the system.
fn place(root: &Path) -> Result<()> {
    let script = root.join("boot.sh");
    fs::write(&script, SCRIPT).with_context(|| format!("write {}", script.display()))?;
    build::set_mode(&script, 0o755)?;
    let units = root.join("etc/systemd/system");
    let wanted = units.join("multi-user.target.wants");
    fs::create_dir_all(&wanted).with_context(|| format!("create {}", wanted.display()))?;
    let unit = units.join(UNIT_NAME);
    fs::write(&unit, UNIT).with_context(|| format!("write {}", unit.display()))?;
    symlink(Path::new("..").join(UNIT_NAME), wanted.join(UNIT_NAME)).context("enable the unit that checks")
}

fn write_initramfs(kernel: &Kernel, into: &Path) -> Result<()> {
    let out = File::create(into).with_context(|| format!("create {}", into.display()))?;
    let mut archive = Archive::new(BufWriter::new(out));
    archive.file("init", 0o755, INIT.as_bytes())?;
    archive.device("dev/console", 5, 1)?;
    let busybox = fs::read(kernel.busybox()).context("read busybox")?;
    archive.file("bin/busybox", 0o755, &busybox)?;
    archive.folder("root")?;
    let modules = Modules::open(&kernel.modules())?;
    let mut order = String::new();
    for module in modules.with_dependencies(&MODULES)? {
        archive.file(&format!("modules/{}.ko", module.name), 0o644, &module.bytes)?;
        order.push_str(&module.name);
        order.push('\n');
    }
    archive.file("modules/order", 0o644, order.as_bytes())?;
    archive
        .finish()
        .with_context(|| format!("write {}", into.display()))?;
    Ok(())
}
