//! Which frame of a stack a fault is named after.

use super::frame::{self, RawFrame};
use super::scan::{Item, Scan, What};
use crate::fingerprint::base_name;
use crate::tables::formats::{From, Pick, Stack};
use crate::tables::skip;

/// The frame chosen, with its name as titles show it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Guilty {
    pub(crate) name: String,
    /// Names with less stripped off: `__x64_sys_read` for `read`.
    pub(crate) other_names: Vec<String>,
    pub(crate) module: Option<String>,
}

impl Guilty {
    fn new(frame: &RawFrame<'_>) -> Self {
        let demangled = demangled(frame.function);
        let name = demangled.as_deref().unwrap_or_else(|| base_name(frame.function));
        let mut other_names = Vec::new();
        let short = skip::without_syscall_prefix(name, &mut other_names);
        Self {
            name: short.to_owned(),
            other_names,
            module: frame.module.map(str::to_owned),
        }
    }
}

/// The path that a mangled Rust name stands for, without its hash.
fn demangled(function: &str) -> Option<String> {
    let name = rustc_demangle::try_demangle(function).ok()?;
    Some(format!("{name:#}"))
}

/// The guilty frame of a report that begins at line `head` with a line that names `named`.
pub(crate) fn choose(scan: &Scan<'_>, head: usize, named: Option<&str>, stack: &Stack) -> Option<Guilty> {
    let named = named.map(in_function);
    let candidates = named.into_iter().chain(candidates(scan, head, stack.from));
    let mut candidates = candidates.filter(|frame| frame.reliable && !frame.inlined);
    match stack.pick {
        Pick::Plain => candidates
            .find(|frame| !skip::is_skipped(frame.function, stack.skip))
            .map(|frame| Guilty::new(&frame)),
        Pick::Stall => stall(scan, head),
        Pick::Hang => hang(&candidates.collect::<Vec<_>>(), stack),
    }
}

/// The function that a head names.
pub(crate) fn named(function: &str) -> Guilty {
    Guilty::new(&in_function(function))
}

fn in_function(function: &str) -> RawFrame<'_> {
    RawFrame {
        function,
        reliable: true,
        ..RawFrame::default()
    }
}

/// The frames that may be guilty, best first.
fn candidates<'a, 't>(
    scan: &'a Scan<'t>,
    head: usize,
    from: From,
) -> Box<dyn Iterator<Item = RawFrame<'t>> + 'a> {
    let items = items_after(scan, head);
    let first_stack = frames(first_stack(items));
    match from {
        From::Trace => Box::new(first_stack),
        From::Below => Box::new(frames(items)),
        From::Pointer => Box::new(pointer(items).into_iter().chain(first_stack)),
        From::LockAt => Box::new(locks(scan, head).take(1).chain(first_stack)),
        From::Chain => Box::new(locks(scan, head).take(2).chain(frames(items))),
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
fn stall(scan: &Scan<'_>, head: usize) -> Option<Guilty> {
    let items = items_after(scan, head);
    stacks(items)
        .into_iter()
        .find_map(|stack| stalled(without_detector(&stack)))
}

fn stalled(stack: &[RawFrame<'_>]) -> Option<Guilty> {
    let mut before: Option<&RawFrame<'_>> = None;
    let mut first: Option<&RawFrame<'_>> = None;
    for frame in stack {
        let name = base_name(frame.function);
        if name.starts_with("smp_call_function") {
            let mut guilty = Guilty::new(frame);
            guilty.other_names = vec![std::mem::replace(
                &mut guilty.name,
                "smp_call_function".to_owned(),
            )];
            return Some(guilty);
        }
        if skip::is_entry(name) {
            if let Some(found) = before {
                return Some(Guilty::new(found));
            }
        } else if !skip::is_skipped(name, "") {
            first = first.or(Some(frame));
            before = Some(frame);
        }
    }
    first.map(Guilty::new)
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
fn hang(frames: &[RawFrame<'_>], stack: &Stack) -> Option<Guilty> {
    if let Some((frame, bucket)) = frames
        .iter()
        .find_map(|frame| Some((frame, skip::hang_bucket(frame.function)?)))
    {
        let mut guilty = Guilty::new(frame);
        if guilty.name != bucket {
            guilty.other_names = vec![std::mem::replace(&mut guilty.name, bucket.to_owned())];
        }
        return Some(guilty);
    }
    frames
        .iter()
        .find(|frame| !skip::is_skipped(frame.function, stack.skip) && !skip::is_wait(frame.function))
        .map(Guilty::new)
}
