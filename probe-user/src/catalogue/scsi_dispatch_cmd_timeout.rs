//! A SCSI device did not answer in time. `include/trace/events/scsi.h`; also of SATA disks, which are SCSI devices to
//! Linux.

use super::{Class, Fields, HookSpec, Privacy, Record, Records, Severity, Source, Storm, Told};

pub(super) const HOOK: HookSpec = HookSpec {
    name: "scsi_dispatch_cmd_timeout",
    sees: "a SCSI or SATA device did not answer in time: host, target, command",
    without: "what the driver prints when it resets the device is left",
    class: Class::StorageBlockError,
    severity: Severity::Medium,
    storm: Storm::Configured,
    privacy: Privacy::Machine,
    source: Source::Records(Records {
        attempts: &[Record {
            tracepoint: "scsi:scsi_dispatch_cmd_timeout",
            module: Some("scsi_mod"),
            required: &["opcode"],
            filter: &[],
        }],
        stack: false,
        twin: None,
        tell,
    }),
};

fn tell(fields: &Fields) -> Option<Told> {
    // SPC-5 and SBC-4, operation codes.
    let command = match fields.unsigned("opcode") {
        Some(0x08 | 0x28 | 0x88 | 0xa8) => "read",
        Some(0x0a | 0x2a | 0x8a | 0xaa) => "write",
        Some(0x35 | 0x91) => "flush",
        Some(0x41 | 0x42 | 0x93) => "discard",
        Some(0x85 | 0xa1) => "ATA command",
        _ => "command",
    };
    let title = format!("scsi: {command} timed out");
    Some(Told::new(HOOK.class, HOOK.severity, title))
}
