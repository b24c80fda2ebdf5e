//! Processor time of the parts: the collector, its PostgreSQL, and the agents in this process.

use std::{
    fs,
    ops::{AddAssign, Sub},
};

use anyhow::{Context as _, Result};

/// Seconds, in user and kernel mode.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    pub(crate) collector: f64,
    pub(crate) postgres: f64,
    pub(crate) loader: f64,
}

impl Cpu {
    /// Since each process started.
    pub(crate) fn now(collector: u32) -> Result<Self> {
        let processes: Vec<Stat> = fs::read_dir("/proc")?
            .filter_map(|entry| Stat::read(entry.ok()?.file_name().to_str()?.parse().ok()?))
            .collect();
        let children = |parent: u32| processes.iter().filter(move |stat| stat.parent == parent);
        let server = children(collector).next().context("PostgreSQL does not run")?;
        let own = |pid| Stat::read(pid).map_or(0.0, |stat| stat.own_s);
        Ok(Self {
            collector: own(collector),
            // Those that ended, such as autovacuum's workers, are in the server's account of its children.
            postgres: server.own_s
                + server.ended_s
                + children(server.pid).map(|stat| stat.own_s).sum::<f64>(),
            loader: own(std::process::id()),
        })
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            collector: self.collector - before.collector,
            postgres: self.postgres - before.postgres,
            loader: self.loader - before.loader,
        }
    }
}

impl AddAssign for Cpu {
    fn add_assign(&mut self, more: Self) {
        self.collector += more.collector;
        self.postgres += more.postgres;
        self.loader += more.loader;
    }
}

/// What `/proc/PID/stat` of proc(5) says of a process.
struct Stat {
    pid: u32,
    parent: u32,
    own_s: f64,
    /// Of its children that ended.
    ended_s: f64,
}

impl Stat {
    /// None: there is no such process any more.
    fn read(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may contain anything; the state, field 3, follows it.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
        let ticks = f64::from(u32::try_from(rustix::param::clock_ticks_per_second()).ok()?);
        Some(Self {
            pid,
            parent: fields.get(1)?.parse().ok()?,
            own_s: (number(14)? + number(15)?) / ticks,
            ended_s: (number(16)? + number(17)?) / ticks,
        })
    }
}
