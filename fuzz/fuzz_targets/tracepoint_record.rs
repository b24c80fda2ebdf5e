//! A tracepoint's record, by a `format` file that says anything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use probe_user::format::Format;

fuzz_target!(|input: (&str, &[u8], &[u8])| {
    let (text, record, strings) = input;
    if let Ok(format) = Format::parse(text) {
        let fields = format.decode(record, strings);
        assert!(fields.iter().count() <= format.fields.len());
    }
});
