//! The spool against a model: whatever is done to it, and wherever it dies, what was synced is read back or declared.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Sizes of records that fill [`SMALL`] segments in a few steps.
const SIZES: std::ops::Range<usize> = 0..1500;
/// How often an opening may fail or die until it has to succeed.
const OPENINGS: u32 = 5;

/// A life of a spool.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    /// Decides what is left to chance on the disk.
    pub(super) seed: u64,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    Append(usize),
    Sync,
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
        8 => SIZES.prop_map(Step::Append),
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
            Step::Append(bytes) => self.append(bytes),
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
            assert!(spool.bytes() <= SMALL.max_bytes + SMALL.segment_bytes);
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

    fn append(&mut self, bytes: usize) {
        self.written += 1;
        let mut record = self.written.to_le_bytes().to_vec();
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
            let opened = Spool::open_on(disk, Path::new(SIMULATED_DIR), SMALL, epoch);
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

    /// Everything that is not acknowledged is read or declared, and only damage or the limit loses what was synced.
    fn check_books(&mut self, spool: &mut Spool) {
        let mut at = usize::try_from(self.acknowledged).unwrap() + 1;
        let mut only_evicted_so_far = true;
        loop {
            match spool.read(at as u64, 5, 3000).unwrap() {
                Chunk::Empty => break,
                Chunk::Records { first_seq, records } => {
                    only_evicted_so_far = false;
                    assert_eq!(first_seq, at as u64);
                    for record in records {
                        assert_eq!(Some(&record), self.records[at - 1].as_ref());
                        at += 1;
                    }
                }
                Chunk::Gap {
                    first_seq,
                    count,
                    reason,
                } => {
                    assert_eq!(first_seq, at as u64);
                    for _ in 0..count {
                        let was_readable = self.records[at - 1].take().is_some() && at <= self.durable;
                        let evicted = reason == GapReason::Evicted && only_evicted_so_far;
                        assert!(
                            !was_readable || evicted || self.damaged,
                            "{at} is lost: {reason:?}"
                        );
                        at += 1;
                    }
                }
            }
        }
        assert_eq!(at, self.records.len() + 1, "the books balance");
    }

    fn harm(&mut self, harm: &Harm) {
        self.damaged = true;
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
