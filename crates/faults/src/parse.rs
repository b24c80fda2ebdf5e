//! One report's text to a [`KernelReport`].

mod access;
mod code;
mod corrupt;
mod facts;
mod frame;
mod guilty;
mod locks;
mod machine;
mod object;
mod oom;
mod parts;
pub(crate) mod pattern;
mod registers;
pub(crate) mod scan;
mod stall;
mod task;
mod title;
mod traces;
mod who;

use crate::report::{Choice, Missing, Passed, Sign, SkipRule};
use crate::tables::formats::{Format, Head, Needs};
use crate::tables::heads;
use crate::{KernelReport, ReportKind, Severity, fingerprint};
use facts::Facts;
use guilty::Guilty;
use pattern::Captures;
use scan::Scan;
use traces::{Placed, Traces};

pub(crate) use title::clean as clean_title;
pub use title::device_sort;

/// Lines after the head in which the detail of a format is looked for.
const DETAIL_LINES: usize = 1024;

/// Parses the text of one report. `None` when no line of it is the head of a report.
///
/// ```
/// let text = "BUG: kernel NULL pointer dereference, address: 0000000000000008\n\
///             Oops: Oops: 0002 [#1] PREEMPT SMP NOPTI\n\
///             RIP: 0010:example_write+0x5/0x20 [example]\n\
///             Call Trace:\n vfs_write+0xf8/0x450\n";
/// let report = faults::parse(text).unwrap();
/// assert_eq!(report.title, "BUG: unable to handle kernel NULL pointer dereference in example_write");
/// assert_eq!(report.module.as_deref(), Some("example"));
/// ```
pub fn parse(text: &str) -> Option<KernelReport> {
    let scan = Scan::new(text);
    // What is said about a device may come in the middle of a report.
    let (at, (format, fields)) = first_head(&scan, false).or_else(|| first_head(&scan, true))?;
    let named = pattern::symbol_field(format.pattern).and_then(|field| fields.get(field).copied());
    let guilty = match &format.needs {
        Needs::Function(stack) => guilty::choose(&scan, at, named, stack),
        Needs::Nothing | Needs::AnyStack | Needs::StackToCount | Needs::Before => named.map(guilty::named),
    };
    let signs = corrupt::signs(&scan, at, format, guilty.as_ref());
    Some(report(&scan, at, format, &fields, guilty, signs))
}

/// The first line that is the head of a report, or of a message about a device.
fn first_head<'t>(scan: &Scan<'t>, message: bool) -> Option<(usize, (&'static Format, Captures<'t>))> {
    scan.lines.iter().enumerate().find_map(|(at, line)| {
        let head = heads::find(line).filter(|head| {
            head.formats
                .iter()
                .any(|format| format.kind.is_message() == message)
        })?;
        Some((at, choose(scan, at, head)?))
    })
}

/// The first format of the head whose pattern and detail are there.
fn choose<'t>(scan: &Scan<'t>, at: usize, head: &'static Head) -> Option<(&'static Format, Captures<'t>)> {
    let line = scan.lines.get(at)?;
    head.formats.iter().find_map(|format| {
        let fields = pattern::find(format.pattern, line)?;
        if matches!(format.needs, Needs::StackToCount) && !scan.has_frame_after(at) {
            return None;
        }
        let fields = if format.detail.is_empty() {
            fields
        } else {
            detail(scan, at, format, fields)?
        };
        Some((format, fields))
    })
}

/// The fields of the head line and, behind them, those of the detail.
fn detail<'t>(scan: &Scan<'t>, at: usize, format: &Format, fields: Captures<'t>) -> Option<Captures<'t>> {
    let mut more = None;
    for line in scan.lines.iter().skip(at + 1).take(DETAIL_LINES) {
        more = pattern::find(format.detail, line);
        // Behind the head of another report the detail is that report's.
        if more.is_some() || heads::find(line).is_some_and(|head| !head.is_message()) {
            break;
        }
    }
    let more = more?;
    let mut all = fields;
    let used = pattern::fields(format.pattern);
    for (to, from) in all.iter_mut().skip(used).zip(more) {
        *to = from;
    }
    Some(all)
}

fn report(
    scan: &Scan<'_>,
    at: usize,
    format: &Format,
    fields: &Captures<'_>,
    guilty: Option<Guilty<'_>>,
    signs: Vec<Sign>,
) -> KernelReport {
    let mut facts = Facts::read(scan);
    let traces = Traces::read(scan, format.kind == ReportKind::MemoryLeak);
    let place = guilty.as_ref().and_then(|guilty| place(scan, &traces, guilty));
    let parts = parts::of(scan, at, &facts.marks, &traces, place);
    let lock_conflict = facts.locks.conflict();
    let machine = facts.machine;
    let registers = facts.registers.all;
    let is_fault = matches!(format.kind, ReportKind::NullDereference | ReportKind::PageFault);
    let task = task::of(scan, at, format.kind).or_else(|| Some((machine.comm?, machine.pid?)));
    let (title, alt_titles) = titles(format, fields, guilty.as_ref());
    let (title, severity) = machine_check(scan, format.kind).unwrap_or((title, severity(scan, format)));
    let owned = |text: Option<&str>| text.map(str::to_owned);
    KernelReport {
        kind: format.kind,
        class: format.kind.class(),
        severity,
        title,
        alt_titles,
        function: guilty.as_ref().map(|guilty| guilty.name.clone()),
        choice: guilty.as_ref().map(|guilty| choice(guilty, place)),
        module: guilty.and_then(|guilty| guilty.module),
        traces: traces.all,
        code: facts.code.code,
        access: facts.access.done(machine.tried, &registers, is_fault),
        registers,
        object: facts.object.done(),
        cpu: task::cpu(scan, at).or(machine.cpu),
        pid: task.map(|(_, pid)| pid),
        comm: owned(task.map(|(comm, _)| comm)),
        uid: machine.uid,
        workqueue: owned(machine.workqueue),
        kernel_release: owned(machine.release),
        kernel_build: owned(machine.build),
        kernel_build_id: owned(machine.build_id),
        preemption: machine.preemption(),
        oops: machine.oops,
        taint: machine.taint,
        hardware: machine.hardware,
        modules: machine.modules,
        last_unloaded: owned(machine.last_unloaded),
        held_locks: facts.locks.held,
        lock_conflict,
        stall: stall::of(scan, at, format.kind),
        allocation: oom::allocation(scan, at, format.kind),
        oom: oom::kill(scan, at, format.kind),
        corrupted: signs.iter().any(|sign| sign.corrupts()),
        truncated: signs.iter().any(|sign| sign.truncates()),
        missing: signs.into_iter().map(Missing::from).collect(),
        parts,
    }
}

/// Where in the stacks the function at fault is.
fn place(scan: &Scan<'_>, traces: &Traces, guilty: &Guilty<'_>) -> Option<Placed> {
    let function = guilty.frame.function;
    traces.find(scan.offset_of(function), fingerprint::base_name(function))
}

/// Why the function at fault is what it is.
fn choice(guilty: &Guilty<'_>, place: Option<Placed>) -> Choice {
    let passed = |(function, rule): &(&str, SkipRule)| Passed {
        function: (*function).to_owned(),
        rule: *rule,
    };
    Choice {
        origin: guilty.origin,
        reason: guilty.reason,
        trace: place.map(|place| place.trace),
        frame: place.map(|place| place.frame),
        passed: guilty.passed.0.iter().map(passed).collect(),
    }
}

/// The title and the alternative ones.
fn titles(format: &Format, fields: &Captures<'_>, guilty: Option<&Guilty<'_>>) -> (String, Vec<String>) {
    let name = guilty.map_or("corrupted", |guilty| guilty.name.as_str());
    let title = title::fill(format.title, fields, name);
    let others = guilty
        .map(|guilty| guilty.other_names.as_slice())
        .unwrap_or_default();
    let mut alt: Vec<String> = others
        .iter()
        .map(|other| title::fill(format.title, fields, other))
        .collect();
    for template in format.alt {
        alt.push(title::fill(template, fields, name));
        alt.extend(others.iter().map(|other| title::fill(template, fields, other)));
    }
    alt.retain(|other| *other != title);
    (title, alt)
}

/// A fault that took the machine down is critical, whatever it is called.
fn severity(scan: &Scan<'_>, format: &Format) -> Severity {
    if scan.says("Kernel panic - not syncing") {
        return Severity::Critical;
    }
    match format.kind {
        ReportKind::MemoryError | ReportKind::PcieError | ReportKind::FirmwareError => {
            firmware_severity(scan).unwrap_or(format.severity)
        }
        _ => format.severity,
    }
}

/// What the firmware says about an error (drivers/firmware/efi/cper.c, `cper_severity_strs`).
fn firmware_severity(scan: &Scan<'_>) -> Option<Severity> {
    let mut lines = scan.lines.iter();
    let [severity, ..] = lines.find_map(|line| pattern::find("event severity: {w}", line))?;
    match severity {
        "fatal" => Some(Severity::Critical),
        "recoverable" => Some(Severity::High),
        "corrected" | "info" => Some(Severity::Low),
        _ => None,
    }
}

/// The title and severity of machine-check text, from the registers that it shows.
fn machine_check(scan: &Scan<'_>, kind: ReportKind) -> Option<(String, Severity)> {
    if kind != ReportKind::MachineCheck {
        return None;
    }
    let decoded = crate::mce::MachineCheck::from_text(&scan.lines)?.decode();
    Some((decoded.title, decoded.severity))
}

#[cfg(test)]
mod tests;
