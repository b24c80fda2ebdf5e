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
//! What was reported is a kernel's log that `faults` has read; of the newest days it is there as records.

mod measure;
mod memory;
mod reports;

pub use measure::{Measured, Share, measure};

use fastrand::Rng;

use crate::store::{FleetTables, SIMULATED_KERNEL as KERNEL, simulated_host};

/// Issues of a fleet.
const ISSUES: i32 = 40;
/// Hardware models.
const MODELS: i32 = 8;
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
    /// Makes the fleet.
    pub fn fleet(self) -> Fleet {
        let mut rng = Rng::with_seed(self.seed);
        // Days and hosts are far below 2^31: the command line has limits.
        let days = i32::try_from(self.days).unwrap_or(i32::MAX);
        let models: Vec<f64> = (0..MODELS).map(|_| between(&mut rng, 0.5, 2.0)).collect();
        let issues: Vec<f64> = (0..=ISSUES).map(|_| between(&mut rng, 0.000_3, 0.003)).collect();
        let mut fleet = Fleet {
            tables: FleetTables {
                days,
                reports: reports::records(),
                ..FleetTables::default()
            },
            bad_hosts: Vec::new(),
            bad_modules: Vec::new(),
        };
        for host in (0..).take(self.hosts as usize) {
            let model = rng.i32(0..MODELS);
            let upgraded = rng.i32(days / 4..=days * 3 / 4);
            fleet.tables.model.push(model);
            fleet.tables.upgraded.push(upgraded);
            let mut factor = models
                .get(usize::try_from(model).unwrap_or(0))
                .copied()
                .unwrap_or(1.0);
            factor *= between(&mut rng, 0.5, 2.0);
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
                    host,
                    slot,
                    self.story == Story::Release,
                ) {
                    fleet.bad_modules.push((host, slot));
                }
            }
            for (issue, rate) in (1..=ISSUES).zip(&issues) {
                self.live(
                    &mut rng,
                    &mut fleet.tables,
                    Life {
                        host,
                        issue,
                        rate: rate * factor,
                        upgraded,
                    },
                );
            }
        }
        fleet
    }

    /// The days of one host with one issue.
    fn live(self, rng: &mut Rng, tables: &mut FleetTables, life: Life) {
        let mut has_it = false;
        for day in 0..tables.days {
            let rate = life.rate * self.times(life.issue, day >= life.upgraded, tables.days - day);
            let chance = if has_it { AGAIN } else { -(-rate).exp_m1() };
            has_it = rng.f64() < chance;
            if has_it {
                tables.host.push(life.host);
                tables.day.push(day);
                tables.issue.push(life.issue);
                // A storm now and then.
                tables.records.push(if rng.u8(..) == 0 { 1000 } else { 1 });
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

/// A host and an issue.
#[derive(Clone, Copy, Debug)]
struct Life {
    host: i32,
    issue: i32,
    /// Expected beginnings a day.
    rate: f64,
    /// The first day of build B.
    upgraded: i32,
}

/// The fingerprint of an issue.
pub fn fingerprint(issue: i32) -> String {
    format!("{issue:032x}")
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
}
