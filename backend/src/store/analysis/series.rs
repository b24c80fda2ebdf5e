//! Groups of hosts, days, and lives.

use uuid::Uuid;

use super::{Dimension, Watch, count};
use crate::store::{Store, StoreError, filter::Parameters};

/// Groups that are told at most: those that were watched longest.
const GROUPS: i64 = 500;
/// Hosts whose lives are looked at at most.
const LIVES: i64 = 200_000;

/// Hosts of one build, kernel or model.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// What they have in common.
    pub name: String,
    /// How many were watched.
    pub hosts: u64,
    /// For how many hours together.
    pub hours: f64,
    /// Hosts that had a fault.
    pub affected: u64,
    /// Days on which a host had a fault, of all hosts.
    pub host_days: u64,
    /// The squares of these days of each host, summed up.
    pub squares: u64,
    /// Faults.
    pub records: u64,
}

/// Days one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Host-hours of each day, the oldest first.
    pub hours: Vec<f64>,
    /// Issues that were seen on these days.
    pub issues: Vec<SeriesOfIssue>,
}

/// How many hosts had an issue for the first time, ever, on each day.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesOfIssue {
    /// The issue.
    pub issue: Uuid,
    /// Its class.
    pub class: String,
    /// Its title.
    pub title: String,
    /// Hosts, day by day as in [`Series::hours`].
    pub hosts: Vec<u64>,
}

/// A host in a build, kernel or model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Life {
    /// Hours to its first fault, or for which it was watched without one.
    pub hours: f64,
    /// It had a fault.
    pub fault: bool,
}

impl Store {
    /// What groups of hosts had, and for how long they were watched.
    pub async fn groups(&self, by: Dimension, watch: &Watch) -> Result<Vec<Group>, StoreError> {
        watch.check()?;
        let column = by.column();
        let mut parameters = Parameters::default();
        let seen = watch.seen(&mut parameters);
        let since = watch.since(&mut parameters);
        let limit = parameters.bind(GROUPS);
        let sql = format!(
            "WITH told AS (
                 SELECT name, count(*) AS affected, sum(days)::bigint AS host_days, sum(days * days)::bigint AS squares,
                        sum(records)::bigint AS records
                 FROM (
                     SELECT {column} AS name, agent_id, count(DISTINCT day) AS days, sum(records) AS records
                     FROM ({seen}) seen GROUP BY 1, 2
                 ) hosts GROUP BY 1
             ), watched AS (
                 SELECT {column} AS name, count(DISTINCT agent_id) AS hosts, sum(seconds) / 3600 AS hours
                 FROM exposure_daily WHERE day >= {since} GROUP BY 1
             )
             SELECT w.name, w.hosts, w.hours, coalesce(t.affected, 0), coalesce(t.host_days, 0), coalesce(t.squares, 0),
                    coalesce(t.records, 0)
             FROM watched w LEFT JOIN told t ON t.name = w.name
             ORDER BY w.hours DESC, w.name LIMIT {limit}"
        );
        let client = self.client().await?;
        let statement = client.prepare_cached(&sql).await?;
        let rows = client.query(&statement, &parameters.values()).await?;
        let group = |row: &tokio_postgres::Row| Group {
            name: row.get(0),
            hosts: count(row.get(1)),
            hours: row.get(2),
            affected: count(row.get(3)),
            host_days: count(row.get(4)),
            squares: count(row.get(5)),
            records: count(row.get(6)),
        };
        Ok(rows.iter().map(group).collect())
    }

    /// How many hosts had each issue for the first time, day by day.
    pub async fn series(&self, watch: &Watch) -> Result<Series, StoreError> {
        watch.check()?;
        let client = self.client().await?;
        let mut parameters = Parameters::default();
        let since = watch.since(&mut parameters);
        let sql = format!(
            "SELECT coalesce(sum(e.seconds) / 3600, 0)::float8
             FROM generate_series({since}, now(), interval '1 day') AS d(day) LEFT JOIN exposure_daily e ON e.day = d.day
             GROUP BY d.day ORDER BY d.day"
        );
        let statement = client.prepare_cached(&sql).await?;
        let rows = client.query(&statement, &parameters.values()).await?;
        let hours: Vec<f64> = rows.iter().map(|row| row.get(0)).collect();

        let mut parameters = Parameters::default();
        let since = watch.since(&mut parameters);
        let of_issues = watch.of_issues(&mut parameters);
        // An issue that was split has no sightings where all that a host had of it is finer.
        let sql = format!(
            "SELECT issue, t.class, t.title, issues.places, issues.hosts
             FROM (
                 SELECT issue, array_agg(place ORDER BY place) AS places, array_agg(hosts ORDER BY place) AS hosts
                 FROM (
                     SELECT issue, count(*) AS hosts, floor(extract(epoch FROM first_seen - {since}) / 86400)::integer AS place
                     FROM (
                         SELECT f.agent_id, coalesce(t.merged_into, t.issue) AS issue, min(f.first_seen) AS first_seen
                         FROM fingerprints f JOIN triage t ON t.issue = f.fingerprint
                         WHERE {of_issues} AND EXISTS (
                             SELECT FROM sightings s
                             WHERE s.agent_id = f.agent_id AND s.issue = f.fingerprint AND s.day >= {since})
                         GROUP BY 1, 2
                     ) firsts WHERE first_seen >= {since} GROUP BY issue, place
                 ) days GROUP BY issue
             ) issues JOIN triage t USING (issue) ORDER BY issue"
        );
        let statement = client.prepare_cached(&sql).await?;
        let rows = client.query(&statement, &parameters.values()).await?;
        let of_issue = |row: &tokio_postgres::Row| {
            let (places, numbers): (Vec<i32>, Vec<i64>) = (row.get(3), row.get(4));
            let mut hosts = vec![0; hours.len()];
            for (place, number) in places.into_iter().zip(numbers) {
                let day = usize::try_from(place).ok().and_then(|place| hosts.get_mut(place));
                // A day that began between the two queries is not among them.
                if let Some(day) = day {
                    *day = count(number);
                }
            }
            SeriesOfIssue {
                issue: row.get(0),
                class: row.get(1),
                title: row.get(2),
                hosts,
            }
        };
        let issues = rows.iter().map(of_issue).collect();
        Ok(Series { hours, issues })
    }

    /// How long hosts of a build, kernel or model were without a fault.
    pub async fn lives(&self, by: Dimension, name: &str, watch: &Watch) -> Result<Vec<Life>, StoreError> {
        watch.check()?;
        if name.contains('\0') {
            return Err(StoreError::InvalidFilter("of has no NUL".to_owned()));
        }
        let column = by.column();
        let mut parameters = Parameters::default();
        let name = parameters.bind(name.to_owned());
        let seen = watch.seen(&mut parameters);
        let since = watch.since(&mut parameters);
        let limit = parameters.bind(LIVES);
        let sql = format!(
            "WITH firsts AS (
                 SELECT agent_id, min(day) AS day FROM ({seen}) seen WHERE {column} = {name} GROUP BY agent_id
             )
             SELECT coalesce(sum(e.seconds) FILTER (WHERE f.day IS NULL OR e.day <= f.day), 0)::float8 / 3600,
                    bool_or(f.day IS NOT NULL)
             FROM exposure_daily e LEFT JOIN firsts f ON f.agent_id = e.agent_id
             WHERE e.{column} = {name} AND e.day >= {since}
             GROUP BY e.agent_id ORDER BY e.agent_id LIMIT {limit}"
        );
        let client = self.client().await?;
        let statement = client.prepare_cached(&sql).await?;
        let rows = client.query(&statement, &parameters.values()).await?;
        let life = |row: &tokio_postgres::Row| Life {
            hours: row.get(0),
            fault: row.get(1),
        };
        Ok(rows.iter().map(life).collect())
    }
}
