//! A mangled name.
#![no_main]

use faults::demangle::{DEMANGLED_MAX, demangle};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|name: &str| {
    if let Some(path) = demangle(name) {
        assert!(path.len() <= DEMANGLED_MAX);
    }
});
