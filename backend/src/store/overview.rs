//! How a fleet is, in a few numbers: of sums, never of records.

use super::{Store, StoreError, count};

/// Minutes after which a host that tells nothing is no longer counted as heard: three heartbeats, which come every five minutes,
/// a tenth more or less.
pub const HEARD_MINUTES: i32 = 17;
/// Days whose faults are summed up by class.
pub const CLASS_DAYS: i32 = 7;
/// Classes that are told at most.
const CLASSES: i64 = 10;

/// A fleet at a glance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overview {
    /// Hosts that were ever heard.
    pub hosts: u64,
    /// Of these, hosts that were heard within [`HEARD_MINUTES`].
    pub heard: u64,
    /// Senders whose books do not balance.
    pub unbalanced: u64,
    /// Parts of machines that are bad.
    pub bad_parts: u64,
    /// Events that never were stored, of the last [`CLASS_DAYS`] days.
    pub lost: u64,
    /// How many issues are in each state.
    pub states: Vec<(String, u64)>,
    /// Faults by class, the most first.
    pub classes: Vec<ClassSum>,
}

/// Faults of a class.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassSum {
    /// The class.
    pub class: String,
    /// Records.
    pub records: u64,
    /// Hosts that sent them.
    pub hosts: u64,
}

impl Store {
    /// A fleet at a glance. From the score `bad_score` on a part is bad.
    pub async fn overview(&self, bad_score: f64) -> Result<Overview, StoreError> {
        let client = self.client().await?;
        let fleet = client
            .prepare_cached(
                "SELECT (SELECT count(*) FROM hosts),
                        (SELECT count(*) FROM hosts WHERE last_seen > now() - make_interval(mins => $1)),
                        (SELECT count(*) FROM books WHERE NOT balanced),
                        (SELECT coalesce(sum(events), 0)::bigint FROM losses
                         WHERE received_at > now() - make_interval(days => $2) AND reason <> 'JOINED'),
                        (SELECT count(*) FROM parts WHERE score >= $3)",
            )
            .await?;
        let states = client
            .prepare_cached("SELECT state, count(*) FROM v_issues GROUP BY state ORDER BY state")
            .await?;
        let classes = client
            .prepare_cached(
                "SELECT class, sum(records)::bigint, count(*) FROM (
                     SELECT class, agent_id, sum(records) AS records FROM rollups_daily
                     WHERE day > (SELECT date_trunc('day', now(), 'UTC') - make_interval(days => $1))
                       AND class NOT LIKE 'telemetry.%'
                     GROUP BY class, agent_id
                 ) of_host GROUP BY class ORDER BY 2 DESC, 1 LIMIT $2",
            )
            .await?;
        let fleet = client
            .query_one(&fleet, &[&HEARD_MINUTES, &CLASS_DAYS, &bad_score])
            .await?;
        let states = client.query(&states, &[]).await?;
        let classes = client.query(&classes, &[&CLASS_DAYS, &CLASSES]).await?;
        Ok(Overview {
            hosts: count(fleet.get(0)),
            heard: count(fleet.get(1)),
            unbalanced: count(fleet.get(2)),
            lost: count(fleet.get(3)),
            bad_parts: count(fleet.get(4)),
            states: states.iter().map(|row| (row.get(0), count(row.get(1)))).collect(),
            classes: classes
                .iter()
                .map(|row| ClassSum {
                    class: row.get(0),
                    records: count(row.get(1)),
                    hosts: count(row.get(2)),
                })
                .collect(),
        })
    }
}
