//! The call traces, with the frame at fault marked.

use std::fmt::Write as _;

use faults::KernelReport;
use faults::report::{CallTrace, Frame, StackContext, TraceKind};

use super::fact;
use crate::output::{Paint, harmless};

/// Frames of a stack that are shown unless all are asked for.
const FRAMES_SHOWN: usize = 16;
/// Stacks that are shown unless all are asked for.
const STACKS_SHOWN: usize = 4;

pub(super) fn write(text: &mut String, report: &KernelReport, paint: Paint, full: bool) {
    let shown = if full { usize::MAX } else { STACKS_SHOWN };
    let choice = report.choice.as_ref();
    for (at, trace) in report.traces.iter().enumerate().take(shown) {
        let guilty = choice
            .filter(|choice| choice.trace == Some(at))
            .and_then(|choice| choice.frame);
        let heading = heading(trace, paint);
        let stack = stack(&trace.frames, guilty, paint, full);
        fact(text, paint, "call trace", &format!("{heading}{stack}"));
    }
    if let Some(more) = report.traces.len().checked_sub(shown).filter(|more| *more > 0) {
        let more = format!("{more} more stacks (--full shows them)");
        fact(text, paint, "", &paint.faint(&more));
    }
}

/// What the stack is of, unless it is simply that of the fault.
fn heading(trace: &CallTrace, paint: Paint) -> String {
    let heading = match trace.kind {
        TraceKind::Fault => return String::new(),
        TraceKind::Other if matches!(trace.label.as_str(), "" | "Call Trace") => return String::new(),
        TraceKind::Other => harmless(&trace.label).into_owned(),
        kind => kind.meaning().to_owned(),
    };
    let by = match (trace.pid, trace.cpu) {
        (Some(pid), _) => format!(", by pid {pid}"),
        (None, Some(cpu)) => format!(", on CPU {cpu}"),
        (None, None) => String::new(),
    };
    format!("{}\n", paint.bold(&format!("{heading}{by}:")))
}

fn stack(frames: &[Frame], guilty: Option<usize>, paint: Paint, full: bool) -> String {
    // Stale addresses are of no use to most, unless there is nothing else.
    let sure = frames.iter().any(|frame| frame.reliable);
    let wanted = |(at, frame): &(usize, &Frame)| full || !sure || frame.reliable || guilty == Some(*at);
    let wanted: Vec<(usize, &Frame)> = frames.iter().enumerate().filter(wanted).collect();
    let shown = if full {
        usize::MAX
    } else {
        let guilty = wanted.iter().position(|(at, _)| guilty == Some(*at));
        FRAMES_SHOWN.max(guilty.map_or(0, |at| at + 2))
    };
    let mut text = String::new();
    let mut context = None;
    for (at, frame) in wanted.iter().take(shown) {
        if frame.context != context {
            context = frame.context;
            text.push_str(&on_stack(context, paint));
        }
        let line = line(frame);
        // Writing to a String cannot fail.
        let _infallible = if guilty == Some(*at) {
            writeln!(text, "{}", paint.mark(&format!("> {line}")))
        } else if frame.reliable {
            writeln!(text, "  {line}")
        } else {
            writeln!(text, "{}", paint.faint(&format!("  {line}")))
        };
    }
    let more = wanted.len().saturating_sub(shown);
    let unsure = frames.len() - wanted.len();
    let hidden = match (more, unsure) {
        (0, 0) => return text,
        (more, 0) => format!("{more} more"),
        (0, unsure) => format!("{unsure} unsure"),
        (more, unsure) => format!("{more} more, {unsure} unsure"),
    };
    let _infallible = writeln!(
        text,
        "  {}",
        paint.faint(&format!("... {hidden} left out (--full)"))
    );
    text
}

/// The stack that the next frames were on; the task's own goes without saying.
fn on_stack(context: Option<StackContext>, paint: Paint) -> String {
    match context {
        None | Some(StackContext::Task) => String::new(),
        Some(context) => format!("  {}\n", paint.faint(&format!("in {}:", context.meaning()))),
    }
}

fn line(frame: &Frame) -> String {
    let mut line = harmless(&frame.function).into_owned();
    // Writing to a String cannot fail.
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
