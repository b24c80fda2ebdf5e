//! The language in which faults, issues and hosts are asked for, on the page, by REST, gRPC and on the command line.
//!
//! ```text
//! class:kernel.* severity>=high kernel:6.1.* -host:build-* after:-7d (nvme or "I/O error")
//! ```
//!
//! | form | holds for |
//! | --- | --- |
//! | `word`, `"some words"` | faults and issues with that text in their title, hosts with it in their name, in any case |
//! | `key:value` | see [`Key`], and [`Key::is_of`] for what can be asked of what; `*` in a value stands for anything, quoted values are meant literally |
//! | `a b`, `a and b` | both |
//! | `a or b` | at least one; binds less than the above |
//! | `-a` | not a |
//! | `(a or b) c` | as grouped |
//!
//! Pure: text in, tree out. [`parse`] understands it, the tree's `Display` writes it again, [`complete()`] says what may come next.
//! What is wrong is told with its column. `docs/filter.md` is the description for people.

mod complete;
mod error;
mod key;
mod lexer;
mod parser;
mod pattern;
mod print;
#[cfg(test)]
mod tests;

pub use complete::{Candidate, Completion, complete};
pub use error::{Error, Reason};
pub use key::{Field, Key, Severity, State, Subject};
pub use parser::parse;
pub use pattern::Pattern;
pub use print::value_text;

use jiff::Timestamp;

/// Bytes of a filter.
pub const BYTES: usize = 2048;
/// Conditions of a filter.
pub const CONDITIONS: usize = 64;
/// Groups and negations within each other.
pub const DEPTH: usize = 16;

/// A filter, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// All of them hold. Without any, everything matches; parsed ones have none or at least two.
    All(Vec<Self>),
    /// At least one of them holds. Parsed ones have at least two.
    Any(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// A single condition.
    Is(Condition),
}

/// A condition on a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The title, or the name of a host, has this text, in any case. Not empty, no NUL.
    Text(String),
    /// A text of the fault or of its host is like this.
    Matches(Field, Pattern),
    /// How bad it is.
    Severity(Comparison, Severity),
    /// The fingerprint that it is grouped by.
    Issue(u128),
    /// A fingerprint that it has, of any level.
    Fingerprint(u128),
    /// The event that the program which made it says it is of.
    Event(u128),
    /// Somewhere in the record there is a text like this. Not empty, no NUL.
    Payload(Pattern),
    /// It, or a record of it, was stored then or later.
    After(Moment),
    /// It, or a record of it, was stored earlier.
    Before(Moment),
    /// It is a heartbeat or a loss, or it is none.
    Housekeeping(bool),
    /// What became of it.
    State(State),
    /// How many hosts have it.
    Hosts(Comparison, u32),
    /// How many records it has.
    Records(Comparison, u32),
}

/// How a severity or a number is held against another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The same.
    Equal,
    /// Worse, or more.
    Above,
    /// As bad or worse, or as many or more.
    AtLeast,
    /// Less bad, or fewer.
    Below,
    /// As bad or less, or as many or fewer.
    AtMost,
}

/// A moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So many seconds before now.
    Ago(u32),
    /// That one.
    At(Timestamp),
}

impl Expression {
    /// What matches everything.
    pub const EVERYTHING: Self = Self::All(Vec::new());

    /// Whether any of its conditions is such.
    pub fn any(&self, such: &impl Fn(&Condition) -> bool) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.any(such)),
            Self::Not(part) => part.any(such),
            Self::Is(condition) => such(condition),
        }
    }
}
