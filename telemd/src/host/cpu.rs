//! What `/proc/cpuinfo` says.

use std::collections::BTreeSet;
use std::path::Path;

use proto::v1::Host;

use super::{FACT_BYTES, read};
use crate::text::cut;

/// Revisions of microcode that are told when CPUs have different ones.
const REVISIONS: usize = 8;

/// Adds the facts of the CPUs; answers whether they say that they are those of a virtual machine.
pub(super) fn add(root: &Path, host: &mut Host) -> bool {
    let text = read(&root.join("proc/cpuinfo"));
    let lines = || {
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim(), value.trim()))
    };
    let first = |wanted: &str| lines().find(|(name, _)| *name == wanted).map(|(_, value)| value);
    let number = |wanted: &str| first(wanted).and_then(number);
    let fact = |value: Option<&str>| cut(value.unwrap_or_default(), FACT_BYTES).to_owned();
    host.cpus = u32::try_from(lines().filter(|(name, _)| *name == "processor").count()).unwrap_or(u32::MAX);
    host.cpu_model = fact(first("model name"));
    // Of x86 (arch/x86/kernel/cpu/proc.c), else of Arm (arch/arm64/kernel/cpuinfo.c), whose model is the part, and whose stepping is
    // variant and revision as they are in MIDR_EL1: r3p1 is 0x31.
    host.cpu_vendor = fact(first("vendor_id").or_else(|| first("CPU implementer")));
    host.cpu_family = number("cpu family").or_else(|| number("CPU architecture"));
    host.cpu_number = number("model").or_else(|| number("CPU part"));
    host.cpu_stepping = number("stepping")
        .or_else(|| Some((number("CPU variant")? & 0xf) << 4 | (number("CPU revision")? & 0xf)));
    let revisions: BTreeSet<u64> = lines()
        .filter(|(name, _)| *name == "microcode")
        .filter_map(|(_, value)| u64::from_str_radix(value.trim_start_matches("0x"), 16).ok())
        .take(host.cpus as usize)
        .collect();
    let revisions: Vec<String> = revisions
        .into_iter()
        .take(REVISIONS)
        .map(|revision| format!("{revision:#x}"))
        .collect();
    host.microcode = revisions.join(",");
    // CPUID leaf 1, ECX bit 31, which hypervisors set.
    first("flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor"))
}

/// Decimal, or hexadecimal with 0x.
fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(cpuinfo: &str) -> (Host, bool) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("proc")).unwrap();
        std::fs::write(dir.path().join("proc/cpuinfo"), cpuinfo).unwrap();
        let mut host = Host::default();
        let is_guest = add(dir.path(), &mut host);
        (host, is_guest)
    }

    #[test]
    fn an_x86_cpu_has_a_stepping_and_microcode() {
        let one = |processor: u32, microcode: &str| {
            format!(
                "processor\t: {processor}\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\n\
                 model name\t: Intel(R) Xeon(R) Platinum 8480+\nstepping\t: 0\nmicrocode\t: {microcode}\nflags\t\t: fpu hypervisor\n\n"
            )
        };
        let (host, is_guest) =
            host(&[one(0, "0x2b000461"), one(1, "0x2b000461"), one(2, "0x2b0003c0")].concat());
        assert_eq!((host.cpus, host.cpu_vendor.as_str()), (3, "GenuineIntel"));
        assert_eq!(
            (host.cpu_family, host.cpu_number, host.cpu_stepping),
            (Some(6), Some(143), Some(0))
        );
        assert_eq!(host.microcode, "0x2b0003c0,0x2b000461");
        assert!(is_guest);
    }

    #[test]
    fn an_arm_cpu_is_told_by_its_part_and_revision() {
        let (host, is_guest) = host(
            "processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\nCPU revision\t: 1\n",
        );
        assert_eq!(host.cpu_vendor, "0x41");
        assert_eq!(
            (host.cpu_family, host.cpu_number, host.cpu_stepping),
            (Some(8), Some(0xd0c), Some(0x31))
        );
        assert_eq!((host.microcode.as_str(), is_guest), ("", false));
    }

    #[test]
    fn a_file_that_says_nothing_is_nothing() {
        assert_eq!(host(":::\nmodel: x\n").0, Host::default());
    }
}
