//! The filter language: what is understood reads back from its own text, what is not is told with a column.

pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for (_, subject) in filter::Subject::ALL {
        match filter::parse(text, subject) {
            Ok(expression) => {
                let written = expression.to_string();
                // Writing it out may make it longer than a filter may be.
                if written.len() <= filter::BYTES {
                    assert_eq!(filter::parse(&written, subject), Ok(expression));
                }
            }
            Err(error) => assert!((1..=text.chars().count() + 1).contains(&error.column)),
        }
        assert!(text.is_char_boundary(filter::complete(text, subject).from));
    }
}
