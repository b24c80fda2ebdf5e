//! Many lives of a spool, each made from a seed.
//!
//! `SPOOL_SCHEDULES=100000 cargo test --release -p spool schedules` runs so many instead of a few;
//! `SPOOL_SEED=N cargo test -p spool schedules` runs one again.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use super::model::{self, Model};

/// Schedules of an ordinary run: a few seconds of a debug build.
const FEW: u64 = 400;

#[test]
fn schedules_of_crashes_refusals_and_damage_lose_nothing_that_was_synced() {
    if let Some(seed) = variable("SPOOL_SEED") {
        run(seed);
        return;
    }
    let count = variable("SPOOL_SCHEDULES").unwrap_or(FEW);
    let first: u64 = fastrand::u64(..1 << 48);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    run(first + index);
                }
            });
        }
    });
}

/// Runs the schedule of a seed. One that fails is made as short as it can be, and told.
fn run(seed: u64) {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: 1,
        failure_persistence: None,
        max_shrink_iters: 4000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let has_damage = seed % 2 == 1;
    let ran = runner.run(&model::schedule(has_damage), |schedule| {
        Model::run(&schedule);
        Ok(())
    });
    match ran {
        Ok(()) => {}
        Err(TestError::Fail(reason, schedule)) => {
            panic!("{reason}\n{schedule:?}\nrun it again: SPOOL_SEED={seed} cargo test -p spool schedules")
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

fn variable<T: FromStr<Err: Display>>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|error| panic!("{name}={text}: {error}")),
    )
}
