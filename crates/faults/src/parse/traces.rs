//! The stacks of a report: what each is of, its frames, and where they are in the text.

use super::frame::RawFrame;
use super::pattern::find;
use super::scan::{Scan, What};
use crate::report::{CallTrace, Frame, StackContext, TraceKind};

/// Stacks kept of one report.
const TRACES_MAX: usize = 64;

/// How the lines begin that say what the stack below is of, besides those that are only `Call Trace` or the like.
const LABELS: [(&str, TraceKind); 22] = [
    // mm/kasan/report.c, mm/kfence/report.c, mm/slub.c
    ("Allocated", TraceKind::Allocated),
    ("allocated by", TraceKind::Allocated),
    ("Freed", TraceKind::Freed),
    ("freed by", TraceKind::Freed),
    ("Last potentially related", TraceKind::RelatedWork),
    ("Second to last potentially", TraceKind::EarlierRelatedWork),
    // mm/page_owner.c
    ("page last allocated", TraceKind::PageAllocated),
    ("page last free", TraceKind::PageFreed),
    // mm/kmsan/report.c
    ("Uninit was created", TraceKind::UninitCreated),
    ("Uninit was stored", TraceKind::UninitStored),
    ("Local variable ", TraceKind::UninitCreated),
    // kernel/kcsan/report.c
    ("write to 0x", TraceKind::Racing),
    ("write (", TraceKind::Racing),
    ("read to 0x", TraceKind::Racing),
    ("read-write ", TraceKind::Racing),
    ("read (", TraceKind::Racing),
    ("assert no ", TraceKind::Racing),
    ("race at unknown origin", TraceKind::Racing),
    // lib/nmi_backtrace.c, kernel/sched/core.c
    ("NMI backtrace for cpu", TraceKind::OtherCpu),
    ("Task dump for CPU", TraceKind::OtherCpu),
    ("task:", TraceKind::OtherTask),
    // kernel/locking/lockdep.c
    ("-> #", TraceKind::LockTaken),
];

/// All stacks with frames.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    pub(crate) all: Vec<CallTrace>,
    /// Every frame that is in a stack.
    frames: Vec<Placed>,
    /// The lines of stacks: number of the line, index of the stack; in order.
    pub(crate) lines: Vec<(usize, usize)>,
}

/// Where a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Offset of the function's name in the text.
    at: usize,
    pub(crate) line: usize,
    pub(crate) trace: usize,
    pub(crate) frame: usize,
}

impl Traces {
    /// Reads all stacks. The instruction pointer before a call trace is its innermost frame; one inside of it is what an
    /// interrupt or a fault hit. After the end marker the kernel prints the pointer once more.
    pub(crate) fn read(scan: &Scan<'_>, is_leak: bool) -> Self {
        let mut builder = Builder::new(scan, is_leak);
        let mut headings = scan.headings.iter().peekable();
        let mut contexts = scan.contexts.iter().peekable();
        for item in &scan.items {
            while let Some((line, label)) = headings.next_if(|(line, _)| *line < item.line) {
                builder.open(*line, label);
            }
            while let Some((_, context)) = contexts.next_if(|(line, _)| *line <= item.line) {
                builder.context = *context;
            }
            match item.what {
                What::Stack(label) => builder.open(item.line, label),
                What::Frame(frame) => builder.frame(item.line, frame, false),
                What::Pointer(None) => {}
                What::Pointer(_) if item.line > scan.end => {}
                What::Pointer(Some(frame)) if builder.is_of_head() => {
                    builder.discard();
                    builder.pointer = Some((item.line, frame));
                }
                What::Pointer(Some(frame)) if !builder.trace.frames.is_empty() => {
                    builder.frame(item.line, frame, true);
                }
                What::Pointer(Some(frame)) => builder.pointer = Some((item.line, frame)),
            }
        }
        builder.close();
        builder.done
    }

    /// Where the frame is whose function is at an offset of the text, or else the first frame of that function.
    pub(crate) fn find(&self, at: usize, function: &str) -> Option<Placed> {
        let name = |placed: &&Placed| {
            let frame = self
                .all
                .get(placed.trace)
                .and_then(|trace| trace.frames.get(placed.frame));
            frame.is_some_and(|frame| crate::fingerprint::base_name(&frame.function) == function)
        };
        let exact = self.frames.iter().find(|placed| placed.at == at);
        exact.or_else(|| self.frames.iter().find(name)).copied()
    }
}

/// What another CPU or task is about to show.
#[derive(Debug, Clone, Copy)]
struct Announced {
    kind: TraceKind,
    pid: Option<u32>,
    cpu: Option<u32>,
}

/// Stacks while they are read.
#[derive(Debug)]
struct Builder<'s, 't> {
    scan: &'s Scan<'t>,
    is_leak: bool,
    done: Traces,
    trace: CallTrace,
    /// The line of the head of `trace`, until it has a frame.
    head: Option<usize>,
    context: Option<StackContext>,
    pointer: Option<(usize, RawFrame<'t>)>,
    announced: Option<Announced>,
    /// The stack of the fault itself was read.
    has_fault: bool,
}

impl<'s, 't> Builder<'s, 't> {
    fn new(scan: &'s Scan<'t>, is_leak: bool) -> Self {
        Self {
            scan,
            is_leak,
            done: Traces::default(),
            trace: CallTrace::new(TraceKind::Fault, ""),
            head: None,
            context: None,
            pointer: None,
            announced: None,
            has_fault: false,
        }
    }

    /// Begins the stack that the line `line` is the head of.
    fn open(&mut self, line: usize, label: &'t str) {
        self.close();
        self.context = None;
        self.trace = CallTrace::new(TraceKind::Other, label);
        self.head = Some(line);
        let number = |pattern| find(pattern, label).and_then(|[number, ..]| number.parse().ok());
        self.trace.cpu = number("cpu {n}").or_else(|| number("CPU {n}"));
        self.trace.pid = number("task {n}")
            .or_else(|| number("pid {n}"))
            .or_else(|| number(" pid:{n}"));
        let known = LABELS.iter().find(|(start, _)| label.starts_with(start));
        if let Some((_, kind)) = known {
            self.trace.kind = *kind;
            if matches!(kind, TraceKind::OtherCpu | TraceKind::OtherTask) {
                self.announced = Some(Announced {
                    kind: *kind,
                    pid: self.trace.pid,
                    cpu: self.trace.cpu,
                });
            }
        } else if label.ends_with(" at") {
            self.trace.kind = TraceKind::LockTaken;
        } else if self.is_leak && label.starts_with("backtrace") {
            self.trace.kind = TraceKind::Leaked;
        } else if label.starts_with(['C', 'B', 'b']) {
            self.call_trace();
        }
        if (label.starts_with("Call ") || label == "Backtrace")
            && let Some((line, frame)) = self.pointer.take()
        {
            self.frame(line, frame, true);
        }
    }

    /// A head that says nothing: the first such stack is the fault's, the others are what was announced before them.
    fn call_trace(&mut self) {
        let announced = self.announced.take();
        if !self.has_fault {
            self.trace.kind = TraceKind::Fault;
        } else if let Some(announced) = announced {
            self.trace.kind = announced.kind;
            self.trace.pid = announced.pid;
            self.trace.cpu = announced.cpu;
        }
    }

    fn frame(&mut self, line: usize, frame: RawFrame<'t>, pointer: bool) {
        let trace = self.done.all.len();
        if trace >= TRACES_MAX {
            return;
        }
        if let Some(head) = self.head.take() {
            self.done.lines.push((head, trace));
        }
        self.done.lines.push((line, trace));
        // Where a stack begins at the pointer itself, that is one frame.
        let is_pointer = |at: &Frame| at.pointer && at.function == frame.function;
        match self.trace.frames.as_mut_slice() {
            [at] if is_pointer(at) => at.reliable = true,
            frames => {
                // The pointer is printed before the marks of the stack that it was on.
                if let [at] = frames
                    && at.pointer
                {
                    at.context = at.context.or(self.context);
                }
                let mut frame = frame.to_frame();
                frame.context = self.context;
                frame.pointer = pointer;
                self.trace.frames.push(frame);
            }
        }
        self.done.frames.push(Placed {
            at: self.scan.offset_of(frame.function),
            line,
            trace,
            frame: self.trace.frames.len() - 1,
        });
    }

    /// Old kernels print the frame at fault with the head too.
    fn is_of_head(&self) -> bool {
        self.trace.label.is_empty() && self.trace.frames.len() <= 1
    }

    /// Forgets the stack that was begun.
    fn discard(&mut self) {
        let trace = self.done.all.len();
        self.trace.frames.clear();
        self.done.frames.retain(|placed| placed.trace != trace);
        self.done.lines.retain(|(_, of)| *of != trace);
    }

    fn close(&mut self) {
        if !self.trace.frames.is_empty() {
            let trace = std::mem::replace(&mut self.trace, CallTrace::new(TraceKind::Other, ""));
            self.has_fault |= trace.kind == TraceKind::Fault;
            self.done.all.push(trace);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(TraceKind, usize, Option<u32>, Option<u32>)> {
        let traces = Traces::read(&Scan::new(text), false).all;
        let show = |trace: &CallTrace| (trace.kind, trace.frames.len(), trace.pid, trace.cpu);
        traces.iter().map(show).collect()
    }

    #[test]
    fn stacks_are_told_apart() {
        let kasan = "Call Trace:\n <TASK>\n f+0x1/0x2\n </TASK>\n\nAllocated by task 77 on cpu 1 at 60.8s:\n g+0x1/0x2\n h+0x1/0x2\n\n\
                     Freed by task 78:\n i+0x1/0x2\n\nLast potentially related work creation:\n j+0x1/0x2\n\n\
                     page last allocated via order 0, migratetype Unmovable, pid 9, tgid 9 (a):\n k+0x1/0x2\n";
        let expected = [
            (TraceKind::Fault, 1, None, None),
            (TraceKind::Allocated, 2, Some(77), Some(1)),
            (TraceKind::Freed, 1, Some(78), None),
            (TraceKind::RelatedWork, 1, None, None),
            (TraceKind::PageAllocated, 1, Some(9), None),
        ];
        assert_eq!(kinds(kasan), expected);
        let others = "RIP: 0010:f+0x1/0x2\nCall Trace:\n g+0x1/0x2\nSending NMI from CPU 0 to CPUs 1:\nNMI backtrace for cpu 1\n\
                      RIP: 0010:h+0x1/0x2\nCall Trace:\n i+0x1/0x2\ntask:b state:D stack:0 pid:9 ppid:2\nCall Trace:\n j+0x1/0x2\n";
        let expected = [
            (TraceKind::Fault, 2, None, None),
            (TraceKind::OtherCpu, 2, None, Some(1)),
            (TraceKind::OtherTask, 1, Some(9), None),
        ];
        assert_eq!(kinds(others), expected);
        let race = "write to 0xffff888000000040 of 8 bytes by task 77 on cpu 1:\n f+0x1/0x2\n\n\
                    read to 0xffff888000000040 of 8 bytes by interrupt on cpu 0:\n g+0x1/0x2\n";
        assert_eq!(
            kinds(race),
            [
                (TraceKind::Racing, 1, Some(77), Some(1)),
                (TraceKind::Racing, 1, None, Some(0))
            ]
        );
        let uninit = " f+0x1/0x2\n\nUninit was stored to memory at:\n g+0x1/0x2\n\nUninit was created at:\n h+0x1/0x2\n";
        let found: Vec<TraceKind> = kinds(uninit).into_iter().map(|(kind, ..)| kind).collect();
        assert_eq!(
            found,
            [
                TraceKind::Fault,
                TraceKind::UninitStored,
                TraceKind::UninitCreated
            ]
        );
        let chain = "-> #1 (&x){+.+.}-{3:3}:\n f+0x1/0x2\n\n-> #0 (&y){+.+.}-{3:3}:\n g+0x1/0x2\n\nstack backtrace:\nCall Trace:\n h+0x1/0x2\n";
        let found: Vec<TraceKind> = kinds(chain).into_iter().map(|(kind, ..)| kind).collect();
        assert_eq!(
            found,
            [TraceKind::LockTaken, TraceKind::LockTaken, TraceKind::Fault]
        );
    }

    #[test]
    fn frames_know_their_stack() {
        let new = "Call Trace:\n <IRQ>\n f+0x1/0x2\n </IRQ>\n <TASK>\n g+0x1/0x2\n </TASK>\n";
        let old =
            "Call Trace:\n <IRQ>  [<ffffffff81000000>] f+0x1/0x2\n <EOI>  [<ffffffff81000000>] g+0x1/0x2\n";
        for text in [new, old] {
            let traces = Traces::read(&Scan::new(text), false).all;
            let found: Vec<_> = traces[0].frames.iter().map(|frame| frame.context).collect();
            assert_eq!(
                found,
                [Some(StackContext::Irq), Some(StackContext::Task)],
                "{text}"
            );
        }
        let arm64 = "pc : f+0x1/0x2\nlr : g+0x1/0x2\nCall trace:\n f+0x1/0x2 (P)\n g+0x1/0x2\n";
        assert_eq!(Traces::read(&Scan::new(arm64), false).all[0].frames.len(), 2);
    }
}
