//! Memory modules of a fleet that is made up.

use fastrand::Rng;

use crate::{record::part::Spot, store::FleetTables};

/// Modules of a host.
pub(super) const SLOTS: [&str; 2] = ["DIMM_A1", "DIMM_B1"];
/// Modules are bad one in so many.
const BAD: u32 = 200;
/// A good module has an error by chance on one day in so many: about a third of modules a year, more than field studies have (8 %,
/// Schroeder 2009), so that false findings have every chance.
const BY_CHANCE: u32 = 1000;
/// One good module in so many has a day with many errors of one cell.
const BURSTS: u32 = 100;
/// The most errors of such a day.
const BURST: i64 = 60;
/// Probability that a bad module has errors on a day.
const FAILS: f64 = 0.7;
/// Days for which a bad module fails at least.
const FAILING_DAYS: i32 = 3;

/// The days of a module that was watched for so many; with `may_be_bad` one in [`BAD`] is bad. Says whether it is.
pub(super) fn live(
    rng: &mut Rng,
    tables: &mut FleetTables,
    (host, slot): (i32, &str),
    days: i32,
    may_be_bad: bool,
) -> bool {
    let mut errs = |rng: &mut Rng, day: i32, errors: i64, spot: Spot| {
        tables.module_host.push(host);
        tables.module.push(slot.to_owned());
        tables.module_hour.push(day * 24 + rng.i32(0..24));
        tables.module_errors.push(errors);
        tables.module_spot.push(spot.to_string());
    };
    if may_be_bad && rng.u32(0..BAD) == 0 {
        let bank = rng.u64(0..16);
        for day in rng.i32(0..=(days - FAILING_DAYS).max(0))..days {
            if rng.f64() < FAILS {
                let errors = rng.i64(1..=40);
                let spot = cell(rng.u64(0..65_536), rng.u64(0..1024), bank);
                errs(rng, day, errors, spot);
            }
        }
        return true;
    }
    for day in 0..days {
        if rng.u32(0..BY_CHANCE) == 0 {
            let spot = cell(rng.u64(0..65_536), rng.u64(0..1024), rng.u64(0..16));
            errs(rng, day, 1, spot);
        }
    }
    if rng.u32(0..BURSTS) == 0 {
        let (day, errors) = (rng.i32(0..days), rng.i64(1..=BURST));
        errs(rng, day, errors, cell(7, 7, 7));
    }
    false
}

fn cell(row: u64, column: u64, bank: u64) -> Spot {
    Spot {
        rank: Some(0),
        bank: Some(bank),
        row: Some(row),
        column: Some(column),
        ..Spot::default()
    }
}
