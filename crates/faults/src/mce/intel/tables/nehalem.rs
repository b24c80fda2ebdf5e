//! Nehalem and Westmere (SDM 3B, `06_1AH`): a bit of `MSCOD` an error.

use super::super::specific::{Bits, Values};

pub(in crate::mce::intel) const QPI: Bits = &[
    (0, "bad parity of a header"),
    (1, "bad parity of a data packet"),
    (2, "too many retries"),
    (3, "a poisoned data packet came in"),
    (6, "a message of unsupported encoding came in"),
    (7, "credit type not supported"),
    (8, "the sender sent too many flits"),
    (9, "the sender sent a failed response"),
    (10, "jitter of the internal clock"),
];

pub(in crate::mce::intel) const MEMORY: Bits = &[
    (0, "ECC error at a read"),
    (1, "ECC error found by scrub"),
    (2, "parity error at a write"),
    (3, "error in one half of redundant memory"),
    (5, "access out of range"),
    (6, "invalid internal transaction id"),
    (7, "address parity error"),
    (8, "byte enable parity error"),
];

/// Bits 31:24 of the status with the simple code 1.
pub(in crate::mce::intel) const INTERNAL: Values = &[
    (0x03, "reset firmware did not complete"),
    (0x08, "invalid completion of a power management message"),
    (0x0a, "invalid power management request"),
    (0x0d, "invalid sleep state transition"),
    (
        0x11,
        "the voltage controller does not match the power-on configuration",
    ),
    (0x1a, "the board's market segment does not match the processor's"),
];
