//! A crash of a program: its signal and code, a byte each, its name on a line, then frames a line each: symbol, module,
//! build id and offset between tabs.

use faults::crash::{Crash, CrashFrame};
use faults::fingerprint::Explanation;

pub(crate) fn run(bytes: &[u8]) {
    let Some((&[signal, code], text)) = bytes.split_first_chunk() else {
        return;
    };
    let text = String::from_utf8_lossy(text);
    let (program, frames) = text.split_once('\n').unwrap_or((&text, ""));
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
        signal: signal.into(),
        code: (code != 0).then_some(i32::from(code) - 128),
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
}
