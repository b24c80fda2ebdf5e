//! Text of which a part is lost, or is another CPU's.

use super::*;

/// Prints lines, each with the number that its event has on its CPU.
fn print_numbered(pipeline: &mut Pipeline, lines: &[(u64, &str)], out: &mut Vec<Found>) {
    for (sequence, line) in lines {
        let event = Event::KernelText {
            context: Context {
                sequence: *sequence,
                ..context(hook::PRINTK_CONSOLE, 1_000)
            },
            text: line.as_bytes().to_vec(),
            continues: false,
        };
        pipeline.event(event, moment(1_000), out);
    }
}

#[test]
fn a_report_that_lost_lines_is_one_of_its_class_unless_what_precedes_them_says_the_same() {
    let [head, trace, frame, caller] = REPORT;
    let cases = [
        (vec![(1, head), (2, trace), (3, frame), (4, caller)], TITLE, false),
        // The function at fault may be among what was lost.
        (
            vec![(1, head), (2, trace), (4, caller)],
            "kernel bug, lines of its text were lost",
            true,
        ),
        (
            vec![(1, head), (2, trace)],
            "BUG: scheduling while atomic in corrupted",
            true,
        ),
        (vec![(1, head), (2, trace), (3, frame), (5, caller)], TITLE, true),
        // Lost before the report.
        (vec![(1, "x"), (9, head), (10, trace), (11, frame)], TITLE, false),
    ];
    for (lines, title, truncated) in cases {
        let (mut pipeline, mut out) = (pipeline(), Vec::new());
        print_numbered(&mut pipeline, &lines, &mut out);
        settle(&mut pipeline, 1_000, &mut out);
        assert_eq!(told(&out), [("kernel.bug", title)], "{lines:?}");
        let Some(Payload::KernelReport(report)) = &out[0].record.payload else {
            panic!("{:?}", out[0].record);
        };
        assert_eq!(report.truncated, truncated, "{lines:?}");
        assert!(report.text.starts_with(head), "{lines:?}");
    }
}

#[test]
fn a_report_that_ends_early_has_lost_lines_where_the_kernel_counted_some_meanwhile() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    for (lost, title) in [
        (7, "kernel bug, lines of its text were lost"),
        (7, "BUG: scheduling while atomic in corrupted"),
        (8, "kernel bug, lines of its text were lost"),
    ] {
        // The next line of this CPU never comes.
        print(&mut pipeline, &REPORT[..2], 1_000, &mut out);
        (1..9).for_each(|tick| pipeline.tick(moment(1_000 + tick * TICK_MS), &mut out));
        assert!(pipeline.is_cut_short() && out.is_empty(), "{out:?}");
        pipeline.has_lost(lost, moment(2_000), &mut out);
        assert_eq!(told(&out), [("kernel.bug", title)]);
        out.clear();
    }
}

#[test]
fn what_a_cpu_was_asked_for_is_part_of_the_report_that_asks() {
    let (mut pipeline, mut out) = (pipeline(), Vec::new());
    let mut print = |cpu, pid, line: &str| {
        let event = Event::KernelText {
            context: Context {
                cpu,
                pid,
                ..context(hook::PRINTK_CONSOLE, 1_000)
            },
            text: line.as_bytes().to_vec(),
            continues: false,
        };
        pipeline.event(event, moment(1_000), &mut out);
    };
    print(1, 0, "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:");
    print(
        1,
        0,
        "rcu: \t0-...0: (0 ticks this GP) idle=0274/1/0x4000000000000000 softirq=541/541 fqs=13",
    );
    print(
        1,
        0,
        "rcu: \t(detected by 1, t=833 jiffies, g=-351, q=42 ncpus=2)",
    );
    // Nothing follows it on its CPU.
    print(1, 0, "Sending NMI from CPU 1 to CPUs 0:");
    print(0, 186, "NMI backtrace for cpu 0");
    print(
        0,
        186,
        "CPU: 0 UID: 0 PID: 186 Comm: insmod Tainted: GF           E      6.12.118 #1",
    );
    print(0, 186, "RIP: 0010:example_init+0xf/0xff0 [example]");
    print(0, 186, "Call Trace:");
    print(0, 186, " <TASK>");
    print(0, 186, " do_one_initcall+0x5b/0x310");
    print(0, 186, " </TASK>");
    settle(&mut pipeline, 1_000, &mut out);
    assert_eq!(
        told(&out),
        [("kernel.rcu_stall", "INFO: rcu detected stall in example_init")]
    );
}
