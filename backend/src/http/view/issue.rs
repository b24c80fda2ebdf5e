//! The page of one issue.

mod report;
mod variants;

use std::collections::HashMap;

use askama::Template;
use jiff::Timestamp;
use proto::v1::{
    Fault, FaultFilter, Issue, IssueDay, IssueEvent, IssueState, ListIssueDaysResponse, ListVariantsResponse,
};
use serde_json::Value;

use self::variants::{BuildTrend, VariantRow, Why, how_many};
use super::chart::Bars;
use super::fault::moment;
use super::hosts::host_page_href;
use super::issues::{IssueRow, days_before, decisions, hosts_by_day};
use super::list::Choice;
use super::payload::Sections;
use super::rates::{RateRow, end_of_axis, probability};
use super::shown::name;
use super::{Moment, class_href, counted, filter_href, grouped, name_of_host, severity_word, titled};
use crate::analysis::{Rate, Unusual};
use crate::http::{access::Frame, json::ToJson as _};
use crate::store::{AffectedHost, MergedIssue, issue_state_name};

/// Days of the chart.
pub(in crate::http) const TREND_DAYS: u32 = 60;
/// Its size.
const TREND: (u32, u32) = (900, 110);
/// Kernels or builds that are compared.
const GROUPS: usize = 12;
/// Hosts that are shown.
const HOSTS: usize = 20;
/// Changes that are shown, the latest.
const HISTORY: usize = 20;

/// The page `/issues/{issue}`.
#[derive(Debug, Template)]
#[template(path = "issue.html")]
pub(in crate::http) struct IssuePage {
    pub(in crate::http) issue: Issue,
    pub(in crate::http) title: String,
    pub(in crate::http) severity: &'static str,
    pub(in crate::http) state: &'static str,
    pub(in crate::http) class_href: String,
    /// `12 records on 3 hosts`.
    pub(in crate::http) counts: String,
    /// Why fewer records may be stored; empty: all are.
    pub(in crate::http) given_up: String,
    pub(in crate::http) first: Option<Moment>,
    pub(in crate::http) last: Option<Moment>,
    /// What follows from its state, in words; empty: nothing.
    pub(in crate::http) state_note: String,
    /// What mends it; None: not known.
    pub(in crate::http) fix: Option<Fix>,
    pub(in crate::http) faults_href: String,
    pub(in crate::http) trend: Trend,
    /// The same in its newest builds, the newest first.
    pub(in crate::http) trends: Vec<BuildTrend>,
    pub(in crate::http) why: Why,
    pub(in crate::http) variants: Vec<VariantRow>,
    /// `2 by their top frames, 7 by their whole stack`.
    pub(in crate::http) how_many: String,
    pub(in crate::http) groups: Vec<Rates>,
    pub(in crate::http) unusual: Vec<UnusualRow>,
    pub(in crate::http) unusual_of: String,
    pub(in crate::http) hosts: Vec<HostRow>,
    pub(in crate::http) similar: Vec<IssueRow>,
    pub(in crate::http) merged: Vec<MergedRow>,
    pub(in crate::http) newest: String,
    pub(in crate::http) sections: Sections,
    /// What can be sent to those who look after the code at fault; empty: there is no text of it.
    pub(in crate::http) report: String,
    pub(in crate::http) decisions: Vec<Choice>,
    pub(in crate::http) history: Vec<HistoryRow>,
    pub(in crate::http) may_change: bool,
    pub(in crate::http) frame: Frame,
}

/// What a page of an issue is made of.
#[derive(Debug)]
pub(in crate::http) struct IssueInput {
    pub(in crate::http) issue: Issue,
    /// The days of its charts.
    pub(in crate::http) days: ListIssueDaysResponse,
    /// Its finer fingerprints.
    pub(in crate::http) variants: ListVariantsResponse,
    /// Rates with the word for what they are by.
    pub(in crate::http) rates: Vec<(&'static str, Vec<Rate>)>,
    pub(in crate::http) unusual: Unusual,
    pub(in crate::http) hosts: Vec<AffectedHost>,
    pub(in crate::http) newest: Option<Fault>,
    /// There are debug files for the stacks of that record.
    pub(in crate::http) resolvable: bool,
    /// Issues that may be the same fault.
    pub(in crate::http) similar: Vec<Issue>,
    /// Issues that people merged into it.
    pub(in crate::http) merged: Vec<MergedIssue>,
    /// For how many days its records are kept; None: for ever.
    pub(in crate::http) kept_days: Option<i32>,
    pub(in crate::http) may_change: bool,
    pub(in crate::http) now: Timestamp,
    pub(in crate::http) frame: Frame,
}

/// What mends an issue.
#[derive(Debug)]
pub(in crate::http) struct Fix {
    /// `mended upstream, fixed in 6.1.120`.
    pub(in crate::http) words: String,
    /// Where to read about it; empty: nowhere that a browser should be sent to.
    pub(in crate::http) href: String,
}

/// Hosts by day.
#[derive(Debug)]
pub(in crate::http) struct Trend {
    pub(in crate::http) bars: Bars,
    /// `at most 12 hosts a day`.
    pub(in crate::http) most: String,
    pub(in crate::http) from: String,
}

/// Rates by kernel, build or model.
#[derive(Debug)]
pub(in crate::http) struct Rates {
    pub(in crate::http) by: &'static str,
    pub(in crate::http) rows: Vec<RateRow>,
}

/// A fact that its hosts have in common.
#[derive(Debug)]
pub(in crate::http) struct UnusualRow {
    pub(in crate::http) key: String,
    pub(in crate::http) value: String,
    pub(in crate::http) affected: String,
    pub(in crate::http) others: String,
    pub(in crate::http) sure: String,
}

/// A host that has it.
#[derive(Debug)]
pub(in crate::http) struct HostRow {
    pub(in crate::http) name: String,
    pub(in crate::http) href: String,
    pub(in crate::http) build: String,
    pub(in crate::http) kernel: String,
    pub(in crate::http) product: String,
    pub(in crate::http) records: String,
    pub(in crate::http) last: Option<Moment>,
}

/// An issue that was merged into it.
#[derive(Debug)]
pub(in crate::http) struct MergedRow {
    pub(in crate::http) issue: String,
    pub(in crate::http) title: String,
    pub(in crate::http) records: String,
}

/// A change and its note.
#[derive(Debug)]
pub(in crate::http) struct HistoryRow {
    pub(in crate::http) at: Option<Moment>,
    pub(in crate::http) who: String,
    pub(in crate::http) changes: Vec<String>,
    pub(in crate::http) note: String,
}

impl IssuePage {
    pub(in crate::http) fn new(input: IssueInput) -> Self {
        let IssueInput {
            issue,
            days,
            variants,
            rates,
            unusual,
            hosts,
            newest,
            resolvable,
            similar,
            merged,
            kept_days,
            may_change,
            now,
            frame,
        } = input;
        let record = newest.as_ref().and_then(|fault| fault.record.as_ref());
        let kernels = report::kernels(&rates);
        let groups = rates.into_iter().map(|(by, rates)| Rates::new(by, &rates));
        Self {
            title: titled(&issue.title, &issue.class),
            severity: severity_word(issue.severity()),
            state: issue_state_name(issue.state()),
            class_href: class_href(&issue.class),
            counts: counts(&issue),
            given_up: given_up(&issue, newest.is_some(), kept_days, now),
            first: Moment::new(issue.first_seen_unix_ns, now),
            last: Moment::new(issue.last_seen_unix_ns, now),
            state_note: state_note(&issue, now),
            fix: Fix::new(&issue),
            faults_href: filter_href(FaultFilter {
                query: format!("issue:{}", issue.issue),
                ..FaultFilter::default()
            }),
            trend: Trend::new(&days.days, now),
            trends: days.builds.iter().map(BuildTrend::new).collect(),
            why: Why::new(&issue, !merged.is_empty(), record),
            how_many: how_many(&variants),
            variants: variants
                .variants
                .iter()
                .map(|variant| VariantRow::new(variant, now))
                .collect(),
            groups: groups.filter(|rates| !rates.rows.is_empty()).collect(),
            unusual_of: format!(
                "{} of {}",
                grouped(unusual.affected),
                counted(unusual.hosts, "host")
            ),
            unusual: unusual.facts.into_iter().map(UnusualRow::from).collect(),
            hosts: hosts
                .iter()
                .take(HOSTS)
                .map(|host| HostRow::new(host, now))
                .collect(),
            similar: similar
                .iter()
                .map(|issue| IssueRow::new(issue, &HashMap::new(), now))
                .collect(),
            merged: merged.into_iter().map(MergedRow::from).collect(),
            newest: newest.as_ref().map(|fault| fault.id.clone()).unwrap_or_default(),
            sections: newest
                .as_ref()
                .zip(record)
                .map(|(fault, record)| Sections::of_fault(&fault.id, record, resolvable))
                .unwrap_or_default(),
            report: record
                .map(|record| report::upstream(&issue, record, &kernels))
                .unwrap_or_default(),
            decisions: decisions(""),
            history: issue
                .history
                .iter()
                .take(HISTORY)
                .map(|event| HistoryRow::new(event, now))
                .collect(),
            may_change,
            frame,
            issue,
        }
    }
}

fn given_up(issue: &Issue, is_stored: bool, kept_days: Option<i32>, now: Timestamp) -> String {
    const DAY_NS: i128 = 86_400_000_000_000;
    let age_ns = now.as_nanosecond() - i128::from(issue.first_seen_unix_ns);
    match kept_days {
        _ if !is_stored => "No record of it is stored any more; its counts and rates stay.".to_owned(),
        Some(days) if age_ns > i128::from(days) * DAY_NS => {
            let days = counted(u64::try_from(days).unwrap_or_default(), "day");
            format!("Records like it are kept for {days}; its counts and rates stay.")
        }
        _ => String::new(),
    }
}

fn counts(issue: &Issue) -> String {
    format!(
        "{} on {}",
        counted(issue.occurrences, "record"),
        counted(issue.hosts, "host")
    )
}

/// `ignored until 2026-12-01 00:00:00 UTC or 100 hosts have it`.
fn state_note(issue: &Issue, now: Timestamp) -> String {
    match issue.state() {
        IssueState::Resolved | IssueState::Regressed => {
            let parts = [
                ("kernel", &issue.resolved_in),
                ("build", &issue.resolved_in_build),
            ];
            let named: Vec<String> = parts
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(what, value)| format!("{what} {value}"))
                .collect();
            if named.is_empty() {
                String::new()
            } else {
                format!("resolved from {} on", named.join(" and "))
            }
        }
        IssueState::Ignored => {
            let day = issue.ignore_until_unix_ns.and_then(|day| Moment::new(day, now));
            let limits: Vec<String> = [
                day.map(|day| day.absolute),
                issue
                    .ignore_occurrences
                    .map(|count| format!("there are {} records", grouped(count))),
                issue
                    .ignore_hosts
                    .map(|count| format!("{} hosts have it", grouped(count))),
            ]
            .into_iter()
            .flatten()
            .collect();
            if limits.is_empty() {
                "ignored until somebody decides otherwise".to_owned()
            } else {
                format!("ignored until {}", limits.join(" or "))
            }
        }
        _ => String::new(),
    }
}

impl Fix {
    fn new(issue: &Issue) -> Option<Self> {
        let mut words: Vec<String> = Vec::new();
        words.extend((!issue.known_fix.is_empty()).then(|| issue.known_fix.clone()));
        words.extend((!issue.fixed_in.is_empty()).then(|| format!("fixed in {}", issue.fixed_in)));
        let web = ["https://", "http://"];
        let href = web.iter().any(|scheme| issue.fix_url.starts_with(scheme));
        if words.is_empty() && !issue.fix_url.is_empty() {
            words.push(issue.fix_url.clone());
        }
        (!words.is_empty()).then(|| Self {
            words: words.join(", "),
            href: if href {
                issue.fix_url.clone()
            } else {
                String::new()
            },
        })
    }
}

impl Trend {
    fn new(days: &[IssueDay], now: Timestamp) -> Self {
        let most = days.iter().map(|day| day.hosts).max().unwrap_or(0);
        Self {
            bars: Bars::new(
                TREND,
                &hosts_by_day(days),
                format!("Hosts by day, the last {TREND_DAYS} days"),
            ),
            most: grouped(most),
            from: days_before(now, u64::from(TREND_DAYS) - 1),
        }
    }
}

impl Rates {
    fn new(by: &'static str, rates: &[Rate]) -> Self {
        // Where it was seen, first; the rest shows where it was not.
        let mut rates: Vec<&Rate> = rates.iter().collect();
        rates.sort_by_key(|rate| std::cmp::Reverse(rate.affected > 0));
        rates.truncate(GROUPS);
        let end = end_of_axis(rates.iter().copied().filter(|rate| rate.affected > 0));
        Self {
            by,
            rows: rates.into_iter().map(|rate| RateRow::new(rate, end)).collect(),
        }
    }
}

impl From<crate::analysis::UnusualFact> for UnusualRow {
    fn from(fact: crate::analysis::UnusualFact) -> Self {
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        Self {
            key: fact.key,
            value: name(&fact.value),
            affected: percent(fact.share_of_affected),
            others: percent(fact.share_of_others),
            sure: probability(fact.q_value),
        }
    }
}

impl HostRow {
    fn new(host: &AffectedHost, now: Timestamp) -> Self {
        Self {
            href: host_page_href(&host.agent_id.to_string()),
            name: name(&name_of_host(&host.hostname, host.agent_id)),
            build: name(&host.os_build),
            kernel: name(&host.kernel_release),
            product: name(&host.product),
            records: grouped(host.records),
            last: moment(host.last_seen, now),
        }
    }
}

impl From<MergedIssue> for MergedRow {
    fn from(merged: MergedIssue) -> Self {
        Self {
            issue: merged.issue.simple().to_string(),
            title: merged.title,
            records: counted(merged.records, "record"),
        }
    }
}

impl HistoryRow {
    fn new(event: &IssueEvent, now: Timestamp) -> Self {
        let change = event.change.clone().unwrap_or_default();
        let mut changes = Vec::new();
        for (what, other) in [("merged", &event.merged), ("taken apart", &event.parted)] {
            changes.extend(other.iter().map(|other| format!("{what}: {other}")));
        }
        let said = change.to_json();
        for (key, value) in said.as_object().into_iter().flatten() {
            let words = match value {
                Value::Null => continue,
                Value::String(text) if text.is_empty() => "none".to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            if key != "note" {
                changes.push(format!("{}: {}", key.replace('_', " "), name(&words)));
            }
        }
        Self {
            at: Moment::new(event.at_unix_ns, now),
            who: event.who.clone(),
            changes,
            note: change.note.unwrap_or_default(),
        }
    }
}
