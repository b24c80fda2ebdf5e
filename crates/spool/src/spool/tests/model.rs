//! The spool against a model: whatever is done to it, and wherever it dies, what was synced is read back or declared.

use super::*;

mod books;
mod schedule;

use books::{Books, judge};
use schedule::{Harm, Step};
pub(super) use schedule::{Schedule, schedule};

/// How often an opening may fail or die until it has to succeed.
const OPENINGS: u32 = 5;

/// Little room, so that much is given up.
const OPTIONS: Options = Options {
    judge,
    max_bytes: 3 * 4096,
    max_age: Duration::from_hours(8),
    ..SMALL
};

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
