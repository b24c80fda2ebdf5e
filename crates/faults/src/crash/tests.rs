use super::*;
use crate::fingerprint::{Level, Rule};
use proptest::prelude::*;

fn crash(signal: u32, code: i32, symbols: &[&str]) -> Crash {
    let frame = |symbol: &&str| CrashFrame {
        symbol: Some((*symbol).to_owned()),
        module: Some("/usr/bin/example".to_owned()),
        offset: Some(0x1234),
        ..CrashFrame::default()
    };
    Crash {
        signal,
        code: Some(code),
        program: "example".to_owned(),
        build_id: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
        frames: symbols.iter().map(frame).collect(),
    }
}

fn at(module: &str, build_id: &str, offset: u64) -> CrashFrame {
    CrashFrame {
        module: Some(module.to_owned()),
        build_id: Some(build_id.to_owned()),
        offset: Some(offset),
        ..CrashFrame::default()
    }
}

/// The functions that the stack level adds.
fn stack(crash: &Crash) -> Vec<String> {
    let explanation = crash.explain();
    let level = explanation
        .levels
        .iter()
        .find(|level| level.level == Level::Stack);
    let parts = level.map(|level| level.parts.clone()).unwrap_or_default();
    let own = parts.iter().position(String::is_empty);
    parts.into_iter().skip(own.map_or(0, |at| at + 1)).collect()
}

/// The values of version 2. When one of them has to change, `fingerprint::VERSION` has to.
#[test]
fn values_of_a_version_stay_what_they_are() {
    assert_eq!(crate::fingerprint::VERSION, 2);
    let crash = crash(
        11,
        1,
        &[
            "_ZN7example5parseEPKc",
            "main",
            "__libc_start_main_impl",
            "_start",
        ],
    );
    let values: Vec<String> = crash.fingerprints().iter().map(ToString::to_string).collect();
    assert_eq!(
        values,
        [
            "50c40a37c44969c04322a749b2d2de81",
            "5303a892136cd3d52e4f3216ac9c9109",
            "60a0e1995a929ac7f2525a944a656af8",
            "1b697e512ad886181c7e5182380224f0"
        ]
    );
}

#[test]
fn how_a_program_ends_itself_does_not_count() {
    let ends: [&[&str]; 6] = [
        &["check", "main"],
        &[
            "__pthread_kill_implementation",
            "__GI_raise",
            "__GI_abort",
            "check.part.0",
            "main",
            "__libc_start_call_main",
            "__libc_start_main@@GLIBC_2.34",
            "_start",
        ],
        &[
            "raise",
            "abort",
            "__assert_fail_base.cold",
            "__GI___assert_fail",
            "check",
            "main",
        ],
        &[
            "pthread_kill@@GLIBC_2.34",
            "raise",
            "abort",
            "__gnu_cxx::__verbose_terminate_handler()",
            "__cxxabiv1::__terminate(void (*)())",
            "std::terminate()",
            "__cxa_throw",
            "check",
            "main",
        ],
        &[
            "__pthread_kill_implementation",
            "raise",
            "abort",
            "std::sys::pal::unix::abort_internal",
            "std::process::abort",
            "rust_panic",
            "_ZN3std9panicking20rust_panic_with_hook17h0123456789abcdefE",
            "rust_begin_unwind",
            "core::panicking::panic_fmt::h0123456789abcdef",
            "core::option::unwrap_failed",
            "check::h0123456789abcdef",
            "main",
        ],
        &["__memmove_avx_unaligned_erms", "check", "main"],
    ];
    let expected = crash(6, -6, ends[0]).fingerprints();
    assert_eq!(expected.len(), 4);
    for symbols in ends {
        let crash = crash(6, -6, symbols);
        assert_eq!(crash.title(), "SIGABRT in example at check", "{symbols:?}");
        assert_eq!(crash.fingerprints(), expected, "{symbols:?}");
    }
}

#[test]
fn names_are_those_of_the_source() {
    let names = [
        "_ZN3app3runENS_3JobE",
        "app::run(app::Job)",
        "app::run(app::Job) const",
        "app::run(void (*)(int), std::vector<int>)",
    ];
    for name in names {
        assert_eq!(stack(&crash(11, 1, &[name])), ["app::run"], "{name}");
    }
    let kept = [
        "app::operator()",
        "app::operator()(int)",
        "app::(anonymous namespace)::run(int)",
        ")",
        "a)",
        "(x)",
    ];
    let expected = [
        "app::operator()",
        "app::operator()",
        "app::(anonymous namespace)::run",
        ")",
        "a)",
        "(x)",
    ];
    assert_eq!(stack(&crash(11, 1, &kept[1..2])), expected[1..2]);
    assert_eq!(stack(&crash(11, 1, &kept[2..])), expected[2..]);
    assert_eq!(
        stack(&crash(11, 1, &["app::run::{closure#3}", "app::run::{{closure}}"])),
        ["app::run::{closure}"]
    );
}

#[test]
fn without_symbols_build_id_and_offset_stand_for_them() {
    let mut one = crash(11, 1, &[]);
    one.frames = vec![
        at("/usr/lib/libexample.so.1", "AABBCCDDEEFF00112233", 0x1f),
        at("/usr/bin/example", "", 0x20),
    ];
    assert_eq!(one.title(), "SIGSEGV in example at libexample.so.1");
    assert_eq!(stack(&one), ["aabbccddeeff0011+0x1f", "0123456789abcdef+0x20"]);
    let mut elsewhere = one.clone();
    elsewhere.frames[0].module = Some("/opt/lib/libexample.so.1".to_owned());
    assert_eq!(elsewhere.fingerprints(), one.fingerprints());
    let mut other_build = one.clone();
    other_build.frames[0].build_id = Some("ff".repeat(20));
    let equal: Vec<bool> = one
        .fingerprints()
        .iter()
        .zip(other_build.fingerprints())
        .map(|(a, b)| *a == b)
        .collect();
    assert_eq!(equal, [true, true, false, false]);
    let mut unknown = one.clone();
    unknown.frames.insert(
        0,
        CrashFrame {
            offset: Some(0),
            ..CrashFrame::default()
        },
    );
    assert_eq!(unknown.fingerprints(), one.fingerprints());
    assert_eq!(unknown.explain().frames[0].rules[0].rule, Rule::Unknown);
}

#[test]
fn a_handler_is_not_the_fault() {
    let handled = crash(
        11,
        1,
        &[
            "raise",
            "abort",
            "on_signal",
            "<signal handler called>",
            "parse",
            "main",
        ],
    );
    assert_eq!(
        handled.fingerprints(),
        crash(11, 1, &["parse", "main"]).fingerprints()
    );
}

#[test]
fn where_the_signal_came_from_shows_in_the_title() {
    let title = |signal, code| crash(signal, code, &["poll", "main"]).title();
    assert_eq!(title(11, 1), "SIGSEGV in example at poll");
    assert_eq!(title(6, 0), "SIGABRT sent to example");
    assert_eq!(title(7, 4), "memory error of the hardware in example at poll");
    assert_eq!(crash(6, 0, &["poll"]).fingerprints().len(), 2);
}

#[test]
fn deep_recursion_is_one_fault_wherever_it_ends() {
    let round = ["visit", "walk", "each"];
    let deep = |from: usize, above: &[&'static str], count: usize| {
        let mut symbols = above.to_vec();
        symbols.extend(round.iter().cycle().skip(from).take(count));
        symbols.extend(["main", "_start"]);
        crash(11, 2, &symbols)
    };
    let one = deep(0, &[], 120);
    assert_eq!(one.title(), "stack overflow in example at each");
    assert_eq!(stack(&one), ["each", "visit", "walk"]);
    for other in [deep(1, &["alloc_node"], 90), deep(2, &["memcpy", "copy"], 4_000)] {
        assert_eq!(other.fingerprints(), one.fingerprints());
    }
    let shallow = deep(0, &[], 30);
    assert_eq!(shallow.title(), "SIGSEGV in example at visit");
    assert_eq!(stack(&crash(11, 1, &["f"; 300])), ["f"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_crash_is_taken(
        signal in any::<u32>(), code in any::<Option<i32>>(), program in "\\PC{0,200}", build_id in "[0-9a-f]{0,40}",
        frames in prop::collection::vec((prop::option::of("(_Z|_R)?\\PC{0,60}|[a-c(): @.]{0,20}"), prop::option::of("\\PC{0,20}"), prop::option::of("\\PC{0,20}"), any::<Option<u64>>(), any::<bool>()), 0..100),
    ) {
        let frames = frames.into_iter().map(|(symbol, module, build_id, offset, inlined)| CrashFrame { symbol, module, build_id, offset, inlined, ..CrashFrame::default() });
        let crash = Crash { signal, code, program, build_id: Some(build_id), frames: frames.collect() };
        let title = crash.title();
        prop_assert!(!title.is_empty() && title.len() <= 120);
        let explanation = crash.explain();
        prop_assert!(explanation.frames.len() <= crate::fingerprint::Explanation::FRAMES_MAX);
        prop_assert_eq!(explanation.fingerprints(), crash.fingerprints());
        for frame in &explanation.frames {
            prop_assert!(frame.name.is_some() || !frame.rules.is_empty());
        }
    }
}
