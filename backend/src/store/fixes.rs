//! What people say mends issues, for the hosts that have them.

use std::collections::HashMap;

use proto::{limits, v1::KnownFix};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Store, StoreError};

/// Issues that are told; those with the latest records.
const ISSUES: i64 = 10_000;
/// The issue of `t`, and what mends it or what it counts for; to be joined with `FROM triage t`.
const FIX: &str = "t.issue, t.title, m.known_fix, m.fixed_in, m.fix_url";
/// See [`FIX`].
const MERGED: &str = "JOIN triage m ON m.issue = coalesce(t.merged_into, t.issue)
                           AND (m.known_fix <> '' OR m.fixed_in <> '')";

impl Store {
    /// What mends which issue.
    pub async fn known_fixes(&self) -> Result<HashMap<Uuid, KnownFix>, StoreError> {
        let client = self.client().await?;
        let all = client
            .prepare_cached(&format!(
                "SELECT {FIX} FROM triage t {MERGED} ORDER BY t.last_seen DESC LIMIT $1"
            ))
            .await?;
        let rows = client.query(&all, &[&ISSUES]).await?;
        Ok(rows.iter().map(|row| (row.get(0), fix(row))).collect())
    }

    /// What mends the issues that a host had last, the latest last.
    pub async fn fixes_of_host(&self, agent_id: Uuid) -> Result<Vec<KnownFix>, StoreError> {
        let client = self.client().await?;
        let of_host = client
            .prepare_cached(&format!(
                "SELECT {FIX} FROM fingerprints f JOIN triage t ON t.issue = f.fingerprint {MERGED}
                 WHERE f.agent_id = $1 ORDER BY f.last_seen DESC LIMIT $2"
            ))
            .await?;
        // Invariant: the limit is a small number.
        let most = i64::try_from(limits::KNOWN_FIXES).unwrap_or_default();
        let rows = client.query(&of_host, &[&agent_id, &most]).await?;
        Ok(rows.iter().rev().map(fix).collect())
    }
}

fn fix(row: &Row) -> KnownFix {
    KnownFix {
        fingerprint: row.get::<_, Uuid>(0).simple().to_string(),
        title: row.get(1),
        text: row.get(2),
        fixed_in: row.get(3),
        url: row.get(4),
    }
}
