//! From bytes to events.

use core::fmt;

use crate::{
    ABI_VERSION, FIRST_SLOT, Fault, Header, Hook, MachineCheck, OomCause, OomVictim, Program, RecordEvent,
    SLOTS, Signal, Stack, TEXT_MAX, Text, fault,
};

/// One decoded event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// Kernel log text, `captured` bytes of it.
    Text(Text, &'a [u8]),
    /// A fault of the kernel, which the hook names.
    Fault(Fault, Stack<'a>),
    /// A machine check.
    MachineCheck(MachineCheck),
    /// A victim of the out-of-memory killer.
    OomVictim(OomVictim),
    /// A fatal signal.
    Signal(Signal, Program<'a>),
    /// Why the out-of-memory killer kills.
    OomCause(OomCause, Stack<'a>),
    /// A tracepoint's record.
    Record(RecordEvent<'a>),
}

/// Why bytes are no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// Fewer bytes than the event's structs and text take.
    Short {
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        found: usize,
    },
    /// More bytes than the event's struct takes.
    Long {
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        found: usize,
    },
    /// Another version of the format.
    Version(u16),
    /// No such hook or slot.
    Hook(u16),
    /// The lengths of a record do not fit each other or the bytes.
    RecordLengths,
    /// The text claims to be longer than [`TEXT_MAX`] or than itself.
    TextLength {
        /// Bytes claimed to be captured.
        captured: u32,
        /// Bytes claimed in all.
        length: u32,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { needed, found } => write!(f, "{found} bytes are too few, {needed} needed"),
            Self::Long { needed, found } => write!(f, "{found} bytes are too many, {needed} expected"),
            Self::Version(version) => write!(f, "format version {version}, not {ABI_VERSION}"),
            Self::Hook(hook) => write!(f, "no hook has number {hook}"),
            Self::RecordLengths => f.write_str("the lengths of a record do not fit"),
            Self::TextLength { captured, length } => {
                write!(
                    f,
                    "{captured} bytes captured of {length} is not possible (at most {TEXT_MAX})"
                )
            }
        }
    }
}

impl core::error::Error for DecodeError {}

/// Decodes one ring-buffer entry.
pub fn decode(bytes: &[u8]) -> Result<Event<'_>, DecodeError> {
    let header = Header::decode(bytes).ok_or(DecodeError::Short {
        needed: Header::SIZE,
        found: bytes.len(),
    })?;
    if header.abi != ABI_VERSION {
        return Err(DecodeError::Version(header.abi));
    }
    if is_slot(header.hook) {
        return RecordEvent::decode(bytes)
            .map(Event::Record)
            .ok_or(DecodeError::RecordLengths);
    }
    match Hook::from_raw(header.hook).ok_or(DecodeError::Hook(header.hook))? {
        Hook::PrintkConsole => decode_text(bytes),
        Hook::MceRecord => exact(bytes, MachineCheck::SIZE, MachineCheck::decode).map(Event::MachineCheck),
        Hook::OomMarkVictim => exact(bytes, OomVictim::SIZE, OomVictim::decode).map(Event::OomVictim),
        Hook::OopsEnter | Hook::Panic | Hook::Warning | Hook::SoftLockup | Hook::AllocFailure => {
            let fault = start(bytes, Fault::SIZE, Fault::decode)?;
            Ok(Event::Fault(
                fault,
                fault::stack(bytes, Fault::SIZE, fault.frames)?,
            ))
        }
        Hook::OomKill => {
            let cause = start(bytes, OomCause::SIZE, OomCause::decode)?;
            Ok(Event::OomCause(
                cause,
                fault::stack(bytes, OomCause::SIZE, cause.frames)?,
            ))
        }
        Hook::SignalDeliver => {
            let signal = start(bytes, Signal::SIZE, Signal::decode)?;
            Ok(Event::Signal(signal, fault::program(bytes, &signal)?))
        }
    }
}

fn is_slot(number: u16) -> bool {
    number
        .checked_sub(FIRST_SLOT)
        .is_some_and(|slot| usize::from(slot) < SLOTS)
}

fn exact<T>(bytes: &[u8], needed: usize, decode: fn(&[u8]) -> Option<T>) -> Result<T, DecodeError> {
    let found = bytes.len();
    if found > needed {
        return Err(DecodeError::Long { needed, found });
    }
    start(bytes, needed, decode)
}

fn start<T>(bytes: &[u8], needed: usize, decode: fn(&[u8]) -> Option<T>) -> Result<T, DecodeError> {
    let found = bytes.len();
    decode(bytes).ok_or(DecodeError::Short { needed, found })
}

fn decode_text(bytes: &[u8]) -> Result<Event<'_>, DecodeError> {
    let found = bytes.len();
    let text = start(bytes, Text::SIZE, Text::decode)?;
    let captured = text.captured as usize;
    if captured > TEXT_MAX || text.captured > text.length {
        return Err(DecodeError::TextLength {
            captured: text.captured,
            length: text.length,
        });
    }
    let needed = Text::SIZE + captured;
    let slice = bytes
        .get(Text::SIZE..needed)
        .ok_or(DecodeError::Short { needed, found })?;
    if found > Text::SIZE + TEXT_MAX {
        return Err(DecodeError::Long {
            needed: Text::SIZE + TEXT_MAX,
            found,
        });
    }
    Ok(Event::Text(text, slice))
}
