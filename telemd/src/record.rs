//! What the agent saw, as records of the wire format, every field within its limit.

use bytes::Bytes;
use faults::{Class, KernelReport, Severity, fingerprint};
use probe_user::{Context, OomVictim};
use prost::Message as _;
use proto::limits::{RECORD_BYTES, TITLE_BYTES, UNDECODABLE_BYTES};
use proto::v1::record::Payload;
use proto::v1::{
    Custom, Heartbeat, Hook, HookState, Loss, MachineCheck, OomKill, Record, Submission, Undecodable,
};

use crate::clock::Moment;
use crate::losses::Entry;
use crate::status::HookStatus;
use crate::text::{cut, title};
use wire::COMM_BYTES;

mod crash;
mod event;
mod precursors;

pub use crash::{CORE_PATTERN, Program, Signal};
pub use event::Tracepoint;
pub use precursors::precursors;

/// Longest reason of a hook's state, bytes.
const HOOK_REASON_BYTES: usize = 512;
/// Longest reason, decoded text or other sentence, bytes.
const SENTENCE_BYTES: usize = 256;

/// Which boot and which kernel records are about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Boot {
    /// `/proc/sys/kernel/random/boot_id`; empty when not known.
    pub id: String,
    /// `uname -r`; empty when not known.
    pub kernel_release: String,
}

impl Boot {
    /// A record of this boot, without a payload.
    pub fn record(&self, class: Class, severity: Severity, what: &str, at: Moment) -> Record {
        let title = title(what, TITLE_BYTES);
        Record {
            occurred_at_unix_ns: at.unix_ns,
            since_boot_ns: at.since_boot_ns,
            boot_id: self.id.clone(),
            class: class.as_str().to_owned(),
            severity: i32::from(severity as u8),
            fingerprints: wire::fingerprint(&fingerprint::of_title(class, &title))
                .into_iter()
                .collect(),
            title,
            hook: None,
            context: None,
            kernel_release: cut(&self.kernel_release, 128).to_owned(),
            precursors: Vec::new(),
            payload: None,
        }
    }

    /// A report of this boot's kernel, its text beside what was understood of it.
    pub fn kernel_report(&self, report: &KernelReport, text: &str, truncated: bool, at: Moment) -> Record {
        self.stamped(wire::kernel_report(report, text, truncated), at)
    }

    /// A report of this boot's kernel of whose text lines are known to be lost: one of its class, and no more is said of it
    /// than that, because what its text says of the fault may be wrong.
    pub fn damaged_report(&self, report: &KernelReport, text: &str, at: Moment) -> Record {
        let class = report.class.as_str().replace(['.', '_'], " ");
        let title = format!("{class}, lines of its text were lost");
        Record {
            payload: self.kernel_report(report, text, true, at).payload,
            ..self.record(report.class, report.severity, &title, at)
        }
    }

    /// The same record, of this boot.
    fn stamped(&self, record: Record, at: Moment) -> Record {
        Record {
            occurred_at_unix_ns: at.unix_ns,
            since_boot_ns: at.since_boot_ns,
            boot_id: self.id.clone(),
            kernel_release: cut(&self.kernel_release, 128).to_owned(),
            ..record
        }
    }

    /// A machine check that a hook saw.
    pub fn machine_check(&self, context: &Context, check: &faults::mce::MachineCheck, at: Moment) -> Record {
        Record {
            hook: Some(hook(&context.hook, context.attach.as_str())),
            context: Some(wire_context(context)),
            ..self.saved_machine_check(check, at)
        }
    }

    /// A machine check that was found afterwards.
    pub fn saved_machine_check(&self, check: &faults::mce::MachineCheck, at: Moment) -> Record {
        let decoded = check.decode();
        let record = self.record(Class::HardwareMachineCheck, decoded.severity, &decoded.title, at);
        let payload = MachineCheck {
            status: check.status,
            addr: check.addr,
            misc: check.misc,
            synd: check.synd,
            ipid: check.ipid,
            mcg_status: check.mcg_status,
            mcg_cap: check.mcg_cap,
            ip: check.ip,
            tsc: check.tsc,
            time: check.time,
            cpu: check.cpu,
            cpuid: check.cpuid,
            apic_id: check.apic_id,
            socket_id: check.socket_id,
            bank: u32::from(check.bank),
            vendor: u32::from(check.vendor),
            ppin: check.ppin,
            microcode: check.microcode,
            what: cut(&decoded.what, SENTENCE_BYTES).to_owned(),
            outcome: decoded.outcome.to_string(),
        };
        Record {
            payload: Some(Payload::MachineCheck(payload)),
            ..record
        }
    }

    /// A process that the kernel killed to get memory. `comm` is its name, empty when nobody knows it; `why` has what is
    /// known beside the victim.
    pub fn oom_kill(
        &self,
        context: &Context,
        victim: &OomVictim,
        comm: &str,
        why: OomKill,
        at: Moment,
    ) -> Record {
        let name = if comm.is_empty() { "a process" } else { comm };
        let what = format!("out of memory: killed {name}");
        let record = self.record(Class::MemoryOomKill, Severity::High, &what, at);
        let payload = OomKill {
            victim_pid: victim.pid,
            victim_comm: cut(comm, COMM_BYTES).to_owned(),
            total_vm_kib: victim.total_vm_kib,
            anon_rss_kib: victim.anon_rss_kib,
            file_rss_kib: victim.file_rss_kib,
            shmem_rss_kib: victim.shmem_rss_kib,
            pgtables_kib: victim.pgtables_kib,
            uid: victim.uid,
            oom_score_adj: victim.oom_score_adj.map(i32::from),
            ..why
        };
        caught(record, context, Payload::OomKill(payload))
    }

    /// Bytes from `source` that nobody understands.
    pub fn undecodable(&self, source: &str, bytes: &[u8], reason: &str, at: Moment) -> Record {
        let what = format!("undecodable bytes from {source}");
        let mut record = self.record(Class::TelemetryUndecodable, Severity::Medium, &what, at);
        record.hook = Some(hook(source, ""));
        record.payload = Some(Payload::Undecodable(Undecodable {
            source: source.to_owned(),
            reason: cut(reason, SENTENCE_BYTES).to_owned(),
            bytes: Bytes::copy_from_slice(&bytes[..bytes.len().min(UNDECODABLE_BYTES)]),
        }));
        record
    }

    /// What a program sent to the local socket.
    pub fn custom(&self, submission: Submission, sender: &Sender, at: Moment) -> Record {
        let severity = match submission.severity() {
            proto::v1::Severity::Unspecified | proto::v1::Severity::Low => Severity::Low,
            proto::v1::Severity::Medium => Severity::Medium,
            proto::v1::Severity::High => Severity::High,
            proto::v1::Severity::Critical => Severity::Critical,
        };
        let mut record = self.record(Class::Custom, severity, &submission.classification, at);
        record.hook = Some(hook("socket", ""));
        record.payload = Some(Payload::Custom(Custom {
            classification: submission.classification,
            payload_version: submission.payload_version,
            payload: submission.payload,
            event_id: submission.event_id,
            fields: submission.fields,
            uid: sender.uid,
            pid: sender.pid,
            comm: cut(&sender.comm, COMM_BYTES).to_owned(),
        }));
        record
    }

    /// Events that are not stored.
    pub fn loss(&self, entry: &Entry, at: Moment) -> Record {
        let Entry {
            reason,
            of,
            count,
            sample,
        } = entry;
        let what = format!(
            "lost: {}",
            reason
                .as_str_name()
                .trim_start_matches("LOSS_REASON_")
                .replace('_', " ")
                .to_lowercase()
        );
        let mut record = self.record(Class::TelemetryLoss, Severity::Medium, &what, at);
        record.payload = Some(Payload::Loss(Loss {
            reason: (*reason).into(),
            count: *count,
            hook: of.hook.clone(),
            class: of.class.clone(),
            title: of.title.clone(),
            first_unix_ns: sample.first_unix_ns,
            last_unix_ns: sample.last_unix_ns,
            examples: sample.examples.clone(),
        }));
        record
    }

    /// A sign of life: how the agent is by `health`, whose list of hooks is made here.
    pub fn heartbeat(&self, health: Heartbeat, hooks: &[HookStatus], at: Moment) -> Record {
        let mut record = self.record(Class::TelemetryHeartbeat, Severity::Low, "heartbeat", at);
        let state = |hook: &HookStatus| HookState {
            name: hook.name.clone(),
            attach: hook.attach.clone(),
            reason: cut(&hook.reason, HOOK_REASON_BYTES).to_owned(),
            events: hook.events,
            lost: hook.lost,
            ns_per_event: 0,
        };
        record.payload = Some(Payload::Heartbeat(Heartbeat {
            hooks: hooks.iter().map(state).collect(),
            host_uptime_s: at.since_boot_ms() / 1_000,
            ..health
        }));
        record
    }
}

/// Who sent a record to the local socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sender {
    /// The user; `None` when the kernel does not say.
    pub uid: Option<u32>,
    /// The process; 0 when it is not in telemd's PID namespace.
    pub pid: u32,
    /// Its name; empty when it is gone.
    pub comm: String,
}

/// What lost events have in common; empty: they have several.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lost {
    /// The hook that saw them.
    pub hook: String,
    /// Their class.
    pub class: String,
    /// Their title.
    pub title: String,
}

/// Encodes a record. One that is too large loses what can be told from its text.
pub fn encode(record: &mut Record) -> Vec<u8> {
    if record.encoded_len() > RECORD_BYTES
        && let Some(Payload::KernelReport(report)) = &mut record.payload
    {
        report.traces.clear();
        report.modules.clear();
        report.registers.clear();
        report.truncated = true;
    }
    record.encode_to_vec()
}

fn caught(mut record: Record, context: &Context, payload: Payload) -> Record {
    record.hook = Some(hook(&context.hook, context.attach.as_str()));
    record.context = Some(wire_context(context));
    record.payload = Some(payload);
    record
}

/// Gives a record of a host's own probe the class that the host's administrator chose.
pub fn reclass(record: &mut Record, class: &str) {
    class.clone_into(&mut record.class);
    let level = fingerprint::of_title_in(class, &record.title);
    record.fingerprints = wire::fingerprint(&level).into_iter().collect();
}

/// How a record was caught.
pub fn hook(name: &str, attach: &str) -> Hook {
    Hook {
        name: name.to_owned(),
        attach: attach.to_owned(),
    }
}

/// The kernel context, for the wire.
pub fn wire_context(context: &Context) -> proto::v1::Context {
    proto::v1::Context {
        cpu: context.cpu,
        pid: context.pid,
        tgid: context.tgid,
        comm: cut(&context.comm, COMM_BYTES).to_owned(),
        cgroup_id: context.cgroup_id,
        ..proto::v1::Context::default()
    }
}
