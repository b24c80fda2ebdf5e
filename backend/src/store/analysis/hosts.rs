//! What hosts have in common, and which of them stand out.

use uuid::Uuid;

use super::{Watch, count};
use crate::store::{Store, StoreError, filter::Parameters};

/// Different facts that are looked at, those of most affected hosts first.
const FACTS: i64 = 1000;
/// Cells that are looked at, those that were watched longest first.
const CELLS: i64 = 200_000;

/// The facts of a host `w`, each once. Of modules those that are not the kernel's own.
const FACTS_OF_HOST: &str = "VALUES
         ('kernel', w.kernel_release), ('build', w.os_build), ('model', w.product), ('board', w.board),
         ('bios', concat_ws(' ', nullif(w.bios_vendor, ''), nullif(w.bios, ''), nullif(w.bios_date, ''))), ('cpu', w.cpu_model),
         ('stepping', w.cpu_family || '-' || w.cpu_number || '-' || w.cpu_stepping), ('microcode', w.microcode),
         ('arch', w.arch), ('os', w.os_id), ('hypervisor', w.hypervisor), ('cloud', w.cloud), ('chassis', w.chassis),
         ('memory_correction', w.memory_correction), ('command_line', w.command_line)
     UNION ALL
     SELECT 'module', concat_ws(' ', m.name, nullif(m.version, '')) FROM host_modules m WHERE m.agent_id = w.agent_id AND m.taint <> ''
     UNION ALL
     SELECT 'livepatch', livepatch FROM unnest(w.livepatches) AS livepatch
     UNION
     SELECT 'dimm', concat_ws(' ', nullif(d.manufacturer, ''), nullif(d.part_number, '')) FROM host_dimms d WHERE d.agent_id = w.agent_id";

/// A fact that hosts with an issue have.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// What kind of fact: "kernel", "build", "model", "board", "bios", "cpu", "stepping", "microcode", "dimm" and so on.
    pub key: String,
    /// What it is.
    pub value: String,
    /// Hosts that have it.
    pub hosts: u64,
    /// Of these, hosts that have the issue.
    pub affected: u64,
}

/// The facts of all hosts that were heard of in the time that is looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Hosts.
    pub hosts: u64,
    /// Of these, hosts that have the issue.
    pub affected: u64,
    /// Facts that at least one affected host has.
    pub facts: Vec<Fact>,
}

/// A host in one build on one hardware model.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The host.
    pub agent_id: Uuid,
    /// Its name.
    pub hostname: String,
    /// Hardware model.
    pub model: String,
    /// Build.
    pub build: String,
    /// For how many hours it was watched in it.
    pub hours: f64,
    /// Days on which an issue began in it: the host had it, and not the day before.
    pub beginnings: u64,
}

impl Store {
    /// What the hosts with an issue have in common.
    pub async fn facts_of(&self, issue: Uuid, watch: &Watch) -> Result<Facts, StoreError> {
        watch.check()?;
        let mut parameters = Parameters::default();
        let since = watch.since(&mut parameters);
        let seen = Watch {
            issue: Some(issue),
            min_severity: 1,
            ..watch.clone()
        };
        let seen = seen.seen(&mut parameters);
        let limit = parameters.bind(FACTS);
        let sql = format!(
            "WITH affected AS (SELECT DISTINCT agent_id FROM ({seen}) seen),
             watched AS MATERIALIZED (
                 SELECT h.*, a.agent_id IS NOT NULL AS affected
                 FROM hosts h LEFT JOIN affected a ON a.agent_id = h.agent_id
                 WHERE h.last_seen >= {since} OR a.agent_id IS NOT NULL
             ), facts AS (
                 SELECT f.key, f.value, count(*) AS hosts, count(*) FILTER (WHERE w.affected) AS affected
                 FROM watched w CROSS JOIN LATERAL (
                     {FACTS_OF_HOST}) AS f(key, value)
                 WHERE f.value <> ''
                 GROUP BY f.key, f.value HAVING bool_or(w.affected)
                 ORDER BY affected DESC, hosts, f.key, f.value LIMIT {limit}
             )
             SELECT (SELECT count(*) FROM watched), (SELECT count(*) FROM affected), key, value, hosts, affected
             FROM (VALUES (1)) AS always LEFT JOIN facts ON true"
        );
        let client = self.client().await?;
        let statement = client.prepare_cached(&sql).await?;
        let rows = client.query(&statement, &parameters.values()).await?;
        let mut facts = Facts::default();
        for row in rows {
            facts.hosts = count(row.get(0));
            facts.affected = count(row.get(1));
            if let Some(key) = row.get(2) {
                facts.facts.push(Fact {
                    key,
                    value: row.get(3),
                    hosts: count(row.get(4)),
                    affected: count(row.get(5)),
                });
            }
        }
        Ok(facts)
    }

    /// Hosts by build and hardware model: for how long each was watched, and on how many days an issue began.
    ///
    /// Days in a row are one event: a host that has an issue has it again on the next day far more often than by chance, and
    /// days counted singly make bad hosts of unlucky ones (runs declustering: R. L. Smith, Extreme value analysis of
    /// environmental time series, Statistical Science 4 (1989) 367-377).
    pub async fn cells(&self, watch: &Watch) -> Result<Vec<Cell>, StoreError> {
        watch.check()?;
        let mut parameters = Parameters::default();
        let seen = watch.seen(&mut parameters);
        let since = watch.since(&mut parameters);
        let limit = parameters.bind(CELLS);
        let sql = format!(
            "WITH told AS (
                 SELECT agent_id, product, os_build, count(DISTINCT day) FILTER (WHERE began) AS days
                 FROM (
                     SELECT *, (day <= lag(day) OVER (PARTITION BY agent_id, issue ORDER BY day) + interval '24 hours')
                               IS NOT TRUE AS began
                     FROM ({seen}) seen
                 ) seen GROUP BY 1, 2, 3
             ), watched AS (
                 SELECT agent_id, product, os_build, sum(seconds) / 3600 AS hours
                 FROM exposure_daily WHERE day >= {since} GROUP BY 1, 2, 3
             )
             SELECT w.agent_id, coalesce(h.hostname, ''), w.product, w.os_build, w.hours, coalesce(t.days, 0)
             FROM watched w
             LEFT JOIN told t ON t.agent_id = w.agent_id AND t.product = w.product AND t.os_build = w.os_build
             LEFT JOIN hosts h ON h.agent_id = w.agent_id
             ORDER BY w.hours DESC, w.agent_id LIMIT {limit}"
        );
        let client = self.client().await?;
        let statement = client.prepare_cached(&sql).await?;
        let rows = client.query(&statement, &parameters.values()).await?;
        let cell = |row: &tokio_postgres::Row| Cell {
            agent_id: row.get(0),
            hostname: row.get(1),
            model: row.get(2),
            build: row.get(3),
            hours: row.get(4),
            beginnings: count(row.get(5)),
        };
        Ok(rows.iter().map(cell).collect())
    }
}
