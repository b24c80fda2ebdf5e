//! Giving records up: what a segment held becomes an account of it, beside the critical records that stay.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::{Holds, Segment, Spool, cut};
use crate::disk::DiskFile;
use crate::files::{self, failed};
use crate::format::{FrameKind, HEADER_BYTES, Header, Kind, Mark, Seed, encode_frame};
use crate::scan::{Frame, Held, Scanner};
use crate::tally::Tally;
use crate::{GapReason, SpoolError, Worth};

/// What is written at once.
const BUFFER_BYTES: usize = 256 << 10;
/// How much of the clock may pass until the mark notes it: what a crash may take back.
const NOTE_S: u32 = 60;

impl Spool {
    /// Moves the spool's clock on by the time that has passed, and gives up what is older than
    /// [`Options::max_age`](crate::Options::max_age).
    ///
    /// Only what is told here passes: a caller that measures with a clock that runs while the host sleeps and that nobody
    /// sets (`CLOCK_BOOTTIME`) need not fear a wall clock that jumps by a year. Time while no process has the spool open
    /// does not count.
    pub fn advance(&mut self, by: Duration) -> Result<(), SpoolError> {
        self.clock = self.clock.saturating_add(by);
        let (clock_s, mark) = (self.clock_s(), self.mark.get());
        if clock_s >= mark.clock_s.saturating_add(NOTE_S) {
            self.mark.note(Mark { clock_s, ..mark });
        }
        let max_age_s = self.max_age_s();
        let is_expired = |segment: &Segment| {
            segment.holds.any() && segment.holds.newest_s.saturating_add(max_age_s) <= clock_s
        };
        while let Some(index) = self.segments.iter().position(is_expired) {
            self.reduce(index, GapReason::Expired)?;
        }
        Ok(())
    }

    pub(super) fn clock_s(&self) -> u32 {
        u32::try_from(self.clock.as_secs()).unwrap_or(u32::MAX)
    }

    fn max_age_s(&self) -> u32 {
        u32::try_from(self.options.max_age.as_secs()).unwrap_or(u32::MAX)
    }

    /// Whether a segment must get no younger records: it would keep its oldest from being given up in time.
    pub(super) fn is_aged(&self, segment: &Segment) -> bool {
        segment.holds.any() && segment.holds.oldest_s.saturating_add(self.max_age_s() / 8) < self.clock_s()
    }

    /// Makes room for another segment: first the oldest that are not critical go, then the oldest critical ones.
    pub(super) fn evict(&mut self) -> Result<(), SpoolError> {
        while self.bytes() + self.options.segment_bytes > self.options.max_bytes {
            let ordinary = self.segments.iter().position(|segment| segment.holds.ordinary);
            let held = || self.segments.iter().position(|segment| segment.holds.kept);
            let Some(index) = ordinary.or_else(held) else {
                break;
            };
            match self.reduce(index, GapReason::Evicted) {
                Err(error) if is_full(&error) => self.remove_oldest_unaccounted()?,
                reduced => reduced?,
            }
        }
        Ok(())
    }

    /// On a disk without space for an account, the oldest segment goes without one.
    fn remove_oldest_unaccounted(&mut self) -> Result<(), SpoolError> {
        let mark = self.mark.get();
        let second = self.segments.get(1);
        let last = second.map_or(mark.durable, |second| second.first_seq - 1);
        self.mark.store(Mark {
            evicted: last.max(mark.evicted),
            ..mark
        })?;
        self.remove_oldest()?;
        self.directory.sync()
    }

    /// Replaces a segment by an account of what it held. When room is wanted, and there are ordinary records in it,
    /// critical ones stay. Where the segment before it holds little it takes this one's remains in: so segments that hold
    /// next to nothing do not become many.
    fn reduce(&mut self, index: usize, reason: GapReason) -> Result<(), SpoolError> {
        if index + 1 == self.segments.len()
            && let (Some(writer), Some(last)) = (self.writer.take(), self.segments.back_mut())
        {
            cut(&*writer, last);
        }
        self.cursor = None;
        let takes_in = index.checked_sub(1).filter(|before| {
            let before = &self.segments[*before];
            !before.holds.ordinary && before.end <= self.options.segment_bytes / 2
        });
        let first = takes_in.unwrap_or(index);
        // Gaps grow beyond where a segment began that was taken in: it has to be gone by then.
        self.remove_taken_in()?;
        // What is acknowledged is left out: from then on the mark alone says that it was not lost.
        self.mark.store(self.mark.get())?;
        let rewritten = self.rewrite(first, index, reason);
        let found = self.segments[first].file();
        let Ok((file, end, holds)) = rewritten else {
            // Whichever of the two it is now, its frames are found in all of it.
            if let Ok(file) = self.directory.open_to_read(&found.path)
                && let Ok(bytes) = file.size()
            {
                (self.segments[first].end, self.segments[first].file_bytes) = (bytes, bytes);
            }
            return rewritten.map(|_| ());
        };
        self.segments[first] = Segment::found(&found, end, holds, &*file)?;
        if first < index
            && let Some(taken_in) = self.segments.remove(index)
        {
            self.taken_in = Some(taken_in.path);
        }
        self.remove_taken_in()
    }

    /// Removes the segment whose remains another took in. If the machine dies before it is gone, its sequences are read
    /// from it, not from the other.
    fn remove_taken_in(&mut self) -> Result<(), SpoolError> {
        if let Some(path) = &self.taken_in {
            self.directory.remove(path)?;
            self.directory.sync()?;
            self.taken_in = None;
        }
        Ok(())
    }

    /// Writes what stays of the segments from `first` to `index`, in place of the first.
    fn rewrite(
        &self,
        first: usize,
        index: usize,
        reason: GapReason,
    ) -> Result<(crate::disk::Handle, u64, Holds), SpoolError> {
        let segment = &self.segments[first];
        let header = Header {
            epoch: self.epoch,
            first_seq: segment.first_seq,
        };
        let keeps_critical = reason == GapReason::Evicted && self.segments[index].holds.ordinary;
        let fill = |file: &dyn DiskFile, path: &Path| {
            let mut reduced = Reduced {
                file,
                path,
                seed: self.seed,
                buffer: header.encode(Kind::Segment).to_vec(),
                written: 0,
                gap: None,
                holds: Holds::default(),
            };
            if first < index {
                self.reduce_into(&mut reduced, first, None)?;
            }
            let given_up = Some((reason, keeps_critical));
            self.reduce_into(&mut reduced, index, given_up)?;
            reduced.flush()?;
            Ok((reduced.written, reduced.holds))
        };
        let (file, (end, holds)) = self.directory.create_with(&segment.path, fill)?;
        Ok((file, end, holds))
    }

    /// Adds what stays of one segment. `given_up` says why its records go, and whether critical ones stay; `None`: all
    /// stay.
    fn reduce_into(
        &self,
        reduced: &mut Reduced<'_>,
        index: usize,
        given_up: Option<(GapReason, bool)>,
    ) -> Result<(), SpoolError> {
        let segment = &self.segments[index];
        let file = match self.directory.open_to_read(&segment.path) {
            Ok(file) => file,
            // Whoever removed it took everything.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed("open", &segment.path)(error)),
        };
        let next = self.segments.get(index + 1);
        let limit = next.map_or(self.durable_seq() + 1, |next| next.first_seq);
        let span = HEADER_BYTES as u64..segment.end;
        let mut scanner = Scanner::new(&*file, span, segment.first_seq..limit, self.seed);
        let mark = self.mark.get();
        let settled = mark.acknowledged.max(mark.evicted);
        while let Some(frame) = scanner.next().map_err(failed("read", &segment.path))? {
            if frame.last > settled {
                reduced.take(frame, settled, given_up, self.options.judge)?;
            }
        }
        reduced.close_gap()
    }
}

/// True when there is no space for what was to be written.
fn is_full(error: &SpoolError) -> bool {
    let SpoolError::Io { source, .. } = error else {
        return false;
    };
    matches!(
        source.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// A gap that grows.
struct OpenGap {
    first: u64,
    /// The sequence after it.
    next: u64,
    at_s: u32,
    reason: GapReason,
    tally: Tally,
}

/// A segment that is written of what stays of others.
struct Reduced<'f> {
    file: &'f dyn DiskFile,
    path: &'f Path,
    seed: Seed,
    buffer: Vec<u8>,
    written: u64,
    gap: Option<OpenGap>,
    holds: Holds,
}

impl Reduced<'_> {
    fn take(
        &mut self,
        frame: Frame<'_>,
        settled: u64,
        given_up: Option<(GapReason, bool)>,
        judge: fn(&[u8]) -> Worth,
    ) -> Result<(), SpoolError> {
        match (frame.held, given_up) {
            (None, _) => Ok(()),
            (Some(Held::Gap { reason, tally }), _) => {
                let first = frame.seq.max(settled + 1);
                self.add_gap(first, frame.at_s, reason, &tally.after(first - frame.seq))
            }
            (Some(Held::Record { bytes, .. }), None) => self.keep(frame.seq, frame.at_s, bytes),
            (Some(Held::Record { bytes, .. }), Some((reason, keeps_critical))) => {
                let worth = judge(bytes);
                if keeps_critical && worth.is_critical {
                    return self.keep(frame.seq, frame.at_s, bytes);
                }
                let mut tally = Tally::default();
                tally.add(&worth);
                self.add_gap(frame.seq, frame.at_s, reason, &tally)
            }
        }
    }

    fn keep(&mut self, seq: u64, at_s: u32, record: &[u8]) -> Result<(), SpoolError> {
        self.close_gap()?;
        self.holds.add(at_s, true);
        self.write(seq, at_s, FrameKind::Kept, record)
    }

    fn add_gap(&mut self, first: u64, at_s: u32, reason: GapReason, tally: &Tally) -> Result<(), SpoolError> {
        let follows = |gap: &OpenGap| gap.next == first && gap.reason == reason;
        if !self.gap.as_ref().is_some_and(follows) {
            self.close_gap()?;
        }
        let gap = self.gap.get_or_insert_with(|| OpenGap {
            first,
            next: first,
            at_s,
            reason,
            tally: Tally::default(),
        });
        gap.tally.merge(tally);
        gap.next += tally.records();
        Ok(())
    }

    fn close_gap(&mut self) -> Result<(), SpoolError> {
        let Some(gap) = self.gap.take() else { return Ok(()) };
        let kind = match gap.reason {
            GapReason::Expired => FrameKind::Expired,
            GapReason::Evicted | GapReason::Unreadable => FrameKind::Evicted,
        };
        self.write(gap.first, gap.at_s, kind, &gap.tally.encode())
    }

    fn write(&mut self, seq: u64, at_s: u32, kind: FrameKind, payload: &[u8]) -> Result<(), SpoolError> {
        encode_frame(self.seed, seq, at_s, kind, payload, &mut self.buffer);
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SpoolError> {
        files::write(self.file, self.path, &self.buffer, self.written)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}
