//! What may come next.

use crate::{Key, Severity, State, Subject, lexer::is_of_word};

/// What may stand at the end of a filter that is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Where the unfinished word begins that a candidate takes the place of. Bytes.
    pub from: usize,
    /// The key whose value is being written: whoever knows values of it can offer them too.
    pub key: Option<Key>,
    /// What fits, in the order in which it should be offered.
    pub candidates: Vec<Candidate>,
}

/// Something that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The text.
    pub text: String,
    /// What it means.
    pub help: &'static str,
}

const MOMENTS: [(&str, &str); 4] = [
    ("-1h", "in the last hour"),
    ("-1d", "in the last day"),
    ("-7d", "in the last week"),
    ("-30d", "in the last 30 days"),
];
const FLAGS: [(&str, &str); 2] = [("true", "heartbeats and losses"), ("false", "none of them")];

/// What may stand at the end of `written`, the part of a filter for a subject before the cursor. Within a quoted text nothing
/// is offered.
pub fn complete(written: &str, subject: Subject) -> Completion {
    let mut from = unfinished(written);
    let word = &written[from..];
    if word.starts_with('"') {
        return Completion {
            from,
            key: None,
            candidates: Vec::new(),
        };
    }
    let sign = word.find([':', '=', '<', '>']);
    let known = sign.and_then(|at| Key::of(&word[..at]));
    let Some(key) = known.filter(|key| key.is_of(subject)) else {
        let of_subject = Key::ALL.iter().filter(|(_, key, _)| key.is_of(subject));
        let keys = of_subject.map(|(name, key, help)| {
            let sign = if key.has_order() { ">=" } else { ":" };
            (format!("{name}{sign}"), *help)
        });
        return Completion {
            from,
            key: None,
            candidates: fitting(word, keys),
        };
    };
    let signs = |c: char| matches!(c, ':' | '=' | '<' | '>');
    let name_and_sign = word.len() - word[sign.unwrap_or_default()..].trim_start_matches(signs).len();
    from += name_and_sign;
    let value = &written[from..];
    let known: Vec<(String, &'static str)> = match key {
        Key::Severity => Severity::ALL.map(|(name, _)| (name.to_owned(), "")).to_vec(),
        Key::After | Key::Before => MOMENTS.map(|(text, help)| (text.to_owned(), help)).to_vec(),
        Key::Housekeeping => FLAGS.map(|(text, help)| (text.to_owned(), help)).to_vec(),
        Key::State => State::ALL.map(|(name, _)| (name.to_owned(), "")).to_vec(),
        Key::Of(_)
        | Key::Issue
        | Key::Fingerprint
        | Key::Event
        | Key::Payload
        | Key::Hosts
        | Key::Records => Vec::new(),
    };
    Completion {
        from,
        key: Some(key),
        candidates: fitting(value, known),
    }
}

fn fitting(beginning: &str, all: impl IntoIterator<Item = (String, &'static str)>) -> Vec<Candidate> {
    all.into_iter()
        .filter(|(text, _)| text.starts_with(beginning))
        .map(|(text, help)| Candidate { text, help })
        .collect()
}

/// Where the last word begins: the end where there is none.
fn unfinished(written: &str) -> usize {
    let (mut from, mut in_word, mut quoted, mut escaped) = (written.len(), false, false, false);
    for (at, c) in written.char_indices() {
        if quoted {
            quoted = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        quoted = c == '"';
        match c {
            '"' if !in_word => (from, in_word) = (at, true),
            '"' => {}
            '-' if !in_word => {}
            c if is_of_word(c) && !in_word => (from, in_word) = (at, true),
            c if is_of_word(c) => {}
            _ => in_word = false,
        }
    }
    if in_word { from } else { written.len() }
}
