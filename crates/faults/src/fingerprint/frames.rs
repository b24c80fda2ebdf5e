//! Which frames of a report count, and under which names.

use super::explain::{FrameExplanation, Rule, Walk};
use super::{Explanation, base_name};
use crate::demangle;
use crate::report::{CallTrace, Frame, SkipRule, StackContext, TraceKind};
use crate::tables::skip;
use crate::{KernelReport, ReportKind};

/// Functions of which every module has one of its own (`module_init` and `module_exit` in `include/linux/module.h`).
const OF_EVERY_MODULE: [&str; 2] = ["init_module", "cleanup_module"];

/// Prefixes of symbols that tools make of a function's: the padding before it (`CONFIG_CALL_PADDING`, x86 since 6.2), its
/// type (`CONFIG_CFI_CLANG`), and the code rather than the descriptor (powerpc's ELF ABI v1).
const TOOL_PREFIXES: [&str; 3] = ["__pfx_", "__cfi_", "."];

/// What macros of memory allocation profiling (6.10 and later) put behind a function's name.
const UNPROFILED: &str = "_noprof";

/// Where the function at fault is.
#[derive(Debug, Clone, Copy)]
struct Place {
    trace: usize,
    /// Index of the frame; `None` when the function is in no frame.
    frame: Option<usize>,
}

/// Normalises the stack that the function at fault is in.
pub(super) fn walk(report: &KernelReport) -> Walk {
    let Some(place) = place(report) else {
        return Walk::default();
    };
    let frames = report
        .traces
        .get(place.trace)
        .map(|trace| trace.frames.as_slice());
    // A stack that overflowed may have the function at fault beyond the limit.
    let at = place.frame.unwrap_or(0);
    let first = at.saturating_sub(Explanation::FRAMES_MAX / 2);
    let frames = frames.and_then(|frames| frames.get(first..)).unwrap_or_default();
    let frames = frames.get(..Explanation::FRAMES_MAX).unwrap_or(frames);
    let mut explained: Vec<FrameExplanation> = frames.iter().map(printed).collect();
    let above = (at - first).min(explained.len());
    let (above, below) = explained.split_at_mut(above);
    passed_over(report.kind, frames, above);
    callers(place, frames.get(above.len()..).unwrap_or_default(), below);
    without_repetitions(&mut explained);
    Walk {
        trace: Some(place.trace),
        frames: explained,
    }
}

/// The stack and the frame of the function at fault.
fn place(report: &KernelReport) -> Option<Place> {
    let chosen = report.choice.as_ref().and_then(|choice| {
        let (trace, frame) = (choice.trace?, choice.frame?);
        let of = report.traces.get(trace).filter(|of| is_own(of))?;
        of.frames.get(frame).filter(|frame| doubt(frame).is_none())?;
        Some(Place {
            trace,
            frame: Some(frame),
        })
    });
    let own = || {
        report
            .traces
            .iter()
            .enumerate()
            .filter(|(_, trace)| is_own(trace))
    };
    // A function that the head names may be in the stack too.
    let named = || {
        let function = report.function.as_deref()?;
        own().find_map(|(trace, of)| {
            let frame = of.frames.iter().position(|frame| is(frame, function))?;
            Some(Place {
                trace,
                frame: Some(frame),
            })
        })
    };
    let first = || {
        let fault = own().find(|(_, trace)| trace.kind == TraceKind::Fault);
        let (trace, _) = fault.or_else(|| own().next())?;
        Some(Place { trace, frame: None })
    };
    chosen.or_else(named).or_else(first)
}

/// Whether a stack may be the fault's own: not one of what happened to the memory before.
fn is_own(trace: &CallTrace) -> bool {
    !matches!(
        trace.kind,
        TraceKind::Allocated
            | TraceKind::Freed
            | TraceKind::PageAllocated
            | TraceKind::PageFreed
            | TraceKind::RelatedWork
            | TraceKind::EarlierRelatedWork
            | TraceKind::UninitCreated
            | TraceKind::UninitStored
    )
}

/// Whether a frame is what the function at fault was named after.
fn is(frame: &Frame, function: &str) -> bool {
    if doubt(frame).is_some() {
        return false;
    }
    let name = base_name(&frame.function);
    name == function
        || skip::hang_bucket(name) == Some(function)
        || skip::without_syscall_prefix(name, &mut Vec::new()) == function
        || demangle::rust(&frame.function).is_some_and(|name| name == function)
}

fn printed(frame: &Frame) -> FrameExplanation {
    if let Some(rule) = doubt(frame) {
        let mut explained = FrameExplanation::new(&frame.function);
        explained.drop_for(rule);
        return explained;
    }
    let mut explained = FrameExplanation::named(&frame.function);
    if let Some(module) = &frame.module {
        if let Some(name) = explained
            .name
            .as_mut()
            .filter(|name| OF_EVERY_MODULE.contains(&name.as_str()))
        {
            *name = format!("{name} [{module}]");
            explained.fire(Rule::ModuleKept, module);
        } else {
            explained.fire(Rule::ModuleIgnored, module);
        }
    }
    explained
}

impl FrameExplanation {
    /// A function under its normalised name.
    pub(crate) fn named(function: &str) -> Self {
        let mut explained = Self::new(function);
        let mut name = function;
        for prefix in TOOL_PREFIXES {
            if let Some(rest) = name.strip_prefix(prefix).filter(|rest| !rest.is_empty()) {
                explained.fire(Rule::Prefix, prefix);
                name = rest;
            }
        }
        if let Some(path) = demangle::rust(name) {
            explained.fire(Rule::Demangled, "");
            let same = demangle::without_builds(&path);
            if same != path {
                explained.fire(Rule::Generic, "");
            }
            explained.name = Some(same);
            return explained;
        }
        let base = base_name(name);
        let base = base
            .strip_suffix(UNPROFILED)
            .filter(|base| !base.is_empty())
            .unwrap_or(base);
        if base != name {
            explained.fire(Rule::Suffix, name.strip_prefix(base).unwrap_or_default());
        }
        let short = without_syscall_prefixes(base);
        if short != base {
            explained.fire(Rule::SyscallPrefix, base.strip_suffix(short).unwrap_or_default());
        }
        explained.name = Some(short.to_owned());
        explained
    }
}

/// `read` for `__x64_sys_read`: titles keep `sys_read`, one prefix less.
fn without_syscall_prefixes(mut name: &str) -> &str {
    loop {
        let short = skip::without_syscall_prefix(name, &mut Vec::new());
        if short == name {
            return name;
        }
        name = short;
    }
}

/// What makes a frame doubtful in any place.
fn doubt(frame: &Frame) -> Option<Rule> {
    if frame.inlined {
        Some(Rule::Inlined)
    } else {
        (!frame.reliable).then_some(Rule::Unreliable)
    }
}

/// Why a function in a stack of callers does not count.
fn dropped(function: &str) -> Option<Rule> {
    match skip::rule(function, "") {
        Some(SkipRule::Reporting) => Some(Rule::Reporting),
        _ if skip::is_entry(function) || skip::is_kernel_entry(function) => Some(Rule::Entry),
        other => other.map(|_| Rule::Helper),
    }
}

/// The frames above the one at fault.
fn passed_over(kind: ReportKind, frames: &[Frame], above: &mut [FrameExplanation]) {
    let stalled = matches!(
        kind,
        ReportKind::SoftLockup | ReportKind::HardLockup | ReportKind::RcuStall | ReportKind::WorkqueueLockup
    );
    let detected = if stalled {
        detectors(frames.get(..above.len()).unwrap_or_default())
    } else {
        0
    };
    for (index, (frame, explained)) in frames.iter().zip(above).enumerate() {
        explained.below = false;
        if explained.name.is_none() {
            continue;
        }
        let rule = (index < detected).then_some(Rule::Detector);
        match rule.or_else(|| dropped(&frame.function)) {
            Some(rule) => explained.drop_for(rule),
            None if stalled => explained.fire(Rule::HappenedToBe, ""),
            None => explained.drop_for(Rule::Above),
        }
    }
}

/// How many frames are those of what found the stall.
fn detectors(frames: &[Frame]) -> usize {
    let Some(detector) = frames.iter().position(|frame| skip::is_detector(&frame.function)) else {
        return 0;
    };
    let rest = frames.get(detector..).unwrap_or_default();
    let ticks = rest
        .iter()
        .take_while(|frame| !frame.reliable || skip::is_tick(&frame.function));
    detector + ticks.count()
}

/// The frame at fault and its callers.
fn callers(place: Place, frames: &[Frame], below: &mut [FrameExplanation]) {
    let mut interrupted = false;
    let mut context = None;
    for (index, (frame, explained)) in frames.iter().zip(below).enumerate() {
        // An interrupt's stack ends where another begins.
        interrupted |= is_interrupts(context) && frame.context != context;
        context = frame.context;
        // What the report names counts, whatever it is.
        if explained.name.is_none() || (index == 0 && place.frame.is_some()) {
            continue;
        }
        if interrupted {
            explained.drop_for(Rule::Interrupted);
            continue;
        }
        interrupted = skip::is_interrupt(&frame.function);
        let rule = interrupted.then_some(Rule::Entry);
        if let Some(rule) = rule.or_else(|| dropped(&frame.function)) {
            explained.drop_for(rule);
        }
    }
}

fn is_interrupts(context: Option<StackContext>) -> bool {
    matches!(
        context,
        Some(StackContext::Irq | StackContext::Softirq | StackContext::Nmi)
    )
}

/// Drops a function that is the same as the one that counts before it.
pub(crate) fn without_repetitions(frames: &mut [FrameExplanation]) {
    let mut last: Option<String> = None;
    for frame in frames.iter_mut().filter(|frame| frame.name.is_some()) {
        if frame.name == last {
            frame.drop_for(Rule::Repeated);
        } else {
            last.clone_from(&frame.name);
        }
    }
}
