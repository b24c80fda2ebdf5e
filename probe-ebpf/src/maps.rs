//! The maps.

use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    btf_maps::{Array, LruHashMap, PerCpuArray, RingBuf},
    macros::btf_map,
};
use probe_common::{Counters, FIRST_SLOT, Header, RING_BYTES, SLOTS as SLOT_COUNT, Sign, SlotConfig};

use crate::{hindsight::Irqs, rate::Window};

/// Everything that is sent. User space may choose another size when it loads.
#[btf_map]
pub(crate) static EVENTS: RingBuf<Header, RING_BYTES> = RingBuf::new();

/// By [`Header::hook`].
#[btf_map]
pub(crate) static COUNTERS: PerCpuArray<Counters, { FIRST_SLOT as usize + SLOT_COUNT }> = PerCpuArray::new();

/// What each slot of the generic program does.
#[btf_map]
pub(crate) static SLOTS: Array<SlotConfig, SLOT_COUNT> = Array::new();

/// How much each slot has sent lately.
#[btf_map]
pub(crate) static WINDOWS: PerCpuArray<Window, SLOT_COUNT> = PerCpuArray::new();

/// The last signs of each CPU. User space chooses how many when it loads, and maps it.
#[btf_map]
pub(crate) static SIGNS: Array<Sign, 1, { BPF_F_MMAPABLE as usize }> = Array::new();

/// One number: the signs of this CPU so far.
#[btf_map]
pub(crate) static SIGN_POSITION: PerCpuArray<u64, 1> = PerCpuArray::new();

/// When tasks began to wait, nanoseconds, by task and kind. User space chooses how many when it loads.
#[btf_map]
pub(crate) static STARTED: LruHashMap<u64, u64, 1> = LruHashMap::new();

/// The interrupts of this CPU.
#[btf_map]
pub(crate) static IRQS: PerCpuArray<Irqs, 1> = PerCpuArray::new();

/// One number: the events of this CPU so far.
#[btf_map]
pub(crate) static SEQUENCE: PerCpuArray<u64, 1> = PerCpuArray::new();
