//! The data fabric.

type Errors = &'static [&'static str];

pub(in crate::mce::amd) const COHERENT_STATION: Errors = &[
    "illegal request",
    "address violation",
    "security violation",
    "illegal response",
    "unexpected response",
    "request or probe parity error",
    "read response parity error",
    "atomic request parity error",
    "probe filter ECC error",
];

pub(in crate::mce::amd) const COHERENT_STATION_2: Errors = &[
    "illegal request",
    "address violation",
    "security violation",
    "illegal response",
    "unexpected response",
    "request or probe parity error",
    "read response parity error",
    "atomic request parity error",
    "read response for no request",
    "probe filter protocol error",
    "probe filter ECC error",
    "read response with an unexpected retry",
    "counter overflow",
    "counter underflow",
    "illegal request without data",
    "address violation without data",
    "security violation without data",
    "hardware assertion",
    "shadow tag protocol error",
    "shadow tag ECC error",
    "shadow tag transaction error",
];

/// Genoa's erratum 1384.
pub(in crate::mce::amd) const COHERENT_STATION_1384: Errors = &[
    "illegal request",
    "address violation",
    "security violation",
    "illegal response",
    "unexpected response",
    "request or probe parity error",
    "read response parity error",
    "atomic request parity error",
    "read response for no request",
    "read response with an unexpected retry",
    "counter overflow",
    "counter underflow",
    "probe filter protocol error",
    "probe filter ECC error",
    "illegal request without data",
    "address violation without data",
    "security violation without data",
    "hardware assertion",
];

pub(in crate::mce::amd) const POWER_INTERRUPTS: Errors = &[
    "hardware assertion",
    "register security violation",
    "link error",
    "poisoned data used",
    "deferred error in the data fabric",
    "watchdog timeout",
    "SRAM ECC error of the link block",
    "register access while the fabric slept",
    "error raised by the debug state machine",
];

pub(in crate::mce::amd) const MEMORY_CACHE: Errors = &[
    "counter overflow",
    "counter underflow",
    "write data parity error",
    "read response parity error",
    "tag ECC error, macro 0",
    "tag ECC error, macro 1",
    "data ECC error",
];
