//! The records of a fleet that was made up: of each host its last heartbeat, and the newest faults. They are counted already.

use prost::Message as _;
use proto::v1::{Record, record::Payload};
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

use super::{
    super::{StoreError, hooks::hooks_missing, id, time::Micros},
    FleetTables,
};

/// Days whose faults are stored, as far back as the pages count. Those before are in the sums only, as if they had been given up.
const FAULT_DAYS: i32 = 7;
/// Faults that are stored, the newest: more tell nothing new, and would take longer than all else.
const FAULTS: i64 = 5000;
/// Heartbeats that are written at once; one has some kilobytes.
const BEATS: usize = 5000;

/// Rows of `records`, as columns.
#[derive(Debug, Default)]
struct Rows {
    id: Vec<Uuid>,
    agent_id: Vec<Uuid>,
    received_at: Vec<Micros>,
    occurred_at: Vec<Option<Micros>>,
    class: Vec<String>,
    severity: Vec<i32>,
    title: Vec<String>,
    kernel_release: Vec<String>,
    /// None: it is a heartbeat.
    issue: Vec<Option<Uuid>>,
    record: Vec<Vec<u8>>,
}

/// Stores them, each host's in an epoch of its own.
pub(super) async fn write(transaction: &Transaction<'_>, fleet: &FleetTables) -> Result<(), StoreError> {
    faults(transaction, fleet).await?;
    if !fleet.beats.is_empty() {
        heartbeats(transaction, fleet).await?;
    }
    transaction
        .batch_execute(
            "INSERT INTO senders (agent_id, epoch, stored_seq, stored_at, records)
             SELECT agent_id, epoch, count(*), max(received_at), count(*) FROM records GROUP BY 1, 2;
             INSERT INTO counted (agent_id, epoch, seq, at)
             SELECT agent_id, epoch, stored_seq, stored_at FROM senders",
        )
        .await?;
    Ok(())
}

async fn faults(transaction: &Transaction<'_>, fleet: &FleetTables) -> Result<(), StoreError> {
    let newest = transaction
        .query(
            "SELECT s.agent_id, s.first_at, s.issue, n.number, f.kernel_number, b.boot_id, b.began, b.ended
             FROM sightings s JOIN named n ON pg_temp.issue(n.number) = s.issue
             JOIN fleet f ON pg_temp.host(f.number) = s.agent_id
             -- What tells how a boot ended comes when the next has begun.
             JOIN LATERAL (SELECT * FROM booted b WHERE b.number = f.number AND b.began < s.first_at
                           ORDER BY b.began DESC LIMIT 1) b ON true
             WHERE s.day >= pg_temp.day($1::int - $2::int, $1) ORDER BY s.day DESC, s.agent_id, s.issue LIMIT $3",
            &[&fleet.days, &FAULT_DAYS, &FAULTS],
        )
        .await?;
    let mut rows = Rows::default();
    for row in newest {
        let (number, kernel): (i32, i32) = (row.get(3), row.get(4));
        let place = |number: i32| usize::try_from(number).ok();
        let reports = place(kernel).and_then(|kernel| fleet.reports.get(kernel));
        let report = reports.and_then(|reports| reports.get(place(number - 1)?));
        let mut record = Record {
            boot_id: row.get(5),
            ..report.cloned().unwrap_or_default()
        };
        let received: Micros = row.get(1);
        let mut at = received;
        if let Some(Payload::Obituary(obituary)) = &mut record.payload {
            let (began, ended): (Micros, Micros) = (row.get(6), row.get(7));
            obituary.booted_at_unix_ns = began.unix_ns();
            obituary.last_alive_unix_ns = ended.unix_ns();
            at = ended;
        }
        record.occurred_at_unix_ns = at.unix_ns();
        rows.push(row.get(0), received, Some(row.get(2)), record);
    }
    rows.write(transaction).await
}

async fn heartbeats(transaction: &Transaction<'_>, fleet: &FleetTables) -> Result<(), StoreError> {
    let hosts = transaction.query(LAST_BEATS, &[&fleet.kernels]).await?;
    for hosts in hosts.chunks(BEATS) {
        let (mut rows, mut missing) = (Rows::default(), Vec::new());
        for row in hosts {
            let beat = LastBeat::of(row);
            let record = beat.record(fleet);
            if let Some(Payload::Heartbeat(beat)) = &record.payload {
                missing.push(hooks_missing(beat));
            }
            rows.push(beat.agent_id, beat.at, None, record);
        }
        let of_hosts = "UPDATE hosts h SET hooks_missing = m.missing FROM unnest($1::uuid[], $2::integer[]) AS m(agent_id, missing)
                        WHERE h.agent_id = m.agent_id";
        transaction.execute(of_hosts, &[&rows.agent_id, &missing]).await?;
        rows.write(transaction).await?;
    }
    for (rollups, unit) in [("rollups", "hour"), ("rollups_daily", "day")] {
        let sql = format!(
            "INSERT INTO {rollups} (agent_id, {unit}, class, kernel_release, severity, records)
             SELECT agent_id, date_trunc('{unit}', received_at, 'UTC'), class, kernel_release, severity, 1
             FROM records WHERE housekeeping"
        );
        transaction.execute(&sql, &[]).await?;
    }
    Ok(())
}

/// Of each made-up host its last heartbeat: [`LastBeat`]; `$1` are the kernels.
pub(super) const LAST_BEATS: &str =
    "SELECT h.agent_id, h.last_seen, h.boot_id, h.os_build, array_position($1::text[], h.kernel_release) - 1,
            substr(h.product, 7)::integer, extract(epoch FROM h.last_seen - b.first_beat_at)::bigint
     FROM hosts h JOIN boots b ON b.agent_id = h.agent_id AND b.boot_id = h.boot_id
     WHERE h.agent_version = 'simulated'";

/// When a host was heard last, and what it said.
#[derive(Clone, Debug)]
pub(super) struct LastBeat {
    pub(super) agent_id: Uuid,
    pub(super) at: Micros,
    boot_id: String,
    os_build: String,
    kernel: usize,
    model: usize,
    uptime_s: u64,
}

impl LastBeat {
    pub(super) fn of(row: &Row) -> Self {
        let place = |number: i32| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            agent_id: row.get(0),
            at: row.get(1),
            boot_id: row.get(2),
            os_build: row.get(3),
            kernel: place(row.get(4)),
            model: place(row.get(5)),
            uptime_s: u64::try_from(row.get::<_, i64>(6)).unwrap_or(0),
        }
    }

    /// It is heard again.
    pub(super) fn goes_on(&mut self, now: Micros) {
        self.uptime_s += u64::try_from(now.0 - self.at.0).unwrap_or(0) / 1_000_000;
        self.at = now;
    }

    pub(super) fn record(&self, fleet: &FleetTables) -> Record {
        let models = fleet.beats.len() / fleet.kernels.len().max(1);
        let beats = fleet.beats.chunks(models.max(1)).nth(self.kernel);
        let beat = beats.and_then(|beats| beats.get(self.model));
        let mut record = Record {
            boot_id: self.boot_id.clone(),
            occurred_at_unix_ns: self.at.unix_ns(),
            ..beat.cloned().unwrap_or_default()
        };
        if let Some(Payload::Heartbeat(beat)) = &mut record.payload {
            beat.os_build.clone_from(&self.os_build);
            beat.host_uptime_s = self.uptime_s;
            // It is started early in a boot.
            beat.agent_uptime_s = self.uptime_s.saturating_sub(20);
        }
        record
    }
}

impl Rows {
    fn push(&mut self, agent_id: Uuid, received_at: Micros, issue: Option<Uuid>, record: Record) {
        self.id.push(id::new(received_at, 0, fastrand::u64(..)));
        self.agent_id.push(agent_id);
        self.received_at.push(received_at);
        self.occurred_at
            .push(Micros::from_unix_ns(record.occurred_at_unix_ns));
        self.issue.push(issue);
        self.record.push(record.encode_to_vec());
        self.class.push(record.class);
        self.severity.push(record.severity);
        self.title.push(record.title);
        self.kernel_release.push(record.kernel_release);
    }

    /// Each goes behind those of its host that are there.
    async fn write(self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        transaction
            .execute(
                "INSERT INTO records (id, received_at, agent_id, epoch, seq, occurred_at, class, severity, housekeeping, title,
                                      kernel_release, issue, fingerprints, record)
                 SELECT r.id, r.received_at, r.agent_id, r.agent_id,
                        (SELECT count(*) FROM records k WHERE k.agent_id = r.agent_id)
                            + row_number() OVER (PARTITION BY r.agent_id ORDER BY r.received_at, r.id),
                        r.occurred_at, r.class, r.severity, r.issue IS NULL, r.title, r.kernel_release, r.issue,
                        array_remove(ARRAY[r.issue], NULL), r.record
                 FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::int[], $7::text[],
                             $8::text[], $9::uuid[], $10::bytea[])
                     AS r(id, agent_id, received_at, occurred_at, class, severity, title, kernel_release, issue, record)",
                &[
                    &self.id,
                    &self.agent_id,
                    &self.received_at,
                    &self.occurred_at,
                    &self.class,
                    &self.severity,
                    &self.title,
                    &self.kernel_release,
                    &self.issue,
                    &self.record,
                ],
            )
            .await?;
        Ok(())
    }
}
