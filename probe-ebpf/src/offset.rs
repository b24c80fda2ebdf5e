//! Fields of a classic tracepoint's record, at offsets that user space found in the `format` file, and members of
//! kernel structs, at offsets that it found in the kernel's type information.

use aya_ebpf::{Global, helpers::bpf_probe_read_kernel, programs::TracePointContext};

use crate::event::ProbeError;

/// The value of an offset when the kernel's record has no such field.
///
/// Globals live in a frozen read-only map: the verifier knows their values and removes the code behind absent fields.
pub(crate) const ABSENT: u32 = u32::MAX;

/// An offset from the start of the record, or [`ABSENT`].
pub(crate) type Offset = Global<u32>;

/// Reads a field that may be absent.
#[inline(always)]
pub(crate) fn read<T>(ctx: &TracePointContext, offset: &Offset) -> Result<Option<T>, ProbeError> {
    let offset = offset.load();
    if offset == ABSENT {
        return Ok(None);
    }
    // SAFETY: reads through bpf_probe_read_kernel, which fails rather than faults; user space has checked that the
    // field has the size of `T`, and every `T` used is an integer.
    unsafe { ctx.read_at(offset as usize) }
        .map(Some)
        .map_err(|_errno| ProbeError::Unreadable)
}

/// Reads a member of the struct at `address`. A program is loaded only when user space has found its members.
#[inline(always)]
pub(crate) fn read_member<T>(address: u64, offset: &Offset) -> Result<T, ProbeError> {
    let member = address.wrapping_add(u64::from(offset.load()));
    // SAFETY: reads through bpf_probe_read_kernel, which fails rather than faults; user space has checked that the
    // member has the size of `T`, and every `T` used is an integer.
    unsafe { bpf_probe_read_kernel(member as *const T) }.map_err(|_errno| ProbeError::Unreadable)
}

/// Reads a member that this kernel's struct may not have; `None` also when there is no struct or it cannot be read.
#[inline(always)]
pub(crate) fn read_optional<T>(address: u64, offset: &Offset) -> Option<T> {
    if offset.load() == ABSENT || address == 0 {
        return None;
    }
    read_member(address, offset).ok()
}
