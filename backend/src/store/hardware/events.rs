//! What hardware told, by week, and the hosts of which it told most.

use tokio_postgres::Client;
use uuid::Uuid;

use crate::store::{Store, StoreError, count};

/// Weeks that are looked back, with this one.
pub const WEEKS: u32 = 53;
/// Days in which hosts had most.
pub const MOST_DAYS: u32 = 28;
/// Hosts that are told.
const HOSTS: i64 = 10;
/// How classes of hardware begin, as the index has it.
const OF_HARDWARE: &str = "class ^@ 'hardware.'";

/// Records of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HardwareClass {
    /// The class.
    pub class: String,
    /// How many.
    pub records: u64,
    /// Hosts that sent them.
    pub hosts: u64,
    /// Weeks with some, each by its Monday (UTC) such as 2026-01-05, and how many.
    pub weeks: Vec<(String, u64)>,
}

/// A host with many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HardwareHost {
    /// Its agent.
    pub agent_id: Uuid,
    /// Its name.
    pub hostname: String,
    /// Records.
    pub records: u64,
    /// How many of each class, the most first.
    pub classes: Vec<(String, u64)>,
    /// How many in each build that it ran, the most first. Records that no issue groups are in none.
    pub builds: Vec<(String, u64)>,
}

impl Store {
    /// The classes of what hardware told, those with most records first.
    pub async fn hardware_classes(&self) -> Result<Vec<HardwareClass>, StoreError> {
        let client = self.client().await?;
        let sql = format!(
            "SELECT class, to_char(date_trunc('week', day, 'UTC') AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS week,
                    sum(records)::bigint, count(DISTINCT agent_id)
             FROM rollups_daily
             WHERE {OF_HARDWARE} AND day >= date_trunc('week', now(), 'UTC') - make_interval(weeks => $1 - 1)
             GROUP BY GROUPING SETS ((1), (1, 2)) ORDER BY 1, 2 NULLS FIRST"
        );
        let statement = client.prepare_cached(&sql).await?;
        let mut classes: Vec<HardwareClass> = Vec::new();
        for row in client
            .query(&statement, &[&i32::try_from(WEEKS).unwrap_or(0)])
            .await?
        {
            let (week, records): (Option<String>, u64) = (row.get(1), count(row.get(2)));
            match (week, classes.last_mut()) {
                (Some(week), Some(class)) => class.weeks.push((week, records)),
                // The sum of a class comes before its weeks.
                _ => classes.push(HardwareClass {
                    class: row.get(0),
                    records,
                    hosts: count(row.get(3)),
                    weeks: Vec::new(),
                }),
            }
        }
        classes.sort_by_key(|class| std::cmp::Reverse(class.records));
        Ok(classes)
    }

    /// The hosts of which hardware told most in the last [`MOST_DAYS`] days.
    pub async fn hardware_hosts(&self) -> Result<Vec<HardwareHost>, StoreError> {
        let client = self.client().await?;
        let since = format!("date_trunc('day', now(), 'UTC') - interval '{MOST_DAYS} days'");
        let sql = format!(
            "SELECT r.agent_id, coalesce(h.hostname, ''), r.records
             FROM (SELECT agent_id, sum(records)::bigint AS records FROM rollups_daily
                   WHERE {OF_HARDWARE} AND day > {since} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT $1) r
             LEFT JOIN hosts h USING (agent_id) ORDER BY 3 DESC, 1"
        );
        let statement = client.prepare_cached(&sql).await?;
        let rows = client.query(&statement, &[&HOSTS]).await?;
        let mut hosts: Vec<HardwareHost> = rows
            .iter()
            .map(|row| HardwareHost {
                agent_id: row.get(0),
                hostname: row.get(1),
                records: count(row.get(2)),
                classes: Vec::new(),
                builds: Vec::new(),
            })
            .collect();
        let classes = format!(
            "SELECT agent_id, class, sum(records)::bigint FROM rollups_daily
             WHERE agent_id = ANY ($1) AND {OF_HARDWARE} AND day > {since} GROUP BY 1, 2 ORDER BY 3 DESC, 2"
        );
        add_sums(&client, &classes, &mut hosts, |host| &mut host.classes).await?;
        let builds = format!(
            "SELECT s.agent_id, s.os_build, sum(s.records)::bigint FROM sightings s JOIN triage t USING (issue)
             WHERE s.agent_id = ANY ($1) AND t.{OF_HARDWARE} AND s.day > {since} GROUP BY 1, 2 ORDER BY 3 DESC, 2"
        );
        add_sums(&client, &builds, &mut hosts, |host| &mut host.builds).await?;
        Ok(hosts)
    }
}

/// Adds what the query sums up of these hosts, by host and name.
async fn add_sums(
    client: &Client,
    sql: &str,
    hosts: &mut [HardwareHost],
    sums: impl Fn(&mut HardwareHost) -> &mut Vec<(String, u64)>,
) -> Result<(), StoreError> {
    let agents: Vec<Uuid> = hosts.iter().map(|host| host.agent_id).collect();
    for row in client.query(sql, &[&agents]).await? {
        let agent_id: Uuid = row.get(0);
        if let Some(host) = hosts.iter_mut().find(|host| host.agent_id == agent_id) {
            sums(host).push((row.get(1), count(row.get(2))));
        }
    }
    Ok(())
}
