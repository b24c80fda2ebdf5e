//! Fleets that were made up, written past the ingest path straight into the tables that the analysis reads.

use std::time::Duration;

use tokio_postgres::Client;

use super::{Store, StoreError, connect};

/// A fleet as numbers: hosts, models, days and issues from 0 on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetTables {
    /// Days that it was watched, the last of them yesterday.
    pub days: i32,
    /// Hardware model of each host.
    pub model: Vec<i32>,
    /// Day on which each host went from build `A` to build `B`.
    pub upgraded: Vec<i32>,
    /// Class and title of each issue, from number 1 on.
    pub issues: Vec<(&'static str, &'static str)>,
    /// Sightings as columns: the host,
    pub host: Vec<i32>,
    /// the day,
    pub day: Vec<i32>,
    /// the issue,
    pub issue: Vec<i32>,
    /// and how many records.
    pub records: Vec<i64>,
    /// Corrected errors of memory modules by the hour, as columns: the host,
    pub module_host: Vec<i32>,
    /// the module,
    pub module: Vec<String>,
    /// the hour,
    pub module_hour: Vec<i32>,
    /// how many,
    pub module_errors: Vec<i64>,
    /// and where in the module, as text of [`crate::record::part::Spot`].
    pub module_spot: Vec<String>,
}

/// How long writing or clearing may take.
const WITHIN: Duration = Duration::from_mins(30);

/// A host's agent id and an issue's fingerprint.
const FUNCTIONS: &str = "
    CREATE FUNCTION pg_temp.host(number integer) RETURNS uuid IMMUTABLE LANGUAGE sql AS
        $$ SELECT md5('simulated host ' || number)::uuid $$;
    CREATE FUNCTION pg_temp.issue(number integer) RETURNS uuid IMMUTABLE LANGUAGE sql AS
        $$ SELECT lpad(to_hex(number), 32, '0')::uuid $$;
    CREATE FUNCTION pg_temp.day(number integer, days integer) RETURNS timestamptz STABLE LANGUAGE sql AS
        $$ SELECT date_trunc('day', now(), 'UTC') + (number - days) * interval '1 day' $$;
    CREATE TEMPORARY TABLE named (number integer, class text, title text, version bigint) ON COMMIT DROP;
    CREATE TEMPORARY TABLE fleet (number integer, model integer, upgraded integer) ON COMMIT DROP;
    CREATE TEMPORARY TABLE erring (host integer, module text, hour integer, errors bigint, spot text) ON COMMIT DROP;
    CREATE TEMPORARY TABLE seen (host integer, day integer, issue integer, records bigint) ON COMMIT DROP;";

/// From the temporary tables into those of the store; `$1` are the days.
const FILL: [&str; 9] = [
    "INSERT INTO hosts (agent_id, hostname, os_id, os_build, kernel_release, kernel_version, arch, cpu_model, cpus,
                        memory_bytes, product, board, bios, boot_id, agent_version)
     SELECT pg_temp.host(number), 'simulated-' || number, 'simulated', CASE WHEN upgraded < $1 THEN 'B' ELSE 'A' END,
            '6.1.0-simulated', '', 'x86_64', '', 8, 1::bigint << 34, 'model ' || model, '', 'bios ' || model, '', 'simulated'
     FROM fleet",
    "INSERT INTO exposure (agent_id, hour, os_build, kernel_release, product, seconds)
     SELECT pg_temp.host(number), pg_temp.day(day, $1), CASE WHEN day < upgraded THEN 'A' ELSE 'B' END, '6.1.0-simulated',
            'model ' || model, 86400
     FROM fleet, generate_series(0, $1 - 1) AS day",
    "INSERT INTO sightings (agent_id, day, issue, os_build, kernel_release, product, first_at, records)
     SELECT pg_temp.host(host), pg_temp.day(day, $1), pg_temp.issue(issue), CASE WHEN day < upgraded THEN 'A' ELSE 'B' END,
            '6.1.0-simulated', 'model ' || model, pg_temp.day(day, $1) + interval '30 minutes', records
     FROM seen JOIN fleet ON number = host",
    "INSERT INTO fingerprints (agent_id, fingerprint, level, version, issue, class, title, severity, first_seen, last_seen,
                               occurrences)
     SELECT s.agent_id, s.issue, 1, n.version, s.issue, n.class, n.title, 3, min(s.first_at), max(s.first_at), sum(s.records)
     FROM sightings s JOIN named n ON pg_temp.issue(n.number) = s.issue
     WHERE $1 > 0 GROUP BY s.agent_id, s.issue, n.version, n.class, n.title",
    "INSERT INTO triage (issue, class, title, severity, first_seen, last_seen, occurrences, hosts)
     SELECT issue, max(class), max(title), max(severity), min(first_seen), max(last_seen), sum(occurrences), count(*)
     FROM fingerprints WHERE $1 > 0 GROUP BY issue",
    "INSERT INTO part_hours (agent_id, kind, part, hour, model, corrected, uncorrected, fatal, spots, stored_at)
     SELECT pg_temp.host(host), 'dimm', module, pg_temp.day(0, $1) + hour * interval '1 hour', '', sum(errors), 0, 0,
            array_agg(DISTINCT spot), now()
     FROM erring GROUP BY host, module, hour",
    "INSERT INTO updates (agent_id, at, from_build, to_build, outcome)
     SELECT pg_temp.host(number), pg_temp.day(upgraded, $1) + n.after * interval '1 minute', 'A', 'B', n.outcome
     FROM fleet, (VALUES (0, 'succeeded'), (5, 'runs')) AS n(after, outcome) WHERE upgraded < $1",
    // One in thirty fails the day before, and succeeds when it is tried again.
    "INSERT INTO updates (agent_id, at, from_build, to_build, outcome)
     SELECT pg_temp.host(number), pg_temp.day(upgraded - 1, $1), 'A', 'B', 'failed'
     FROM fleet WHERE upgraded BETWEEN 1 AND $1 AND number % 30 = 0",
    // One in forty tried the next build, which installs nowhere yet.
    "INSERT INTO updates (agent_id, at, from_build, to_build, outcome)
     SELECT pg_temp.host(number), pg_temp.day($1 - 1, $1), 'B', 'C', 'failed'
     FROM fleet WHERE upgraded < $1 - 1 AND number % 40 = 0",
];

impl Store {
    /// Writes a fleet into a database without hosts. False: there are hosts, and nothing was written.
    pub async fn write_fleet(&self, fleet: &FleetTables) -> Result<bool, StoreError> {
        let mut client = self.patient().await?;
        let transaction = client.transaction().await?;
        transaction
            .batch_execute("LOCK TABLE hosts IN EXCLUSIVE MODE")
            .await?;
        if transaction
            .query_opt("SELECT FROM hosts LIMIT 1", &[])
            .await?
            .is_some()
        {
            return Ok(false);
        }
        transaction.batch_execute(FUNCTIONS).await?;
        let numbers: Vec<i32> = (0..).take(fleet.model.len()).collect();
        transaction
            .execute(
                "INSERT INTO fleet SELECT * FROM unnest($1::int[], $2::int[], $3::int[])",
                &[&numbers, &fleet.model, &fleet.upgraded],
            )
            .await?;
        transaction
            .execute(
                "INSERT INTO seen SELECT * FROM unnest($1::int[], $2::int[], $3::int[], $4::bigint[])",
                &[&fleet.host, &fleet.day, &fleet.issue, &fleet.records],
            )
            .await?;
        transaction
            .execute(
                "INSERT INTO erring SELECT * FROM unnest($1::int[], $2::text[], $3::int[], $4::bigint[], $5::text[])",
                &[
                    &fleet.module_host,
                    &fleet.module,
                    &fleet.module_hour,
                    &fleet.module_errors,
                    &fleet.module_spot,
                ],
            )
            .await?;
        let (classes, titles): (Vec<&str>, Vec<&str>) = fleet.issues.iter().copied().unzip();
        let numbers: Vec<i32> = (1..).take(titles.len()).collect();
        transaction
            .execute(
                "INSERT INTO named SELECT *, $4 FROM unnest($1::int[], $2::text[], $3::text[])",
                &[
                    &numbers,
                    &classes,
                    &titles,
                    &i64::from(faults::fingerprint::VERSION),
                ],
            )
            .await?;
        for fill in FILL {
            transaction.execute(fill, &[&fleet.days]).await?;
        }
        transaction.commit().await?;
        client
            .batch_execute(
                "ANALYZE hosts; ANALYZE exposure; ANALYZE sightings; ANALYZE fingerprints; ANALYZE triage",
            )
            .await?;
        Ok(true)
    }

    /// Takes a fleet out again. Only for a database that [`Store::write_fleet`] found empty: it clears the tables.
    pub async fn clear_fleet(&self) -> Result<(), StoreError> {
        let client = self.patient().await?;
        client
            .batch_execute(
                "TRUNCATE hosts, exposure, sightings, fingerprints, triage, part_hours, parts, population, updates;
                 UPDATE part_work SET scored_to = '-infinity'",
            )
            .await?;
        Ok(())
    }

    async fn patient(&self) -> Result<Client, StoreError> {
        let client = connect::single(&self.config).await?;
        let limit = format!("SET statement_timeout = '{}s'", WITHIN.as_secs());
        client.batch_execute(&limit).await?;
        Ok(client)
    }
}
