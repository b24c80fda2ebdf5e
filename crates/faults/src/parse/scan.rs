//! One pass over a report's lines: where its stacks are and what frames they have.

use super::frame::{self, RawFrame};
use super::pattern;
use crate::bytes::position;
use crate::report::StackContext;
use std::ops::Range;

/// Frames that are looked at in one report; a report of the kernel has far fewer.
const FRAMES_MAX: usize = 4096;

/// A report's text in lines, with its stacks.
#[derive(Debug)]
pub(crate) struct Scan<'t> {
    text: &'t str,
    pub(crate) lines: Vec<&'t str>,
    pub(crate) items: Vec<Item<'t>>,
    /// Lines that say what the frames below are of, which are no heads of stacks where a function is chosen.
    pub(crate) headings: Vec<(usize, &'t str)>,
    /// Lines from which on frames are on another stack (`<IRQ>`); `None` behind its end (`</IRQ>`).
    pub(crate) contexts: Vec<(usize, Option<StackContext>)>,
    /// The line of the last frame.
    last_frame: Option<usize>,
    /// The line of the first end marker; the number of lines when there is none.
    pub(crate) end: usize,
}

/// Something that belongs to a stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item<'t> {
    /// Index of the line.
    pub(crate) line: usize,
    pub(crate) what: What<'t>,
}

/// What an [`Item`] is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum What<'t> {
    /// The head of a stack, with its label.
    Stack(&'t str),
    /// A frame of the stack before it.
    Frame(RawFrame<'t>),
    /// The instruction pointer; `None` when it is in no known function.
    Pointer(Option<RawFrame<'t>>),
}

impl<'t> Scan<'t> {
    /// Whether a frame comes after a line.
    pub(crate) fn has_frame_after(&self, line: usize) -> bool {
        self.last_frame.is_some_and(|last| last > line)
    }

    /// Whether the text is there somewhere.
    pub(crate) fn says(&self, what: &str) -> bool {
        memchr::memmem::find(self.text.as_bytes(), what.as_bytes()).is_some()
    }

    /// Where a piece of the text is in it; a piece that is not of it has no place that matters.
    pub(crate) fn offset_of(&self, piece: &str) -> usize {
        piece.as_ptr().addr().wrapping_sub(self.text.as_ptr().addr())
    }

    /// The bytes of a line, line end not included.
    pub(crate) fn range_of(&self, line: usize) -> Range<usize> {
        let line = self.lines.get(line).copied().unwrap_or_default();
        let start = self.offset_of(line);
        start..start + line.len()
    }

    /// Reads all lines.
    pub(crate) fn new(text: &'t str) -> Self {
        let lines: Vec<&str> = text.lines().collect();
        let mut items: Vec<Item<'_>> = Vec::new();
        let mut headings = Vec::new();
        let mut contexts = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            if items.len() >= FRAMES_MAX {
                break;
            }
            contexts.extend(mark(line).map(|name| (index, context(name))));
            let Some((frame, caller)) = frame::line(line) else {
                if let Some(what) = head_or_pointer(line) {
                    items.push(Item { line: index, what });
                } else {
                    headings.extend(heading(line).map(|label| (index, label)));
                }
                continue;
            };
            let known = matches!(items.last(), Some(Item { what: What::Frame(last), .. })
                if frame.offset.is_none() && frame.function == last.function);
            let own = Some(frame).filter(|_| !known);
            items.extend(own.into_iter().chain(caller).map(|frame| Item {
                line: index,
                what: What::Frame(frame),
            }));
        }
        let is_end = |line: &&str| line.trim_start().starts_with("---[ end trace");
        let end = lines.iter().position(is_end).unwrap_or(lines.len());
        let is_frame = |item: &&Item<'_>| matches!(item.what, What::Frame(_));
        let last_frame = items.iter().rfind(is_frame).map(|item| item.line);
        // Before 3.10 kernels without frame pointers marked every frame: then the mark tells nothing.
        if lines.iter().any(|line| line.starts_with("Pid: ")) {
            trust_the_doubtful(&mut items);
        }
        Self {
            text,
            lines,
            items,
            headings,
            contexts,
            last_frame,
            end,
        }
    }
}

/// Takes the mark of doubt off when all frames have it.
fn trust_the_doubtful(items: &mut [Item<'_>]) {
    let is_reliable = |item: &Item<'_>| matches!(item.what, What::Frame(frame) if frame.reliable);
    if items.iter().any(is_reliable) {
        return;
    }
    for item in items {
        if let What::Frame(frame) = &mut item.what {
            frame.reliable = true;
        }
    }
}

/// What a line contributes to a stack.
pub(crate) fn item(line: &str) -> Option<What<'_>> {
    if let Some((frame, _)) = frame::line(line) {
        return Some(What::Frame(frame));
    }
    head_or_pointer(line)
}

fn head_or_pointer(line: &str) -> Option<What<'_>> {
    stack_label(line).map(What::Stack).or_else(|| pointer(line))
}

/// The mark of a stack at the front of a line (`<IRQ>`, `</IRQ>`), alone or, before 4.10, before a frame.
fn mark(line: &str) -> Option<&str> {
    let (name, _) = line.trim_start().strip_prefix('<')?.split_once('>')?;
    let is_mark = name.starts_with('/') || name == "EOI" || context(name).is_some();
    is_mark.then_some(name)
}

/// The stack that a mark says the next frames are on.
fn context(name: &str) -> Option<StackContext> {
    Some(match name.trim_start_matches('#') {
        "TASK" | "EOI" => StackContext::Task,
        "IRQ" => StackContext::Irq,
        "SOFTIRQ" => StackContext::Softirq,
        "NMI" => StackContext::Nmi,
        "DF" => StackContext::DoubleFault,
        "DB" => StackContext::Debug,
        "MC" => StackContext::MachineCheck,
        "VC" | "VC2" => StackContext::Vmm,
        "ENTRY_TRAMPOLINE" | "SYSENTER" => StackContext::Entry,
        _ => return None,
    })
}

/// `Uninit was created at:`, `write to 0xffff888000000040 of 8 bytes by task 77 on cpu 1:`, `-> #1 (&x){+.+.}-{3:3}:`,
/// `INITIAL USE at:`, `task:sh state:D stack:0 pid:77`, ...
fn heading(line: &str) -> Option<&str> {
    const STARTS: [&str; 13] = [
        "Uninit was ",
        "Local variable ",
        "write to 0x",
        "write (",
        "read to 0x",
        "read-write ",
        "read (",
        "assert no ",
        "race at unknown origin",
        "Allocated in ",
        "Freed in ",
        "Task dump for CPU",
        "task:",
    ];
    let line = line.trim();
    let is_start = line.starts_with(['U', 'L', 'w', 'r', 'a', 'A', 'F', 'T', 't', 'I'])
        && STARTS
            .iter()
            .any(|start| line.strip_prefix("INFO: ").unwrap_or(line).starts_with(start));
    // Of the lock validator; and the object on a task's stack (KASAN), whose frame is none of a call.
    let is_end = line.ends_with(" at:")
        || line.ends_with("in frame:")
        || line.starts_with("-> #") && line.ends_with(':');
    (is_start || is_end).then(|| line.trim_end_matches(':'))
}

/// `Call Trace:`, `Backtrace: `, `Allocated by task 77:`, `Freed by task 77 on cpu 1 at 60.8s:`, ...
pub(crate) fn stack_label(line: &str) -> Option<&str> {
    const LABELS: [&str; 16] = [
        "Call Trace:",
        "Call trace:",
        "Backtrace:",
        "backtrace:",
        "backtrace (",
        "Allocated by ",
        "Allocated:",
        "Freed by ",
        "Freed:",
        "allocated by ",
        "freed by ",
        "page last ",
        "Last potentially related work creation:",
        "Second to last potentially related work creation:",
        "NMI backtrace for cpu",
        "Last Breaking-Event-Address:",
    ];
    let line = line.trim();
    // Most lines end the search here.
    if !line.ends_with(':') && !line.starts_with(['A', 'B', 'C', 'F', 'L', 'N', 'S', 'a', 'b', 'f', 'p']) {
        return None;
    }
    if line.ends_with("Call Trace:") {
        return Some("Call Trace");
    }
    LABELS.iter().any(|label| line.starts_with(label)).then_some(())?;
    let end = line
        .find([':', '('])
        .or_else(|| line.find(" via order"))
        .unwrap_or(line.len());
    line.get(..end).map(str::trim_end)
}

/// The instruction pointer of the kernel, in each architecture's form.
fn pointer(line: &str) -> Option<What<'_>> {
    const MARKS: [&str; 16] = [
        "RIP: ",
        "IP: ",
        "EIP is at ",
        "EIP: ",
        "pc is at ",
        "ip is at ",
        "TPC: <",
        "IAOQ[0]: ",
        "ERA: ",
        "pc : ",
        "PC is at ",
        "epc : ",
        "NIP [",
        "Krnl PSW : ",
        "epc   : ",
        "pc: ",
    ];
    let line = line.trim_start();
    if !line.starts_with(['R', 'I', 'E', 'p', 'P', 'e', 'N', 'K', 'T', 'i']) {
        return None;
    }
    let mark = MARKS.iter().find(|mark| line.starts_with(**mark))?;
    let rest = line.get(mark.len()..)?;
    if rest.starts_with("0033:") || rest.starts_with("0023:") || rest.starts_with("002b:") {
        return None;
    }
    let found = symbol_in(rest);
    // i386 has a line with the address alone, and once more one at the end.
    let is_i386 = |text: &str| mark.starts_with("EIP: ") && rest.contains(text);
    if is_i386(" SS:ESP ") || found.is_none() && (is_i386("EFLAGS: ") || is_i386("ainted")) {
        return None;
    }
    Some(What::Pointer(found))
}

/// The first word of `text` that is a function with an offset.
fn symbol_in(text: &str) -> Option<RawFrame<'_>> {
    let at = position(text.as_bytes(), b"+0x")?;
    let before = text.get(..at)?;
    let start = before.rfind([' ', ':', '(', ']']).map_or(0, |at| at + 1);
    // A Rust path holds colons and spaces: it begins at its `<` or at the word's start.
    let start = match before.find('<') {
        Some(open) if !before.get(open..)?.starts_with("<ffff") && open < start && before.contains(">::") => {
            open
        }
        _ => start,
    };
    let word = text.get(start..)?;
    pattern::symbol_length(word)?;
    let (mut found, after) = frame::symbol(word)?;
    found.module = before.get(..start).and_then(frame::module_before);
    frame::trailer(after.trim_start_matches([')', '>']).trim(), &mut found);
    Some(found)
}
