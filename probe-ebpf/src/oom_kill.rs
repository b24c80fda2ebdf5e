//! `oom_kill_process`: the out-of-memory killer has chosen and says why (`mm/oom_kill.c`).
//!
//! `void oom_kill_process(struct oom_control *oc, const char *message)`, `static` but called from two places and so not
//! inlined (5.10 to 7.2). It calls `mark_victim`, whose tracepoint tells of the victim; here is what it does not tell:
//! what was exhausted, and who asked for memory on which stack. The running task is the one that asked.

use core::{ffi::c_void, ptr::addr_of_mut};

use aya_ebpf::{
    EbpfContext as _,
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use probe_common::{Hook, OomCause, oom_cause};

use crate::{
    event::{Outcome, ProbeError, account, header},
    maps::EVENTS,
    offset::{ABSENT, Offset, read_optional},
    stack::{self, Stacked},
};

/// The members, each in a global.
macro_rules! members {
    ($($offset:ident)*) => {
        $(#[unsafe(no_mangle)] static $offset: Offset = Offset::new(ABSENT);)*
    };
}

members! {
    OOM_CONTROL_OFF_MEMCG
    OOM_CONTROL_OFF_GFP_MASK
    OOM_CONTROL_OFF_ORDER
    OOM_CONTROL_OFF_TOTALPAGES
    OOM_CONTROL_OFF_CHOSEN
    OOM_CONTROL_OFF_POINTS
    OOM_CONTROL_OFF_CONSTRAINT
    OOM_MEMCG_OFF_CGROUP
    OOM_TASK_OFF_TGID
    OOM_TASK_OFF_CGROUPS
    OOM_CSS_SET_OFF_CGROUP
    OOM_CGROUP_OFF_KN
    OOM_KERNFS_OFF_ID
}

#[fentry]
fn oom_kill_fentry(ctx: FEntryContext) -> u32 {
    account(Hook::OomKill, try_kill(ctx.as_ptr(), ctx.arg(0)))
}

#[kprobe]
fn oom_kill_kprobe(ctx: ProbeContext) -> u32 {
    account(Hook::OomKill, try_kill(ctx.as_ptr(), ctx.arg(0).unwrap_or(0)))
}

#[inline(always)]
fn try_kill(ctx: *mut c_void, control: u64) -> Result<Outcome, ProbeError> {
    let mut cause = cause(control);
    let mut entry = EVENTS
        .reserve_untyped::<Stacked<OomCause>>(0)
        .ok_or(ProbeError::RingFull)?;
    let place = entry.as_mut_ptr();
    // SAFETY: the entry is reserved memory of this size.
    unsafe {
        cause.frames = stack::take_kernel(ctx, addr_of_mut!((*place).stack));
        addr_of_mut!((*place).event).write(cause);
    }
    entry.submit(0);
    Ok(Outcome::Sent)
}

/// What the kernel's structs tell; what they do not is 0 and its bit not set.
#[inline(always)]
fn cause(control: u64) -> OomCause {
    let mut cause = OomCause {
        header: header(Hook::OomKill),
        ..OomCause::default()
    };
    macro_rules! fill {
        ($($field:ident $bit:ident $value:expr,)*) => {
            $(if let Some(value) = $value {
                cause.$field = value;
                cause.available |= oom_cause::$bit;
            })*
        };
    }
    let victim: u64 = read_optional(control, &OOM_CONTROL_OFF_CHOSEN).unwrap_or(0);
    fill! {
        total_pages TOTAL_PAGES read_optional(control, &OOM_CONTROL_OFF_TOTALPAGES),
        points POINTS read_optional(control, &OOM_CONTROL_OFF_POINTS),
        gfp_mask GFP_MASK read_optional(control, &OOM_CONTROL_OFF_GFP_MASK),
        order ORDER read_optional(control, &OOM_CONTROL_OFF_ORDER),
        constraint CONSTRAINT read_optional(control, &OOM_CONTROL_OFF_CONSTRAINT),
        victim VICTIM read_optional(victim, &OOM_TASK_OFF_TGID),
        limit_cgroup LIMIT_CGROUP limit_cgroup(control),
        victim_cgroup VICTIM_CGROUP victim_cgroup(victim),
    }
    cause
}

/// The cgroup whose limit was reached, in the hierarchy of the memory controller.
#[inline(always)]
fn limit_cgroup(control: u64) -> Option<u64> {
    let memcg = read_optional(control, &OOM_CONTROL_OFF_MEMCG)?;
    cgroup_id(read_optional(memcg, &OOM_MEMCG_OFF_CGROUP)?)
}

/// The victim's cgroup of version 2.
#[inline(always)]
fn victim_cgroup(victim: u64) -> Option<u64> {
    let set = read_optional(victim, &OOM_TASK_OFF_CGROUPS)?;
    cgroup_id(read_optional(set, &OOM_CSS_SET_OFF_CGROUP)?)
}

#[inline(always)]
fn cgroup_id(cgroup: u64) -> Option<u64> {
    let node = read_optional(cgroup, &OOM_CGROUP_OFF_KN)?;
    read_optional(node, &OOM_KERNFS_OFF_ID)
}
