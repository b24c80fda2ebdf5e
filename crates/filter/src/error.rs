//! What is wrong with a filter, and where.

use std::fmt;

use crate::{BYTES, CONDITIONS, DEPTH, Key, Subject};

/// A filter that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {reason}")]
pub struct Error {
    /// Where, in characters; the first is 1.
    pub column: usize,
    /// What.
    pub reason: Reason,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// More than [`BYTES`].
    TooLong,
    /// More than [`CONDITIONS`].
    TooMany,
    /// More than [`DEPTH`].
    TooDeep,
    /// NUL and other control characters, which no text has.
    Control,
    /// A quotation mark without its partner.
    Unquoted,
    /// An opening parenthesis without its partner.
    Unclosed,
    /// A closing parenthesis without its partner.
    Unopened,
    /// A condition is missing.
    Nothing,
    /// Nobody knows the key.
    UnknownKey {
        /// As it was written, shortened.
        name: String,
        /// What may be meant.
        meant: Option<&'static str>,
        /// What is asked for.
        subject: Subject,
    },
    /// The subject cannot be asked for by the key.
    OtherSubject(Key, Subject),
    /// The key takes `:` only.
    NoOrder(Key),
    /// There is nothing behind the operator.
    NoValue(Key),
    /// The value is none that the key takes.
    BadValue(Key),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "a filter has at most {BYTES} bytes"),
            Self::TooMany => write!(f, "a filter has at most {CONDITIONS} conditions"),
            Self::TooDeep => write!(
                f,
                "at most {DEPTH} parentheses and minus signs may be within each other"
            ),
            Self::Control => write!(f, "control characters are not allowed"),
            Self::Unquoted => write!(f, "this quotation mark is not closed"),
            Self::Unclosed => write!(f, "this parenthesis is not closed"),
            Self::Unopened => write!(
                f,
                "this parenthesis was not opened; a text that has one needs quotation marks"
            ),
            Self::Nothing => write!(f, "a condition is missing here"),
            Self::UnknownKey { name, meant, subject } => {
                write!(f, "there is no key {name}; ")?;
                if let Some(meant) = meant {
                    write!(f, "did you mean {meant}?")?;
                } else {
                    write!(f, "there are {}.", names_of(*subject))?;
                }
                write!(f, " A text with a colon needs quotation marks")
            }
            Self::OtherSubject(key, subject) => write!(
                f,
                "{} cannot be asked for by {}, but by {}",
                subject.name(),
                key.name(),
                names_of(*subject)
            ),
            Self::NoOrder(key) => write!(f, "{} takes a colon, no other sign", key.name()),
            Self::NoValue(key) => write!(f, "{} needs a value: {}", key.name(), help(*key)),
            Self::BadValue(key) => write!(f, "this is no value of {}: {}", key.name(), help(*key)),
        }
    }
}

fn names_of(subject: Subject) -> String {
    Key::names_of(subject).collect::<Vec<_>>().join(", ")
}

fn help(key: Key) -> &'static str {
    let mut all = Key::ALL.iter();
    all.find(|(_, known, _)| *known == key)
        .map_or("", |(_, _, help)| help)
}

impl Error {
    /// The filter with a mark under the place.
    pub fn underlined(&self, filter: &str) -> String {
        format!("{filter}\n{:>width$}", '^', width = self.column)
    }
}
