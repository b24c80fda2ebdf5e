//! The call traces, with the frame at fault marked.

use std::fmt::Write as _;

use faults::{CallTrace, Frame, KernelReport, fingerprint};

use super::fact;
use crate::output::{Paint, harmless};

/// Frames of a stack that are shown unless all are asked for.
const FRAMES_SHOWN: usize = 16;
/// Stacks that are shown unless all are asked for.
const STACKS_SHOWN: usize = 4;

pub(super) fn write(text: &mut String, report: &KernelReport, paint: Paint, full: bool) {
    let shown = if full { usize::MAX } else { STACKS_SHOWN };
    let mut guilty = report.function.as_deref();
    for trace in report.traces.iter().take(shown) {
        let stack = stack(trace, &mut guilty, paint, full);
        let label = if trace.label.is_empty() {
            "stack"
        } else {
            "call trace"
        };
        let heading = match trace.label.as_str() {
            "" | "Call Trace" | "Call trace" => String::new(),
            other => format!("{}\n", paint.bold(&harmless(other))),
        };
        fact(text, paint, label, &format!("{heading}{stack}"));
    }
    if let Some(more) = report.traces.len().checked_sub(shown).filter(|more| *more > 0) {
        fact(
            text,
            paint,
            "",
            &paint.faint(&format!("{more} more stacks (--full shows them)")),
        );
    }
}

/// Marks the first frame of the function at fault, in whichever stack it is.
fn stack(trace: &CallTrace, guilty: &mut Option<&str>, paint: Paint, full: bool) -> String {
    let frames = &trace.frames;
    let at_fault = guilty.and_then(|function| frames.iter().position(|frame| is_of(frame, function)));
    if at_fault.is_some() {
        *guilty = None;
    }
    let shown = if full {
        usize::MAX
    } else {
        FRAMES_SHOWN.max(at_fault.map_or(0, |at| at + 2))
    };
    let mut text = String::new();
    for (at, frame) in frames.iter().enumerate().take(shown) {
        let line = line(frame);
        // Writing to a String cannot fail.
        let _infallible = if at_fault == Some(at) {
            writeln!(text, "{}", paint.mark(&format!("> {line}")))
        } else if frame.reliable {
            writeln!(text, "  {line}")
        } else {
            writeln!(text, "{}", paint.faint(&format!("  {line}")))
        };
    }
    if let Some(more) = frames.len().checked_sub(shown).filter(|more| *more > 0) {
        let more = paint.faint(&format!("  {more} more frames (--full shows them)"));
        let _infallible = writeln!(text, "{more}");
    }
    text
}

fn is_of(frame: &Frame, function: &str) -> bool {
    let base = fingerprint::base_name(&frame.function);
    base == function
        || base
            .strip_suffix(function)
            .is_some_and(|prefix| prefix.ends_with("sys_"))
}

fn line(frame: &Frame) -> String {
    let mut line = harmless(&frame.function).into_owned();
    if let (Some(offset), Some(size)) = (frame.offset, frame.size) {
        let _infallible = write!(line, "+{offset:#x}/{size:#x}");
    }
    if let Some(module) = &frame.module {
        let _infallible = write!(line, " [{}]", harmless(module));
    }
    if let Some(location) = &frame.location {
        let _infallible = write!(line, " {}", harmless(location));
    }
    if frame.inlined {
        line.push_str(" (inlined)");
    }
    if !frame.reliable {
        line.push_str(" (unsure)");
    }
    line
}
