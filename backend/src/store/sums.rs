//! How many faults there are of each class, severity, kernel, build and model: by sums, never by records.

use ::filter::Condition;
use proto::v1::FaultFilter;

use super::{
    Store, StoreError, count,
    filter::{Asked, Parameters},
};

/// Days that are counted, today among them.
pub const COUNTED_DAYS: i32 = 7;
/// Hosts that are counted: those with the least ids, which are random. With ten rows of sums for each host and day it takes some 20 ms.
const HOSTS: i64 = 250;

/// What faults are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountedBy {
    /// Their class.
    Class,
    /// Their severity.
    Severity,
    /// The kernel that they happened in.
    Kernel,
    /// The build that their host runs now.
    Build,
    /// The hardware model of their host.
    Model,
}

impl CountedBy {
    /// All, with the columns that they are, in the order of the grouping sets.
    const ALL: [(Self, &'static str); 5] = [
        (Self::Class, "class"),
        (Self::Severity, "severity"),
        (Self::Kernel, "kernel_release"),
        (Self::Build, "os_build"),
        (Self::Model, "product"),
    ];
}

/// How many faults a filter selects, by what they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Values that are known with how many faults they have, the most first; severities are 1 to 4.
    pub values: Vec<(CountedBy, String, u64)>,
    /// Hosts that are counted.
    pub counted_hosts: u64,
    /// Hosts that the filter may be about.
    pub hosts: u64,
}

impl Store {
    /// Counts the faults of the last [`COUNTED_DAYS`] days that a filter selects. `None`: it asks for what is not in the sums, such as
    /// words of titles, issues or moments.
    pub async fn counts(&self, filter: &FaultFilter) -> Result<Option<Counts>, StoreError> {
        let asked = Asked::new(filter)?;
        if !filter.fingerprint.is_empty() || asked.any(&is_not_summed) {
            return Ok(None);
        }
        let mut parameters = Parameters::default();
        let of_host = asked
            .agents(&mut parameters)?
            .map_or_else(String::new, |agents| format!("WHERE agent_id IN ({agents})"));
        let mut conditions = vec!["true".to_owned()];
        conditions.extend(asked.matching(&mut parameters)?);
        if !filter.include_housekeeping {
            conditions.push("r.class NOT IN ('telemetry.heartbeat', 'telemetry.loss')".to_owned());
        }
        let columns = CountedBy::ALL.map(|(_, column)| column);
        let sets = columns.map(|column| format!("({column})")).join(", ");
        let values = columns.map(|column| format!("{column}::text")).join(", ");
        let sql = format!(
            "WITH counted AS (
                 SELECT agent_id, os_build, product FROM hosts {of_host} ORDER BY agent_id LIMIT {}
             ), sums AS (
                 SELECT r.class, r.severity, r.kernel_release, c.os_build, c.product, sum(r.records) AS records
                 -- Host by host along the key, and not through those days of all hosts.
                 FROM counted c CROSS JOIN LATERAL (
                     SELECT * FROM rollups_daily
                     WHERE agent_id = c.agent_id AND day > date_trunc('day', now(), 'UTC') - make_interval(days => {})
                     OFFSET 0
                 ) r WHERE {} GROUP BY 1, 2, 3, 4, 5
             )
             SELECT NULL, 0, (SELECT count(*) FROM counted), (SELECT count(*) FROM hosts {of_host})
             UNION ALL
             SELECT coalesce({values}), 31 - grouping({}), sum(records)::bigint, 0 FROM sums GROUP BY GROUPING SETS ({sets})
             ORDER BY 3 DESC, 1",
            parameters.bind(HOSTS),
            parameters.bind(COUNTED_DAYS),
            conditions.join(" AND "),
            columns.join(", "),
        );
        let client = self.client().await?;
        let statement = client.prepare_cached(&sql).await?;
        let rows = client.query(&statement, &parameters.values()).await?;
        let mut counts = Counts::default();
        for row in rows {
            let (value, set): (Option<String>, i32) = (row.get(0), row.get(1));
            let of_set = CountedBy::ALL
                .iter()
                .rev()
                .enumerate()
                .find(|(bit, _)| set == 1 << bit);
            match (of_set, value) {
                (Some((_, (by, _))), Some(value)) if !value.is_empty() => {
                    counts.values.push((*by, value, count(row.get(2))));
                }
                (None, _) => (counts.counted_hosts, counts.hosts) = (count(row.get(2)), count(row.get(3))),
                _ => {}
            }
        }
        Ok(Some(counts))
    }
}

/// Whether a condition is on something that the sums do not have.
fn is_not_summed(condition: &Condition) -> bool {
    !matches!(condition, Condition::Matches(..) | Condition::Severity(..))
}
