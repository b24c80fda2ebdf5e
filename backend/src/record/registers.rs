//! The registers of a machine check as the decoder takes them.

use proto::v1::MachineCheck;

/// Numbers that no processor has become the greatest there is.
pub(crate) fn of(mce: &MachineCheck) -> faults::mce::MachineCheck {
    let byte = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
    faults::mce::MachineCheck {
        status: mce.status,
        addr: mce.addr,
        misc: mce.misc,
        synd: mce.synd,
        ipid: mce.ipid,
        mcg_status: mce.mcg_status,
        mcg_cap: mce.mcg_cap,
        ip: mce.ip,
        tsc: mce.tsc,
        time: mce.time,
        cpu: mce.cpu,
        cpuid: mce.cpuid,
        apic_id: mce.apic_id,
        socket_id: mce.socket_id,
        bank: byte(mce.bank),
        vendor: byte(mce.vendor),
        ppin: mce.ppin,
        microcode: mce.microcode,
        ..Default::default()
    }
}
