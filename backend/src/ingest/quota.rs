//! How much agents may send, each and together: leaky buckets, in records.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;

/// Agents that are remembered before those are forgotten that owe nothing.
const AGENTS: usize = 4096;

/// What may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Records a second in the long run. 0: as many as anybody likes.
    pub records_per_s: u32,
    /// Records beyond that at once, such as what gathered while the collector was away.
    pub burst: u32,
}

/// Of an agent.
impl Default for Quota {
    fn default() -> Self {
        Self {
            // A sixth of what a collector stores on two cores: one agent that went wild leaves room for the others. A host
            // that is merely in trouble sends some hundred, storm control sees to that.
            records_per_s: 10_000,
            // What a spool of 1 GiB, the default limit of telemd, holds of records of 1 KiB.
            burst: 1_000_000,
        }
    }
}

impl Quota {
    /// As many as anybody likes.
    pub const NONE: Self = Self {
        records_per_s: 0,
        burst: 0,
    };
}

/// What agents owe.
#[derive(Debug)]
pub struct Quotas {
    each: Quota,
    total: Quota,
    owed: Mutex<Owed>,
}

#[derive(Debug)]
struct Owed {
    by_agent: HashMap<Uuid, Bucket>,
    by_all: Bucket,
}

/// The records that are beyond a rate, as of a moment.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: f64,
    at: Instant,
}

impl Quotas {
    /// With the same quota for each agent, and one for all of them together.
    pub fn new(each: Quota, total: Quota) -> Self {
        let by_all = Bucket::empty(Instant::now());
        Self {
            each,
            total,
            owed: Mutex::new(Owed {
                by_agent: HashMap::new(),
                by_all,
            }),
        }
    }

    /// Counts records that an agent sent at a moment. Err: it has to wait for so long before it sends them again; they do
    /// not count.
    pub fn take(&self, agent_id: Uuid, records: usize, now: Instant) -> Result<(), Duration> {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        let by_all = owed.by_all.with(records, self.total, now)?;
        if self.each.records_per_s > 0 {
            owed.forget(agent_id, self.each, now);
            let bucket = owed.by_agent.entry(agent_id).or_insert(Bucket::empty(now));
            *bucket = bucket.with(records, self.each, now)?;
        }
        owed.by_all = by_all;
        Ok(())
    }
}

impl Owed {
    /// Makes room for an agent that is new.
    fn forget(&mut self, agent_id: Uuid, quota: Quota, now: Instant) {
        if self.by_agent.len() >= AGENTS && !self.by_agent.contains_key(&agent_id) {
            self.by_agent
                .retain(|_, bucket| bucket.level_at(now, quota) > 0.0);
        }
    }
}

impl Bucket {
    fn empty(at: Instant) -> Self {
        Self { level: 0.0, at }
    }

    /// With so many records more, if it was below the limit: a batch that begins there may end above it, so that none is too
    /// large for any quota.
    fn with(self, records: usize, quota: Quota, now: Instant) -> Result<Self, Duration> {
        if quota.records_per_s == 0 {
            return Ok(self);
        }
        let (level, burst) = (self.level_at(now, quota), f64::from(quota.burst));
        if level > burst {
            return Err(Duration::from_secs_f64(
                (level - burst) / f64::from(quota.records_per_s),
            ));
        }
        #[expect(clippy::cast_precision_loss, reason = "a batch has at most 4096 records")]
        let records = records as f64;
        Ok(Self {
            level: level + records,
            at: now,
        })
    }

    fn level_at(self, now: Instant, quota: Quota) -> f64 {
        let past = now.duration_since(self.at).as_secs_f64();
        (self.level - past * f64::from(quota.records_per_s)).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota {
        records_per_s: 100,
        burst: 1000,
    };

    #[test]
    fn an_agent_waits_until_it_is_below_its_burst_again() {
        let (quotas, agent, start) = (Quotas::new(QUOTA, Quota::NONE), Uuid::new_v4(), Instant::now());
        quotas.take(agent, 900, start).expect("below the burst");
        quotas.take(agent, 400, start).expect("begins below the burst");
        let wait = quotas.take(agent, 1, start).expect_err("300 above it");
        assert_eq!(wait, Duration::from_secs(3));
        quotas.take(agent, 1, start + wait).expect("it waited");
        quotas.take(agent, 1, start + wait).expect_err("one above it");
        quotas
            .take(Uuid::new_v4(), 1, start + wait)
            .expect("another agent");
    }

    #[test]
    fn agents_that_owe_nothing_are_forgotten() {
        let (quotas, start) = (Quotas::new(QUOTA, Quota::NONE), Instant::now());
        for _ in 0..AGENTS {
            quotas.take(Uuid::new_v4(), 1, start).expect("below the burst");
        }
        let later = start + Duration::from_secs(1);
        quotas.take(Uuid::new_v4(), 1, later).expect("below the burst");
        assert_eq!(quotas.owed.lock().expect("no panic").by_agent.len(), 1);
    }

    #[test]
    fn all_agents_together_wait_whoever_sends() {
        let (quotas, start) = (Quotas::new(Quota::NONE, QUOTA), Instant::now());
        quotas.take(Uuid::new_v4(), 900, start).expect("below the burst");
        quotas
            .take(Uuid::new_v4(), 200, start)
            .expect("begins below the burst");
        let wait = quotas.take(Uuid::new_v4(), 1, start);
        assert_eq!(wait, Err(Duration::from_secs(1)));
        let later = start + Duration::from_secs(1);
        quotas.take(Uuid::new_v4(), 1, later).expect("it waited");
    }

    #[test]
    fn what_an_agent_may_not_send_does_not_count_for_all() {
        let each = Quota { burst: 10, ..QUOTA };
        let (quotas, wild, start) = (Quotas::new(each, QUOTA), Uuid::new_v4(), Instant::now());
        quotas.take(wild, 100, start).expect("begins below the burst");
        for _ in 0..2000 {
            quotas.take(wild, 1, start).expect_err("above its burst");
        }
        quotas
            .take(Uuid::new_v4(), 1, start)
            .expect("all are below theirs");
    }

    #[test]
    fn without_a_rate_nobody_waits() {
        let quotas = Quotas::new(Quota::NONE, Quota::NONE);
        for _ in 0..1000 {
            quotas.take(Uuid::nil(), 4096, Instant::now()).expect("no limit");
        }
    }
}
