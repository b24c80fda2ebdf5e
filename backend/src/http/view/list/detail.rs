//! The second line of a row.

use proto::v1::{KernelEvent, Record, record::Payload};

use crate::http::view::{bytes, duration, grouped, payload};

/// Characters of a payload in the list.
const DETAIL_CHARS: usize = 120;

/// What helps to tell one record from another of the same title.
pub(super) fn of(record: &Record) -> String {
    match &record.payload {
        Some(Payload::KernelReport(report)) => joined([
            task(&report.comm, report.pid),
            report.cpu.map(|cpu| format!("CPU {cpu}")).unwrap_or_default(),
            prefixed("module ", &report.module),
        ]),
        Some(Payload::MachineCheck(mce)) => joined([
            mce.outcome.clone(),
            format!("bank {}", mce.bank),
            format!("CPU {}", mce.cpu),
        ]),
        Some(Payload::OomKill(kill)) => joined([
            task(&kill.victim_comm, Some(kill.victim_pid)),
            kill.anon_rss_kib
                .map(|kib| format!("{} anonymous", bytes(kib.saturating_mul(1024))))
                .unwrap_or_default(),
            prefixed("limit of ", &kill.limit_cgroup),
        ]),
        Some(Payload::ProgramCrash(crash)) => {
            let process = record
                .context
                .as_ref()
                .map(|context| format!("pid {}", context.tgid));
            let innermost = crash.frames.first().map(|frame| prefixed("in ", &frame.function));
            joined([
                crash.executable.clone(),
                process.unwrap_or_default(),
                innermost.unwrap_or_default(),
            ])
        }
        Some(Payload::Loss(loss)) => joined([
            format!("{} lost", grouped(loss.count)),
            payload::reason_word(loss.reason()),
            loss.title.clone(),
        ]),
        Some(Payload::Heartbeat(heartbeat)) => joined([
            format!("agent up {}", duration(heartbeat.agent_uptime_s)),
            format!("backlog {}", grouped(heartbeat.spool_backlog)),
            String::new(),
        ]),
        Some(Payload::Custom(custom)) => first_line(&custom.payload),
        Some(Payload::Undecodable(undecodable)) => undecodable.reason.clone(),
        Some(Payload::KernelEvent(event)) => first_line(&values(event)),
        Some(Payload::HardwareError(error)) => joined([
            error.part.clone(),
            error.position.clone(),
            prefixed("PCI ", &error.pci),
        ]),
        Some(Payload::Obituary(end)) => joined([
            payload::confidence(end.confidence()).to_owned(),
            end.evidence
                .first()
                .map(|evidence| first_line(&format!("{}: {}", evidence.source, evidence.text)))
                .unwrap_or_default(),
            String::new(),
        ]),
        None => String::new(),
    }
}

/// `dev=8388608 sector=12345`.
fn values(event: &KernelEvent) -> String {
    let values = event
        .fields
        .iter()
        .map(|field| format!("{}={}", field.name, payload::field_value(field)));
    values.collect::<Vec<_>>().join(" ")
}

/// `kworker/0:1 (pid 77)`.
fn task(comm: &str, pid: Option<u32>) -> String {
    match (comm, pid) {
        ("", None) => String::new(),
        ("", Some(pid)) => format!("pid {pid}"),
        (comm, None) => comm.to_owned(),
        (comm, Some(pid)) => format!("{comm} (pid {pid})"),
    }
}

/// The first line, shortened.
fn first_line(text: &str) -> String {
    text.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(DETAIL_CHARS)
        .collect()
}

fn prefixed(prefix: &str, value: &str) -> String {
    if value.is_empty() {
        String::new()
    } else {
        format!("{prefix}{value}")
    }
}

fn joined(parts: [String; 3]) -> String {
    parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" · ")
}
