//! The queue itself: appending, making durable, letting go.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::disk::{Disk, DiskFile, Handle, System};
use crate::files::{self, Directory, SegmentFile, failed};
use crate::format::{FRAME_HEADER_BYTES, FrameKind, HEADER_BYTES, Header, Kind, Mark, Seed, encode_frame};
use crate::lost::Lost;
use crate::mark::MarkFile;
use crate::recover::{Recovered, recover};
use crate::{MAX_RECORD_BYTES, Opened, Options, SpoolError};

mod read;
mod reduce;

/// Smallest [`Options::segment_bytes`]: one block.
const MIN_SEGMENT_BYTES: u64 = 4096;
/// Records that wait for [`Spool::sync`] are held in memory up to this; then they are synced unasked. It is room for
/// several of the largest and for a group commit of a thousand usual ones.
const MAX_PENDING_BYTES: usize = 1 << 20;
/// Memory for waiting records that is kept when none wait.
const KEPT_PENDING_BYTES: usize = 64 << 10;

/// A queue of records on disk; the only opener of its directory.
///
/// Sequences start at 1, have no holes and are never given out twice in an epoch. [`Spool::append`] only queues in
/// memory; [`Spool::sync`] writes everything queued at once and waits until it is on the disk. That is the group
/// commit: append what there is, then sync once.
#[derive(Debug)]
pub struct Spool {
    directory: Directory,
    options: Options,
    epoch: [u8; 16],
    seed: Seed,
    /// In order; the sequences of each end where the next one's begin.
    segments: VecDeque<Segment>,
    /// The last segment, open for writing. `None` when it must not be written any more: the next sync begins a new one.
    writer: Option<Handle>,
    /// Frames of the sequences after `mark.durable`, in order.
    pending: Vec<u8>,
    pending_records: u64,
    pending_holds: Holds,
    /// How much time has passed since the spool was made, as far as it was told.
    clock: Duration,
    mark: MarkFile,
    /// What is lost above the oldest segment's first sequence.
    lost: Lost,
    cursor: Option<read::Cursor>,
    /// A segment that is still to be removed because another took its remains in.
    taken_in: Option<PathBuf>,
}

/// A segment on disk.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) first_seq: u64,
    pub(crate) path: PathBuf,
    /// Where its last durable frame ends.
    pub(crate) end: u64,
    /// Size of the file: `end` and preallocated space.
    file_bytes: u64,
    pub(crate) holds: Holds,
}

/// What records a segment holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holds {
    /// Such as were never given up.
    pub(crate) ordinary: bool,
    /// Critical ones that stayed when others were given up.
    pub(crate) kept: bool,
    /// When the oldest and the newest were appended, by the spool's clock, seconds.
    pub(crate) oldest_s: u32,
    pub(crate) newest_s: u32,
}

impl Default for Holds {
    fn default() -> Self {
        Self {
            ordinary: false,
            kept: false,
            oldest_s: u32::MAX,
            newest_s: 0,
        }
    }
}

impl Holds {
    /// Adds a record.
    pub(crate) fn add(&mut self, at_s: u32, kept: bool) {
        self.kept |= kept;
        self.ordinary |= !kept;
        self.oldest_s = self.oldest_s.min(at_s);
        self.newest_s = self.newest_s.max(at_s);
    }

    fn join(&mut self, other: Self) {
        self.kept |= other.kept;
        self.ordinary |= other.ordinary;
        self.oldest_s = self.oldest_s.min(other.oldest_s);
        self.newest_s = self.newest_s.max(other.newest_s);
    }

    pub(crate) fn any(&self) -> bool {
        self.ordinary || self.kept
    }
}

impl Segment {
    /// Makes an empty one, with room for `reserve` bytes.
    pub(crate) fn create(
        directory: &Directory,
        epoch: [u8; 16],
        first_seq: u64,
        reserve: u64,
    ) -> Result<(Self, Handle), SpoolError> {
        let path = directory.segment_path(first_seq);
        let header = Header { epoch, first_seq }.encode(Kind::Segment);
        let file = directory.create(&path, &header, reserve)?;
        let found = SegmentFile { first_seq, path };
        let segment = Self::found(&found, HEADER_BYTES as u64, Holds::default(), &*file)?;
        Ok((segment, file))
    }

    pub(crate) fn found(
        found: &SegmentFile,
        end: u64,
        holds: Holds,
        file: &dyn DiskFile,
    ) -> Result<Self, SpoolError> {
        let file_bytes = file.size().map_err(failed("inspect", &found.path))?;
        Ok(Self {
            first_seq: found.first_seq,
            path: found.path.clone(),
            end,
            file_bytes,
            holds,
        })
    }

    fn file(&self) -> SegmentFile {
        SegmentFile {
            first_seq: self.first_seq,
            path: self.path.clone(),
        }
    }
}

impl Spool {
    /// Opens the spool in `dir`, or makes one there with the epoch `new_epoch`, 16 random bytes.
    ///
    /// Damage does not keep it from opening: it is reported in [`Opened::damage`], and what is lost is read as
    /// [`Chunk::Gap`](crate::Chunk::Gap).
    pub fn open(dir: &Path, options: Options, new_epoch: [u8; 16]) -> Result<Opened, SpoolError> {
        Self::open_on(Arc::new(System), dir, options, new_epoch)
    }

    /// Opens a spool on a file system other than this machine's.
    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: Options,
        new_epoch: [u8; 16],
    ) -> Result<Opened, SpoolError> {
        if options.segment_bytes < MIN_SEGMENT_BYTES {
            return Err(SpoolError::Options {
                reason: "segment_bytes is less than 4096",
            });
        }
        if options.max_bytes / 2 < options.segment_bytes {
            return Err(SpoolError::Options {
                reason: "max_bytes is less than two segments",
            });
        }
        let directory = Directory::open(disk, dir)?;
        let Recovered {
            epoch,
            created,
            segments,
            writer,
            mark,
            lost,
            damage,
        } = recover(&directory, options, new_epoch)?;
        let spool = Self {
            directory,
            options,
            epoch,
            seed: Seed::of_epoch(epoch),
            segments: segments.into(),
            writer,
            pending: Vec::new(),
            pending_records: 0,
            pending_holds: Holds::default(),
            clock: Duration::from_secs(mark.get().clock_s.into()),
            mark,
            lost,
            cursor: None,
            taken_in: None,
        };
        Ok(Opened {
            spool,
            created,
            damage,
        })
    }

    /// What its sequences belong to: 16 random bytes, made when the spool was created.
    pub fn epoch(&self) -> [u8; 16] {
        self.epoch
    }

    /// The last durable sequence; zero: none yet.
    pub fn durable_seq(&self) -> u64 {
        self.mark.get().durable
    }

    /// The last acknowledged sequence; zero: none yet.
    pub fn acknowledged_seq(&self) -> u64 {
        self.mark.get().acknowledged
    }

    /// Durable sequences that are not acknowledged, gaps included.
    pub fn backlog(&self) -> u64 {
        self.durable_seq() - self.acknowledged_seq()
    }

    /// Size of all segments on disk, bytes, preallocated space included.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.file_bytes).sum()
    }

    /// The largest record that it takes, bytes: [`MAX_RECORD_BYTES`], or less when segments are smaller.
    pub fn max_record_bytes(&self) -> usize {
        (self.segment_capacity() - FRAME_HEADER_BYTES).min(MAX_RECORD_BYTES)
    }

    /// Queues a record and says its sequence. It is not durable before the next [`Spool::sync`].
    ///
    /// When much is queued already (1 MiB, or a segment), that is synced first; if it cannot be, the record is not
    /// taken and the error is returned.
    pub fn append(&mut self, record: &[u8]) -> Result<u64, SpoolError> {
        let limit = self.max_record_bytes();
        if record.len() > limit {
            return Err(SpoolError::RecordTooLarge {
                bytes: record.len(),
                limit,
            });
        }
        let frame_bytes = FRAME_HEADER_BYTES + record.len();
        if self.pending.len() + frame_bytes > self.segment_capacity().min(MAX_PENDING_BYTES) {
            self.sync()?;
        }
        let seq = self.durable_seq() + self.pending_records + 1;
        let at_s = self.clock_s();
        encode_frame(self.seed, seq, at_s, FrameKind::Record, record, &mut self.pending);
        self.pending_records += 1;
        self.pending_holds.add(at_s, false);
        Ok(seq)
    }

    /// Makes all that was appended durable, and says up to which sequence everything is.
    ///
    /// When it fails nothing more is durable than before; the records stay queued and the next call tries again, in a
    /// new segment.
    pub fn sync(&mut self) -> Result<u64, SpoolError> {
        if self.pending.is_empty() {
            return Ok(self.durable_seq());
        }
        let writer = self.writer_with_room(self.pending.len() as u64)?;
        let Some(segment) = self.segments.back_mut() else {
            return Ok(self.durable_seq());
        };
        let written = files::write_durably(&*writer, &segment.path, &self.pending, segment.end);
        if let Err(error) = written {
            // What the disk holds past `end` is unknown now, and a later fdatasync would say nothing about it (the
            // kernel may have dropped the pages and reported it once). So this file is not written any more. Cutting it
            // keeps its unsynced pages from being read back; if that fails too, the next segment, which begins with the
            // same sequence, outranks what may be there.
            cut(&*writer, segment);
            return Err(error);
        }
        segment.end += self.pending.len() as u64;
        segment.file_bytes = segment.file_bytes.max(segment.end);
        segment.holds.join(std::mem::take(&mut self.pending_holds));
        self.writer = Some(writer);
        self.pending.clear();
        self.pending.shrink_to(KEPT_PENDING_BYTES);
        let durable = self.durable_seq() + std::mem::take(&mut self.pending_records);
        self.mark.note(Mark {
            durable,
            ..self.mark.get()
        });
        Ok(durable)
    }

    /// Lets go of all records up to and including `seq`. What is acknowledged already is no error.
    ///
    /// Acknowledgements may be forgotten when the machine dies, or the process while it notes one: the records that are
    /// still there are then read again.
    pub fn acknowledge(&mut self, seq: u64) -> Result<(), SpoolError> {
        let mark = self.mark.get();
        if seq > mark.durable {
            return Err(SpoolError::AcknowledgedTooFar {
                seq,
                durable: mark.durable,
            });
        }
        if seq <= mark.acknowledged {
            return Ok(());
        }
        let mark = Mark {
            acknowledged: seq,
            ..mark
        };
        self.mark.note(mark);
        self.lost.forget(seq);
        if self
            .segments
            .get(1)
            .is_none_or(|second| second.first_seq > seq + 1)
        {
            return Ok(());
        }
        // Once the segments are gone, the mark alone says that they were not lost.
        self.mark.store(mark)?;
        while self
            .segments
            .get(1)
            .is_some_and(|second| second.first_seq <= seq + 1)
        {
            self.remove_oldest()?;
        }
        self.directory.sync()
    }

    /// What of a segment frames can fill, bytes.
    fn segment_capacity(&self) -> usize {
        let bytes = usize::try_from(self.options.segment_bytes).unwrap_or(usize::MAX);
        bytes - HEADER_BYTES
    }

    /// Takes the file of the last segment if `bytes` fit, otherwise of a new one.
    fn writer_with_room(&mut self, bytes: u64) -> Result<Handle, SpoolError> {
        let is_aged = self.segments.back().is_some_and(|last| self.is_aged(last));
        if let (Some(writer), Some(segment)) = (self.writer.take(), self.segments.back_mut()) {
            if segment.end + bytes <= self.options.segment_bytes && !is_aged {
                return Ok(writer);
            }
            cut(&*writer, segment);
        }
        self.evict()?;
        let first_seq = self.durable_seq() + 1;
        let (segment, writer) =
            Segment::create(&self.directory, self.epoch, first_seq, self.options.segment_bytes)?;
        // A segment that nothing could be written to has the same name: it is replaced.
        if self
            .segments
            .pop_back_if(|last| last.first_seq == first_seq)
            .is_some()
        {
            self.cursor = None;
        }
        self.segments.push_back(segment);
        Ok(writer)
    }

    fn remove_oldest(&mut self) -> Result<(), SpoolError> {
        let Some(oldest) = self.segments.front() else {
            return Ok(());
        };
        self.directory.remove(&oldest.path)?;
        self.cursor.take_if(|cursor| cursor.is_in(oldest));
        self.segments.pop_front();
        Ok(())
    }
}

/// Gives back what was preallocated. A failure leaves zeros behind the last frame, which is harmless.
fn cut(file: &dyn DiskFile, segment: &mut Segment) {
    if file.set_size(segment.end).is_ok() {
        segment.file_bytes = segment.end;
    }
}

#[cfg(test)]
mod tests;
