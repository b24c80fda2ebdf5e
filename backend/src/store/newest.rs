//! The newest records of many hosts or issues at once, each found by an index.

use std::collections::HashMap;

use prost::Message as _;
use proto::v1::Record;
use uuid::Uuid;

use super::{Store, StoreError, count};

/// Hosts whose heartbeats are looked at: the last that were heard. A heartbeat has some kilobytes.
const BEATS: i64 = 500;
/// Hours after which a heartbeat says nothing of what is watched now.
pub(super) const BEAT_HOURS: i32 = 24;
/// Joins the newest heartbeat `r` of each host `h` that sent one in `$1` hours.
pub(super) const NEWEST_BEAT: &str = "CROSS JOIN LATERAL (
    SELECT record, kernel_release FROM records
    WHERE agent_id = h.agent_id AND received_at > now() - make_interval(hours => $1) AND class = 'telemetry.heartbeat'
    ORDER BY received_at DESC, id DESC LIMIT 1
) r";

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

/// The newest heartbeats of hosts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beats {
    /// Those of the hosts that were heard last.
    pub beats: Vec<HostBeat>,
    /// Hosts that were heard within a day.
    pub hosts: u64,
}

impl Store {
    /// The newest heartbeat of each of the [`BEATS`] hosts that were heard last, of those that were heard within a day.
    pub async fn newest_beats(&self) -> Result<Beats, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(&format!(
                "SELECT h.agent_id, h.hostname, r.record FROM (
                     SELECT agent_id, hostname, last_seen FROM hosts WHERE last_seen > now() - make_interval(hours => $1)
                     ORDER BY last_seen DESC, agent_id LIMIT $2
                 ) h {NEWEST_BEAT} ORDER BY h.last_seen DESC, h.agent_id",
            ))
            .await?;
        let heard = client
            .prepare_cached("SELECT count(*) FROM hosts WHERE last_seen > now() - make_interval(hours => $1)")
            .await?;
        let rows = client.query(&statement, &[&BEAT_HOURS, &BEATS]).await?;
        let heard = client.query_one(&heard, &[&BEAT_HOURS]).await?;
        let beats = rows.iter().filter_map(|row| {
            Some(HostBeat {
                agent_id: row.get(0),
                hostname: row.get(1),
                record: Record::decode(row.get::<_, &[u8]>(2)).ok()?,
            })
        });
        Ok(Beats {
            beats: beats.collect(),
            hosts: count(heard.get(0)),
        })
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
