//! A tracepoint's `format` file that says anything, a NUL byte, and a record of it with its strings in two halves.

use probe_user::format::Format;

pub(crate) fn run(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let text = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let rest = parts.next().unwrap_or_default();
    let (record, strings) = rest.split_at(rest.len() / 2);
    if let Ok(format) = Format::parse(&text) {
        let fields = format.decode(record, strings);
        assert!(fields.iter().count() <= format.fields.len());
    }
}
