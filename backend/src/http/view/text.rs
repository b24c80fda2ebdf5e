//! Text and bytes as they came.

use super::bytes;
use crate::text::hexadecimal;

/// Characters that a line of a report must share with the title to be marked as its origin.
const TITLE_MATCH: usize = 8;

/// Text as it came, with its most telling line set apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Text {
    pub(in crate::http) heading: &'static str,
    /// `42 lines, 3.1 KiB`.
    pub(in crate::http) size: String,
    pub(in crate::http) before: String,
    pub(in crate::http) marked: String,
    pub(in crate::http) after: String,
    /// Whether it is shown at once.
    pub(in crate::http) open: bool,
}

/// A section of text; `None` when there is none.
pub(super) fn text(heading: &'static str, whole: &str, title: &str, open: bool) -> Option<Text> {
    if whole.is_empty() {
        return None;
    }
    let lines = whole.lines().count();
    let (before, marked, after) = split_at_title(whole, title);
    Some(Text {
        heading,
        size: format!(
            "{lines} {}, {}",
            if lines == 1 { "line" } else { "lines" },
            bytes(whole.len() as u64)
        ),
        before: before.to_owned(),
        marked: marked.to_owned(),
        after: after.to_owned(),
        open,
    })
}

/// Splits text around the line that shares the longest beginning with the title; no line is marked when none does.
fn split_at_title<'a>(text: &'a str, title: &str) -> (&'a str, &'a str, &'a str) {
    let shared = |line: &str| {
        line.chars()
            .zip(title.chars())
            .take_while(|(left, right)| left == right)
            .count()
    };
    let mut best = (0, 0, 0);
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let length = shared(line);
        if length > best.0 {
            best = (length, start, start + line.len());
        }
        start += line.len();
    }
    match best {
        (length, start, end) if length >= TITLE_MATCH.min(title.chars().count().max(1)) => {
            let marked = text[start..end].trim_end_matches('\n');
            (&text[..start], marked, &text[end..])
        }
        _ => (text, "", ""),
    }
}

/// `offset  bytes  characters`, 16 bytes a line.
pub(super) fn hex_dump(bytes: &[u8]) -> String {
    let lines = bytes.chunks(16).enumerate().map(|(line, chunk)| {
        let digits: Vec<String> = chunk.iter().map(|byte| hexadecimal(&[*byte])).collect();
        let characters: String = chunk.iter().map(|byte| printable(*byte)).collect();
        format!("{:08x}  {:<47}  {characters}", line * 16, digits.join(" "))
    });
    lines.collect::<Vec<_>>().join(
        "
",
    )
}

fn printable(byte: u8) -> char {
    if byte.is_ascii_graphic() || byte == b' ' {
        char::from(byte)
    } else {
        '.'
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_line_that_became_the_title_is_marked() {
        let text = "other\nBUG: kernel NULL pointer dereference, address: 0\nRIP: 0010:f+1/2\n";
        let (before, marked, after) = split_at_title(text, "BUG: kernel NULL pointer dereference in f");
        assert_eq!(before, "other\n");
        assert_eq!(marked, "BUG: kernel NULL pointer dereference, address: 0");
        assert_eq!(after, "RIP: 0010:f+1/2\n");
        assert_eq!(split_at_title("a\nb", "something else"), ("a\nb", "", ""));
        assert_eq!(split_at_title("é\nß", ""), ("é\nß", "", ""));
    }

    proptest! {
        #[test]
        fn marking_a_line_loses_nothing(text in "([a-zé<>&]{0,12}\n{0,2}){0,6}", title in "[a-zé]{0,12}") {
            let (before, marked, after) = split_at_title(&text, &title);
            let newline = if marked.is_empty() || text.len() == before.len() + marked.len() { "" } else { "\n" };
            prop_assert_eq!(format!("{before}{marked}{newline}{after}"), text);
        }
    }

    #[test]
    fn a_dump_has_sixteen_bytes_a_line() {
        assert_eq!(
            hex_dump(b"telemetrics\0\x01\xff<>!"),
            "00000000  74 65 6c 65 6d 65 74 72 69 63 73 00 01 ff 3c 3e  telemetrics...<>\n\
             00000010  21                                               !"
        );
    }
}
