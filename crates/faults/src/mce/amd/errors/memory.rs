//! Memory controllers.

type Errors = &'static [&'static str];

pub(in crate::mce::amd) const CONTROLLER: Errors = &[
    DRAM_ECC,
    "poisoned data",
    "parity error from the data fabric",
    "peripheral bus error",
    "command or address parity error",
    "write data CRC error",
    "command queue SRAM ECC error",
    "encryption SRAM ECC error",
    "error check and scrub: row error",
    "error check and scrub error",
    "throttling error",
    "read data CRC error",
    "",
    "",
    "",
    "",
    "refresh management SRAM ECC error",
];

/// HBM of accelerators (MI200).
pub(in crate::mce::amd) const CONTROLLER_2: Errors = &[
    DRAM_ECC,
    "poisoned data",
    "parity error from the data fabric",
    "",
    "command or address parity error",
    "write data parity error",
    "command queue SRAM ECC error",
    "",
    "read data parity error",
    "read data buffer SRAM ECC error",
    "read response SRAM ECC error",
    "microprocessor error",
];

/// MI300A.
pub(in crate::mce::amd) const CONTROLLER_MI300: Errors = &[
    "on-die ECC error",
    "poisoned data",
    "parity error from the data fabric",
    "",
    "command or address parity error",
    "write data parity error",
    "SRAM ECC error",
    "",
    "",
    "read data buffer SRAM ECC error",
    "thermal throttling",
    "read data parity error",
    "",
    "firmware error",
    "SRAM parity error",
    "HBM CRC error",
];

const DRAM_ECC: &str = "DRAM ECC error";
