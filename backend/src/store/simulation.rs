//! Fleets that were made up, written past the ingest path straight into the tables that the analysis reads.

mod live;
mod records;

pub use self::live::LiveFleet;

use std::time::Duration;

use proto::v1::Record;
use tokio_postgres::{Client, Transaction};

use super::{Store, StoreError, connect};

/// A fleet as numbers: hosts, models, kernels, days and issues from 0 on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FleetTables {
    /// Whole days that it was watched, the last of them yesterday.
    pub days: i32,
    /// Releases of kernels.
    pub kernels: Vec<String>,
    /// Hardware model of each host.
    pub model: Vec<i32>,
    /// Day on which each host went from build `A` to build `B`.
    pub upgraded: Vec<i32>,
    /// Kernel of each host.
    pub kernel: Vec<i32>,
    /// For how many days each host was watched; one more than `days`: it is to this day.
    pub watched: Vec<i32>,
    /// How many seconds before the end of its last day, or before now, each was last heard.
    pub last_heard_s: Vec<f64>,
    /// What hosts report that have an issue, from number 1 on, by their kernel.
    pub reports: Vec<Vec<Record>>,
    /// The last heartbeat of a host by its kernel, and for each of these by its model; empty: none is stored.
    pub beats: Vec<Record>,
    /// An issue that people held to be resolved in build `B`, and that was seen there; None: none.
    pub regressed: Option<i32>,
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

/// A host's agent id, an issue's fingerprint, and what is made up, as it is to be read.
const FUNCTIONS: &str = "
    CREATE FUNCTION pg_temp.host(number integer) RETURNS uuid IMMUTABLE LANGUAGE sql AS
        $$ SELECT md5('simulated host ' || number)::uuid $$;
    CREATE FUNCTION pg_temp.issue(number integer) RETURNS uuid IMMUTABLE LANGUAGE sql AS
        $$ SELECT lpad(to_hex(number), 32, '0')::uuid $$;
    CREATE FUNCTION pg_temp.day(number integer, days integer) RETURNS timestamptz STABLE LANGUAGE sql AS
        $$ SELECT date_trunc('day', now(), 'UTC') + (number - days) * interval '1 day' $$;
    -- Always the same time of a day.
    CREATE FUNCTION pg_temp.time(host integer, day integer, issue integer) RETURNS interval IMMUTABLE LANGUAGE sql AS
        $$ SELECT (1 + (hashtext(host || ' ' || day || ' ' || issue) & 65535)) * interval '1.3 seconds' $$;
    CREATE TEMPORARY TABLE named (number integer, class text, title text, severity smallint, version bigint) ON COMMIT DROP;
    CREATE TEMPORARY TABLE fleet (number integer, model integer, upgraded integer, kernel_number integer, kernel text,
                                  hostname text, watched integer, heard timestamptz) ON COMMIT DROP;
    CREATE TEMPORARY TABLE booted (number integer, began timestamptz, ended timestamptz, boot_id text) ON COMMIT DROP;
    CREATE TEMPORARY TABLE erring (host integer, module text, hour integer, errors bigint, spot text) ON COMMIT DROP;
    CREATE TEMPORARY TABLE seen (host integer, day integer, issue integer, records bigint) ON COMMIT DROP;";

/// The boots of each host: from the first day on, from its update on, and from each bad end on. It takes three minutes to start
/// again; its end is told then. `$1` are the days.
const BOOTS: &str = "
    INSERT INTO booted
    SELECT number, began, greatest(began, coalesce(lead(began - interval '3 minutes') OVER (PARTITION BY number ORDER BY began), heard)),
           md5('simulated boot ' || number || ' ' || row_number() OVER (PARTITION BY number ORDER BY began))::uuid::text
    FROM (SELECT number, pg_temp.day(0, $1) AS began, heard FROM fleet
          UNION SELECT number, pg_temp.day(upgraded, $1), heard FROM fleet
          UNION SELECT host, pg_temp.day(day, $1) + pg_temp.time(host, day, issue), heard
                FROM seen JOIN fleet ON fleet.number = host JOIN named ON named.number = issue AND class = 'boot.end') b
    WHERE began < heard";

/// People held an issue to be resolved the day before it was seen in build `B`. `$1` is the issue.
const REGRESSED: [&str; 2] = [
    "UPDATE triage SET state = 'regressed', resolved_in_build = 'B', changed_at = seen.at
     FROM (SELECT min(first_at) AS at FROM sightings WHERE issue = pg_temp.issue($1) AND os_build = 'B') seen
     WHERE issue = pg_temp.issue($1) AND seen.at IS NOT NULL",
    "INSERT INTO triage_history (issue, id, at, who, change)
     SELECT issue, gen_random_uuid(), changed_at + after, who, change
     FROM triage, (VALUES (interval '-1 day', 'simulated', '{\"state\": \"resolved\", \"resolved_in_build\": \"B\", \"note\": \"Build B has the mended driver.\"}'::jsonb),
                          (interval '0', 'collector', '{\"state\": \"regressed\"}')) AS h(after, who, change)
     WHERE issue = pg_temp.issue($1) AND state = 'regressed'",
];

/// From the temporary tables into those of the store; `$1` are the days.
const FILL: [&str; 13] = [
    "INSERT INTO hosts (agent_id, hostname, os_id, os_build, kernel_release, kernel_version, arch, cpu_model, cpus,
                        memory_bytes, product, board, bios, boot_id, agent_version, first_seen, last_seen, privacy)
     SELECT pg_temp.host(number), hostname, 'simulated', CASE WHEN upgraded < $1 THEN 'B' ELSE 'A' END,
            kernel, '', 'x86_64', 'CPU of model ' || model, 8, 1::bigint << 34, 'model ' || model, '', 'bios ' || model,
            (SELECT boot_id FROM booted b WHERE b.number = fleet.number ORDER BY began DESC LIMIT 1), 'simulated', pg_temp.day(0, $1), heard,
            '{mac hash,ip hash,user hash,file replace,cmdline replace,email hash,serial hash}'
     FROM fleet",
    "INSERT INTO boots (agent_id, boot_id, kernel_release, first_beat_at, last_beat_at)
     SELECT pg_temp.host(number), boot_id, kernel, began, ended FROM fleet JOIN booted USING (number) WHERE $1 > 0",
    "INSERT INTO exposure (agent_id, hour, os_build, kernel_release, product, seconds)
     SELECT * FROM (
         SELECT pg_temp.host(number), pg_temp.day(day, $1), CASE WHEN day < upgraded THEN 'A' ELSE 'B' END, kernel,
                'model ' || model, least(extract(epoch FROM heard - pg_temp.day(day, $1)), 86400) AS seconds
         FROM fleet, generate_series(0, watched - 1) AS day
     ) watched WHERE seconds > 0",
    // Hosts of a fleet that was made up tell of a day at once.
    "INSERT INTO exposure_daily (agent_id, day, os_build, kernel_release, product, seconds)
     SELECT agent_id, hour, os_build, kernel_release, product, seconds FROM exposure WHERE $1 > 0",
    "INSERT INTO sightings (agent_id, day, issue, os_build, kernel_release, product, first_at, records)
     SELECT pg_temp.host(host), pg_temp.day(day, $1), pg_temp.issue(issue), CASE WHEN day < upgraded THEN 'A' ELSE 'B' END,
            kernel, 'model ' || model, pg_temp.day(day, $1) + pg_temp.time(host, day, issue), records
     FROM seen JOIN fleet ON number = host WHERE pg_temp.day(day, $1) + pg_temp.time(host, day, issue) <= heard",
    "INSERT INTO fingerprints (agent_id, fingerprint, level, version, issue, class, title, severity, first_seen, last_seen,
                               occurrences)
     SELECT s.agent_id, s.issue, 1, n.version, s.issue, n.class, n.title, n.severity, min(s.first_at), max(s.first_at),
            sum(s.records)
     FROM sightings s JOIN named n ON pg_temp.issue(n.number) = s.issue
     WHERE $1 > 0 GROUP BY s.agent_id, s.issue, n.version, n.class, n.title, n.severity",
    "INSERT INTO triage (issue, class, title, severity, first_seen, last_seen, occurrences, hosts)
     SELECT issue, max(class), max(title), max(severity), min(first_seen), max(last_seen), sum(occurrences), count(*)
     FROM fingerprints WHERE $1 > 0 GROUP BY issue",
    "INSERT INTO rollups_daily (agent_id, day, class, kernel_release, severity, records)
     SELECT s.agent_id, s.day, n.class, s.kernel_release, n.severity, sum(s.records)
     FROM sightings s JOIN named n ON pg_temp.issue(n.number) = s.issue WHERE $1 > 0 GROUP BY 1, 2, 3, 4, 5",
    "INSERT INTO rollups (agent_id, hour, class, kernel_release, severity, records)
     SELECT s.agent_id, date_trunc('hour', s.first_at, 'UTC'), n.class, s.kernel_release, n.severity, sum(s.records)
     FROM sightings s JOIN named n ON pg_temp.issue(n.number) = s.issue WHERE $1 > 0 GROUP BY 1, 2, 3, 4, 5",
    "INSERT INTO part_hours (agent_id, kind, part, hour, model, corrected, uncorrected, fatal, spots, stored_at)
     SELECT pg_temp.host(host), 'dimm', module, pg_temp.day(0, $1) + hour * interval '1 hour', '', sum(errors), 0, 0,
            array_agg(DISTINCT spot), now()
     FROM erring JOIN fleet ON number = host WHERE pg_temp.day(0, $1) + hour * interval '1 hour' <= heard
     GROUP BY host, module, hour",
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
     FROM fleet WHERE upgraded < $1 - 1 AND watched >= $1 AND number % 40 = 0",
];

/// The name of a host, which sorts as its number does.
pub fn simulated_host(number: i32) -> String {
    format!("simulated-{number:06}")
}

impl Store {
    /// Writes a fleet into a database without hosts and records. False: there are some, and nothing was written.
    pub async fn write_fleet(&self, fleet: &FleetTables) -> Result<bool, StoreError> {
        let mut client = self.patient().await?;
        let transaction = client.transaction().await?;
        transaction
            .batch_execute("LOCK TABLE hosts IN EXCLUSIVE MODE")
            .await?;
        let in_use = "SELECT EXISTS (SELECT FROM hosts) OR EXISTS (SELECT FROM records)";
        if transaction.query_one(in_use, &[]).await?.get(0) {
            return Ok(false);
        }
        transaction.batch_execute(FUNCTIONS).await?;
        let numbers: Vec<i32> = (0..).take(fleet.model.len()).collect();
        let names: Vec<String> = numbers.iter().map(|number| simulated_host(*number)).collect();
        transaction
            .execute(
                "INSERT INTO fleet
                 SELECT number, model, upgraded, kernel, ($5::text[])[kernel + 1], hostname, watched,
                        least(pg_temp.day(watched, $8), now()) - make_interval(secs => last_heard_s)
                 FROM unnest($1::int[], $2::int[], $3::int[], $4::int[], $6::text[], $7::int[], $9::float8[])
                     AS f(number, model, upgraded, kernel, hostname, watched, last_heard_s)",
                &[
                    &numbers,
                    &fleet.model,
                    &fleet.upgraded,
                    &fleet.kernel,
                    &fleet.kernels,
                    &names,
                    &fleet.watched,
                    &fleet.days,
                    &fleet.last_heard_s,
                ],
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
        name_issues(&transaction, fleet.reports.first().map_or(&[], Vec::as_slice)).await?;
        for fill in [BOOTS].into_iter().chain(FILL) {
            transaction.execute(fill, &[&fleet.days]).await?;
        }
        if let Some(issue) = fleet.regressed {
            for sql in REGRESSED {
                transaction.execute(sql, &[&issue]).await?;
            }
        }
        records::write(&transaction, fleet).await?;
        transaction.commit().await?;
        client
            .batch_execute(
                "ANALYZE hosts; ANALYZE exposure; ANALYZE exposure_daily; ANALYZE sightings; ANALYZE fingerprints; ANALYZE triage; ANALYZE rollups;
                 ANALYZE rollups_daily; ANALYZE records; ANALYZE boots",
            )
            .await?;
        Ok(true)
    }

    /// Takes a fleet out again. Only for a database that [`Store::write_fleet`] found empty: it clears the tables.
    pub async fn clear_fleet(&self) -> Result<(), StoreError> {
        let client = self.patient().await?;
        client
            .batch_execute(
                "TRUNCATE hosts, exposure, exposure_daily, sightings, fingerprints, triage, triage_history, part_hours, parts, population, updates, rollups, rollups_daily,
                          records, senders, counted, boots;
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

async fn name_issues(transaction: &Transaction<'_>, reports: &[Record]) -> Result<(), StoreError> {
    let numbers: Vec<i32> = (1..).take(reports.len()).collect();
    let classes: Vec<&str> = reports.iter().map(|report| report.class.as_str()).collect();
    let titles: Vec<&str> = reports.iter().map(|report| report.title.as_str()).collect();
    let severities: Vec<i32> = reports.iter().map(|report| report.severity).collect();
    let version = i64::from(faults::fingerprint::VERSION);
    transaction
        .execute(
            "INSERT INTO named SELECT *, $5 FROM unnest($1::int[], $2::text[], $3::text[], $4::int[])",
            &[&numbers, &classes, &titles, &severities, &version],
        )
        .await?;
    Ok(())
}
