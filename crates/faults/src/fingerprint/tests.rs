use super::*;
use crate::{parse, reports};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

/// Logs of guests by file name: `6.12-null`.
static SAMPLES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        (path.file_stem().unwrap().to_string_lossy().into_owned(), text)
    };
    files.iter().map(read).collect()
});

/// The fingerprints of each report in a log.
fn all(log: &str) -> Vec<Vec<Fingerprint>> {
    let reports = reports(log.as_bytes());
    reports.iter().map(|found| of_report(&found.report)).collect()
}

/// An oops at `og` with this stack below it.
fn oops(stack: &str) -> Explanation {
    let text = format!(
        "BUG: kernel NULL pointer dereference, address: 0000000000000008\nRIP: 0010:og+0x5/0x20 [example]\nCall Trace:\n{stack}"
    );
    explain(&parse(&text).unwrap())
}

fn parts(explanation: &Explanation, level: Level) -> Vec<&str> {
    let found = explanation.levels.iter().find(|one| one.level == level);
    let parts = found.map(|one| one.parts.as_slice()).unwrap_or_default();
    parts.iter().skip(2).map(String::as_str).collect()
}

/// The functions that the stack level adds.
fn stack(explanation: &Explanation) -> Vec<&str> {
    let parts = parts(explanation, Level::Stack);
    let own = parts.iter().position(|part| part.is_empty());
    parts.into_iter().skip(own.map_or(0, |at| at + 1)).collect()
}

fn rules(explanation: &Explanation, function: &str) -> Vec<(Rule, String)> {
    let frame = explanation.frames.iter().find(|frame| frame.printed == function);
    let rules = frame.map(|frame| frame.rules.iter()).into_iter().flatten();
    rules.map(|fired| (fired.rule, fired.found.clone())).collect()
}

const PLAIN: &str = " og_w+0x1/0x2 [example]\n vfs_write+0x1/0x2\n ksys_write+0x1/0x2\n do_syscall_64+0x1/0x2\n \
                     entry_SYSCALL_64_after_hwframe+0x1/0x2\n";

/// The values of version 2. When one of them has to change, `VERSION` has to.
#[test]
fn values_of_a_version_stay_what_they_are() {
    assert_eq!(VERSION, 2);
    let title = of_title(Class::KernelWarning, "WARNING in example");
    assert_eq!(title.to_string(), "0f8088e1e2bb68b9191efb1e33716216");
    let explanation = oops(PLAIN);
    let values: Vec<String> = explanation
        .fingerprints()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        values,
        [
            "d3086fc6a3436aea726bbdcd15d70ab1",
            "6bfbc6ddb5a26753d1a1d18010a4026d",
            "3facbc2eae0d70541f919b083dcb0a78",
            "52beac685f8bfd2d79f935aafcd30206"
        ]
    );
    let loose: Vec<&str> = explanation.loose.iter().map(|key| key.value.as_str()).collect();
    assert_eq!(
        loose,
        [
            "620e2ce328e15babc242d19c4c57d74a",
            "b521d2fc9de5b4f469fd2fdb58828f74",
            "ada0a3ec59e4850cb0d7029c5ca94bf4"
        ]
    );
}

#[test]
fn what_is_hashed_is_told() {
    let explanation = oops(PLAIN);
    let title = "BUG: unable to handle kernel NULL pointer dereference in og";
    let levels: Vec<Level> = explanation.levels.iter().map(|level| level.level).collect();
    assert_eq!(
        levels,
        [Level::Class, Level::Title, Level::TopFrames, Level::Stack]
    );
    for LevelExplanation {
        level,
        fingerprint,
        parts,
    } in &explanation.levels
    {
        assert_eq!(*fingerprint, value(*level, parts.iter().map(String::as_str)));
    }
    assert_eq!(explanation.levels[1].parts, ["kernel.oops", title]);
    assert_eq!(
        explanation.levels[1].fingerprint,
        of_title(Class::KernelOops, title)
    );
    assert_eq!(parts(&explanation, Level::TopFrames), ["og", "og_w", "write"]);
    assert_eq!(stack(&explanation), ["og", "og_w", "write"]);
    let loose: Vec<&str> = explanation.loose.iter().map(|key| key.text.as_str()).collect();
    assert_eq!(loose, [title, "bad-access in og", "og < og_w < write"]);
    assert_eq!(
        rules(&explanation, "ksys_write"),
        [(Rule::SyscallPrefix, "ksys_".to_owned())]
    );
    assert_eq!(rules(&explanation, "vfs_write"), [(Rule::Entry, String::new())]);
    assert_eq!(
        rules(&explanation, "og_w"),
        [(Rule::ModuleIgnored, "example".to_owned())]
    );
}

#[test]
fn what_builds_and_machines_change_does_not_count() {
    let plain = oops(PLAIN).fingerprints();
    let others = [
        ("offsets, no module", " og_w+0x7/0x200\n ksys_write+0x6f/0xf0\n"),
        (
            "suffixes",
            " og_w.isra.0.cold+0x1/0x2\n ksys_write.llvm.123456+0x1/0x2\n",
        ),
        (
            "inlined frames",
            " og_inner a.c:2 [inline]\n og_w+0x1/0x2 a.c:3\n vfs_helper a.c:7 [inline]\n ksys_write+0x1/0x2\n",
        ),
        (
            "doubtful frames",
            " ? stale+0x1/0x2\n og_w+0x1/0x2\n ? do_fault+0x1/0x2\n ksys_write+0x1/0x2\n",
        ),
        (
            "arm64",
            " og_w+0x1/0x2\n __arm64_sys_write+0x1/0x2\n invoke_syscall+0x1/0x2\n el0_svc_common.constprop.0+0x1/0x2\n do_el0_svc+0x1/0x2\n el0_svc+0x1/0x2\n el0t_64_sync_handler+0x1/0x2\n el0t_64_sync+0x1/0x2\n",
        ),
        (
            "wrappers",
            " og_w+0x1/0x2\n ksys_write+0x1/0x2\n __do_sys_write+0x1/0x2\n __se_sys_write+0x1/0x2\n __x64_sys_write+0x1/0x2\n x64_sys_call+0x1/0x2\n",
        ),
        (
            "32 bits",
            " og_w+0x1/0x2\n __vfs_write+0x1/0x2\n SyS_write+0x1/0x2\n do_fast_syscall_32+0x1/0x2\n entry_SYSENTER_32+0x1/0x2\n",
        ),
        (
            "recursion",
            " og_w+0x1/0x2\n og_w+0x1/0x2\n og_w+0x1/0x2\n ksys_write+0x1/0x2\n",
        ),
        (
            "instrumentation",
            " og_w+0x1/0x2\n __sanitizer_cov_trace_pc+0x1/0x2\n kasan_check_write+0x1/0x2\n ksys_write+0x1/0x2\n",
        ),
    ];
    for (what, stack) in others {
        assert_eq!(oops(stack).fingerprints(), plain, "{what}");
    }
}

#[test]
fn another_path_is_another_stack() {
    let (one, other) = (oops(PLAIN), oops(" og_w+0x1/0x2\n ksys_read+0x1/0x2\n"));
    let differ = |at: usize| one.levels[at].fingerprint != other.levels[at].fingerprint;
    assert_eq!([0, 1, 2, 3].map(differ), [false, false, true, true]);
    let deep = " a+0x1/0x2\n b+0x1/0x2\n c+0x1/0x2\n";
    let (one, other) = (
        oops(&format!("{deep} d+0x1/0x2\n")),
        oops(&format!("{deep} e+0x1/0x2\n")),
    );
    let differ = |at: usize| one.levels[at].fingerprint != other.levels[at].fingerprint;
    assert_eq!([0, 1, 2, 3].map(differ), [false, false, false, true]);
}

#[test]
fn what_was_interrupted_does_not_count() {
    let timer =
        " call_timer_fn+0x1/0x2\n __run_timers+0x1/0x2\n run_timer_softirq+0x1/0x2\n __do_softirq+0x1/0x2\n";
    let idle = oops(&format!(
        "{timer} irq_exit_rcu+0x1/0x2\n sysvec_apic_timer_interrupt+0x1/0x2\n </IRQ>\n asm_sysvec_apic_timer_interrupt+0x1/0x2\nRIP: 0010:mwait_idle+0x1/0x2\n do_idle+0x1/0x2\n"
    ));
    let thread = oops(&format!(
        "{timer} run_ksoftirqd+0x1/0x2\n smpboot_thread_fn+0x1/0x2\n kthread+0x1/0x2\n ret_from_fork+0x1/0x2\n"
    ));
    assert_eq!(idle.fingerprints(), thread.fingerprints());
    assert_eq!(stack(&idle), ["og"]);
    assert_eq!(rules(&idle, "do_idle"), [(Rule::Interrupted, String::new())]);
}

#[test]
fn only_the_faults_own_stack_counts() {
    let report = parse(
        "BUG: KASAN: slab-use-after-free in memcmp+0x1/0x2\nRead of size 8 at addr ffff888000000000 by task a/77\n\
         Call Trace:\n dump_stack_lvl+0x1/0x2\n print_report+0x1/0x2\n kasan_report+0x1/0x2\n memcmp+0x1/0x2\n example_find+0x3/0x4\n example_open+0x3/0x4\n\
         \nAllocated by task 77:\n kasan_save_stack+0x1/0x2\n example_new+0x1/0x2\n\
         \nFreed by task 78:\n kasan_save_stack+0x1/0x2\n example_drop+0x1/0x2\n",
    );
    let explanation = explain(&report.unwrap());
    assert_eq!(explanation.trace, Some(0));
    assert_eq!(stack(&explanation), ["example_find", "example_open"]);
    assert_eq!(
        rules(&explanation, "print_report"),
        [(Rule::Reporting, String::new())]
    );
    assert_eq!(rules(&explanation, "memcmp"), [(Rule::Helper, String::new())]);
}

#[test]
fn a_stuck_cpu_meets_itself_by_what_was_asked_of_it() {
    let stuck = |above: &str| {
        explain(&parse(&format!(
            "watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [sh:77]\nRIP: 0010:{above}+0x1/0x2\nCall Trace:\n example_spin+0x1/0x2\n \
             example_write+0x1/0x2\n vfs_write+0x1/0x2\n ksys_write+0x1/0x2\n"
        )).unwrap())
    };
    let (one, other) = (stuck("ktime_get"), stuck("example_check"));
    let equal = |at: usize| one.levels[at].fingerprint == other.levels[at].fingerprint;
    assert_eq!([0, 1, 2, 3].map(equal), [true, true, true, false]);
    assert_eq!(parts(&one, Level::TopFrames), ["example_write", "write"]);
    assert_eq!(
        stack(&one),
        ["ktime_get", "example_spin", "example_write", "write"]
    );
    assert_eq!(rules(&one, "ktime_get"), [(Rule::HappenedToBe, String::new())]);
}

#[test]
fn functions_of_every_module_keep_their_module() {
    let loading = |module: &str| {
        oops(&format!(
            " init_module+0x1/0x2 [{module}]\n do_one_initcall+0x1/0x2\n"
        ))
    };
    assert_eq!(stack(&loading("one")), ["og", "init_module [one]"]);
    assert_ne!(loading("one").fingerprints(), loading("two").fingerprints());
}

#[test]
fn a_function_at_fault_deep_in_an_overflown_stack_is_looked_at() {
    let mut report = parse(&format!(
        "kernel BUG at a.c:2!\nRIP: 0010:og+0x1/0x2\nCall Trace:\n{}",
        " deep+0x1/0x2\n".repeat(1_000)
    ))
    .unwrap();
    let choice = report.choice.as_mut().unwrap();
    choice.frame = Some(900);
    let explanation = explain(&report);
    assert_eq!(stack(&explanation), ["deep"]);
    assert!(explanation.frames.len() <= Explanation::FRAMES_MAX);
}

#[test]
fn without_a_stack_there_are_two_levels() {
    let explanation = explain(&parse("Kernel panic - not syncing: VFS: Unable to mount root fs").unwrap());
    assert_eq!((explanation.levels.len(), explanation.trace), (2, None));
}

/// The same module causes the same faults in guests with different kernels.
#[test]
fn a_fault_meets_itself_on_other_kernels() {
    let mut by_fault: BTreeMap<&str, Vec<(&str, Vec<Fingerprint>)>> = BTreeMap::new();
    for (name, log) in SAMPLES.iter() {
        let (kernel, fault) = name.split_once('-').unwrap();
        let first = all(log).into_iter().next().unwrap_or_default();
        by_fault.entry(fault).or_default().push((kernel, first));
    }
    let same_frames = [
        "module-null",
        "module-bug",
        "module-warn",
        "module-gpf",
        "module-atomic",
        "module-alloc",
        "module-soft-lockup",
        "module-rcu-stall",
    ];
    for fault in same_frames {
        let kernels = &by_fault[fault];
        assert!(kernels.len() > 1, "{fault}");
        for (kernel, fingerprints) in kernels {
            assert_eq!(fingerprints.len(), 4, "{fault} on {kernel}");
            assert_eq!(
                fingerprints[..3],
                kernels[0].1[..3],
                "{fault} on {kernel} and {}",
                kernels[0].0
            );
        }
    }
    // Where a stuck CPU happened to be differs; the other stacks are the same down to the system call.
    for fault in [
        "module-null",
        "module-bug",
        "module-warn",
        "module-gpf",
        "module-atomic",
        "module-alloc",
    ] {
        let stacks = by_fault[fault].iter().map(|(_, fingerprints)| fingerprints[3]);
        assert!(
            stacks.clone().all(|stack| Some(stack) == stacks.clone().next()),
            "{fault}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_symbolisers_and_compilers_add_to_a_log_does_not_count(
        which in any::<prop::sample::Index>(),
        noise in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..5), 0..20),
    ) {
        let (name, log) = which.get(&SAMPLES);
        let mut lines: Vec<String> = log.lines().map(str::to_owned).collect();
        for (at, kind) in noise {
            // Inside of a stack: between two frames.
            let is_frame = |line: &String| line.contains("]  ") && line.contains("+0x") && !line.contains("? ");
            let frames: Vec<usize> = (1..lines.len()).filter(|at| is_frame(&lines[*at]) && is_frame(&lines[at - 1])).collect();
            if frames.is_empty() {
                break;
            }
            let at = frames[at.index(frames.len())];
            let (time, frame) = lines[at].split_once("]  ").map(|(time, frame)| (time.to_owned(), frame.to_owned())).unwrap();
            match kind {
                0 => lines.insert(at, format!("{time}]  inlined_here kernel/a.c:12 [inline]")),
                1 => lines.insert(at, format!("{time}]  ? stale_function+0x12/0x34")),
                2 => lines[at] = format!("{time}]  {}", frame.replacen('+', ".isra.0+", 1)),
                3 => lines[at] = format!("{time}]  {}", frame.split('+').next().unwrap().to_owned() + "+0x77/0x3000"),
                _ => lines.insert(at, format!("{time}]  __sanitizer_cov_trace_pc+0x1/0x2")),
            }
        }
        prop_assert_eq!(all(&lines.join("\n")), all(log), "{}", name);
    }

    #[test]
    fn levels_contain_the_coarser_ones(which in any::<prop::sample::Index>()) {
        for found in reports(which.get(&SAMPLES).1.as_bytes()) {
            let explanation = explain(&found.report);
            for pair in explanation.levels.windows(2) {
                prop_assert!(pair[0].level == Level::Class || pair[1].parts.starts_with(&pair[0].parts));
            }
            prop_assert_eq!(explanation.fingerprints(), of_report(&found.report));
        }
    }
}
