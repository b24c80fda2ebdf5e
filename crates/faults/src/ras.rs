//! What the kernel's `ras` tracepoints report (`include/ras/ras_event.h`), and the log text of the same events.
//!
//! | tracepoint | type |
//! | --- | --- |
//! | `mc_event`, `EDAC MC0: 1 CE ...` | [`MemoryController`] |
//! | `memory_failure_event`, `Memory failure: 0x12345: ...` | [`MemoryFailure`] |
//! | `non_standard_event` | [`NonStandard`] |
//! | `extlog_mem_event` | [`ExtendedLog`] |
//! | `arm_event` | [`ArmEvent`] |
//! | `aer_event` | [`crate::aer::AerError::of_event`] |
//!
//! The last four carry parts of CPER sections and become a [`crate::cper::Section`].

mod edac;
mod event;
mod memory_failure;

pub use edac::{Layer, McSeverity, MemoryController};
pub use event::{ArmEvent, ExtendedLog, NonStandard};
pub use memory_failure::{MemoryFailure, PageTypes, Recovery};

#[cfg(test)]
mod tests;
