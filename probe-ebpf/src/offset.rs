//! Fields of a classic tracepoint's record, at offsets that user space found in the `format` file.

use aya_ebpf::{Global, programs::TracePointContext};

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
