//! The facts about the host that faults are compared by.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use proto::v1::Host;

use crate::text::cut;

mod cpu;
mod firmware;
mod kernel;
mod memory;
pub mod smbios;

pub use kernel::public_command_line;
pub use memory::add_modules;

/// Longest fact, bytes; see `proto/telemetry/v1/collector.proto`.
const FACT_BYTES: usize = 256;
/// Most that is read of a file. `/proc/cpuinfo` has some 1.5 KB a CPU: that of 2700 CPUs.
const FILE_BYTES: u64 = 4 << 20;
/// What firmware says when its vendor said nothing.
const NO_VALUE: [&str; 7] = [
    "to be filled by o.e.m.",
    "default string",
    "system product name",
    "system version",
    "none",
    "not specified",
    "unknown",
];

/// The host's name: `configured`, or the one that the kernel has.
pub fn name(configured: Option<&str>) -> String {
    let uname = rustix::system::uname();
    let name = configured.map_or_else(|| uname.nodename().to_string_lossy(), Into::into);
    cut(&name, FACT_BYTES).to_owned()
}

/// Collects the facts. `root` is the root of the file system (tests give their own); what is missing stays empty. The command line
/// is as the kernel has it: [`public_command_line`] takes out what is private. What only root may read is added by [`add_modules`].
pub fn facts(root: &Path, hostname: Option<&str>) -> Host {
    let uname = rustix::system::uname();
    let word = |text: &std::ffi::CStr| cut(&text.to_string_lossy(), FACT_BYTES).to_owned();
    let (os_id, os_build) = os_release(root);
    let mut host = Host {
        hostname: name(hostname),
        os_id,
        os_build,
        kernel_release: word(uname.release()),
        kernel_version: word(uname.version()),
        arch: word(uname.machine()),
        memory_bytes: memory(root),
        boot_id: line(&root.join("proc/sys/kernel/random/boot_id")),
        ..Host::default()
    };
    let is_guest = cpu::add(root, &mut host);
    firmware::add(root, is_guest, &mut host);
    kernel::add(root, &mut host);
    host
}

/// The beginning of a file; empty when it cannot be read.
fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES).read_to_end(&mut bytes));
    read.map_or_else(
        |_missing| String::new(),
        |_bytes| String::from_utf8_lossy(&bytes).into_owned(),
    )
}

/// The first line of a file.
fn line(path: &Path) -> String {
    cut(read(path).lines().next().unwrap_or("").trim(), FACT_BYTES).to_owned()
}

/// What firmware says, unless that is nothing.
fn said(value: &str) -> &str {
    let value = value.trim();
    if NO_VALUE.contains(&value.to_lowercase().as_str()) {
        ""
    } else {
        value
    }
}

/// Names in a folder, sorted; none when it cannot be read.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    names
}

/// What system this is, by os-release: ID with -`VARIANT_ID`, and `VERSION_ID` or `BUILD_ID`.
pub fn os_release(root: &Path) -> (String, String) {
    let mut text = read(&root.join("etc/os-release"));
    if text.is_empty() {
        text = read(&root.join("usr/lib/os-release"));
    }
    let value = |key: &str| {
        let of_line = |line: &str| Some(line.strip_prefix(key)?.strip_prefix('=')?.trim().to_owned());
        let value = text.lines().find_map(of_line).unwrap_or_default();
        let bare = value.trim_matches(|quote| quote == '"' || quote == '\'');
        cut(bare, FACT_BYTES / 2 - 1).to_owned()
    };
    let (id, variant) = (value("ID"), value("VARIANT_ID"));
    let id = if variant.is_empty() {
        id
    } else {
        format!("{id}-{variant}")
    };
    let version = value("VERSION_ID");
    (
        id,
        if version.is_empty() {
            value("BUILD_ID")
        } else {
            version
        },
    )
}

/// `MemTotal` of /proc/meminfo, bytes.
fn memory(root: &Path) -> u64 {
    let text = read(&root.join("proc/meminfo"));
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|value| value.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn facts_are_read_from_the_files_that_hold_them() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        put(
            root,
            "etc/os-release",
            "NAME=x\nID=fedora\nVARIANT_ID=\"server\"\nVERSION_ID='41'\n",
        );
        put(
            root,
            "proc/cpuinfo",
            "processor\t: 0\nmodel name\t: Fast CPU\n\nprocessor\t: 1\nmodel name\t: Other\n",
        );
        put(root, "proc/meminfo", "MemTotal:        2048 kB\nMemFree: 1 kB\n");
        put(
            root,
            "proc/sys/kernel/random/boot_id",
            "11111111-2222-4333-8444-555555555555\n",
        );
        put(root, "sys/class/dmi/id/sys_vendor", "Dell Inc.\n");
        put(root, "sys/class/dmi/id/product_name", "PowerEdge R650\n");
        put(root, "sys/class/dmi/id/board_name", "Default string\n");
        let host = facts(root, Some("web-1"));
        assert_eq!(
            (host.os_id.as_str(), host.os_build.as_str()),
            ("fedora-server", "41")
        );
        assert_eq!((host.cpu_model.as_str(), host.cpus), ("Fast CPU", 2));
        assert_eq!(host.memory_bytes, 2_097_152);
        assert_eq!(
            (host.product.as_str(), host.board.as_str()),
            ("Dell Inc. PowerEdge R650", "")
        );
        assert_eq!(host.boot_id.len(), 36);
        assert_eq!(host.hostname, "web-1");
        assert!(!host.kernel_release.is_empty() && !host.arch.is_empty());
    }

    #[test]
    fn a_host_that_tells_nothing_still_has_its_kernels_word() {
        let dir = tempfile::tempdir().unwrap();
        let host = facts(dir.path(), None);
        assert_eq!(host.os_id, "");
        assert_eq!(host.cpus, 0);
        assert!(!host.hostname.is_empty());
    }
}
