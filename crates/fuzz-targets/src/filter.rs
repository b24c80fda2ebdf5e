//! The filter language: what is understood reads back from its own text, what is not is told with a column.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match filter::parse(text) {
        Ok(expression) => {
            let written = expression.to_string();
            // Writing it out may make it longer than a filter may be.
            if written.len() <= filter::BYTES {
                assert_eq!(filter::parse(&written), Ok(expression));
            }
        }
        Err(error) => assert!((1..=text.chars().count() + 1).contains(&error.column)),
    }
    assert!(text.is_char_boundary(filter::complete(text).from));
});
