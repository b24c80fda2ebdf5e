//! Regrouping: when the rules that records are grouped by have changed, records of older ones are read again and moved to the
//! issues that they make now.
//!
//! The version of the rules is part of every fingerprint, so each issue is of one version, and one that is of an older version is
//! due. Its records are moved a few at a time, with all that was counted of them: a collector that ends in between leaves the rest to
//! the next. The issue is then merged into its successor, which takes over what people decided. So its address stays good, and what
//! agents with older rules still send of it is shown where it belongs at once, and moved soon after.

mod counts;
mod moving;
mod preview;
mod read;
mod succession;

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use tokio::time::sleep;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use preview::{Preview, PreviewedIssue, PreviewedPart};

use super::{
    Store, StoreError, chain, connect,
    deliver::{ATTEMPTS, pause},
};
use crate::{
    metrics::Metrics,
    record::rules::{Rules, RunningRules},
};

/// How often it is looked whether issues are of older rules: agents that are updated after their collector send such for days.
const EVERY: Duration = Duration::from_mins(10);
/// Held by who regroups; goes with the connection. "regroup1" in ASCII.
const LOCK: i64 = 0x7265_6772_6f75_7031;
/// Issues of older rules, but for those that belong to a split one. `$1` is the version of the present ones; 0 is a fingerprint that
/// says of no rules that they made it.
const DUE: &str = "
    SELECT t.issue FROM triage t
    WHERE (SELECT f.version FROM fingerprints f WHERE f.fingerprint = t.issue LIMIT 1) BETWEEN 1 AND $1::bigint - 1
      AND NOT EXISTS (SELECT FROM triage c JOIN fingerprints f ON f.fingerprint = c.issue WHERE c.issue = t.split_from)
    ORDER BY t.issue";
/// The issue `$1` with those that were split from it.
const FAMILY: &str = "ARRAY(SELECT issue FROM triage WHERE issue = $1 OR split_from = $1)";

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Regrouped {
    /// Issues of older rules that are still to be done.
    pub issues_left: u64,
    /// Issues that are done.
    pub issues: u64,
    /// Records that were moved.
    pub records: u64,
}

impl Store {
    /// Moves what is grouped by older rules than those of this program, until `shutdown`.
    pub async fn keep_to_the_rules(&self, metrics: &Metrics, shutdown: &CancellationToken) {
        while shutdown.run_until_cancelled(sleep(EVERY)).await.is_some() {
            let tell = |so_far| metrics.regrouped(so_far);
            let regroup = self.regroup_by(Arc::new(RunningRules), &tell);
            match shutdown.run_until_cancelled(regroup).await {
                Some(Ok(Some(done))) if done.issues > 0 => {
                    let (issues, records) = (done.issues, done.records);
                    tracing::info!(issues, records, "issues were regrouped by newer rules");
                }
                Some(Err(error)) => {
                    tracing::warn!(error = %chain(&error), "issues could not be regrouped by newer rules, trying again later");
                }
                _ => {}
            }
        }
    }

    /// Moves all that is grouped by older rules than these, and tells how far it is after each few records. `None`: somebody else is
    /// at it.
    pub async fn regroup_by(
        &self,
        rules: Arc<dyn Rules>,
        tell: &(dyn Fn(Regrouped) + Sync),
    ) -> Result<Option<Regrouped>, StoreError> {
        let holder = connect::single(&self.config).await?;
        let lock = "SELECT pg_try_advisory_lock($1)";
        if !holder.query_one(lock, &[&LOCK]).await?.get::<_, bool>(0) {
            return Ok(None);
        }
        let done = self.regroup_due(&holder, &rules, tell).await;
        // Also where it failed, the connection's end would do it, but some time later.
        holder.execute("SELECT pg_advisory_unlock($1)", &[&LOCK]).await?;
        done.map(Some)
    }

    async fn regroup_due(
        &self,
        holder: &Client,
        rules: &Arc<dyn Rules>,
        tell: &(dyn Fn(Regrouped) + Sync),
    ) -> Result<Regrouped, StoreError> {
        let due = due(holder, rules.version()).await?;
        let mut so_far = Regrouped {
            issues_left: due.len() as u64,
            ..Regrouped::default()
        };
        tell(so_far);
        if !due.is_empty() {
            // What is moved was counted where it is.
            self.count_everything().await?;
        }
        for issue in due {
            let mut attempt = 0;
            loop {
                match self.move_on(issue, rules).await {
                    Ok(0) => break,
                    Ok(moved) => so_far.records += moved,
                    Err(error) => lost(error, &mut attempt).await?,
                }
                tell(so_far);
            }
            while let Err(error) = self.succeed(issue, &**rules).await {
                lost(error, &mut attempt).await?;
            }
            so_far.issues += 1;
            so_far.issues_left -= 1;
            tell(so_far);
        }
        Ok(so_far)
    }
}

/// Waits before a transaction that lost against another is repeated. The error: it failed otherwise, or has lost too often.
async fn lost(error: StoreError, attempts: &mut u32) -> Result<(), StoreError> {
    *attempts += 1;
    if !error.is_conflict() || *attempts >= ATTEMPTS {
        return Err(error);
    }
    pause(*attempts).await;
    Ok(())
}

async fn due(client: &Client, version: u32) -> Result<Vec<Uuid>, StoreError> {
    let rows = client.query(DUE, &[&i64::from(version)]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
