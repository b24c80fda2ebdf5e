//! A mangled name.

use faults::demangle::{DEMANGLED_MAX, demangle};

pub(crate) fn run(bytes: &[u8]) {
    let name = &*String::from_utf8_lossy(bytes);
    if let Some(path) = demangle(name) {
        assert!(path.len() <= DEMANGLED_MAX);
    }
}
