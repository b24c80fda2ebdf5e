//! Bytes as text, times that people write, names of hosts, and words of a shell.

use std::time::Duration;

pub use faults::hex_digits;
use jiff::{Span, SpanRelativeTo, Unit};

/// The name or address in a `Host` header, without its port; an IPv6 address keeps its brackets (RFC 3986, 3.2.2).
pub(crate) fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@".contains(&byte);
    if word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Whether it is an address that a browser opens.
pub(crate) fn is_of_the_web(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

/// A time such as `30m`, `12h` or `1d`. `None`: it is none, or it is not above zero. Days have 24 hours; months and years have no length.
pub fn duration(text: &str) -> Option<Duration> {
    let span: Span = text.parse().ok()?;
    let seconds = span
        .total((Unit::Second, SpanRelativeTo::days_are_24_hours()))
        .ok()?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|time| !time.is_zero())
}
