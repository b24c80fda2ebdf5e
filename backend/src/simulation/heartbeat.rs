//! Heartbeats of a made-up fleet: what its kernels let be watched.

use proto::v1::{Heartbeat, HookState, Record, Severity, record::Payload};

use super::{KERNELS, MODELS};

/// The model whose memory controller no kernel knows.
const WITHOUT_EDAC: i32 = 6;
/// A hook: its name, how it is attached, from which of [`KERNELS`] on, and why not before.
const HOOKS: [(&str, &str, usize, &str); 22] = [
    (
        "printk_console",
        "tp_btf",
        2,
        "before Linux 6.3 the kernel warns of it when text is printed in an NMI; /dev/kmsg has everything",
    ),
    ("oops_enter", "fentry", 0, ""),
    ("panic", "fentry", 0, ""),
    ("warn", "fentry", 0, ""),
    ("soft_lockup", "kprobe", 0, ""),
    ("mce_record", "tracepoint", 0, ""),
    ("oom_mark_victim", "tracepoint", 0, ""),
    (
        "oom_kill_process",
        "fentry",
        1,
        "fentry oom_kill_process, kprobe oom_kill_process: this kernel has no such function that can be traced",
    ),
    ("alloc_failure", "kprobe", 0, ""),
    ("signal_deliver", "tp_btf", 0, ""),
    (
        "error_report_end",
        "tracepoint",
        1,
        "tracepoint error_report:error_report_end: this kernel has no tracepoint of this name",
    ),
    (
        "rcu_stall_warning",
        "tracepoint",
        1,
        "tracepoint rcu:rcu_stall_warning: this kernel has no tracepoint of this name",
    ),
    ("sched_process_hang", "tracepoint", 0, ""),
    ("module_load", "tracepoint", 0, ""),
    ("mc_event", "tracepoint", 0, ""),
    ("aer_event", "tracepoint", 0, ""),
    ("memory_failure_event", "tracepoint", 0, ""),
    ("thermal_zone_trip", "tracepoint", 0, ""),
    ("block_rq_error", "tracepoint", 0, ""),
    ("filemap_set_wb_err", "tracepoint", 0, ""),
    ("ext4_error", "tracepoint", 0, ""),
    (
        "devlink_health_report",
        "tracepoint",
        1,
        "tracepoint devlink:devlink_health_report: this kernel has no tracepoint of this name",
    ),
];

/// The heartbeats by kernel, and for each kernel by model. When it was sent is a host's to say.
pub(super) fn records() -> Vec<Record> {
    let kernels = KERNELS.iter().enumerate();
    kernels
        .flat_map(|(kernel, release)| (0..MODELS).map(move |model| record(kernel, release, model)))
        .collect()
}

fn record(kernel: usize, release: &str, model: i32) -> Record {
    let hook = |(name, attach, since, before): (&str, &str, usize, &str)| {
        let reason = match name {
            "mc_event" if model == WITHOUT_EDAC => {
                "tracepoint ras:mc_event: no module of the kernel knows this memory controller"
            }
            _ if kernel < since => before,
            _ => "",
        };
        let attached = reason.is_empty();
        HookState {
            name: name.to_owned(),
            attach: if attached { attach } else { "" }.to_owned(),
            reason: reason.to_owned(),
            ..HookState::default()
        }
    };
    Record {
        class: "telemetry.heartbeat".to_owned(),
        severity: Severity::Low.into(),
        title: "heartbeat".to_owned(),
        kernel_release: release.to_owned(),
        payload: Some(Payload::Heartbeat(Heartbeat {
            hooks: HOOKS.into_iter().map(hook).collect(),
            spool_bytes: 65_536,
            agent_memory_bytes: 14 << 20,
            os_id: "simulated".to_owned(),
            ..Heartbeat::default()
        })),
        ..Record::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_kernels_let_more_be_watched() {
        let attached = |record: &Record| match &record.payload {
            Some(Payload::Heartbeat(beat)) => {
                beat.hooks.iter().filter(|hook| !hook.attach.is_empty()).count()
            }
            _ => 0,
        };
        let records = records();
        let of_model = |model: usize| -> Vec<usize> {
            let of_model = records
                .iter()
                .skip(model)
                .step_by(usize::try_from(MODELS).unwrap());
            of_model.map(attached).collect()
        };
        assert_eq!(of_model(0), [17, 21, 22]);
        assert_eq!(of_model(6), [16, 20, 21]);
    }
}
