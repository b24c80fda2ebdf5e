//! Agent, collector and database of one test, and what its senders were told.

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::{
    database::Database,
    or_skip,
    process::{Agent, Backend, wait_for},
    programs,
    sender::{self, Answer},
};

/// How long everything may take to arrive.
const ARRIVAL: Duration = Duration::from_mins(3);
/// How long a sender waits after the agent did not answer.
const PAUSE: Duration = Duration::from_millis(10);

/// Memory, deadlines and schedules of kills mean little while another system runs beside.
static TURN: Mutex<()> = Mutex::new(());

/// The programs of one test on a database of its own.
#[derive(Debug)]
pub struct System {
    /// The collector.
    pub backend: Backend,
    /// The agent.
    pub agent: Agent,
    // Dropped after the programs above, which use them.
    /// The database.
    pub database: Database,
    /// Where all of them have their files.
    pub dir: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl System {
    /// Starts everything, or says why the test can't run. `agent_config` is appended to the agent's configuration.
    pub fn start(test: &str, agent_config: &str) -> Option<Self> {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let [backend, telemd] = programs(test, ["backend", "telemd"])?;
        let database = or_skip(test, Database::start())?;
        let dir = tempfile::tempdir().expect("a temporary folder");
        let backend = Backend::start(backend, database.url(), dir.path()).expect("the collector starts");
        let agent = Agent::start(
            telemd,
            &dir.path().join("agent"),
            backend.addresses().grpc,
            agent_config,
        )
        .expect("the agent starts");
        Some(Self {
            backend,
            agent,
            database,
            dir,
            _turn: turn,
        })
    }

    /// Waits until everything that `kept` knows of is stored.
    ///
    /// # Panics
    /// When it does not arrive.
    pub fn wait_for_all(&self, kept: &Kept) {
        let stored = || {
            let stored = self.database.stored_payloads().unwrap_or_default();
            stored.into_iter().collect::<HashSet<_>>()
        };
        let arrived = wait_for("the records to arrive", ARRIVAL, || {
            std::thread::sleep(Duration::from_millis(200));
            kept.payloads().is_subset(&stored())
        });
        if let Err(error) = arrived {
            let (agent, backend) = (self.agent.log_tail(), self.backend.log_tail());
            let missing = kept.payloads().difference(&stored()).count();
            panic!("{error}: {missing} are missing\nagent:\n{agent}\ncollector:\n{backend}");
        }
    }
}

/// What the senders were told.
#[derive(Debug, Default)]
pub struct Kept {
    /// Sequence of each payload that was answered with "ok".
    sequences: Mutex<BTreeMap<String, u64>>,
    counted: AtomicU64,
    attempts: AtomicUsize,
}

impl Kept {
    /// How many are kept.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many storm control counted.
    pub fn counted(&self) -> u64 {
        self.counted.load(Ordering::Relaxed)
    }

    /// How many were sent, whatever became of them.
    pub fn attempts(&self) -> usize {
        self.attempts.load(Ordering::Relaxed)
    }

    /// The payloads that are kept.
    pub fn payloads(&self) -> HashSet<String> {
        self.lock().keys().cloned().collect()
    }

    /// The payloads that are kept, with their sequences.
    pub fn sequences(&self) -> BTreeMap<String, u64> {
        self.lock().clone()
    }

    /// Sends one record of at least `bytes` bytes. Each attempt has a payload of its own, so that a record that is
    /// stored twice can only be the delivery's fault.
    pub fn send(&self, socket: &Path, bytes: usize) -> anyhow::Result<Answer> {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        let payload = format!("{:x<bytes$}", format!("attempt {attempt} "));
        let answer = sender::send(socket, &payload)?;
        match answer {
            Answer::Kept(seq) => drop(self.lock().insert(payload, seq)),
            Answer::Counted => drop(self.counted.fetch_add(1, Ordering::Relaxed)),
        }
        Ok(answer)
    }

    /// Sends until `goal` records are kept, however often the agent dies meanwhile.
    pub fn send_until(&self, goal: usize, socket: &Path) {
        while self.len() < goal {
            if self.send(socket, 0).is_err() {
                std::thread::sleep(PAUSE);
            }
        }
    }

    /// Every kept payload is stored exactly once; an attempt without an answer at most once.
    ///
    /// # Panics
    /// When that is not so.
    pub fn assert_stored_exactly_once(&self, database: &Database) {
        let stored = database.stored_payloads().expect("read the records");
        let distinct: HashSet<&String> = stored.iter().collect();
        assert_eq!(distinct.len(), stored.len(), "records stored more than once");
        let kept = self.lock();
        let lost: Vec<_> = kept
            .iter()
            .filter(|(payload, _)| !distinct.contains(payload))
            .take(10)
            .collect();
        assert!(lost.is_empty(), "kept but not stored, among others: {lost:?}");
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.sequences.lock().expect("no sender panicked")
    }
}
