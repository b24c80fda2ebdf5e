//! Which frame of a stack a fault is named after.

use super::frame::{self, RawFrame};
use super::scan::{Scan, What};
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
        let name = base_name(frame.function);
        let mut other_names = Vec::new();
        let short = skip::without_syscall_prefix(name, &mut other_names);
        Self {
            name: short.to_owned(),
            other_names,
            module: frame.module.map(str::to_owned),
        }
    }
}

/// The guilty frame of a report that begins at line `head`.
pub(crate) fn choose(scan: &Scan<'_>, head: usize, stack: &Stack) -> Option<Guilty> {
    match stack.pick {
        Pick::Plain if stack.from == From::LockAt => lock_at(scan, head),
        Pick::Plain => candidates(scan, head, stack.from)
            .find(|frame| !skip::is_skipped(frame.function, stack.skip))
            .map(|frame| Guilty::new(&frame)),
        Pick::Stall => stall(scan, head, stack),
        Pick::Hang => hang(scan, head, stack),
    }
}

/// The frames that may be guilty, best first.
fn candidates<'a, 't>(
    scan: &'a Scan<'t>,
    head: usize,
    from: From,
) -> impl Iterator<Item = RawFrame<'t>> + 'a {
    let first = scan.items.partition_point(|item| item.line < head);
    let items = scan.items.get(first..).unwrap_or_default();
    let pointer = match from {
        From::Pointer => items.iter().find_map(|item| match item.what {
            What::Pointer(frame) => Some(frame),
            _ => None,
        }),
        From::Trace | From::LockAt => None,
    };
    let start = items
        .iter()
        .position(|item| matches!(item.what, What::Stack(_)))
        .unwrap_or(items.len());
    let trace = items
        .get(start..)
        .unwrap_or_default()
        .iter()
        .filter_map(|item| match item.what {
            What::Frame(frame) => Some(frame),
            What::Pointer(frame) => frame,
            What::Stack(_) => None,
        });
    pointer
        .flatten()
        .into_iter()
        .chain(trace)
        .filter(|frame| frame.reliable)
}

/// `..., at: [<ffffffff81234567>] function+0x1f/0x40`, where inlined callees may come before the function.
fn lock_at(scan: &Scan<'_>, head: usize) -> Option<Guilty> {
    let line = scan
        .lines
        .get(head..)?
        .iter()
        .find_map(|line| line.split_once(", at: "))?
        .1;
    let symbol = line.split(", ").find(|part| !part.contains("[inline]"))?;
    let symbol = symbol
        .rsplit("] ")
        .next()
        .filter(|name| name.contains("+0x"))
        .unwrap_or(symbol);
    frame::symbol(symbol).map(|(frame, _)| Guilty::new(&frame))
}

/// A stall is named after what was entered, not after where the CPU happened to be: the last frame before the generic
/// entry (system call, work item, thread) that follows it.
fn stall(scan: &Scan<'_>, head: usize, stack: &Stack) -> Option<Guilty> {
    let mut before: Option<RawFrame<'_>> = None;
    let mut plain: Option<RawFrame<'_>> = None;
    for frame in candidates(scan, head, stack.from) {
        if skip::is_entry(frame.function) {
            if let Some(found) = before {
                return Some(Guilty::new(&found));
            }
            continue;
        }
        if !skip::is_skipped(frame.function, stack.skip) {
            plain.get_or_insert(frame);
            before = Some(frame);
        }
    }
    plain.map(|frame| Guilty::new(&frame))
}

/// A hung task is named after the first frame that is not about waiting, or after a few well-known waits.
fn hang(scan: &Scan<'_>, head: usize, stack: &Stack) -> Option<Guilty> {
    let frames: Vec<RawFrame<'_>> = candidates(scan, head, stack.from).collect();
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
