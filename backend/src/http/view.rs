//! What the templates show: every word, link and number of a page, decided here so that templates hold no logic.

mod admin;
mod builds;
mod chart;
mod crashes;
mod fault;
mod first_host;
mod hardware;
mod hardware_events;
mod hosts;
mod issue;
mod issues;
mod list;
mod machine_check;
mod overview;
mod payload;
mod population;
mod probes;
mod rates;
mod searches;
mod shown;
mod stack;
mod text;
mod timeline;
mod trace;
mod updates;

pub(super) use admin::{AdminForms, AdminInput, AdminPage};
pub(super) use builds::{BuildsInput, BuildsPage};
pub(super) use crashes::{CrashesInput, CrashesPage};
pub(super) use fault::FaultPage;
pub(super) use first_host::FirstHost;
pub(super) use hardware::{HardwarePage, PartPage};
pub(super) use hardware_events::HardwareEventsPage;
pub(super) use hosts::{HostInput, HostPage, HostsAsked, HostsInput, HostsPage};
pub(super) use issue::{IssueInput, IssuePage, TREND_DAYS};
pub(super) use issues::{IssuesAsked, IssuesInput, IssuesPage, SPARK_DAYS, Several, issue_href, issue_id};
pub(super) use list::{ListInput, ListPage, Row, RowTemplate};
pub(super) use overview::{DAYS as OVERVIEW_DAYS, OverviewInput, OverviewPage};
pub(super) use payload::whole_text;
pub(super) use population::{PopulationInput, PopulationPage};
pub(super) use probes::ProbesPage;
pub(super) use shown::Shown;
pub(super) use stack::StackPage;
pub(super) use updates::UpdatesPage;

use std::fmt::Display;

use filter::Subject;
use jiff::Timestamp;
use proto::v1::{FaultFilter, ListFaultsRequest, Severity};

use super::query;
use crate::severity;

/// Bytes that a fact takes of a page.
const FACT_BYTES: usize = 2048;

/// A moment, for people and for scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// RFC 3339, for `datetime`.
    pub(super) iso: String,
    /// `2026-11-24 21:53:30 UTC`.
    pub(super) absolute: String,
    /// `3 min ago`.
    pub(super) age: String,
}

impl Moment {
    /// `None` when the moment is not known.
    pub(super) fn new(unix_ns: u64, now: Timestamp) -> Option<Self> {
        if unix_ns == 0 {
            return None;
        }
        let moment = Timestamp::from_nanosecond(unix_ns.into()).ok()?;
        Some(Self {
            iso: format!("{moment:.3}"),
            absolute: moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            age: age(now.duration_since(moment).as_secs()),
        })
    }
}

/// The same words as `age` in `static/app.js`. Clocks are a minute apart at most, or one of them is wrong.
fn age(seconds: i64) -> String {
    match seconds {
        ..=-60 => format!("in {}", span(seconds.unsigned_abs())),
        -59..5 => "just now".into(),
        _ => format!("{} ago", span(seconds.unsigned_abs())),
    }
}

/// `3 min`: about so long.
fn span(seconds: u64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// What is wrong with a search; empty: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) words: String,
    /// The search with a mark below the place.
    pub(super) place: String,
}

impl Problem {
    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

/// One line of a list of facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) label: &'static str,
    pub(super) value: String,
    /// What the value means.
    pub(super) note: String,
    /// Where a click leads; empty: nowhere.
    pub(super) href: String,
    /// Whether the value is a name or number of the machine's.
    pub(super) mono: bool,
}

/// Facts under a heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) heading: &'static str,
    pub(super) facts: Vec<Fact>,
}

impl Facts {
    fn new(heading: &'static str) -> Self {
        Self {
            heading,
            facts: Vec::new(),
        }
    }

    /// Adds a fact; one with an empty value is not known and left out.
    fn add(&mut self, label: &'static str, value: impl Into<String>) -> Option<&mut Fact> {
        let value = shown::shortened(&value.into(), FACT_BYTES);
        if value.is_empty() {
            return None;
        }
        self.facts.push(Fact {
            label,
            value,
            note: String::new(),
            href: String::new(),
            mono: false,
        });
        self.facts.last_mut()
    }

    fn add_mono(&mut self, label: &'static str, value: impl Into<String>) {
        if let Some(fact) = self.add(label, value) {
            fact.mono = true;
        }
    }

    fn add_noted(&mut self, label: &'static str, value: impl Into<String>, note: impl Into<String>) {
        if let Some(fact) = self.add(label, value) {
            fact.note = note.into();
        }
    }

    fn add_link(&mut self, label: &'static str, value: impl Into<String>, href: impl Into<String>) {
        if let Some(fact) = self.add(label, value) {
            fact.href = href.into();
        }
    }
}

/// The address of a list.
pub(super) fn list_href(request: &ListFaultsRequest) -> String {
    subject_href(Subject::Faults, &query::to_string(request))
}

/// The address of the list that `filter` selects.
fn filter_href(filter: FaultFilter) -> String {
    list_href(&ListFaultsRequest {
        filter: Some(filter),
        ..ListFaultsRequest::default()
    })
}

/// The address of a list, with parameters as [`parameters`] or [`query::to_string`] has them.
pub(super) fn subject_href(subject: Subject, parameters: &str) -> String {
    match (subject.name(), parameters) {
        (list, "") => format!("/{list}"),
        (list, parameters) => format!("/{list}?{parameters}"),
    }
}

/// Those that have a value, as an address has them.
fn parameters(asked: &[(&str, &str)]) -> String {
    let given = asked.iter().filter(|(_, value)| !value.is_empty());
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(given)
        .finish()
}

/// The address of the next page of the list at `path` that was asked for these; empty: there is none.
fn next_href(path: &str, asked: &[(&str, &str)], page_token: &str) -> String {
    if page_token.is_empty() {
        return String::new();
    }
    let asked = [asked, &[("page_token", page_token)]].concat();
    format!("{path}?{}", parameters(&asked))
}

/// The address of the page that compares two builds.
pub(crate) fn compare_href(from: &str, to: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("by", "build"), ("from", from), ("to", to)])
        .finish();
    format!("/builds?{query}")
}

/// The title; the class where there is none, or one that nobody sees.
fn titled(title: &str, class: &str) -> String {
    let known = [title, class, "untitled"];
    let told = known.into_iter().find(|text| !text.trim().is_empty());
    told.unwrap_or_default().to_owned()
}

/// The host's name; its agent's id where it has none, or one that nobody sees.
fn name_of_host(hostname: &str, agent_id: impl Display) -> String {
    if hostname.trim().is_empty() {
        agent_id.to_string()
    } else {
        hostname.to_owned()
    }
}

fn class_href(class: &str) -> String {
    filter_href(FaultFilter {
        class: class.to_owned(),
        include_housekeeping: is_housekeeping(class),
        ..FaultFilter::default()
    })
}

/// Whether a class is listed only when housekeeping is asked for.
fn is_housekeeping(class: &str) -> bool {
    ["telemetry.heartbeat", "telemetry.loss"].contains(&class)
}

fn host_href(host: &str) -> String {
    filter_href(FaultFilter {
        host: host.to_owned(),
        ..FaultFilter::default()
    })
}

fn kernel_href(kernel_release: &str) -> String {
    filter_href(FaultFilter {
        kernel_release: kernel_release.to_owned(),
        ..FaultFilter::default()
    })
}

/// The word for a severity.
pub(super) fn severity_word(severity: Severity) -> &'static str {
    match severity::word(severity) {
        "" => "unspecified",
        name => name,
    }
}

/// `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The noun for so many, of those whose plural takes an `s`.
fn noun(count: u64, one: &str) -> String {
    if count == 1 {
        one.to_owned()
    } else {
        format!("{one}s")
    }
}

/// `1 host`, `1,234 hosts`.
fn counted(count: u64, one: &str) -> String {
    format!("{} {}", grouped(count), noun(count, one))
}

/// `31.2 GiB`.
#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `3 d 4 h`: the two largest units.
fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        let ages = [-34_560_000, -60, -59, 4, 59, 60, 3_599, 3_600, 172_799, 172_800].map(age);
        let expected = [
            "in 400 d",
            "in 1 min",
            "just now",
            "just now",
            "59 s ago",
            "1 min ago",
            "59 min ago",
            "1 h ago",
            "47 h ago",
            "2 d ago",
        ];
        assert_eq!(ages, expected);
    }

    #[test]
    fn numbers_are_read_easily() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [0, 1023, 1024, 33_500_000_000].map(bytes),
            ["0 B", "1023 B", "1.0 KiB", "31.2 GiB"]
        );
        assert_eq!(
            [0, 1, 1_000].map(|count| counted(count, "host")),
            ["0 hosts", "1 host", "1,000 hosts"]
        );
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
        assert_eq!(
            [59, 61, 7_260, 90_000].map(duration),
            ["59 s", "1 min 1 s", "2 h 1 min", "1 d 1 h"]
        );
    }

    #[test]
    fn what_nobody_sees_is_no_name() {
        assert_eq!(titled(" \u{2003}", "kernel.oops"), "kernel.oops");
        assert_eq!(titled("", " "), "untitled");
        assert_eq!(name_of_host("\t ", "an id"), "an id");
    }

    #[test]
    fn moments_outside_the_calendar_are_not_known() {
        assert_eq!(Moment::new(0, Timestamp::UNIX_EPOCH), None);
        assert!(Moment::new(u64::MAX, Timestamp::UNIX_EPOCH).is_some());
    }
}
