//! Faults that are not of a kernel's or a program's own making.

use proto::v1::{
    Confidence, Custom, Demise, EventField, Evidence, Fault, HardwareError, Heartbeat, HookState,
    KernelEvent, Loss, LossReason, Obituary, Severity, Undecodable, event_field, record::Payload,
};

use super::{THEN_NS, fault};

/// Repeats that storm control counted.
pub(in crate::http) fn loss() -> Fault {
    let loss = Loss {
        reason: LossReason::Storm.into(),
        count: 12_345,
        hook: "printk_console".into(),
        class: "kernel.warning".into(),
        title: "WARNING in example_write".into(),
        ..Loss::default()
    };
    fault(
        5,
        "telemetry.loss",
        Severity::Low,
        "12345 records lost: storm",
        Payload::Loss(loss),
    )
}

/// A heartbeat of an agent that may not attach everything.
pub(in crate::http) fn heartbeat() -> Fault {
    let hook = |name: &str, attach: &str, reason: &str, events| HookState {
        name: name.into(),
        attach: attach.into(),
        reason: reason.into(),
        events,
        lost: 0,
        ns_per_event: if attach.is_empty() { 0 } else { 1085 },
    };
    let heartbeat = Heartbeat {
        agent_uptime_s: 7260,
        hooks: vec![
            hook("printk_console", "tp_btf", "", 1234),
            hook(
                "mce_record",
                "",
                "this kernel has no tracepoint mce:mce_record",
                0,
            ),
        ],
        spool_backlog: 3,
        ..Heartbeat::default()
    };
    fault(
        6,
        "telemetry.heartbeat",
        Severity::Low,
        "heartbeat",
        Payload::Heartbeat(heartbeat),
    )
}

/// A record of a program's own.
pub(in crate::http) fn custom() -> Fault {
    let custom = Custom {
        classification: "org.example/maintenance/disk".into(),
        payload_version: 1,
        payload: "disk swapped\nby hand".into(),
        event_id: "00112233445566778899aabbccddeeff".into(),
        fields: vec![
            field("slot", event_field::Value::Unsigned(3)),
            field("serial", event_field::Value::Text("WD-1".into())),
        ],
        uid: Some(1000),
        pid: 4242,
        comm: "backup".into(),
    };
    fault(
        7,
        "custom",
        Severity::Low,
        "org.example/maintenance/disk",
        Payload::Custom(custom),
    )
}

fn field(name: &str, value: event_field::Value) -> EventField {
    EventField {
        name: name.into(),
        value: Some(value),
    }
}

/// An event of a tracepoint.
pub(in crate::http) fn kernel_event() -> Fault {
    let event = KernelEvent {
        tracepoint: "block:block_rq_error".into(),
        fields: vec![
            field("dev", event_field::Value::Unsigned(8_388_608)),
            field("sector", event_field::Value::Unsigned(0xffff_ffff_ffff)),
            field("error", event_field::Value::Signed(-5)),
            field("rwbs", event_field::Value::Text("WS".into())),
            field("cmd", event_field::Value::Bytes(vec![0x2a, 0x00].into())),
        ],
    };
    fault(
        9,
        "storage.block_error",
        Severity::Medium,
        "block error: write, I/O error",
        Payload::KernelEvent(event),
    )
}

/// An error of a memory module.
pub(in crate::http) fn hardware_error() -> Fault {
    let error = HardwareError {
        source: "ras:mc_event".into(),
        what: "multi-bit ECC".into(),
        part: "DIMM_A1".into(),
        position: "node 0, card 1, module 2".into(),
        processor: "CPU 3".into(),
        pci: String::new(),
        address: Some(0x1_2345_6780),
        advice: "Replace the module.".into(),
        count: 3,
        fields: vec![field("syndrome", event_field::Value::Unsigned(0x51))],
        raw: (0u8..32).collect::<Vec<_>>().into(),
    };
    fault(
        10,
        "hardware.memory_error",
        Severity::High,
        "memory error: multi-bit ECC (uncorrected)",
        Payload::HardwareError(error),
    )
}

/// The end of a boot.
pub(in crate::http) fn obituary() -> Fault {
    let evidence = |source: &str, text: &str, at_unix_ns| Evidence {
        source: source.into(),
        text: text.into(),
        at_unix_ns,
    };
    let end = Obituary {
        demise: Demise::Panic.into(),
        confidence: Confidence::High.into(),
        evidence: vec![
            evidence("pstore", "Kernel panic - not syncing: Fatal exception", THEN_NS),
            evidence("journal", "ends without a shutdown", 0),
        ],
        booted_at_unix_ns: THEN_NS - 93_784_000_000_000,
        last_alive_unix_ns: THEN_NS,
    };
    fault(
        11,
        "boot.end",
        Severity::Critical,
        "the boot ended by a panic",
        Payload::Obituary(end),
    )
}

/// Bytes that could not be understood.
pub(in crate::http) fn undecodable() -> Fault {
    let undecodable = Undecodable {
        source: "ring".into(),
        reason: "hook number 77 is not known".into(),
        bytes: (0u8..40).collect::<Vec<_>>().into(),
    };
    fault(
        8,
        "telemetry.undecodable",
        Severity::Medium,
        "undecodable bytes",
        Payload::Undecodable(undecodable),
    )
}
