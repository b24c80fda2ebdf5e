//! What hosts say of their hooks, by what they have in common.

use std::{collections::BTreeMap, pin::pin};

use futures::TryStreamExt as _;
use prost::Message as _;
use proto::v1::{Heartbeat, HookState, Record, record::Payload};
use tokio_postgres::types::ToSql;

use super::{
    Dimension, Store, StoreError,
    newest::{BEAT_HOURS, NEWEST_BEAT},
};

/// Hosts whose heartbeats are looked at, always the same ones: what was found must not end because others were looked at.
const HOSTS: i64 = 20_000;

/// What hosts with the same build, kernel or model say, by its name.
pub(crate) type HookSums = BTreeMap<String, HookGroup>;

/// Hosts that have something in common.
#[derive(Debug, Default)]
pub(crate) struct HookGroup {
    /// How many there are.
    pub(crate) hosts: u64,
    /// What they say of each hook, by its name.
    pub(crate) hooks: BTreeMap<String, HookSum>,
}

/// What hosts say of a hook.
#[derive(Debug, Default)]
pub(crate) struct HookSum {
    /// Hosts on which it is attached.
    pub(crate) attached: u64,
    /// Hosts on which it is not.
    pub(crate) missing: u64,
    /// Why not, with how many hosts say so.
    pub(crate) reasons: BTreeMap<String, u64>,
}

impl Store {
    /// Sums over the newest heartbeats of hosts that were heard within a day.
    pub(crate) async fn hook_sums(&self, by: Dimension) -> Result<HookSums, StoreError> {
        let client = self.client().await?;
        let column = by.column();
        // A host that runs another kernel since has told nothing of it yet.
        let same = match by {
            Dimension::Kernel => "WHERE r.kernel_release = h.kernel_release",
            Dimension::Build | Dimension::Model => "",
        };
        let statement = client
            .prepare_cached(&format!(
                "SELECT h.{column}, r.record FROM (
                     SELECT agent_id, {column} FROM hosts
                     WHERE last_seen > now() - make_interval(hours => $1) AND {column} <> '' ORDER BY agent_id LIMIT $2
                 ) h {NEWEST_BEAT} {same}"
            ))
            .await?;
        let parameters: [&(dyn ToSql + Sync); 2] = [&BEAT_HOURS, &HOSTS];
        let mut rows = pin!(client.query_raw(&statement, parameters).await?);
        let mut sums = HookSums::new();
        while let Some(row) = rows.try_next().await? {
            if let Ok(record) = Record::decode(row.get::<_, &[u8]>(1))
                && let Some(Payload::Heartbeat(beat)) = record.payload
            {
                sums.entry(row.get(0)).or_default().add(&beat.hooks);
            }
        }
        Ok(sums)
    }
}

/// Hooks that are not attached.
pub(super) fn hooks_missing(beat: &Heartbeat) -> i32 {
    let missing = beat.hooks.iter().filter(|hook| hook.attach.is_empty());
    i32::try_from(missing.count()).unwrap_or(i32::MAX)
}

impl HookGroup {
    /// Adds what one host says.
    pub(crate) fn add(&mut self, hooks: &[HookState]) {
        self.hosts += 1;
        for hook in hooks {
            let sum = self.hooks.entry(hook.name.clone()).or_default();
            if hook.attach.is_empty() {
                sum.missing += 1;
                *sum.reasons.entry(hook.reason.clone()).or_default() += 1;
            } else {
                sum.attached += 1;
            }
        }
    }
}
