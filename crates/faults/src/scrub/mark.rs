//! E-mail addresses and numbers that are one machine's alone.

use super::token::{self, apart, is_word, runs};
use std::ops::Range;

/// Bytes of the longest name before the `@`, and of the longest domain behind it (RFC 5321, 4.5.3.1).
const LOCAL_MAX: usize = 64;
const DOMAIN_MAX: usize = 255;

/// Kinds of units of systemd, whose instances look like e-mail: `getty@tty1.service`.
const UNITS: [&str; 11] = [
    "service",
    "socket",
    "mount",
    "target",
    "timer",
    "slice",
    "scope",
    "path",
    "swap",
    "device",
    "automount",
];

/// Bytes of the shortest serial number. `SerialNumber=3` is an index of USB.
const SERIAL_MIN: usize = 4;

/// Words before serial numbers, lower case and without spaces, `-` and `_`.
const SERIAL_WORDS: [&str; 16] = [
    "serial",
    "serialnumber",
    "serialno",
    "serialnum",
    "idserial",
    "idserialshort",
    "sn",
    "s/n",
    "ppin",
    "servicetag",
    "assettag",
    "machineid",
    "bootid",
    "uuid",
    "guid",
    "imei",
];

/// Beginnings of names that hold a disk's number.
pub(super) const DISK_PREFIXES: [&str; 5] = ["wwn-0x", "naa.", "eui.", "wwid.", "nvme.uuid."];

/// Reports each e-mail address, with what is before it and ends in an `@` as well: `ann@host1@relay.example`.
pub(super) fn emails(text: &str, note: &mut impl FnMut(Range<usize>)) {
    let bytes = text.as_bytes();
    let is_local =
        |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(**byte, b'.' | b'_' | b'%' | b'+' | b'-');
    let is_domain = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(**byte, b'.' | b'-');
    // The last `@`, and where what belongs to it begins.
    let mut last_at: Option<(usize, usize)> = None;
    for at in memchr::memchr_iter(b'@', bytes) {
        let before = bytes.get(..at).unwrap_or_default();
        let after = bytes.get(at + 1..).unwrap_or_default();
        let local = before.iter().rev().take(LOCAL_MAX).take_while(is_local).count();
        let domain = after.iter().take(DOMAIN_MAX).take_while(is_domain).count();
        let domain = text.get(at + 1..at + 1 + domain).unwrap_or_default();
        let domain = domain.trim_end_matches(['.', '-']);
        let start = match last_at {
            Some((last, start)) if last + 1 == at - local => start,
            _ => at - local,
        };
        last_at = (local > 0).then_some((at, start));
        let range = start..at + 1 + domain.len();
        let Some((_, last)) = domain.rsplit_once('.') else {
            continue;
        };
        let top = last.len() >= 2 && last.bytes().all(|byte| byte.is_ascii_alphabetic());
        if local > 0 && top && !UNITS.contains(&last) && apart(bytes, &range, |byte| byte == b'_') {
            note(range);
        }
    }
}

/// Reports each serial number and unique identifier.
pub(super) fn serials(text: &str, note: &mut impl FnMut(Range<usize>)) {
    uuids(text, note);
    for (start, line) in token::lines(text) {
        for separator in memchr::memchr2_iter(b':', b'=', line.as_bytes()) {
            let (before, after) = line.split_at(separator);
            if is_serial_word(before)
                && let Some(value) = value(after, 1)
            {
                note(start + separator + value.start..start + separator + value.end);
            }
        }
        // Machine checks print `PPIN 1234abcd`, disks `S/N 1234`.
        for word in ["PPIN ", "S/N "] {
            for at in memchr::memmem::find_iter(line.as_bytes(), word) {
                let apart = !line
                    .get(..at)
                    .is_some_and(|before| before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '<'));
                if let Some(value) = value(line.get(at..).unwrap_or_default(), word.len()).filter(|_| apart) {
                    note(start + at + value.start..start + at + value.end);
                }
            }
        }
        for prefix in DISK_PREFIXES {
            for at in memchr::memmem::find_iter(line.as_bytes(), prefix) {
                let digits = line
                    .bytes()
                    .skip(at + prefix.len())
                    .take_while(|byte| is_word(*byte) || *byte == b'-')
                    .count();
                let range = at + prefix.len()..at + prefix.len() + digits;
                if digits >= 8 && apart(line.as_bytes(), &(at..range.end), is_word) {
                    note(start + range.start..start + range.end);
                }
            }
        }
    }
}

/// Whether the words at the end are those before a serial number.
fn is_serial_word(before: &str) -> bool {
    // `Serial Number`, `serial_no`, `S/N`, `ID_SERIAL_SHORT`: letters of at most 24 bytes.
    let start = before.ceil_char_boundary(before.len().saturating_sub(24));
    let tail = before.get(start..).unwrap_or_default().trim_end();
    SERIAL_WORDS.iter().any(|word| {
        let mut wanted = word.bytes().rev();
        let mut next = wanted.next();
        let mut taken = tail.len();
        for byte in tail.bytes().rev() {
            if next.is_none() || (matches!(byte, b' ' | b'_' | b'-') && next != Some(byte)) {
                if next.is_none() {
                    break;
                }
                taken -= 1;
                continue;
            }
            if next != Some(byte.to_ascii_lowercase()) {
                return false;
            }
            next = wanted.next();
            taken -= 1;
        }
        let first = tail.get(..taken).unwrap_or_default();
        next.is_none() && !first.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '<' || c == '/')
    })
}

/// The value behind a separator of `skip` bytes.
fn value(after: &str, skip: usize) -> Option<Range<usize>> {
    let rest = after.get(skip..)?;
    let start = skip + rest.len() - rest.trim_start_matches([' ', '"', '\'', '\t']).len();
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    let length = after.get(start..)?.bytes().take_while(inside).count();
    let length = after
        .get(start..start + length)?
        .trim_end_matches(['.', '-', '/'])
        .len();
    (length >= SERIAL_MIN).then_some(start..start + length)
}

/// `8-4-4-4-12` hexadecimal digits.
fn uuids(text: &str, note: &mut impl FnMut(Range<usize>)) {
    for run in runs(text, |byte| byte.is_ascii_hexdigit() || byte == b'-') {
        let word = text.get(run.clone()).unwrap_or_default();
        let groups = word.split('-').map(str::len);
        if word.len() == 36 && groups.eq([8, 4, 4, 4, 12]) && apart(text.as_bytes(), &run, is_word) {
            note(run);
        }
    }
}
