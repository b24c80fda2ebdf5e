//! The newest records of many hosts or issues at once, each found by an index.

use std::collections::{HashMap, HashSet};

use prost::Message as _;
use proto::v1::Record;
use uuid::Uuid;

use super::{Store, StoreError};

/// Heartbeats that are looked at: those of the last hosts heard. Each has some kilobytes.
const BEATS: i64 = 2000;
/// Hours after which a heartbeat says nothing of what is watched now.
const BEAT_HOURS: i32 = 24;

/// What a host said in its newest heartbeat.
#[derive(Clone, Debug, PartialEq)]
pub struct HostBeat {
    /// The host's agent.
    pub agent_id: Uuid,
    /// The host's name; empty: not known.
    pub hostname: String,
    /// The heartbeat.
    pub record: Record,
}

impl Store {
    /// The newest heartbeats of the hosts that were heard last, of the last [`BEATS`] that came within a day.
    pub async fn newest_beats(&self) -> Result<Vec<HostBeat>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT r.agent_id, coalesce(h.hostname, ''), r.record FROM (
                     SELECT agent_id, record, received_at, id FROM records
                     WHERE housekeeping AND class = 'telemetry.heartbeat' AND received_at > now() - make_interval(hours => $1)
                     ORDER BY received_at DESC, id DESC LIMIT $2
                 ) r LEFT JOIN hosts h ON h.agent_id = r.agent_id ORDER BY r.received_at DESC, r.id DESC",
            )
            .await?;
        let rows = client.query(&statement, &[&BEAT_HOURS, &BEATS]).await?;
        let mut seen = HashSet::new();
        let newest = rows.iter().filter(|row| seen.insert(row.get::<_, Uuid>(0)));
        Ok(newest
            .filter_map(|row| {
                Some(HostBeat {
                    agent_id: row.get(0),
                    hostname: row.get(1),
                    record: Record::decode(row.get::<_, &[u8]>(2)).ok()?,
                })
            })
            .collect())
    }

    /// The newest record of each of these issues that has one.
    pub async fn newest_records(&self, issues: &[Uuid]) -> Result<HashMap<Uuid, Record>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT i.issue, r.record FROM unnest($1::uuid[]) AS i(issue)
                 CROSS JOIN LATERAL (
                     SELECT record FROM records WHERE issue = i.issue ORDER BY received_at DESC, id DESC LIMIT 1
                 ) r",
            )
            .await?;
        let rows = client.query(&statement, &[&issues]).await?;
        let decoded = rows
            .iter()
            .filter_map(|row| Some((row.get(0), Record::decode(row.get::<_, &[u8]>(1)).ok()?)));
        Ok(decoded.collect())
    }
}
