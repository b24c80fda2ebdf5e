//! How a fleet is, in a few numbers: of sums, never of records.

use super::{Store, StoreError, count};

/// Minutes after which a host that tells nothing is no longer counted as heard: three heartbeats, which come every five minutes,
/// a tenth more or less.
pub const HEARD_MINUTES: i32 = 17;
/// Days whose losses are summed up.
pub const LOSS_DAYS: i32 = 7;

/// A fleet at a glance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overview {
    /// Hosts that were ever heard.
    pub hosts: u64,
    /// Of these, hosts that were heard within [`HEARD_MINUTES`].
    pub heard: u64,
    /// Hosts that were heard, and said in their last heartbeat that a hook is not attached.
    pub hooks_missing: u64,
    /// Hosts that were heard, and have sent no heartbeat that tells.
    pub hooks_unknown: u64,
    /// Senders whose books do not balance.
    pub unbalanced: u64,
    /// Parts of machines that are bad.
    pub bad_parts: u64,
    /// Events that never were stored, of the last [`LOSS_DAYS`] days.
    pub lost: u64,
    /// How many issues are in each state.
    pub states: Vec<(String, u64)>,
}

impl Store {
    /// A fleet at a glance. From the score `bad_score` on a part is bad.
    pub async fn overview(&self, bad_score: f64) -> Result<Overview, StoreError> {
        let client = self.client().await?;
        let fleet = client
            .prepare_cached(
                "SELECT count(*), count(*) FILTER (WHERE is_heard), count(*) FILTER (WHERE is_heard AND hooks_missing > 0),
                        count(*) FILTER (WHERE is_heard AND hooks_missing IS NULL),
                        (SELECT count(*) FROM books WHERE NOT balanced),
                        (SELECT coalesce(sum(events), 0)::bigint FROM losses
                         WHERE received_at > now() - make_interval(days => $2) AND reason <> 'JOINED'),
                        (SELECT count(*) FROM parts WHERE score >= $3)
                 FROM (SELECT last_seen > now() - make_interval(mins => $1) AS is_heard, hooks_missing FROM hosts) h",
            )
            .await?;
        let states = client
            .prepare_cached("SELECT state, count(*) FROM v_issues GROUP BY state ORDER BY state")
            .await?;
        let fleet = client
            .query_one(&fleet, &[&HEARD_MINUTES, &LOSS_DAYS, &bad_score])
            .await?;
        let states = client.query(&states, &[]).await?;
        Ok(Overview {
            hosts: count(fleet.get(0)),
            heard: count(fleet.get(1)),
            hooks_missing: count(fleet.get(2)),
            hooks_unknown: count(fleet.get(3)),
            unbalanced: count(fleet.get(4)),
            lost: count(fleet.get(5)),
            bad_parts: count(fleet.get(6)),
            states: states.iter().map(|row| (row.get(0), count(row.get(1)))).collect(),
        })
    }
}
