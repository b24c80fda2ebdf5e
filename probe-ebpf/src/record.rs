//! Any classic tracepoint: its record is copied as it is. What the record means, user space knows from the tracepoint's
//! `format` file; what this program needs of that is in the map `SLOTS`.

use core::{arch::asm, ffi::c_void, ptr::addr_of_mut};

use aya_ebpf::{
    EbpfContext as _,
    helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_kernel_str},
    macros::tracepoint,
    programs::TracePointContext,
};
use probe_common::{
    FIRST_SLOT, MAX_STRINGS, MAX_TAILS, MAX_TERMS, RECORD_CLASSES, RECORD_MAX, RECORD_START, Record, SLOTS,
    STACK_FRAMES, STRING_BYTES, SlotConfig, TAKE_STACK, Term,
};

use crate::{
    event::{Outcome, ProbeError, account, header},
    maps::{EVENTS, SLOTS as CONFIGS},
    rate, stack,
};

/// A program a slot.
macro_rules! slots {
    ($($program:ident $slot:literal)*) => {
        $(#[tracepoint]
        fn $program(ctx: TracePointContext) -> u32 {
            if passes(ctx.as_ptr(), $slot) == 0 {
                return 0;
            }
            record(ctx.as_ptr(), $slot)
        })*

        const _: () = assert!([$($slot),*].len() == probe_common::SLOTS);
    };
}

slots! {
    record_0 0 record_1 1 record_2 2 record_3 3 record_4 4 record_5 5 record_6 6 record_7 7
    record_8 8 record_9 9 record_10 10 record_11 11 record_12 12 record_13 13 record_14 14 record_15 15
    record_16 16 record_17 17 record_18 18 record_19 19 record_20 20 record_21 21 record_22 22 record_23 23
    record_24 24 record_25 25 record_26 26 record_27 27 record_28 28 record_29 29 record_30 30 record_31 31
    record_32 32 record_33 33 record_34 34 record_35 35 record_36 36 record_37 37 record_38 38 record_39 39
    record_40 40 record_41 41 record_42 42 record_43 43 record_44 44 record_45 45 record_46 46 record_47 47
    record_48 48 record_49 49 record_50 50 record_51 51 record_52 52 record_53 53 record_54 54 record_55 55
    record_56 56 record_57 57 record_58 58 record_59 59 record_60 60 record_61 61 record_62 62 record_63 63
}

/// See [`DIRECT_WORDS`].
#[unsafe(no_mangle)]
static SLOT_DIRECT_WORDS: [u64; SLOTS] = [0; SLOTS];

/// One subprogram for all slots: a copy in each would make the object sixty times as large.
#[inline(never)]
fn record(ctx: *mut c_void, slot: u16) -> u32 {
    account(FIRST_SLOT + slot, try_record(ctx, slot))
}

#[inline(always)]
fn try_record(ctx: *mut c_void, slot: u16) -> Result<Outcome, ProbeError> {
    let Some(config) = CONFIGS.get(u32::from(slot)) else {
        return Ok(Outcome::Filtered);
    };
    // A slot that is not set up has no tests either.
    if config.size == 0 {
        return Ok(Outcome::Filtered);
    }
    if !rate::admits(slot, config.limit) {
        return Ok(Outcome::Limited);
    }
    let record = Recorded {
        ctx,
        config,
        number: FIRST_SLOT + slot,
        length: length(ctx, config)?,
    };
    const SMALL: usize = RECORD_CLASSES[0];
    const MEDIUM: usize = RECORD_CLASSES[1];
    const LARGE: usize = RECORD_CLASSES[2];
    let needed = record.length + u64::from(config.strings) * STRING_BYTES as u64;
    if config.flags & TAKE_STACK != 0 {
        if needed <= LARGE as u64 {
            record.send::<STACK_FRAMES, LARGE>()
        } else {
            record.send::<STACK_FRAMES, RECORD_MAX>()
        }
    } else if needed <= SMALL as u64 {
        record.send::<0, SMALL>()
    } else if needed <= MEDIUM as u64 {
        record.send::<0, MEDIUM>()
    } else if needed <= LARGE as u64 {
        record.send::<0, LARGE>()
    } else {
        record.send::<0, RECORD_MAX>()
    }
}

/// Whether all tests hold, or one cannot be made: apart from the rest, because most events end here, and this takes neither
/// stack nor registers.
#[inline(never)]
fn passes(ctx: *mut c_void, slot: u16) -> u32 {
    let Some(config) = CONFIGS.get(u32::from(slot)) else {
        return 0;
    };
    let direct = direct_words(slot);
    let mut index = 0;
    while index < MAX_TERMS {
        if index >= config.terms as usize {
            break;
        }
        match word(ctx, (direct >> (16 * index)) as u16, config.term[index].offset) {
            Ok(word) if !holds(word, &config.term[index]) => return 0,
            Ok(_) => {}
            Err(_) => return 1,
        }
        index += 1;
    }
    1
}

#[inline(always)]
fn holds(word: u64, term: &Term) -> bool {
    let field = (word << (u64::from(term.left) & 63)) >> (u64::from(term.shift) & 63);
    let value = (field ^ term.bias) & term.mask;
    (value.wrapping_sub(term.low) <= term.span) != (term.inverted != 0)
}

/// See [`probe_common::DIRECT_WORDS`]. The verifier knows the value, also where it is kept on the stack over a call, and
/// removes the other ways to read a word.
#[inline(always)]
fn direct_words(slot: u16) -> u64 {
    let words = &raw const SLOT_DIRECT_WORDS;
    // SAFETY: slots are numbered from 0 to `SLOTS - 1` by the programs above; the value is what the loader put there, which
    // the compiler must not take for the initial one.
    unsafe { words.cast::<u64>().add(slot as usize).read_volatile() }
}

/// Chooses the instruction that reads the word at `$wanted`, or does `$otherwise`.
///
/// Verifiers take reads of the context at fixed places only, and the compiler would make one read at a computed place of
/// them all, were they not written down.
macro_rules! direct {
    ($ctx:expr, $wanted:expr, [$($offset:literal)*], $otherwise:expr) => {
        match $wanted {
            $($offset => {
                let word: u64;
                // SAFETY: user space has found the record to reach behind the word.
                unsafe {
                    asm!(
                        concat!("{word} = *(u64 *)({ctx} + ", $offset, ")"),
                        word = out(reg) word,
                        ctx = in(reg) $ctx,
                        options(nostack, readonly),
                    );
                }
                Ok(word)
            })*
            _ => $otherwise,
        }
    };
}

/// Eight bytes of the record: at `direct`, where that is known, or at `offset`. What is behind the record is the rest of the
/// kernel's buffer for records.
#[inline(always)]
fn word(ctx: *mut c_void, direct: u16, offset: u16) -> Result<u64, ProbeError> {
    direct!(
        ctx,
        direct,
        [8 16 24 32 40 48 56 64 72 80 88 96 104 112 120 128],
        read(ctx, offset)
    )
}

/// The length of the whole record, bytes: to the end of the field that reaches farthest.
#[inline(always)]
fn length(ctx: *mut c_void, config: &SlotConfig) -> Result<u64, ProbeError> {
    let mut length = u64::from(config.size);
    let mut index = 0;
    while index < MAX_TAILS {
        if index >= config.tails as usize {
            break;
        }
        let tail = &config.tail[index];
        let location: u32 = read(ctx, tail.offset)?;
        let end = u64::from(tail.base) + u64::from(location & 0xffff) + u64::from(location >> 16);
        if end > length {
            length = end;
        }
        index += 1;
    }
    Ok(length)
}

#[inline(always)]
fn read<T: Default>(ctx: *mut c_void, offset: u16) -> Result<T, ProbeError> {
    let mut value = T::default();
    let source = (ctx as u64 + u64::from(offset)) as *const c_void;
    // SAFETY: the helper fills `value` and fails rather than faults; every `T` used is an integer.
    let status = unsafe { bpf_probe_read_kernel(addr_of_mut!(value).cast(), size_of::<T>() as u32, source) };
    if status == 0 {
        Ok(value)
    } else {
        Err(ProbeError::Unreadable)
    }
}

/// A ring-buffer entry with room for so many frames and bytes.
#[repr(C)]
struct Entry<const FRAMES: usize, const N: usize> {
    record: Record,
    stack: [u64; FRAMES],
    bytes: [u8; N],
}

/// A record that is to be sent.
struct Recorded<'a> {
    ctx: *mut c_void,
    config: &'a SlotConfig,
    number: u16,
    length: u64,
}

impl Recorded<'_> {
    #[inline(always)]
    fn send<const FRAMES: usize, const N: usize>(&self) -> Result<Outcome, ProbeError> {
        let strings = u64::from(self.config.strings).min(MAX_STRINGS as u64);
        let room = N as u64 - strings * STRING_BYTES as u64;
        let captured = self.length.min(room);
        let mut record = Record {
            header: header(self.number),
            length: self.length.min(u64::from(u16::MAX)) as u16,
            captured: captured as u16,
            frames: 0,
            room: FRAMES as u8,
            strings: strings as u8,
            pad: 0,
        };
        let mut entry = EVENTS
            .reserve_untyped::<Entry<FRAMES, N>>(0)
            .ok_or(ProbeError::RingFull)?;
        let place = entry.as_mut_ptr();
        // SAFETY: the entry is reserved memory of this size.
        let copied = unsafe {
            if FRAMES != 0 {
                record.frames = stack::take_kernel(self.ctx, addr_of_mut!((*place).stack)) as u8;
            }
            addr_of_mut!((*place).record).write(record);
            self.copy::<N>(addr_of_mut!((*place).bytes).cast(), captured)
        };
        if copied.is_none() {
            entry.discard(0);
            return Err(ProbeError::Unreadable);
        }
        entry.submit(0);
        Ok(Outcome::Sent)
    }

    /// Copies `captured` bytes of the record, and its strings behind them.
    ///
    /// # Safety
    /// `bytes` has room for `N` bytes and the alignment of a u64.
    #[inline(always)]
    unsafe fn copy<const N: usize>(&self, bytes: *mut u8, captured: u64) -> Option<()> {
        const START: u64 = RECORD_START as u64;
        // Verifiers before 6.12 forget the bound of a value that was kept on the stack over a call: it is shown to them
        // again, behind a wall for the compiler, which knows it.
        let rest = core::hint::black_box(captured.wrapping_sub(START));
        if rest > N as u64 - START {
            return None;
        }
        // SAFETY: `bytes` has room for `START + rest <= N` bytes, and the helper fails rather than faults.
        let status = unsafe {
            bytes.cast::<u64>().write(0);
            let source = (self.ctx as u64 + START) as *const c_void;
            bpf_probe_read_kernel(bytes.add(RECORD_START).cast(), rest as u32, source)
        };
        if status != 0 {
            return None;
        }
        let mut index = 0;
        while index < MAX_STRINGS {
            if index >= self.config.strings as usize {
                break;
            }
            let place = core::hint::black_box(captured + (index * STRING_BYTES) as u64);
            if place > (N - STRING_BYTES) as u64 {
                return None;
            }
            // SAFETY: `place + STRING_BYTES <= N`.
            unsafe { self.copy_string(bytes.add(place as usize), self.config.string[index]) };
            index += 1;
        }
        Some(())
    }

    /// Copies the string that a field points to; an empty one when it cannot be read.
    ///
    /// # Safety
    /// `bytes` has room for `STRING_BYTES` bytes.
    #[inline(always)]
    unsafe fn copy_string(&self, bytes: *mut u8, offset: u16) {
        let address: u64 = read(self.ctx, offset).unwrap_or(0);
        // SAFETY: the caller's promise; the helper ends with a NUL what it writes, and fails rather than faults.
        unsafe {
            bytes.write(0);
            bpf_probe_read_kernel_str(bytes.cast(), STRING_BYTES as u32, address as *const c_void);
        }
    }
}
