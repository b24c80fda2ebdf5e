//! `signal:signal_deliver`: a signal is about to be delivered to the running task.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use probe_common::{Hook, Signal};

use crate::{
    event::{Outcome, ProbeError, account, describe, header, send},
    offset::{ABSENT, Offset, read},
};

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

#[tracepoint]
fn signal_deliver_tp(ctx: TracePointContext) -> u32 {
    account(Hook::SignalDeliver, try_signal(&ctx))
}

#[inline(always)]
fn try_signal(ctx: &TracePointContext) -> Result<Outcome, ProbeError> {
    // Most signals end here, after one read.
    let signal: i32 = read(ctx, &SIGNAL_OFF_SIG)?.unwrap_or(0);
    if !(0..32).contains(&signal) || FATAL & (1 << (signal as u32 & 31)) == 0 {
        return Ok(Outcome::Filtered);
    }
    let handler: u64 = read(ctx, &SIGNAL_OFF_SA_HANDLER)?.unwrap_or(SIG_DFL);
    if handler != SIG_DFL {
        return Ok(Outcome::Filtered);
    }
    let code: i32 = read(ctx, &SIGNAL_OFF_CODE)?.unwrap_or(0);
    describe!(ctx, "signal_deliver: signal {}, code {}", signal, code);
    send(Signal {
        signal,
        errno: read(ctx, &SIGNAL_OFF_ERRNO)?.unwrap_or(0),
        code,
        pad: 0,
        header: header(Hook::SignalDeliver),
    })
}
