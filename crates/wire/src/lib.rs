//! What `faults` understood, as messages of `telemetry.v1`, every field within the limit that `record.proto` states.
//!
//! The agent and the collector's netconsole receiver both read reports of kernels; a report becomes the same record
//! whoever read it.

mod again;
mod hardware;
mod report;
mod scrub;
pub mod text;

pub use again::{crash_fingerprints, explain, read_again};
pub use hardware::hardware_error;
pub use report::{fingerprint, kernel_report};
pub use scrub::scrub;

/// Longest name of a task, bytes: `TASK_COMM_LEN` without its NUL (`include/linux/sched.h`).
pub const COMM_BYTES: usize = 15;
