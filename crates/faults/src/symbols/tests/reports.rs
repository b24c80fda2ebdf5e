//! Reports that get lines.

use super::*;
use crate::{Frame, KernelReport, fingerprint};
use programs::Workshop;

/// A report of a fault in the module, called from the kernel.
fn report(kernel: &File, module: &File) -> KernelReport {
    let place = |file: &File, function: &str, label: &str, distance: u64| {
        let offset = address(file, label) + distance - address(file, function);
        format!("{function}+{offset:#x}/{:#x}", size(file, function))
    };
    let text = format!(
        "BUG: kernel NULL pointer dereference, address: 0000000000000008\n\
         CPU: 1 PID: 77 Comm: test Not tainted 6.1.0-test #1\n\
         RIP: 0010:{} [test_module]\n\
         Call Trace:\n \
         {} [test_module]\n \
         missing+0x10/0x20 [other]\n \
         {}\n \
         ? main+0x3/0x1000\n",
        place(module, "outer", "mark", 0),
        place(module, "starter", "mark_init", 1),
        place(kernel, "outer", "mark", 1),
    );
    crate::parse(&text).unwrap()
}

fn files(test: &str) -> Option<(File, File)> {
    let workshop = Workshop::new();
    let kernel = File::read(program(&workshop, test, &[])?).unwrap();
    Some((kernel, File::read(module(&workshop, test, &[])?).unwrap()))
}

/// `function location [inline]` of each frame.
fn shown(frames: &[Frame]) -> Vec<String> {
    let show = |frame: &Frame| {
        let mark = if frame.inlined { " [inline]" } else { "" };
        format!(
            "{} {}{mark}",
            frame.function,
            frame.location.as_deref().unwrap_or("-")
        )
    };
    frames.iter().map(show).collect()
}

#[test]
fn frames_get_lines_and_inlined_frames_and_the_fingerprint_stays() {
    let Some((kernel, module)) = files("symbols: reports") else {
        return;
    };
    let mut report = report(&kernel, &module);
    let before = report.clone();
    let mut symbols = Symbols::new(SymbolsLimits::default());
    assert_eq!((symbols.add(kernel), symbols.add(module)), (0, 0));
    let resolved = symbols.resolve(&mut report);
    let source = format!("{INLINED}{MODULE}");
    let at = |name: &str| line(&source, name);
    assert_eq!(
        shown(&report.traces[0].frames),
        [
            format!("inner module.o.c:{} [inline]", at("inner")),
            format!("middle module.o.c:{} [inline]", at("middle")),
            format!("outer module.o.c:{}", at("outer")),
            format!("set module.o.c:{} [inline]", at("set")),
            format!("starter module.o.c:{}", at("starter")),
            "missing -".to_owned(),
            format!("inner program.c:{} [inline]", at("inner")),
            format!("middle program.c:{} [inline]", at("middle")),
            format!("outer program.c:{}", at("outer")),
            "main -".to_owned(),
        ]
    );
    assert_eq!(resolved.located, 3);
    let why: Vec<(&str, &Why)> = resolved
        .problems
        .iter()
        .map(|problem| (problem.function.as_str(), &problem.why))
        .collect();
    assert_eq!(why.len(), 2);
    assert_eq!(why[0], ("missing", &Why::NoFile));
    assert!(
        matches!(
            why[1],
            (
                "main",
                Why::OtherBuild {
                    printed: Some(0x1000),
                    ..
                }
            )
        ),
        "{why:?}"
    );
    // The function at fault is the same frame as before, which inlined ones now precede.
    let chosen = report.choice.as_ref().and_then(|choice| choice.frame);
    assert_eq!(
        chosen.map(|frame| report.traces[0].frames[frame].function.as_str()),
        Some("outer")
    );
    assert_eq!(
        (&report.title, &report.function),
        (&before.title, &before.function)
    );
    assert_eq!(fingerprint::of_report(&report), fingerprint::of_report(&before));
    // A second time there is nothing left to do.
    let again = report.clone();
    assert_eq!(symbols.resolve(&mut report).located, 0);
    assert_eq!(report, again);
}

#[test]
fn files_of_another_release_or_build_are_not_used() {
    let Some((kernel, module)) = files("symbols: releases") else {
        return;
    };
    let of_kernel = report(&kernel, &module);
    let mut symbols = Symbols::new(SymbolsLimits::default());
    symbols.add(kernel);
    symbols.add(module);
    let mut report = of_kernel.clone();
    report.kernel_release = Some("6.2.0".to_owned());
    let resolved = symbols.resolve(&mut report);
    let other = Why::OtherRelease {
        release: "6.1.0-test".to_owned(),
    };
    assert_eq!((resolved.located, &resolved.problems[0].why), (0, &other));
    let mut report = of_kernel.clone();
    for frame in &mut report.traces[0].frames {
        frame.build_id = Some("ab".repeat(20));
    }
    let resolved = symbols.resolve(&mut report);
    assert_eq!(resolved.located, 0);
    assert!(
        matches!(resolved.problems[0].why, Why::OtherBuildId { .. } | Why::NoFile),
        "{resolved:?}"
    );
    assert_eq!(
        fingerprint::of_report(&report),
        fingerprint::of_report(&of_kernel)
    );
}

#[test]
fn the_file_used_longest_ago_is_dropped() {
    let test = "symbols: limits";
    let workshop = Workshop::new();
    let mut symbols = Symbols::new(SymbolsLimits {
        files: 2,
        bytes: usize::MAX,
    });
    let mut ids = Vec::new();
    for name in ["one", "two", "three"] {
        let source = format!("{INLINED}{MAIN}int {name};");
        let Some(bytes) = workshop.compile(test, name, &source, &[]) else {
            return;
        };
        let file = File::read(bytes).unwrap();
        ids.push(file.build_id().unwrap().clone());
        let dropped = symbols.add(file);
        assert_eq!(dropped, usize::from(name == "three"));
        assert!(symbols.by_build_id(&ids[0]).is_some());
    }
    assert!(symbols.by_build_id(&ids[1]).is_none() && symbols.by_build_id(&ids[2]).is_some());
    // One file that is too large alone stays: there is nothing to answer with otherwise.
    let mut symbols = Symbols::new(SymbolsLimits { files: 2, bytes: 1 });
    for name in ["one", "two"] {
        symbols.add(File::read(workshop.read(name)).unwrap());
    }
    assert_eq!(symbols.len(), 1);
    assert!(symbols.memory() > 1);
}

#[test]
fn frames_of_a_crashed_program_get_functions_and_lines() {
    use crate::crash::{Crash, CrashFrame};
    let test = "symbols: crashes";
    let workshop = Workshop::new();
    // One that is loaded anywhere, and one that is linked to a place.
    for flags in [["-fPIE", "-pie"], ["-fno-pie", "-no-pie"]] {
        let Some(bytes) = program(&workshop, test, &flags) else {
            return;
        };
        let file = File::read(bytes).unwrap();
        let build_id = file.build_id().map(ToString::to_string);
        let frame = |label: &str, distance: u64| CrashFrame {
            build_id: build_id.clone(),
            module: Some("program".to_owned()),
            offset: Some(address(&file, label) + distance - file.address_from_start(0)),
            ..CrashFrame::default()
        };
        let unknown = CrashFrame {
            build_id: Some("ab".repeat(20)),
            offset: Some(0x1234),
            ..CrashFrame::default()
        };
        let frames = vec![frame("mark", 0), frame("mark", 1), unknown];
        let mut crash = Crash {
            signal: 11,
            program: "program".to_owned(),
            frames,
            ..Crash::default()
        };
        let mut symbols = Symbols::new(SymbolsLimits::default());
        symbols.add(file);
        let resolved = symbols.resolve_crash(&mut crash);
        let shown: Vec<(Option<&str>, Option<&str>, bool)> = crash
            .frames
            .iter()
            .map(|frame| (frame.symbol.as_deref(), frame.location.as_deref(), frame.inlined))
            .collect();
        let once: Vec<SourceFrame> = chain("program.c");
        let locations: Vec<String> = once.iter().map(|frame| frame.location().unwrap()).collect();
        let mut wanted = Vec::new();
        for _ in 0..2 {
            for (frame, location) in once.iter().zip(&locations) {
                wanted.push((frame.function.as_deref(), Some(location.as_str()), frame.inlined));
            }
        }
        wanted.push((None, None, false));
        assert_eq!(shown, wanted, "{flags:?}");
        assert_eq!(resolved.located, 2);
        assert_eq!(
            (resolved.problems[0].function.as_str(), &resolved.problems[0].why),
            ("+0x1234", &Why::NoFile)
        );
        assert_eq!(crash.title(), "SIGSEGV in program at outer");
    }
}
