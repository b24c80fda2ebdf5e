//! Nothing is lost and nothing is stored twice, whatever is killed or stopped on the way.

use std::{
    collections::HashSet,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use system_tests::{
    process::{Agent, Backend, wait_for},
    program, sender, skip,
};

mod database;

use database::Database;

/// Records that have to be kept in the kill test.
const RECORDS: usize = 10_000;
/// Senders at work at the same time.
const SENDERS: usize = 16;
/// How long everything may take to arrive after the last kill.
const ARRIVAL: Duration = Duration::from_secs(180);

/// The programs of one test on a database of its own.
struct System {
    backend: Backend,
    agent: Agent,
    // Dropped last: the programs above use them.
    database: Database,
    _dir: tempfile::TempDir,
}

impl System {
    /// Starts everything, or says why the test can't run.
    fn start(test: &str, agent_config: &str) -> Option<Self> {
        let programs = program("backend").and_then(|backend| Ok((backend, program("telemd")?)));
        let (backend, telemd) = programs.map_err(|reason| skip(test, &reason)).ok()?;
        let dir = tempfile::tempdir().expect("a temporary folder");
        let database = Database::start(dir.path()).map_err(|reason| skip(test, &reason)).ok()?;
        let backend = Backend::start(backend, database.url(), dir.path()).expect("the collector starts");
        let agent =
            Agent::start(telemd, &dir.path().join("agent"), backend.addresses().grpc, agent_config).expect("the agent starts");
        Some(Self { backend, agent, database, _dir: dir })
    }

    /// Waits until `count` different payloads of the test senders are stored.
    fn wait_for_stored(&self, count: usize) {
        let arrived = wait_for("the records to arrive", ARRIVAL, || {
            thread::sleep(Duration::from_millis(200));
            self.database.stored_payloads().is_ok_and(|stored| stored.len() >= count)
        });
        if let Err(error) = arrived {
            let stored = self.database.stored_payloads().map(|stored| stored.len());
            panic!("{error}: {stored:?} of {count} stored");
        }
    }
}

/// Keeps what every sender was told: a payload in here was answered with "ok".
#[derive(Default)]
struct Kept(Mutex<HashSet<String>>);

impl Kept {
    fn len(&self) -> usize {
        self.0.lock().expect("no sender panicked").len()
    }

    /// Sends until `goal` records are kept. Each attempt has a payload of its own, so that a record stored twice can
    /// only be the delivery's fault.
    fn send_until(&self, goal: usize, socket: &Path, attempts: &AtomicUsize) {
        while self.len() < goal {
            let payload = format!("attempt {}", attempts.fetch_add(1, Ordering::Relaxed));
            match sender::send(socket, &payload) {
                Ok(()) => drop(self.0.lock().expect("no sender panicked").insert(payload)),
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Every kept payload is stored exactly once; an attempt without an answer at most once.
    fn assert_stored_exactly_once(&self, stored: &[String]) {
        let distinct: HashSet<&String> = stored.iter().collect();
        assert_eq!(distinct.len(), stored.len(), "records stored more than once");
        let kept = self.0.lock().expect("no sender panicked");
        let lost: Vec<_> = kept.iter().filter(|payload| !distinct.contains(payload)).take(10).collect();
        assert!(lost.is_empty(), "kept but not stored, among others: {lost:?}");
    }
}

#[test]
fn kill_9_of_agent_and_collector_loses_and_duplicates_nothing() {
    let test = "kill_9_of_agent_and_collector_loses_and_duplicates_nothing";
    let Some(mut system) = System::start(test, "[storm]\nfirst = 1000000\n[spool]\nsegment_bytes = 262144") else {
        return;
    };
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (kept, attempts, socket) = (Kept::default(), AtomicUsize::new(0), system.agent.socket());
    let sending = AtomicBool::new(true);
    let mut kills = 0;
    thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| scope.spawn(|| kept.send_until(RECORDS, &socket, &attempts)))
            .collect();
        scope.spawn(|| {
            for sender in senders {
                sender.join().expect("a sender ends");
            }
            sending.store(false, Ordering::Relaxed);
        });
        while sending.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(random.u64(50..600)));
            kills += 1;
            if random.bool() {
                system.agent.process().kill();
                system.agent.restart().expect("the agent starts again");
            } else {
                system.backend.process().kill();
                thread::sleep(Duration::from_millis(random.u64(0..300)));
                system.backend.restart().expect("the collector starts again");
            }
        }
    });
    assert!(kills >= 3, "only {kills} kills: the schedule tested nothing");
    system.wait_for_stored(kept.len());
    kept.assert_stored_exactly_once(&system.database.stored_payloads().expect("read the records"));
    assert_eq!(system.database.unbalanced_senders().expect("read the books"), 0, "the books do not balance");
    println!("{} kept of {} attempts under {kills} kills", kept.len(), attempts.into_inner());
}

#[test]
fn postgresql_stopped_for_30_s_loses_nothing_and_delivery_resumes_by_itself() {
    let test = "postgresql_stopped_for_30_s_loses_nothing_and_delivery_resumes_by_itself";
    let Some(mut system) = System::start(test, "[storm]\nfirst = 1000000") else {
        return;
    };
    let (kept, attempts, socket) = (Kept::default(), AtomicUsize::new(0), system.agent.socket());
    kept.send_until(1000, &socket, &attempts);
    system.wait_for_stored(1000);
    let before = system.agent.process().rss_bytes().expect("the agent's memory");

    system.database.stop().expect("PostgreSQL stops");
    let mut peak = before;
    for second in 1..=30 {
        kept.send_until(1000 + second * 100, &socket, &attempts);
        thread::sleep(Duration::from_secs(1));
        peak = peak.max(system.agent.process().rss_bytes().expect("the agent's memory"));
    }
    system.database.restart().expect("PostgreSQL starts again");

    system.wait_for_stored(kept.len());
    kept.assert_stored_exactly_once(&system.database.stored_payloads().expect("read the records"));
    assert_eq!(system.database.unbalanced_senders().expect("read the books"), 0, "the books do not balance");
    println!("agent memory {before} bytes before, {peak} at most while PostgreSQL was away");
    assert!(peak < before + 4 * 1024 * 1024, "the agent's memory grew from {before} to {peak} bytes");
}

#[test]
fn sigterm_drains_what_is_kept_and_exits_0() {
    let test = "sigterm_drains_what_is_kept_and_exits_0";
    let Some(mut system) = System::start(test, "") else {
        return;
    };
    let (kept, attempts, socket) = (Kept::default(), AtomicUsize::new(0), system.agent.socket());
    kept.send_until(10, &socket, &attempts);
    let status = system.agent.process().terminate().expect("the agent ends");
    assert_eq!(status.code(), Some(0));
    assert_eq!(system.database.stored_payloads().expect("read the records").len(), kept.len());
    let status = system.backend.process().terminate().expect("the collector ends");
    assert_eq!(status.code(), Some(0));
}
