//! A tracepoint's `format` file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use probe_user::format::Format;

fuzz_target!(|text: &str| {
    let _refused = Format::parse(text).is_err();
});
