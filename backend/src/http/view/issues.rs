//! The list of issues.

use std::collections::HashMap;

use askama::Template;
use filter::Subject;
use jiff::Timestamp;
use proto::v1::{Issue, IssueDay, IssueState, ListIssuesResponse};
use serde::Deserialize;
use uuid::Uuid;

use super::chart::Bars;
use super::list::Choice;
use super::searches::Searches;
use super::shown::name;
use super::{Moment, Problem, counted, grouped, next_href, noun, parameters, severity_word, titled};
use crate::access::{Caller, Role};
use crate::http::access::Frame;
use crate::store::{SavedSearch, issue_state_name};

/// Days of the small chart in the list.
pub(in crate::http) const SPARK_DAYS: u16 = 14;
/// Its size.
const SPARK: (u32, u32) = (84, 22);
/// Builds that an issue of the list names.
const BUILDS: usize = 2;
/// States that can be asked for.
const STATES: [IssueState; 6] = [
    IssueState::New,
    IssueState::Ongoing,
    IssueState::Escalating,
    IssueState::Regressed,
    IssueState::Resolved,
    IssueState::Ignored,
];

/// What can be decided by hand: the others follow from what comes.
const DECISIONS: [IssueState; 4] = [
    IssueState::New,
    IssueState::Ongoing,
    IssueState::Resolved,
    IssueState::Ignored,
];

/// The page `/issues`.
#[derive(Debug, Template)]
#[template(path = "issues.html")]
pub(in crate::http) struct IssuesPage {
    pub(in crate::http) states: Vec<Choice>,
    pub(in crate::http) query: String,
    /// What is wrong with it; empty: nothing.
    pub(in crate::http) problem: Problem,
    pub(in crate::http) rows: Vec<IssueRow>,
    pub(in crate::http) filtered: bool,
    pub(in crate::http) searches: Searches,
    /// What can be decided about several at once; empty: who looks at it may not.
    pub(in crate::http) decisions: Vec<Choice>,
    /// How many were changed just now; empty: none.
    pub(in crate::http) changed: String,
    /// What was decided, and refused.
    pub(in crate::http) several: Several,
    /// The next page; empty: this is the last.
    pub(in crate::http) next: String,
    pub(in crate::http) frame: Frame,
}

/// One issue of the list.
#[derive(Debug)]
pub(in crate::http) struct IssueRow {
    pub(in crate::http) issue: String,
    pub(in crate::http) severity: &'static str,
    pub(in crate::http) title: String,
    pub(in crate::http) class: String,
    pub(in crate::http) state: &'static str,
    pub(in crate::http) owner: String,
    pub(in crate::http) records: String,
    /// What it is a number of, for screens that have no room for a heading.
    pub(in crate::http) records_word: String,
    pub(in crate::http) hosts: String,
    pub(in crate::http) hosts_word: String,
    pub(in crate::http) first: Option<Moment>,
    pub(in crate::http) last: Option<Moment>,
    pub(in crate::http) days: Bars,
    /// Columns for which only the list has room; None: elsewhere.
    pub(in crate::http) wide: Option<Wide>,
    /// It can be chosen, to be decided about with others.
    pub(in crate::http) choosable: bool,
    /// It was.
    pub(in crate::http) chosen: bool,
}

/// What the list says more of an issue.
#[derive(Debug)]
pub(in crate::http) struct Wide {
    /// The newest builds that it was seen in.
    pub(in crate::http) builds: Vec<String>,
    /// `and 3 more`; empty: all are named.
    pub(in crate::http) more: String,
}

/// The parameters of the page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::http) struct IssuesAsked {
    /// Only those in this state.
    pub(in crate::http) state: String,
    /// A filter in the language of `docs/filter.md`.
    pub(in crate::http) q: String,
    /// The end of the page before.
    pub(in crate::http) page_token: String,
    /// How many were changed by the form of the list just now.
    pub(in crate::http) changed: u8,
}

/// What the form of the list sends: those that were chosen, and what is decided about them, as it was written.
#[derive(Debug, Default)]
pub(in crate::http) struct Several {
    pub(in crate::http) issues: Vec<String>,
    pub(in crate::http) who: String,
    pub(in crate::http) state: String,
    pub(in crate::http) owner: String,
    pub(in crate::http) note: String,
    /// What is wrong with it; empty: nothing was sent.
    pub(in crate::http) refused: String,
}

impl IssuesAsked {
    /// Its first page, as an address has it.
    pub(in crate::http) fn parameters(&self) -> String {
        parameters(&self.given())
    }

    /// The same page after so many of its issues were changed.
    pub(in crate::http) fn href_of_changed(&self, issues: usize) -> String {
        let [state, query] = self.given();
        let page = ("page_token", self.page_token.as_str());
        let changed = issues.to_string();
        format!(
            "/issues?{}",
            parameters(&[state, query, page, ("changed", &changed)])
        )
    }

    fn given(&self) -> [(&str, &str); 2] {
        [("state", &self.state), ("q", &self.q)]
    }
}

/// What the page is made of.
#[derive(Debug)]
pub(in crate::http) struct IssuesInput<'a> {
    pub(in crate::http) asked: &'a IssuesAsked,
    /// What was sent and refused.
    pub(in crate::http) several: Several,
    /// What is wrong with the search; empty: nothing.
    pub(in crate::http) problem: &'a Problem,
    pub(in crate::http) list: &'a ListIssuesResponse,
    pub(in crate::http) days: &'a HashMap<Uuid, Vec<IssueDay>>,
    /// The builds that they were seen in on those days, the newest first.
    pub(in crate::http) builds: &'a HashMap<Uuid, Vec<String>>,
    /// Those that the caller is shown.
    pub(in crate::http) searches: Vec<SavedSearch>,
    pub(in crate::http) caller: &'a Caller,
    pub(in crate::http) now: Timestamp,
    pub(in crate::http) frame: Frame,
}

impl IssuesPage {
    pub(in crate::http) fn new(input: IssuesInput<'_>) -> Self {
        let IssuesInput {
            asked,
            several,
            problem,
            list,
            days,
            builds,
            searches,
            caller,
            now,
            frame,
        } = input;
        let may_change = caller.role >= Role::Triager;
        let filtered = !asked.state.is_empty() || !asked.q.is_empty();
        let states = STATES.map(issue_state_name).map(|state| Choice {
            value: state.to_owned(),
            label: state.to_owned(),
            selected: state == asked.state,
        });
        Self {
            states: states.into(),
            query: asked.q.clone(),
            problem: problem.to_owned(),
            rows: list
                .issues
                .iter()
                .map(|issue| IssueRow {
                    choosable: may_change,
                    chosen: several.issues.contains(&issue.issue),
                    wide: Some(Wide::new(issue, builds)),
                    ..IssueRow::new(issue, days, now)
                })
                .collect(),
            decisions: if may_change {
                decisions(&several.state)
            } else {
                Vec::new()
            },
            changed: match asked.changed {
                0 => String::new(),
                1.. => format!("{} changed.", counted(asked.changed.into(), "issue")),
            },
            several,
            searches: Searches::new(
                Subject::Issues,
                asked.parameters(),
                filtered && problem.is_empty(),
                searches,
                caller,
            ),
            filtered,
            next: next_href("/issues", &asked.given(), &list.next_page_token),
            frame,
        }
    }
}

/// What can be decided by hand, to choose from, and what was chosen; empty: nothing.
pub(super) fn decisions(chosen: &str) -> Vec<Choice> {
    let choice = |state: &str| Choice {
        value: state.to_owned(),
        label: state.to_owned(),
        selected: state == chosen,
    };
    DECISIONS.map(issue_state_name).map(choice).into()
}

/// What identifies an issue in the store.
pub(in crate::http) fn issue_id(issue: &Issue) -> Option<Uuid> {
    Uuid::try_parse(&issue.issue).ok()
}

impl IssueRow {
    pub(super) fn new(issue: &Issue, days: &HashMap<Uuid, Vec<IssueDay>>, now: Timestamp) -> Self {
        let none = Vec::new();
        let days = issue_id(issue).and_then(|id| days.get(&id)).unwrap_or(&none);
        Self {
            issue: issue.issue.clone(),
            severity: severity_word(issue.severity()),
            title: name(&titled(&issue.title, &issue.class)),
            class: issue.class.clone(),
            state: issue_state_name(issue.state()),
            owner: name(&issue.owner),
            records: grouped(issue.occurrences),
            records_word: noun(issue.occurrences, "record"),
            hosts: grouped(issue.hosts),
            hosts_word: noun(issue.hosts, "host"),
            first: Moment::new(issue.first_seen_unix_ns, now),
            last: Moment::new(issue.last_seen_unix_ns, now),
            days: spark(days),
            wide: None,
            choosable: false,
            chosen: false,
        }
    }
}

impl Wide {
    fn new(issue: &Issue, builds: &HashMap<Uuid, Vec<String>>) -> Self {
        let none = Vec::new();
        let all = issue_id(issue).and_then(|id| builds.get(&id)).unwrap_or(&none);
        let more = all.len().saturating_sub(BUILDS);
        Self {
            builds: all.iter().take(BUILDS).map(|build| name(build)).collect(),
            more: if more > 0 {
                format!("and {more} more")
            } else {
                String::new()
            },
        }
    }
}

/// Hosts by day, small.
pub(super) fn spark(days: &[IssueDay]) -> Bars {
    let label = format!("Hosts by day, the last {SPARK_DAYS} days");
    Bars::new(SPARK, &hosts_by_day(days), label)
}

/// The hosts of each day, with words.
pub(super) fn hosts_by_day(days: &[IssueDay]) -> Vec<(u64, String)> {
    let words = |day: &IssueDay| {
        let (hosts, records) = (counted(day.hosts, "host"), counted(day.records, "record"));
        (day.hosts, format!("{}: {hosts}, {records}", day.day))
    };
    days.iter().map(words).collect()
}

/// The date, UTC, so many days before `now`.
pub(super) fn days_before(now: Timestamp, days: u64) -> String {
    let seconds = i64::try_from(days).unwrap_or(0).saturating_mul(86_400);
    let then = Timestamp::from_second(now.as_second().saturating_sub(seconds)).unwrap_or(now);
    then.strftime("%Y-%m-%d").to_string()
}

/// The address of an issue's page.
pub(in crate::http) fn issue_href(issue: &str) -> String {
    format!("/issues/{issue}")
}
