//! The spool against a model: whatever is done to it, and wherever it dies, what was synced is read back or declared.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Sizes of records that fill small segments in a few steps.
const SIZES: std::ops::Range<usize> = 0..1500;
/// How often an opening may fail or die until it has to succeed.
const OPENINGS: u32 = 5;

/// The eighth byte of a record, after its number, says what it is worth.
fn judge(record: &[u8]) -> Worth {
    let (class, is_critical, events) = match record.get(8).map(|byte| byte % 8) {
        Some(0) => ("critical", true, 1),
        Some(1) => ("count", false, 7),
        Some(2) => ("rare", false, 1),
        _ => ("usual", false, 1),
    };
    Worth {
        class: class.to_owned(),
        is_critical,
        events,
    }
}

/// Little room, so that much is given up.
const OPTIONS: Options = Options {
    judge,
    max_bytes: 3 * 4096,
    max_age: Duration::from_hours(8),
    ..SMALL
};

/// A life of a spool.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    /// Decides what is left to chance on the disk.
    pub(super) seed: u64,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    Append {
        worth: u8,
        bytes: usize,
    },
    Sync,
    /// Minutes pass.
    Wait(u16),
    Read {
        from: usize,
        most: usize,
        bytes: usize,
    },
    Acknowledge(usize),
    /// The n-th call from here, and some after it, answer with an error.
    Fail {
        calls: u32,
        more: u32,
        errno: i32,
    },
    /// The process dies in the n-th call from here, or before the next opening; the machine with it, or not.
    Crash {
        calls: u32,
        power: Option<u64>,
    },
    /// It is closed and opened again.
    Reopen,
    /// The machine dies between two calls.
    LosePower {
        seed: u64,
    },
    /// So many bytes are left on the disk.
    Fill {
        free: u64,
    },
    /// The disk takes no more writes.
    TurnReadOnly,
    /// The disk has space and takes writes again.
    Mend,
    /// While it is closed, something happens to its files.
    Damage(Harm),
}

#[derive(Debug, Clone)]
pub(super) enum Harm {
    Flip { file: usize, at: usize, bit: u8 },
    Cut { file: usize, at: usize },
    Overwrite { file: usize, at: usize, bytes: usize },
    Delete { file: usize },
    Append { file: usize, bytes: usize },
}

fn harm() -> impl Strategy<Value = Harm> {
    let (file, at) = (any::<usize>(), any::<usize>());
    prop_oneof![
        (file, at, 0..8_u8).prop_map(|(file, at, bit)| Harm::Flip { file, at, bit }),
        (file, at).prop_map(|(file, at)| Harm::Cut { file, at }),
        (file, at, 1..3000_usize).prop_map(|(file, at, bytes)| Harm::Overwrite { file, at, bytes }),
        file.prop_map(|file| Harm::Delete { file }),
        (file, 1..3000_usize).prop_map(|(file, bytes)| Harm::Append { file, bytes }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let errno = prop_oneof![Just(Errno::NOSPC), Just(Errno::IO), Just(Errno::ROFS)];
    prop_oneof![
        8 => (any::<u8>(), SIZES).prop_map(|(worth, bytes)| Step::Append { worth, bytes }),
        1 => (0..300_u16).prop_map(Step::Wait),
        6 => Just(Step::Sync),
        3 => (any::<usize>(), 0..20_usize, 0..5000_usize)
            .prop_map(|(from, most, bytes)| Step::Read { from, most, bytes }),
        2 => any::<usize>().prop_map(Step::Acknowledge),
        2 => (0..12_u32, 0..4_u32, errno)
            .prop_map(|(calls, more, errno)| Step::Fail { calls, more, errno: errno.raw_os_error() }),
        3 => (0..16_u32, any::<Option<u64>>()).prop_map(|(calls, power)| Step::Crash { calls, power }),
        1 => Just(Step::Reopen),
        2 => any::<u64>().prop_map(|seed| Step::LosePower { seed }),
        1 => (0..3_u64).prop_map(|blocks| Step::Fill { free: blocks * 4096 }),
        1 => Just(Step::TurnReadOnly),
        2 => Just(Step::Mend),
    ]
}

/// Schedules of crashes and refusals, and of damage to files too.
pub(super) fn schedule(damage: bool) -> impl Strategy<Value = Schedule> {
    let step = if damage {
        prop_oneof![30 => step(), 1 => harm().prop_map(Step::Damage)].boxed()
    } else {
        step().boxed()
    };
    (any::<u64>(), vec(step, 1..80)).prop_map(|(seed, steps)| Schedule { seed, steps })
}

/// What must be true of the spool.
pub(super) struct Model {
    disk: Simulated,
    spool: Option<Spool>,
    /// Records by sequence from 1 on: first those that are durable, then those that are queued. `None` is lost.
    records: Vec<Option<Vec<u8>>>,
    /// How many of them are durable for certain.
    durable: usize,
    acknowledged: u64,
    /// The largest sequence that was ever to be acknowledged.
    acknowledging: u64,
    /// Distinguishes records that are given the same sequence.
    written: u64,
    /// Something happened that may lose what was durable.
    damaged: bool,
    was_damaged: bool,
    /// Something refuses calls, or may.
    refuses: bool,
    /// What becomes of the machine when the process dies.
    power: Option<u64>,
    generation: u8,
}

impl Model {
    /// Runs a schedule; panics where it finds something wrong.
    pub(super) fn run(schedule: &Schedule) {
        let mut model = Self {
            disk: Simulated::new(schedule.seed),
            spool: None,
            records: Vec::new(),
            durable: 0,
            acknowledged: 0,
            acknowledging: 0,
            written: 0,
            damaged: false,
            was_damaged: false,
            refuses: false,
            power: None,
            generation: 0,
        };
        model.reopen();
        for step in &schedule.steps {
            model.step(step);
        }
        model.mend();
        model.reopen();
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Append { worth, bytes } => self.append(worth, bytes),
            Step::Wait(minutes) => self.wait(Duration::from_mins(minutes.into())),
            Step::Sync => self.sync(),
            Step::Read { from, most, bytes } => self.read(from, most, bytes),
            Step::Acknowledge(up_to) => self.acknowledge(up_to),
            Step::Fail { calls, more, errno } => {
                self.refuses = true;
                let errno = Errno::from_raw_os_error(errno);
                self.disk.plan(calls, Fault::Errno(errno, more));
            }
            Step::Crash { calls, power } => {
                self.power = power;
                self.disk.plan(calls, Fault::Crash);
            }
            Step::Reopen => self.reopen(),
            Step::LosePower { seed } => {
                self.spool = None;
                self.disk.lose_power(seed);
                self.reopen();
            }
            Step::Fill { free } => {
                self.refuses = true;
                self.disk.leave(Some(free));
            }
            Step::TurnReadOnly => {
                self.refuses = true;
                self.disk.make_read_only(true);
            }
            Step::Mend => self.mend(),
            Step::Damage(ref harm) => {
                self.mend();
                self.reopen();
                self.spool = None;
                // All of it is on disk before the damage is done: the two at once may go unnoticed.
                self.disk.settle();
                self.harm(harm);
                self.reopen();
            }
        }
        if let Some(spool) = &self.spool {
            assert_eq!(spool.durable_seq(), self.durable as u64);
            assert_eq!(spool.acknowledged_seq(), self.acknowledged);
            assert!(spool.bytes() <= OPTIONS.max_bytes + OPTIONS.segment_bytes);
        }
    }

    /// The disk works from here on. What was refused before may still have left its traces.
    fn mend(&mut self) {
        self.disk.leave(None);
        self.disk.make_read_only(false);
        self.disk.cancel();
    }

    /// Runs something on the open spool; when the process dies in it, opens the spool again.
    fn with<T>(&mut self, work: impl FnOnce(&mut Spool) -> T) -> Option<T> {
        let Some(spool) = self.spool.as_mut() else {
            self.reopen();
            return None;
        };
        let done = work(spool);
        if self.dies() {
            self.reopen();
            return None;
        }
        Some(done)
    }

    /// Whether the process has died; then the machine may have, too.
    fn dies(&mut self) -> bool {
        let died = self.disk.take_death();
        if died {
            self.spool = None;
            if let Some(seed) = self.power.take() {
                self.disk.lose_power(seed);
            }
        }
        died
    }

    fn wait(&mut self, time: Duration) {
        if let Some(Err(error)) = self.with(|spool| spool.advance(time)) {
            self.refused(&error);
        }
    }

    fn append(&mut self, worth: u8, bytes: usize) {
        self.written += 1;
        let mut record = self.written.to_le_bytes().to_vec();
        record.push(worth);
        record.resize(record.len() + bytes, 0xa5);
        match self.with(|spool| spool.append(&record).map(|seq| (seq, spool.durable_seq()))) {
            Some(Ok((seq, durable))) => {
                self.records.push(Some(record));
                assert_eq!(seq, self.records.len() as u64, "sequences have no holes");
                // It may have synced to make room.
                assert!(durable == self.durable as u64 || durable == seq - 1);
                self.durable = usize::try_from(durable).unwrap();
            }
            Some(Err(error)) => self.refused(&error),
            None => {}
        }
    }

    fn sync(&mut self) {
        match self.with(Spool::sync) {
            Some(Ok(durable)) => {
                assert_eq!(durable, self.records.len() as u64);
                self.durable = self.records.len();
            }
            Some(Err(error)) => self.refused(&error),
            None => {}
        }
    }

    fn refused(&self, error: &SpoolError) {
        assert!(
            self.refuses && matches!(error, SpoolError::Io { .. }),
            "{error}: {error:?}"
        );
    }

    fn read(&mut self, from: usize, most: usize, bytes: usize) {
        let from = from % (self.records.len() + 2);
        let first = from.max(1);
        match self.with(|spool| spool.read(from as u64, most, bytes)) {
            Some(Ok(Chunk::Empty)) => assert!(first > self.durable),
            Some(Ok(Chunk::Records { first_seq, records })) => {
                assert_eq!(first_seq, first as u64);
                assert!(!records.is_empty() && records.len() <= most.max(1));
                let size: usize = records.iter().map(Vec::len).sum();
                assert!(records.len() == 1 || size <= bytes);
                assert!(
                    first + records.len() - 1 <= self.durable,
                    "only what is durable is read"
                );
                for (record, known) in records.iter().zip(&self.records[first - 1..]) {
                    assert_eq!(Some(record), known.as_ref(), "a record is what it was");
                }
            }
            Some(Ok(Chunk::Gap { first_seq, count, .. })) => {
                assert_eq!(first_seq, first as u64);
                assert!(count > 0 && first_seq + count - 1 <= self.durable as u64);
            }
            Some(Err(error)) => panic!("{error}: {error:?}"),
            None => {}
        }
    }

    fn acknowledge(&mut self, up_to: usize) {
        let seq = (up_to % (self.durable + 1)) as u64;
        self.acknowledging = self.acknowledging.max(seq);
        match self.with(|spool| {
            spool
                .acknowledge(seq)
                .map_err(|error| (error, spool.acknowledged_seq()))
        }) {
            Some(Ok(())) => self.acknowledged = self.acknowledged.max(seq),
            Some(Err((error, acknowledged))) => {
                self.refused(&error);
                self.acknowledged = acknowledged;
            }
            None => {}
        }
    }

    /// Opens it, however often that dies or fails; at last on a disk that works.
    fn reopen(&mut self) {
        self.spool = None;
        for opening in 1..=OPENINGS {
            if opening == OPENINGS {
                self.mend();
            }
            let epoch = [self.generation; 16];
            let disk = Arc::new(self.disk.clone());
            let opened = Spool::open_on(disk, Path::new(SIMULATED_DIR), OPTIONS, epoch);
            if self.dies() {
                continue;
            }
            match opened {
                Ok(opened) => return self.opened(opened),
                Err(error) => self.refused(&error),
            }
        }
        panic!("it does not open");
    }

    fn opened(&mut self, opened: Opened) {
        // What is read now is compared; the plan is for the next step.
        self.disk.cancel();
        let mut spool = opened.spool;
        if opened.created && self.durable > 0 {
            assert!(self.damaged, "a new epoch although nothing was damaged");
            assert!(matches!(opened.damage[..], [.., Damage::MovedAside { .. }]));
            self.records.clear();
            (self.durable, self.acknowledged, self.acknowledging) = (0, 0, 0);
        }
        if opened.created {
            self.generation += 1;
        }
        let durable = usize::try_from(spool.durable_seq()).unwrap();
        assert!(durable >= self.durable, "{durable} of {} durable", self.durable);
        assert!(
            durable <= self.records.len(),
            "nothing is there that was not appended"
        );
        assert!(
            spool.acknowledged_seq() <= self.acknowledged.max(self.acknowledging),
            "nothing is acknowledged that was not"
        );
        self.records.truncate(durable);
        self.acknowledged = spool.acknowledged_seq();
        self.check_books(&mut spool);
        self.durable = durable;
        self.spool = Some(spool);
        self.damaged = false;
    }

    /// Everything that is not acknowledged is read or declared; only damage and the limits lose what was synced.
    fn check_books(&mut self, spool: &mut Spool) {
        let first = usize::try_from(self.acknowledged).unwrap() + 1;
        let mut books = Books::default();
        let mut at = first;
        loop {
            match spool.read(at as u64, 5, 3000).unwrap() {
                Chunk::Empty => break,
                Chunk::Records { first_seq, records } => {
                    assert_eq!(first_seq, at as u64);
                    for record in records {
                        assert_eq!(Some(&record), self.records[at - 1].as_ref());
                        books.has(&record);
                        at += 1;
                    }
                }
                Chunk::Gap {
                    first_seq,
                    count,
                    reason,
                    class,
                    events,
                } => {
                    assert_eq!(first_seq, at as u64);
                    books.tell(reason, &class, count, events);
                    for _ in 0..count {
                        self.lose(at, reason, &mut books);
                        at += 1;
                    }
                }
            }
        }
        assert_eq!(at, self.records.len() + 1, "the books balance");
        // Of what was acknowledged or damaged there may be no account.
        if !self.was_damaged && self.acknowledging == 0 {
            books.check();
        }
    }

    fn lose(&mut self, at: usize, reason: GapReason, books: &mut Books) {
        let Some(record) = self.records[at - 1].clone() else {
            return;
        };
        let was_durable = at <= self.durable;
        assert!(
            !was_durable || reason != GapReason::Unreadable || self.damaged,
            "{at} is lost: {reason:?}"
        );
        if reason == GapReason::Unreadable {
            self.records[at - 1] = None;
        } else {
            books.lost(reason, &record);
        }
    }

    fn harm(&mut self, harm: &Harm) {
        (self.damaged, self.was_damaged) = (true, true);
        let mut files = self.disk.files(Path::new(SIMULATED_DIR));
        files.retain(|path| path.parent() == Some(Path::new(SIMULATED_DIR)) && !path.ends_with("lock"));
        let pick = |file: usize| &files[file % files.len()];
        let edit = |file: usize, change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = self.disk.contents(pick(file));
            change(&mut bytes);
            self.disk.overwrite(pick(file), bytes);
        };
        let change_from = |bytes: &mut [u8], at: usize, count: usize, change: &dyn Fn(&mut u8)| {
            let at = at % (bytes.len() + 1);
            bytes.iter_mut().skip(at).take(count).for_each(change);
        };
        match *harm {
            Harm::Delete { file } => self.disk.destroy(pick(file)),
            Harm::Flip { file, at, bit } => {
                edit(file, &|bytes| {
                    change_from(bytes, at, 1, &|byte| *byte ^= 1 << bit);
                });
            }
            Harm::Cut { file, at } => edit(file, &|bytes| bytes.truncate(at % (bytes.len() + 1))),
            Harm::Overwrite {
                file,
                at,
                bytes: count,
            } => edit(file, &|bytes| {
                change_from(bytes, at, count, &|byte| *byte = 0x5a);
            }),
            Harm::Append { file, bytes: count } => {
                edit(file, &|bytes| bytes.resize(bytes.len() + count, 0x5a));
            }
        }
    }
}

/// What is lost, as it is told and as it was.
#[derive(Default)]
struct Books {
    told: BTreeMap<String, (u64, u64)>,
    lost: BTreeMap<String, (u64, u64)>,
    /// Something went without an account.
    unaccounted: bool,
    readable_ordinary: Option<u64>,
    misplaced: Option<u64>,
}

impl Books {
    fn has(&mut self, record: &[u8]) {
        if !judge(record).is_critical {
            self.readable_ordinary.get_or_insert(number(record));
        }
    }

    fn lost(&mut self, reason: GapReason, record: &[u8]) {
        let worth = judge(record);
        if worth.is_critical && reason == GapReason::Evicted && self.readable_ordinary.is_some() {
            self.misplaced.get_or_insert(number(record));
        }
        let known = self.lost.entry(worth.class).or_default();
        *known = (known.0 + 1, known.1 + worth.events);
    }

    fn tell(&mut self, reason: GapReason, class: &str, count: u64, events: u64) {
        self.unaccounted |= reason != GapReason::Unreadable && class.is_empty();
        if reason != GapReason::Unreadable {
            let known = self.told.entry(class.to_owned()).or_default();
            *known = (known.0 + count, known.1 + events);
        }
    }

    fn check(&self) {
        assert_eq!(
            self.misplaced, None,
            "a critical record went before an ordinary one that is older"
        );
        if !self.unaccounted {
            assert_eq!(self.told, self.lost, "what is lost is told by class");
        }
    }
}

/// Which of all appended records it is.
fn number(record: &[u8]) -> u64 {
    u64::from_le_bytes(record[..8].try_into().unwrap())
}
