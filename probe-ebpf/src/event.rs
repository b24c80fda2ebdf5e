//! Starting, sending and counting events.

use core::{arch::asm, ptr::addr_of_mut};

use aya_ebpf::helpers::{
    bpf_get_current_comm, bpf_get_current_pid_tgid,
    generated::{bpf_get_current_cgroup_id, bpf_get_smp_processor_id, bpf_ktime_get_boot_ns},
};
use probe_common::{ABI_VERSION, COMM_LEN, Header};

use crate::maps::{COUNTERS, EVENTS, SEQUENCE};

/// Why an event was not sent.
pub(crate) enum ProbeError {
    /// The ring buffer had no room, or its lock was held by what this program interrupted.
    RingFull,
    /// Kernel memory could not be read.
    Unreadable,
}

/// What became of a call.
pub(crate) enum Outcome {
    /// An event was sent.
    Sent,
    /// Not a fault.
    Filtered,
    /// One too many.
    Limited,
}

/// The header of an event of the running task.
#[inline(always)]
pub(crate) fn header(hook: impl Into<u16>) -> Header {
    let id = bpf_get_current_pid_tgid();
    // SAFETY: helpers without pointer arguments.
    let (cpu, cgroup_id, since_boot_ns) = unsafe {
        (
            bpf_get_smp_processor_id(),
            bpf_get_current_cgroup_id(),
            bpf_ktime_get_boot_ns(),
        )
    };
    Header {
        abi: ABI_VERSION,
        hook: hook.into(),
        cpu: cpu as u32,
        pid: id as u32,
        tgid: (id >> 32) as u32,
        cgroup_id,
        since_boot_ns,
        sequence: next_sequence(),
        comm: bpf_get_current_comm().unwrap_or([0; COMM_LEN]),
    }
}

/// A program that an NMI runs between the two steps makes both events take the same, higher number.
#[inline(always)]
fn next_sequence() -> u64 {
    let Some(slot) = SEQUENCE.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: the map's slot is an aligned u64 that lives as long as the program and belongs to this CPU.
    unsafe { count_up(slot) }
}

/// Adds 1 and answers the sum.
///
/// # Safety
/// `slot` is valid, aligned, and this CPU's.
#[inline(always)]
pub(crate) unsafe fn count_up(slot: *mut u64) -> u64 {
    // SAFETY: the caller's promise.
    unsafe {
        increment(slot);
        slot.read_volatile()
    }
}

/// Adds 1 in one instruction, because an NMI may run another program, or on kernels before 6.3 the same one, in the
/// middle of this one. `core` has no atomics for this target, whose instruction set got compare-and-swap with Linux
/// 5.12 only.
///
/// # Safety
/// `slot` is valid and aligned.
#[inline(always)]
unsafe fn increment(slot: *mut u64) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!("lock *(u64 *)({slot} + 0) += {one}", slot = in(reg) slot, one = in(reg) 1_u64, options(nostack));
    }
}

/// Sends an event of fixed size.
#[inline(always)]
pub(crate) fn send<T: 'static>(event: T) -> Result<Outcome, ProbeError> {
    let mut entry = EVENTS.reserve_untyped::<T>(0).ok_or(ProbeError::RingFull)?;
    entry.write(event);
    entry.submit(0);
    Ok(Outcome::Sent)
}

/// Counts what became of a call; the value is what the program returns.
#[inline(always)]
pub(crate) fn account(hook: impl Into<u16>, result: Result<Outcome, ProbeError>) -> u32 {
    if matches!(result, Ok(Outcome::Filtered)) {
        return 0;
    }
    if let Some(counters) = COUNTERS.get_ptr_mut(u32::from(hook.into())) {
        // SAFETY: the map's slot is an aligned `Counters` that lives as long as the program and belongs to this CPU.
        unsafe {
            increment(match result {
                Ok(Outcome::Sent) => addr_of_mut!((*counters).events),
                Ok(_) => addr_of_mut!((*counters).limited),
                Err(_) => addr_of_mut!((*counters).lost),
            });
        }
    }
    0
}

/// Describes what a program does, in an object built with the feature `log`.
macro_rules! describe {
    ($ctx:expr, $($argument:tt)*) => {
        #[cfg(feature = "log")]
        aya_log_ebpf::debug!($ctx, $($argument)*);
        #[cfg(not(feature = "log"))]
        let _unused = &$ctx;
    };
}
pub(crate) use describe;
