//! Issues as they are shown.

use proto::v1::{Issue, IssueChange, IssueEvent, IssueFilter, IssueState, ListIssuesResponse};
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use super::super::{
    Store, StoreError,
    filter::{self, Parameters},
    list::{last_of_page, size_of_page},
    time::Micros,
    token,
};
use super::{merge::shown, resolved};
use crate::descriptors::enumerated;

/// The name of this list in page tokens.
const LIST: &str = "issues";
/// Changes of its history that are told with an issue.
const HISTORY: i64 = 100;

/// The columns that [`issue`] reads, of `v_issues i`.
pub(super) const ISSUE: &str = "i.issue, i.class, i.title, i.severity::smallint, i.first_seen, i.last_seen, i.occurrences::bigint, \
                     i.hosts::bigint, i.state, i.owner, i.known_fix, i.fixed_in, i.fix_url, i.resolved_in, \
                     i.resolved_in_build, i.ignore_until, i.ignore_occurrences, i.ignore_hosts, i.changed_at, \
                     i.hour_occurrences, i.usual_per_hour, i.split, i.split_from, i.regroup";

impl Store {
    /// Issues that match, those with the latest records first, without their history. `page_size` 0 means 50.
    ///
    /// A page starts after the place that the last issue of the page before had when it was listed. `last_seen` only grows,
    /// so an issue that gets a record meanwhile moves to the front and is on no later page: none is repeated.
    pub async fn list_issues(
        &self,
        filter: &IssueFilter,
        page_size: u32,
        page_token: &str,
    ) -> Result<ListIssuesResponse, StoreError> {
        let size = size_of_page(page_size)?;
        let mut parameters = Parameters::default();
        let mut conditions = matching(filter, &mut parameters)?;
        if let Some(key) = token::decode(LIST, page_token, filter)? {
            let (last_seen, last) = place(&key).ok_or(StoreError::InvalidPageToken)?;
            let (last_seen, last) = (parameters.bind(last_seen), parameters.bind(last));
            conditions.push(format!("(i.last_seen, i.issue) < ({last_seen}, {last})"));
        }
        // One more than asked for tells whether there is another page.
        let limit = parameters.bind(i64::from(size) + 1);
        let client = self.client().await?;
        let list = client
            .prepare_cached(&format!(
                "SELECT {ISSUE} FROM v_issues i WHERE {} ORDER BY i.last_seen DESC, i.issue DESC LIMIT {limit}",
                conditions.join(" AND ")
            ))
            .await?;
        let rows = client.query(&list, &parameters.values()).await?;
        let last = last_of_page(&rows, size);
        Ok(ListIssuesResponse {
            issues: rows.iter().take(size as usize).map(issue).collect(),
            next_page_token: last.map_or_else(String::new, |row| token::encode(LIST, &key(row), filter)),
        })
    }

    /// Regressed, escalating and new issues, the most severe first, without their history.
    pub async fn issues_to_look_at(&self, limit: u8) -> Result<Vec<Issue>, StoreError> {
        let client = self.client().await?;
        let list = client
            .prepare_cached(&format!(
                "SELECT {ISSUE} FROM v_issues i WHERE i.state IN ('regressed', 'escalating', 'new')
                 ORDER BY i.severity DESC, CASE i.state WHEN 'regressed' THEN 1 WHEN 'escalating' THEN 2 ELSE 3 END,
                          i.hosts DESC, i.last_seen DESC, i.issue LIMIT $1"
            ))
            .await?;
        let rows = client.query(&list, &[&i64::from(limit)]).await?;
        Ok(rows.iter().map(issue).collect())
    }

    /// One issue, by its 32 hexadecimal digits, with its history; or the one that it counts for.
    pub async fn get_issue(&self, issue_id: &str) -> Result<Option<Issue>, StoreError> {
        let id = filter::issue_id(issue_id)?;
        let client = self.client().await?;
        let get = client
            .prepare_cached(&format!(
                "SELECT {ISSUE} FROM v_issues i WHERE i.issue = {}",
                shown("$1")
            ))
            .await?;
        let Some(row) = client.query_opt(&get, &[&id]).await? else {
            return Ok(None);
        };
        let history = client
            .prepare_cached(
                "SELECT at, who, change FROM triage_history WHERE issue = $1 ORDER BY at DESC LIMIT $2",
            )
            .await?;
        let shown: Uuid = row.get(0);
        let history = client.query(&history, &[&shown, &HISTORY]).await?;
        let issue = issue(&row);
        let resolved_note =
            resolved::note(&client, shown, &issue.resolved_in, &issue.resolved_in_build).await?;
        Ok(Some(Issue {
            history: history.iter().map(event).collect(),
            resolved_note,
            ..issue
        }))
    }
}

/// Checks a filter and turns it into conditions on `v_issues i`, all of which must hold.
fn matching(filter: &IssueFilter, parameters: &mut Parameters) -> Result<Vec<String>, StoreError> {
    let state: IssueState =
        enumerated("state", "IssueState", filter.state).map_err(StoreError::InvalidFilter)?;
    let mut conditions = vec![filter::of_issues(&filter.query, parameters)?];
    conditions.extend(filter::of_class(
        "i.class",
        &filter::class(&filter.class)?,
        parameters,
    ));
    if state != IssueState::Unspecified {
        conditions.push(format!("i.state = {}", parameters.bind(state_name(state))));
    }
    Ok(conditions)
}

fn key(row: &Row) -> Vec<u8> {
    let (last_seen, issue): (Micros, Uuid) = (row.get(5), row.get(0));
    [last_seen.0.to_be_bytes().as_slice(), issue.as_bytes()].concat()
}

fn place(key: &[u8]) -> Option<(Micros, Uuid)> {
    let (last_seen, issue) = key.split_first_chunk()?;
    Some((
        Micros(i64::from_be_bytes(*last_seen)),
        Uuid::from_slice(issue).ok()?,
    ))
}

pub(super) fn issue(row: &Row) -> Issue {
    let text = |column: usize| row.get::<_, String>(column);
    let moment = |column: usize| row.get::<_, Micros>(column).unix_ns();
    let count = |column: usize| u64::try_from(row.get::<_, i64>(column)).unwrap_or(0);
    let limit = |column: usize| {
        let limit = row.get::<_, Option<i64>>(column);
        limit.and_then(|limit| u64::try_from(limit).ok())
    };
    let digits = |id: Uuid| id.simple().to_string();
    Issue {
        issue: digits(row.get(0)),
        class: text(1),
        title: text(2),
        severity: i32::from(row.get::<_, i16>(3)),
        first_seen_unix_ns: moment(4),
        last_seen_unix_ns: moment(5),
        occurrences: count(6),
        hosts: count(7),
        state: state(row.get(8)).into(),
        owner: text(9),
        known_fix: text(10),
        fixed_in: text(11),
        fix_url: text(12),
        resolved_in: text(13),
        resolved_in_build: text(14),
        ignore_until_unix_ns: row.get::<_, Option<Micros>>(15).map(Micros::unix_ns),
        ignore_occurrences: limit(16),
        ignore_hosts: limit(17),
        changed_at_unix_ns: moment(18),
        hour_occurrences: count(19),
        usual_per_hour: row.get(20),
        split: row.get(21),
        split_from: row.get::<_, Option<Uuid>>(22).map(digits).unwrap_or_default(),
        regroup: row.get(23),
        history: Vec::new(),
        resolved_note: String::new(),
    }
}

fn event(row: &Row) -> IssueEvent {
    let kept: Value = row.get(2);
    let other = |name: &str| kept.get(name).and_then(Value::as_str).map(str::to_owned);
    IssueEvent {
        at_unix_ns: row.get::<_, Micros>(0).unix_ns(),
        who: row.get(1),
        change: Some(change(&kept)),
        merged: other("merged"),
        parted: other("parted"),
    }
}

/// A change as the history keeps it.
fn change(kept: &Value) -> IssueChange {
    let text = |name: &str| kept.get(name).and_then(Value::as_str).map(str::to_owned);
    let number = |name: &str| {
        let number = kept.get(name).and_then(Value::as_u64);
        number.and_then(|number| u32::try_from(number).ok())
    };
    IssueChange {
        state: text("state").map(|name| state(&name).into()),
        resolved_in: text("resolved_in"),
        resolved_in_build: text("resolved_in_build"),
        ignore_days: number("ignore_days"),
        ignore_occurrences: number("ignore_occurrences"),
        ignore_hosts: number("ignore_hosts"),
        merged_into: text("merged_into"),
        owner: text("owner"),
        known_fix: text("known_fix"),
        fixed_in: text("fixed_in"),
        fix_url: text("fix_url"),
        split: kept.get("split").and_then(Value::as_bool),
        note: text("note"),
    }
}

/// All states by their names in the database.
const STATES: [(&str, IssueState); 7] = [
    ("", IssueState::Unspecified),
    ("new", IssueState::New),
    ("ongoing", IssueState::Ongoing),
    ("escalating", IssueState::Escalating),
    ("resolved", IssueState::Resolved),
    ("regressed", IssueState::Regressed),
    ("ignored", IssueState::Ignored),
];

/// A state by its name; the empty one is any.
pub fn state_named(name: &str) -> Option<IssueState> {
    let found = STATES.iter().find(|(known, _)| *known == name);
    found.map(|(_, state)| *state)
}

fn state(name: &str) -> IssueState {
    state_named(name).unwrap_or_default()
}

/// Its name; empty: any.
pub fn state_name(state: IssueState) -> &'static str {
    let found = STATES.iter().find(|(_, known)| *known == state);
    found.map_or("", |(name, _)| name)
}
