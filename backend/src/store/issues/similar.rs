//! Issues that may have to do with one another.

use proto::v1::Issue;
use uuid::Uuid;

use super::list::{ISSUE, issue as shown};
use crate::store::{Store, StoreError};

/// Issues that are told at most, those with the latest records.
const SIMILAR: i64 = 8;

/// The function that a title names: `f` of `KASAN: use-after-free Read in f`. Null: none. There is an index on it.
const FUNCTION: &str = "substring(title FROM ' in ([^ ]+)$')";

impl Store {
    /// Issues that may be the same fault as this one by another name, those with the latest records first and without their
    /// history: those whose title names the same function, and those that were split from the same issue. Of merged ones the one
    /// that they count for.
    pub async fn similar_issues(&self, issue: Uuid) -> Result<Vec<Issue>, StoreError> {
        let client = self.client().await?;
        let similar = client
            .prepare_cached(&format!(
                "WITH own AS (
                     SELECT issue, coalesce(split_from, issue) AS whole, {FUNCTION} AS function FROM triage WHERE issue = $1
                 ), found AS (
                     SELECT t.issue, t.merged_into, t.last_seen
                     FROM own JOIN triage t ON substring(t.title FROM ' in ([^ ]+)$') = own.function
                     UNION
                     SELECT t.issue, t.merged_into, t.last_seen FROM own JOIN triage t ON t.split_from = own.whole
                     UNION
                     SELECT t.issue, t.merged_into, t.last_seen FROM own JOIN triage t ON t.issue = own.whole
                 )
                 SELECT coalesce(merged_into, issue) FROM found WHERE coalesce(merged_into, issue) <> $1
                 GROUP BY 1 ORDER BY max(last_seen) DESC, 1 LIMIT $2"
            ))
            .await?;
        let rows = client.query(&similar, &[&issue, &SIMILAR]).await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let list = client
            .prepare_cached(&format!(
                "SELECT {ISSUE} FROM v_issues i WHERE i.issue = ANY ($1) ORDER BY i.last_seen DESC, i.issue"
            ))
            .await?;
        let rows = client.query(&list, &[&ids]).await?;
        Ok(rows.iter().map(shown).collect())
    }
}
