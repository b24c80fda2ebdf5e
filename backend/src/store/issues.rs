//! Issues: what faults with one fingerprint have in common, and what people decided about them.

mod affected;
mod ignoring;
mod list;
mod merge;
mod regroup;
mod resolved;
mod similar;
mod variants;

use deadpool_postgres::Transaction;
use proto::{limits, v1::Issue};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub use affected::AffectedHost;
pub use list::{state_name, state_named};
pub use merge::MergedIssue;
pub(super) use merge::shown;
pub use regroup::SplitGroup;
pub(super) use regroup::{recount, split};

use super::{Store, StoreError, filter};
use crate::text::is_of_the_web;

/// Characters of each text of a change.
const TEXT_CHARS: usize = 1024;
/// Hosts are told some of them, whatever script they are in.
const _: () = assert!(TEXT_CHARS * char::MAX.len_utf8() <= limits::FIX_BYTES);
/// Days that an issue can be ignored for: ten years. Who means longer sets no limit.
const IGNORE_DAYS: u32 = 3660;

/// What is to be changed. What is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IssueChange {
    /// Who changes it, as they call themselves.
    pub who: String,
    /// new, ongoing, resolved, ignored. The limits of ignoring, `resolved_in` and `resolved_in_build` are forgotten with each new state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// With `resolved`: the kernel release from which on it is. Left out: in all that come.
    /// `docs/data-model.md` says what is later than another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_in: Option<String>,
    /// With `resolved`: the build from which on it is, likewise. Left out: in all that come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_in_build: Option<String>,
    /// With `ignored`: for so many days, 1 to 3660.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_days: Option<u32>,
    /// With `ignored`: until there are so many records, more than there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_occurrences: Option<u32>,
    /// With `ignored`: until so many hosts have it, more than do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_hosts: Option<u32>,
    /// The issue that it counts for from now on; empty: it stands for itself again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<String>,
    /// Who looks after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_fix: Option<String>,
    /// What has that fix, such as a kernel release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed_in: Option<String>,
    /// Where to read about it, by http or https; empty: nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix_url: Option<String>,
    /// True: its records are grouped by their top frames, each group an issue of its own; false: they are one again. Records
    /// that are there are moved within seconds to minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<bool>,
    /// Kept in the history.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A state that people set. `regressed` is set by records alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[schema(as = IssueStateThatPeopleSet)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nobody has looked at it.
    New,
    /// Somebody has.
    Ongoing,
    /// Mended.
    Resolved,
    /// Not to be shown, within limits.
    Ignored,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Ongoing => "ongoing",
            Self::Resolved => "resolved",
            Self::Ignored => "ignored",
        }
    }
}

impl IssueChange {
    fn check(&self) -> Result<(), StoreError> {
        let texts = [
            Some(&self.who),
            self.resolved_in.as_ref(),
            self.resolved_in_build.as_ref(),
            self.fixed_in.as_ref(),
            self.fix_url.as_ref(),
            self.owner.as_ref(),
            self.known_fix.as_ref(),
            self.note.as_ref(),
        ];
        for text in texts.into_iter().flatten() {
            if text.chars().count() > TEXT_CHARS || text.contains('\0') {
                let limit = format!("texts of a change have at most {TEXT_CHARS} characters, and no NUL");
                return Err(StoreError::InvalidChange(limit));
            }
        }
        let wrong = |what: &str| Err(StoreError::InvalidChange(what.to_owned()));
        if self.who.is_empty() {
            return wrong("who: say who changes it");
        }
        let nothing = Self {
            who: self.who.clone(),
            note: self.note.clone().filter(String::is_empty),
            ..Self::default()
        };
        if *self == nothing {
            return wrong("say what is to be changed, or note something");
        }
        resolved::check(self)?;
        let limits = [self.ignore_days, self.ignore_occurrences, self.ignore_hosts];
        if limits.iter().any(Option::is_some) && self.state != Some(State::Ignored) {
            return wrong("ignore_days, ignore_occurrences and ignore_hosts go with the state ignored");
        }
        if self
            .ignore_days
            .is_some_and(|days| !(1..=IGNORE_DAYS).contains(&days))
        {
            return wrong(&format!(
                "ignore_days: 1 to {IGNORE_DAYS}; left out, it is ignored for ever"
            ));
        }
        if !self
            .fix_url
            .as_deref()
            .is_none_or(|url| url.is_empty() || is_of_the_web(url))
        {
            return wrong("fix_url: an address that begins with https:// or http://");
        }
        Ok(())
    }
}

impl Store {
    /// Changes an issue, notes that in its history and answers what it is then. What counts for another is that other, but for whom it
    /// counts. `None`: there is no such issue.
    pub async fn change_issue(&self, issue: &str, change: &IssueChange) -> Result<Option<Issue>, StoreError> {
        if !self.apply(issue, change).await? {
            return Ok(None);
        }
        self.forget_histories();
        self.get_issue(issue).await
    }

    async fn apply(&self, issue: &str, change: &IssueChange) -> Result<bool, StoreError> {
        change.check()?;
        let issue = filter::issue_id(issue)?;
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let into = change
            .merged_into
            .as_deref()
            .map(merge::Target::new)
            .transpose()?;
        let Some(issue) = merge::changed(&transaction, issue, into).await? else {
            return Ok(false);
        };
        if let Some(into) = into {
            merge::merge(&transaction, issue, into, change).await?;
        }
        ignoring::check(&transaction, issue, change).await?;
        if let Some(split) = change.split {
            set_split(&transaction, issue, split).await?;
        }
        let update = transaction
            .prepare_cached(
                "UPDATE triage SET state = coalesce($2, state),
                        resolved_in = CASE WHEN $2 IS NULL THEN resolved_in ELSE coalesce($3, '') END,
                        ignore_until = CASE WHEN $2 IS NULL THEN ignore_until ELSE now() + $4 * interval '1 day' END,
                        ignore_occurrences = CASE WHEN $2 IS NULL THEN ignore_occurrences ELSE $5 END,
                        ignore_hosts = CASE WHEN $2 IS NULL THEN ignore_hosts ELSE $6 END,
                        owner = coalesce($7, owner), known_fix = coalesce($8, known_fix), changed_at = now(),
                        resolved_in_build = CASE WHEN $2 IS NULL THEN resolved_in_build ELSE coalesce($9, '') END,
                        fixed_in = coalesce($10, fixed_in), fix_url = coalesce($11, fix_url)
                 WHERE issue = $1",
            )
            .await?;
        let state = change.state.map(State::name);
        transaction
            .execute(
                &update,
                &[
                    &issue,
                    &state,
                    &change.resolved_in,
                    &change.ignore_days.map(f64::from),
                    &change.ignore_occurrences.map(i64::from),
                    &change.ignore_hosts.map(i64::from),
                    &change.owner,
                    &change.known_fix,
                    &change.resolved_in_build,
                    &change.fixed_in,
                    &change.fix_url,
                ],
            )
            .await?;
        // Invariant: a change is made of texts and numbers, which JSON has.
        let said = serde_json::to_value(change).unwrap_or_default();
        transaction
            .execute(
                "INSERT INTO triage_history (issue, who, change) VALUES ($1, $2, $3::jsonb - 'who')",
                &[&issue, &change.who, &said],
            )
            .await?;
        transaction.commit().await?;
        Ok(true)
    }
}

/// Has an issue be split, or put together again; its records are moved later.
async fn set_split(transaction: &Transaction<'_>, issue: Uuid, split: bool) -> Result<(), StoreError> {
    let set = transaction
        .execute(
            "UPDATE triage SET regroup = regroup OR split <> $2, split = $2
             WHERE issue = $1 AND split_from IS NULL AND merged_into IS NULL",
            &[&issue, &split],
        )
        .await?;
    if set == 0 {
        let what = "split: an issue that was neither split from another nor merged into one";
        return Err(StoreError::InvalidChange(what.to_owned()));
    }
    Ok(())
}
