//! What a record carries, as sections of its page.

use proto::v1::{
    CallTrace, Custom, Frame, Heartbeat, KernelReport, Loss, LossReason, OomKill, ProgramCrash, Record,
    Undecodable, record::Payload,
};

use super::machine_check::{self, Bit};
use super::{Facts, bytes, duration, grouped, taint};

/// Bytes of an undecodable event that the page shows; the API has all.
const DUMP_BYTES: usize = 4096;
/// Characters that a line of a report must share with the title to be marked as its origin.
const TITLE_MATCH: usize = 8;

/// The sections of a page; empty ones are not shown.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::http) struct Sections {
    pub(in crate::http) facts: Vec<Facts>,
    pub(in crate::http) traces: Vec<Trace>,
    pub(in crate::http) bits: Vec<Bit>,
    pub(in crate::http) registers: Vec<(String, String)>,
    pub(in crate::http) modules: Vec<String>,
    pub(in crate::http) hooks: Vec<Hook>,
    pub(in crate::http) text: Option<Text>,
}

/// A call trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Trace {
    pub(in crate::http) heading: String,
    /// `12 frames, 3 of them guessed`.
    pub(in crate::http) size: String,
    pub(in crate::http) frames: Vec<TraceRow>,
    /// Whether any frame is in a module.
    pub(in crate::http) modular: bool,
    /// Whether any frame has a source location.
    pub(in crate::http) located: bool,
}

/// One frame of a call trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct TraceRow {
    pub(in crate::http) number: usize,
    pub(in crate::http) function: String,
    /// `+0x12/0x80`.
    pub(in crate::http) offset: String,
    pub(in crate::http) module: String,
    pub(in crate::http) location: String,
    /// Names of style classes.
    pub(in crate::http) style: &'static str,
    /// What is special about it, each a word and its explanation.
    pub(in crate::http) hints: Vec<(&'static str, &'static str)>,
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
}

/// Text as it came, with its most telling line set apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Text {
    pub(in crate::http) heading: &'static str,
    /// `42 lines, 3.1 KiB`.
    pub(in crate::http) size: String,
    pub(in crate::http) before: String,
    pub(in crate::http) marked: String,
    pub(in crate::http) after: String,
    /// Whether it is shown at once.
    pub(in crate::http) open: bool,
}

/// The sections of a record.
pub(super) fn sections(record: &Record) -> Sections {
    match &record.payload {
        Some(Payload::KernelReport(report)) => kernel_report(report, &record.title),
        Some(Payload::MachineCheck(mce)) => Sections {
            facts: vec![machine_check::facts(mce)],
            bits: machine_check::status_bits(mce.status),
            registers: machine_check::registers(mce),
            ..Sections::default()
        },
        Some(Payload::OomKill(kill)) => only(oom_kill(kill)),
        Some(Payload::ProgramCrash(crash)) => only(program_crash(crash)),
        Some(Payload::Loss(loss)) => only(loss_facts(loss)),
        Some(Payload::Heartbeat(heartbeat)) => heartbeat_sections(heartbeat),
        Some(Payload::Custom(custom)) => custom_sections(custom),
        Some(Payload::Undecodable(undecodable)) => undecodable_sections(undecodable),
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
    let mut facts = Facts::new("Kernel report");
    facts.add_mono("Function", report.function.as_str());
    facts.add_mono("Module", report.module.as_str());
    facts.add("CPU", report.cpu.map(|cpu| cpu.to_string()).unwrap_or_default());
    let pid = report.pid.map(|pid| pid.to_string()).unwrap_or_default();
    facts.add_noted(
        "Task",
        report.comm.as_str(),
        if pid.is_empty() { pid } else { format!("pid {pid}") },
    );
    facts.add_noted("Taint", squeezed(&report.taint), taint::words(&report.taint));
    facts.add("Hardware", report.hardware.as_str());
    if report.truncated {
        facts.add_noted("Complete", "no", "the end or a part of the report is missing");
    }
    let mut traces: Vec<Trace> = report.traces.iter().map(trace).collect();
    mark_function(&mut traces, &report.function);
    Sections {
        facts: if facts.facts.is_empty() {
            Vec::new()
        } else {
            vec![facts]
        },
        traces,
        registers: report
            .registers
            .iter()
            .map(|register| (register.name.clone(), register.value.clone()))
            .collect(),
        modules: report.modules.clone(),
        text: text("Report as printed", &report.text, title, false),
        ..Sections::default()
    }
}

/// Taint letters without the columns of the kernel's print.
fn squeezed(letters: &str) -> String {
    letters.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn trace(trace: &CallTrace) -> Trace {
    let guessed = trace.frames.iter().filter(|frame| !frame.reliable).count();
    let size = match (trace.frames.len(), guessed) {
        (1, 0) => "1 frame".into(),
        (frames, 0) => format!("{frames} frames"),
        (frames, guessed) => format!("{frames} frames, {guessed} of them guessed by the unwinder"),
    };
    let rows = trace
        .frames
        .iter()
        .enumerate()
        .map(|(index, frame)| trace_row(index, frame))
        .collect();
    Trace {
        heading: if trace.heading.is_empty() {
            "Call trace".into()
        } else {
            trace.heading.clone()
        },
        size,
        frames: rows,
        modular: trace.frames.iter().any(|frame| !frame.module.is_empty()),
        located: trace.frames.iter().any(|frame| !frame.location.is_empty()),
    }
}

fn trace_row(index: usize, frame: &Frame) -> TraceRow {
    let mut hints = Vec::new();
    if !frame.reliable {
        hints.push((
            "?",
            "The unwinder is not sure of this frame: it was found on the stack only",
        ));
    }
    if frame.inlined {
        hints.push(("inline", "The compiler inlined this function"));
    }
    let offset = match (frame.offset, frame.size) {
        (0, 0) => String::new(),
        (offset, 0) => format!("+{offset:#x}"),
        (offset, size) => format!("+{offset:#x}/{size:#x}"),
    };
    TraceRow {
        number: index + 1,
        function: frame.function.clone(),
        offset,
        module: frame.module.clone(),
        location: frame.location.clone(),
        style: if frame.reliable { "" } else { "guess" },
        hints,
    }
}

/// Marks the innermost frame of the function at fault, one that the unwinder is sure of if there is one.
fn mark_function(traces: &mut [Trace], function: &str) {
    let mut rows: Vec<&mut TraceRow> = traces.iter_mut().flat_map(|trace| &mut trace.frames).collect();
    let named = |row: &&mut TraceRow| !function.is_empty() && row.function == function;
    let sure = rows.iter().position(|row| named(row) && row.style.is_empty());
    let Some(at) = sure.or_else(|| rows.iter().position(named)) else {
        return;
    };
    rows[at].style = "at-fault";
    rows[at]
        .hints
        .push(("at fault", "The function that the report blames"));
}

fn text(heading: &'static str, whole: &str, title: &str, open: bool) -> Option<Text> {
    if whole.is_empty() {
        return None;
    }
    let lines = whole.lines().count();
    let (before, marked, after) = split_at_title(whole, title);
    Some(Text {
        heading,
        size: format!(
            "{lines} {}, {}",
            if lines == 1 { "line" } else { "lines" },
            bytes(whole.len() as u64)
        ),
        before: before.to_owned(),
        marked: marked.to_owned(),
        after: after.to_owned(),
        open,
    })
}

/// Splits text around the line that shares the longest beginning with the title; no line is marked when none does.
fn split_at_title<'a>(text: &'a str, title: &str) -> (&'a str, &'a str, &'a str) {
    let shared = |line: &str| {
        line.chars()
            .zip(title.chars())
            .take_while(|(left, right)| left == right)
            .count()
    };
    let mut best = (0, 0, 0);
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let length = shared(line);
        if length > best.0 {
            best = (length, start, start + line.len());
        }
        start += line.len();
    }
    match best {
        (length, start, end) if length >= TITLE_MATCH.min(title.chars().count().max(1)) => {
            let marked = text[start..end].trim_end_matches('\n');
            (&text[..start], marked, &text[end..])
        }
        _ => (text, "", ""),
    }
}

fn oom_kill(kill: &OomKill) -> Facts {
    let kib = |size: Option<u64>| {
        size.map(|kib| bytes(kib.saturating_mul(1024)))
            .unwrap_or_default()
    };
    let mut facts = Facts::new("Out-of-memory kill");
    facts.add_noted(
        "Victim",
        kill.victim_comm.as_str(),
        format!("pid {}", kill.victim_pid),
    );
    if kill.victim_comm.is_empty() {
        facts.add("Victim", format!("pid {}", kill.victim_pid));
    }
    facts.add("User id", kill.uid.map(|uid| uid.to_string()).unwrap_or_default());
    facts.add(
        "oom_score_adj",
        kill.oom_score_adj
            .map(|score| score.to_string())
            .unwrap_or_default(),
    );
    facts.add("Anonymous", kib(kill.anon_rss_kib));
    facts.add("File pages", kib(kill.file_rss_kib));
    facts.add("Shared", kib(kill.shmem_rss_kib));
    facts.add("Page tables", kib(kill.pgtables_kib));
    facts.add("Virtual", kib(kill.total_vm_kib));
    facts
}

fn program_crash(crash: &ProgramCrash) -> Facts {
    let mut facts = Facts::new("Program crash");
    let number = crash.signal.to_string();
    match faults::signal::name(crash.signal) {
        Some(name) => facts.add_noted("Signal", name, format!("signal {number}")),
        None => facts.add_noted("Signal", number, ""),
    }
    let raised_by = if crash.code > 0 {
        "raised by the kernel"
    } else {
        "sent by a program"
    };
    facts.add_noted("si_code", crash.code.to_string(), raised_by);
    if crash.errno != 0 {
        facts.add("si_errno", crash.errno.to_string());
    }
    facts.add_mono("Program", crash.executable.as_str());
    facts
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
    Sections {
        facts: vec![facts],
        text: text("Payload", &custom.payload, "", true),
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
        text: text(heading, &hex_dump(shown), "", true),
        ..Sections::default()
    }
}

/// `offset  bytes  characters`, 16 bytes a line.
fn hex_dump(bytes: &[u8]) -> String {
    let lines = bytes.chunks(16).enumerate().map(|(line, chunk)| {
        let digits: String = chunk.iter().map(|byte| format!("{byte:02x} ")).collect();
        let printable = |byte: &u8| {
            if byte.is_ascii_graphic() || *byte == b' ' {
                char::from(*byte)
            } else {
                '.'
            }
        };
        let characters: String = chunk.iter().map(printable).collect();
        format!("{:08x}  {digits:<48} {characters}\n", line * 16)
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_became_the_title_is_marked() {
        let text = "other\nBUG: kernel NULL pointer dereference, address: 0\nRIP: 0010:f+1/2\n";
        let (before, marked, after) = split_at_title(text, "BUG: kernel NULL pointer dereference in f");
        assert_eq!(before, "other\n");
        assert_eq!(marked, "BUG: kernel NULL pointer dereference, address: 0");
        assert_eq!(after, "RIP: 0010:f+1/2\n");
        assert_eq!(split_at_title("a\nb", "something else"), ("a\nb", "", ""));
        assert_eq!(split_at_title("é\nß", ""), ("é\nß", "", ""));
    }

    #[test]
    fn a_dump_has_sixteen_bytes_a_line() {
        assert_eq!(
            hex_dump(b"telemetrics\0\x01\xff<>!"),
            "00000000  74 65 6c 65 6d 65 74 72 69 63 73 00 01 ff 3c 3e  telemetrics...<>\n\
             00000010  21                                               !\n"
        );
    }
}
