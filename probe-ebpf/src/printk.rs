//! `printk:console`: kernel log text.
//!
//! `TP_PROTO(const char *text, size_t len)`. From 5.19 it fires when text is stored, in any context, for every piece
//! (`pr_cont`) and without the prefix; before, when a console prints it, with the prefix
//! (`kernel/printk/printk.c`: `printk_sprint`, `call_console_drivers`).

use core::ptr::addr_of_mut;

use aya_ebpf::{
    helpers::generated::bpf_probe_read_kernel,
    macros::{btf_tracepoint, raw_tracepoint, tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext, TracePointContext},
};
use probe_common::{Hook, TEXT_CLASSES, TEXT_MAX, Text};

use crate::{
    event::{Outcome, ProbeError, account, describe, header},
    maps::EVENTS,
    offset::{ABSENT, Offset, read},
};

/// `__data_loc char[] msg` of the classic tracepoint.
#[unsafe(no_mangle)]
static PRINTK_OFF_MSG: Offset = Offset::new(ABSENT);

#[btf_tracepoint]
fn printk_console_btf(ctx: BtfTracePointContext) -> u32 {
    let (text, length): (u64, u64) = (ctx.arg(0), ctx.arg(1));
    describe!(&ctx, "printk: {} bytes", length);
    account(Hook::PrintkConsole, try_text(text, text, length))
}

#[raw_tracepoint]
fn printk_console_raw(ctx: RawTracePointContext) -> u32 {
    let (text, length): (u64, u64) = (ctx.arg(0), ctx.arg(1));
    describe!(&ctx, "printk: {} bytes", length);
    account(Hook::PrintkConsole, try_text(text, text, length))
}

#[tracepoint]
fn printk_console_tp(ctx: TracePointContext) -> u32 {
    account(Hook::PrintkConsole, try_record(&ctx))
}

/// The record holds a copy of the text, so where the kernel keeps it is unknown.
#[inline(always)]
fn try_record(ctx: &TracePointContext) -> Result<Outcome, ProbeError> {
    let Some(location) = read::<u32>(ctx, &PRINTK_OFF_MSG)? else {
        return Ok(Outcome::Filtered);
    };
    // `len << 16 | offset`; the length counts the closing NUL.
    let text = aya_ebpf::EbpfContext::as_ptr(ctx) as u64 + u64::from(location & 0xffff);
    let length = u64::from(location >> 16);
    if length == 0 {
        return Ok(Outcome::Filtered);
    }
    describe!(ctx, "printk: {} bytes", length - 1);
    try_text(text, 0, length - 1)
}

/// Sends `length` bytes at `text` in the smallest entry that fits.
#[inline(always)]
fn try_text(text: u64, address: u64, length: u64) -> Result<Outcome, ProbeError> {
    const SMALL: usize = TEXT_CLASSES[0];
    const MEDIUM: usize = TEXT_CLASSES[1];
    const LARGE: usize = TEXT_CLASSES[2];
    if length <= SMALL as u64 {
        send_text::<SMALL>(text, address, length)
    } else if length <= MEDIUM as u64 {
        send_text::<MEDIUM>(text, address, length)
    } else if length <= LARGE as u64 {
        send_text::<LARGE>(text, address, length)
    } else {
        send_text::<TEXT_MAX>(text, address, length)
    }
}

/// A ring-buffer entry with room for `N` bytes of text. Reserved rather than copied from a per-CPU scratch, which an
/// NMI that prints would overwrite.
#[repr(C)]
struct TextEntry<const N: usize> {
    text: Text,
    bytes: [u8; N],
}

#[inline(always)]
fn send_text<const N: usize>(text: u64, address: u64, length: u64) -> Result<Outcome, ProbeError> {
    let captured = if length > N as u64 { N as u64 } else { length };
    let head = Text {
        header: header(Hook::PrintkConsole),
        address,
        length: length as u32,
        captured: captured as u32,
    };
    let mut entry = EVENTS
        .reserve_untyped::<TextEntry<N>>(0)
        .ok_or(ProbeError::RingFull)?;
    let place = entry.as_mut_ptr();
    // Verifiers before 6.12 forget the bound of a value that was kept on the stack over a call: it is shown to them
    // again, behind a wall for the compiler, which knows it.
    let captured = core::hint::black_box(captured);
    if captured > N as u64 {
        entry.discard(0);
        return Err(ProbeError::Unreadable);
    }
    // SAFETY: the entry is reserved memory of this size; the helper writes `captured <= N` bytes into `bytes` and
    // fails rather than faults.
    let status = unsafe {
        addr_of_mut!((*place).text).write(head);
        bpf_probe_read_kernel(
            addr_of_mut!((*place).bytes).cast(),
            captured as u32,
            text as *const _,
        )
    };
    if status != 0 {
        entry.discard(0);
        return Err(ProbeError::Unreadable);
    }
    entry.submit(0);
    Ok(Outcome::Sent)
}
