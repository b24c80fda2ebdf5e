//! Text within limits, and errors and bytes as text.

pub use faults::hex_digits;
pub use wire::text::{chain, cut, cut_front, title};
