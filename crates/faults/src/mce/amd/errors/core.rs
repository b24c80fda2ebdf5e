//! The parts of a core and its caches.

type Errors = &'static [&'static str];

/// Zen and Zen 2.
pub(in crate::mce::amd) const LOAD_STORE: Errors = &[
    "load queue parity error",
    "store queue parity error",
    "miss address buffer parity error",
    "L1 data TLB parity error",
    "data cache tag error, type 5",
    "data cache tag error, type 6",
    "data cache tag error, type 1",
    "internal error, type 1",
    "internal error, type 2",
    "bad data read from the system, thread 0",
    "bad data read from the system, thread 1",
    "data cache tag error, type 2",
    "data cache data error, type 1 (poison used)",
    "data cache data error, type 2",
    "data cache data error, type 3",
    "data cache tag error, type 4",
    "L2 data TLB parity error",
    "page directory cache parity error",
    "data cache tag error, type 3",
    "data cache tag error, type 5",
    "L2 fill data error",
    "store coalescing buffer: state or address error",
    "store coalescing buffer: data error, pipe 0",
    "store coalescing buffer: data error, pipe 1",
    "store coalescing buffer: data error, not cacheable",
    "write combining buffer: bad data read from the system",
    "hardware assertion",
];

/// Zen 3 and later.
pub(in crate::mce::amd) const LOAD_STORE_2: Errors = &[
    "data cache ECC error at a probe or eviction",
    "data cache ECC error or L2 poison at a load",
    "data cache ECC error at a store",
    "data cache tag error at a probe or eviction",
    "data cache tag error at a load",
    "data cache tag error at a store",
    "EMEM ECC error at a load",
    "EMEM ECC error at a store",
    "L1 data TLB parity error",
    "L2 data TLB parity error",
    "page walk cache parity error",
    "store queue parity error",
    "load queue parity error",
    "miss address buffer parity error",
    "store coalescing buffer: state parity error",
    "store coalescing buffer: address parity error",
    "store coalescing buffer: data parity error",
    "write combining buffer parity error",
    "store coalescing buffer: poisoned line",
    "bad data read from the system at a load",
    "bad data read from the system at a store",
    "bad data read from the system at a write combining store",
    "hardware assertion",
    "store forwarding or store data parity error",
];

pub(in crate::mce::amd) const INSTRUCTION_FETCH: Errors = &[
    "instruction cache microtag parity error",
    "instruction cache tag matched more than once",
    "instruction cache tag parity error",
    "instruction cache data parity error",
    "prediction queue parity error",
    "L0 instruction TLB parity error",
    "L1 instruction TLB parity error",
    "L2 instruction TLB parity error",
    "branch prediction queue snoop parity error, thread 0",
    "branch prediction queue snoop parity error, thread 1",
    "L1 branch target buffer matched more than once",
    "L2 branch target buffer matched more than once",
    "poisoned data from the L2 cache",
    "bad data read from the system",
    "hardware assertion",
    "L1 instruction TLB matched more than once",
    "L2 instruction TLB matched more than once",
    "branch status register parity error",
    "CT error",
];

pub(in crate::mce::amd) const L2_CACHE: Errors = &[
    "tag matched more than one way",
    "tag or state ECC error",
    "data ECC error",
    "hardware assertion",
    "read response parity error",
    "error raised by the debug state machine",
];

pub(in crate::mce::amd) const DECODE: Errors = &[
    "micro-op cache tag parity error",
    "micro-op cache data parity error",
    "instruction buffer parity error",
    "micro-op queue parity error",
    "dispatch queue parity error",
    "fetch address FIFO parity error",
    "patch RAM data parity error",
    "patch RAM sequencer parity error",
    "micro-op fetch queue parity error",
    "hardware assertion",
];

pub(in crate::mce::amd) const EXECUTION: Errors = &[
    "watchdog timeout: no instruction retired",
    "physical register file parity error",
    "flag register file parity error",
    "immediate displacement register file parity error",
    "address generator payload parity error",
    "execution payload parity error",
    "checkpoint queue parity error",
    "retire dispatch queue parity error",
    "retire status queue parity error",
    "scheduler queue parity error",
    "branch buffer queue parity error",
    "hardware assertion",
    "speculative map parity error",
    "retire map parity error",
];

pub(in crate::mce::amd) const FLOATING_POINT: Errors = &[
    "physical register file parity error",
    "free list parity error",
    "scheduler queue parity error",
    "non-scheduling queue parity error",
    "retire queue parity error",
    "status register file parity error",
    "hardware assertion",
    "mask register file parity error",
];

pub(in crate::mce::amd) const L3_CACHE: Errors = &[
    "shadow tag ECC error",
    "shadow tag matched more than one way",
    "tag ECC error",
    "tag matched more than one way",
    "data ECC error",
    "parity error of data from the core complex interface",
    "victim queue: data fabric error",
    "hardware assertion",
    "write combining buffer: parity error, poison created",
    "error raised by the debug state machine",
];
