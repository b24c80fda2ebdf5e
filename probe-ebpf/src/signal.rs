//! `signal:signal_deliver`: a signal is about to be delivered to the running task.
//!
//! `TP_PROTO(int sig, struct kernel_siginfo *info, struct k_sigaction *ka)`.

use core::{ffi::c_void, ptr::addr_of_mut};

use aya_ebpf::{
    EbpfContext as _,
    macros::{btf_tracepoint, tracepoint},
    programs::{BtfTracePointContext, TracePointContext},
};
use probe_common::{COMPONENT_BYTES, COMPONENTS, Hook, Signal, USER_FRAMES, UserFrame};

use crate::{
    event::{Outcome, ProbeError, account, describe, header},
    maps::EVENTS,
    offset::{ABSENT, Offset, read, read_member, read_optional},
    path, stack,
};

#[unsafe(no_mangle)]
static SIGINFO_OFF_ERRNO: Offset = Offset::new(ABSENT);
#[unsafe(no_mangle)]
static SIGINFO_OFF_CODE: Offset = Offset::new(ABSENT);
/// `_sifields._sigfault._addr`: what the classic tracepoint does not have.
#[unsafe(no_mangle)]
static SIGINFO_OFF_ADDRESS: Offset = Offset::new(ABSENT);
#[unsafe(no_mangle)]
static SIGACTION_OFF_HANDLER: Offset = Offset::new(ABSENT);

#[unsafe(no_mangle)]
static SIGNAL_OFF_SIG: Offset = Offset::new(ABSENT);
#[unsafe(no_mangle)]
static SIGNAL_OFF_ERRNO: Offset = Offset::new(ABSENT);
#[unsafe(no_mangle)]
static SIGNAL_OFF_CODE: Offset = Offset::new(ABSENT);
#[unsafe(no_mangle)]
static SIGNAL_OFF_SA_HANDLER: Offset = Offset::new(ABSENT);

/// `SIG_DFL`: a program that handles its signal is not dying of it.
const SIG_DFL: u64 = 0;

/// One bit a signal whose default action is a core dump and that a fault raises: QUIT 3, ILL 4, TRAP 5, ABRT 6, BUS 7,
/// FPE 8, SEGV 11, SYS 31 (x86 and arm64 numbers, `include/uapi/asm-generic/signal.h`).
const FATAL: u32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 11 | 1 << 31;

#[btf_tracepoint]
fn signal_deliver_btf(ctx: BtfTracePointContext) -> u32 {
    account(Hook::SignalDeliver, try_arguments(&ctx))
}

#[tracepoint]
fn signal_deliver_tp(ctx: TracePointContext) -> u32 {
    account(Hook::SignalDeliver, try_record(&ctx))
}

/// Most signals end at the first test, before any memory is read.
#[inline(always)]
fn try_arguments(ctx: &BtfTracePointContext) -> Result<Outcome, ProbeError> {
    let signal: i32 = ctx.arg(0);
    if !is_fatal(signal) {
        return Ok(Outcome::Filtered);
    }
    let (info, action): (u64, u64) = (ctx.arg(1), ctx.arg(2));
    let handler: u64 = read_member(action, &SIGACTION_OFF_HANDLER)?;
    if handler != SIG_DFL {
        return Ok(Outcome::Filtered);
    }
    let signal = Delivered {
        signal,
        errno: read_member(info, &SIGINFO_OFF_ERRNO)?,
        code: read_member(info, &SIGINFO_OFF_CODE)?,
        address: read_optional(info, &SIGINFO_OFF_ADDRESS),
    };
    describe!(
        ctx,
        "signal_deliver: signal {}, code {}",
        signal.signal,
        signal.code
    );
    send_signal(ctx.as_ptr(), &signal)
}

/// Most signals end here after one read.
#[inline(always)]
fn try_record(ctx: &TracePointContext) -> Result<Outcome, ProbeError> {
    let signal: i32 = read(ctx, &SIGNAL_OFF_SIG)?.unwrap_or(0);
    if !is_fatal(signal) {
        return Ok(Outcome::Filtered);
    }
    let handler: u64 = read(ctx, &SIGNAL_OFF_SA_HANDLER)?.unwrap_or(SIG_DFL);
    if handler != SIG_DFL {
        return Ok(Outcome::Filtered);
    }
    let signal = Delivered {
        signal,
        errno: read(ctx, &SIGNAL_OFF_ERRNO)?.unwrap_or(0),
        code: read(ctx, &SIGNAL_OFF_CODE)?.unwrap_or(0),
        address: None,
    };
    describe!(
        ctx,
        "signal_deliver: signal {}, code {}",
        signal.signal,
        signal.code
    );
    send_signal(ctx.as_ptr(), &signal)
}

#[inline(always)]
fn is_fatal(signal: i32) -> bool {
    (0..32).contains(&signal) && FATAL & (1 << (signal as u32 & 31)) != 0
}

/// What a tracepoint says of a signal.
struct Delivered {
    signal: i32,
    errno: i32,
    code: i32,
    /// Meant only when the kernel raised the signal for an access or an instruction.
    address: Option<u64>,
}

/// A ring-buffer entry: a signal with what only the kernel knows of the program, which is gone in a moment.
#[repr(C)]
struct Entry {
    signal: Signal,
    stack: [UserFrame; USER_FRAMES],
    path: [[u8; COMPONENT_BYTES]; COMPONENTS],
}

#[inline(always)]
fn send_signal(ctx: *mut c_void, delivered: &Delivered) -> Result<Outcome, ProbeError> {
    let mut signal = Signal {
        header: header(Hook::SignalDeliver),
        signal: delivered.signal,
        errno: delivered.errno,
        code: delivered.code,
        has_address: delivered.address.is_some() as u32,
        address: delivered.address.unwrap_or(0),
        frames: 0,
        components: 0,
    };
    let mut entry = EVENTS.reserve_untyped::<Entry>(0).ok_or(ProbeError::RingFull)?;
    let place = entry.as_mut_ptr();
    // SAFETY: the entry is reserved memory of this size.
    unsafe {
        signal.frames = stack::take_user(ctx, addr_of_mut!((*place).stack));
        signal.components = path::take_executable(addr_of_mut!((*place).path));
        addr_of_mut!((*place).signal).write(signal);
    }
    entry.submit(0);
    Ok(Outcome::Sent)
}
