#![no_std]
//! The bytes between the eBPF programs and user space.
//!
//! Every event starts with a [`Header`]; [`Hook`] says what follows. Integers are in the byte order of the machine:
//! both sides run on it. Structs are `repr(C)` with explicit padding, their sizes and offsets are asserted at compile
//! time, and user space decodes by copying field by field ([`decode`]), never by casting.
//!
//! | hook | bytes after the header |
//! |---|---|
//! | `PrintkConsole` | rest of [`Text`], then `captured` bytes of text, then up to 1024 bytes of slack |
//! | `OopsEnter`, `Panic`, `Warning`, `SoftLockup`, `AllocFailure` | rest of [`Fault`], then its stack |
//! | `OomKill` | rest of [`OomCause`], then its stack |
//! | `MceRecord` | rest of [`MachineCheck`] |
//! | `OomMarkVictim` | rest of [`OomVictim`] |
//! | `SignalDeliver` | rest of [`Signal`], then the program's stack and path |
//! | a slot | rest of [`Record`], then what its lengths say, then slack |

mod decode;
mod event;
mod fault;
mod sign;
mod slot;
mod wire;

pub use decode::{DecodeError, Event, decode};
pub use event::{Counters, Header, Hook, MachineCheck, OomVictim, Text, mce, oom};
pub use fault::{
    COMPONENT_BYTES, COMPONENTS, COMPONENTS_CUT, Fault, OomCause, Program, Signal, Stack, USER_FRAMES,
    UserFrame, oom_cause,
};
pub use sign::{IRQ_BATCH, IRQ_STORM_PER_S, STALL_NS, Sign, SignKind};
pub use slot::{
    DIRECT_MAX, DIRECT_WORDS, FIRST_SLOT, MAX_STRINGS, MAX_TAILS, MAX_TERMS, RECORD_CLASSES, RECORD_MAX,
    RECORD_START, Record, RecordEvent, SLOTS, STACK_FRAMES, STRING_BYTES, SlotConfig, TAKE_STACK, Tail, Term,
    WINDOW_SHIFT,
};

/// Version of these bytes. An object of another version is refused when it is loaded, an event of another version is
/// not decoded.
pub const ABI_VERSION: u16 = 3;

/// The symbol, a `u32` global, that an object of this version has. Loading sets it, which fails for another version.
pub const ABI_SYMBOL: &str = "TELEMETRICS_ABI_3";

/// The most kernel log text one event carries, bytes; what is longer is cut and [`Text::length`] tells.
///
/// The kernel itself cuts a log line at `LOG_LINE_MAX` = 1024 minus the prefix (`kernel/printk/printk.c`).
pub const TEXT_MAX: usize = 1024;

/// Room for text in a ring-buffer entry: the smallest of these that fits is reserved, so that the many short lines of
/// a call trace take little of the ring.
pub const TEXT_CLASSES: [usize; 4] = [64, 128, 256, TEXT_MAX];

/// Bytes of a task's name, NUL-terminated (`TASK_COMM_LEN`, the same since Linux 2.6).
pub const COMM_LEN: usize = 16;

/// Default size of the ring buffer, bytes: some 3000 lines of a call trace.
pub const RING_BYTES: usize = 512 * 1024;
