//! One fault is one record, whoever saw it and in whatever order.

use probe_user::{Fields, Value, catalogue};

use super::*;

/// A fault that is seen by a hook and told by text.
struct Fault {
    hook: &'static str,
    fields: &'static [(&'static str, Field)],
    text: &'static [&'static str],
    by_hook: &'static str,
    by_text: &'static str,
    best: Best,
}

#[derive(Clone, Copy)]
enum Field {
    Number(i64),
    Text(&'static str),
}

const BLOCK: Fault = Fault {
    hook: "block_rq_error",
    fields: &[
        ("dev", Field::Number(8 << 20)),
        ("error", Field::Number(-61)),
        ("rwbs", Field::Text("RS")),
    ],
    text: &["critical medium error, dev sda, sector 4660 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 0"],
    by_hook: "critical medium error",
    by_text: "critical medium error on sd",
    best: Best::Hook,
};
const EXT4: Fault = Fault {
    hook: "ext4_error",
    fields: &[
        ("dev", Field::Number(8 << 20 | 1)),
        ("function", Field::Text("ext4_lookup")),
    ],
    text: &["EXT4-fs error (device sda1): ext4_lookup:1855: inode #2: comm ls: deleted inode referenced: 12"],
    by_hook: "EXT4-fs error in ext4_lookup",
    by_text: "EXT4-fs error in ext4_lookup",
    best: Best::Text,
};
const WARN: Fault = Fault {
    hook: "error_report_end",
    fields: &[("error_detector", Field::Number(2))],
    text: &[
        "------------[ cut here ]------------",
        "WARNING: CPU: 1 PID: 77 at drivers/example.c:12 example_open+0x20/0x40 [example]",
        "Call Trace:",
        " <TASK>",
        " example_ioctl+0x8/0x90 [example]",
        " </TASK>",
        "---[ end trace 0000000000000000 ]---",
    ],
    by_hook: "WARNING, its text was not caught",
    by_text: "WARNING in example_open",
    best: Best::Text,
};
const FAULTS: [Fault; 9] = [
    BLOCK,
    EXT4,
    WARN,
    Fault {
        hook: "aer_event",
        fields: &[
            ("dev_name", Field::Text("0000:00:1c.0")),
            ("status", Field::Number(0x4000)),
            ("severity", Field::Number(0)),
        ],
        text: &[
            "pcieport 0000:00:1c.0: PCIe Bus Error: severity=Uncorrected (Non-Fatal), type=Transaction Layer, (Requester ID)",
            "pcieport 0000:00:1c.0:   device [1b36:000c] error status/mask=00004000/00000000",
            "pcieport 0000:00:1c.0:    [14] CmpltTO",
        ],
        by_hook: "PCIe error: Completion Timeout (non-fatal)",
        by_text: "PCIe bus error: uncorrected, Transaction Layer, CmpltTO",
        best: Best::Hook,
    },
    Fault {
        hook: "mc_event",
        fields: &[
            ("error_type", Field::Number(0)),
            ("msg", Field::Text("memory read error")),
        ],
        text: &[
            "EDAC MC0: 1 CE memory read error on DIMM_A1 (channel:0 slot:0 page:0x1 offset:0x0 grain:32 syndrome:0x0)",
        ],
        by_hook: "memory error: memory read error (corrected)",
        by_text: "EDAC: corrected memory error",
        best: Best::Hook,
    },
    Fault {
        hook: "memory_failure_event",
        fields: &[
            ("pfn", Field::Number(0x20)),
            ("type", Field::Number(4)),
            ("result", Field::Number(3)),
        ],
        text: &["Memory failure: 0x20: recovery action for free buddy page: Recovered"],
        by_hook: "memory failure: page of unknown use (recovered)",
        by_text: "memory failure: free buddy page: Recovered",
        best: Best::Hook,
    },
    Fault {
        hook: "net_dev_xmit_timeout",
        fields: &[("driver", Field::Text("e1000e"))],
        text: &["e1000e 0000:00:03.0 eth0: NETDEV WATCHDOG: CPU: 0: transmit queue 0 timed out 5120 ms"],
        by_hook: "NETDEV WATCHDOG: transmit queue of e1000e timed out",
        by_text: "NETDEV WATCHDOG: transmit queue timed out",
        best: Best::Hook,
    },
    // Before 6.6 the text is a warning, `net/sched/sch_generic.c`, `dev_watchdog`.
    Fault {
        hook: "net_dev_xmit_timeout",
        fields: &[("driver", Field::Text("pcnet32"))],
        text: &[
            "------------[ cut here ]------------",
            "NETDEV WATCHDOG: eth1 (pcnet32): transmit queue 0 timed out",
            "WARNING: CPU: 1 PID: 77 at net/sched/sch_generic.c:467 dev_watchdog+0x260/0x270",
            "Call Trace:",
            " <IRQ>",
            " call_timer_fn+0x29/0xf0",
            " </IRQ>",
            "---[ end trace 0000000000000000 ]---",
        ],
        by_hook: "NETDEV WATCHDOG: transmit queue of pcnet32 timed out",
        by_text: "NETDEV WATCHDOG: transmit queue timed out",
        best: Best::Hook,
    },
    Fault {
        hook: "sched_process_hang",
        fields: &[("pid", Field::Number(42)), ("comm", Field::Text("dd"))],
        text: &[
            "INFO: task dd:42 blocked for more than 120 seconds.",
            "      Not tainted 6.1.0 #1",
            "\"echo 0 > /proc/sys/kernel/hung_task_timeout_secs\" disables this message.",
            "task:dd              state:D stack:0     pid:42    ppid:1      flags:0x00000002",
            "Call Trace:",
            " <TASK>",
            " schedule+0x5a/0xd0",
            " example_wait+0x8/0x90",
            " vfs_write+0x8/0x90",
            " </TASK>",
        ],
        by_hook: "INFO: task hung",
        by_text: "INFO: task hung in vfs_write",
        best: Best::Text,
    },
];

fn fire(pipeline: &mut Pipeline, fault: &Fault, at_ms: u64, out: &mut Vec<Found>) {
    let fields: Fields = fault
        .fields
        .iter()
        .map(|(name, field)| {
            let value = match field {
                Field::Number(number) => Value::Signed(*number),
                Field::Text(text) => Value::Text((*text).to_owned()),
            };
            (*name, value)
        })
        .collect();
    let spec = catalogue::HOOKS
        .iter()
        .find(|spec| spec.name == fault.hook)
        .unwrap();
    let catalogue::Source::Records(records) = &spec.source else {
        panic!("{} has programs of its own", fault.hook);
    };
    let told = records.told(&fields).unwrap();
    let event = Event::Record {
        context: context(spec.name, at_ms),
        tracepoint: records.attempts[0].tracepoint.into(),
        fields,
        told,
    };
    pipeline.event(event, moment(at_ms), out);
}

fn titles(out: &[Found]) -> Vec<&str> {
    out.iter().map(|found| found.record.title.as_str()).collect()
}

#[test]
fn each_fault_is_told_once_by_whoever_knows_more() {
    for fault in &FAULTS {
        // The hook first, the text first and complete, the text first and not complete yet.
        for (hook_ms, text_ms, between) in
            [(1_000, 1_010, false), (2_000, 1_000, true), (1_010, 1_000, false)]
        {
            let (mut pipeline, mut out) = (pipeline(), Vec::new());
            if hook_ms < text_ms {
                fire(&mut pipeline, fault, hook_ms, &mut out);
            }
            print(&mut pipeline, fault.text, text_ms, &mut out);
            if between {
                (0..9).for_each(|tick| pipeline.tick(moment(text_ms + tick * TICK_MS), &mut out));
            }
            if hook_ms > text_ms {
                fire(&mut pipeline, fault, hook_ms, &mut out);
            }
            settle(&mut pipeline, hook_ms.max(text_ms), &mut out);
            let best = match fault.best {
                Best::Hook => fault.by_hook,
                Best::Text => fault.by_text,
            };
            assert_eq!(
                titles(&out),
                [best],
                "{} at {hook_ms}, text at {text_ms}",
                fault.hook
            );
            assert!(out[0].record.context.is_some(), "{}", fault.hook);
        }
    }
}

#[test]
fn each_fault_is_told_when_only_one_saw_it() {
    for fault in &FAULTS {
        let (mut pipeline, mut out) = (pipeline(), Vec::new());
        fire(&mut pipeline, fault, 1_000, &mut out);
        settle(&mut pipeline, 1_000, &mut out);
        print(&mut pipeline, fault.text, 20_000, &mut out);
        settle(&mut pipeline, 20_000, &mut out);
        assert_eq!(titles(&out), [fault.by_hook, fault.by_text], "{}", fault.hook);
    }
}

#[test]
fn a_text_that_says_something_else_is_not_swallowed() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    fire(&mut pipeline, &BLOCK, 1_000, &mut out);
    print(
        &mut pipeline,
        &["md/raid1:md0: Disk failure on sda, disabling device."],
        1_010,
        &mut out,
    );
    settle(&mut pipeline, 1_010, &mut out);
    assert_eq!(titles(&out), [BLOCK.by_hook, "md: disk failure"]);
}

#[test]
fn two_faults_at_once_are_two() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    fire(&mut pipeline, &BLOCK, 1_000, &mut out);
    fire(&mut pipeline, &EXT4, 1_001, &mut out);
    print(&mut pipeline, BLOCK.text, 1_002, &mut out);
    print(&mut pipeline, EXT4.text, 1_003, &mut out);
    settle(&mut pipeline, 1_003, &mut out);
    assert_eq!(titles(&out), [BLOCK.by_hook, EXT4.by_text]);
}

#[test]
fn a_text_tells_one_of_two_faults_and_the_other_is_told_without() {
    let other = Fault {
        fields: &[("function", Field::Text("ext4_iget"))],
        ..EXT4
    };
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    fire(&mut pipeline, &EXT4, 1_000, &mut out);
    fire(&mut pipeline, &other, 1_001, &mut out);
    print(&mut pipeline, EXT4.text, 1_002, &mut out);
    settle(&mut pipeline, 1_002, &mut out);
    assert_eq!(titles(&out), [EXT4.by_text, "EXT4-fs error in ext4_iget"]);
}

#[test]
fn a_storm_that_the_kernel_prints_a_part_of_is_told_in_full() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    for at in 0..10_000 {
        fire(&mut pipeline, &BLOCK, 1_000 + at, &mut out);
        if at % 1_000 < 10 {
            print(&mut pipeline, BLOCK.text, 1_000 + at, &mut out);
        }
    }
    settle(&mut pipeline, 11_000, &mut out);
    assert_eq!(out.len(), 10_000);
    assert!(out.iter().all(|found| found.record.title == BLOCK.by_hook));
}

#[test]
fn a_storm_whose_texts_the_kernel_limits_is_told_once_each() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    for at in 0..1_000 {
        fire(&mut pipeline, &EXT4, 1_000 + at, &mut out);
        if at % 100 == 0 {
            print(&mut pipeline, EXT4.text, 1_000 + at, &mut out);
            pipeline.tick(moment(1_000 + at), &mut out);
        }
    }
    settle(&mut pipeline, 2_000, &mut out);
    assert_eq!(out.len(), 1_000);
}

#[test]
fn a_storm_of_warnings_with_hooks_behind_their_texts_is_told_once_each() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    for at in 0..1_000 {
        print(&mut pipeline, WARN.text, 1_000 + at, &mut out);
        fire(&mut pipeline, &WARN, 1_000 + at, &mut out);
    }
    settle(&mut pipeline, 2_000, &mut out);
    assert_eq!(out.len(), 1_000);
    assert!(out.iter().all(|found| found.record.title == WARN.by_text));
}

#[test]
fn a_task_that_goes_on_hanging_is_told_once_and_another_is_told_too() {
    let hang = FAULTS
        .iter()
        .find(|fault| fault.hook == "sched_process_hang")
        .unwrap();
    let other = Fault {
        fields: &[("pid", Field::Number(43)), ("comm", Field::Text("dd"))],
        ..*hang
    };
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    print(&mut pipeline, hang.text, 1_001, &mut out);
    fire(&mut pipeline, hang, 1_001, &mut out);
    settle(&mut pipeline, 1_001, &mut out);
    for check in 1..100 {
        fire(&mut pipeline, hang, check * 120_000, &mut out);
        settle(&mut pipeline, check * 120_000, &mut out);
    }
    fire(&mut pipeline, &other, 12_000_000, &mut out);
    settle(&mut pipeline, 12_000_000, &mut out);
    assert_eq!(titles(&out), [hang.by_text, hang.by_hook]);
    // It let go, and hangs again.
    fire(&mut pipeline, hang, 20_000_000, &mut out);
    settle(&mut pipeline, 20_000_000, &mut out);
    assert_eq!(out.len(), 3);
}

#[test]
fn a_device_that_sysfs_knows_is_named_and_its_sort_is_in_the_title() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("dev/block");
    std::fs::create_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink("../../devices/block/sda", folder.join("8:0")).unwrap();
    let mut pipeline = Pipeline::new(Boot::default(), "/nonexistent".into(), dir.path().into());
    let mut out = Vec::new();
    fire(&mut pipeline, &BLOCK, 1_000, &mut out);
    assert_eq!(titles(&out), [BLOCK.by_text]);
    let Some(Payload::KernelEvent(event)) = &out[0].record.payload else {
        panic!("{:?}", out[0].record);
    };
    assert_eq!(event.tracepoint, "block:block_rq_error");
    let device = event.fields.last().unwrap();
    assert_eq!(device.name, "device");
    assert_eq!(
        device.value,
        Some(proto::v1::event_field::Value::Text("sda".into()))
    );
}

#[test]
fn an_error_of_the_hardware_has_a_payload_of_its_own() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    let aer = FAULTS.iter().find(|fault| fault.hook == "aer_event").unwrap();
    fire(&mut pipeline, aer, 1_000, &mut out);
    let Found { record, mark } = &out[0];
    let Some(Payload::HardwareError(error)) = &record.payload else {
        panic!("{record:?}");
    };
    assert_eq!(
        (error.source.as_str(), error.pci.as_str()),
        ("ras:aer_event", "0000:00:1c.0")
    );
    assert_eq!(record.hook, Some(wire_hook("aer_event", "tp_btf")));
    assert_eq!(
        (record.since_boot_ns, record.boot_id.as_str()),
        (1_000_000_000, "boot")
    );
    assert!(matches!(mark, Some(Mark::Report { title, .. }) if title == "hardware.pcie_error"));
}
