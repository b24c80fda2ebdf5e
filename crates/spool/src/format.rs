//! The bytes on disk: encoding, decoding, checksums. The layout is described in the [crate](crate) documentation.

use crc32c::{crc32c, crc32c_append};

use crate::MAX_RECORD_BYTES;

/// Version of the format. There is one number for all files; a change to any of them raises it.
pub(crate) const VERSION: u32 = 2;

pub(crate) const HEADER_BYTES: usize = 40;
pub(crate) const FRAME_HEADER_BYTES: usize = 28;
pub(crate) const MARK_BYTES: usize = 56;
/// The two marks are a block apart, so that one bad block cannot take both.
pub(crate) const MARK_SLOT_BYTES: usize = 4096;

/// No sequence is larger: one more can always be counted, here and in a signed 64-bit column.
pub(crate) const MAX_SEQ: u64 = u64::MAX >> 1;

const HEADER_FIELDS: usize = 8 /* magic */ + 4 /* version */ + 4 /* crc */ + 16 /* epoch */ + 8 /* first_seq */;
const FRAME_FIELDS: usize = 4 /* length */ + 4 /* payload_crc */ + 8 /* seq */ + 4 /* at_s */
    + 4 /* kind, zeros */ + 4 /* header_crc */;
const MARK_FIELDS: usize = 8 /* magic */ + 4 /* crc */ + 4 /* zero */ + 5 * 8 /* generation and marks */;
const _: () = assert!(HEADER_BYTES == HEADER_FIELDS);
const _: () = assert!(FRAME_HEADER_BYTES == FRAME_FIELDS);
const _: () = assert!(MARK_BYTES == MARK_FIELDS);
// A mark lies within one sector, which devices write whole.
const _: () = assert!(MARK_BYTES <= 512 && MARK_SLOT_BYTES.is_multiple_of(512));
const _: () = assert!(MAX_RECORD_BYTES <= u32::MAX as usize);

const MARK_MAGIC: [u8; 8] = *b"TLMSPLMK";

/// Which file a [`Header`] begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Identity,
    Segment,
}

impl Kind {
    fn magic(self) -> [u8; 8] {
        match self {
            Self::Identity => *b"TLMSPLID",
            Self::Segment => *b"TLMSPLSG",
        }
    }
}

/// The beginning of a segment, and all of the identity file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) epoch: [u8; 16],
    /// Sequence of a segment's first frame; zero in the identity file.
    pub(crate) first_seq: u64,
}

/// Why bytes are no [`Header`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderError {
    /// Not one, or a damaged one.
    Damaged,
    /// A whole one, of another version.
    Version(u32),
}

impl Header {
    pub(crate) fn encode(&self, kind: Kind) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..8].copy_from_slice(&kind.magic());
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.epoch);
        bytes[32..40].copy_from_slice(&self.first_seq.to_le_bytes());
        let crc = Self::crc(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(kind: Kind, bytes: &[u8]) -> Result<Self, HeaderError> {
        let Some(bytes) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(HeaderError::Damaged);
        };
        if bytes[0..8] != kind.magic() || u32_at(bytes, 12) != Self::crc(bytes) {
            return Err(HeaderError::Damaged);
        }
        if u32_at(bytes, 8) != VERSION {
            return Err(HeaderError::Version(u32_at(bytes, 8)));
        }
        let mut epoch = [0; 16];
        epoch.copy_from_slice(&bytes[16..32]);
        Ok(Self {
            epoch,
            first_seq: u64_at(bytes, 32),
        })
    }

    /// Over everything but itself.
    fn crc(bytes: &[u8; HEADER_BYTES]) -> u32 {
        crc32c_append(crc32c(&bytes[0..12]), &bytes[16..])
    }
}

/// What the checksums of frames and marks start from.
///
/// It depends on the epoch, which is random: bytes inside a record that look like a frame, of another spool or made
/// up by whoever wrote the record, do not pass for a frame of this one when damage is searched through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(u32);

impl Seed {
    pub(crate) fn of_epoch(epoch: [u8; 16]) -> Self {
        Self(crc32c(&epoch))
    }

    pub(crate) fn crc(self, bytes: &[u8]) -> u32 {
        crc32c_append(self.0, bytes)
    }
}

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// A record as it was appended.
    Record,
    /// A record that stayed when its segment was given up.
    Kept,
    /// Sequences that were given up for want of room; a [`Tally`](crate::tally::Tally).
    Evicted,
    /// The same for their age.
    Expired,
}

impl FrameKind {
    fn encode(self) -> u8 {
        match self {
            Self::Record => 0,
            Self::Kept => 1,
            Self::Evicted => 2,
            Self::Expired => 3,
        }
    }

    fn decode(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Record,
            1 => Self::Kept,
            2 => Self::Evicted,
            3 => Self::Expired,
            _ => return None,
        })
    }
}

/// What precedes each record, and each account of sequences that were given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// Of what follows. At most [`MAX_RECORD_BYTES`].
    pub(crate) length: u32,
    pub(crate) payload_crc: u32,
    /// Never zero, so a run of zero bytes is no frame.
    pub(crate) seq: u64,
    /// When it was appended, by the spool's own clock, seconds.
    pub(crate) at_s: u32,
    pub(crate) kind: FrameKind,
}

impl FrameHeader {
    pub(crate) fn encode(&self, seed: Seed) -> [u8; FRAME_HEADER_BYTES] {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        bytes[0..4].copy_from_slice(&self.length.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.payload_crc.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.seq.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.at_s.to_le_bytes());
        bytes[20] = self.kind.encode();
        let crc = seed.crc(&bytes[0..24]);
        bytes[24..28].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header at the beginning of `bytes`. The cheap checks come first: this runs at every byte of a damaged region.
    pub(crate) fn decode(bytes: &[u8], seed: Seed) -> Option<Self> {
        let bytes = bytes.first_chunk::<FRAME_HEADER_BYTES>()?;
        let (length, seq) = (u32_at(bytes, 0), u64_at(bytes, 8));
        if seq == 0 || seq > MAX_SEQ || length as usize > MAX_RECORD_BYTES {
            return None;
        }
        let kind = FrameKind::decode(bytes[20])?;
        if u32_at(bytes, 24) != seed.crc(&bytes[0..24]) {
            return None;
        }
        Some(Self {
            length,
            payload_crc: u32_at(bytes, 4),
            seq,
            at_s: u32_at(bytes, 16),
            kind,
        })
    }

    /// Bytes of the header and the record.
    pub(crate) fn frame_bytes(&self) -> usize {
        FRAME_HEADER_BYTES + self.length as usize
    }
}

/// Appends a frame to `out`. `payload` must not be larger than [`MAX_RECORD_BYTES`].
pub(crate) fn encode_frame(
    seed: Seed,
    seq: u64,
    at_s: u32,
    kind: FrameKind,
    payload: &[u8],
    out: &mut Vec<u8>,
) {
    debug_assert!(payload.len() <= MAX_RECORD_BYTES, "the caller checks the limit");
    let header = FrameHeader {
        length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        payload_crc: seed.crc(payload),
        seq,
        at_s,
        kind,
    };
    out.extend_from_slice(&header.encode(seed));
    out.extend_from_slice(payload);
}

/// How far the queue has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Last sequence that is durable.
    pub(crate) durable: u64,
    /// Last sequence that was acknowledged.
    pub(crate) acknowledged: u64,
    /// Last sequence of a segment that went without an account of what was in it.
    pub(crate) evicted: u64,
    /// The spool's own clock, seconds.
    pub(crate) clock_s: u32,
}

impl Mark {
    pub(crate) fn encode(&self, seed: Seed, generation: u64) -> [u8; MARK_BYTES] {
        let mut bytes = [0; MARK_BYTES];
        bytes[0..8].copy_from_slice(&MARK_MAGIC);
        bytes[16..24].copy_from_slice(&generation.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.durable.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.acknowledged.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.evicted.to_le_bytes());
        bytes[48..52].copy_from_slice(&self.clock_s.to_le_bytes());
        let crc = seed.crc(&bytes[16..]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The generation and the mark.
    pub(crate) fn decode(bytes: &[u8], seed: Seed) -> Option<(u64, Self)> {
        let bytes = bytes.first_chunk::<MARK_BYTES>()?;
        if bytes[0..8] != MARK_MAGIC || u32_at(bytes, 8) != seed.crc(&bytes[16..]) {
            return None;
        }
        let mark = Self {
            durable: u64_at(bytes, 24),
            acknowledged: u64_at(bytes, 32),
            evicted: u64_at(bytes, 40),
            clock_s: u32_at(bytes, 48),
        };
        let generation = u64_at(bytes, 16);
        let possible = mark.acknowledged.max(mark.evicted) <= mark.durable
            && mark.durable <= MAX_SEQ
            && generation <= MAX_SEQ;
        possible.then_some((generation, mark))
    }
}

fn u32_at<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(field)
}

fn u64_at<const N: usize>(bytes: &[u8; N], at: usize) -> u64 {
    let mut field = [0; 8];
    field.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(field)
}

#[cfg(test)]
mod tests;
