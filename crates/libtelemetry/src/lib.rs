//! Sends records of programs to the agent of this host.
//!
//! ```no_run
//! use telemetry::{Client, Record, Severity};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new()?;
//! let record = Record::new("org.example/maintenance/disk", Severity::Medium)
//!     .payload("disk swapped")
//!     .field("slot", 3_u64)
//!     .field("serial", "WD-1");
//! client.send(&record)?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Client::send`] returns when the agent has answered: the record is on disk, counted by storm control, or refused for a
//! reason that the error tells. [`c`] is the same for C programs, with the names of Clear Linux's `libtelemetry.so.4`.

pub mod c;
pub mod client;
pub mod places;
pub mod record;

pub use client::{Client, Kept, SendError};
pub use local::rules::ValueError;
pub use local::{RefusalReason, Severity};
pub use places::{Places, PlacesError};
pub use record::{FieldValue, Record};
