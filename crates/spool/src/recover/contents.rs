//! What the bytes of a segment say.

use crate::SpoolError;
use crate::disk::DiskFile;
use crate::files::{SegmentFile, failed};
use crate::format::{HEADER_BYTES, Seed};
use crate::scan::{Held, Scanner};
use crate::spool::{Holds, Segment};

#[derive(Debug)]
pub(super) struct Contents {
    /// Sequences between readable ones that are not readable, first and last.
    pub(super) unreadable: Vec<(u64, u64)>,
    /// After the last readable one.
    pub(super) next: u64,
    /// The last sequence that a whole frame header shows to have been given out.
    pub(super) proven: u64,
    /// Where the last readable frame ends.
    pub(super) end: u64,
    /// Where the last frame ends that is known to be on the disk.
    pub(super) known_end: u64,
    /// Where the last byte that is not zero, or the last frame, ends.
    pub(super) used: u64,
    pub(super) holds: Holds,
    /// The disk could not read all of it.
    pub(super) has_holes: bool,
}

impl Contents {
    /// Reads a segment's frames below `limit`. `durable` is the last sequence that is known to be on the disk.
    pub(super) fn read(
        file: &dyn DiskFile,
        found: &SegmentFile,
        limit: u64,
        seed: Seed,
        durable: u64,
    ) -> Result<Self, SpoolError> {
        let at = |action| failed(action, &found.path);
        let length = file.size().map_err(at("inspect"))?;
        let first = HEADER_BYTES as u64;
        let mut scanner = Scanner::new(file, first..length.max(first), found.first_seq..limit, seed);
        let mut contents = Self {
            unreadable: Vec::new(),
            next: found.first_seq,
            proven: found.first_seq - 1,
            end: first,
            known_end: first,
            used: first,
            holds: Holds::default(),
            has_holes: false,
        };
        while let Some(frame) = scanner.next().map_err(at("read"))? {
            contents.proven = frame.last;
            contents.used = frame.end;
            if frame.last <= durable {
                contents.known_end = frame.end;
            }
            let Some(held) = frame.held else { continue };
            if let Held::Record { kept, .. } = held {
                contents.holds.add(frame.at_s, kept);
            }
            if frame.seq > contents.next {
                contents.unreadable.push((contents.next, frame.seq - 1));
            }
            contents.next = frame.last + 1;
            contents.end = frame.end;
        }
        contents.used = contents.used.max(scanner.rubbish_end());
        contents.has_holes = scanner.has_holes();
        Ok(contents)
    }
}

/// Sequences of a segment below `limit` that cannot be read, first and last of each run.
pub(crate) fn unreadable(
    file: &dyn DiskFile,
    segment: &Segment,
    limit: u64,
    seed: Seed,
) -> Result<Vec<(u64, u64)>, SpoolError> {
    let found = SegmentFile {
        first_seq: segment.first_seq,
        path: segment.path.clone(),
    };
    let mut contents = Contents::read(file, &found, limit, seed, u64::MAX)?;
    contents.unreadable.push((contents.next, limit - 1));
    Ok(contents.unreadable)
}
