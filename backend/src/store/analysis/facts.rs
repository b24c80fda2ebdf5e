//! What hosts with an issue have in common.

use uuid::Uuid;

use super::{check_days, count};
use crate::store::{Store, StoreError};

/// Different facts that are looked at, those of most affected hosts first.
const FACTS: i64 = 1000;

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

impl Store {
    /// What the hosts with an issue have in common.
    pub async fn facts_of(&self, issue: Uuid, days: u32) -> Result<Facts, StoreError> {
        check_days(days)?;
        // Computed once, not for every row.
        let since = "(SELECT date_trunc('day', now(), 'UTC') - make_interval(days => $2 - 1))";
        let sql = format!(
            "WITH affected AS (
                 SELECT DISTINCT s.agent_id FROM sightings s JOIN triage t ON t.issue = s.issue
                 WHERE s.day >= {since} AND (t.issue = $1 OR t.merged_into = $1)
             ),
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
                 ORDER BY affected DESC, hosts, f.key, f.value LIMIT $3
             )
             SELECT (SELECT count(*) FROM watched), (SELECT count(*) FROM affected), key, value, hosts, affected
             FROM (VALUES (1)) AS always LEFT JOIN facts ON true"
        );
        let client = self.client().await?;
        let statement = client.prepare_cached(&sql).await?;
        let days = i32::try_from(days).unwrap_or(i32::MAX);
        let rows = client.query(&statement, &[&issue, &days, &FACTS]).await?;
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
}
