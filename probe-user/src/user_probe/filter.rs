//! Which records of a tracepoint are meant.
//!
//! ```text
//! filter     = comparison { "&&" comparison }
//! comparison = FIELD operator value
//! operator   = "==" | "!=" | "<" | "<=" | ">" | ">=" | "&"
//! value      = integer | text
//! integer    = [ "-" ] ( decimal | "0x" hexadecimal )
//! text       = '"' any '"' | "'" any "'"
//! ```
//!
//! `FIELD & integer` holds when any of the bits is set. Integers are compared in the kernel, before anything is copied;
//! texts (`==` and `!=` only) in user space, after it. There is no `||`: a second probe says the other case.

use std::{fmt, ops::Range};

use super::{Part, Wrong};
use crate::{
    catalogue::{self, Is},
    fields::{Fields, Value},
};

/// Longest filter, bytes.
pub const FILTER_BYTES: usize = 1024;
/// The most comparisons of integers, each of which the kernel makes for every event.
pub const MAX_INTEGER_TERMS: usize = 4;
/// The most comparisons of texts.
pub const MAX_TEXT_TERMS: usize = 4;

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// From `i64::MIN` to `u64::MAX`.
    Integer(i128),
    /// A text.
    Text(String),
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The field's name.
    pub field: String,
    /// How it is compared.
    pub is: Is,
    /// With what.
    pub value: Operand,
    /// Where the field is named in the filter's text, bytes.
    pub field_at: Range<usize>,
    /// Where the value is in it.
    pub value_at: Range<usize>,
}

/// Comparisons all of which must hold; none: every record is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    terms: Vec<Term>,
}

impl Filter {
    /// Understands a filter's text.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        if text.len() > FILTER_BYTES {
            return Err(Wrong::whole(
                Part::Filter,
                text,
                format!("the filter has {} bytes", text.len()),
                format!("use at most {FILTER_BYTES}"),
            ));
        }
        let mut reader = Reader { text, at: 0 };
        let mut terms: Vec<Term> = Vec::new();
        reader.skip_space();
        while !reader.is_at_end() || !terms.is_empty() {
            let term = reader.term()?;
            check_count(&terms, &term)?;
            terms.push(term);
            if reader.is_at_end() {
                break;
            }
            reader.joint()?;
        }
        Ok(Self { terms })
    }

    /// The comparisons, in the order written.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// The comparisons that the kernel makes.
    pub fn of_integers(&self) -> impl Iterator<Item = catalogue::Term<'_>> {
        self.terms.iter().filter_map(|term| match term.value {
            Operand::Integer(value) => Some(catalogue::Term {
                field: &term.field,
                is: term.is,
                value,
            }),
            Operand::Text(_) => None,
        })
    }

    /// Whether texts are compared.
    pub fn compares_texts(&self) -> bool {
        self.terms
            .iter()
            .any(|term| matches!(term.value, Operand::Text(_)))
    }

    /// Whether the comparisons of texts hold. A field that is missing or no text is no text's equal.
    pub(super) fn admits_texts_of(&self, fields: &Fields) -> bool {
        self.terms.iter().all(|term| {
            let Operand::Text(wanted) = &term.value else {
                return true;
            };
            let same = matches!(fields.get(&term.field), Some(Value::Text(text)) if text == wanted);
            same == (term.is == Is::Equal)
        })
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.field, self.is)?;
        match &self.value {
            Operand::Integer(number) => write!(f, "{number}"),
            // A text holds at most one of the two quotes, because it was written between the other.
            Operand::Text(text) if text.contains('"') => write!(f, "'{text}'"),
            Operand::Text(text) => write!(f, "\"{text}\""),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            let joint = if index > 0 { " && " } else { "" };
            write!(f, "{joint}{term}")?;
        }
        Ok(())
    }
}

fn check_count(terms: &[Term], next: &Term) -> Result<(), Wrong> {
    let is_text = |term: &Term| matches!(term.value, Operand::Text(_));
    let (kind, most) = if is_text(next) {
        ("texts", MAX_TEXT_TERMS)
    } else {
        ("integers", MAX_INTEGER_TERMS)
    };
    let alike = terms.iter().filter(|term| is_text(term) == is_text(next)).count();
    if alike < most {
        return Ok(());
    }
    Err(Wrong {
        part: Part::Filter,
        range: next.field_at.start..next.value_at.end,
        problem: format!("a filter compares at most {most} {kind}"),
        remedy: "leave this comparison out".to_owned(),
    })
}

/// Reads a filter from left to right.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// Takes what `is_wanted` begins the rest.
    fn take(&mut self, is_wanted: impl Fn(char) -> bool) -> (&'a str, Range<usize>) {
        let rest = self.rest();
        let length = rest.find(|c| !is_wanted(c)).unwrap_or(rest.len());
        let start = self.at;
        self.at += length;
        (&rest[..length], start..self.at)
    }

    fn skip_space(&mut self) {
        self.take(char::is_whitespace);
    }

    /// A mistake at what comes next: the word or the sign there.
    fn wrong(&self, problem: &str, remedy: &str) -> Wrong {
        let rest = self.rest();
        let sign = rest.chars().next().map_or(0, char::len_utf8);
        let word = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        Wrong {
            part: Part::Filter,
            range: self.at..self.at + word.max(sign),
            problem: problem.to_owned(),
            remedy: remedy.to_owned(),
        }
    }

    fn term(&mut self) -> Result<Term, Wrong> {
        let (field, field_at) = self.field()?;
        self.skip_space();
        let is = self.operator(field)?;
        self.skip_space();
        let start = self.at;
        let value = self.value()?;
        let value_at = start..self.at;
        self.skip_space();
        let is_for_integers = !matches!(is, Is::Equal | Is::NotEqual);
        if matches!(value, Operand::Text(_)) && is_for_integers {
            return Err(Wrong {
                part: Part::Filter,
                range: field_at.start..value_at.end,
                problem: format!("texts are not compared with `{is}`"),
                remedy: "use `==` or `!=`".to_owned(),
            });
        }
        Ok(Term {
            field: field.to_owned(),
            is,
            value,
            field_at,
            value_at,
        })
    }

    fn field(&mut self) -> Result<(&'a str, Range<usize>), Wrong> {
        if self.rest().starts_with(['(', '!']) {
            return Err(self.wrong(
                "a filter has no parentheses and no `!`",
                "write comparisons with `&&` between, such as `error != 0 && dev == 8`",
            ));
        }
        if self.rest().starts_with(|c: char| c.is_ascii_digit()) {
            return Err(self.wrong(
                "a comparison begins with a field",
                "write the field on the left side",
            ));
        }
        let (field, at) = self.take(|c| c.is_ascii_alphanumeric() || c == '_');
        if field.is_empty() {
            return Err(self.wrong(
                "a field is missing",
                "write FIELD OPERATOR VALUE, such as `error != 0`",
            ));
        }
        Ok((field, at))
    }

    fn operator(&mut self, field: &str) -> Result<Is, Wrong> {
        let rest = self.rest();
        match Is::OPERATORS.iter().find(|(_, text)| rest.starts_with(text)) {
            Some((Is::AnyBit, _)) if rest.starts_with("&&") => Err(self.wrong(
                &format!("`{field}` is compared with nothing"),
                "write `FIELD != 0`",
            )),
            Some((is, text)) => {
                self.at += text.len();
                Ok(*is)
            }
            None if rest.starts_with('=') => Err(self.wrong("`=` is no comparison", "write `==`")),
            None => Err(self.wrong(
                &format!("a comparison of `{field}` is missing"),
                "write one of == != < <= > >= & behind the field",
            )),
        }
    }

    fn value(&mut self) -> Result<Operand, Wrong> {
        let rest = self.rest();
        if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            let Some(length) = rest[1..].find(quote) else {
                return Err(self.wrong("the text does not end", &format!("close it with `{quote}`")));
            };
            self.at += length + 2;
            return Ok(Operand::Text(rest[1..=length].to_owned()));
        }
        let start = self.at;
        let negative = rest.starts_with('-');
        self.at += usize::from(negative);
        let (digits, _) = self.take(|c| c.is_ascii_alphanumeric() || c == '_');
        let number = match digits.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => digits.parse::<u64>(),
        };
        let number = number.map(|number| {
            if negative {
                -i128::from(number)
            } else {
                i128::from(number)
            }
        });
        match number {
            Ok(number) if number >= i128::from(i64::MIN) => Ok(Operand::Integer(number)),
            _ => {
                self.at = start;
                let word = if digits.is_empty() {
                    ""
                } else {
                    "; a text needs quotes"
                };
                Err(self.wrong(
                    &format!("a value is expected here{word}"),
                    "write an integer of at most 64 bits (8, -5, 0x1f) or a text ('sda')",
                ))
            }
        }
    }

    /// What joins two comparisons.
    fn joint(&mut self) -> Result<(), Wrong> {
        if !self.rest().starts_with("&&") {
            let remedy = if self.rest().starts_with("||") {
                "write a second probe for the other case"
            } else {
                "join comparisons with `&&`"
            };
            return Err(self.wrong("only `&&` may follow a comparison", remedy));
        }
        self.at += 2;
        self.skip_space();
        Ok(())
    }
}
