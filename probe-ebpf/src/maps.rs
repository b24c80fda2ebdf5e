//! The maps.

use aya_ebpf::{
    btf_maps::{Array, PerCpuArray, RingBuf},
    macros::btf_map,
};
use probe_common::{Counters, FIRST_SLOT, Header, RING_BYTES, SLOTS as SLOT_COUNT, SlotConfig};

/// Everything that is sent. User space may choose another size when it loads.
#[btf_map]
pub(crate) static EVENTS: RingBuf<Header, RING_BYTES> = RingBuf::new();

/// By [`Header::hook`].
#[btf_map]
pub(crate) static COUNTERS: PerCpuArray<Counters, { FIRST_SLOT as usize + SLOT_COUNT }> = PerCpuArray::new();

/// What each slot of the generic program does.
#[btf_map]
pub(crate) static SLOTS: Array<SlotConfig, SLOT_COUNT> = Array::new();

/// One number: the events of this CPU so far.
#[btf_map]
pub(crate) static SEQUENCE: PerCpuArray<u64, 1> = PerCpuArray::new();
