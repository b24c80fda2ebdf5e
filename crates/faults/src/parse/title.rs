//! Filling in title templates.

use super::pattern::Captures;

/// Bytes of a title.
pub(crate) const TITLE_MAX: usize = 120;

/// Names of block devices without letter and number. Longer names first where one begins with another.
const DEVICES: [&str; 21] = [
    "bcache", "cciss", "dasd", "dm", "drbd", "fd", "hd", "loop", "md", "mmcblk", "mtdblock", "nbd", "nullb",
    "nvme", "pmem", "ram", "rbd", "sd", "sr", "vd", "xvd",
];

/// Fills `{0}`, `{1}`, ..., `{d0}`, ... (the sort of a device) and `{F}` (the frame) in; what remains is cleaned as syzbot does: printable, one space
/// between words, numbers and addresses replaced when they came from the log.
pub(crate) fn fill(template: &str, fields: &Captures<'_>, frame: &str) -> String {
    let mut title = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        title.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        if name == "F" {
            title.push_str(frame);
        } else {
            let (index, is_device) = name
                .strip_prefix('d')
                .map_or((name, false), |index| (index, true));
            let field = index.parse().ok().and_then(|index: usize| fields.get(index));
            let field = field.copied().unwrap_or_default();
            if is_device {
                title.push_str(device_sort(field));
            } else {
                title.push_str(&without_numbers(field));
            }
        }
        rest = after;
    }
    title.push_str(rest);
    clean(&title)
}

/// The sort of a block device by its name, as titles have it: `sd` of `sda1`, `nvme` of `nvme0n1`; of names that are not
/// known what comes before the first digit.
pub fn device_sort(name: &str) -> &str {
    let known = DEVICES.iter().find(|sort| name.starts_with(**sort));
    let end = name.find(|c: char| c.is_ascii_digit()).unwrap_or(name.len());
    known.copied().unwrap_or_else(|| name.get(..end).unwrap_or(name))
}

/// Printable, single spaces, at most [`TITLE_MAX`] bytes.
pub(crate) fn clean(title: &str) -> String {
    let mut clean = String::with_capacity(title.len());
    for c in title.chars() {
        let c = if c == '\t' { ' ' } else { c };
        if (c == ' ' && (clean.ends_with(' ') || clean.is_empty())) || !(c == ' ' || c.is_ascii_graphic()) {
            continue;
        }
        if clean.len() == TITLE_MAX {
            break;
        }
        clean.push(c);
    }
    clean.truncate(clean.trim_end().len());
    clean
}

/// Replaces hexadecimal numbers by `ADDR` and decimal ones by `NUM`, wherever they are words of their own, and leaves out
/// where in a function something is (`+0x1f/0x40`).
pub(crate) fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut inside_word = false;
    while let Some(c) = rest.chars().next() {
        if !inside_word && let Some((replacement, length)) = number(rest) {
            out.push_str(replacement);
            rest = rest.get(length..).unwrap_or_default();
            inside_word = true;
            continue;
        }
        if inside_word && let Some(length) = place_in_function(rest) {
            rest = rest.get(length..).unwrap_or_default();
            continue;
        }
        inside_word = c.is_ascii_alphanumeric() || c == '_';
        out.push(c);
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    out
}

/// The length of `+0x1f/0x40`.
fn place_in_function(text: &str) -> Option<usize> {
    let hexadecimal = |text: &str| text.bytes().take_while(u8::is_ascii_hexdigit).count();
    let offset = hexadecimal(text.strip_prefix("+0x")?);
    let size = hexadecimal(text.get(offset + 3..)?.strip_prefix("/0x")?);
    (offset > 0 && size > 0).then_some(offset + size + 6)
}

fn number(text: &str) -> Option<(&'static str, usize)> {
    let run = |text: &str, accept: fn(&u8) -> bool| text.bytes().take_while(accept).count();
    if let Some(hex) = text.strip_prefix("0x") {
        let digits = run(hex, u8::is_ascii_hexdigit);
        return (digits > 0).then_some(("ADDR", digits + 2));
    }
    let word = run(text, |b| b.is_ascii_alphanumeric() || *b == b'_');
    let digits = run(text, u8::is_ascii_hexdigit);
    if digits == word && digits >= 8 {
        return Some(("ADDR", digits));
    }
    let digits = run(text, u8::is_ascii_digit);
    (digits == word && digits > 0).then_some(("NUM", digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_clean_and_without_numbers() {
        let fields = ["unknown-block(0,0) at  ffff888012345678 x86\u{7}", "", "", ""];
        assert_eq!(
            fill("panic: {0} in {F}", &fields, "a_1"),
            "panic: unknown-block(NUM,NUM) at ADDR x86 in a_1"
        );
        assert_eq!(
            without_numbers("f.part.0+0x1f/0x40 by a+0x1"),
            "f.part.NUM by a+ADDR"
        );
        assert_eq!(fill(&"x".repeat(500), &fields, "").len(), TITLE_MAX);
    }
}
