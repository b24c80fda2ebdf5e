//! Kernel log text and hardware error records to typed faults, titles and fingerprints.
//!
//! The crate is pure: bytes in, values out. It opens nothing, reads no clock and does not panic on any input; every
//! collection it builds has a named limit.
//!
//! The usual way through it:
//!
//! 1. [`log::lines`] takes the prefixes that kernels and tools put before a line away (time, level, caller, host).
//! 2. [`Assembler`] groups the lines of one context into the text of one report.
//! 3. [`parse`] turns that text into a [`KernelReport`] with a title in syzbot's convention.
//! 4. [`fingerprint::of_report`] says which other reports are the same fault.
//!
//! [`mce`] decodes machine checks and [`signal`] names the crashes of programs.
//!
//! ```
//! use faults::{Assembler, Limits, log, parse};
//!
//! let console = b"<4>[   12.5][   T77] BUG: scheduling while atomic: test/77/0x00000002\r\n\
//!                 <4>[   12.5][   T77] Call Trace:\r\n\
//!                 <4>[   12.5][   T77]  example_wait+0x1f/0x40\r\n";
//! let mut assembler = Assembler::new(Limits::default());
//! let mut reports = Vec::new();
//! for line in log::lines(console) {
//!     assembler.push(line.as_line(), &mut reports);
//! }
//! assembler.flush(&mut reports);
//! let report = parse(&reports[0].text).unwrap();
//! assert_eq!(report.title, "BUG: scheduling while atomic in example_wait");
//! ```

mod assembler;
mod bytes;
mod class;
mod kind;
mod parse;
mod report;
mod tables;

pub mod fingerprint;
pub mod log;
pub mod mce;
pub mod signal;

pub use assembler::{Assembled, Assembler, Limits};
pub use class::{Class, Severity, UnknownClass};
pub use kind::ReportKind;
pub use log::Line;
pub use parse::parse;
pub use report::{CallTrace, Frame, KernelReport};
