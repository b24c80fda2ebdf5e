//! Kernel log text and hardware error records to typed faults, titles and fingerprints.
//!
//! The crate is pure: bytes in, values out. It opens nothing, reads no clock and does not panic on any input; every
//! collection it builds has a named limit.
//!
//! The usual way through it is [`reports`] for a log in memory, or a [`Reader`] for one that comes in pieces. They take
//! four steps, each usable on its own:
//!
//! 1. [`log::lines`] takes the prefixes that kernels and tools put before a line away (time, level, caller, host).
//! 2. [`Assembler`] groups the lines of one context into the text of one report.
//! 3. [`parse`] turns that text into a [`KernelReport`] with a title in syzbot's convention.
//! 4. [`fingerprint::of_report`] says which other reports are the same fault.
//!
//! [`mce`] decodes machine checks, [`cper`] what firmware tells of broken hardware, [`aer`] errors of PCI Express;
//! [`signal`] names the crashes of programs.
//!
//! ```
//! let console = b"<4>[   12.5][   T77] BUG: scheduling while atomic: test/77/0x00000002\r\n\
//!                 <4>[   12.5][   T77] Call Trace:\r\n\
//!                 <4>[   12.5][   T77]  example_wait+0x1f/0x40\r\n";
//! let found = &faults::reports(console)[0];
//! assert_eq!(found.report.title, "BUG: scheduling while atomic in example_wait");
//! assert_eq!(found.text.lines().last(), Some(" example_wait+0x1f/0x40"));
//! // A range of the text, and where it is in the log.
//! let frame = found.in_input(found.lines[2].in_text.clone());
//! assert_eq!(&console[frame[0].start as usize..frame[0].end as usize], b" example_wait+0x1f/0x40");
//! ```

mod assembler;
mod bytes;
mod class;
mod kind;
mod parse;
mod reader;
mod tables;

pub mod aer;
pub mod cper;
pub mod crash;
pub mod demangle;
pub mod fingerprint;
pub mod hardware;
pub mod log;
pub mod mce;
pub mod ras;
#[macro_use]
pub mod report;
pub mod scrub;
pub mod signal;
#[cfg(feature = "symbols")]
pub mod symbols;

pub use assembler::{Assembled, Assembler, Limits};
pub use bytes::hex_digits;
pub use class::{Class, Severity, UnknownClass};
pub use kind::ReportKind;
pub use log::Line;
pub use parse::{device_sort, parse};
pub use reader::{LogReport, Reader, SourceLine, reports};
pub use report::{CallTrace, Frame, KernelReport};
