//! What records of a probe are called.

use super::{Part, Wrong, is_word, words};
use crate::fields::Fields;

/// Longest title, bytes (`Record.title`).
pub const TITLE_BYTES: usize = 256;
/// What stands for a field that a record lacks.
const ABSENT: &str = "?";

/// A text with fields in it: `NFS server {server} not responding`. `{{` and `}}` are braces.
///
/// Records are grouped by class and title: a field that differs from record to record (an address, a count) makes every
/// record an issue of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// A field's name, and where it is in the text, bytes.
    Field(String, std::ops::Range<usize>),
}

impl Title {
    /// A title without fields.
    pub(super) fn plain(text: &str) -> Self {
        Self {
            pieces: vec![Piece::Text(text.to_owned())],
        }
    }

    /// Understands a title's text.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        if text.len() > TITLE_BYTES || text.trim().is_empty() || text.contains(char::is_control) {
            return Err(Wrong::whole(
                Part::Title,
                text,
                "this is no title",
                format!("write one line of 1 to {TITLE_BYTES} bytes, or leave the key out"),
            ));
        }
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            let rest = &text[at + c.len_utf8()..];
            if matches!(c, '{' | '}') && rest.starts_with(c) {
                plain.push(c);
                at += 2;
            } else if c == '{' {
                let field = field(text, at)?;
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
                at += field.len() + 2;
                pieces.push(Piece::Field(field.to_owned(), at - 1 - field.len()..at - 1));
            } else if c == '}' {
                return Err(Wrong {
                    part: Part::Title,
                    range: at..at + 1,
                    problem: "`}` closes nothing".to_owned(),
                    remedy: "write `}}` for a brace".to_owned(),
                });
            } else {
                plain.push(c);
                at += c.len_utf8();
            }
        }
        pieces.push(Piece::Text(plain));
        pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
        Ok(Self { pieces })
    }

    /// The fields in it, and where each is in the title's text, bytes.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &std::ops::Range<usize>)> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Field(name, at) => Some((name.as_str(), at)),
            Piece::Text(_) => None,
        })
    }

    /// The title of a record: one line of at most [`TITLE_BYTES`] bytes, never empty.
    pub fn of(&self, fields: &Fields) -> String {
        let mut title = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => title.push_str(text),
                Piece::Field(name, _) => match fields.get(name).map(words) {
                    Some(words) if !words.is_empty() => {
                        title.extend(words.chars().map(|c| if c.is_control() { ' ' } else { c }));
                    }
                    _ => title.push_str(ABSENT),
                },
            }
        }
        let title = title.trim();
        let title = &title[..title.floor_char_boundary(TITLE_BYTES)];
        if title.is_empty() { ABSENT } else { title }.to_owned()
    }
}

/// The name behind the brace at `open`.
fn field(text: &str, open: usize) -> Result<&str, Wrong> {
    let inside = &text[open + 1..];
    match inside.split_once('}') {
        Some((name, _)) if is_word(name) => Ok(name),
        found => Err(Wrong {
            part: Part::Title,
            range: open..found.map_or(text.len(), |(name, _)| open + name.len() + 2),
            problem: "a field is expected between `{` and `}`".to_owned(),
            remedy: "write `{name}` with a field of the tracepoint, or `{{` for a brace".to_owned(),
        }),
    }
}
