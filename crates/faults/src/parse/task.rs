//! The task and CPU that a report is about, from its own words.

use super::pattern::find;
use super::scan::Scan;
use crate::{Class, ReportKind};

/// Lines after the head that may name the task.
const NEAR: usize = 1024;

/// Name and number of the task that the report is about; `None` when only the `CPU:` line tells.
pub(crate) fn of<'t>(scan: &Scan<'t>, head: usize, kind: ReportKind) -> Option<(&'t str, u32)> {
    let line = scan.lines.get(head)?;
    match kind {
        ReportKind::HungTask => {
            let [task, ..] =
                find("INFO: task {*} blocked", line).or_else(|| find("INFO: task {*} can't die", line))?;
            named(task, ':')
        }
        ReportKind::SoftLockup => named(line.rsplit_once('[')?.1.strip_suffix(']')?, ':'),
        ReportKind::OomKill => {
            let lines = scan.lines.iter().skip(head).take(NEAR);
            let [_, pid, comm, _] = lines
                .into_iter()
                .find_map(|line| find("ill{*} process {n} ({*})", line))?;
            Some((comm, pid.parse().ok()?))
        }
        ReportKind::AtomicSleep => {
            let [task, ..] = find("scheduling while atomic: {*}/0x", line)?;
            named(task, '/')
        }
        ReportKind::Kasan | ReportKind::Kfence => {
            let lines = scan.lines.iter().skip(head).take(4);
            let [task, ..] = lines.into_iter().find_map(|line| find("by task {*}", line))?;
            named(task, '/')
        }
        _ if kind.class() == Class::KernelLockdep => {
            let lines = scan.lines.iter().skip(head).take(6);
            let [task, ..] = lines
                .into_iter()
                .find_map(|line| find("{*} is trying to", line))?;
            named(task, '/')
        }
        _ => None,
    }
}

/// The CPU that the head line names.
pub(crate) fn cpu(scan: &Scan<'_>, head: usize) -> Option<u32> {
    let line = scan.lines.get(head)?;
    let [cpu, ..] = ["WARNING: CPU: {n}", "CPU#{n}", "LOCKUP on cpu {n}"]
        .iter()
        .find_map(|pattern| find(pattern, line))?;
    cpu.parse().ok()
}

/// `comm:77` or `comm/77`.
fn named(text: &str, separator: char) -> Option<(&str, u32)> {
    let (comm, pid) = text.trim().rsplit_once(separator)?;
    Some((comm, pid.parse().ok()?))
}
