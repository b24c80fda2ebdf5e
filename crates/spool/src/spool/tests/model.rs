//! The spool against a model: whatever is done to it, and wherever it dies, what was synced is read back or declared.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Sizes of records that fill [`SMALL`] segments in a few steps.
const SIZES: std::ops::Range<usize> = 0..1500;
const EPOCHS: [u8; 16] = [7; 16];

#[derive(Debug, Clone)]
enum Step {
    Append(usize),
    Sync,
    Read {
        from: usize,
        most: usize,
        bytes: usize,
    },
    Acknowledge(usize),
    /// The next step's n-th system call answers with an error.
    Fail {
        calls: u32,
        full: bool,
    },
    /// The process dies in the n-th system call from here, or before the next opening.
    Crash {
        calls: u32,
    },
    /// It is closed and opened again.
    Reopen,
    /// The process dies with the machine; `keeps` says what of the unsynced sectors reached the disk.
    LosePower {
        keeps: u64,
    },
    /// While it is closed, something happens to its files.
    Damage(Harm),
}

#[derive(Debug, Clone)]
enum Harm {
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

fn step(damage: bool) -> impl Strategy<Value = Step> {
    let harms = u32::from(damage);
    prop_oneof![
        8 => SIZES.prop_map(Step::Append),
        6 => Just(Step::Sync),
        3 => (any::<usize>(), 0..20_usize, 0..5000_usize)
            .prop_map(|(from, most, bytes)| Step::Read { from, most, bytes }),
        2 => any::<usize>().prop_map(Step::Acknowledge),
        2 => (0..8_u32, any::<bool>()).prop_map(|(calls, full)| Step::Fail { calls, full }),
        2 => (0..12_u32).prop_map(|calls| Step::Crash { calls }),
        1 => Just(Step::Reopen),
        2 => any::<u64>().prop_map(|keeps| Step::LosePower { keeps }),
        harms => harm().prop_map(Step::Damage),
    ]
}

/// What must be true of the spool.
struct Model {
    dir: TempDir,
    spool: Option<Spool>,
    /// Records by sequence from 1 on: first those that are durable, then those that are queued. `None` is lost.
    records: Vec<Option<Vec<u8>>>,
    /// How many of them are durable for certain.
    durable: usize,
    acknowledged: u64,
    /// Distinguishes records that are given the same sequence.
    written: u64,
    /// Something happened that may lose what was durable.
    damaged: bool,
    /// A failed call may have kept the mark from being noted; with damage on top its loss can go unnoticed.
    failed: bool,
    generation: u8,
}

impl Model {
    fn new() -> Self {
        fault::settle();
        let mut model = Self {
            dir: tempfile::tempdir().unwrap(),
            spool: None,
            records: Vec::new(),
            durable: 0,
            acknowledged: 0,
            written: 0,
            damaged: false,
            failed: false,
            generation: 0,
        };
        model.reopen();
        model
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Append(bytes) => self.append(bytes),
            Step::Sync => self.sync(),
            Step::Read { from, most, bytes } => self.read(from, most, bytes),
            Step::Acknowledge(up_to) => self.acknowledge(up_to),
            Step::Fail { calls, full } => {
                self.failed = true;
                let errno = if full { Errno::NOSPC } else { Errno::IO };
                fault::plan(calls, Fault::Errno(errno));
            }
            Step::Crash { calls } => fault::plan(calls, Fault::Crash),
            Step::Reopen => self.die(),
            Step::LosePower { mut keeps } => {
                self.spool = None;
                fault::lose_power(|| {
                    keeps = keeps.rotate_left(1);
                    keeps & 1 == 1
                });
                self.reopen();
            }
            Step::Damage(ref harm) => {
                self.spool = None;
                // All of it is on disk before the damage is done: the two at once may go unnoticed.
                self.reopen();
                self.spool = None;
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

    /// Runs something on the open spool; when the process dies in it, opens the spool again.
    fn with<T>(&mut self, work: impl FnOnce(&mut Spool) -> T) -> Option<T> {
        let spool = self.spool.as_mut().unwrap();
        let done = fault::until_crash(|| work(spool));
        if done.is_none() {
            self.die();
        }
        done
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
            Some(Err(SpoolError::Io { .. })) => assert!(self.failed),
            Some(Err(other)) => panic!("{other}"),
            None => {}
        }
    }

    fn sync(&mut self) {
        match self.with(Spool::sync) {
            Some(Ok(durable)) => {
                assert_eq!(durable, self.records.len() as u64);
                self.durable = self.records.len();
            }
            Some(Err(SpoolError::Io { .. })) => assert!(self.failed),
            Some(Err(other)) => panic!("{other}"),
            None => {}
        }
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
            Some(Err(error)) => panic!("{error}"),
            None => {}
        }
    }

    fn acknowledge(&mut self, up_to: usize) {
        let seq = (up_to % (self.durable + 1)) as u64;
        match self.with(|spool| {
            spool
                .acknowledge(seq)
                .map_err(|error| (error, spool.acknowledged_seq()))
        }) {
            Some(Ok(())) => self.acknowledged = self.acknowledged.max(seq),
            Some(Err((SpoolError::Io { .. }, acknowledged))) => {
                assert!(self.failed);
                self.acknowledged = acknowledged;
            }
            Some(Err((other, _))) => panic!("{other}"),
            None => {}
        }
    }

    fn die(&mut self) {
        self.spool = None;
        self.reopen();
    }

    /// Opens it, however often that dies or fails itself.
    fn reopen(&mut self) {
        let path = self.dir.path().join("spool");
        for _ in 0..4 {
            let epoch = [EPOCHS[0] + self.generation; 16];
            match fault::until_crash(|| Spool::open(&path, SMALL, epoch)) {
                None => {}
                Some(Err(SpoolError::Io { .. })) => assert!(self.failed),
                Some(Err(other)) => panic!("{other}"),
                Some(Ok(opened)) => return self.opened(opened),
            }
        }
        panic!("it does not open");
    }

    fn opened(&mut self, opened: Opened) {
        fault::cancel();
        let mut spool = opened.spool;
        if opened.created && self.durable > 0 {
            assert!(self.damaged, "a new epoch although nothing was damaged");
            assert!(matches!(opened.damage[..], [.., Damage::MovedAside { .. }]));
            self.records.clear();
            (self.durable, self.acknowledged) = (0, 0);
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
        self.records.truncate(durable);
        self.acknowledged = spool.acknowledged_seq();
        self.check_books(&mut spool);
        self.durable = durable;
        self.spool = Some(spool);
        (self.damaged, self.failed) = (false, false);
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
        let mut files: Vec<_> = fs::read_dir(self.dir.path().join("spool"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file() && path.file_name().unwrap() != "lock")
            .collect();
        files.sort();
        let pick = |file: usize| &files[file % files.len()];
        let edit = |file: usize, change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = fs::read(pick(file)).unwrap();
            change(&mut bytes);
            fs::write(pick(file), bytes).unwrap();
        };
        match *harm {
            Harm::Delete { file } => fs::remove_file(pick(file)).unwrap(),
            Harm::Flip { file, at, bit } => edit(file, &|bytes| {
                let at = at % bytes.len().max(1);
                bytes
                    .iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|byte| *byte ^= 1 << bit);
            }),
            Harm::Cut { file, at } => edit(file, &|bytes| bytes.truncate(at % (bytes.len() + 1))),
            Harm::Overwrite {
                file,
                at,
                bytes: count,
            } => edit(file, &|bytes| {
                let at = at % (bytes.len() + 1);
                bytes
                    .iter_mut()
                    .skip(at)
                    .take(count)
                    .for_each(|byte| *byte = 0x5a);
            }),
            Harm::Append { file, bytes: count } => {
                edit(file, &|bytes| bytes.resize(bytes.len() + count, 0x5a));
            }
        }
    }
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 300,
        max_shrink_iters: 4000,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn crashes_and_failing_calls_lose_nothing_that_was_synced(steps in vec(step(false), 1..80)) {
        let mut model = Model::new();
        for step in &steps {
            model.run(step);
        }
        model.die();
    }

    #[test]
    fn damage_is_declared_and_the_books_balance(steps in vec(step(true), 1..80)) {
        let mut model = Model::new();
        for step in &steps {
            model.run(step);
        }
        model.die();
    }
}
