//! Names of functions as they are in the source.

use std::fmt::{self, Write as _};

/// Bytes of a mangled name that are looked at; longer names stay as they are.
pub const MANGLED_MAX: usize = 4096;

/// Bytes of a demangled name; what would be longer stays mangled.
pub const DEMANGLED_MAX: usize = 1024;

/// A Rust name (legacy and v0) as a path, without its hash; `None` when it is none.
pub(crate) fn rust(name: &str) -> Option<String> {
    if name.len() > MANGLED_MAX {
        return None;
    }
    let demangled = rustc_demangle::try_demangle(name).ok()?;
    bounded(format_args!("{demangled:#}"))
}

/// The text, unless it is longer than [`DEMANGLED_MAX`]. Writing stops there: a short mangled name may stand for a very long one.
fn bounded(text: fmt::Arguments<'_>) -> Option<String> {
    let mut bounded = Bounded(String::new());
    bounded.write_fmt(text).ok()?;
    Some(bounded.0)
}

struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > DEMANGLED_MAX {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}
