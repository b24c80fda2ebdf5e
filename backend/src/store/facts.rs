//! Summaries for people: what can be filtered by, and what is known about a fingerprint.

use std::time::SystemTime;

use ::filter::Field;
use deadpool_postgres::Object;
use proto::v1::{FingerprintLevel, Severity};

use super::{Store, StoreError, clean, filter, time::Micros};

/// The values that the list of faults can be filtered by, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facets {
    /// Classes of stored records.
    pub classes: Vec<String>,
    /// Host names, at most 1000.
    pub hosts: Vec<String>,
    /// Kernel releases of stored records.
    pub kernel_releases: Vec<String>,
}

/// What is known about all records with one fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FingerprintFacts {
    /// The fingerprint, 32 lower-case hexadecimal digits.
    pub fingerprint: String,
    /// How specific it is.
    pub level: FingerprintLevel,
    /// Class of the latest record.
    pub class: String,
    /// Title of the latest record.
    pub title: String,
    /// The worst severity seen.
    pub severity: Severity,
    /// When the first such record was stored.
    pub first_seen: SystemTime,
    /// When the latest such record was stored.
    pub last_seen: SystemTime,
    /// How many such records were stored.
    pub count: u64,
    /// How many hosts sent them.
    pub host_count: u64,
    /// Names of the hosts that sent the most, at most 20.
    pub hosts: Vec<HostCount>,
}

/// How often one host sent something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCount {
    /// Host name; the agent id where the host did not tell it.
    pub host: String,
    /// How many records.
    pub count: u64,
}

/// Host names that are offered to choose from.
const HOSTS: i64 = 200;
/// Hosts that are named for a fingerprint.
const TOP_HOSTS: i64 = 20;

/// The values of a column of `rollups_daily`, which outlive records: from one to the next along its index, rather than through every row.
async fn distinct(client: &Object, column: &str) -> Result<Vec<String>, StoreError> {
    let sql = format!(
        "WITH RECURSIVE known AS (
             (SELECT {column} AS value FROM rollups_daily ORDER BY {column} LIMIT 1)
             UNION ALL
             SELECT (SELECT {column} FROM rollups_daily WHERE {column} > known.value ORDER BY {column} LIMIT 1)
             FROM known WHERE known.value IS NOT NULL
         )
         SELECT value FROM known WHERE value <> ''"
    );
    let statement = client.prepare_cached(&sql).await?;
    let rows = client.query(&statement, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The table and column that a field is about; `None`: it is about records.
fn column_of(field: Field) -> Option<(&'static str, &'static str)> {
    let of_hosts = |column| Some(("hosts", column));
    match field {
        Field::Class | Field::Kernel => None,
        Field::Host => of_hosts("hostname"),
        Field::Build => of_hosts("os_build"),
        Field::Model => of_hosts("product"),
        Field::Os => of_hosts("os_id"),
        Field::Arch => of_hosts("arch"),
        Field::Cpu => of_hosts("cpu_model"),
        Field::Bios => of_hosts("bios"),
        Field::Owner => Some(("triage", "owner")),
    }
}

impl Store {
    /// The values that the list can be filtered by.
    pub async fn facets(&self) -> Result<Facets, StoreError> {
        let client = self.client().await?;
        let hosts = client
            .prepare_cached(
                "SELECT DISTINCT hostname FROM hosts WHERE hostname <> '' ORDER BY hostname LIMIT $1",
            )
            .await?;
        Ok(Facets {
            classes: distinct(&client, "class").await?,
            hosts: client
                .query(&hosts, &[&HOSTS])
                .await?
                .iter()
                .map(|row| row.get(0))
                .collect(),
            kernel_releases: distinct(&client, "kernel_release").await?,
        })
    }

    /// Up to `limit` values of a field that are known and begin so, sorted.
    pub async fn known_values(
        &self,
        field: Field,
        beginning: &str,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let client = self.client().await?;
        let mut values = match column_of(field) {
            Some((table, column)) => {
                let values = client
                    .prepare_cached(&format!(
                        "SELECT DISTINCT {column} FROM {table} WHERE {column} ^@ $1 ORDER BY 1 LIMIT $2"
                    ))
                    .await?;
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                let rows = client.query(&values, &[&clean(beginning), &limit]).await?;
                rows.iter().map(|row| row.get(0)).collect()
            }
            None if field == Field::Class => distinct(&client, "class").await?,
            None => distinct(&client, "kernel_release").await?,
        };
        values.retain(|value: &String| !value.is_empty() && value.starts_with(beginning));
        values.truncate(limit);
        Ok(values)
    }

    /// What is known about all records with this fingerprint (32 hexadecimal digits, of any level).
    pub async fn fingerprint_facts(&self, fingerprint: &str) -> Result<Option<FingerprintFacts>, StoreError> {
        let value = filter::fingerprint(fingerprint)?;
        let client = self.client().await?;
        let facts = client
            .prepare_cached(
                "SELECT (array_agg(level))[1],
                        (array_agg(class ORDER BY last_seen DESC))[1],
                        (array_agg(title ORDER BY last_seen DESC))[1],
                        max(severity), min(first_seen), max(last_seen), sum(occurrences)::bigint, count(*)
                 FROM fingerprints WHERE fingerprint = $1
                 HAVING count(*) > 0",
            )
            .await?;
        let Some(row) = client.query_opt(&facts, &[&value]).await? else {
            return Ok(None);
        };
        let hosts = client
            .prepare_cached(
                "SELECT coalesce(nullif(h.hostname, ''), f.agent_id::text), f.occurrences
                 FROM fingerprints f LEFT JOIN hosts h ON h.agent_id = f.agent_id
                 WHERE f.fingerprint = $1
                 ORDER BY f.occurrences DESC, 1 LIMIT $2",
            )
            .await?;
        let hosts = client.query(&hosts, &[&value, &TOP_HOSTS]).await?;
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(Some(FingerprintFacts {
            fingerprint: value.simple().to_string(),
            level: FingerprintLevel::try_from(i32::from(row.get::<_, i16>(0))).unwrap_or_default(),
            class: row.get(1),
            title: row.get(2),
            severity: Severity::try_from(i32::from(row.get::<_, i16>(3))).unwrap_or_default(),
            first_seen: row.get::<_, Micros>(4).system_time(),
            last_seen: row.get::<_, Micros>(5).system_time(),
            count: count(row.get(6)),
            host_count: count(row.get(7)),
            hosts: hosts
                .iter()
                .map(|row| HostCount {
                    host: row.get(0),
                    count: count(row.get(1)),
                })
                .collect(),
        }))
    }
}
