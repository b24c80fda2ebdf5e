//! How much an agent may send: a leaky bucket each, in records.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;

/// Agents that are remembered before those are forgotten that owe nothing.
const AGENTS: usize = 4096;

/// What each agent may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Records a second in the long run. 0: as many as it likes.
    pub records_per_s: u32,
    /// Records beyond that at once, such as what gathered while the collector was away.
    pub burst: u32,
}

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

/// What agents owe.
#[derive(Debug)]
pub struct Quotas {
    quota: Quota,
    buckets: Mutex<HashMap<Uuid, Bucket>>,
}

/// The records of an agent that are beyond its rate, as of a moment.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: f64,
    at: Instant,
}

impl Quotas {
    /// With the same quota for every agent.
    pub fn new(quota: Quota) -> Self {
        Self {
            quota,
            buckets: Mutex::default(),
        }
    }

    /// Counts records that an agent sent at a moment. Err: it has to wait for so long before it sends them again; they do
    /// not count.
    pub fn take(&self, agent_id: Uuid, records: usize, now: Instant) -> Result<(), Duration> {
        let rate = f64::from(self.quota.records_per_s);
        if rate == 0.0 {
            return Ok(());
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= AGENTS && !buckets.contains_key(&agent_id) {
            buckets.retain(|_, bucket| bucket.level_at(now, rate) > 0.0);
        }
        let bucket = buckets.entry(agent_id).or_insert(Bucket { level: 0.0, at: now });
        let level = bucket.level_at(now, rate);
        let burst = f64::from(self.quota.burst);
        if level > burst {
            return Err(Duration::from_secs_f64((level - burst) / rate));
        }
        // A batch that begins below the limit may end above it: none is too large for any quota.
        #[expect(clippy::cast_precision_loss, reason = "a batch has at most 4096 records")]
        let records = records as f64;
        *bucket = Bucket {
            level: level + records,
            at: now,
        };
        Ok(())
    }
}

impl Bucket {
    fn level_at(&self, now: Instant, rate: f64) -> f64 {
        (self.level - now.duration_since(self.at).as_secs_f64() * rate).max(0.0)
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
        let (quotas, agent, start) = (Quotas::new(QUOTA), Uuid::new_v4(), Instant::now());
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
        let (quotas, start) = (Quotas::new(QUOTA), Instant::now());
        for _ in 0..AGENTS {
            quotas.take(Uuid::new_v4(), 1, start).expect("below the burst");
        }
        let later = start + Duration::from_secs(1);
        quotas.take(Uuid::new_v4(), 1, later).expect("below the burst");
        assert_eq!(quotas.buckets.lock().expect("no panic").len(), 1);
    }

    #[test]
    fn without_a_rate_nobody_waits() {
        let quotas = Quotas::new(Quota {
            records_per_s: 0,
            burst: 0,
        });
        for _ in 0..1000 {
            quotas.take(Uuid::nil(), 4096, Instant::now()).expect("no limit");
        }
    }
}
