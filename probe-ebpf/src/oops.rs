//! Where the kernel starts to report a fault of its own. Nothing is said of the fault but who was running and on which
//! stack: the rest is in the text, which arrives as log lines.

use core::{ffi::c_void, ptr::addr_of_mut};

use aya_ebpf::{
    EbpfContext as _,
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use probe_common::{Fault, Hook};

use crate::{
    event::{Outcome, ProbeError, account, describe, header},
    maps::EVENTS,
    stack::{self, Stacked},
};

/// `TAINT_SOFTLOCKUP` of `include/linux/panic.h` (5.10 to 7.2): user space sees it in `/proc/sys/kernel/tainted`, so it
/// is not renumbered.
const TAINT_SOFTLOCKUP: u32 = 14;

#[fentry]
fn oops_enter_fentry(ctx: FEntryContext) -> u32 {
    describe!(&ctx, "oops_enter");
    account(Hook::OopsEnter, try_fault(Hook::OopsEnter, ctx.as_ptr(), 0))
}

#[kprobe]
fn oops_enter_kprobe(ctx: ProbeContext) -> u32 {
    describe!(&ctx, "oops_enter");
    account(Hook::OopsEnter, try_fault(Hook::OopsEnter, ctx.as_ptr(), 0))
}

/// Attached to `vpanic` where there is one: the trampoline refuses functions with variable arguments like `panic`.
#[fentry]
fn panic_fentry(ctx: FEntryContext) -> u32 {
    describe!(&ctx, "panic");
    account(Hook::Panic, try_fault(Hook::Panic, ctx.as_ptr(), 0))
}

#[kprobe]
fn panic_kprobe(ctx: ProbeContext) -> u32 {
    describe!(&ctx, "panic");
    account(Hook::Panic, try_fault(Hook::Panic, ctx.as_ptr(), 0))
}

#[fentry]
fn warn_fentry(ctx: FEntryContext) -> u32 {
    describe!(&ctx, "warn");
    account(Hook::Warning, try_fault(Hook::Warning, ctx.as_ptr(), 0))
}

#[kprobe]
fn warn_kprobe(ctx: ProbeContext) -> u32 {
    describe!(&ctx, "warn");
    account(Hook::Warning, try_fault(Hook::Warning, ctx.as_ptr(), 0))
}

/// `void add_taint(unsigned int flag, enum lockdep_ok lockdep_ok)`
#[fentry]
fn add_taint_fentry(ctx: FEntryContext) -> u32 {
    account(Hook::SoftLockup, try_taint(ctx.as_ptr(), ctx.arg(0)))
}

#[kprobe]
fn add_taint_kprobe(ctx: ProbeContext) -> u32 {
    account(Hook::SoftLockup, try_taint(ctx.as_ptr(), ctx.arg(0).unwrap_or(0)))
}

/// The watchdog taints the kernel from an interrupt of the task that is stuck.
#[inline(always)]
fn try_taint(ctx: *mut c_void, flag: u32) -> Result<Outcome, ProbeError> {
    if flag == TAINT_SOFTLOCKUP {
        try_fault(Hook::SoftLockup, ctx, 0)
    } else {
        Ok(Outcome::Filtered)
    }
}

/// Sends the running task and its stack.
#[inline(always)]
pub(crate) fn try_fault(hook: Hook, ctx: *mut c_void, detail: u32) -> Result<Outcome, ProbeError> {
    let mut fault = Fault {
        header: header(hook),
        detail,
        frames: 0,
    };
    let mut entry = EVENTS
        .reserve_untyped::<Stacked<Fault>>(0)
        .ok_or(ProbeError::RingFull)?;
    let place = entry.as_mut_ptr();
    // SAFETY: the entry is reserved memory of this size.
    unsafe {
        fault.frames = stack::take_kernel(ctx, addr_of_mut!((*place).stack));
        addr_of_mut!((*place).event).write(fault);
    }
    entry.submit(0);
    Ok(Outcome::Sent)
}
