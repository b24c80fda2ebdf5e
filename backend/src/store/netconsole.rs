//! What came by netconsole: whose lines they are, and records that give way to what the host itself tells.

use std::net::IpAddr;

use bytes::Bytes;
use deadpool_postgres::Transaction;
use prost::Message as _;
use proto::v1::{Batch, Host, Record};
use tokio_postgres::Row as SqlRow;
use uuid::Uuid;

use super::{DeliverError, Delivered, Sender, Store, StoreError, clean, count, plan::Plan, time::Micros};

/// Names agents of hosts that only netconsole has told of: the UUID (version 5) of this and their address.
const ADDRESSES: Uuid = Uuid::from_u128(0x6d1c_5f1e_0b52_4d4c_9d3c_1a7e_75c0_5011);
/// A sender without a token is the boot that last came from its address if the two began at the same time but for so
/// much, seconds: clocks drift, and the kernel's stands still in suspend.
const SAME_BOOT_S: f64 = 300.0;
/// Records of the host's own that are compared with one by netconsole.
const CANDIDATES: i64 = 512;
/// A host's own record is looked for from so long before the one by netconsole, microseconds.
const BEFORE_US: i64 = 300_000_000;
/// Records by netconsole that are looked at in one go.
const OPEN: i64 = 256;

/// Whose lines are whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The agent.
    pub agent_id: Uuid,
    /// The boot; empty: not known.
    pub boot_id: String,
    /// `uname -r` of that boot; empty: not known.
    pub kernel_release: String,
    /// An agent has told of this boot. False: a host of its own, by its address.
    pub is_known: bool,
}

/// A record by netconsole that the host's agent may yet tell.
#[derive(Clone, Debug)]
pub struct OpenRecord {
    agent_id: Uuid,
    epoch: Uuid,
    seq: i64,
    received_at: Micros,
    /// What was stored.
    pub record: Record,
}

impl Store {
    /// Whose the lines are that come from `source` with a token, or of a boot that began at `booted_at_unix_ns` (0: not
    /// known).
    pub async fn netconsole_owner(
        &self,
        source: IpAddr,
        token: Option<&str>,
        booted_at_unix_ns: u64,
    ) -> Result<Owner, StoreError> {
        let client = self.client().await?;
        let row = match (token, Micros::from_unix_ns(booted_at_unix_ns)) {
            (Some(token), _) => {
                let by_token = client
                    .prepare_cached(
                        "SELECT agent_id, boot_id, kernel_release FROM netconsole_boots
                         WHERE token = $1 ORDER BY first_seen LIMIT 1",
                    )
                    .await?;
                client.query_opt(&by_token, &[&token]).await?
            }
            (None, Some(booted_at)) => {
                let by_source = client
                    .prepare_cached(
                        "SELECT agent_id, boot_id, kernel_release FROM netconsole_boots
                         WHERE source = $1 AND abs(extract(epoch FROM booted_at - $2)::float8) < $3
                         ORDER BY heard_at DESC LIMIT 1",
                    )
                    .await?;
                client
                    .query_opt(&by_source, &[&source, &booted_at, &SAME_BOOT_S])
                    .await?
            }
            (None, None) => None,
        };
        Ok(row.map_or_else(
            || Owner::by_address(source),
            |row| Owner {
                agent_id: row.get(0),
                boot_id: row.get(1),
                kernel_release: row.get(2),
                is_known: true,
            },
        ))
    }

    /// Notes where lines with a token come from. False: no agent has told that token.
    pub async fn netconsole_claim(
        &self,
        token: &str,
        source: IpAddr,
        booted_at_unix_ns: u64,
    ) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let claim = client
            .prepare_cached(
                "UPDATE netconsole_boots SET source = $2, booted_at = $3, heard_at = now() WHERE token = $1",
            )
            .await?;
        let booted_at = Micros::from_unix_ns(booted_at_unix_ns);
        Ok(client.execute(&claim, &[&token, &source, &booted_at]).await? > 0)
    }

    /// Stores a record by netconsole under a sender of its own, whose epoch no one else uses.
    pub async fn netconsole_keep(
        &self,
        owner: &Owner,
        source: IpAddr,
        epoch: Uuid,
        record: &Record,
    ) -> Result<Delivered, DeliverError> {
        let sender = Sender {
            by_netconsole: true,
            ..Sender::new(owner.agent_id, epoch, &owner.kernel_release)
        };
        let host = (!owner.is_known).then(|| Host {
            hostname: source.to_string(),
            ..Host::default()
        });
        let first_seq = self.introduce(&sender, host.as_ref(), "").await? + 1;
        let records = vec![Bytes::from(record.encode_to_vec())];
        self.deliver(&sender, Batch { first_seq, records }).await
    }

    /// What an agent itself has told of a class, from a little before `since` on.
    pub async fn told_by_agent(
        &self,
        agent_id: Uuid,
        class: &str,
        since_unix_ns: u64,
    ) -> Result<Vec<Record>, StoreError> {
        let client = self.client().await?;
        let told = client
            .prepare_cached(
                "SELECT r.record FROM records r JOIN senders s ON s.agent_id = r.agent_id AND s.epoch = r.epoch
                 WHERE r.agent_id = $1 AND r.received_at >= $2 AND r.class = $3 AND NOT s.by_netconsole
                 ORDER BY r.received_at, r.id LIMIT $4",
            )
            .await?;
        let since = Micros::from_unix_ns(since_unix_ns).unwrap_or(Micros(0));
        let since = Micros(since.0.saturating_sub(BEFORE_US));
        let rows = client
            .query(&told, &[&agent_id, &since, &class, &CANDIDATES])
            .await?;
        Ok(rows.iter().filter_map(|row| decoded(row, 0)).collect())
    }

    /// Records by netconsole whose hosts have said something since they were last looked at. They are now.
    pub async fn netconsole_open(&self) -> Result<Vec<OpenRecord>, StoreError> {
        let client = self.client().await?;
        client
            .execute(
                "DELETE FROM netconsole_open WHERE received_at < now() - interval '14 days'",
                &[],
            )
            .await?;
        let open = client
            .prepare_cached(
                "WITH due AS (
                     SELECT o.agent_id, o.epoch, o.seq FROM netconsole_open o
                     JOIN hosts h ON h.agent_id = o.agent_id
                     WHERE h.last_seen > o.checked_at ORDER BY o.checked_at LIMIT $1
                 ), seen AS (
                     UPDATE netconsole_open o SET checked_at = now() FROM due
                     WHERE o.agent_id = due.agent_id AND o.epoch = due.epoch AND o.seq = due.seq
                     RETURNING o.agent_id, o.epoch, o.seq, o.received_at
                 )
                 SELECT seen.agent_id, seen.epoch, seen.seq, seen.received_at, r.record
                 FROM seen JOIN records r ON r.agent_id = seen.agent_id AND r.received_at = seen.received_at
                                         AND r.epoch = seen.epoch AND r.seq = seen.seq",
            )
            .await?;
        let rows = client.query(&open, &[&OPEN]).await?;
        let open = rows.iter().filter_map(|row| {
            Some(OpenRecord {
                agent_id: row.get(0),
                epoch: row.get(1),
                seq: row.get(2),
                received_at: row.get(3),
                record: decoded(row, 4)?,
            })
        });
        Ok(open.collect())
    }

    /// Takes a record by netconsole away that the host's agent has told itself. Its sequence is accounted for as `JOINED`.
    pub async fn netconsole_join(&self, open: &OpenRecord) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let close = transaction
            .prepare_cached("DELETE FROM netconsole_open WHERE agent_id = $1 AND epoch = $2 AND seq = $3")
            .await?;
        if transaction
            .execute(&close, &[&open.agent_id, &open.epoch, &open.seq])
            .await?
            == 0
        {
            // Another collector was faster.
            return Ok(());
        }
        forget(&transaction, open).await?;
        transaction.commit().await?;
        Ok(())
    }
}

impl OpenRecord {
    /// The agent of the host.
    pub fn agent_id(&self) -> Uuid {
        self.agent_id
    }

    /// When it was stored, nanoseconds since the Unix epoch.
    pub fn received_at_unix_ns(&self) -> u64 {
        self.received_at.unix_ns()
    }
}

impl Owner {
    fn by_address(source: IpAddr) -> Self {
        Self {
            agent_id: Uuid::new_v5(&ADDRESSES, source.to_canonical().to_string().as_bytes()),
            boot_id: String::new(),
            kernel_release: String::new(),
            is_known: false,
        }
    }
}

/// Notes the token that a host says its boot has.
pub(super) async fn boot(
    transaction: &Transaction<'_>,
    agent_id: Uuid,
    host: &Host,
) -> Result<(), DeliverError> {
    let insert = transaction
        .prepare_cached(
            "INSERT INTO netconsole_boots (agent_id, token, boot_id, kernel_release) VALUES ($1, $2, $3, $4)
             ON CONFLICT (agent_id, token) DO NOTHING",
        )
        .await?;
    let values = (
        clean(&host.netconsole_token),
        clean(&host.boot_id),
        clean(&host.kernel_release),
    );
    transaction
        .execute(&insert, &[&agent_id, &values.0, &values.1, &values.2])
        .await?;
    Ok(())
}

/// Notes records by netconsole that the host's agent may yet tell.
pub(super) async fn open(transaction: &Transaction<'_>, plan: &Plan<'_>) -> Result<(), StoreError> {
    for part in &plan.parts {
        let mark = &plan.marks[part.mark];
        if !mark.by_netconsole {
            continue;
        }
        let told = part.rows.iter().filter(|row| row.loss.is_none());
        let seqs: Vec<i64> = told.map(|row| row.seq).collect();
        let insert = transaction
            .prepare_cached(
                "INSERT INTO netconsole_open (agent_id, epoch, seq, received_at, checked_at)
                 SELECT $1, $2, seq, $4, $4 FROM unnest($3::bigint[]) AS seq",
            )
            .await?;
        transaction
            .execute(&insert, &[&mark.agent_id, &mark.epoch, &seqs, &mark.now])
            .await?;
    }
    Ok(())
}

/// Takes a record out of everything that it was added to.
async fn forget(transaction: &Transaction<'_>, open: &OpenRecord) -> Result<(), StoreError> {
    let OpenRecord {
        agent_id,
        epoch,
        seq,
        received_at,
        ..
    } = open;
    // What is taken out was counted.
    count::up_to_now(transaction, *agent_id, *epoch).await?;
    let forget = transaction
        .prepare_cached(
            "WITH gone AS (
                 DELETE FROM records WHERE agent_id = $1 AND received_at = $4 AND epoch = $2 AND seq = $3
                 RETURNING class, title, kernel_release, severity, fingerprints, issue
             ), unissued AS (
                 UPDATE triage t SET occurrences = t.occurrences - 1,
                        hour_occurrences = t.hour_occurrences - (t.hour = date_trunc('hour', $4::timestamptz, 'UTC'))::int,
                        hosts = t.hosts - (SELECT count(*) FROM fingerprints f
                                           WHERE f.agent_id = $1 AND f.fingerprint = t.issue AND f.occurrences <= 1)
                 FROM gone WHERE t.issue = gone.issue
             ), uncounted AS (
                 UPDATE rollups u SET records = u.records - 1 FROM gone
                 WHERE u.agent_id = $1 AND u.hour = date_trunc('hour', $4::timestamptz) AND u.class = gone.class
                   AND u.kernel_release = gone.kernel_release AND u.severity = gone.severity
             ), uncounted_daily AS (
                 UPDATE rollups_daily u SET records = u.records - 1 FROM gone
                 WHERE u.agent_id = $1 AND u.day = date_trunc('day', $4::timestamptz, 'UTC') AND u.class = gone.class
                   AND u.kernel_release = gone.kernel_release AND u.severity = gone.severity
             ), unsighted AS (
                 UPDATE sightings u SET records = u.records - 1
                 FROM (SELECT i.os_build, i.product, gone.issue, gone.kernel_release
                       FROM gone JOIN sightings i ON i.agent_id = $1 AND i.day = date_trunc('day', $4::timestamptz, 'UTC')
                            AND i.issue = gone.issue AND i.kernel_release = gone.kernel_release AND i.first_at <= $4
                       ORDER BY i.first_at DESC LIMIT 1) s
                 WHERE u.agent_id = $1 AND u.day = date_trunc('day', $4::timestamptz, 'UTC') AND u.issue = s.issue
                   AND u.kernel_release = s.kernel_release AND u.os_build = s.os_build AND u.product = s.product
             ), unstored AS (
                 UPDATE senders s SET records = s.records - 1 FROM gone WHERE s.agent_id = $1 AND s.epoch = $2
             ), ungrouped AS (
                 UPDATE fingerprints f SET occurrences = f.occurrences - 1 FROM gone
                 WHERE f.agent_id = $1 AND f.fingerprint = ANY (gone.fingerprints)
             )
             INSERT INTO losses (agent_id, epoch, seq, gap, reason, events, hook, class, title, received_at)
             SELECT $1, $2, $3, true, 'JOINED', 1, 'netconsole', class, title, now() FROM gone",
        )
        .await?;
    transaction
        .execute(&forget, &[agent_id, epoch, seq, received_at])
        .await?;
    for empty in [
        "DELETE FROM fingerprints WHERE agent_id = $1 AND occurrences <= 0",
        "DELETE FROM sightings WHERE agent_id = $1 AND records <= 0",
    ] {
        let empty = transaction.prepare_cached(empty).await?;
        transaction.execute(&empty, &[agent_id]).await?;
    }
    Ok(())
}

/// Only good records are stored, but another program may write to the database as well.
fn decoded(row: &SqlRow, column: usize) -> Option<Record> {
    Record::decode(row.get::<_, &[u8]>(column)).ok()
}
