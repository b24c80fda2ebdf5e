use super::*;

mod comparison;
mod fields;
mod outcome;
mod place;
mod properties;
mod record;
mod text;

/// `MCG_CAP` of a Xeon: 20 banks, counts, thresholds, recovery.
const XEON_CAP: u64 = 0x0f00_0c14;
/// A Skylake server, a Genoa, a Bulldozer.
const SKYLAKE: u32 = 0x0005_0657;
const GENOA: u32 = 0x00a1_0f11;
const BULLDOZER: u32 = 0x0060_0f12;

fn intel(status: u64) -> MachineCheck {
    MachineCheck {
        status,
        ..MachineCheck::default()
    }
}

fn xeon(status: u64) -> MachineCheck {
    MachineCheck {
        mcg_cap: XEON_CAP,
        ..intel(status)
    }
}

fn amd(cpuid: u32, status: u64) -> MachineCheck {
    MachineCheck {
        vendor: 2,
        cpuid,
        ..intel(status)
    }
}

/// The field of that register and name.
fn field<'d>(decoded: &'d Decoded, register: &str, name: &str) -> Option<&'d Field> {
    decoded
        .fields
        .iter()
        .find(|field| field.register == register && field.name == name)
}
