//! Hosts: all of them, and one.

use askama::Template;
use filter::Subject;
use jiff::Timestamp;
use proto::v1::{Dimm, Fault, FaultFilter, Host, KnownHost, ListHostsResponse, Part};
use serde::Deserialize;

use super::fault::{host_facts, moment};
use super::hardware::PartRow;
use super::issues::issue_href;
use super::list::{Row, os, title};
use super::payload::{self, Hook};
use super::searches::Searches;
use super::timeline::{Span, Timeline, spans};
use super::{
    Facts, Moment, Problem, bytes, filter_href, grouped, name_of_host, next_href, parameters, severity_word,
    titled,
};
use crate::access::Caller;
use crate::http::{access::Frame, json::bytes_text};
use crate::store::{Book, IssueOfHost, SavedSearch, Story};

/// Faults of a host that are listed, the latest.
const FAULTS: usize = 10;

/// The page `/hosts`.
#[derive(Debug, Template)]
#[template(path = "hosts.html")]
pub(in crate::http) struct HostsPage {
    pub(in crate::http) query: String,
    /// What is wrong with it; empty: nothing.
    pub(in crate::http) problem: Problem,
    pub(in crate::http) rows: Vec<HostRow>,
    pub(in crate::http) searches: Searches,
    /// The next page; empty: this is the last.
    pub(in crate::http) next: String,
    pub(in crate::http) frame: Frame,
}

/// One host of the list.
#[derive(Debug)]
pub(in crate::http) struct HostRow {
    pub(in crate::http) name: String,
    pub(in crate::http) href: String,
    pub(in crate::http) system: String,
    pub(in crate::http) kernel: String,
    pub(in crate::http) product: String,
    pub(in crate::http) cpu: String,
    pub(in crate::http) last: Option<Moment>,
}

/// The parameters of the page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::http) struct HostsAsked {
    /// A filter in the language of `docs/filter.md`.
    pub(in crate::http) q: String,
    /// The end of the page before.
    pub(in crate::http) page_token: String,
}

impl HostsAsked {
    /// Its first page, as an address has it.
    pub(in crate::http) fn parameters(&self) -> String {
        parameters(&self.given())
    }

    fn given(&self) -> [(&str, &str); 1] {
        [("q", &self.q)]
    }
}

/// What the page of hosts is made of.
#[derive(Debug)]
pub(in crate::http) struct HostsInput<'a> {
    pub(in crate::http) asked: &'a HostsAsked,
    /// What is wrong with the search; empty: nothing.
    pub(in crate::http) problem: &'a Problem,
    pub(in crate::http) list: &'a ListHostsResponse,
    /// Those that the caller is shown.
    pub(in crate::http) searches: Vec<SavedSearch>,
    pub(in crate::http) caller: &'a Caller,
    pub(in crate::http) now: Timestamp,
    pub(in crate::http) frame: Frame,
}

impl HostsPage {
    pub(in crate::http) fn new(input: HostsInput<'_>) -> Self {
        let HostsInput {
            asked,
            problem,
            list,
            searches,
            caller,
            now,
            frame,
        } = input;
        Self {
            query: asked.q.clone(),
            problem: problem.to_owned(),
            rows: list.hosts.iter().map(|host| HostRow::new(host, now)).collect(),
            searches: Searches::new(
                Subject::Hosts,
                asked.parameters(),
                !asked.q.is_empty() && problem.is_empty(),
                searches,
                caller,
            ),
            next: next_href("/hosts", &asked.given(), &list.next_page_token),
            frame,
        }
    }
}

impl HostRow {
    fn new(known: &KnownHost, now: Timestamp) -> Self {
        let host = known.host.clone().unwrap_or_default();
        Self {
            name: name(known),
            href: host_page_href(&bytes_text(&known.agent_id)),
            system: os(Some(&host)),
            kernel: host.kernel_release,
            product: host.product,
            cpu: host.cpu_model,
            last: Moment::new(known.last_seen_unix_ns, now),
        }
    }
}

fn name(known: &KnownHost) -> String {
    let host = known.host.as_ref();
    let hostname = host.map(|host| host.hostname.as_str()).unwrap_or_default();
    name_of_host(hostname, bytes_text(&known.agent_id))
}

/// The address of a host's page, by its agent's id.
pub(super) fn host_page_href(agent_id: &str) -> String {
    format!("/hosts/{agent_id}")
}

/// The page `/hosts/{agent}`.
#[derive(Debug, Template)]
#[template(path = "host.html")]
pub(in crate::http) struct HostPage {
    pub(in crate::http) name: String,
    pub(in crate::http) agent_id: String,
    pub(in crate::http) agent_version: String,
    pub(in crate::http) faults_href: String,
    pub(in crate::http) first: Option<Moment>,
    pub(in crate::http) last: Option<Moment>,
    pub(in crate::http) faults: Vec<Row>,
    pub(in crate::http) issues: Vec<HostIssueRow>,
    /// Its parts that had errors.
    pub(in crate::http) parts: Vec<PartRow>,
    pub(in crate::http) timeline: Option<Timeline>,
    pub(in crate::http) boots: Vec<BootRow>,
    pub(in crate::http) books: Vec<BookRow>,
    pub(in crate::http) hooks: Vec<Hook>,
    /// The heartbeat that told of them; empty: none came.
    pub(in crate::http) beat: String,
    pub(in crate::http) aside: Vec<Facts>,
    pub(in crate::http) dimms: Vec<DimmRow>,
    pub(in crate::http) modules: Vec<String>,
    pub(in crate::http) frame: Frame,
}

/// An issue that it has.
#[derive(Debug)]
pub(in crate::http) struct HostIssueRow {
    pub(in crate::http) severity: &'static str,
    pub(in crate::http) title: String,
    pub(in crate::http) href: String,
    pub(in crate::http) class: String,
    pub(in crate::http) records: String,
    pub(in crate::http) last: Option<Moment>,
}

/// A boot, and how it ended.
#[derive(Debug)]
pub(in crate::http) struct BootRow {
    pub(in crate::http) kernel: String,
    pub(in crate::http) from: Option<Moment>,
    pub(in crate::http) lasted: String,
    /// Empty: it is not known, or it has not ended.
    pub(in crate::http) end: String,
    pub(in crate::http) href: String,
}

/// The book of a spool.
#[derive(Debug)]
pub(in crate::http) struct BookRow {
    pub(in crate::http) epoch: String,
    pub(in crate::http) produced: String,
    pub(in crate::http) stored: String,
    pub(in crate::http) lost: String,
    pub(in crate::http) reasons: String,
    pub(in crate::http) balanced: bool,
}

/// A memory module.
#[derive(Debug)]
pub(in crate::http) struct DimmRow {
    pub(in crate::http) place: String,
    pub(in crate::http) size: String,
    pub(in crate::http) maker: String,
}

/// What the page of a host is made of.
#[derive(Debug)]
pub(in crate::http) struct HostInput {
    pub(in crate::http) host: KnownHost,
    pub(in crate::http) story: Story,
    /// Its latest faults: those of the timeline.
    pub(in crate::http) faults: Vec<Fault>,
    /// Its parts that had errors, the worst first.
    pub(in crate::http) parts: Vec<Part>,
    /// The latest ends of its boots.
    pub(in crate::http) ends: Vec<Fault>,
    /// Its latest heartbeat, whole.
    pub(in crate::http) beat: Option<Fault>,
    pub(in crate::http) now: Timestamp,
    pub(in crate::http) frame: Frame,
}

impl HostPage {
    pub(in crate::http) fn new(input: HostInput) -> Self {
        let HostInput {
            host: known,
            story,
            faults,
            parts,
            ends,
            beat,
            now,
            frame,
        } = input;
        let host = known.host.clone().unwrap_or_default();
        let record = beat.as_ref().and_then(|beat| beat.record.as_ref());
        let hooks = record.map(|record| payload::sections(record).hooks);
        let agent_id = bytes_text(&known.agent_id);
        let spans = spans(&story.boots, &ends);
        Self {
            name: name(&known),
            faults_href: filter_href(FaultFilter {
                host: agent_id.clone(),
                ..FaultFilter::default()
            }),
            agent_id,
            agent_version: known.agent_version.clone(),
            first: Moment::new(known.first_seen_unix_ns, now),
            last: Moment::new(known.last_seen_unix_ns, now),
            timeline: Timeline::new(&spans, &faults, now),
            faults: faults
                .iter()
                .take(FAULTS)
                .map(|fault| Row::new(fault, now))
                .collect(),
            issues: story
                .issues
                .into_iter()
                .map(|issue| HostIssueRow::new(issue, now))
                .collect(),
            parts: parts.iter().map(|part| PartRow::new(part, now)).collect(),
            boots: spans.iter().map(|span| BootRow::new(span, now)).collect(),
            books: story.books.into_iter().map(BookRow::from).collect(),
            hooks: hooks.unwrap_or_default(),
            beat: beat.map(|beat| beat.id).unwrap_or_default(),
            aside: [host_facts(Some(&host)), hardware(&host), kernel(&host)]
                .into_iter()
                .filter(|facts| !facts.facts.is_empty())
                .collect(),
            dimms: host.dimms.iter().map(DimmRow::from).collect(),
            modules: host.modules.iter().map(|module| module.name.clone()).collect(),
            frame,
        }
    }
}

impl HostIssueRow {
    fn new(issue: IssueOfHost, now: Timestamp) -> Self {
        let severity = i32::from(issue.severity).try_into().unwrap_or_default();
        Self {
            severity: severity_word(severity),
            title: titled(&issue.title, &issue.class),
            href: issue_href(&issue.issue.simple().to_string()),
            class: issue.class,
            records: grouped(issue.records),
            last: moment(issue.last_seen, now),
        }
    }
}

impl BootRow {
    fn new(span: &Span<'_>, now: Timestamp) -> Self {
        let end = span.end.and_then(|fault| Some((fault, fault.record.as_ref()?)));
        Self {
            kernel: span.kernel(),
            from: span.from(now),
            lasted: span.lasted(),
            end: end.map(|(_, record)| title(record)).unwrap_or_default(),
            href: end
                .map(|(fault, _)| format!("/faults/{}", fault.id))
                .unwrap_or_default(),
        }
    }
}

impl From<Book> for BookRow {
    fn from(book: Book) -> Self {
        let reasons: Vec<String> = book
            .reasons
            .iter()
            .map(|(reason, events)| {
                format!("{} {}", grouped(*events), reason.to_lowercase().replace('_', " "))
            })
            .collect();
        Self {
            epoch: book.epoch.to_string(),
            produced: grouped(book.produced),
            stored: grouped(book.stored),
            lost: grouped(book.lost),
            reasons: reasons.join(", "),
            balanced: book.balanced,
        }
    }
}

impl From<&Dimm> for DimmRow {
    fn from(dimm: &Dimm) -> Self {
        let words = |parts: &[&str]| {
            let known: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
            known.join(" ")
        };
        let size = if dimm.size_bytes == 0 {
            String::new()
        } else {
            bytes(dimm.size_bytes)
        };
        let speed = if dimm.configured_mts == 0 {
            String::new()
        } else {
            format!("at {} MT/s", dimm.configured_mts)
        };
        Self {
            place: words(&[&dimm.locator, &dimm.bank]),
            size: words(&[&size, &dimm.technology, &speed]),
            maker: words(&[&dimm.manufacturer, &dimm.part_number]),
        }
    }
}

fn hardware(host: &Host) -> Facts {
    let mut facts = Facts::new("Hardware");
    facts.add("Model's version", host.product_version.as_str());
    facts.add("Chassis", host.chassis.as_str());
    facts.add_noted("BIOS by", host.bios_vendor.as_str(), host.bios_date.as_str());
    let numbers = [
        ("family", host.cpu_family),
        ("model", host.cpu_number),
        ("stepping", host.cpu_stepping),
    ];
    let known: Vec<String> = numbers
        .into_iter()
        .filter_map(|(name, number)| number.map(|number| format!("{name} {number}")))
        .collect();
    facts.add_noted("CPU", host.cpu_vendor.as_str(), known.join(", "));
    facts.add_mono("Microcode", host.microcode.as_str());
    facts.add("Memory corrects by", host.memory_correction.as_str());
    facts.add("Guest of", host.hypervisor.as_str());
    facts.add("Container", host.container.as_str());
    facts.add("Cloud", host.cloud.as_str());
    facts
}

fn kernel(host: &Host) -> Facts {
    let mut facts = Facts::new("Kernel");
    facts.add_mono("Command line", host.command_line.as_str());
    let taint = match host.taint {
        None => String::new(),
        Some(0) => "not tainted".to_owned(),
        Some(bits) => format!("{bits:#x}"),
    };
    facts.add("Taint", taint);
    facts.add("Live patches", host.livepatches.join(", "));
    facts
}
