//! A machine check's registers for people: what failed, where, on which processor, and what each field says.

use faults::mce::Place;
use proto::v1::MachineCheck;

use super::Facts;
use crate::record::registers;

/// One field of a register, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Field {
    pub(in crate::http) register: &'static str,
    pub(in crate::http) name: &'static str,
    pub(in crate::http) value: String,
    pub(in crate::http) meaning: String,
}

/// The fields of the registers that say something, in the order of the manuals.
pub(super) fn fields(mce: &MachineCheck) -> Vec<Field> {
    let decoded = registers::of(mce).decode().fields.into_iter();
    let says_something = decoded.filter(|field| !field.meaning.is_empty());
    says_something
        .map(|field| Field {
            register: field.register,
            name: field.name,
            value: field.value,
            meaning: field.meaning,
        })
        .collect()
}

/// What failed, where and on which processor.
pub(super) fn facts(mce: &MachineCheck) -> Facts {
    let decoded = registers::of(mce).decode();
    let mut facts = Facts::new("Machine check");
    facts.add("What failed", mce.what.as_str());
    facts.add_noted("Outcome", mce.outcome.as_str(), decoded.why);
    facts.add("What to do", decoded.advice);
    let place = &decoded.place;
    facts.add_noted(
        "Bank",
        mce.bank.to_string(),
        place.bank_name.as_deref().unwrap_or_default(),
    );
    facts.add("Memory", memory(place));
    if let Some(address) = place.address {
        facts.add_mono("Address", format!("{:#x}", address.value));
    }
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

/// `controller 1, channel 0, DIMM 1, rank 2`: as much of it as the registers tell.
fn memory(place: &Place) -> String {
    let parts = [
        ("controller", place.controller),
        ("channel", place.channel),
        ("DIMM", place.dimm),
        ("chip select", place.chip_select),
    ];
    let known = parts
        .into_iter()
        .filter_map(|(name, number)| Some(format!("{name} {}", number?)));
    let ranks = place.ranks.iter().map(|rank| format!("rank {rank}"));
    known.chain(ranks).collect::<Vec<_>>().join(", ")
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
}
