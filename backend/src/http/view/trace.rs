//! Call traces as tables.

use proto::v1::{CallTrace, Frame, KernelReport, Record, ResolveFaultResponse, record::Payload};

use super::shown::name;

/// A call trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Trace {
    pub(in crate::http) heading: String,
    /// `12 frames, 3 of them guessed`.
    pub(in crate::http) size: String,
    /// What the column of offsets is called.
    pub(in crate::http) place: &'static str,
    /// What the column of what holds the function is called.
    pub(in crate::http) holder: &'static str,
    pub(in crate::http) frames: Vec<TraceRow>,
    /// Whether any frame is in a module.
    pub(in crate::http) modular: bool,
    /// Whether any frame has a source location.
    pub(in crate::http) located: bool,
}

/// One frame of a call trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct TraceRow {
    pub(in crate::http) number: usize,
    pub(in crate::http) function: String,
    /// `+0x12/0x80`.
    pub(in crate::http) offset: String,
    pub(in crate::http) module: String,
    /// Where in the sources, for rows.
    pub(in crate::http) location: String,
    /// The same as it was told; empty: all of it is shown.
    pub(in crate::http) whole_location: String,
    /// Names of style classes.
    pub(in crate::http) style: &'static str,
    /// What is special about it, each a word and its explanation.
    pub(in crate::http) hints: Vec<(&'static str, &'static str)>,
}

/// The call traces of a report, the function at fault marked.
pub(super) fn traces(report: &KernelReport) -> Vec<Trace> {
    let mut traces: Vec<Trace> = report.traces.iter().map(trace).collect();
    mark_function(&mut traces, &report.function);
    traces
}

/// The stacks of a record with what debug files say of them, the function at fault marked.
pub(super) fn resolved(stacks: &ResolveFaultResponse, record: &Record) -> Vec<Trace> {
    let mut traces: Vec<Trace> = stacks.traces.iter().map(trace).collect();
    match &record.payload {
        Some(Payload::KernelReport(report)) => mark_function(&mut traces, &report.function),
        // Of a program it is where it was when it died.
        Some(Payload::ProgramCrash(_)) => {
            for trace in &mut traces {
                (trace.place, trace.holder) = ("Offset", "File");
            }
            let first = traces.first_mut().and_then(|trace| trace.frames.first_mut());
            first.into_iter().for_each(mark);
        }
        _ => {}
    }
    traces
}

/// The kernel's stack where a hook ran; `None` when it was not taken.
pub(super) fn context(frames: &[Frame]) -> Option<Trace> {
    let taken = CallTrace {
        heading: "Kernel stack where it was caught".to_owned(),
        frames: frames.to_vec(),
    };
    (!frames.is_empty()).then(|| trace(&taken))
}

fn trace(trace: &CallTrace) -> Trace {
    let guessed = trace.frames.iter().filter(|frame| !frame.reliable).count();
    let size = match (trace.frames.len(), guessed) {
        (1, 0) => "1 frame".into(),
        (frames, 0) => format!("{frames} frames"),
        (frames, guessed) => format!("{frames} frames, {guessed} of them guessed by the unwinder"),
    };
    let rows = trace
        .frames
        .iter()
        .enumerate()
        .map(|(index, frame)| trace_row(index, frame))
        .collect();
    Trace {
        heading: if trace.heading.is_empty() {
            "Call trace".into()
        } else {
            trace.heading.clone()
        },
        size,
        place: "Offset/size",
        holder: "Module",
        frames: rows,
        modular: trace.frames.iter().any(|frame| !frame.module.is_empty()),
        located: trace.frames.iter().any(|frame| !frame.location.is_empty()),
    }
}

fn trace_row(index: usize, frame: &Frame) -> TraceRow {
    let mut hints = Vec::new();
    if !frame.reliable {
        hints.push((
            "?",
            "The unwinder is not sure of this frame: it was found on the stack only",
        ));
    }
    if frame.inlined {
        hints.push(("inline", "The compiler inlined this function"));
    }
    let offset = match (frame.offset, frame.size) {
        (0, 0) => String::new(),
        (offset, 0) => format!("+{offset:#x}"),
        (offset, size) => format!("+{offset:#x}/{size:#x}"),
    };
    let in_tree = in_tree(&frame.location);
    TraceRow {
        number: index + 1,
        function: name(&frame.function),
        offset,
        module: name(&frame.module),
        location: name(in_tree),
        whole_location: if in_tree == frame.location {
            String::new()
        } else {
            name(&frame.location)
        },
        style: if frame.reliable { "" } else { "guess" },
        hints,
    }
}

/// The place in the sources of a kernel, without the directory that it was built in: `/build/…/linux-6.1/`.
fn in_tree(location: &str) -> &str {
    let inside = location.rsplit_once("/linux-").and_then(|(_, tree)| {
        let versioned = tree.starts_with(|character: char| character.is_ascii_digit());
        tree.split_once('/').filter(|_| versioned)
    });
    inside.map_or(location, |(_, inside)| inside)
}

/// Marks the innermost frame of the function at fault, one that the unwinder is sure of if there is one.
fn mark_function(traces: &mut [Trace], function: &str) {
    let mut rows: Vec<&mut TraceRow> = traces.iter_mut().flat_map(|trace| &mut trace.frames).collect();
    let named = |row: &&mut TraceRow| !function.is_empty() && row.function == function;
    let sure = rows.iter().position(|row| named(row) && row.style.is_empty());
    let Some(at) = sure.or_else(|| rows.iter().position(named)) else {
        return;
    };
    mark(rows[at]);
}

fn mark(row: &mut TraceRow) {
    row.style = "at-fault";
    row.hints.push(("at fault", "Where it failed, as far as is told"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, reliable: bool) -> Frame {
        Frame {
            function: function.to_owned(),
            reliable,
            ..Frame::default()
        }
    }

    fn styles(function: &str) -> Vec<&'static str> {
        let frames = vec![
            frame("guessed", false),
            frame("both", false),
            frame("both", true),
            frame("both", true),
        ];
        let report = KernelReport {
            function: function.to_owned(),
            traces: vec![CallTrace {
                heading: String::new(),
                frames,
            }],
            ..KernelReport::default()
        };
        traces(&report)[0]
            .frames
            .iter()
            .map(|frame| frame.style)
            .collect()
    }

    #[test]
    fn sources_of_a_kernel_are_named_from_the_top_of_their_tree() {
        for (location, shown) in [
            (
                "/build/reproducible-path/linux-6.1.119/fs/read_write.c:582",
                "fs/read_write.c:582",
            ),
            (
                "/build/linux-6.12/linux-6.12.9/./include/linux/fs.h:1",
                "./include/linux/fs.h:1",
            ),
            ("include/linux-headers/fs.h:1", "include/linux-headers/fs.h:1"),
            (
                "/build/glibc-2.36/malloc/malloc.c:3",
                "/build/glibc-2.36/malloc/malloc.c:3",
            ),
            ("fs/open.c:7", "fs/open.c:7"),
        ] {
            assert_eq!(in_tree(location), shown);
        }
    }

    #[test]
    fn the_innermost_sure_frame_of_the_function_is_marked() {
        assert_eq!(styles("both"), ["guess", "guess", "at-fault", ""]);
        assert_eq!(styles("guessed"), ["at-fault", "guess", "", ""]);
        assert_eq!(styles("elsewhere"), ["guess", "guess", "", ""]);
        assert_eq!(styles(""), ["guess", "guess", "", ""]);
    }
}
