//! Issues that count for another: people merged them, or records are grouped by newer rules. Their addresses lead to the other.

use deadpool_postgres::Transaction;
use serde_json::json;
use uuid::Uuid;

use super::{
    super::{Store, StoreError, count, filter},
    IssueChange,
};

/// Merged issues that are told of.
const MERGED: i64 = 100;
/// The issues of older rules that `$1` has succeeded: they go with it.
const EARLIER: &str = "WITH RECURSIVE earlier AS (
    SELECT was FROM regrouped WHERE becomes = $1 AND successor
    UNION SELECT r.was FROM regrouped r JOIN earlier e ON r.becomes = e.was WHERE r.successor
)";

/// An issue that people merged into another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedIssue {
    /// Its fingerprint.
    pub issue: Uuid,
    /// Title of its latest record.
    pub title: String,
    /// Its records.
    pub records: u64,
}

/// The issue that one, a parameter, counts for: another, or itself.
pub(in super::super) fn shown(issue: &str) -> String {
    format!("coalesce((SELECT merged_into FROM triage WHERE issue = {issue}), {issue})")
}

impl Store {
    /// The issue that one counts for: another, or itself, also where it is not known.
    pub(crate) async fn counts_for(&self, issue: Uuid) -> Result<Uuid, StoreError> {
        let client = self.client().await?;
        let shown = client
            .prepare_cached(&format!("SELECT {}", shown("$1::uuid")))
            .await?;
        Ok(client.query_one(&shown, &[&issue]).await?.get(0))
    }

    /// The same of an issue that is known, by its 32 hexadecimal digits.
    pub async fn known_issue(&self, issue: &str) -> Result<Option<Uuid>, StoreError> {
        let issue = filter::issue_id(issue)?;
        let client = self.client().await?;
        let known = client
            .prepare_cached("SELECT coalesce(merged_into, issue) FROM triage WHERE issue = $1")
            .await?;
        let row = client.query_opt(&known, &[&issue]).await?;
        Ok(row.map(|row| row.get(0)))
    }

    /// What people merged into an issue, and can take apart again; the latest first.
    pub async fn merged_issues(&self, issue: Uuid) -> Result<Vec<MergedIssue>, StoreError> {
        let client = self.client().await?;
        let merged = client
            .prepare_cached(
                "SELECT t.issue, t.title, t.occurrences FROM triage t
                 WHERE t.merged_into = $1 AND NOT EXISTS (SELECT FROM regrouped r WHERE r.was = t.issue AND r.successor)
                 ORDER BY t.last_seen DESC, t.issue LIMIT $2",
            )
            .await?;
        let rows = client.query(&merged, &[&issue, &MERGED]).await?;
        let merged = rows.iter().map(|row| MergedIssue {
            issue: row.get(0),
            title: row.get(1),
            records: count(row.get(2)),
        });
        Ok(merged.collect())
    }
}

/// What an issue is to count for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    Itself,
    Another(Uuid),
}

impl Target {
    /// As a change has it: empty, it stands for itself again.
    pub(super) fn new(merged_into: &str) -> Result<Self, StoreError> {
        if merged_into.is_empty() {
            return Ok(Self::Itself);
        }
        let wrong = |_no_digits| StoreError::InvalidChange("merged_into: 32 hexadecimal digits".to_owned());
        filter::issue_id(merged_into).map(Self::Another).map_err(wrong)
    }

    fn another(self) -> Option<Uuid> {
        match self {
            Self::Itself => None,
            Self::Another(issue) => Some(issue),
        }
    }
}

/// The issue that a change of one is of: itself where `into` says what becomes of it, or else the one that it counts for. None: there is
/// no such issue. Nobody else changes it meanwhile, nor what it is merged into: two that merge both into each other come one after the other.
pub(super) async fn changed(
    transaction: &Transaction<'_>,
    issue: Uuid,
    into: Option<Target>,
) -> Result<Option<Uuid>, StoreError> {
    let of = if into.is_some() {
        "$1".to_owned()
    } else {
        shown("$1")
    };
    let lock = format!(
        "SELECT issue, issue = {of} FROM triage WHERE issue IN ({of}, coalesce($2::uuid, $1)) ORDER BY issue FOR UPDATE"
    );
    let locked = transaction
        .query(&lock, &[&issue, &into.and_then(Target::another)])
        .await?;
    let changed = locked.iter().find(|row| row.get(1));
    Ok(changed.map(|row| row.get(0)))
}

/// Has an issue count for another, or for itself again, and notes that in the history of those that it counted for and counts for.
/// Nothing is merged into what is merged itself.
pub(super) async fn merge(
    transaction: &Transaction<'_>,
    issue: Uuid,
    into: Target,
    change: &IssueChange,
) -> Result<(), StoreError> {
    let into = into.another();
    let was: Option<Uuid> = transaction
        .query_one("SELECT merged_into FROM triage WHERE issue = $1", &[&issue])
        .await?
        .get(0);
    if was == into {
        let what = "merged_into: it counts for that already";
        return Err(StoreError::InvalidChange(what.to_owned()));
    }
    let merged = transaction
        .execute(
            &format!(
                "{EARLIER} UPDATE triage SET merged_into = $2
                 WHERE issue = $1 AND ($2::uuid IS NULL
                     OR (EXISTS (SELECT FROM triage t WHERE t.issue = $2 AND t.issue <> $1 AND t.merged_into IS NULL)
                         AND NOT EXISTS (SELECT FROM triage t WHERE t.merged_into = $1
                                         AND t.issue NOT IN (SELECT was FROM earlier))))"
            ),
            &[&issue, &into],
        )
        .await?;
    if merged == 0 {
        let what = "merged_into: another issue that is there and not merged itself, for one that nothing is merged into";
        return Err(StoreError::InvalidChange(what.to_owned()));
    }
    let follow = format!(
        "{EARLIER} UPDATE triage SET merged_into = coalesce($2::uuid, $1)
         WHERE issue IN (SELECT was FROM earlier) AND issue <> coalesce($2, $1)"
    );
    transaction.execute(&follow, &[&issue, &into]).await?;
    for (other, what) in [(was, "parted"), (into, "merged")] {
        let Some(other) = other else { continue };
        let said = json!({ what: issue.simple().to_string(), "note": change.note });
        transaction
            .execute(
                "INSERT INTO triage_history (issue, who, change) VALUES ($1, $2, jsonb_strip_nulls($3))",
                &[&other, &change.who, &said],
            )
            .await?;
    }
    Ok(())
}
