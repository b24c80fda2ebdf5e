//! The maps.

use aya_ebpf::{
    btf_maps::{PerCpuArray, RingBuf},
    macros::btf_map,
};
use probe_common::{Counters, Header, Hook, RING_BYTES};

/// Everything that is sent. User space may choose another size when it loads.
#[btf_map]
pub(crate) static EVENTS: RingBuf<Header, RING_BYTES> = RingBuf::new();

/// By [`Hook`].
#[btf_map]
pub(crate) static COUNTERS: PerCpuArray<Counters, { Hook::COUNT }> = PerCpuArray::new();

/// One number: the events of this CPU so far.
#[btf_map]
pub(crate) static SEQUENCE: PerCpuArray<u64, 1> = PerCpuArray::new();
