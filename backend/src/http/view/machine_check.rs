//! A machine check's registers for people: identity of the processor, the bits of `MCi_STATUS` and what they mean.

use proto::v1::MachineCheck;

use super::Facts;

/// `MCi_STATUS`, Intel SDM volume 3B, 17.3.2.2; the same bits on AMD.
const STATUS_BITS: [(u8, &str, &str, &str); 7] = [
    (63, "VAL", "the registers hold an error", "set"),
    (62, "OVER", "an earlier error was overwritten", "set bad"),
    (61, "UC", "hardware could not correct it", "set bad"),
    (60, "EN", "reporting was enabled", "set"),
    (59, "MISCV", "MISC is valid", "set"),
    (58, "ADDRV", "ADDR is valid", "set"),
    (57, "PCC", "the processor's state may be corrupt", "set bad"),
];

/// One bit of a status register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Bit {
    pub(in crate::http) name: &'static str,
    pub(in crate::http) meaning: &'static str,
    pub(in crate::http) set: bool,
    /// Names of style classes.
    pub(in crate::http) style: &'static str,
}

/// The bits of `MCi_STATUS`, highest first.
pub(super) fn status_bits(status: u64) -> Vec<Bit> {
    let bit = |(position, name, meaning, style_if_set)| {
        let set = (status >> position) & 1 == 1;
        Bit {
            name,
            meaning,
            set,
            style: if set { style_if_set } else { "" },
        }
    };
    STATUS_BITS.into_iter().map(bit).collect()
}

/// What failed, where and on which processor.
pub(super) fn facts(mce: &MachineCheck) -> Facts {
    let mut facts = Facts::new("Machine check");
    facts.add("What failed", mce.what.as_str());
    facts.add("Outcome", mce.outcome.as_str());
    facts.add("Bank", mce.bank.to_string());
    facts.add("CPU", mce.cpu.to_string());
    facts.add("Socket", mce.socket_id.to_string());
    facts.add("APIC id", mce.apic_id.to_string());
    facts.add_mono("Error code", format!("{:#06x}", mce.status & 0xffff));
    facts.add_mono("Model code", format!("{:#06x}", mce.status >> 16 & 0xffff));
    facts.add("Vendor", vendor(mce.vendor));
    facts.add("Processor", processor(mce.cpuid));
    facts.add_mono("Microcode", nonzero(mce.microcode.into()));
    facts.add_mono("PPIN", nonzero(mce.ppin));
    facts
}

/// The registers as the kernel reported them; zero ones are left out.
pub(super) fn registers(mce: &MachineCheck) -> Vec<(String, String)> {
    let all = [
        ("STATUS", mce.status),
        ("ADDR", mce.addr),
        ("MISC", mce.misc),
        ("SYND", mce.synd),
        ("IPID", mce.ipid),
        ("MCGSTAT", mce.mcg_status),
        ("MCGCAP", mce.mcg_cap),
        ("IP", mce.ip),
        ("TSC", mce.tsc),
    ];
    let known = all.into_iter().filter(|(_, value)| *value != 0);
    known
        .map(|(name, value)| (name.to_owned(), format!("{value:#018x}")))
        .collect()
}

fn nonzero(value: u64) -> String {
    if value == 0 {
        String::new()
    } else {
        format!("{value:#x}")
    }
}

/// The kernel's `X86_VENDOR_*`.
fn vendor(number: u32) -> String {
    match number {
        0 => "Intel".into(),
        2 => "AMD".into(),
        9 => "Hygon".into(),
        10 => "Zhaoxin".into(),
        other => format!("number {other}"),
    }
}

/// Family, model and stepping from leaf 1 of CPUID, as the kernel computes them (`arch/x86/lib/cpu.c`).
fn processor(cpuid: u32) -> String {
    if cpuid == 0 {
        return String::new();
    }
    let base_family = cpuid >> 8 & 0xf;
    let family = if base_family == 0xf {
        base_family + (cpuid >> 20 & 0xff)
    } else {
        base_family
    };
    let extended_model = if family >= 6 { cpuid >> 16 & 0xf } else { 0 };
    let model = extended_model << 4 | cpuid >> 4 & 0xf;
    format!("family {family}, model {model}, stepping {}", cpuid & 0xf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_have_the_kernels_numbers() {
        assert_eq!(processor(0x0005_0654), "family 6, model 85, stepping 4");
        assert_eq!(processor(0x0083_0f10), "family 23, model 49, stepping 0");
        assert_eq!(processor(0), "");
    }

    #[test]
    fn status_bits_are_those_of_the_manual() {
        let set = |status| {
            let bits = status_bits(status).into_iter().filter(|bit| bit.set);
            bits.map(|bit| bit.name).collect::<Vec<_>>()
        };
        assert_eq!(
            set(0xbe00_0000_0080_0400),
            ["VAL", "UC", "EN", "MISCV", "ADDRV", "PCC"]
        );
        assert_eq!(set(0xcc00_0000_0000_009f), ["VAL", "OVER", "MISCV", "ADDRV"]);
        assert!(set(0).is_empty());
    }
}
