//! Which frame of a stack a fault is named after.

use super::frame::{self, RawFrame};
use super::machine;
use super::scan::{Item, Scan, What};
use crate::fingerprint::base_name;
use crate::report::{Choice, Origin, Reason, SkipRule};
use crate::tables::formats::{From, Pick, Stack};
use crate::tables::skip;

/// The frame chosen, with its name as titles show it, and why.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Guilty<'t> {
    pub(crate) name: String,
    /// Names with less stripped off: `__x64_sys_read` for `read`.
    pub(crate) other_names: Vec<String>,
    pub(crate) module: Option<String>,
    pub(crate) frame: RawFrame<'t>,
    pub(crate) origin: Origin,
    pub(crate) reason: Reason,
    /// Frames that came before it.
    pub(crate) passed: Passed<'t>,
}

/// Frames that were passed over, each with the rule; at most [`Choice::PASSED_MAX`].
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Passed<'t>(pub(crate) Vec<(&'t str, SkipRule)>);

impl<'t> Passed<'t> {
    fn note(&mut self, frame: &RawFrame<'t>, rule: SkipRule) {
        if self.0.len() < Choice::PASSED_MAX {
            self.0.push((frame.function, rule));
        }
    }
}

impl<'t> Guilty<'t> {
    fn new(frame: &RawFrame<'t>, origin: Origin, reason: Reason, passed: Passed<'t>) -> Self {
        let demangled = demangled(frame.function);
        let name = demangled.as_deref().unwrap_or_else(|| base_name(frame.function));
        let mut other_names = Vec::new();
        let short = skip::without_syscall_prefix(name, &mut other_names);
        Self {
            name: short.to_owned(),
            other_names,
            module: frame.module.map(str::to_owned),
            frame: *frame,
            origin,
            reason,
            passed,
        }
    }

    /// Names the fault after something that keeps several functions together; the function is another name then.
    fn keep_under(&mut self, name: &str) {
        if self.name != name {
            self.other_names = vec![std::mem::replace(&mut self.name, name.to_owned())];
        }
    }
}

/// The path that a mangled Rust name stands for, without its hash.
fn demangled(function: &str) -> Option<String> {
    crate::demangle::rust(function)
}

/// The guilty frame of a report that begins at line `head` with a line that names `named`.
pub(crate) fn choose<'t>(
    scan: &Scan<'t>,
    head: usize,
    named: Option<&'t str>,
    stack: &Stack,
) -> Option<Guilty<'t>> {
    let named = named.map(|function| (Origin::Head, in_function(function)));
    let candidates = named.into_iter().chain(candidates(scan, head, stack.from));
    match stack.pick {
        Pick::Plain => plain(candidates, stack.skip),
        Pick::Stall => stall(scan, head),
        Pick::Hang => hang(&candidates.collect::<Vec<_>>(), stack),
    }
}

/// The function that a head names.
pub(crate) fn named(function: &str) -> Guilty<'_> {
    Guilty::new(
        &in_function(function),
        Origin::Head,
        Reason::Named,
        Passed::default(),
    )
}

fn in_function(function: &str) -> RawFrame<'_> {
    RawFrame {
        function,
        reliable: true,
        ..RawFrame::default()
    }
}

/// A frame that may be guilty, and where it is from.
type Candidate<'t> = (Origin, RawFrame<'t>);

/// The frames that may be guilty, best first.
fn candidates<'a, 't>(
    scan: &'a Scan<'t>,
    head: usize,
    from: From,
) -> Box<dyn Iterator<Item = Candidate<'t>> + 'a> {
    let items = own_items(scan, head);
    let first_stack = frames(first_stack(items)).map(|frame| (Origin::FirstStack, frame));
    let all = frames(items).map(|frame| (Origin::AnyStack, frame));
    let locks = locks(scan, head).map(|frame| (Origin::LockSite, frame));
    match from {
        From::Trace => Box::new(first_stack),
        From::Below => Box::new(all),
        From::Pointer => {
            let pointer = pointer(items).map(|frame| (Origin::Pointer, frame));
            Box::new(pointer.into_iter().chain(first_stack))
        }
        From::LockAt => Box::new(locks.take(1).chain(first_stack)),
        From::Chain => Box::new(locks.take(2).chain(all)),
    }
}

/// The first frame that no rule passes over.
fn plain<'t>(candidates: impl Iterator<Item = Candidate<'t>>, also: &'static str) -> Option<Guilty<'t>> {
    let mut passed = Passed::default();
    for (origin, frame) in candidates {
        match doubt(&frame).or_else(|| skip::rule(frame.function, also)) {
            Some(rule) => passed.note(&frame, rule),
            None => return Some(Guilty::new(&frame, origin, Reason::FirstLeft, passed)),
        }
    }
    None
}

/// Why a frame is none of its own.
fn doubt(frame: &RawFrame<'_>) -> Option<SkipRule> {
    if frame.inlined {
        Some(SkipRule::Inlined)
    } else {
        (!frame.reliable).then_some(SkipRule::Unreliable)
    }
}

/// The first stack up to the head of the next one; all frames when no stack has a head.
pub(crate) fn first_stack<'a, 't>(items: &'a [Item<'t>]) -> &'a [Item<'t>] {
    let is_head =
        |item: &Item<'_>| matches!(item.what, What::Stack(label) if !label.starts_with("NMI backtrace"));
    let start = items.iter().position(is_head).unwrap_or(0);
    let stack = items.get(start..).unwrap_or_default();
    let length = stack
        .iter()
        .skip(1)
        .position(is_head)
        .map_or(stack.len(), |at| at + 1);
    stack.get(..length).unwrap_or_default()
}

pub(crate) fn items_after<'a, 't>(scan: &'a Scan<'t>, head: usize) -> &'a [Item<'t>] {
    let first = scan.items.partition_point(|item| item.line < head);
    scan.items.get(first..).unwrap_or_default()
}

/// The same without what follows the end of a death that is not the first since boot: x86 repeats the registers of the
/// first one there (`exec_summary_regs` in arch/x86/kernel/dumpstack.c, since 4.18).
fn own_items<'a, 't>(scan: &'a Scan<'t>, head: usize) -> &'a [Item<'t>] {
    let items = items_after(scan, head);
    let lines = scan.lines.get(head..scan.end).unwrap_or_default();
    let is_later = |line: &&str| machine::death(line).is_some_and(|(_, counter, _)| counter > 1);
    if !lines.iter().any(is_later) {
        return items;
    }
    let end = items.partition_point(|item| item.line < scan.end);
    items.get(..end).unwrap_or_default()
}

fn frames<'a, 't>(items: &'a [Item<'t>]) -> impl Iterator<Item = RawFrame<'t>> + 'a {
    items.iter().filter_map(|item| match item.what {
        What::Frame(frame) => Some(frame),
        What::Pointer(frame) => frame,
        What::Stack(_) => None,
    })
}

/// The first instruction pointer, when it is in a known function.
fn pointer<'t>(items: &[Item<'t>]) -> Option<RawFrame<'t>> {
    let found = items.iter().find_map(|item| match item.what {
        What::Pointer(frame) => Some(frame),
        _ => None,
    });
    found.flatten()
}

/// Where locks were asked for: `..., at: [<ffffffff81234567>] function+0x1f/0x40`, where inlined callees may come
/// before the function.
fn locks<'a, 't>(scan: &'a Scan<'t>, head: usize) -> impl Iterator<Item = RawFrame<'t>> + 'a {
    let lines = scan.lines.get(head..).unwrap_or_default().iter();
    lines.filter_map(|line| {
        let (_, at) = line.split_once(", at: ")?;
        let symbol = at.split(", ").find(|part| !part.contains("[inline]"))?;
        let symbol = symbol
            .rsplit("] ")
            .find(|name| name.contains("+0x"))
            .unwrap_or(symbol);
        frame::symbol(symbol).map(|(frame, _)| frame)
    })
}

/// A stall is named after what was entered, not after where the CPU happened to be: the last frame before the generic
/// entry (system call, work item, thread) that follows it.
fn stall<'t>(scan: &Scan<'t>, head: usize) -> Option<Guilty<'t>> {
    let stacks = stacks(items_after(scan, head));
    let (at, (stack, frame, reason)) = stacks.iter().enumerate().find_map(|(at, stack)| {
        let (frame, reason) = stalled(without_detector(stack))?;
        Some((at, (stack, frame, reason)))
    })?;
    let mut passed = Passed::default();
    let own = stack.len() - without_detector(stack).len();
    for (index, before) in stack
        .iter()
        .take_while(|before| !std::ptr::eq(*before, frame))
        .enumerate()
    {
        let rule = match skip::rule(before.function, "") {
            _ if index < own => SkipRule::Detector,
            _ if skip::is_entry(before.function) => SkipRule::Entry,
            Some(rule) => rule,
            None => SkipRule::Callee,
        };
        passed.note(before, rule);
    }
    let origin = if at == 0 {
        Origin::FirstStack
    } else {
        Origin::AnyStack
    };
    let mut guilty = Guilty::new(frame, origin, reason, passed);
    if reason == Reason::RemoteCall {
        guilty.keep_under(REMOTE_CALL);
    }
    Some(guilty)
}

/// What a CPU does that waits for others to run a function.
const REMOTE_CALL: &str = "smp_call_function";

fn stalled<'a, 't>(stack: &'a [RawFrame<'t>]) -> Option<(&'a RawFrame<'t>, Reason)> {
    let mut before: Option<&RawFrame<'_>> = None;
    let mut first: Option<&RawFrame<'_>> = None;
    for frame in stack {
        let name = base_name(frame.function);
        if name.starts_with(REMOTE_CALL) {
            return Some((frame, Reason::RemoteCall));
        }
        if skip::is_entry(name) {
            if let Some(found) = before {
                return Some((found, Reason::BeforeEntry));
            }
        } else if !skip::is_skipped(name, "") {
            first = first.or(Some(frame));
            before = Some(frame);
        }
    }
    first.map(|frame| (frame, Reason::FirstLeft))
}

/// The stacks, each with the instruction pointer printed before it; those of RCU's own threads left out.
fn stacks<'t>(items: &[Item<'t>]) -> Vec<Vec<RawFrame<'t>>> {
    let mut stacks: Vec<Vec<RawFrame<'_>>> = vec![Vec::new()];
    let mut pending = None;
    for item in items {
        match item.what {
            What::Stack(_) => stacks.push(pending.take().into_iter().collect()),
            What::Pointer(Some(frame)) => {
                // Before a stack's head it belongs to the stack that follows, inside of one to that stack.
                let inside = stacks.last().is_some_and(|stack| !stack.is_empty());
                match stacks.last_mut() {
                    Some(stack) if inside => stack.push(frame),
                    _ => pending = Some(frame),
                }
            }
            What::Frame(frame) if frame.reliable && !frame.inlined => {
                if let Some(stack) = stacks.last_mut() {
                    stack.push(frame);
                }
            }
            What::Pointer(None) | What::Frame(_) => {}
        }
    }
    stacks.push(pending.into_iter().collect());
    stacks.retain(|stack| {
        !stack.is_empty() && !stack.iter().any(|frame| frame.function.starts_with("rcu_gp_"))
    });
    stacks
}

/// A stack without the tick that found the stall, when it was printed from there.
fn without_detector<'a, 't>(stack: &'a [RawFrame<'t>]) -> &'a [RawFrame<'t>] {
    let Some(detector) = stack.iter().position(|frame| skip::is_detector(frame.function)) else {
        return stack;
    };
    let rest = stack.get(detector..).unwrap_or_default();
    let own = rest
        .iter()
        .take_while(|frame| skip::is_tick(frame.function))
        .count();
    rest.get(own..).unwrap_or_default()
}

/// A hung task is named after the first frame that is not about waiting, or after a few well-known waits.
fn hang<'t>(candidates: &[Candidate<'t>], stack: &Stack) -> Option<Guilty<'t>> {
    let sound = || candidates.iter().filter(|(_, frame)| doubt(frame).is_none());
    let bucket =
        |(origin, frame): &Candidate<'t>| Some((*origin, *frame, skip::hang_bucket(frame.function)?));
    if let Some((origin, frame, bucket)) = sound().find_map(bucket) {
        let mut guilty = Guilty::new(&frame, origin, Reason::KnownWait, Passed::default());
        guilty.keep_under(bucket);
        return Some(guilty);
    }
    let mut passed = Passed::default();
    for (origin, frame) in candidates {
        let rule = doubt(frame)
            .or_else(|| skip::rule(frame.function, stack.skip))
            .or_else(|| skip::is_wait(frame.function).then_some(SkipRule::Wait));
        match rule {
            Some(rule) => passed.note(frame, rule),
            None => return Some(Guilty::new(frame, *origin, Reason::FirstLeft, passed)),
        }
    }
    None
}
