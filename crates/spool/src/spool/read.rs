//! Reading durable records.

use std::io;

use super::{Segment, Spool};
use crate::disk::Handle;
use crate::files::failed;
use crate::format::{FRAME_HEADER_BYTES, HEADER_BYTES};
use crate::recover::unreadable;
use crate::scan::{Held, Scanner};
use crate::tally::Part;
use crate::{Chunk, GapReason, SpoolError};

/// Where the last reading ended, so that the next one need not search.
#[derive(Debug)]
pub(super) struct Cursor {
    segment: u64,
    file: Handle,
    next_seq: u64,
    offset: u64,
}

impl Cursor {
    pub(super) fn is_in(&self, segment: &Segment) -> bool {
        self.segment == segment.first_seq
    }
}

/// What was found where records should be.
enum Found {
    Records(Vec<Vec<u8>>),
    /// They were given up.
    Gap(GapReason, Part),
    /// The first record cannot be read.
    Damage,
}

impl Spool {
    /// Reads durable records from `from_seq` on: at most `max_records`, and at most `max_bytes` of them unless the first
    /// alone is larger. A chunk may be shorter than what there is; [`Chunk::Empty`] alone says that there is no more.
    ///
    /// Reading on where the last chunk ended costs no search. Records that were acknowledged can be read as long as
    /// their segment is there; after that they are a gap.
    pub fn read(&mut self, from_seq: u64, max_records: usize, max_bytes: usize) -> Result<Chunk, SpoolError> {
        let first_seq = from_seq.max(1);
        if let Some(answer) = self.without_disk(first_seq) {
            return Ok(answer);
        }
        let max_records = max_records.max(1);
        if let Some(chunk) = self.on_disk(first_seq, max_records, max_bytes)? {
            return Ok(chunk);
        }
        // It was readable when it was written or recovered. Find out what else of the segment is lost.
        self.examine(first_seq)?;
        if let Some(gap) = self.without_disk(first_seq) {
            return Ok(gap);
        }
        if let Some(chunk) = self.on_disk(first_seq, max_records, max_bytes)? {
            return Ok(chunk);
        }
        self.lost.insert(first_seq, first_seq, GapReason::Unreadable);
        Ok(unaccounted(first_seq, first_seq, GapReason::Unreadable))
    }

    /// The answer if there is a frame for `first_seq`.
    fn on_disk(
        &mut self,
        first_seq: u64,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Option<Chunk>, SpoolError> {
        Ok(match self.found(first_seq, max_records, max_bytes)? {
            Found::Records(records) => Some(Chunk::Records { first_seq, records }),
            Found::Gap(reason, part) => Some(Chunk::Gap {
                first_seq,
                count: part.records,
                reason,
                class: part.class,
                events: part.events,
            }),
            Found::Damage => None,
        })
    }

    /// The answer if no records are known to be there.
    fn without_disk(&self, first_seq: u64) -> Option<Chunk> {
        let durable = self.durable_seq();
        if first_seq > durable {
            return Some(Chunk::Empty);
        }
        if let Some(range) = self.lost.containing(first_seq) {
            return Some(unaccounted(first_seq, range.last.min(durable), range.reason));
        }
        let oldest = self
            .segments
            .front()
            .map_or(durable + 1, |oldest| oldest.first_seq);
        let evicted_to = self.lost.next(first_seq).unwrap_or(oldest).min(oldest) - 1;
        (first_seq < oldest).then(|| unaccounted(first_seq, evicted_to, GapReason::Evicted))
    }

    /// Index of the segment that holds `seq`, and the sequence at which the next one begins.
    fn locate(&self, seq: u64) -> Option<(usize, u64)> {
        let index = self
            .segments
            .partition_point(|segment| segment.first_seq <= seq)
            .checked_sub(1)?;
        let limit = self
            .segments
            .get(index + 1)
            .map_or(self.durable_seq() + 1, |next| next.first_seq);
        Some((index, limit))
    }

    fn found(&mut self, first_seq: u64, max_records: usize, max_bytes: usize) -> Result<Found, SpoolError> {
        let Some((index, limit)) = self.locate(first_seq) else {
            return Ok(Found::Damage);
        };
        let segment = &self.segments[index];
        let cursor = match self.cursor.take() {
            Some(cursor) if cursor.is_in(segment) && cursor.next_seq <= first_seq => cursor,
            _ => {
                let file = match self.directory.open_to_read(&segment.path) {
                    Ok(file) => file,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Damage),
                    Err(error) => return Err(failed("open", &segment.path)(error)),
                };
                let (segment, next_seq) = (segment.first_seq, segment.first_seq);
                Cursor {
                    segment,
                    file,
                    next_seq,
                    offset: HEADER_BYTES as u64,
                }
            }
        };
        let limit = self.lost.next(first_seq).map_or(limit, |lost| limit.min(lost));
        let most = max_records.min(usize::try_from(limit - first_seq).unwrap_or(usize::MAX));
        let mut reading = Reading {
            records: Vec::new(),
            bytes: 0,
            gap: None,
            most,
            max_bytes,
        };
        let cursor = reading
            .run(cursor, segment, first_seq, limit, self.seed)
            .map_err(failed("read", &segment.path))?;
        self.cursor = Some(cursor);
        Ok(match reading.gap {
            Some((reason, part)) => Found::Gap(reason, part),
            None if reading.records.is_empty() => Found::Damage,
            None => Found::Records(reading.records),
        })
    }

    /// Looks through the segment of `seq` for everything that is not readable any more.
    fn examine(&mut self, seq: u64) -> Result<(), SpoolError> {
        self.cursor = None;
        let Some((index, limit)) = self.locate(seq) else {
            return Ok(());
        };
        let segment = &self.segments[index];
        if !self.directory.exists(&segment.path) {
            self.lost
                .insert(segment.first_seq, limit - 1, GapReason::Unreadable);
            return Ok(());
        }
        let file = self.directory.open_to_read(&segment.path);
        let file = file.map_err(failed("open", &segment.path))?;
        for (first, last) in unreadable(&*file, segment, limit, self.seed)? {
            self.lost.insert(first, last, GapReason::Unreadable);
        }
        Ok(())
    }
}

/// A gap of which nothing more is known.
fn unaccounted(first_seq: u64, last: u64, reason: GapReason) -> Chunk {
    let count = last - first_seq + 1;
    Chunk::Gap {
        first_seq,
        count,
        reason,
        class: String::new(),
        events: count,
    }
}

/// One reading of contiguous records.
struct Reading {
    records: Vec<Vec<u8>>,
    bytes: usize,
    /// What is there instead of the first record.
    gap: Option<(GapReason, Part)>,
    most: usize,
    max_bytes: usize,
}

impl Reading {
    /// Reads from the cursor to `first_seq` and from there what fits, and says where it ended.
    fn run(
        &mut self,
        mut cursor: Cursor,
        segment: &Segment,
        first_seq: u64,
        limit: u64,
        seed: crate::format::Seed,
    ) -> io::Result<Cursor> {
        let span = cursor.offset..segment.end;
        // Most readings want a few records just behind the writer: then no more than they can be is read.
        let wanted = (self.most.saturating_mul(FRAME_HEADER_BYTES)).saturating_add(self.max_bytes);
        let mut scanner = Scanner::new(&*cursor.file, span, cursor.next_seq..limit, seed).reading(wanted);
        let (mut next_seq, mut offset) = (cursor.next_seq, cursor.offset);
        while self.records.len() < self.most {
            let Some(frame) = scanner.next()? else { break };
            let expected = first_seq + self.records.len() as u64;
            if frame.last >= expected {
                match frame.held {
                    Some(Held::Record { bytes, .. }) if frame.seq == expected && self.takes(bytes) => {
                        self.bytes += bytes.len();
                        self.records.push(bytes.to_vec());
                    }
                    Some(Held::Gap { reason, tally }) if frame.seq <= expected && self.records.is_empty() => {
                        self.gap = tally.part(expected - frame.seq).map(|part| (reason, part));
                        break;
                    }
                    _ => break,
                }
            }
            (next_seq, offset) = (frame.last + 1, frame.end);
        }
        (cursor.next_seq, cursor.offset) = (next_seq, offset);
        Ok(cursor)
    }

    fn takes(&self, record: &[u8]) -> bool {
        self.records.is_empty() || self.bytes + record.len() <= self.max_bytes
    }
}
