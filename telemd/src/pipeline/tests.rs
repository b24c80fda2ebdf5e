use faults::{Class, Severity};
use probe_user::kmsg::Caller;
use probe_user::user_probe::Written;
use probe_user::{Attach, Fields, Told, hook};
use proptest::prelude::*;

use super::*;

mod hooks;
mod text;
mod twins;

const REPORT: [&str; 4] = [
    "BUG: scheduling while atomic: test/77/0x00000002",
    "Call Trace:",
    " example_wait+0x1f/0x40",
    " example_ioctl+0x8/0x90",
];
const TITLE: &str = "BUG: scheduling while atomic in example_wait";

fn pipeline() -> Pipeline {
    let boot = Boot {
        id: "boot".into(),
        kernel_release: "6.1.0".into(),
    };
    Pipeline::new(boot, "/nonexistent".into(), "/nonexistent".into())
}

pub(super) fn context(hook: &'static str, at_ms: u64) -> Context {
    Context {
        hook: hook.into(),
        attach: Attach::TpBtf,
        cpu: 1,
        pid: 77,
        tgid: 70,
        comm: "test".into(),
        cgroup_id: 9,
        since_boot_ns: at_ms * 1_000_000,
        sequence: 1,
        stack: Vec::new(),
    }
}

fn moment(at_ms: u64) -> Moment {
    Moment {
        unix_ns: 1_000_000_000_000 + at_ms * 1_000_000,
        since_boot_ns: at_ms * 1_000_000,
        asleep_ns: 0,
    }
}

fn print(pipeline: &mut Pipeline, lines: &[&str], at_ms: u64, out: &mut Vec<Found>) {
    for line in lines {
        let event = Event::KernelText {
            context: context(hook::PRINTK_CONSOLE, at_ms),
            text: line.as_bytes().to_vec(),
            continues: false,
        };
        pipeline.event(event, moment(at_ms), out);
    }
}

/// Lets time pass until nothing waits any more.
fn settle(pipeline: &mut Pipeline, from_ms: u64, out: &mut Vec<Found>) {
    for round in 1..200 {
        let lost = pipeline.lost;
        pipeline.has_lost(lost, moment(from_ms + round * TICK_MS), out);
        if !pipeline.is_busy() {
            return;
        }
        pipeline.tick(moment(from_ms + round * TICK_MS), out);
    }
    panic!("still busy after 20 s");
}

fn told(out: &[Found]) -> Vec<(&str, &str)> {
    out.iter()
        .map(|found| (found.record.class.as_str(), found.record.title.as_str()))
        .collect()
}

#[test]
fn lines_of_the_console_become_one_report_with_its_context_and_mark() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    print(&mut pipeline, &REPORT, 1_000, &mut out);
    settle(&mut pipeline, 1_000, &mut out);
    assert_eq!(told(&out), [("kernel.bug", TITLE)]);
    let Found { record, mark } = &out[0];
    assert_eq!(record.since_boot_ns, 1_000_000_000);
    assert_eq!(record.occurred_at_unix_ns, 1_001_000_000_000);
    assert_eq!(record.hook, Some(wire_hook("printk_console", "tp_btf")));
    assert_eq!(record.context.as_ref().map(|context| context.cgroup_id), Some(9));
    assert_eq!(
        mark,
        &Some(Mark::Report {
            boot_id: "boot".into(),
            title: TITLE.into(),
            at_s: 1
        })
    );
    let Some(Payload::KernelReport(report)) = &record.payload else {
        panic!("{record:?}");
    };
    assert_eq!(report.text, format!("{}\n", REPORT.join("\n")));
    assert_eq!(report.traces[0].frames[0].function, "example_wait");
    assert_eq!(record.fingerprints.len(), 3);
}

#[test]
fn a_mark_tells_the_time_by_the_clock_of_the_log_which_stops_in_suspend() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    print(&mut pipeline, &REPORT, 100_000, &mut out);
    let now = Moment {
        asleep_ns: 60_000_000_000,
        ..moment(100_000)
    };
    pipeline.flush(now, &mut out);
    let Some(Mark::Report { at_s, .. }) = out[0].mark else {
        panic!("{out:?}");
    };
    assert_eq!((at_s, out[0].record.since_boot_ns), (40, 100_000_000_000));
}

#[test]
fn prefixes_of_old_kernels_are_taken_away() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    let lines: Vec<_> = REPORT
        .iter()
        .map(|line| format!("[    7.123456][   T77] {line}\n"))
        .collect();
    print(
        &mut pipeline,
        &lines.iter().map(String::as_str).collect::<Vec<_>>(),
        1_000,
        &mut out,
    );
    settle(&mut pipeline, 1_000, &mut out);
    assert_eq!(told(&out), [("kernel.bug", TITLE)]);
}

#[test]
fn the_kernel_log_does_as_well_as_the_console_and_programs_cannot_fake_it() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    for facility in [3, 0] {
        for (at, line) in REPORT.iter().enumerate() {
            let record = KmsgRecord {
                sequence: at as u64,
                at_us: 5,
                level: 4,
                facility,
                continues: false,
                caller: Some(Caller::Task(77)),
                text: line.as_bytes().to_vec(),
            };
            pipeline.kmsg(&record, moment(1_000), &mut out);
        }
    }
    settle(&mut pipeline, 1_000, &mut out);
    assert_eq!(told(&out), [("kernel.bug", TITLE)]);
    assert_eq!(out[0].record.hook, Some(wire_hook("printk_console", "kmsg")));
}

#[test]
fn a_crash_and_undecodable_bytes_are_told_at_once() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    let crash = Event::FatalSignal {
        context: context(hook::SIGNAL_DELIVER, 5),
        signal: 11,
        code: 1,
        errno: 0,
        address: None,
        frames: Vec::new(),
        executable: None,
    };
    pipeline.event(crash, moment(6), &mut out);
    let bytes = Event::Undecodable {
        bytes: vec![1, 2],
        reason: "too few".into(),
    };
    pipeline.event(bytes, moment(7), &mut out);
    assert_eq!(
        told(&out),
        [
            ("program.crash", "SIGSEGV in test"),
            ("telemetry.undecodable", "undecodable bytes from ring")
        ]
    );
}

proptest! {
    #[test]
    fn no_text_panics_and_every_record_is_within_the_wire_limits(
        pieces in prop::collection::vec(
            (prop_oneof!["\\PC{0,80}", Just(REPORT[0].to_owned()), Just(REPORT[2].to_owned()), Just("cut here".to_owned())], 0u32..3, any::<bool>()),
            0..60,
        )
    ) {
        let (mut pipeline, mut out) = (pipeline(), Vec::new());
        for (at, (text, cpu, continues)) in pieces.into_iter().enumerate() {
            let mut context = context(hook::PRINTK_CONSOLE, at as u64);
            context.cpu = cpu;
            pipeline.event(Event::KernelText { context, text: text.into_bytes(), continues }, moment(at as u64), &mut out);
        }
        pipeline.flush(moment(1_000), &mut out);
        prop_assert!(!pipeline.is_busy());
        for found in &mut out {
            prop_assert!(found.record.title.len() <= proto::limits::TITLE_BYTES);
            prop_assert!(crate::record::encode(&mut found.record).len() <= proto::limits::RECORD_BYTES);
        }
    }
}

#[test]
fn a_record_of_the_hosts_own_probe_has_the_class_that_was_chosen() {
    let written = Written {
        name: "x".into(),
        tracepoint: "a:b".into(),
        class: "storage.own".into(),
        rate: 1,
        ..Written::default()
    };
    let probe = UserProbe::new(&written).unwrap();
    let mut pipeline = pipeline().with_probes([&probe]);
    let mut out = Vec::new();
    for hook in ["user.x", "other"] {
        let event = Event::Record {
            context: context(hook, 5),
            tracepoint: "a:b".into(),
            fields: Fields::default(),
            told: Told {
                class: Class::CustomTracepoint,
                severity: Severity::Low,
                title: "t".into(),
                hardware: None,
                twin: None,
                once: None,
                device: None,
                count: 1,
                raw: None,
            },
        };
        pipeline.event(event, moment(6), &mut out);
    }
    assert_eq!(told(&out), [("storage.own", "t"), ("custom.tracepoint", "t")]);
    assert_ne!(out[0].record.fingerprints, out[1].record.fingerprints);
}
