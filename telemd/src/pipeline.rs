//! Events to records: one record a fault, whatever number of hooks saw it.
//!
//! Most faults are seen twice: by a hook of their own and in the kernel's text. An oops or a panic is told best by its
//! text, so the hook only says who was running; when no text comes, a record without text is made of it. A machine
//! check and an out-of-memory kill are told best by their hooks, so their text waits for a moment and is dropped when
//! the hook told the fault.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use faults::{Assembled, Assembler, Class, KernelReport, Limits, Line, ReportKind, Severity, log};
use probe_user::kmsg::{Caller, KmsgRecord};
use probe_user::{Context, Event, hook};
use proto::v1::Record;
use proto::v1::record::Payload;

use crate::clock::Moment;
use crate::kept::Mark;
use crate::lines::{Lines, TextLine};
use crate::process;
use crate::record::{Boot, Signal, hook as wire_hook, wire_context};

#[cfg(test)]
mod tests;

/// How often [`Pipeline::tick`] wants to be called while [`Pipeline::is_busy`], milliseconds.
pub const TICK_MS: u64 = 100;

/// How `/dev/kmsg` is called as a way of attaching.
pub const KMSG: &str = "kmsg";

/// A piece of text that is not continued for this long is a line.
const LINE_NS: u64 = 100_000_000;
/// An oops or a panic whose text does not come within this time is told without it.
const TEXT_NS: u64 = 5_000_000_000;
/// The hook and the text of one fault are at most this far apart.
const SAME_FAULT_NS: u64 = 2_000_000_000;
/// Tasks whose printing is remembered until their report is complete: more than the assembler collects at once.
const PRINTERS: usize = 64;
/// Oopses and panics that wait for their text.
const DEATHS: usize = 16;
/// Faults told by their hooks that are remembered to know their text by.
const TOLD: usize = 64;
/// Texts that wait for a hook to tell their fault.
const HELD: usize = 16;

/// A record to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The record.
    pub record: Record,
    /// What it stands for, when a later boot may find it again.
    pub mark: Option<Mark>,
}

/// The state between events.
#[derive(Debug)]
pub struct Pipeline {
    boot: Boot,
    proc: PathBuf,
    lines: Lines,
    assembler: Assembler,
    /// Who printed lately, newest last.
    printers: VecDeque<Context>,
    /// How text reaches us.
    text_attach: &'static str,
    deaths: VecDeque<Death>,
    /// When machine checks and out-of-memory kills were told by their hooks, nanoseconds since boot.
    machine_checks: VecDeque<u64>,
    victims: VecDeque<u64>,
    held: VecDeque<(Assembled, KernelReport)>,
}

/// An oops or a panic that waits for its text.
#[derive(Debug)]
struct Death {
    context: Context,
    class: Class,
}

impl Pipeline {
    /// A pipeline for this boot. `proc` is where /proc is mounted.
    pub fn new(boot: Boot, proc: PathBuf) -> Self {
        Self {
            boot,
            proc,
            lines: Lines::default(),
            assembler: Assembler::new(Limits::default()),
            printers: VecDeque::new(),
            text_attach: "",
            deaths: VecDeque::new(),
            machine_checks: VecDeque::new(),
            victims: VecDeque::new(),
            held: VecDeque::new(),
        }
    }

    /// Takes an event of a hook.
    pub fn event(&mut self, event: Event, now: Moment, out: &mut Vec<Found>) {
        let boot = &self.boot;
        let (mark, record) = match event {
            Event::KernelText {
                context,
                text,
                continues,
            } => {
                let mut lines = Vec::new();
                self.lines.push(context, &text, continues, &mut lines);
                return self.text(&lines, now, out);
            }
            Event::OopsEnter { context } => return self.death(context, Class::KernelOops, now, out),
            Event::Panic { context } => return self.death(context, Class::KernelPanic, now, out),
            Event::MachineCheck {
                context,
                machine_check,
            } => {
                remember(&mut self.machine_checks, TOLD, context.since_boot_ns);
                let record = boot.machine_check(&context, &machine_check, at(&context, now));
                (Some(Mark::of_record(&record, now.asleep_ns)), record)
            }
            Event::OomVictim { context, victim } => {
                remember(&mut self.victims, TOLD, context.since_boot_ns);
                let comm = match &victim.comm {
                    Some(comm) => comm.clone(),
                    None => process::name(&self.proc, victim.pid).unwrap_or_default(),
                };
                let record = boot.oom_kill(&context, &victim, &comm, at(&context, now));
                (Some(Mark::of_record(&record, now.asleep_ns)), record)
            }
            Event::FatalSignal {
                context,
                signal,
                code,
                errno,
            } => {
                let signal = Signal {
                    number: signal,
                    code,
                    errno,
                };
                let program = process::program(&self.proc, &context);
                (
                    None,
                    boot.program_crash(&context, &program, signal, at(&context, now)),
                )
            }
            Event::Record {
                context,
                tracepoint,
                fields,
                told,
                ..
            } => {
                let record = boot.kernel_event(&context, &tracepoint, &fields, &told, at(&context, now));
                (None, record)
            }
            Event::Undecodable { bytes, reason } => (None, boot.undecodable("ring", &bytes, &reason, now)),
        };
        out.push(Found { record, mark });
    }

    /// Takes a record of the kernel log that was just read, where no hook sees the text.
    pub fn kmsg(&mut self, record: &KmsgRecord, now: Moment, out: &mut Vec<Found>) {
        // What programs write to the log is not the kernel's word.
        if record.facility != 0 {
            return;
        }
        self.text_attach = KMSG;
        let (cpu, task) = match record.caller {
            Some(Caller::Cpu(cpu)) => (Some(cpu), None),
            Some(Caller::Task(task)) => (None, Some(task)),
            None => (None, None),
        };
        // The log's own clock stops in suspend and drifts; it was read as it was printed.
        let line = Line {
            text: &record.text,
            at_us: now.since_boot_ns / 1_000,
            cpu,
            task,
        };
        let mut reports = Vec::new();
        self.assembler.push(line, &mut reports);
        self.reports(&reports, now, out);
    }

    /// Ends what has waited long enough.
    pub fn tick(&mut self, now: Moment, out: &mut Vec<Found>) {
        let mut lines = Vec::new();
        self.lines
            .expire(now.since_boot_ns.saturating_sub(LINE_NS), &mut lines);
        self.text(&lines, now, out);
        let mut reports = Vec::new();
        self.assembler.flush_idle(now.since_boot_ns / 1_000, &mut reports);
        self.reports(&reports, now, out);
        let late = |(text, _): &(Assembled, KernelReport)| *around(text).end() < now.since_boot_ns;
        while self.held.front().is_some_and(late) {
            self.release(now, out);
        }
        if !self.assembler.is_collecting() {
            self.mourn(now.since_boot_ns.saturating_sub(TEXT_NS), now, out);
        }
    }

    /// Ends everything: the agent stops.
    pub fn flush(&mut self, now: Moment, out: &mut Vec<Found>) {
        let mut lines = Vec::new();
        self.lines.flush(&mut lines);
        self.text(&lines, now, out);
        let mut reports = Vec::new();
        self.assembler.flush(&mut reports);
        self.reports(&reports, now, out);
        while !self.held.is_empty() {
            self.release(now, out);
        }
        self.mourn(u64::MAX, now, out);
    }

    /// Whether something waits for [`Pipeline::tick`].
    pub fn is_busy(&self) -> bool {
        let waiting = !self.lines.is_empty() || !self.held.is_empty() || !self.deaths.is_empty();
        waiting || self.assembler.is_collecting()
    }

    fn text(&mut self, lines: &[TextLine], now: Moment, out: &mut Vec<Found>) {
        let mut reports = Vec::new();
        for TextLine { context, text } in lines {
            self.text_attach = context.attach.as_str();
            for line in log::lines(text) {
                // Before Linux 6.1 the console hook sees prefixed lines, printed by whoever holds the console: only the
                // prefix knows whose they are.
                let prefixed = line.text.len() < line.span.1 - line.span.0;
                let task = (context.pid != 0).then_some(context.pid);
                self.assembler.push(
                    Line {
                        text: &line.text,
                        at_us: context.since_boot_ns / 1_000,
                        cpu: if prefixed { line.cpu } else { Some(context.cpu) },
                        task: if prefixed { line.task } else { task },
                    },
                    &mut reports,
                );
            }
            self.printed(context);
        }
        self.reports(&reports, now, out);
    }

    fn printed(&mut self, context: &Context) {
        let same = |known: &Context| known.cpu == context.cpu && known.pid == context.pid;
        if let Some(index) = self.printers.iter().position(same) {
            self.printers.remove(index);
        }
        remember(&mut self.printers, PRINTERS, context.clone());
    }

    fn death(&mut self, context: Context, class: Class, now: Moment, out: &mut Vec<Found>) {
        // In a storm of oopses each has its text and only the context of the oldest is forgotten; where there is no
        // text, the oldest is told now.
        if self.deaths.len() == DEATHS && self.text_attach.is_empty() {
            let oldest = self.deaths.front().map_or(0, |death| death.context.since_boot_ns);
            self.mourn(oldest.saturating_add(1), now, out);
        }
        remember(&mut self.deaths, DEATHS, Death { context, class });
    }

    fn reports(&mut self, reports: &[Assembled], now: Moment, out: &mut Vec<Found>) {
        for assembled in reports {
            let Some(report) = faults::parse(&assembled.text) else {
                continue;
            };
            if !matches!(report.kind, ReportKind::OomKill | ReportKind::MachineCheck) {
                self.report(assembled, &report, now, out);
                continue;
            }
            if self.held.len() == HELD {
                self.release(now, out);
            }
            self.held.push_back((assembled.clone(), report));
        }
    }

    /// Tells the text that has waited longest, unless a hook has told its fault.
    fn release(&mut self, now: Moment, out: &mut Vec<Found>) {
        let Some((assembled, report)) = self.held.pop_front() else {
            return;
        };
        let told = match report.kind {
            ReportKind::OomKill => &self.victims,
            _ => &self.machine_checks,
        };
        let around = around(&assembled);
        if !told.iter().any(|at| around.contains(at)) {
            self.report(&assembled, &report, now, out);
        }
    }

    fn report(&mut self, assembled: &Assembled, report: &KernelReport, now: Moment, out: &mut Vec<Found>) {
        let first_ns = assembled.first_at_us.saturating_mul(1_000);
        let died = self.take_deaths(assembled);
        let at = now.at_boot_ns(first_ns);
        let mut record = self
            .boot
            .kernel_report(report, &assembled.text, assembled.truncated, at);
        let context = died.or_else(|| self.printer(assembled));
        record.context = context.as_ref().map(wire_context);
        record.hook = Some(wire_hook(hook::PRINTK_CONSOLE, self.text_attach));
        let mark = Some(Mark::of_record(&record, now.asleep_ns));
        out.push(Found { record, mark });
    }

    /// The oopses and panics that this text tells: those of its CPU and time.
    fn take_deaths(&mut self, text: &Assembled) -> Option<Context> {
        let around = around(text);
        let mut first = None;
        self.deaths.retain(|death| {
            let cpu = text.cpu.is_none_or(|cpu| cpu == death.context.cpu);
            let task = text.task.is_some_and(|task| task == death.context.pid);
            let told = around.contains(&death.context.since_boot_ns) && (cpu || task);
            if told && first.is_none() {
                first = Some(death.context.clone());
            }
            !told
        });
        first
    }

    fn printer(&self, text: &Assembled) -> Option<Context> {
        let is_it = |context: &&Context| {
            text.cpu.is_none_or(|cpu| cpu == context.cpu)
                && text.task.map_or(context.pid == 0, |task| task == context.pid)
        };
        self.printers.iter().rev().find(is_it).cloned()
    }

    /// Tells the oopses and panics before `since_boot_ns` without their text.
    fn mourn(&mut self, since_boot_ns: u64, now: Moment, out: &mut Vec<Found>) {
        while let Some(Death { context, class }) = self
            .deaths
            .pop_front_if(|death| death.context.since_boot_ns < since_boot_ns)
        {
            let (severity, title) = match class {
                Class::KernelPanic => (Severity::Critical, "kernel panic, its text was not caught"),
                _ => (Severity::High, "kernel oops, its text was not caught"),
            };
            let mut record = self.boot.record(class, severity, title, at(&context, now));
            record.hook = Some(wire_hook(&context.hook, context.attach.as_str()));
            record.context = Some(wire_context(&context));
            record.payload = Some(Payload::KernelReport(proto::v1::KernelReport {
                cpu: Some(context.cpu),
                pid: Some(context.pid),
                comm: context.comm,
                truncated: true,
                ..Default::default()
            }));
            out.push(Found { record, mark: None });
        }
    }
}

/// When a hook may have seen what the text tells, nanoseconds since boot.
fn around(text: &Assembled) -> RangeInclusive<u64> {
    let first = text.first_at_us.saturating_mul(1_000);
    let last = text.last_at_us.saturating_mul(1_000);
    first.saturating_sub(SAME_FAULT_NS)..=last.saturating_add(SAME_FAULT_NS)
}

fn at(context: &Context, now: Moment) -> Moment {
    now.at_boot_ns(context.since_boot_ns)
}

fn remember<T>(list: &mut VecDeque<T>, limit: usize, item: T) {
    if list.len() == limit {
        list.pop_front();
    }
    list.push_back(item);
}
