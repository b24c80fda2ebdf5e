//! From a tree back to text that means the same.

use std::fmt::{self, Display as _};

use crate::{
    Comparison, Condition, Expression, Field, Key, Moment, Pattern, lexer::is_of_word, parser::UNITS,
};

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(parts) => joined(f, parts, " ", |part| matches!(part, Self::All(_) | Self::Any(_))),
            Self::Any(parts) => joined(f, parts, " or ", |part| matches!(part, Self::Any(_))),
            Self::Not(part) => {
                f.write_str("-")?;
                grouped(f, part, matches!(**part, Self::All(_) | Self::Any(_)))
            }
            Self::Is(condition) => condition.fmt(f),
        }
    }
}

fn joined(
    f: &mut fmt::Formatter<'_>,
    parts: &[Expression],
    between: &str,
    is_grouped: fn(&Expression) -> bool,
) -> fmt::Result {
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            f.write_str(between)?;
        }
        grouped(f, part, is_grouped(part))?;
    }
    Ok(())
}

fn grouped(f: &mut fmt::Formatter<'_>, part: &Expression, is_grouped: bool) -> fmt::Result {
    if is_grouped {
        write!(f, "({part})")
    } else {
        part.fmt(f)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => quoted(f, text),
            Self::Matches(field, pattern) => {
                write!(f, "{}:", Key::Of(*field).name())?;
                value(f, *field == Field::Class, pattern)
            }
            Self::Severity(comparison, severity) => {
                write!(f, "severity{}{}", sign(*comparison), severity.name())
            }
            Self::Issue(value) => write!(f, "issue:{value:032x}"),
            Self::Fingerprint(value) => write!(f, "fingerprint:{value:032x}"),
            Self::Event(value) => write!(f, "event:{value:032x}"),
            Self::Payload(pattern) => {
                f.write_str("payload:")?;
                value(f, false, pattern)
            }
            Self::After(moment) => write!(f, "after:{moment}"),
            Self::Before(moment) => write!(f, "before:{moment}"),
            Self::Housekeeping(is) => write!(f, "housekeeping:{is}"),
            Self::State(state) => write!(f, "state:{}", state.name()),
            Self::Hosts(comparison, number) => write!(f, "hosts{}{number}", sign(*comparison)),
            Self::Records(comparison, number) => write!(f, "records{}{number}", sign(*comparison)),
        }
    }
}

/// A text as it is written behind `field:`, in quotation marks where it takes them.
pub fn value_text(field: Field, text: &str) -> String {
    let condition = Condition::Matches(field, Pattern::literal(text)).to_string();
    let key = Key::Of(field).name().len() + 1;
    condition.get(key..).unwrap_or_default().to_owned()
}

fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => ":",
        Comparison::Above => ">",
        Comparison::AtLeast => ">=",
        Comparison::Below => "<",
        Comparison::AtMost => "<=",
    }
}

fn value(f: &mut fmt::Formatter<'_>, is_class: bool, pattern: &Pattern) -> fmt::Result {
    match pattern.exact() {
        Some(text)
            if text.is_empty()
                || text.contains('*')
                || !text.chars().all(is_of_word)
                || is_class && (text.contains('/') || text.ends_with('.')) =>
        {
            quoted(f, text)
        }
        _ => f.write_str(&pattern.text()),
    }
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => at.fmt(f),
            Self::Ago(seconds) => {
                let unit = UNITS.iter().find(|(_, unit)| seconds.is_multiple_of(*unit));
                let (name, unit) = unit.unwrap_or(&("s", 1));
                write!(f, "-{}{name}", seconds / unit)
            }
        }
    }
}
