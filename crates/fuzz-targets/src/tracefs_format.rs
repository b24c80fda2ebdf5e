//! A tracepoint's `format` file.

use probe_user::format::Format;

pub(crate) fn run(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    let _refused = Format::parse(text).is_err();
}
