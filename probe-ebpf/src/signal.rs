//! `signal:signal_deliver`: a signal is about to be delivered to the running task.
//!
//! `TP_PROTO(int sig, struct kernel_siginfo *info, struct k_sigaction *ka)`.

use aya_ebpf::{
    macros::{btf_tracepoint, tracepoint},
    programs::{BtfTracePointContext, TracePointContext},
};
use probe_common::{Hook, Signal};

use crate::{
    event::{Outcome, ProbeError, account, describe, header, send},
    offset::{ABSENT, Offset, read, read_member},
};

#[unsafe(no_mangle)]
static SIGINFO_OFF_ERRNO: Offset = Offset::new(ABSENT);
#[unsafe(no_mangle)]
static SIGINFO_OFF_CODE: Offset = Offset::new(ABSENT);
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
    let (errno, code): (i32, i32) = (
        read_member(info, &SIGINFO_OFF_ERRNO)?,
        read_member(info, &SIGINFO_OFF_CODE)?,
    );
    describe!(ctx, "signal_deliver: signal {}, code {}", signal, code);
    send_signal(signal, errno, code)
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
    let errno: i32 = read(ctx, &SIGNAL_OFF_ERRNO)?.unwrap_or(0);
    let code: i32 = read(ctx, &SIGNAL_OFF_CODE)?.unwrap_or(0);
    describe!(ctx, "signal_deliver: signal {}, code {}", signal, code);
    send_signal(signal, errno, code)
}

#[inline(always)]
fn is_fatal(signal: i32) -> bool {
    (0..32).contains(&signal) && FATAL & (1 << (signal as u32 & 31)) != 0
}

#[inline(always)]
fn send_signal(signal: i32, errno: i32, code: i32) -> Result<Outcome, ProbeError> {
    send(Signal {
        signal,
        errno,
        code,
        pad: 0,
        header: header(Hook::SignalDeliver),
    })
}
