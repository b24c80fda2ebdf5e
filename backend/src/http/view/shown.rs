//! How characters are written in pages.

use std::borrow::Cow;
use std::fmt::{self, Write};

use askama::filters::Escaper;

/// Bytes that a name takes of a row: what is usual is shown whole, a path or a symbol of a stranger's may be longer.
const NAME_BYTES: usize = 256;

/// What templates write text with: `askama.toml` names it. What would be markup is escaped. What would turn the order of the text
/// around it (UAX #9), or would not be seen, is shown as its code point, `[U+202E]`: nobody's title is read backwards.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Shown;

impl Escaper for Shown {
    fn write_escaped_str<W: Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        let mut from = 0;
        for (at, character) in text.char_indices() {
            if let Some(written) = written(character) {
                dest.write_str(&text[from..at])?;
                dest.write_str(&written)?;
                from = at + character.len_utf8();
            }
        }
        dest.write_str(&text[from..])
    }
}

/// What stands for a character in HTML; None: itself.
fn written(character: char) -> Option<Cow<'static, str>> {
    match character {
        '<' => Some("&#60;".into()),
        '>' => Some("&#62;".into()),
        '&' => Some("&#38;".into()),
        '"' => Some("&#34;".into()),
        '\'' => Some("&#39;".into()),
        '\t' | '\n' | '\r' => None,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Some(code_point(character)),
        other => other.is_control().then(|| code_point(other)),
    }
}

fn code_point(character: char) -> Cow<'static, str> {
    format!("[U+{:04X}]", u32::from(character)).into()
}

/// As much of a text as takes at most so many bytes of a page.
pub(super) fn beginning(whole: &str, most: usize) -> &str {
    let mut taken = 0;
    let end = whole.char_indices().find(|(_, character)| {
        taken += length(*character);
        taken > most
    });
    &whole[..end.map_or(whole.len(), |(end, _)| end)]
}

/// The same with a sign that there is more.
pub(super) fn shortened(whole: &str, most: usize) -> String {
    let shown = beginning(whole, most);
    if shown.len() < whole.len() {
        format!("{shown}…")
    } else {
        shown.to_owned()
    }
}

/// A name or a value as rows show it.
pub(super) fn name(whole: &str) -> String {
    shortened(whole, NAME_BYTES)
}

/// Bytes that a text takes of a page.
pub(super) fn size(text: &str) -> usize {
    text.chars().map(length).sum()
}

fn length(character: char) -> usize {
    written(character).map_or(character.len_utf8(), |written| written.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut page = String::new();
        Shown.write_escaped_str(&mut page, text).unwrap();
        page
    }

    #[test]
    fn what_turns_text_around_or_is_not_seen_is_shown() {
        assert_eq!(
            shown("<a \"b\">\u{202e}txt.exe\u{2069}\u{7}\u{9b}\tend\n"),
            "&#60;a &#34;b&#34;&#62;[U+202E]txt.exe[U+2069][U+0007][U+009B]\tend\n"
        );
        assert_eq!(shown("é שלום"), "é שלום", "letters of any script are themselves");
    }

    #[test]
    fn a_beginning_is_as_long_as_it_is_in_the_page() {
        for character in ["<", "a", "é", "\u{202e}", "\u{1}"] {
            let whole = character.repeat(1000);
            let part = beginning(&whole, 800);
            assert!(
                shown(part).len() <= 800 && shown(part).len() > 790,
                "{character:?}"
            );
            assert_eq!(shown(part).len(), size(part));
        }
        assert_eq!(shortened("short", 5), "short");
        assert_eq!(shortened("longer", 5), "longe…");
    }
}
