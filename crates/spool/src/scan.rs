//! Walks the frames of a segment, over whatever damage there is.

use std::io;
use std::ops::Range;

use crate::GapReason;
use crate::disk::DiskFile;
use crate::files::is_media_error;
use crate::format::{FRAME_HEADER_BYTES, FrameHeader, FrameKind, Seed};
use crate::tally::Tally;

/// What is read from disk at once. A frame may be larger, then that is read at once.
const WINDOW_BYTES: usize = 256 << 10;
/// What is taken for lost when the disk cannot read.
const BLOCK_BYTES: usize = 4096;

/// A frame whose header is whole.
#[derive(Debug)]
pub(crate) struct Frame<'w> {
    pub(crate) seq: u64,
    /// The last sequence that it is about: more than `seq` only for a gap.
    pub(crate) last: u64,
    /// When it was appended, by the spool's own clock, seconds.
    pub(crate) at_s: u32,
    /// Where the next frame begins.
    pub(crate) end: u64,
    /// What it holds, when that is whole too.
    pub(crate) held: Option<Held<'w>>,
}

/// What a frame holds.
#[derive(Debug)]
pub(crate) enum Held<'w> {
    Record {
        bytes: &'w [u8],
        /// It stayed when its segment was given up.
        kept: bool,
    },
    Gap {
        reason: GapReason,
        tally: Tally,
    },
}

/// Finds frames in order of sequence, each by the checksum of its header. Where a frame should begin and none does, it
/// searches byte by byte for the next that does.
#[derive(Debug)]
pub(crate) struct Scanner<'f> {
    window: Window<'f>,
    seed: Seed,
    offset: u64,
    /// What the next frame's sequence may be.
    seqs: Range<u64>,
    /// One past the last byte that is neither zero nor part of a frame with a whole header.
    rubbish_end: u64,
}

impl<'f> Scanner<'f> {
    /// Scans the bytes `span` of `file` for frames with sequences in `seqs`.
    pub(crate) fn new(file: &'f dyn DiskFile, span: Range<u64>, seqs: Range<u64>, seed: Seed) -> Self {
        let window = Window {
            file,
            end: span.end,
            start: span.start,
            buffer: Vec::new(),
            at_once: WINDOW_BYTES,
            holes: false,
        };
        Self {
            window,
            seed,
            offset: span.start,
            seqs,
            rubbish_end: 0,
        }
    }

    /// Reads about `bytes` at once where a frame is not larger, and never less than a block.
    pub(crate) fn reading(mut self, bytes: usize) -> Self {
        self.window.at_once = bytes.clamp(BLOCK_BYTES, WINDOW_BYTES);
        self
    }

    /// The next frame, or `None` when no further one can be found.
    pub(crate) fn next(&mut self) -> io::Result<Option<Frame<'_>>> {
        let Some((at, header)) = self.find_header()? else {
            return Ok(None);
        };
        let (seed, limit) = (self.seed, self.seqs.end);
        let bytes = self.window.view(at, header.frame_bytes())?;
        let held = bytes
            .get(FRAME_HEADER_BYTES..header.frame_bytes())
            .filter(|payload| seed.crc(payload) == header.payload_crc)
            .and_then(|payload| held(&header, payload, limit));
        let last = match &held {
            Some(Held::Gap { tally, .. }) => header.seq + tally.records() - 1,
            _ => header.seq,
        };
        self.seqs.start = last + 1;
        // The length of a frame that is cut short says nothing about where the next one begins.
        let whole = bytes.len() >= header.frame_bytes();
        let length = if whole {
            header.frame_bytes()
        } else {
            FRAME_HEADER_BYTES
        };
        self.offset = at + length as u64;
        Ok(Some(Frame {
            seq: header.seq,
            last,
            at_s: header.at_s,
            end: self.offset,
            held,
        }))
    }

    fn find_header(&mut self) -> io::Result<Option<(u64, FrameHeader)>> {
        let (seed, seqs) = (self.seed, self.seqs.clone());
        let header_at =
            |bytes: &[u8]| FrameHeader::decode(bytes, seed).filter(|header| seqs.contains(&header.seq));
        loop {
            let bytes = self.window.view(self.offset, FRAME_HEADER_BYTES)?;
            if let Some(header) = header_at(bytes) {
                return Ok(Some((self.offset, header)));
            }
            // Preallocated space is the usual end of a segment: zeros are passed over quickly.
            let zeros = bytes.iter().all(|byte| *byte == 0);
            let found = if zeros {
                None
            } else {
                bytes
                    .windows(FRAME_HEADER_BYTES)
                    .position(|at| header_at(at).is_some())
            };
            let passed = &bytes[..found.unwrap_or(bytes.len())];
            if let Some(last) = passed.iter().rposition(|byte| *byte != 0) {
                self.rubbish_end = self.offset + last as u64 + 1;
            }
            // Without one in this window, one may still begin in its last bytes.
            let seen = bytes.len();
            let step = found.unwrap_or(seen.saturating_sub(FRAME_HEADER_BYTES - 1));
            if found.is_none() && (step == 0 || self.window.reaches_end()) {
                return Ok(None);
            }
            self.offset += step as u64;
        }
    }

    /// One past the last byte seen that is neither zero nor part of a frame with a whole header; zero when there is none.
    pub(crate) fn rubbish_end(&self) -> u64 {
        self.rubbish_end
    }

    /// True when the disk could not read all of it.
    pub(crate) fn has_holes(&self) -> bool {
        self.window.holes
    }
}

/// What follows a header; `None` when it is no account of sequences below `limit`.
fn held<'w>(header: &FrameHeader, payload: &'w [u8], limit: u64) -> Option<Held<'w>> {
    let reason = match header.kind {
        FrameKind::Record | FrameKind::Kept => {
            return Some(Held::Record {
                bytes: payload,
                kept: header.kind == FrameKind::Kept,
            });
        }
        FrameKind::Evicted => GapReason::Evicted,
        FrameKind::Expired => GapReason::Expired,
    };
    let tally = Tally::decode(payload)?;
    let after = header.seq.checked_add(tally.records())?;
    (after <= limit).then_some(Held::Gap { reason, tally })
}

/// The part of a file that is in memory.
#[derive(Debug)]
struct Window<'f> {
    file: &'f dyn DiskFile,
    /// Where reading ends, in the file.
    end: u64,
    /// Where `buffer` begins, in the file.
    start: u64,
    buffer: Vec<u8>,
    at_once: usize,
    holes: bool,
}

impl Window<'_> {
    /// The bytes from `at` on: at least `least` of them, unless the end comes first.
    fn view(&mut self, at: u64, least: usize) -> io::Result<&[u8]> {
        let skip = usize::try_from(at.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let held = self.buffer.len().saturating_sub(skip);
        if at < self.start || (held < least && !self.reaches_end()) || skip > self.buffer.len() {
            self.load(at, least.max(self.at_once))?;
            return Ok(&self.buffer);
        }
        Ok(&self.buffer[skip..])
    }

    fn reaches_end(&self) -> bool {
        self.start + self.buffer.len() as u64 >= self.end
    }

    fn load(&mut self, at: u64, bytes: usize) -> io::Result<()> {
        let left = usize::try_from(self.end.saturating_sub(at)).unwrap_or(usize::MAX);
        self.start = at;
        self.buffer.resize(bytes.min(left), 0);
        let mut filled = 0;
        while filled < self.buffer.len() {
            let offset = at + filled as u64;
            match self.file.read_at(&mut self.buffer[filled..], offset) {
                Ok(0) => {
                    self.buffer.truncate(filled);
                    self.end = offset;
                }
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_media_error(&error) => filled += self.load_block(filled, offset),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads up to the end of a block, or takes it for zeros: one bad block must not hide the rest. Returns its bytes.
    fn load_block(&mut self, filled: usize, offset: u64) -> usize {
        let to_boundary = BLOCK_BYTES - usize::try_from(offset % BLOCK_BYTES as u64).unwrap_or(0);
        let bytes = to_boundary.min(self.buffer.len() - filled);
        let block = &mut self.buffer[filled..filled + bytes];
        if let Ok(read @ 1..) = self.file.read_at(block, offset) {
            return read;
        }
        block.fill(0);
        self.holes = true;
        bytes
    }
}
