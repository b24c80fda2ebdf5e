//! The guest's file system: busybox, the modules it needs, the agent with its libraries, and what breaks the kernel.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use super::{
    boot::Boot,
    cpio::Archive,
    guest::{AgentOptions, GuestOptions},
    kernels::Kernel,
    modules::Modules,
    scenario::{self, scenarios},
};
use crate::packages;

/// Where the kernel must not put anything: `memmap=` on its command line keeps it free for ramoops, and after it for what
/// the firmware has there. In the middle of the memory, because QEMU writes the initramfs to its end at every reset.
pub(super) const RESERVED_ADDRESS: u64 = 0x2000_0000;
pub(super) const RESERVED_BYTES: u64 = 0x20_0000;
const RAMOOPS_BYTES: u64 = 0x10_0000;
/// One dump of the kernel's log: larger than the 10 KiB that the kernel keeps of it.
const RAMOOPS_RECORD_BYTES: u64 = 0x2_0000;

/// Modules that every guest loads, with the options of those that have any.
const MODULES: [&str; 5] = ["virtio_pci", "virtio_net", "virtio_blk", "ext4", "mce_inject"];
/// What keeps the kernel's log over a reboot, where it is to be kept.
const LOG_KEEPER: &str = "ramoops";
/// Asked for by ext4 by an alias rather than by a dependency; newer kernels have it in another module or built in.
const CHECKSUM_MODULE: &str = "crc32c_generic";

/// Users of a guest that has one for the agent, as a package makes it (`passwd(5)`).
const USERS: &str = "root:x:0:0:root:/:/bin/sh\ntelemetrics:x:990:990::/state/telemetrics:/bin/false\n";

const INIT: &str = include_str!("init.sh");
const USER_PROBE: &str = include_str!("user-probe.toml");
const PROGRAMS: [&str; 4] = ["telemd", "telemd-probes", "telemctl", "telem-record-gen"];

/// Writes the archive to `into`.
pub(super) fn build(options: &GuestOptions<'_>, into: &Path) -> Result<()> {
    let out = File::create(into).with_context(|| format!("create {}", into.display()))?;
    let mut archive = Archive::new(BufWriter::new(out));
    add_system(&mut archive, options)?;
    add_modules(&mut archive, options.kernel)?;
    if let Some(agent) = &options.agent {
        add_agent(&mut archive, agent, options.boot)?;
    }
    archive
        .finish()
        .with_context(|| format!("write {}", into.display()))?;
    Ok(())
}

fn add_system(archive: &mut Archive<impl Write>, options: &GuestOptions<'_>) -> Result<()> {
    archive.file("init", 0o755, INIT.as_bytes())?;
    archive.device("dev/console", 5, 1)?;
    archive.file("bin/busybox", 0o755, &read(&options.kernel.busybox())?)?;
    archive.file("etc/hostname", 0o644, options.hostname.as_bytes())?;
    let debian = options.kernel.series.debian();
    let os_release = format!("ID=debian\nVERSION_ID={debian}\nVARIANT_ID=guest\n");
    archive.file("etc/os-release", 0o644, os_release.as_bytes())?;
    archive.file("faults/guest-crash", 0o755, &scenario::crashing_program())?;
    for scenario in scenarios() {
        archive.file(
            &format!("causes/{scenario}.sh"),
            0o644,
            scenario.script().as_bytes(),
        )?;
    }
    Ok(())
}

fn add_modules(archive: &mut Archive<impl Write>, kernel: &Kernel) -> Result<()> {
    let modules = Modules::open(&kernel.modules())?;
    let mut wanted = MODULES.to_vec();
    if modules.read(CHECKSUM_MODULE).is_ok() {
        wanted.insert(0, CHECKSUM_MODULE);
    }
    let mut present = BTreeSet::new();
    add_loaded(archive, &modules, &wanted, "order", &mut present)?;
    add_loaded(archive, &modules, &[LOG_KEEPER], "order-ramoops", &mut present)?;
    for scenario in scenarios() {
        // Without them the guest says that the kernel has no such module.
        if scenario.modules.iter().all(|name| modules.has(name)) && !scenario.modules.is_empty() {
            let list = format!("order-{scenario}");
            add_loaded(archive, &modules, scenario.modules, &list, &mut present)?;
        }
    }
    for (scenario, module) in scenario::broken_modules(&modules, kernel.series)? {
        archive.file(&format!("faults/{scenario}.ko"), 0o644, &module.bytes)?;
    }
    Ok(())
}

/// Adds modules with all that they need, and the list that `init.sh` loads them by, with their options.
fn add_loaded(
    archive: &mut Archive<impl Write>,
    modules: &Modules,
    names: &[&str],
    list: &str,
    present: &mut BTreeSet<String>,
) -> Result<()> {
    let mut order = String::new();
    for module in modules.with_dependencies(names)? {
        if present.insert(module.name.clone()) {
            archive.file(&format!("lib/guest/{}.ko", module.name), 0o644, &module.bytes)?;
        }
        order.push_str(&module.name);
        order.push_str(&options_of(&module.name));
        order.push('\n');
    }
    archive.file(&format!("lib/guest/{list}"), 0o644, order.as_bytes())?;
    Ok(())
}

fn options_of(module: &str) -> String {
    match module {
        "ramoops" => format!(
            " mem_address={RESERVED_ADDRESS:#x} mem_size={RAMOOPS_BYTES:#x} record_size={RAMOOPS_RECORD_BYTES:#x}"
        ),
        // Longer than the kernel takes to write its last lines, seconds.
        "i6300esb" => " heartbeat=20".to_owned(),
        // Sectors from 0x1234 on cannot be read.
        "scsi_debug" => " dev_size_mb=8 opts=2".to_owned(),
        _ => String::new(),
    }
}

fn add_agent(archive: &mut Archive<impl Write>, agent: &AgentOptions<'_>, boot: Boot) -> Result<()> {
    let mut programs: Vec<(String, PathBuf)> = PROGRAMS
        .iter()
        .map(|name| (format!("opt/telemetrics/{name}"), agent.programs.join(name)))
        .collect();
    // In the other guests the agent stays root, without capabilities.
    if boot == Boot::Plain {
        archive.file("etc/passwd", 0o644, USERS.as_bytes())?;
    }
    if boot == Boot::NoTracefs {
        let setpriv = packages::find_program("setpriv").context("setpriv is missing: install util-linux")?;
        programs.push(("opt/guest/setpriv".to_owned(), setpriv));
    }
    let mut libraries = BTreeSet::new();
    for (inside, path) in programs {
        archive.file(&inside, 0o755, &read(&path)?)?;
        libraries.extend(shared_libraries(&path)?);
    }
    for library in libraries {
        let inside = library.to_string_lossy();
        archive.file(inside.trim_start_matches('/'), 0o755, &read(&library)?)?;
    }
    // 10.0.2.2 is this host's loopback in QEMU's user-mode network.
    let config = format!(
        "state_dir = \"/state/telemetrics\"\n\n[collector]\nurl = \"http://10.0.2.2:{}\"\ninsecure = true\n{}",
        agent.collector_port,
        boot.configuration()
    );
    archive.file("etc/telemetrics/telemd.toml", 0o644, config.as_bytes())?;
    let port = agent.netconsole_port.to_string();
    archive.file("etc/guest/netconsole-port", 0o644, port.as_bytes())?;
    archive.file("etc/telemetrics/opt-in", 0o644, b"")?;
    archive.file(
        "etc/telemetrics/probes.d/guest.toml",
        0o644,
        USER_PROBE.as_bytes(),
    )?;
    Ok(())
}

/// What the dynamic linker would load, and the linker itself.
fn shared_libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd")
        .arg(program)
        .env("LC_ALL", "C")
        .output()
        .context("start ldd")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    let is_static = text.contains("not a dynamic executable") || error.contains("not a dynamic executable");
    ensure!(
        output.status.success() || is_static,
        "ldd {} ended with {}: {error}",
        program.display(),
        output.status
    );
    Ok(libraries_in(&text))
}

/// Reads ldd's lines: `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x...)` or `/lib64/ld-linux-x86-64.so.2 (0x...)`.
fn libraries_in(text: &str) -> Vec<PathBuf> {
    text.lines()
        .filter_map(|line| line.split_ascii_whitespace().find(|word| word.starts_with('/')))
        .map(PathBuf::from)
        .collect()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ldd_is_understood() {
        let text = "\tlinux-vdso.so.1 (0x00007ffd)\n\
                    \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let expected: Vec<PathBuf> = vec![
            "/lib/x86_64-linux-gnu/libc.so.6".into(),
            "/lib64/ld-linux-x86-64.so.2".into(),
        ];
        assert_eq!(libraries_in(text), expected);
        assert_eq!(libraries_in("\tstatically linked\n"), Vec::<PathBuf>::new());
    }
}
