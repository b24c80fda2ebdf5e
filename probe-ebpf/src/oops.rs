//! Entry of an oops and of a panic. No argument is read: the text arrives as log lines.

use aya_ebpf::{
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use probe_common::Hook;

use crate::event::{Outcome, ProbeError, account, describe, header, send};

#[fentry]
fn oops_enter_fentry(ctx: FEntryContext) -> u32 {
    describe!(&ctx, "oops_enter");
    account(Hook::OopsEnter, try_enter(Hook::OopsEnter))
}

#[kprobe]
fn oops_enter_kprobe(ctx: ProbeContext) -> u32 {
    describe!(&ctx, "oops_enter");
    account(Hook::OopsEnter, try_enter(Hook::OopsEnter))
}

/// Attached to `vpanic` where there is one: the trampoline refuses functions with variable arguments like `panic`.
#[fentry]
fn panic_fentry(ctx: FEntryContext) -> u32 {
    describe!(&ctx, "panic");
    account(Hook::Panic, try_enter(Hook::Panic))
}

#[kprobe]
fn panic_kprobe(ctx: ProbeContext) -> u32 {
    describe!(&ctx, "panic");
    account(Hook::Panic, try_enter(Hook::Panic))
}

#[inline(always)]
fn try_enter(hook: Hook) -> Result<Outcome, ProbeError> {
    send(header(hook))
}
