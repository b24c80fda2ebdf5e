//! The small pattern language of the tables.
//!
//! A pattern is literal text with fields: `{f}` a function's name with what the kernel prints behind it
//! (`+0x1f/0x40`), `{i}` a function's name without that, `{n}` a decimal number, `{x}` a hexadecimal one, `{w}` a word,
//! `{d}` a device's name, `{m}` the beginning of a message, up to the first word that changes from case to case, `{$}` the
//! end of the line, `{*}` anything up to the literal that follows (or the end of the line). It matches at the first place
//! of its first literal; there is no backtracking, so it is linear.

use crate::bytes::position;

/// Fields of a pattern, at most this many.
const FIELDS: usize = 4;

/// What the fields of a pattern matched, in order.
pub(crate) type Captures<'t> = [&'t str; FIELDS];

/// The fields when `pattern` matches somewhere in `line`.
pub(crate) fn find<'t>(pattern: &str, line: &'t str) -> Option<Captures<'t>> {
    let mut fields = [""; FIELDS];
    let mut used = 0;
    let (first, mut pattern) = split_literal(pattern);
    let at = position(line.as_bytes(), first.as_bytes())?;
    let mut rest = line.get(at + first.len()..)?;
    while let Some(after) = pattern.strip_prefix('{') {
        let (field, after) = after.split_once('}')?;
        let (literal, after) = split_literal(after);
        pattern = after;
        let length = match field {
            "f" => symbol_length(rest)?,
            "n" => some(count(rest, |c| c.is_ascii_digit()))?,
            "x" => some(count(rest, |c| c.is_ascii_hexdigit()))?,
            "i" => some(identifier_length(rest))?,
            "d" => some(count(rest, |c| {
                c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '!' | '.')
            }))?,
            "m" => some(message_length(rest))?,
            "w" => some(count(rest, |c| !c.is_whitespace()))?,
            "$" if !rest.trim().is_empty() => return None,
            _ if literal.is_empty() => rest.len(),
            _ => position(rest.as_bytes(), literal.as_bytes())?,
        };
        if let Some(slot) = fields.get_mut(used) {
            *slot = rest.get(..length)?;
            used += 1;
        }
        rest = rest.get(length..)?;
        if field == "f" {
            rest = rest.get(offset_length(rest)..)?;
        }
        rest = rest.strip_prefix(literal)?;
    }
    Some(fields)
}

/// How many fields a pattern has.
pub(crate) fn fields(pattern: &str) -> usize {
    pattern.matches('{').count()
}

/// The index of the first field that is a function.
pub(crate) fn symbol_field(pattern: &str) -> Option<usize> {
    pattern
        .find("{f}")
        .or_else(|| pattern.find("{i}"))
        .map(|at| fields(pattern.get(..at).unwrap_or_default()))
}

/// The literal at the front of a pattern, which is also the cheapest test for it.
pub(crate) fn split_literal(pattern: &str) -> (&str, &str) {
    pattern.split_at(pattern.find('{').unwrap_or(pattern.len()))
}

fn some(length: usize) -> Option<usize> {
    (length > 0).then_some(length)
}

fn count(text: &str, accept: impl Fn(char) -> bool) -> usize {
    text.find(|c| !accept(c)).unwrap_or(text.len())
}

/// The length of a symbol at the front of `text`; a Rust path may hold spaces inside `<...>`.
pub(crate) fn symbol_length(text: &str) -> Option<usize> {
    let mut depth = 0_u32;
    let mut length = 0;
    for byte in text.bytes() {
        match byte {
            b'<' => depth += 1,
            b'>' if depth > 0 => depth -= 1,
            b' ' | b'&' | b',' | b'{' | b'}' | b'#' | b'[' | b']' | b'*' if depth > 0 => {}
            b'_' | b'.' | b'$' | b':' | b'@' => {}
            _ if byte.is_ascii_alphanumeric() => {}
            _ => break,
        }
        length += 1;
    }
    let name = text.get(..length)?.trim_end_matches(':');
    let starts = name.bytes().next()?;
    (depth == 0 && !starts.is_ascii_digit() && starts != b':' && starts != b'@').then_some(name.len())
}

/// The length of a name in C at the front of `text`.
fn identifier_length(text: &str) -> usize {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return 0;
    }
    count(text, |c| c.is_ascii_alphanumeric() || c == '_')
}

/// The length of a message's words up to the first one that changes from case to case (with a digit, a bracket, a
/// quote, a `=`) or that ends a part of the message; words that only lead to what follows are left out.
fn message_length(text: &str) -> usize {
    const LEADING: [&str; 9] = ["at", "for", "from", "in", "of", "on", "to", "with", "is"];
    let mut length = 0;
    let mut from = 0;
    while let Some(rest) = text.get(from..).filter(|rest| !rest.is_empty()) {
        let word = rest.get(..count(rest, |c| c != ' ')).unwrap_or(rest);
        let plain = word.trim_end_matches([':', ',', ';', '.', '!']);
        if plain.is_empty() || plain.contains(|c: char| !(c.is_ascii_alphabetic() || "-_/'".contains(c))) {
            break;
        }
        if !LEADING.contains(&plain) {
            length = from + plain.len();
        }
        if plain.len() < word.len() {
            break;
        }
        from += word.len() + 1;
    }
    length
}

/// The length of `+0x1f/0x40` at the front of `text`.
fn offset_length(text: &str) -> usize {
    if !text.starts_with("+0x") {
        return 0;
    }
    count(text, |c| c.is_ascii_hexdigit() || matches!(c, '+' | 'x' | '/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_lose_what_changes() {
        let message = |text| find("x: {m}", text).map(|[message, ..]| message.to_owned());
        let cases = [
            ("x: bad tree block start, mirror 1 want 5", "bad tree block start"),
            (
                "x: parent transid verify failed on 123 wanted 4",
                "parent transid verify failed",
            ),
            ("x: corrupt leaf: root=2 block=77", "corrupt leaf"),
            ("x: READ FPDMA QUEUED", "READ FPDMA QUEUED"),
        ];
        for (text, expected) in cases {
            assert_eq!(message(text).as_deref(), Some(expected));
        }
        assert_eq!(message("x: 12"), None);
        assert_eq!(
            find("(device {d}): {i}:", "(device sda1): f_1:12: x"),
            Some(["sda1", "f_1", "", ""])
        );
    }

    #[test]
    fn fields_are_taken_in_order() {
        let fields = find(
            "WARNING: {w} at {f}, CPU#{n}:",
            "x WARNING: a/b.c:12 at dbAdj+0x4/0x8, CPU#0: y/1",
        )
        .unwrap();
        assert_eq!(fields, ["a/b.c:12", "dbAdj", "0", ""]);
        assert_eq!(
            find("task {*}:{n} blocked", "INFO: task a b:12 blocked"),
            Some(["a b", "12", "", ""])
        );
        assert_eq!(find("at {f}", "at 0x0"), None);
        assert_eq!(symbol_length("<a::B as c::D>::e+0x1"), Some(17));
    }
}
