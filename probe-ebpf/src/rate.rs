//! How many events of a slot are copied: so many a window and CPU, the others are counted.

use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use probe_common::WINDOW_SHIFT;

use crate::maps::WINDOWS;

/// What a slot has sent on one CPU.
#[repr(C)]
pub(crate) struct Window {
    /// Time since boot, in windows.
    number: u64,
    admitted: u64,
}

/// Whether one more event of the slot may be sent; `limit` 0 is none.
///
/// The kernel runs no program of a classic tracepoint while another runs on the CPU (`bpf_prog_active` in
/// `trace_call_bpf`), so nobody else touches the window meanwhile.
#[inline(always)]
pub(crate) fn admits(slot: u16, limit: u32) -> bool {
    if limit == 0 {
        return true;
    }
    let Some(window) = WINDOWS.get_ptr_mut(u32::from(slot)) else {
        return true;
    };
    // SAFETY: a helper without arguments.
    let number = unsafe { bpf_ktime_get_ns() } >> WINDOW_SHIFT;
    // SAFETY: the map's slot is an aligned `Window` that lives as long as the program and belongs to this CPU.
    let window = unsafe { &mut *window };
    if window.number != number {
        *window = Window { number, admitted: 0 };
    }
    let admits = window.admitted < u64::from(limit);
    window.admitted += u64::from(admits);
    admits
}
