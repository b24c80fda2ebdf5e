//! What a record carries, as sections of its page.

mod event;
mod obituary;
mod process;
mod room;

use faults::report::Taint;
use proto::v1::{
    Custom, Heartbeat, KernelReport, Loss, LossReason, Precursor, Record, Undecodable, record::Payload,
};

pub(super) use event::value as field_value;
pub(super) use obituary::confidence;

use super::machine_check::{self, Field};
use super::text::{Text, hex_dump, text};
use super::trace::{self, Trace};
use super::{Facts, bytes, duration, grouped};

/// Bytes of an undecodable event that the page shows; the API has all.
const DUMP_BYTES: usize = 4096;

/// The sections of a page; empty ones are not shown.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::http) struct Sections {
    pub(in crate::http) facts: Vec<Facts>,
    pub(in crate::http) traces: Vec<Trace>,
    pub(in crate::http) tables: Vec<Table>,
    pub(in crate::http) fields: Vec<Field>,
    pub(in crate::http) registers: Vec<(String, String)>,
    pub(in crate::http) modules: Vec<String>,
    pub(in crate::http) hooks: Vec<Hook>,
    pub(in crate::http) text: Option<Text>,
    /// Where the text is whole; empty: nowhere.
    pub(in crate::http) text_href: String,
    /// Where the stacks are with files and lines; empty: no debug files are there for them.
    pub(in crate::http) stack_href: String,
    /// Rows were left out that the page has no room for.
    pub(in crate::http) cut: bool,
    /// How many modules there are, of which those that fit are shown.
    pub(in crate::http) linked_in: usize,
    /// Where the record is whole; empty: nowhere, or all of it is shown.
    pub(in crate::http) whole_href: String,
}

/// Where a record is whole, if not all of it is shown.
pub(super) fn whole_href(id: &str, cut: bool) -> String {
    if cut {
        format!("/api/v1/faults/{id}")
    } else {
        String::new()
    }
}

impl Sections {
    /// Those of a record that is stored under this id. `resolvable`: there are debug files for its stacks.
    pub(super) fn of_fault(id: &str, record: &Record, resolvable: bool) -> Self {
        let sections = sections(record);
        Self {
            whole_href: whole_href(id, sections.cut),
            text_href: match whole_text(record) {
                Some(_) => format!("/faults/{id}/text"),
                None => String::new(),
            },
            stack_href: if resolvable {
                format!("/faults/{id}/stack")
            } else {
                String::new()
            },
            ..sections
        }
    }
}

/// Rows under a heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Table {
    pub(in crate::http) heading: &'static str,
    pub(in crate::http) columns: &'static [&'static str],
    /// A cell for each column; the first names the row.
    pub(in crate::http) rows: Vec<Vec<String>>,
}

impl Table {
    /// `None` when there are no rows.
    fn new(heading: &'static str, columns: &'static [&'static str], rows: Vec<Vec<String>>) -> Option<Self> {
        (!rows.is_empty()).then_some(Self {
            heading,
            columns,
            rows,
        })
    }
}

/// The state of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Hook {
    pub(in crate::http) name: String,
    pub(in crate::http) on: bool,
    /// `tp_btf`, or that it is not attached.
    pub(in crate::http) state: String,
    pub(in crate::http) reason: String,
    pub(in crate::http) events: String,
    pub(in crate::http) lost: String,
    /// `85 ns`; empty: not measured.
    pub(in crate::http) cost: String,
}

/// The sections of a record: those of its payload, then what was found around it.
pub(super) fn sections(record: &Record) -> Sections {
    let mut sections = of_payload(record);
    if let Some(context) = &record.context {
        sections.traces.extend(trace::context(&context.stack));
    }
    sections.tables.extend(precursors(record));
    sections.in_room()
}

/// The text that a record came with; None: it has none.
pub(in crate::http) fn whole_text(record: &Record) -> Option<&str> {
    let text = match &record.payload {
        Some(Payload::KernelReport(report)) => &report.text,
        Some(Payload::Custom(custom)) => &custom.payload,
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// What the host did before, the latest first.
fn precursors(record: &Record) -> Option<Table> {
    let before = |precursor: &Precursor| match record.since_boot_ns {
        0 => duration(precursor.since_boot_ns / 1_000_000_000),
        at => {
            let before_ms = at.saturating_sub(precursor.since_boot_ns) / 1_000_000;
            format!("{}.{:03} s", before_ms / 1000, before_ms % 1000)
        }
    };
    let rows = record.precursors.iter().rev().map(|precursor| {
        vec![
            before(precursor),
            precursor.text.clone(),
            precursor.cpu.to_string(),
        ]
    });
    let columns: &[&str] = match record.since_boot_ns {
        0 => &["Since boot", "What", "CPU"],
        _ => &["Before", "What", "CPU"],
    };
    Table::new("What came before", columns, rows.collect())
}

fn of_payload(record: &Record) -> Sections {
    match &record.payload {
        Some(Payload::KernelReport(report)) => kernel_report(report, &record.title),
        Some(Payload::MachineCheck(mce)) => Sections {
            facts: vec![machine_check::facts(mce)],
            fields: machine_check::fields(mce),
            registers: machine_check::registers(mce),
            ..Sections::default()
        },
        Some(Payload::OomKill(kill)) => only(process::oom_kill(kill)),
        Some(Payload::ProgramCrash(crash)) => process::program_crash(crash),
        Some(Payload::Loss(loss)) => only(loss_facts(loss)),
        Some(Payload::Heartbeat(heartbeat)) => heartbeat_sections(heartbeat),
        Some(Payload::Custom(custom)) => custom_sections(custom),
        Some(Payload::Undecodable(undecodable)) => undecodable_sections(undecodable),
        Some(Payload::KernelEvent(event)) => event::kernel_event(event),
        Some(Payload::HardwareError(error)) => event::hardware_error(error),
        Some(Payload::Obituary(end)) => obituary::sections(end),
        None => Sections::default(),
    }
}

fn only(facts: Facts) -> Sections {
    Sections {
        facts: vec![facts],
        ..Sections::default()
    }
}

fn kernel_report(report: &KernelReport, title: &str) -> Sections {
    let parsed = faults::parse(&report.text);
    let mut facts = Facts::new("Kernel report");
    facts.add("Also known as", report.alt_titles.join(", "));
    if let Some(fact) = facts.add("Function", report.function.as_str()) {
        fact.mono = true;
        fact.note = parsed.as_ref().map(why).unwrap_or_default();
    }
    facts.add_mono("Module", report.module.as_str());
    facts.add("CPU", report.cpu.map(|cpu| cpu.to_string()).unwrap_or_default());
    let pid = report.pid.map(|pid| pid.to_string()).unwrap_or_default();
    facts.add_noted(
        "Task",
        report.comm.as_str(),
        if pid.is_empty() { pid } else { format!("pid {pid}") },
    );
    facts.add_noted("Taint", squeezed(&report.taint), tainted(&report.taint));
    facts.add("Hardware", report.hardware.as_str());
    if report.truncated || report.corrupted {
        facts.add_noted("Complete", "no", missing(report, parsed.as_ref()));
    }
    Sections {
        facts: if facts.facts.is_empty() {
            Vec::new()
        } else {
            vec![facts]
        },
        traces: trace::traces(report),
        registers: report
            .registers
            .iter()
            .map(|register| (register.name.clone(), register.value.clone()))
            .collect(),
        modules: report.modules.clone(),
        text: text("Report as printed", &report.text, title, &report.function, false),
        ..Sections::default()
    }
}

/// Why the function is the one at fault.
fn why(report: &faults::KernelReport) -> String {
    let choice = report.choice.as_ref();
    choice
        .map(|choice| format!("{}; {}", choice.origin.meaning(), choice.reason.meaning()))
        .unwrap_or_default()
}

/// What the report lacks.
fn missing(report: &KernelReport, parsed: Option<&faults::KernelReport>) -> String {
    let told = parsed.map(|parsed| parsed.missing.as_slice()).unwrap_or_default();
    if told.is_empty() {
        return "The end or a part of the report is missing.".to_owned();
    }
    let mut told: Vec<&str> = told.iter().map(|missing| missing.why).collect();
    if report.corrupted {
        told.push("The function at fault may be wrong.");
    }
    told.join(" ")
}

/// What the taint letters mean; `G` (only free modules) says nothing.
fn tainted(letters: &str) -> String {
    let flags = Taint::new(letters).flags;
    let meanings: Vec<&str> = flags.iter().map(|flag| flag.meaning).collect();
    meanings.join(", ")
}

/// Taint letters without the columns of the kernel's print.
fn squeezed(letters: &str) -> String {
    letters.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn loss_facts(loss: &Loss) -> Facts {
    let mut facts = Facts::new("Lost records");
    facts.add("How many", grouped(loss.count));
    facts.add_noted("Why", reason_word(loss.reason()), reason_meaning(loss.reason()));
    facts.add_mono("Hook", loss.hook.as_str());
    facts.add_mono("Class", loss.class.as_str());
    facts.add("Title", loss.title.as_str());
    facts
}

/// The reason's name in words.
pub(super) fn reason_word(reason: LossReason) -> String {
    reason
        .as_str_name()
        .trim_start_matches("LOSS_REASON_")
        .replace('_', " ")
        .to_ascii_lowercase()
}

fn reason_meaning(reason: LossReason) -> &'static str {
    match reason {
        LossReason::Unspecified => "",
        LossReason::RingFull => "the ring buffer between kernel and agent was full",
        LossReason::Storm => "repeats of a known fault: only their count is kept",
        LossReason::RateLimit => "the rate limit of the host or of a sender",
        LossReason::SpoolFull => "the agent's spool reached its size limit",
        LossReason::SpoolUnreadable => "a part of the agent's spool could not be read back",
        LossReason::KmsgOverrun => "the kernel's log was overwritten before it was read",
        LossReason::Rejected => "a sender broke the rules of the local socket",
        LossReason::SpoolExpired => "records in the agent's spool were too old",
        LossReason::SpoolWrite => "the agent's spool could not be written",
    }
}

fn heartbeat_sections(heartbeat: &Heartbeat) -> Sections {
    let mut facts = Facts::new("Agent");
    facts.add("Running for", duration(heartbeat.agent_uptime_s));
    facts.add_noted(
        "Backlog",
        grouped(heartbeat.spool_backlog),
        "records not yet acknowledged",
    );
    let watched = heartbeat
        .hooks
        .iter()
        .filter(|hook| !hook.attach.is_empty())
        .count();
    facts.add(
        "Hooks",
        format!("{watched} of {} attached", heartbeat.hooks.len()),
    );
    let hooks = heartbeat.hooks.iter().map(|hook| Hook {
        name: hook.name.clone(),
        on: !hook.attach.is_empty(),
        state: if hook.attach.is_empty() {
            "not attached".into()
        } else {
            hook.attach.clone()
        },
        reason: hook.reason.clone(),
        events: grouped(hook.events),
        lost: grouped(hook.lost),
        cost: match hook.ns_per_event {
            0 => String::new(),
            ns => format!("{} ns", grouped(ns.into())),
        },
    });
    Sections {
        facts: vec![facts],
        hooks: hooks.collect(),
        ..Sections::default()
    }
}

fn custom_sections(custom: &Custom) -> Sections {
    let mut facts = Facts::new("Custom record");
    facts.add_mono("Classification", custom.classification.as_str());
    facts.add("Version", custom.payload_version.to_string());
    facts.add_mono("Event id", custom.event_id.as_str());
    facts.add("User", custom.uid.map(|uid| uid.to_string()).unwrap_or_default());
    if custom.pid != 0 {
        let name = if custom.comm.is_empty() {
            "a process"
        } else {
            custom.comm.as_str()
        };
        facts.add_noted("Sent by", name, format!("pid {}", custom.pid));
    }
    Sections {
        facts: vec![facts],
        tables: event::values(&custom.fields).into_iter().collect(),
        text: text("Payload", &custom.payload, "", "", true),
        ..Sections::default()
    }
}

fn undecodable_sections(undecodable: &Undecodable) -> Sections {
    let mut facts = Facts::new("Undecodable bytes");
    facts.add("Source", undecodable.source.as_str());
    facts.add("Reason", undecodable.reason.as_str());
    facts.add("Size", bytes(undecodable.bytes.len() as u64));
    let shown = &undecodable.bytes[..undecodable.bytes.len().min(DUMP_BYTES)];
    let heading = if shown.len() < undecodable.bytes.len() {
        "First bytes"
    } else {
        "Bytes"
    };
    Sections {
        facts: vec![facts],
        text: text(heading, &hex_dump(shown), "", "", true).map(|text| Text {
            size: bytes(shown.len() as u64),
            ..text
        }),
        ..Sections::default()
    }
}
