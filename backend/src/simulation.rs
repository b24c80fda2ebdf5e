//! Fleets with faults whose truth is known, and what the analysis finds of it.
//!
//! A host is of one of eight hardware models and goes from build A to build B on some day. Each issue has a rate, which a model
//! and a host multiply by factors of their own; a host that has an issue has it again on the next days with the probability 0.3.
//! So faults of a host depend on each other, models and hosts differ without being bad, and B comes later than A: what real fleets do
//! to naive counts.
//!
//! Each host has two memory modules. One in some thousand module-days has an error by chance, and one module in a hundred a day on
//! which one cell has many and then no more; bad ones begin to fail on some day, and go on in ever more places of a bank.
//!
//! What was reported is a kernel's log that `faults` has read; of the newest days it is there as records. Which of the kernels a
//! host has changes nothing.
//!
//! The analysis is measured on fleets that were watched until yesterday. One for people to look at goes on until now: with programs
//! that crash, boots that end as they should not, an issue that comes back, hosts that fell silent, and the last heartbeat of each;
//! it can be kept alive.

mod ends;
mod heartbeat;
mod measure;
mod memory;
mod programs;
mod reports;

pub use measure::{Measured, Share, measure};

use std::time::Duration;

use fastrand::Rng;
use proto::v1::{Fingerprint, FingerprintLevel, Hook, Record};

use crate::store::{FleetTables, simulated_host};

/// Issues of a fleet.
const ISSUES: i32 = 40;
/// Hardware models.
const MODELS: i32 = 8;
/// Kernels, the oldest first.
pub const KERNELS: [&str; 3] = ["5.10.0-simulated", "6.1.0-simulated", "6.12.0-simulated"];
/// The kernel of each host in turn, by its place among [`KERNELS`].
const KERNEL_OF: [i32; 7] = [1, 2, 1, 0, 1, 2, 1];
/// Hosts have fallen silent one in so many.
const SILENT: u32 = 40;
/// Between two heartbeats of a host.
pub const BEAT: Duration = Duration::from_mins(5);
/// Hosts are bad one in so many.
const BAD_HOSTS: u32 = 250;
/// Probability that a host has an issue again on the day after.
const AGAIN: f64 = 0.3;
/// Days in which [`Story::Rise`] happens, up to the last.
const RISING_DAYS: i32 = 5;

/// The issue that is six times as frequent in build B.
pub const WORSE_IN_B: i32 = 1;
/// The issue that only build B has.
pub const NEW_IN_B: i32 = 2;
/// The issue that is ten times as frequent in the last days.
pub const RISING: i32 = 3;
/// The model whose hosts fail five times as often.
pub const BAD_MODEL: i32 = 4;

/// The issue of a fleet until now that was held to be resolved in build B, and is not.
const REGRESSED: i32 = 14;

/// What is wrong with a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    /// Nothing: all that is found is false.
    Quiet,
    /// Build B is worse in two issues, one model is bad, and some hosts are.
    Release,
    /// One issue rises in the last days.
    Rise,
}

/// A fleet to be made up; the same numbers make the same fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How many hosts.
    pub hosts: u32,
    /// For how many days they are watched.
    pub days: u32,
    /// What the chances begin with.
    pub seed: u64,
    /// What is wrong with it.
    pub story: Story,
}

/// A fleet, and what is true of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fleet {
    /// What is stored of it.
    pub tables: FleetTables,
    /// Hosts that are bad.
    pub bad_hosts: Vec<i32>,
    /// Memory modules that are bad: the host and the slot.
    pub bad_modules: Vec<(i32, &'static str)>,
}

impl Fleet {
    /// The names of the hosts that are bad.
    pub fn bad_host_names(&self) -> Vec<String> {
        self.bad_hosts.iter().copied().map(simulated_host).collect()
    }

    /// The memory modules that are bad, each as its host's name and its slot.
    pub fn bad_module_names(&self) -> Vec<String> {
        let bad = self.bad_modules.iter();
        bad.map(|(host, slot)| format!("{} {slot}", simulated_host(*host)))
            .collect()
    }
}

impl Plan {
    /// Makes the fleet as it was until yesterday.
    pub fn fleet(self) -> Fleet {
        self.make(false)
    }

    /// Makes the fleet as it is now.
    pub fn fleet_until_now(self) -> Fleet {
        self.make(true)
    }

    fn make(self, until_now: bool) -> Fleet {
        let mut rng = Rng::with_seed(self.seed);
        // Days and hosts are far below 2^31: the command line has limits.
        let days = i32::try_from(self.days).unwrap_or(i32::MAX);
        let models: Vec<f64> = (0..MODELS).map(|_| between(&mut rng, 0.5, 2.0)).collect();
        // The one too many is drawn so that a seed makes what it always made.
        let mut rates: Vec<f64> = (0..=ISSUES).map(|_| between(&mut rng, 0.000_3, 0.003)).collect();
        rates.pop();
        let mut fleet = Fleet {
            tables: FleetTables {
                days,
                kernels: KERNELS.map(str::to_owned).into(),
                reports: KERNELS.map(reports::records).into(),
                ..FleetTables::default()
            },
            bad_hosts: Vec::new(),
            bad_modules: Vec::new(),
        };
        if until_now {
            fleet.tables.beats = heartbeat::records();
            for (reports, kernel) in fleet.tables.reports.iter_mut().zip(KERNELS) {
                reports.extend(programs::records(kernel));
                reports.extend(ends::records(kernel));
            }
            rates.extend(programs::rates());
            fleet.tables.regressed = Some(REGRESSED);
        }
        for host in (0..).take(self.hosts as usize) {
            let (model, life) = settle(&mut rng, &mut fleet.tables, host, until_now);
            let of_model = models.get(usize::try_from(model).unwrap_or(0));
            let mut factor = of_model.copied().unwrap_or(1.0) * between(&mut rng, 0.5, 2.0);
            if self.story == Story::Release {
                if model == BAD_MODEL {
                    factor *= 5.0;
                }
                if rng.u32(0..BAD_HOSTS) == 0 {
                    factor *= 30.0;
                    fleet.bad_hosts.push(host);
                }
            }
            // Chances of their own, so that hosts are what they are without them.
            let mut of_memory = rng.fork();
            for slot in memory::SLOTS {
                if memory::live(
                    &mut of_memory,
                    &mut fleet.tables,
                    (host, slot),
                    life.watched,
                    self.story == Story::Release,
                ) {
                    fleet.bad_modules.push((host, slot));
                }
            }
            for (issue, rate) in (1..).zip(&rates) {
                self.live(&mut rng, &mut fleet.tables, life, (issue, rate * factor));
            }
            if until_now {
                let mut of_ends = Rng::with_seed(self.seed.rotate_left(32) ^ u64::from(host.unsigned_abs()));
                for (issue, rate) in (ends::FIRST..).zip(ends::rates()) {
                    self.live(&mut of_ends, &mut fleet.tables, life, (issue, rate * factor));
                }
            }
        }
        fleet
    }

    /// The days of one host with one issue, which has so many expected beginnings a day.
    fn live(self, rng: &mut Rng, tables: &mut FleetTables, life: Life, (issue, rate): (i32, f64)) {
        let mut has_it = false;
        for day in 0..life.watched {
            let rate = rate * self.times(issue, day >= life.upgraded, tables.days - day);
            let chance = if has_it { AGAIN } else { -(-rate).exp_m1() };
            has_it = rng.f64() < chance;
            if has_it {
                tables.host.push(life.host);
                tables.day.push(day);
                tables.issue.push(issue);
                // A storm now and then; a boot ends once.
                let storm = issue < ends::FIRST && rng.u8(..) == 0;
                tables.records.push(if storm { 1000 } else { 1 });
            }
        }
    }

    /// By how much more an issue happens on a day, of which so many are left.
    fn times(self, issue: i32, is_b: bool, left: i32) -> f64 {
        match (self.story, issue) {
            (Story::Release, WORSE_IN_B) if is_b => 6.0,
            (Story::Release, NEW_IN_B) => f64::from(u8::from(is_b)) * 6.0,
            (Story::Rise, RISING) if left <= RISING_DAYS => 10.0,
            _ => 1.0,
        }
    }
}

/// When a host was what.
#[derive(Clone, Copy, Debug)]
struct Life {
    host: i32,
    /// The first day of build B.
    upgraded: i32,
    /// For how many days it was watched.
    watched: i32,
}

/// Gives a host its model, which it says, its kernel and its time.
fn settle(rng: &mut Rng, tables: &mut FleetTables, host: i32, until_now: bool) -> (i32, Life) {
    let days = tables.days;
    let model = rng.i32(0..MODELS);
    let upgraded = rng.i32(days / 4..=days * 3 / 4);
    let (watched, last_heard_s) = if until_now {
        last_heard(&mut rng.fork(), days)
    } else {
        (days, 0.0)
    };
    let kernel = KERNEL_OF.get(usize::try_from(host).unwrap_or(0) % KERNEL_OF.len());
    tables.kernel.extend(kernel);
    tables.model.push(model);
    tables.upgraded.push(upgraded);
    tables.watched.push(watched);
    tables.last_heard_s.push(last_heard_s);
    let life = Life {
        host,
        upgraded,
        watched,
    };
    (model, life)
}

/// For how many days a host of a fleet that goes on until now was watched, and how many seconds before the end of the last of them it
/// was last heard. Those that fell silent did when they had long been updated.
fn last_heard(rng: &mut Rng, days: i32) -> (i32, f64) {
    if rng.u32(0..SILENT) == 0 {
        (rng.i32(days * 3 / 4 + 1..=days), rng.f64() * 86_400.0)
    } else {
        (days + 1, rng.f64() * BEAT.as_secs_f64())
    }
}

/// The fingerprint of an issue.
pub fn fingerprint(issue: i32) -> String {
    format!("{issue:032x}")
}

/// A record that is grouped by its issue, and marked as made up.
fn of_issue(issue: i32, record: Record) -> Record {
    Record {
        fingerprints: vec![Fingerprint {
            version: faults::fingerprint::VERSION,
            level: FingerprintLevel::Title.into(),
            value: fingerprint(issue),
        }],
        hook: Some(Hook {
            name: "simulated".to_owned(),
            attach: String::new(),
        }),
        ..record
    }
}

/// A factor, evenly on a logarithmic scale.
fn between(rng: &mut Rng, least: f64, most: f64) -> f64 {
    least * (most / least).powf(rng.f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_fleet_and_another_seed_another() {
        let plan = |seed| Plan {
            hosts: 300,
            days: 30,
            seed,
            story: Story::Release,
        };
        let fleet = plan(1).fleet();
        assert_eq!(fleet, plan(1).fleet());
        assert_ne!(fleet, plan(2).fleet());
        let tables = &fleet.tables;
        assert!(tables.host.len() > 100, "{}", tables.host.len());
        let news: Vec<usize> = (0..tables.host.len())
            .filter(|at| tables.issue[*at] == NEW_IN_B)
            .collect();
        assert!(!news.is_empty());
        let of_b =
            |at: &usize| tables.day[*at] >= tables.upgraded[usize::try_from(tables.host[*at]).unwrap()];
        assert!(news.iter().all(of_b), "what is new in B was not in A");
    }

    #[test]
    fn a_fleet_goes_on_until_now_without_the_hosts_that_fell_silent() {
        let plan = Plan {
            hosts: 400,
            days: 4,
            seed: 1,
            story: Story::Release,
        };
        let until_yesterday = plan.fleet().tables;
        assert!(until_yesterday.watched.iter().all(|watched| *watched == 4));
        assert!(until_yesterday.day.iter().all(|day| *day < 4));
        let tables = plan.fleet_until_now().tables;
        let silent = tables.watched.iter().filter(|watched| **watched < 5).count();
        assert!((1..40).contains(&silent), "{silent}");
        assert!(tables.day.contains(&4), "faults of today");
        let after_its_end =
            |(host, day): (&i32, &i32)| *day >= tables.watched[usize::try_from(*host).unwrap()];
        assert!(!tables.host.iter().zip(&tables.day).any(after_its_end));
        let issues = tables.reports[0].len();
        assert_eq!(
            tables.beats.len(),
            KERNELS.len() * usize::try_from(MODELS).unwrap()
        );
        assert!(
            tables
                .issue
                .iter()
                .all(|issue| usize::try_from(*issue).unwrap() <= issues)
        );
        assert!(tables.issue.contains(&programs::LAST), "the last program crashes");
        let ended = |(issue, records): (&i32, &i64)| *issue >= ends::FIRST && *records == 1;
        assert!(
            tables.issue.iter().zip(&tables.records).any(ended),
            "boots end, each once"
        );
    }
}
