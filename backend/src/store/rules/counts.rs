//! What was counted of records, moved with them: taken from where it was and added where it is now.

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use uuid::Uuid;

use super::{
    super::{StoreError, rows::Level, time::Micros},
    moving::Moved,
};

/// What records add to a fingerprint of a host.
struct Sum<'a> {
    level: Level,
    issue: Uuid,
    class: &'a str,
    title: &'a str,
    severity: i16,
    first: Micros,
    last: Micros,
    records: i64,
}

/// Moves what is in `fingerprints`.
pub(super) async fn fingerprints(transaction: &Transaction<'_>, moved: &[Moved]) -> Result<(), StoreError> {
    let mut taken: BTreeMap<(Uuid, Uuid), i64> = BTreeMap::new();
    let mut given: BTreeMap<(Uuid, Uuid), Sum<'_>> = BTreeMap::new();
    for moved in moved {
        let (pair, now) = (&moved.pair, &moved.pair.becomes);
        for fingerprint in &pair.was.fingerprints {
            *taken.entry((pair.agent_id, *fingerprint)).or_default() += 1;
        }
        for level in &now.levels {
            let sum = Sum {
                level: *level,
                // As in counting: what is split has records of its own, too.
                issue: if level.fingerprint == now.coarse {
                    level.fingerprint
                } else {
                    moved.issue
                },
                class: &now.class,
                title: &now.title,
                severity: now.severity,
                first: pair.received_at,
                last: pair.received_at,
                records: 1,
            };
            given
                .entry((pair.agent_id, level.fingerprint))
                .and_modify(|known| known.add(&sum))
                .or_insert(sum);
        }
    }
    lock(transaction, &taken, &given).await?;
    let (keys, records): (Vec<_>, Vec<i64>) = taken.into_iter().unzip();
    let (agents, values): (Vec<Uuid>, Vec<Uuid>) = keys.into_iter().unzip();
    transaction
        .execute(
            "UPDATE fingerprints f SET occurrences = greatest(f.occurrences - n.records, 0)
             FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS n(agent_id, fingerprint, records)
             WHERE f.agent_id = n.agent_id AND f.fingerprint = n.fingerprint",
            &[&agents, &values, &records],
        )
        .await?;
    give(transaction, given).await
}

impl Sum<'_> {
    fn add(&mut self, more: &Self) {
        if more.last >= self.last {
            (self.class, self.title, self.last) = (more.class, more.title, more.last);
        }
        self.first = self.first.min(more.first);
        self.severity = self.severity.max(more.severity);
        self.records += more.records;
    }
}

/// Locks the rows in the order in which those who count lock them.
async fn lock(
    transaction: &Transaction<'_>,
    taken: &BTreeMap<(Uuid, Uuid), i64>,
    given: &BTreeMap<(Uuid, Uuid), Sum<'_>>,
) -> Result<(), StoreError> {
    let keys = taken.keys().chain(given.keys()).copied();
    let (agents, values): (Vec<Uuid>, Vec<Uuid>) = keys.unzip();
    transaction
        .execute(
            "SELECT FROM fingerprints f
             WHERE EXISTS (SELECT FROM unnest($1::uuid[], $2::uuid[]) AS n(agent_id, fingerprint)
                           WHERE n.agent_id = f.agent_id AND n.fingerprint = f.fingerprint)
             ORDER BY f.agent_id, f.fingerprint FOR UPDATE",
            &[&agents, &values],
        )
        .await?;
    Ok(())
}

async fn give(
    transaction: &Transaction<'_>,
    given: BTreeMap<(Uuid, Uuid), Sum<'_>>,
) -> Result<(), StoreError> {
    let add = transaction
        .prepare_cached(
            "INSERT INTO fingerprints AS f (agent_id, fingerprint, level, version, issue, class, title, severity, first_seen,
                                            last_seen, occurrences)
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::bigint[], $5::uuid[], $6::text[], $7::text[],
                                  $8::smallint[], $9::timestamptz[], $10::timestamptz[], $11::bigint[])
             ON CONFLICT (agent_id, fingerprint) DO UPDATE
             SET class = CASE WHEN excluded.last_seen >= f.last_seen THEN excluded.class ELSE f.class END,
                 title = CASE WHEN excluded.last_seen >= f.last_seen THEN excluded.title ELSE f.title END,
                 severity = greatest(f.severity, excluded.severity), issue = excluded.issue,
                 first_seen = least(f.first_seen, excluded.first_seen),
                 last_seen = greatest(f.last_seen, excluded.last_seen),
                 occurrences = f.occurrences + excluded.occurrences",
        )
        .await?;
    let (keys, sums): (Vec<_>, Vec<Sum<'_>>) = given.into_iter().unzip();
    let (agents, values): (Vec<Uuid>, Vec<Uuid>) = keys.into_iter().unzip();
    transaction
        .execute(
            &add,
            &[
                &agents,
                &values,
                &sums.iter().map(|sum| sum.level.number).collect::<Vec<_>>(),
                &sums.iter().map(|sum| sum.level.version).collect::<Vec<_>>(),
                &sums.iter().map(|sum| sum.issue).collect::<Vec<_>>(),
                &sums.iter().map(|sum| sum.class).collect::<Vec<_>>(),
                &sums.iter().map(|sum| sum.title).collect::<Vec<_>>(),
                &sums.iter().map(|sum| sum.severity).collect::<Vec<_>>(),
                &sums.iter().map(|sum| sum.first).collect::<Vec<_>>(),
                &sums.iter().map(|sum| sum.last).collect::<Vec<_>>(),
                &sums.iter().map(|sum| sum.records).collect::<Vec<_>>(),
            ],
        )
        .await?;
    Ok(())
}

/// Moves what is in `rollups` and `rollups_daily` of records that are of another class or severity now.
pub(super) async fn rollups(transaction: &Transaction<'_>, moved: &[Moved]) -> Result<(), StoreError> {
    let mut sums: BTreeMap<(Uuid, Micros, &str, &str, i16), i64> = BTreeMap::new();
    for moved in moved {
        let pair = &moved.pair;
        let mut add = |class, severity, records| {
            let hour = pair.received_at.hour();
            let key = (pair.agent_id, hour, class, &*pair.kernel_release, severity);
            *sums.entry(key).or_default() += records;
        };
        add(&pair.was.class, pair.was.severity, -1);
        add(&pair.becomes.class, pair.becomes.severity, 1);
    }
    sums.retain(|_, records| *records != 0);
    if sums.is_empty() {
        return Ok(());
    }
    let keys = || sums.keys();
    let (agents, hours): (Vec<Uuid>, Vec<Micros>) = keys().map(|key| (key.0, key.1)).unzip();
    let (classes, releases): (Vec<&str>, Vec<&str>) = keys().map(|key| (key.2, key.3)).unzip();
    let severities: Vec<i16> = keys().map(|key| key.4).collect();
    let records: Vec<i64> = sums.values().copied().collect();
    for (table, since) in [("rollups_daily", "day"), ("rollups", "hour")] {
        let add = format!(
            "INSERT INTO {table} AS r (agent_id, {since}, class, kernel_release, severity, records)
             SELECT agent_id, date_trunc('{since}', hour, 'UTC'), class, kernel_release, severity, sum(records)
             FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::smallint[], $6::bigint[])
                 AS n(agent_id, hour, class, kernel_release, severity, records)
             GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
             ON CONFLICT (agent_id, {since}, class, kernel_release, severity)
             DO UPDATE SET records = greatest(r.records + excluded.records, 0)"
        );
        let arrays: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&agents, &hours, &classes, &releases, &severities, &records];
        transaction.execute(&add, &arrays).await?;
        let empty = format!(
            "DELETE FROM {table} r USING unnest($1::uuid[], $2::timestamptz[]) AS n(agent_id, hour)
             WHERE r.agent_id = n.agent_id AND r.{since} = date_trunc('{since}', n.hour, 'UTC') AND r.records <= 0"
        );
        transaction.execute(&empty, &arrays[..2]).await?;
    }
    Ok(())
}

/// Agent, day, kernel release, the issue that it was and the one that it is.
type Sighting<'a> = (Uuid, Micros, &'a str, Uuid, Uuid);

/// Moves what is in `sightings`. A record does not say in which build it was: that in which most of its issue were that day.
pub(super) async fn sightings(transaction: &Transaction<'_>, moved: &[Moved]) -> Result<(), StoreError> {
    let mut sums: BTreeMap<Sighting<'_>, (Micros, i64)> = BTreeMap::new();
    for moved in moved {
        let (pair, day) = (&moved.pair, moved.pair.received_at.day());
        let key = (
            pair.agent_id,
            day,
            &*pair.kernel_release,
            pair.was.issue,
            moved.issue,
        );
        let (first, records) = sums.entry(key).or_insert((pair.received_at, 0));
        *first = pair.received_at.min(*first);
        *records += 1;
    }
    let move_them = transaction
        .prepare_cached(
            "WITH moved AS (
                 SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::uuid[], $5::uuid[], $6::timestamptz[],
                                      $7::bigint[]) AS n(agent_id, day, kernel_release, was, becomes, first_at, records)
             ), place AS (
                 SELECT DISTINCT ON (s.agent_id, s.day, s.kernel_release, s.issue)
                        s.agent_id, s.day, s.kernel_release, s.issue, s.os_build, s.product
                 FROM sightings s
                 JOIN moved n ON n.agent_id = s.agent_id AND n.day = s.day AND n.kernel_release = s.kernel_release
                              AND n.was = s.issue
                 ORDER BY s.agent_id, s.day, s.kernel_release, s.issue, s.records DESC
             ), taken AS (
                 UPDATE sightings s SET records = greatest(s.records - n.records, 0)
                 FROM place p, (SELECT agent_id, day, kernel_release, was, sum(records) AS records
                                FROM moved GROUP BY 1, 2, 3, 4) n
                 WHERE n.agent_id = p.agent_id AND n.day = p.day AND n.kernel_release = p.kernel_release
                   AND n.was = p.issue AND s.agent_id = p.agent_id AND s.day = p.day
                   AND s.kernel_release = p.kernel_release AND s.issue = p.issue AND s.os_build = p.os_build
                   AND s.product = p.product
             )
             INSERT INTO sightings AS s (agent_id, day, issue, os_build, kernel_release, product, first_at, records)
             SELECT n.agent_id, n.day, n.becomes, p.os_build, n.kernel_release, p.product, min(n.first_at), sum(n.records)
             FROM moved n JOIN place p ON p.agent_id = n.agent_id AND p.day = n.day
                                       AND p.kernel_release = n.kernel_release AND p.issue = n.was
             GROUP BY n.agent_id, n.day, n.becomes, p.os_build, n.kernel_release, p.product
             ORDER BY 1, 2, 3, 4, 5, 6
             ON CONFLICT (agent_id, day, issue, os_build, kernel_release, product)
             DO UPDATE SET first_at = least(s.first_at, excluded.first_at), records = s.records + excluded.records",
        )
        .await?;
    let keys = || sums.keys();
    transaction
        .execute(
            &move_them,
            &[
                &keys().map(|key| key.0).collect::<Vec<Uuid>>(),
                &keys().map(|key| key.1).collect::<Vec<Micros>>(),
                &keys().map(|key| key.2).collect::<Vec<&str>>(),
                &keys().map(|key| key.3).collect::<Vec<Uuid>>(),
                &keys().map(|key| key.4).collect::<Vec<Uuid>>(),
                &sums.values().map(|sum| sum.0).collect::<Vec<Micros>>(),
                &sums.values().map(|sum| sum.1).collect::<Vec<i64>>(),
            ],
        )
        .await?;
    Ok(())
}
