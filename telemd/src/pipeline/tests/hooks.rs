//! A fault that a hook and the kernel's log tell of is told once, by whichever of the two came.

use probe_user::{OomCause, OomConstraint, OomVictim};

use super::*;

/// As when the kernel floods its log, or stalls: between two batches the agent was busy for longer than reports are
/// silent within, and hook and text are apart by longer than one fault takes.
#[test]
fn a_report_that_is_read_late_from_the_log_is_still_one_and_still_its_hooks() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    let record = |sequence: usize, text: &str| KmsgRecord {
        sequence: sequence as u64,
        at_us: 1_000_000,
        level: 4,
        facility: 0,
        continues: false,
        caller: None,
        text: text.as_bytes().to_vec(),
    };
    pipeline.kmsg(&record(0, "a line"), moment(1_000), &mut out);
    let context = context(hook::OOPS_ENTER, 1_000);
    pipeline.event(Event::OopsEnter { context }, moment(1_000), &mut out);
    let mut taken_ns = 0;
    for (at, line) in REPORT.iter().enumerate() {
        let read = if at < REPORT.len() / 2 { 4_000 } else { 6_000 };
        taken_ns = pipeline.kmsg(&record(at + 1, line), moment(read), &mut out);
        pipeline.tick(moment(read).at_boot_ns(taken_ns), &mut out);
    }
    assert!((1_000..1_010).contains(&(taken_ns / 1_000_000)), "{taken_ns}");
    settle(&mut pipeline, 6_000, &mut out);
    assert_eq!(told(&out), [("kernel.bug", TITLE)]);
}

#[test]
fn an_oops_hook_and_its_text_are_one_fault() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    let context = context(hook::OOPS_ENTER, 900);
    pipeline.event(Event::OopsEnter { context }, moment(900), &mut out);
    print(&mut pipeline, &REPORT, 1_000, &mut out);
    settle(&mut pipeline, 1_000, &mut out);
    assert_eq!(told(&out), [("kernel.bug", TITLE)]);
}

#[test]
fn an_oops_without_text_is_still_told() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    let oops = context(hook::OOPS_ENTER, 900);
    pipeline.event(Event::OopsEnter { context: oops }, moment(900), &mut out);
    settle(&mut pipeline, 900, &mut out);
    assert_eq!(
        told(&out),
        [("kernel.oops", "kernel oops, its text was not caught")]
    );
    assert_eq!(out[0].record.since_boot_ns, 900_000_000);

    let panic = context(hook::PANIC, 20_000);
    pipeline.event(Event::Panic { context: panic }, moment(20_000), &mut out);
    pipeline.flush(moment(20_001), &mut out);
    assert_eq!(told(&out)[1].0, "kernel.panic");
}

#[test]
fn a_storm_of_oopses_without_text_loses_none() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    for at in 0..100 {
        let context = context(hook::OOPS_ENTER, at);
        pipeline.event(Event::OopsEnter { context }, moment(at), &mut out);
    }
    pipeline.flush(moment(101), &mut out);
    assert_eq!(out.len(), 100);
}

#[test]
fn a_kill_that_the_hook_told_is_not_told_by_its_text_again() {
    let text = [
        "test invoked oom-killer: gfp_mask=0x100cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0",
        "Memory cgroup out of memory: Killed process 77 (test) total-vm:100kB, anon-rss:50kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0",
    ];
    // The text can be complete before the hook fires: the kernel prints why before it chooses whom.
    for hooked_ms in [Some(1_000), Some(2_500), None] {
        let (mut pipeline, mut out) = (pipeline(), Vec::new());
        print(&mut pipeline, &text, 1_001, &mut out);
        if let Some(at_ms) = hooked_ms {
            pipeline.tick(moment(at_ms), &mut out);
            let victim = OomVictim {
                pid: 77,
                comm: Some("test".into()),
                ..OomVictim::default()
            };
            let context = context(hook::OOM_MARK_VICTIM, at_ms);
            pipeline.event(Event::OomVictim { context, victim }, moment(at_ms), &mut out);
        }
        settle(&mut pipeline, 1_001, &mut out);
        let classes: Vec<_> = told(&out).into_iter().map(|(class, _)| class).collect();
        assert_eq!(classes, ["memory.oom_kill"], "{hooked_ms:?}");
    }
}

#[test]
fn a_victim_is_told_with_the_reason_that_the_same_task_had() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    let cause = OomCause {
        victim: Some(90),
        constraint: Some(OomConstraint::Cgroup),
        order: Some(0),
        points: Some(1_000),
        ..OomCause::default()
    };
    let asking = |pid, at_ms| Context {
        pid,
        ..context(hook::OOM_MARK_VICTIM, at_ms)
    };
    let context = asking(77, 1_000);
    pipeline.event(Event::OomCause { context, cause }, moment(1_000), &mut out);
    // The chosen one, another one of its group, the victim of another task, the next one of the same.
    for (pid, victim, at_ms) in [
        (77, 90, 1_500),
        (77, 91, 1_501),
        (78, 92, 1_502),
        (77, 93, 40_000),
    ] {
        let context = asking(pid, at_ms);
        let victim = OomVictim {
            pid: victim,
            ..OomVictim::default()
        };
        pipeline.event(Event::OomVictim { context, victim }, moment(at_ms), &mut out);
    }
    let kill = |found: &Found| match &found.record.payload {
        Some(Payload::OomKill(kill)) => (kill.victim_pid, kill.constraint, kill.order, kill.points),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        out.iter().map(kill).collect::<Vec<_>>(),
        [
            (90, 4, Some(0), Some(1_000)),
            (91, 4, Some(0), None),
            (92, 0, None, None),
            (93, 0, None, None)
        ]
    );
}

#[test]
fn a_warning_that_a_hook_saw_is_its_text_and_nothing_without_it() {
    let text = [
        "WARNING: CPU: 1 PID: 77 at drivers/example.c:12 example_write+0x1f/0x40",
        "Call Trace:",
        " vfs_write+0xc7/0x3f0",
        "---[ end trace 0000000000000000 ]---",
    ];
    for (printed, expected) in [
        (&text[..], &["kernel.warning"][..]),
        // Text reaches us, and this one's was lost, which the books tell.
        (&["eth0: link up"], &[]),
        // None reaches us.
        (&[], &["kernel.warning"]),
    ] {
        let (mut pipeline, mut out) = (pipeline(), Vec::new());
        let context = context(hook::WARN, 1_000);
        pipeline.event(Event::Warning { context }, moment(1_000), &mut out);
        print(&mut pipeline, printed, 1_001, &mut out);
        settle(&mut pipeline, 1_001, &mut out);
        let classes: Vec<_> = told(&out).into_iter().map(|(class, _)| class).collect();
        assert_eq!(classes, expected, "{printed:?}");
        assert!(out.iter().all(|found| found.record.context.is_some()));
    }
}

#[test]
fn a_machine_check_that_the_hook_told_is_not_told_by_its_text_again() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    let machine_check = faults::mce::MachineCheck {
        status: 0x8c00_0000_0000_009f,
        bank: 4,
        ..faults::mce::MachineCheck::default()
    };
    let context = context(hook::MCE_RECORD, 1_000);
    pipeline.event(
        Event::MachineCheck {
            context,
            machine_check,
        },
        moment(1_000),
        &mut out,
    );
    let text = ["mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 4: 8c0000000000009f"];
    print(&mut pipeline, &text, 1_001, &mut out);
    settle(&mut pipeline, 1_001, &mut out);
    let classes: Vec<_> = told(&out).into_iter().map(|(class, _)| class).collect();
    assert_eq!(classes, ["hardware.machine_check"]);
    assert!(matches!(out[0].record.payload, Some(Payload::MachineCheck(_))));
}
