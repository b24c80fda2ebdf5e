//! The list of faults.

mod counts;
mod detail;

use askama::Template;
use filter::Subject;
use jiff::Timestamp;
use proto::v1::{Fault, FaultFilter, Host, ListFaultsRequest, ListFaultsResponse, Record};

pub(in crate::http) use self::counts::CountsView;
use super::first_host::FirstHost;
use super::searches::Searches;
use super::shown::name;
use super::{
    Moment, Problem, class_href, counted, filter_href, grouped, host_href, is_housekeeping, kernel_href,
    list_href, name_of_host, severity_word, titled,
};
use crate::access::Caller;
use crate::http::{access::Frame, json::bytes_text, query};
use crate::severity;
use crate::store::{Counts, Facets, FingerprintFacts, SavedSearch};

/// A difference between a fault's own time and its arrival that is worth a word.
const LATE_NS: u64 = 60_000_000_000;
/// An id before all others: the browser shows none.
const NOTHING_SEEN: &str = "00000000-0000-0000-0000-000000000000";

/// Forms of an export: what people call them, and what the API does.
const EXPORTS: [(&str, &str); 3] = [("CSV", "csv"), ("JSON Lines", "jsonl"), ("Parquet", "parquet")];

/// The page `/faults`.
#[derive(Debug, Template)]
#[template(path = "list.html")]
pub(in crate::http) struct ListPage {
    pub(in crate::http) form: Form,
    /// What is wrong with the search; empty: nothing.
    pub(in crate::http) problem: Problem,
    pub(in crate::http) same: Option<Same>,
    /// Of that fault, some records are not stored any more.
    pub(in crate::http) given_up: bool,
    pub(in crate::http) rows: Vec<Row>,
    /// `50 faults, newest first`.
    pub(in crate::http) shown: String,
    /// The next page; empty: this is the last.
    pub(in crate::http) next: String,
    /// The first page; empty: this is it.
    pub(in crate::http) newest: String,
    /// Where new faults come from; empty: not on this page.
    pub(in crate::http) live: String,
    /// What the faults are; None: the filter asks for what is not counted, or it is a later page.
    pub(in crate::http) counts: Option<CountsView>,
    pub(in crate::http) searches: Searches,
    /// Whether any filter is set.
    pub(in crate::http) filtered: bool,
    /// All that matches as a file: names of formats and addresses.
    pub(in crate::http) exports: [(&'static str, String); 3],
    pub(in crate::http) first_host: FirstHost,
    pub(in crate::http) frame: Frame,
}

/// The filters, as they are set.
#[derive(Debug, Default)]
pub(in crate::http) struct Form {
    pub(in crate::http) classes: Vec<Choice>,
    pub(in crate::http) severities: Vec<Choice>,
    pub(in crate::http) host: String,
    pub(in crate::http) hosts: Vec<String>,
    pub(in crate::http) kernel: String,
    pub(in crate::http) kernels: Vec<String>,
    pub(in crate::http) fingerprint: String,
    query: String,
    pub(in crate::http) housekeeping: bool,
}

/// One entry of a drop-down list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Choice {
    pub(in crate::http) value: String,
    pub(in crate::http) label: String,
    pub(in crate::http) selected: bool,
}

/// The fault that the list is narrowed to.
#[derive(Debug)]
pub(in crate::http) struct Same {
    pub(in crate::http) fingerprint: String,
    /// The title; empty when nothing has this fingerprint.
    pub(in crate::http) title: String,
    /// `12 records on 3 hosts, of which 8 are still stored`.
    pub(in crate::http) counts: String,
    /// Not all of these records are stored any more.
    pub(in crate::http) given_up: bool,
    /// The list without this filter.
    pub(in crate::http) remove: String,
}

/// One fault.
#[derive(Debug)]
pub(in crate::http) struct Row {
    pub(in crate::http) id: String,
    pub(in crate::http) severity: &'static str,
    pub(in crate::http) title: String,
    pub(in crate::http) detail: String,
    pub(in crate::http) class: String,
    pub(in crate::http) class_href: String,
    pub(in crate::http) host: String,
    pub(in crate::http) host_href: String,
    pub(in crate::http) host_note: String,
    pub(in crate::http) kernel: String,
    pub(in crate::http) kernel_href: String,
    pub(in crate::http) received: Option<Moment>,
    /// When it happened, where that differs from its arrival in words.
    pub(in crate::http) happened: Option<Moment>,
}

/// One row alone, for the live stream.
#[derive(Debug, Template)]
#[template(path = "row.html")]
pub(in crate::http) struct RowTemplate {
    pub(in crate::http) row: Row,
}

/// What a list page is made of.
#[derive(Debug)]
pub(in crate::http) struct ListInput<'a> {
    pub(in crate::http) request: &'a ListFaultsRequest,
    /// What is wrong with the search; empty: nothing.
    pub(in crate::http) problem: &'a Problem,
    pub(in crate::http) list: &'a ListFaultsResponse,
    pub(in crate::http) facets: Facets,
    pub(in crate::http) counts: Option<Counts>,
    /// Those that the caller is shown.
    pub(in crate::http) searches: Vec<SavedSearch>,
    pub(in crate::http) caller: &'a Caller,
    pub(in crate::http) same: Option<FingerprintFacts>,
    pub(in crate::http) first_host: FirstHost,
    pub(in crate::http) now: Timestamp,
    pub(in crate::http) frame: Frame,
}

impl ListPage {
    pub(in crate::http) fn new(input: ListInput<'_>) -> Self {
        let ListInput {
            request,
            problem,
            list,
            facets,
            counts,
            searches,
            caller,
            same,
            first_host,
            now,
            frame,
        } = input;
        let filter = request.filter.clone().unwrap_or_default();
        let first = request.page_token.is_empty();
        let page = |page_token: &str| {
            list_href(&ListFaultsRequest {
                page_token: page_token.into(),
                ..request.clone()
            })
        };
        let rows: Vec<Row> = list.faults.iter().map(|fault| Row::new(fault, now)).collect();
        let count = rows.len();
        let filtered = filter != FaultFilter::default();
        let of_same = FaultFilter {
            fingerprint: filter.fingerprint.clone(),
            include_housekeeping: filter.include_housekeeping,
            ..FaultFilter::default()
        };
        let all = filter == of_same && first && list.next_page_token.is_empty();
        let same = Same::new(&filter, same, all.then_some(count as u64));
        Self {
            frame,
            form: Form::new(&filter, facets),
            problem: problem.to_owned(),
            shown: format!("{}, newest first", counted(count as u64, "fault")),
            next: if list.next_page_token.is_empty() {
                String::new()
            } else {
                page(&list.next_page_token)
            },
            newest: if first { String::new() } else { page("") },
            live: if first && problem.is_empty() {
                live_href(&filter, list)
            } else {
                String::new()
            },
            counts: counts
                .map(|counts| CountsView::new(&filter, &counts))
                .filter(|counts| !counts.ways.is_empty()),
            searches: Searches::new(
                Subject::Faults,
                query::to_string(&ListFaultsRequest {
                    page_token: String::new(),
                    ..request.clone()
                }),
                filtered && problem.is_empty(),
                searches,
                caller,
            ),
            filtered,
            given_up: same.as_ref().is_some_and(|same| same.given_up),
            exports: EXPORTS.map(|(name, format)| (name, export_href(&filter, format))),
            first_host,
            rows,
            same,
        }
    }
}

/// The address of all that matches, as a file.
fn export_href(filter: &FaultFilter, format: &str) -> String {
    let query = query::to_string(&ListFaultsRequest {
        filter: Some(filter.clone()),
        ..ListFaultsRequest::default()
    });
    let separator = if query.is_empty() { "" } else { "&" };
    format!("/api/v1/faults/export?{query}{separator}format={format}")
}

/// The stream of what comes after this page.
fn live_href(filter: &FaultFilter, list: &ListFaultsResponse) -> String {
    let request = ListFaultsRequest {
        filter: Some(filter.clone()),
        ..ListFaultsRequest::default()
    };
    let query = query::to_string(&request);
    let newest = list
        .faults
        .first()
        .map_or(NOTHING_SEEN, |fault| fault.id.as_str());
    format!(
        "/live?{query}{}after={newest}",
        if query.is_empty() { "" } else { "&" }
    )
}

impl Form {
    fn new(filter: &FaultFilter, facets: Facets) -> Self {
        let severity = severity::word(filter.min_severity());
        let severities = severity::SEVERITIES.into_iter().map(|(name, _)| Choice {
            value: name.into(),
            label: if name == "critical" {
                "critical".into()
            } else {
                format!("{name} and above")
            },
            selected: name == severity,
        });
        Self {
            classes: classes(facets.classes, &filter.class, filter.include_housekeeping),
            severities: severities.collect(),
            host: filter.host.clone(),
            hosts: facets.hosts,
            kernel: filter.kernel_release.clone(),
            kernels: facets.kernel_releases,
            fingerprint: filter.fingerprint.clone(),
            query: filter.query.clone(),
            housekeeping: filter.include_housekeeping,
        }
    }
}

/// The known classes, each family before its members, and the one that is asked for.
fn classes(mut known: Vec<String>, asked: &str, housekeeping: bool) -> Vec<Choice> {
    known.retain(|class| housekeeping || !is_housekeeping(class));
    let families: Vec<String> = known
        .iter()
        .filter_map(|class| class.split_once('.'))
        .map(|(family, _)| format!("{family}."))
        .collect();
    known.extend(families);
    if !asked.is_empty() {
        known.push(asked.to_owned());
    }
    known.sort_unstable();
    known.dedup();
    let choice = |value: String| Choice {
        label: if value.ends_with('.') {
            format!("{value}*")
        } else {
            value.clone()
        },
        selected: value == asked,
        value,
    };
    known.into_iter().map(choice).collect()
}

impl Same {
    /// `stored`: how many of its records are; None: that is not known here.
    fn new(filter: &FaultFilter, facts: Option<FingerprintFacts>, stored: Option<u64>) -> Option<Self> {
        if filter.fingerprint.is_empty() {
            return None;
        }
        let remove = filter_href(FaultFilter {
            fingerprint: String::new(),
            ..filter.clone()
        });
        let given_up = facts.as_ref().zip(stored);
        let given_up = given_up.is_some_and(|(facts, stored)| stored < facts.count);
        let (title, counts) =
            facts.map_or_else(Default::default, |facts| (facts.title.clone(), counts(&facts)));
        let counts = match stored {
            Some(stored) if given_up => format!("{counts}, of which {} still stored", are(stored)),
            _ => counts,
        };
        Some(Self {
            fingerprint: filter.fingerprint.clone(),
            title,
            counts,
            given_up,
            remove,
        })
    }
}

/// `8 are`.
fn are(number: u64) -> String {
    match number {
        1 => "1 is".to_owned(),
        _ => format!("{} are", grouped(number)),
    }
}

/// `12 records on 3 hosts`.
pub(super) fn counts(facts: &FingerprintFacts) -> String {
    format!(
        "{} on {}",
        counted(facts.count, "record"),
        counted(facts.host_count, "host")
    )
}

impl Row {
    pub(in crate::http) fn new(fault: &Fault, now: Timestamp) -> Self {
        let no_record = Record::default();
        let record = fault.record.as_ref().unwrap_or(&no_record);
        let class = record.class.clone();
        let (host, host_href) = host_of(fault);
        let received = Moment::new(fault.received_at_unix_ns, now);
        let happened = Moment::new(record.occurred_at_unix_ns, now);
        let late = record.occurred_at_unix_ns.abs_diff(fault.received_at_unix_ns) > LATE_NS;
        Self {
            id: fault.id.clone(),
            severity: severity_word(record.severity()),
            title: name(&title(record)),
            detail: name(&detail::of(record)),
            class_href: class_href(&class),
            class,
            host: name(&host),
            host_href,
            host_note: name(&os(fault.host.as_ref())),
            kernel: name(&record.kernel_release),
            kernel_href: kernel_href(&record.kernel_release),
            happened: happened
                .filter(|happened| late && Some(&happened.age) != received.as_ref().map(|at| &at.age)),
            received,
        }
    }
}

/// The host's name, its agent id where it has none, and the list of its faults.
pub(super) fn host_of(fault: &Fault) -> (String, String) {
    let host = fault.host.as_ref();
    let hostname = host.map(|host| host.hostname.as_str()).unwrap_or_default();
    let name = name_of_host(hostname, bytes_text(&fault.agent_id));
    let href = host_href(&name);
    (name, href)
}

/// `debian 12`.
pub(super) fn os(host: Option<&Host>) -> String {
    host.map(|host| format!("{} {}", host.os_id, host.os_build).trim().to_owned())
        .unwrap_or_default()
}

/// The title, or the class where there is none.
pub(super) fn title(record: &Record) -> String {
    titled(&record.title, &record.class)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(known: &[&str], asked: &str, housekeeping: bool) -> Vec<String> {
        let known = known.iter().map(|class| (*class).to_owned()).collect();
        classes(known, asked, housekeeping)
            .into_iter()
            .map(|choice| choice.value)
            .collect()
    }

    #[test]
    fn families_come_before_their_members() {
        let known = ["custom", "kernel.oops", "kernel.panic", "telemetry.loss"];
        assert_eq!(
            values(&known, "", false),
            ["custom", "kernel.", "kernel.oops", "kernel.panic"]
        );
        assert_eq!(values(&known, "", true).last().unwrap(), "telemetry.loss");
    }

    #[test]
    fn a_class_that_is_asked_for_can_be_chosen() {
        assert_eq!(values(&[], "kernel.lockup", false), ["kernel.lockup"]);
        assert_eq!(
            values(&["kernel.oops"], "kernel.", false),
            ["kernel.", "kernel.oops"]
        );
    }
}
