//! The page of one fault.

use std::time::{SystemTime, UNIX_EPOCH};

use askama::Template;
use jiff::Timestamp;
use proto::v1::{Fault, FaultFilter, FingerprintLevel, Host, Record};

use super::hosts::host_page_href;
use super::issues::issue_href;
use super::list::{counts, host_of, os, title};
use super::payload::Sections;
use super::{
    Facts, Moment, bytes, class_href, duration, filter_href, host_href, is_housekeeping, kernel_href,
    severity_word, span,
};
use crate::http::{access::Frame, json::bytes_text};
use crate::store::FingerprintFacts;

/// Hosts that are named in the list of occurrences.
const NAMED_HOSTS: usize = 5;

/// The page `/faults/{id}`.
#[derive(Debug, Template)]
#[template(path = "fault.html")]
pub(in crate::http) struct FaultPage {
    pub(in crate::http) id: String,
    pub(in crate::http) severity: &'static str,
    pub(in crate::http) class: String,
    pub(in crate::http) class_href: String,
    pub(in crate::http) title: String,
    pub(in crate::http) host: String,
    pub(in crate::http) host_href: String,
    pub(in crate::http) kernel: String,
    pub(in crate::http) kernel_href: String,
    /// The page of the issue that it counts for; empty: none.
    pub(in crate::http) issue_href: String,
    pub(in crate::http) happened: Option<Moment>,
    pub(in crate::http) sections: Sections,
    pub(in crate::http) occurrences: Option<Occurrences>,
    pub(in crate::http) same: Vec<SameFault>,
    pub(in crate::http) aside: Vec<Facts>,
    pub(in crate::http) frame: Frame,
}

/// How often and where this fault was seen.
#[derive(Debug)]
pub(in crate::http) struct Occurrences {
    /// `12 records on 3 hosts`.
    pub(in crate::http) counts: String,
    pub(in crate::http) first: Option<Moment>,
    pub(in crate::http) last: Option<Moment>,
    pub(in crate::http) hosts: Vec<HostShare>,
    /// `and 7 more`; empty: all are named.
    pub(in crate::http) more: String,
}

/// A host's part of the occurrences.
#[derive(Debug)]
pub(in crate::http) struct HostShare {
    pub(in crate::http) host: String,
    pub(in crate::http) href: String,
    pub(in crate::http) count: u64,
}

/// A level of grouping and the list it leads to.
#[derive(Debug)]
pub(in crate::http) struct SameFault {
    pub(in crate::http) level: &'static str,
    pub(in crate::http) value: String,
    pub(in crate::http) href: String,
    pub(in crate::http) counts: String,
}

impl FaultPage {
    /// `known` is what is known about the fault's fingerprints, in any order.
    /// `resolvable`: there are debug files for its stacks.
    pub(in crate::http) fn new(
        fault: &Fault,
        known: &[FingerprintFacts],
        resolvable: bool,
        now: Timestamp,
        frame: Frame,
    ) -> Self {
        let no_record = Record::default();
        let record = fault.record.as_ref().unwrap_or(&no_record);
        let (host, _faults_of_host) = host_of(fault);
        let title_facts = known.iter().find(|facts| facts.level == FingerprintLevel::Title);
        let occurrences = title_facts.map(|facts| Occurrences::new(facts, now));
        let kernel = record.kernel_release.clone();
        Self {
            frame,
            id: fault.id.clone(),
            severity: severity_word(record.severity()),
            class: record.class.clone(),
            class_href: class_href(&record.class),
            title: title(record),
            host,
            host_href: host_page_href(&bytes_text(&fault.agent_id)),
            kernel_href: kernel_href(&kernel),
            kernel,
            issue_href: match fault.issue.as_str() {
                "" => String::new(),
                issue => issue_href(issue),
            },
            happened: Moment::new(record.occurred_at_unix_ns, now)
                .or_else(|| Moment::new(fault.received_at_unix_ns, now)),
            sections: Sections::of_fault(&fault.id, record, resolvable),
            occurrences,
            same: same(record, known),
            aside: [
                caught(record),
                host_facts(fault.host.as_ref()),
                delivery(fault, record, now),
            ]
            .into_iter()
            .filter(|facts| !facts.facts.is_empty())
            .collect(),
        }
    }
}

impl Occurrences {
    fn new(facts: &FingerprintFacts, now: Timestamp) -> Self {
        let hosts: Vec<HostShare> = facts
            .hosts
            .iter()
            .take(NAMED_HOSTS)
            .map(|share| HostShare {
                host: share.host.clone(),
                href: filter_href(FaultFilter {
                    host: share.host.clone(),
                    fingerprint: facts.fingerprint.clone(),
                    include_housekeeping: is_housekeeping(&facts.class),
                    ..FaultFilter::default()
                }),
                count: share.count,
            })
            .collect();
        let more = facts.host_count.saturating_sub(hosts.len() as u64);
        Self {
            counts: counts(facts),
            first: moment(facts.first_seen, now),
            last: moment(facts.last_seen, now),
            hosts,
            more: if more == 0 {
                String::new()
            } else {
                format!("and {more} more")
            },
        }
    }
}

pub(super) fn moment(time: SystemTime, now: Timestamp) -> Option<Moment> {
    Moment::new(unix_ns(time)?, now)
}

/// Nanoseconds since the Unix epoch. None: before it, or after 2554.
pub(super) fn unix_ns(time: SystemTime) -> Option<u64> {
    let since_epoch = time.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since_epoch.as_nanos()).ok()
}

fn same(record: &Record, known: &[FingerprintFacts]) -> Vec<SameFault> {
    let level = |level| match level {
        FingerprintLevel::Title => "Same title",
        FingerprintLevel::TopFrames => "Same top frames",
        FingerprintLevel::Stack => "Same stack",
        FingerprintLevel::Unspecified => "Same",
    };
    let fingerprints = record.fingerprints.iter().map(|fingerprint| SameFault {
        level: level(fingerprint.level()),
        value: fingerprint.value.clone(),
        href: filter_href(FaultFilter {
            fingerprint: fingerprint.value.clone(),
            include_housekeeping: is_housekeeping(&record.class),
            ..FaultFilter::default()
        }),
        counts: known
            .iter()
            .find(|facts| facts.fingerprint == fingerprint.value)
            .map(counts)
            .unwrap_or_default(),
    });
    fingerprints.collect()
}

fn caught(record: &Record) -> Facts {
    let mut facts = Facts::new("Where it was caught");
    if let Some(hook) = &record.hook {
        let attach = match (hook.name.as_str(), hook.attach.as_str()) {
            ("netconsole", "") => "heard over the network, where anyone can say so".to_owned(),
            (_, "") => String::new(),
            (_, attach) => format!("attached as {attach}"),
        };
        facts.add_noted("Hook", hook.name.as_str(), attach);
    }
    if let Some(context) = &record.context {
        facts.add("CPU", context.cpu.to_string());
        facts.add("Task", context.comm.as_str());
        let process = if context.tgid == context.pid {
            String::new()
        } else {
            format!("process {}", context.tgid)
        };
        facts.add_noted("Thread", context.pid.to_string(), process);
        let cgroup_id = match context.cgroup_id {
            0 => String::new(),
            id => id.to_string(),
        };
        if context.cgroup.is_empty() {
            facts.add("Cgroup id", cgroup_id);
        } else {
            facts.add_mono("Cgroup", context.cgroup.as_str());
        }
        facts.add_mono("Container", context.container_id.as_str());
    }
    if record.since_boot_ns != 0 {
        facts.add("Since boot", duration(record.since_boot_ns / 1_000_000_000));
    }
    facts.add_mono("Boot", record.boot_id.as_str());
    facts
}

pub(super) fn host_facts(host: Option<&Host>) -> Facts {
    let mut facts = Facts::new("Host");
    let Some(host) = host else { return facts };
    facts.add_link("Name", host.hostname.as_str(), host_href(&host.hostname));
    facts.add("System", os(Some(host)));
    facts.add_noted(
        "Kernel now",
        host.kernel_release.as_str(),
        host.kernel_version.as_str(),
    );
    facts.add("Architecture", host.arch.as_str());
    let cpus = if host.cpus == 0 {
        String::new()
    } else {
        format!("{} logical CPUs", host.cpus)
    };
    if host.cpu_model.is_empty() {
        facts.add("Processor", cpus);
    } else {
        facts.add_noted("Processor", host.cpu_model.as_str(), cpus);
    }
    facts.add(
        "Memory",
        if host.memory_bytes == 0 {
            String::new()
        } else {
            bytes(host.memory_bytes)
        },
    );
    facts.add("Product", host.product.as_str());
    facts.add("Board", host.board.as_str());
    facts.add("BIOS", host.bios.as_str());
    facts
}

fn delivery(fault: &Fault, record: &Record, now: Timestamp) -> Facts {
    let mut facts = Facts::new("Record");
    let ahead = record
        .occurred_at_unix_ns
        .saturating_sub(fault.received_at_unix_ns)
        / 1_000_000_000;
    let ahead = if ahead < 60 {
        String::new()
    } else {
        format!("the clock of the host was {} ahead", span(ahead))
    };
    let mut time = |label, unix_ns, note| {
        if let Some(moment) = Moment::new(unix_ns, now) {
            facts.add_noted(label, moment.absolute, note);
        }
    };
    time("Happened", record.occurred_at_unix_ns, ahead);
    time("Stored", fault.received_at_unix_ns, String::new());
    facts.add_mono("Agent", bytes_text(&fault.agent_id));
    facts.add_mono("Epoch", bytes_text(&fault.epoch));
    facts.add("Sequence", fault.seq.to_string());
    facts
}
