//! Whether a report is whole.

use super::frame::RawFrame;
use super::guilty::{Guilty, first_stack, items_after};
use super::scan::{Item, Scan, What};
use crate::fingerprint::base_name;
use crate::report::Sign;
use crate::tables::formats::{Format, From, Needs, Stack};
use crate::tables::{heads, skip};
use crate::{Class, ReportKind};

/// A stack's head is followed by a frame within so many lines, unless something was lost.
const FRAME_WITHIN: usize = 15;
/// The line of a death follows its head within so many lines.
const DEATH_WITHIN: usize = 8;
/// So many frames without a head are a stack.
const FRAMES_OF_A_STACK: usize = 3;

/// The signs of damage in a report that begins at line `head`.
pub(crate) fn signs(scan: &Scan<'_>, head: usize, format: &Format, guilty: Option<&Guilty<'_>>) -> Vec<Sign> {
    let items = items_after(scan, head);
    let no_stack = reliable(items).next().is_none();
    let any_stack = [(Sign::Stack, no_stack), (Sign::Frames, has_empty_stack(items))];
    let mut found = Vec::new();
    let mut note = |signs: &[(Sign, bool)]| {
        found.extend(
            signs
                .iter()
                .filter_map(|(sign, is_there)| is_there.then_some(*sign)),
        );
    };
    match &format.needs {
        Needs::Nothing => {}
        Needs::Before => note(&[(Sign::Beginning, true), (Sign::Stack, no_stack)]),
        Needs::AnyStack | Needs::StackToCount => note(&any_stack),
        Needs::Function(stack) => {
            note(&any_stack);
            note(&[
                (Sign::Function, guilty.is_none()),
                (Sign::StackHead, lacks_stack(items, stack, format.kind)),
                (Sign::OwnStack, has_foreign_stack(items, format, stack)),
                (Sign::Origin, is_unexplained(scan, format.kind)),
                (Sign::StalledStack, is_of_sleeper(items, format.kind)),
                (Sign::Body, is_interrupted(scan, head, items, format.kind)),
            ]);
        }
    }
    let is_last = |item: &Item<'_>| matches!(item.what, What::Stack(_));
    note(&[
        (Sign::Lines, scan.says("printk messages dropped")),
        (
            Sign::LastStack,
            items.last().is_some_and(is_last) || ends_within_stack(scan, head),
        ),
        (Sign::End, has_no_end(scan, head)),
    ]);
    found
}

/// The marks around the frames of a task come in pairs (`show_trace_log_lvl`, arch/x86/kernel/dumpstack.c, since 5.17).
fn ends_within_stack(scan: &Scan<'_>, head: usize) -> bool {
    let lines = scan.lines.get(head..).unwrap_or_default().iter();
    let mut marks = lines.rev().map(|line| line.trim());
    marks.find(|line| matches!(*line, "<TASK>" | "</TASK>")) == Some("<TASK>")
}

/// Every architecture's `die` ends with the end marker (`oops_exit`, kernel/panic.c) unless the machine died before.
fn has_no_end(scan: &Scan<'_>, head: usize) -> bool {
    let mut lines = scan.lines.iter().skip(head).take(DEATH_WITHIN);
    let died = lines.any(|line| is_death(line));
    // arch/sparc/kernel/traps_64.c prints the instructions last and no marker.
    let ends = ["Kernel panic - not syncing", "Instruction DUMP:"];
    died && scan.end == scan.lines.len() && !ends.iter().any(|end| scan.says(end))
}

/// `Oops: 0002 [#1]`, `Internal error: Oops: 96000004 [#1]`, `invalid opcode: 0000 [#1]`.
fn is_death(line: &str) -> bool {
    line.split_once(" [#")
        .is_some_and(|(_, counter)| counter.starts_with(|c: char| c.is_ascii_digit()))
}

fn reliable<'a, 't>(items: &'a [Item<'t>]) -> impl Iterator<Item = RawFrame<'t>> + Clone + 'a {
    items.iter().filter_map(|item| match item.what {
        What::Frame(frame) if frame.reliable => Some(frame),
        _ => None,
    })
}

fn is_call_trace(item: &Item<'_>) -> bool {
    matches!(item.what, What::Stack(label) if !label.starts_with("NMI backtrace"))
}

/// There are frames, but neither the head of a stack nor enough of them to be one.
fn lacks_stack(items: &[Item<'_>], stack: &Stack, kind: ReportKind) -> bool {
    let is_own = stack.from == From::Below && kind.class() != Class::KernelLockdep;
    let has_head = items.iter().any(is_call_trace);
    let has_body =
        kind.class() != Class::KernelLockdep && reliable(items).nth(FRAMES_OF_A_STACK - 1).is_some();
    !(is_own || has_head || has_body)
}

/// The first stack, or one that tells where memory was allocated or freed, has no frames.
fn has_empty_stack(items: &[Item<'_>]) -> bool {
    let is_empty = |at: usize, line: usize| {
        let next = items
            .iter()
            .skip(at + 1)
            .find(|item| !matches!(item.what, What::Pointer(_)));
        !next.is_some_and(|item| matches!(item.what, What::Frame(_)) && item.line <= line + FRAME_WITHIN)
    };
    let mut stacks = items.iter().enumerate().filter(|(_, item)| is_call_trace(item));
    let first_is_empty = stacks.next().is_some_and(|(at, item)| is_empty(at, item.line));
    let is_of_memory =
        |item: &Item<'_>| matches!(item.what, What::Stack(label) if !label.starts_with("Call"));
    first_is_empty || stacks.any(|(at, item)| is_of_memory(item) && is_empty(at, item.line))
}

/// The stack is the fault injector's, that of another report, or it has only the functions that print a report.
fn has_foreign_stack(items: &[Item<'_>], format: &Format, stack: &Stack) -> bool {
    // Behind an interrupt's entry the injector is what was interrupted.
    let injected = reliable(items)
        .take_while(|frame| !skip::is_tick(frame.function))
        .any(|frame| frame.function.starts_with("should_fail"));
    let mut frames = reliable(first_stack(items));
    let reports_rcu = |frame: RawFrame<'_>| frame.function.starts_with("lockdep_rcu_suspicious");
    let of_another = format.pattern.ends_with("suspicious RCU usage") && !frames.clone().any(reports_rcu);
    let only_helpers = stack.from != From::Below && frames.all(|frame| skip::is_reporting(frame.function));
    injected || of_another || only_helpers
}

/// A stall's stack is that of a task that does not run: what the stalled CPU did is not known.
fn is_of_sleeper(items: &[Item<'_>], kind: ReportKind) -> bool {
    let mut frames = reliable(first_stack(items));
    let sleeps = |frame: RawFrame<'_>| matches!(base_name(frame.function), "__schedule" | "sched_show_task");
    let explains =
        |frame: RawFrame<'_>| skip::is_detector(frame.function) || frame.function.starts_with("rcu_gp_");
    kind == ReportKind::RcuStall && frames.clone().next().is_some_and(sleeps) && !frames.any(explains)
}

/// The use of a value that was never set comes with the place where it was made.
fn is_unexplained(scan: &Scan<'_>, kind: ReportKind) -> bool {
    let explains = |line: &&str| line.starts_with("Uninit was ") || line.starts_with("Local variable ");
    kind == ReportKind::Kmsan && !scan.lines.iter().any(explains)
}

/// Another report begins before the first frame of an exception's report.
fn is_interrupted(scan: &Scan<'_>, head: usize, items: &[Item<'_>], kind: ReportKind) -> bool {
    let is_exception = matches!(kind, ReportKind::PageFault | ReportKind::NullDereference);
    if !is_exception && kind.class() != Class::KernelLockdep {
        return false;
    }
    let first_frame = items.iter().find(|item| matches!(item.what, What::Frame(_)));
    let end = first_frame.map_or(scan.lines.len(), |item| item.line);
    let lines = scan.lines.get(head + 1..end).unwrap_or_default();
    lines
        .iter()
        .any(|line| line.contains("BUG: ") && !line.contains("[ BUG: ") && heads::find(line).is_some())
}
