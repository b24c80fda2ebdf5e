//! Nothing is lost and nothing is stored twice, whatever is killed or stopped on the way.

#![expect(clippy::expect_used, reason = "a test that cannot go on panics")]

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use system_tests::{
    process::wait_for,
    sender,
    system::{Kept, System},
};

/// Records that have to be kept in the kill test.
const RECORDS: usize = 10_000;
/// Kills that have to happen meanwhile.
const KILLS: u32 = 20;
/// Senders at work at the same time.
const SENDERS: usize = 16;
/// No storm control: every record counts.
const NO_STORM: &str = "[storm]\nfirst = 1000000";

#[test]
fn kill_9_of_agent_and_collector_loses_and_duplicates_nothing() {
    let test = "kill_9_of_agent_and_collector_loses_and_duplicates_nothing";
    let Some(mut system) = System::start(test, &format!("{NO_STORM}\n[spool]\nsegment_bytes = 1048576"))
    else {
        return;
    };
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (kept, socket) = (Kept::default(), system.agent.socket());
    let ended = AtomicBool::new(false);
    let (mut agent_kills, mut collector_kills) = (0, 0);
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    kept.send_until(kept.len() + 1, &socket);
                }
            });
        }
        while kept.len() < RECORDS || agent_kills + collector_kills < KILLS {
            thread::sleep(Duration::from_millis(random.u64(50..600)));
            if random.bool() {
                agent_kills += 1;
                system.agent.process().kill();
                system.agent.restart().expect("the agent starts again");
            } else {
                collector_kills += 1;
                system.backend.process().kill();
                thread::sleep(Duration::from_millis(random.u64(0..300)));
                system.backend.restart().expect("the collector starts again");
            }
        }
        ended.store(true, Ordering::Relaxed);
    });
    system.wait_for_all(&kept);
    kept.assert_stored_exactly_once(&system.database);
    system.database.assert_books_balance();
    println!(
        "{} kept of {} sent; agent killed {agent_kills} times, collector {collector_kills} times",
        kept.len(),
        kept.attempts()
    );
    assert!(
        agent_kills > 0 && collector_kills > 0,
        "the schedule tested nothing: {agent_kills} and {collector_kills} kills"
    );
}

/// Kills of the agent alone, unless `AGENT_KILLS` says how many.
const AGENT_KILLS: usize = 10;
/// Records that have to be kept for each of them: it is killed under load.
const KEPT_A_KILL: usize = 20;

/// More of it, with programs that are built, takes a minute or some:
/// `AGENT_KILLS=200 TELEMETRICS_BIN_DIR=$PWD/target/release cargo test -p system-tests --test delivery the_agent_alone`.
#[test]
fn kill_9_of_the_agent_alone_at_any_moment_loses_and_duplicates_nothing() {
    let test = "kill_9_of_the_agent_alone_at_any_moment_loses_and_duplicates_nothing";
    let kills = std::env::var("AGENT_KILLS").map_or(AGENT_KILLS, |kills| kills.parse().expect("a number"));
    let config = format!("{NO_STORM}\n[spool]\nsegment_bytes = 1048576");
    let Some(mut system) = System::start(test, &config) else {
        return;
    };
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (kept, socket) = (Kept::default(), system.agent.socket());
    let (ended, mut killed) = (AtomicBool::new(false), 0);
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    kept.send_until(kept.len() + 1, &socket);
                }
            });
        }
        while killed < kills || kept.len() < kills * KEPT_A_KILL {
            // At work, or while it starts.
            if random.bool() {
                system.agent.wait_until_ready().expect("the agent starts again");
            }
            thread::sleep(Duration::from_millis(random.u64(0..300)));
            system.agent.process().kill();
            killed += 1;
            system.agent.launch().expect("the agent starts again");
        }
        ended.store(true, Ordering::Relaxed);
        system.agent.wait_until_ready().expect("the agent starts again");
    });
    system.wait_for_all(&kept);
    kept.assert_stored_exactly_once(&system.database);
    system.database.assert_books_balance();
    println!(
        "{} kept of {} sent; killed {killed} times",
        kept.len(),
        kept.attempts()
    );
}

#[test]
fn postgresql_stopped_for_30_s_loses_nothing_and_delivery_resumes_by_itself() {
    let test = "postgresql_stopped_for_30_s_loses_nothing_and_delivery_resumes_by_itself";
    let Some(mut system) = System::start(test, NO_STORM) else {
        return;
    };
    let (kept, socket) = (Kept::default(), system.agent.socket());
    kept.send_until(1000, &socket);
    system.wait_for_all(&kept);
    let before = system.agent.process().rss_bytes().expect("the agent's memory");

    system.database.stop().expect("PostgreSQL stops");
    let mut peak = before;
    for second in 1..=30 {
        kept.send_until(1000 + second * 100, &socket);
        thread::sleep(Duration::from_secs(1));
        peak = peak.max(system.agent.process().rss_bytes().expect("the agent's memory"));
    }
    assert!(
        system.backend.process().is_running(),
        "the collector outlives its database"
    );
    let health = system.backend.get("/healthz").expect("the collector answers");
    assert_eq!(health.status, 503, "{}", health.body);
    system.database.restart().expect("PostgreSQL starts again");

    system.wait_for_all(&kept);
    kept.assert_stored_exactly_once(&system.database);
    system.database.assert_books_balance();
    println!("agent memory {before} bytes before, {peak} at most while PostgreSQL was away");
    assert!(
        peak < before + 4 * 1024 * 1024,
        "the agent's memory grew from {before} to {peak} bytes"
    );
}

#[test]
fn sigterm_drains_what_is_kept_and_exits_0() {
    let test = "sigterm_drains_what_is_kept_and_exits_0";
    let Some(mut system) = System::start(test, NO_STORM) else {
        return;
    };
    let (kept, socket) = (Kept::default(), system.agent.socket());
    kept.send_until(500, &socket);
    let status = system
        .agent
        .process()
        .terminate()
        .expect("the agent ends in time");
    assert_eq!(status.code(), Some(0), "{}", system.agent.log_tail());
    kept.assert_stored_exactly_once(&system.database);
    let status = system
        .backend
        .process()
        .terminate()
        .expect("the collector ends in time");
    assert_eq!(status.code(), Some(0), "{}", system.backend.log_tail());
}

#[test]
fn sigterm_ends_both_in_time_while_the_other_is_in_the_way_and_nothing_is_lost() {
    let test = "sigterm_ends_both_in_time_while_the_other_is_in_the_way_and_nothing_is_lost";
    let Some(mut system) = System::start(test, NO_STORM) else {
        return;
    };
    let (kept, socket) = (Kept::default(), system.agent.socket());
    kept.send_until(10, &socket);
    system.wait_for_all(&kept);
    // The agent's stream is open.
    let status = system
        .backend
        .process()
        .terminate()
        .expect("the collector ends in time");
    assert_eq!(status.code(), Some(0), "{}", system.backend.log_tail());
    kept.send_until(20, &socket);
    // Nobody takes what it has.
    let status = system
        .agent
        .process()
        .terminate()
        .expect("the agent ends in time");
    assert_eq!(status.code(), Some(0), "{}", system.agent.log_tail());
    system.backend.restart().expect("the collector starts again");
    system.agent.restart().expect("the agent starts again");
    system.wait_for_all(&kept);
    kept.assert_stored_exactly_once(&system.database);
    system.database.assert_books_balance();
}

/// Sends from many threads until `done`, in records of at least `bytes` bytes.
fn send_while(kept: &Kept, socket: &Path, bytes: usize, done: impl Fn(&Kept) -> bool + Sync) {
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                while !done(kept) {
                    kept.send(socket, bytes).expect("an answer");
                }
            });
        }
    });
}

#[test]
fn whatever_is_given_up_is_counted_and_the_books_balance() {
    let test = "whatever_is_given_up_is_counted_and_the_books_balance";
    let config = "[storm]\nfirst = 700\nwindow_s = 10\n[spool]\nsegment_bytes = 1048576\nmax_bytes = 2097152";
    let Some(mut system) = System::start(test, config) else {
        return;
    };
    let (kept, socket) = (Kept::default(), system.agent.socket());
    send_while(&kept, &socket, 0, |kept| kept.counted() >= 50);
    for _ in 0..3 {
        let answer = sender::exchange(&socket, b"garbage, not a frame");
        assert!(answer.expect("an answer").starts_with("error: "));
    }
    let counted = i64::try_from(kept.counted()).expect("a small number");
    let told = wait_for("the losses to be told", Duration::from_mins(1), || {
        lost(&system, "STORM") >= counted && lost(&system, "REJECTED") >= 3
    });
    let losses = (lost(&system, "STORM"), lost(&system, "REJECTED"));
    assert_eq!(losses, (counted, 3), "{told:?}");
    system.wait_for_all(&kept);

    // More than twice what the spool holds, while nobody takes it; too few for a storm.
    system.backend.process().kill();
    let goal = kept.len() + 600;
    send_while(&kept, &socket, 8000, |kept| kept.len() >= goal);
    system.backend.restart().expect("the collector starts again");
    let last = kept.sequences().into_values().max().expect("something is kept");
    wait_for("what is left to arrive", Duration::from_mins(1), || {
        let stored = system.database.number("SELECT max(stored_seq) FROM senders");
        stored.is_ok_and(|stored| u64::try_from(stored).is_ok_and(|stored| stored >= last))
    })
    .expect("it arrives");
    assert!(lost(&system, "SPOOL_FULL") > 0, "the spool had room for all");
    system.database.assert_books_balance();
    assert_stored_or_in_a_gap(&system, &kept);
}

fn lost(system: &System, reason: &str) -> i64 {
    let sql = format!("SELECT coalesce(sum(events), 0)::bigint FROM losses WHERE reason = '{reason}'");
    system.database.number(&sql).expect("read the losses")
}

/// Each record that was kept is stored once, or its sequence is in a gap that says why.
fn assert_stored_or_in_a_gap(system: &System, kept: &Kept) {
    let stored = system.database.stored_payloads().expect("read the records");
    let gaps = system
        .database
        .query("SELECT seq, events FROM losses WHERE gap AND reason = 'SPOOL_FULL'")
        .expect("read the gaps");
    let evicted = |seq: u64| {
        gaps.iter().any(|row| {
            let (first, count): (i64, i64) = (row.get(0), row.get(1));
            i64::try_from(seq).is_ok_and(|seq| (first..first + count).contains(&seq))
        })
    };
    for (payload, seq) in kept.sequences() {
        let copies = stored.iter().filter(|stored| **stored == payload).count();
        assert_eq!(copies, usize::from(!evicted(seq)), "record {seq}");
    }
}
