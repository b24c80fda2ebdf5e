//! How a slot of the generic program is told what to do, and what it sends.
//!
//! The generic program is attached to a classic tracepoint. It does not know which one: user space reads the
//! tracepoint's `format` file and puts where things are into the map `SLOTS`.

use crate::{Header, wire::wire_struct};

/// Copies of the generic program in the object, `record_0` to `record_63`.
///
/// A program cannot ask which tracepoint it runs for: the kernel puts a pointer over the record's `common_type`
/// (`kernel/trace/trace_event_perf.c`: `perf_trace_buf_update`), and `bpf_get_attach_cookie` needs Linux 5.15. So each
/// slot has a copy, which knows its number.
pub const SLOTS: usize = 64;

/// The number ([`Header::hook`]) of the first slot; hooks with programs of their own have lower ones.
pub const FIRST_SLOT: u16 = 64;

/// The most tests of one slot.
pub const MAX_TERMS: usize = 4;

/// The object's global with a u64 for each slot and 16 bits in it for each test, the first in the lowest: the offset of the
/// word that it reads without a helper's call, a multiple of 8 up to [`DIRECT_MAX`], or 0 for none. It is told before the programs are loaded, and only of a record that
/// reaches behind the word: the kernel does not attach a program that reads more (`perf_event_set_bpf_prog`,
/// `kernel/events/core.c`), and the verifier takes reads at places that it knows.
pub const DIRECT_WORDS: &str = "SLOT_DIRECT_WORDS";

/// The last word that can be read so: the fields that people filter by are at the beginning of a record.
pub const DIRECT_MAX: u16 = 128;

/// The most fields of variable length of one record that are copied. `ras:arm_event` has four, `cxl` records three.
pub const MAX_TAILS: usize = 8;

/// The most fields of one record that are pointers to strings and are followed.
pub const MAX_STRINGS: usize = 2;

/// Room for a string behind a pointer, bytes, with its NUL: names of functions and of RCU flavours.
pub const STRING_BYTES: usize = 64;

/// Bytes at a record's start that the kernel puts a pointer over; they are sent as zeros.
pub const RECORD_START: usize = 8;

/// The most bytes of a record, its strings included, that one event carries; what is longer is cut and
/// [`Record::length`] tells. The kernel itself gives up at `PERF_MAX_TRACE_SIZE`, 2048 before 5.13 and 8192 since
/// (`include/linux/trace_events.h`).
pub const RECORD_MAX: usize = 2048;

/// Room for a record in a ring-buffer entry: the smallest of these that fits is reserved.
pub const RECORD_CLASSES: [usize; 4] = [64, 192, 512, RECORD_MAX];

/// Frames of the kernel's stack that are taken where that is asked for.
pub const STACK_FRAMES: usize = 32;

/// A window of [`SlotConfig::limit`] takes this power of two of nanoseconds: 1.07 s, without a division.
pub const WINDOW_SHIFT: u32 = 30;

/// The bit of [`SlotConfig::flags`] that asks for the kernel's stack.
pub const TAKE_STACK: u8 = 1;

wire_struct! {
    /// A test of an integer in the record: `((field ^ bias) & mask) - low <= span`, in wrapping arithmetic, where the field
    /// is `word << left >> shift` of the 8 bytes at `offset`.
    pub struct Term: 40 {
        /// Bits that take part.
        0 mask: u64,
        /// The sign bit of a signed field, so that unsigned order is its order.
        8 bias: u64,
        /// The least value that passes.
        16 low: u64,
        /// How far above `low` the greatest is.
        24 span: u64,
        /// Where the word is that holds the field: a multiple of 8 unless the field lies across one.
        32 offset: u16,
        /// The bits above the field in the word.
        34 left: u8,
        /// 64 less the bits of the field.
        35 shift: u8,
        /// 1: what would pass does not, and the other way round.
        36 inverted: u8,
        /// Zero.
        37 pad: [u8; 3],
    }
}

wire_struct! {
    /// A field of variable length: a u32 `length << 16 | offset` in the record.
    pub struct Tail: 4 {
        /// Where that word is.
        0 offset: u16,
        /// What its offset counts from: 0 for `__data_loc`, the end of the word for `__rel_loc`.
        2 base: u16,
    }
}

wire_struct! {
    /// What a slot does; an element of the map `SLOTS`.
    pub struct SlotConfig: 208 {
        /// Bytes of the record's fixed part, at least [`RECORD_START`]; 0: the slot is not in use.
        0 size: u16,
        /// How many of `tail` there are.
        2 tails: u8,
        /// How many of `term` there are; all must hold.
        3 terms: u8,
        /// How many of `string` there are.
        4 strings: u8,
        /// [`TAKE_STACK`].
        5 flags: u8,
        /// Where pointers to strings are.
        6 string: [u16; MAX_STRINGS],
        /// Zero.
        10 pad: u16,
        /// The most events that are sent in a window of [`WINDOW_SHIFT`] on one CPU; 0: as many as come.
        12 limit: u32,
        /// Fields of variable length.
        16 tail: [Tail; MAX_TAILS],
        /// Tests.
        48 term: [Term; MAX_TERMS],
    }
}

wire_struct! {
    /// A tracepoint's record. Behind it come `room` stack frames of 8 bytes, `captured` bytes of the record, `strings`
    /// strings of [`STRING_BYTES`], and slack.
    pub struct Record: 64 {
        /// The header.
        0 header: Header,
        /// Length of the whole record, bytes.
        56 length: u16,
        /// Length of what follows of it, bytes; the first [`RECORD_START`] are zero.
        58 captured: u16,
        /// How many stack frames are filled in, innermost first.
        60 frames: u8,
        /// For how many stack frames there is room: 0 or [`STACK_FRAMES`].
        61 room: u8,
        /// How many strings follow.
        62 strings: u8,
        /// Zero.
        63 pad: u8,
    }
}

/// The parts of a record's event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordEvent<'a> {
    /// The header and the lengths.
    pub record: Record,
    /// Stack frames, 8 bytes each.
    pub stack: &'a [u8],
    /// The record as far as it was captured.
    pub bytes: &'a [u8],
    /// Strings of [`STRING_BYTES`], each NUL-terminated; an empty one could not be read.
    pub strings: &'a [u8],
}

impl<'a> RecordEvent<'a> {
    /// Takes an entry apart; `None` when its lengths do not fit each other.
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let record = Record::decode(bytes)?;
        let captured = usize::from(record.captured);
        let room = usize::from(record.room);
        let strings = usize::from(record.strings);
        let plausible = record.captured <= record.length
            && record.frames <= record.room
            && captured >= RECORD_START
            && captured + strings * STRING_BYTES <= RECORD_MAX
            && (room == 0 || room == STACK_FRAMES)
            && strings <= MAX_STRINGS;
        if !plausible {
            return None;
        }
        let (stack, rest) = bytes.get(Record::SIZE..)?.split_at_checked(8 * room)?;
        let (captured, rest) = rest.split_at_checked(captured)?;
        let strings = rest.get(..strings * STRING_BYTES)?;
        Some(Self {
            record,
            stack: stack.get(..8 * usize::from(record.frames))?,
            bytes: captured,
            strings,
        })
    }
}
