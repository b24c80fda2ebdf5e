//! A crash of a program: frames a line each, symbol, module, build id and offset between tabs.
#![no_main]

use faults::crash::{Crash, CrashFrame};
use faults::fingerprint::Explanation;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u32, Option<i32>, &str, &str)| {
    let (signal, code, program, frames) = input;
    let frame = |line: &str| {
        let mut fields = line
            .split('\t')
            .map(|field| Some(field.to_owned()).filter(|field| !field.is_empty()));
        let mut next = || fields.next().flatten();
        CrashFrame {
            symbol: next(),
            module: next(),
            build_id: next(),
            offset: next().map(|field| field.len() as u64),
            ..CrashFrame::default()
        }
    };
    let crash = Crash {
        signal,
        code,
        program: program.to_owned(),
        frames: frames.lines().map(frame).collect(),
        ..Crash::default()
    };
    let explanation = crash.explain();
    assert!(crash.title().len() <= 120 && explanation.frames.len() <= Explanation::FRAMES_MAX);
    assert!(
        explanation
            .frames
            .iter()
            .all(|frame| frame.name.is_some() || !frame.rules.is_empty())
    );
    let _ = explanation.to_string();
});
