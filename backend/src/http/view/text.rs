//! Text and bytes as they came.

use super::shown::beginning;
use super::{bytes, counted};
use crate::text::hex_digits;

/// Characters that a line of a report must share with the title to be marked as its origin.
const TITLE_MATCH: usize = 8;
/// Bytes that a text takes of a page of 200 KB; a text has up to 128 KiB (`record.proto`).
const SHOWN_BYTES: usize = 32 << 10;
/// Lines that are marked, the first: each takes more than its text.
const MARKED: usize = 100;

/// Text as it came, with its most telling lines set apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Text {
    pub(in crate::http) heading: &'static str,
    /// `42 lines, 3.1 KiB`.
    pub(in crate::http) size: String,
    /// Its lines, as far as the page shows them: those that are marked each by itself, those between them together.
    pub(in crate::http) runs: Vec<Run>,
    /// `the first 32.0 KiB`; empty: it is shown whole.
    pub(in crate::http) shown: String,
    /// Whether it is shown at once.
    pub(in crate::http) open: bool,
}

/// Lines that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Run {
    pub(in crate::http) text: String,
    pub(in crate::http) marked: bool,
}

/// A section of text, with the line marked that became `title` and those that name `function` as kernels name a place
/// (`function+0x10/0x80`); `None` when there is none.
pub(super) fn text(
    heading: &'static str,
    whole: &str,
    title: &str,
    function: &str,
    open: bool,
) -> Option<Text> {
    if whole.is_empty() {
        return None;
    }
    let part = beginning(whole, SHOWN_BYTES);
    Some(Text {
        heading,
        size: format!(
            "{}, {}",
            counted(whole.lines().count() as u64, "line"),
            bytes(whole.len() as u64)
        ),
        runs: runs(part, title, function),
        shown: if part.len() < whole.len() {
            format!("the first {}", bytes(part.len() as u64))
        } else {
            String::new()
        },
        open,
    })
}

/// The lines of a text. The newline of a marked line is left out: it is a block of its own.
fn runs(text: &str, title: &str, function: &str) -> Vec<Run> {
    let origin = line_of_title(text, title);
    let place = format!("{function}+0x");
    let mut runs: Vec<Run> = Vec::new();
    let mut left = MARKED;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let telling = origin == Some(index) || (!function.is_empty() && names(line, &place));
        let marked = telling && left > 0;
        left -= usize::from(marked);
        match runs.last_mut() {
            Some(last) if !last.marked && !marked => last.text.push_str(line),
            _ => runs.push(Run {
                text: if marked {
                    line.trim_end_matches('\n').to_owned()
                } else {
                    line.to_owned()
                },
                marked,
            }),
        }
    }
    runs
}

/// Whether `line` has `place` as a word's beginning.
fn names(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|character| character.is_alphanumeric() || "_.".contains(character))
    })
}

/// Which line shares the longest beginning with the title; none when none shares enough.
fn line_of_title(text: &str, title: &str) -> Option<usize> {
    let shared = |line: &str| {
        line.chars()
            .zip(title.chars())
            .take_while(|(left, right)| left == right)
            .count()
    };
    let mut best = (0, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let length = shared(line);
        if length > best.0 {
            best = (length, index);
        }
    }
    let enough = TITLE_MATCH.min(title.chars().count().max(1));
    (best.0 >= enough).then_some(best.1)
}

/// `offset  bytes  characters`, 16 bytes a line.
pub(super) fn hex_dump(bytes: &[u8]) -> String {
    let lines = bytes.chunks(16).enumerate().map(|(line, chunk)| {
        let digits: Vec<String> = chunk.iter().map(|byte| hex_digits(&[*byte])).collect();
        let characters: String = chunk.iter().map(|byte| printable(*byte)).collect();
        format!("{:08x}  {:<47}  {characters}", line * 16, digits.join(" "))
    });
    lines.collect::<Vec<_>>().join("\n")
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

    fn marked(text: &str, title: &str, function: &str) -> Vec<String> {
        runs(text, title, function)
            .into_iter()
            .filter(|run| run.marked)
            .map(|run| run.text)
            .collect()
    }

    #[test]
    fn the_line_that_became_the_title_is_marked_and_those_of_the_function_at_fault() {
        let text =
            "other\nBUG: kernel NULL pointer dereference, address: 0\nRIP: 0010:f+0x1/0x2\n my_f+0x1/0x2\n";
        let title = "BUG: kernel NULL pointer dereference in f";
        let origin = "BUG: kernel NULL pointer dereference, address: 0";
        assert_eq!(marked(text, title, ""), [origin]);
        assert_eq!(marked(text, title, "f"), [origin, "RIP: 0010:f+0x1/0x2"]);
        assert!(marked("a\nb", "something else", "g").is_empty());
        assert!(marked("é\nß", "", "").is_empty());
    }

    #[test]
    fn of_a_long_text_the_first_part_is_shown() {
        let long = text("Text", &"<".repeat(128 << 10), "", "", false).unwrap();
        assert!(long.runs[0].text.len() <= SHOWN_BYTES / "&#60;".len());
        assert!(long.shown.starts_with("the first "), "{}", long.shown);
        assert_eq!(text("Text", "short", "", "", false).unwrap().shown, "");
    }

    proptest! {
        #[test]
        fn marking_lines_loses_nothing(
            text in "([a-zé<>&+0x]{0,12}\n{0,2}){0,6}", title in "[a-zé]{0,12}", function in "[a-z]{0,2}",
        ) {
            let runs = runs(&text, &title, &function);
            let mut whole = String::new();
            for run in &runs {
                whole.push_str(&run.text);
                whole.push_str(if run.marked { "\n" } else { "" });
            }
            let ends_marked = runs.last().is_some_and(|run| run.marked) && !text.ends_with('\n');
            prop_assert_eq!(whole, if ends_marked { format!("{text}\n") } else { text });
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
