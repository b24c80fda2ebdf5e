//! `warn_alloc`: an allocation of pages failed and the allocator is about to say so (`mm/page_alloc.c`).
//!
//! `void warn_alloc(gfp_t gfp_mask, nodemask_t *nodemask, const char *fmt, ...)`. The kernel limits what it prints, not
//! what it calls, and the failures come in bursts, so each CPU sends one event in a while.

use aya_ebpf::{
    EbpfContext as _, btf_maps::PerCpuArray, helpers::generated::bpf_ktime_get_boot_ns, macros::btf_map,
    macros::kprobe, programs::ProbeContext,
};
use probe_common::Hook;

use crate::{
    event::{Outcome, ProbeError, account, describe},
    oops::try_fault,
};

/// `__GFP_NOWARN` of `include/linux/gfp_types.h` (`gfp.h` before 6.0): the same from 5.10 to 7.2, though an enumeration
/// counts the bits since 6.9. The caller does without, and nothing is printed. A wrong value would cost or add the
/// context of a text, no more.
const GFP_NOWARN: u32 = 0x2000;

/// Between two events of one CPU, nanoseconds. The kernel prints at most 10 in 5 seconds (`DEFINE_RATELIMIT_STATE` in
/// `warn_alloc`).
const QUIET_NS: u64 = 500_000_000;

/// When this CPU sent its last event.
#[btf_map]
static ALLOC_SENT: PerCpuArray<u64, 1> = PerCpuArray::new();

/// No `fentry`: the trampoline refuses functions with variable arguments.
#[kprobe]
fn warn_alloc_kprobe(ctx: ProbeContext) -> u32 {
    account(Hook::AllocFailure, try_failure(&ctx))
}

#[inline(always)]
fn try_failure(ctx: &ProbeContext) -> Result<Outcome, ProbeError> {
    let gfp_mask: u32 = ctx.arg(0).unwrap_or(GFP_NOWARN);
    if gfp_mask & GFP_NOWARN != 0 {
        return Ok(Outcome::Filtered);
    }
    let Some(sent) = ALLOC_SENT.get_ptr_mut(0) else {
        return Ok(Outcome::Filtered);
    };
    // SAFETY: a helper without arguments; the map's slot is an aligned u64 that lives as long as the program and belongs
    // to this CPU. An interrupt in between sends one event more.
    unsafe {
        let now = bpf_ktime_get_boot_ns();
        if now.wrapping_sub(sent.read_volatile()) < QUIET_NS {
            return Ok(Outcome::Filtered);
        }
        sent.write_volatile(now);
    }
    describe!(ctx, "warn_alloc: gfp mask {:x}", gfp_mask);
    try_fault(Hook::AllocFailure, ctx.as_ptr(), gfp_mask)
}
