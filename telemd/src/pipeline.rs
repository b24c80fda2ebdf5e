//! Events to records: one record a fault, whatever number of hooks saw it.
//!
//! Most faults are seen twice: by a hook of their own and in the kernel's text. [`twins`] knows which belong together
//! and which of the two is told.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;

use faults::{Assembled, Class, KernelReport, Severity};
use probe_user::catalogue;
use probe_user::kmsg::KmsgRecord;
use probe_user::user_probe::UserProbe;
use probe_user::{Best, Context, Event, Fields, OomVictim, Told, Twin};
use proto::v1::record::Payload;
use proto::v1::{OomKill, Record};

use crate::clock::Moment;
use crate::device;
use crate::kept::Mark;
use crate::places::Places;
use crate::process::{self, Executable};
use crate::record::{Boot, Signal, Tracepoint, hook as wire_hook, reclass, wire_context};
use console::Console;
use fault::{Fault, MACHINE_CHECK, OOM_KILL};
use log_clock::LogClock;
use oom::Causes;
use sequences::Sequences;
use twins::{Twins, Waiting};

mod console;
mod fault;
mod log_clock;
mod oom;
mod report;
mod sequences;
#[cfg(test)]
mod tests;
mod twins;

pub use console::KMSG;

/// How often [`Pipeline::tick`] wants to be called while [`Pipeline::is_busy`], milliseconds.
pub const TICK_MS: u64 = 100;

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
    sys: PathBuf,
    places: Places,
    causes: Causes,
    sequences: Sequences,
    console: Console,
    log_clock: LogClock,
    twins: Twins,
    /// Texts that say less than they should, and it is not known whether lines of them were lost.
    cut_short: Vec<(Assembled, KernelReport)>,
    /// Events with text that the kernel has lost, as far as is known.
    lost: u64,
    /// The classes of the host's own probes, by hook.
    classes: HashMap<String, String>,
}

impl Pipeline {
    /// A pipeline for this boot. `proc` and `sys` are where /proc and /sys are mounted.
    pub fn new(boot: Boot, proc: PathBuf, sys: PathBuf) -> Self {
        Self {
            boot,
            places: Places::new(&sys.join("fs/cgroup"), &proc.join("kallsyms")),
            proc,
            sys,
            causes: Causes::default(),
            sequences: Sequences::default(),
            console: Console::new(),
            log_clock: LogClock::default(),
            twins: Twins::default(),
            cut_short: Vec::new(),
            lost: 0,
            classes: HashMap::new(),
        }
    }

    /// The same with the host's own probes.
    #[must_use]
    pub fn with_probes<'a>(self, probes: impl IntoIterator<Item = &'a UserProbe>) -> Self {
        let classes = probes
            .into_iter()
            .map(|probe| (probe.hook.clone(), probe.class.clone()));
        Self {
            classes: classes.collect(),
            ..self
        }
    }

    /// Reads the kernel's symbols from `file`, which somebody opened who is shown addresses.
    pub fn read_symbols(&mut self, file: File) {
        self.places.read_symbols(file);
    }

    /// Takes an event of a hook.
    pub fn event(&mut self, event: Event, now: Moment, out: &mut Vec<Found>) {
        let running = match &event {
            Event::FatalSignal { context, .. } => process::executable(&self.proc, context.tgid),
            _ => Executable::default(),
        };
        self.event_of(event, running, now, out);
    }

    /// Takes an event of a hook. `running` is what its task runs, as far as that is known.
    pub fn event_of(&mut self, event: Event, running: Executable, now: Moment, out: &mut Vec<Found>) {
        if let Some(context) = event.context()
            && self.sequences.is_behind_loss(context)
        {
            self.console.lose();
        }
        match event {
            Event::KernelText {
                context,
                text,
                continues,
            } => {
                let mut reports = Vec::new();
                self.console.piece(&context, &text, continues, &mut reports);
                self.reports(reports, now, out);
            }
            Event::OopsEnter { context } => self.fault(&context, Fault::Oops, now, out),
            Event::Panic { context } => self.fault(&context, Fault::Panic, now, out),
            Event::Warning { context } => self.fault(&context, Fault::Warning, now, out),
            Event::SoftLockup { context } => self.fault(&context, Fault::SoftLockup, now, out),
            Event::AllocFailure { context, .. } => self.fault(&context, Fault::AllocFailure, now, out),
            Event::MachineCheck {
                context,
                machine_check,
            } => {
                let record = self
                    .boot
                    .machine_check(&context, &machine_check, at(&context, now));
                self.tell(record, Some(MACHINE_CHECK), &context, now, out);
            }
            Event::OomCause { context, cause } => self.causes.remember(context, cause),
            Event::OomVictim { context, victim } => self.victim(context, &victim, now, out),
            Event::FatalSignal {
                context,
                signal: number,
                code,
                errno,
                address,
                frames,
                executable,
            } => {
                let signal = Signal {
                    number,
                    code,
                    errno,
                    address,
                    frames,
                };
                self.crash(&context, &signal, running, executable.as_deref(), now, out);
            }
            Event::Record {
                context,
                tracepoint,
                fields,
                told,
                ..
            } => self.tracepoint(&context, &tracepoint, &fields, told, now, out),
            Event::Undecodable { bytes, reason } => out.push(Found {
                record: self.boot.undecodable("ring", &bytes, &reason, now),
                mark: None,
            }),
        }
    }

    /// Takes a record of the kernel log that was just read, where no hook sees the text. Answers when it was printed,
    /// nanoseconds since boot.
    pub fn kmsg(&mut self, record: &KmsgRecord, now: Moment, out: &mut Vec<Found>) -> u64 {
        self.console.follow(record.sequence);
        let at_us = self.log_clock.at_us(record.at_us, now);
        self.log(record, at_us, now, out);
        at_us.saturating_mul(1_000)
    }

    /// Takes a record of the kernel log that was printed before anything was watched.
    pub fn replay(&mut self, record: &KmsgRecord, now: Moment, out: &mut Vec<Found>) {
        let at_us = record.at_us.saturating_add(now.asleep_ns / 1_000);
        self.log(record, at_us.min(now.since_boot_ns / 1_000), now, out);
    }

    fn log(&mut self, record: &KmsgRecord, at_us: u64, now: Moment, out: &mut Vec<Found>) {
        // What programs write to the log is not the kernel's word.
        if record.facility != 0 {
            return;
        }
        let mut reports = Vec::new();
        self.console.kmsg(record, at_us, &mut reports);
        self.reports(reports, now, out);
    }

    /// Ends what has waited long enough. What happened before `now` must have been taken: what is still in a ring that
    /// is read late is not.
    pub fn tick(&mut self, now: Moment, out: &mut Vec<Found>) {
        let mut reports = Vec::new();
        self.console.tick(now.since_boot_ns, &mut reports);
        self.reports(reports, now, out);
        self.late(now.since_boot_ns, now, out);
    }

    /// Ends everything: the agent stops.
    pub fn flush(&mut self, now: Moment, out: &mut Vec<Found>) {
        let mut reports = Vec::new();
        self.console.flush(&mut reports);
        self.reports(reports, now, out);
        self.has_lost(self.lost, now, out);
        self.late(u64::MAX, now, out);
    }

    /// Whether something waits for [`Pipeline::tick`].
    pub fn is_busy(&self) -> bool {
        self.console.is_busy() || self.twins.is_busy()
    }

    /// Tells a record of a hook that nothing tells better.
    fn tell(
        &mut self,
        mut record: Record,
        twin: Option<Twin>,
        context: &Context,
        now: Moment,
        out: &mut Vec<Found>,
    ) {
        self.place(&mut record, &context.stack, now);
        let mark = twin.map(|_| Mark::of_record(&record, now.asleep_ns));
        if let Some(twin) = twin {
            self.twins.told_by_hook(twin, context.since_boot_ns);
        }
        out.push(Found { record, mark });
    }

    /// Says in words where a record's context is. Reading the kernel's symbols takes a moment, on slow machines seconds, in
    /// which nobody reads /dev/kmsg: where text comes from there a stack is left to it.
    fn place(&mut self, record: &mut Record, stack: &[u64], now: Moment) {
        let stack = if self.console.attach == KMSG { &[] } else { stack };
        if let Some(context) = &mut record.context {
            self.places.complete(context, stack, now.since_boot_ns);
        }
    }

    /// A program that a signal ends.
    fn crash(
        &mut self,
        context: &Context,
        signal: &Signal,
        running: Executable,
        executable: Option<&str>,
        now: Moment,
        out: &mut Vec<Found>,
    ) {
        let program = process::program(&self.proc, running, context, executable, &signal.frames);
        let record = self
            .boot
            .program_crash(context, &program, signal, at(context, now));
        self.tell(record, None, context, now, out);
    }

    /// What a tracepoint's record told, by itself or until its text comes.
    fn tracepoint(
        &mut self,
        context: &Context,
        name: &str,
        fields: &Fields,
        told: Told,
        now: Moment,
        out: &mut Vec<Found>,
    ) {
        let device = told
            .device
            .and_then(|device| device::name(&self.sys, device.number));
        let tracepoint = Tracepoint {
            name,
            fields,
            told: &told,
            device: device.as_deref(),
        };
        let mut record = self.boot.tracepoint(context, &tracepoint, at(context, now));
        if let Some(class) = self.classes.get(&*context.hook) {
            reclass(&mut record, class);
        }
        match told.twin {
            Some(twin) if twin.best == Best::Text => {
                let waiting = Waiting {
                    once: told.once,
                    ..Waiting::of(record, twin, context)
                };
                self.wait(waiting, &context.stack, now, out);
            }
            twin => self.tell(record, twin, context, now, out),
        }
    }

    /// A victim of the out-of-memory killer, with the reason that was seen just before.
    fn victim(&mut self, mut context: Context, victim: &OomVictim, now: Moment, out: &mut Vec<Found>) {
        let comm = match &victim.comm {
            Some(comm) => comm.clone(),
            None => process::name(&self.proc, victim.pid).unwrap_or_default(),
        };
        let mut why = OomKill::default();
        if let Some((stack, cause)) = self.causes.of(&context) {
            why = oom::why(cause, victim.pid, &mut self.places, now.since_boot_ns);
            context.stack.clone_from(stack);
        }
        let record = self
            .boot
            .oom_kill(&context, victim, &comm, why, at(&context, now));
        self.tell(record, Some(OOM_KILL), &context, now, out);
    }

    /// A fault of the kernel that its text tells best.
    fn fault(&mut self, context: &Context, fault: Fault, now: Moment, out: &mut Vec<Found>) {
        let (title, twin) = fault.told();
        let (class, severity) = catalogue::find(&context.hook)
            .map_or((Class::KernelOther, Severity::Medium), |spec| {
                (spec.class, spec.severity)
            });
        let mut record = self.boot.record(class, severity, title, at(context, now));
        record.hook = Some(wire_hook(&context.hook, context.attach.as_str()));
        record.context = Some(wire_context(context));
        record.payload = Some(Payload::KernelReport(proto::v1::KernelReport {
            cpu: Some(context.cpu),
            pid: Some(context.pid),
            comm: context.comm.clone(),
            truncated: true,
            ..Default::default()
        }));
        let waiting = Waiting {
            alone: matches!(fault, Fault::Oops | Fault::Panic),
            ..Waiting::of(record, twin, context)
        };
        self.wait(waiting, &context.stack, now, out);
    }

    /// Lets a hook's record wait for the text that tells it better.
    fn wait(&mut self, mut waiting: Waiting, stack: &[u64], now: Moment, out: &mut Vec<Found>) {
        self.place(&mut waiting.record, stack, now);
        let Some(oldest) = self.twins.wait(waiting) else {
            return;
        };
        // In a storm each oops has its text and only the context of the oldest is forgotten. Where no text reaches us, or
        // the kernel limits what it prints of such faults, the oldest is told now.
        if !self.sees_text() || oldest.alone && !oldest.twin.kinds.is_empty() {
            self.twins.told_by_hook(oldest.twin, oldest.at_ns);
            self.without_text(oldest, out);
        }
    }

    /// Whether any text has reached us, so that of the next fault will too.
    fn sees_text(&self) -> bool {
        !self.console.attach.is_empty()
    }

    fn without_text(&mut self, waiting: Waiting, out: &mut Vec<Found>) {
        let again = |once| self.twins.is_again(once, waiting.at_ns);
        if !waiting.once.as_ref().is_some_and(again) {
            out.push(Found {
                record: waiting.record,
                mark: None,
            });
        }
    }
}

fn at(context: &Context, now: Moment) -> Moment {
    now.at_boot_ns(context.since_boot_ns)
}
