//! From words to a tree.

use std::iter::Peekable;
use std::vec::IntoIter;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::{
    BYTES, CONDITIONS, Comparison, Condition, DEPTH, Expression, Field, Key, Moment, Pattern, Severity,
    State, Subject,
    error::{Error, Reason},
    lexer::{Kind, Operator, Token, tokens},
};

/// Characters of a key that an error repeats.
const SHOWN: usize = 32;

/// Understands a filter for a subject. An empty one matches everything.
pub fn parse(filter: &str, subject: Subject) -> Result<Expression, Error> {
    if filter.len() > BYTES {
        let column = filter[..filter.floor_char_boundary(BYTES)].chars().count() + 1;
        return Err(error(column, Reason::TooLong));
    }
    if let Some(place) = filter.chars().position(|c| c.is_control() && !c.is_whitespace()) {
        return Err(error(place + 1, Reason::Control));
    }
    let mut parser = Parser {
        subject,
        tokens: tokens(filter)?.into_iter().peekable(),
        end: filter.chars().count() + 1,
        conditions: 0,
        depth: 0,
    };
    if parser.tokens.peek().is_none() {
        return Ok(Expression::EVERYTHING);
    }
    let expression = parser.any()?;
    match parser.tokens.next() {
        None => Ok(expression),
        Some(token) => Err(error(token.column, Reason::Unopened)),
    }
}

fn error(column: usize, reason: Reason) -> Error {
    Error { column, reason }
}

struct Parser {
    subject: Subject,
    tokens: Peekable<IntoIter<Token>>,
    /// The column behind the last character.
    end: usize,
    conditions: usize,
    depth: usize,
}

impl Parser {
    /// a or b
    fn any(&mut self) -> Result<Expression, Error> {
        let first = self.all()?;
        let mut parts = vec![first];
        while self.tokens.next_if(|token| token.kind == Kind::Or).is_some() {
            parts.push(self.all()?);
        }
        Ok(several(parts, Expression::Any))
    }

    /// a b
    fn all(&mut self) -> Result<Expression, Error> {
        let mut parts = vec![self.one()?];
        loop {
            match self.tokens.peek().map(|token| &token.kind) {
                None | Some(Kind::Or | Kind::Close) => return Ok(several(parts, Expression::All)),
                Some(Kind::And) => {
                    self.tokens.next();
                }
                Some(_) => {}
            }
            parts.push(self.one()?);
        }
    }

    /// -a, (a), a
    fn one(&mut self) -> Result<Expression, Error> {
        let Some(Token { column, kind }) = self.tokens.next() else {
            return Err(error(self.end, Reason::Nothing));
        };
        let condition = match kind {
            Kind::And | Kind::Or | Kind::Close => return Err(error(column, Reason::Nothing)),
            Kind::Not => {
                let negated = self.deeper(column, Self::one)?;
                return Ok(Expression::Not(Box::new(negated)));
            }
            Kind::Open => {
                let group = self.deeper(column, Self::any)?;
                return match self.tokens.next() {
                    Some(_closing) => Ok(group),
                    None => Err(error(column, Reason::Unclosed)),
                };
            }
            Kind::Text(text) if text.is_empty() => return Err(error(column, Reason::Nothing)),
            Kind::Text(text) => Condition::Text(text),
            Kind::Term {
                key,
                operator,
                value,
                value_column,
                quoted,
            } => {
                let key = known(&key, self.subject).map_err(|reason| error(column, reason))?;
                condition(key, operator, &value, quoted).map_err(|reason| error(value_column, reason))?
            }
        };
        self.conditions += 1;
        if self.conditions > CONDITIONS {
            return Err(error(column, Reason::TooMany));
        }
        Ok(Expression::Is(condition))
    }

    fn deeper(
        &mut self,
        column: usize,
        read: fn(&mut Self) -> Result<Expression, Error>,
    ) -> Result<Expression, Error> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(error(column, Reason::TooDeep));
        }
        let expression = read(self)?;
        self.depth -= 1;
        Ok(expression)
    }
}

fn several(mut parts: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    if parts.len() > 1 {
        return join(parts);
    }
    // Invariant: each list begins with one.
    parts.pop().unwrap_or(Expression::EVERYTHING)
}

fn known(name: &str, subject: Subject) -> Result<Key, Reason> {
    match Key::of(name) {
        Some(key) if key.is_of(subject) => return Ok(key),
        Some(key) => return Err(Reason::OtherSubject(key, subject)),
        None => {}
    }
    let lower = name.to_lowercase();
    let near = Key::names_of(subject)
        .map(|known| (strsim::osa_distance(&lower, known), known))
        .filter(|(distance, known)| *distance * 2 < known.len())
        .min();
    Err(Reason::UnknownKey {
        name: name.chars().take(SHOWN).collect(),
        meant: near.map(|(_, known)| known),
        subject,
    })
}

fn condition(key: Key, operator: Operator, value: &str, quoted: bool) -> Result<Condition, Reason> {
    let nobody = quoted && key == Key::Of(Field::Owner);
    if value.is_empty() && !nobody {
        return Err(Reason::NoValue(key));
    }
    if operator != Operator::Is && !key.has_order() {
        return Err(Reason::NoOrder(key));
    }
    let found = match key {
        Key::Of(field) => Some(Condition::Matches(field, pattern(field, value, quoted))),
        Key::Severity => {
            Severity::of(value).map(|severity| Condition::Severity(comparison(operator), severity))
        }
        Key::Issue => fingerprint(value).map(Condition::Issue),
        Key::Fingerprint => fingerprint(value).map(Condition::Fingerprint),
        Key::Event => fingerprint(value).map(Condition::Event),
        Key::Payload => Some(Condition::Payload(if quoted {
            Pattern::literal(value)
        } else {
            Pattern::with_stars(value)
        })),
        Key::After => moment(value).map(Condition::After),
        Key::Before => moment(value).map(Condition::Before),
        Key::Housekeeping => value.parse().ok().map(Condition::Housekeeping),
        Key::State => {
            let mut all = State::ALL.into_iter();
            all.find(|(name, _)| *name == value)
                .map(|(_, state)| Condition::State(state))
        }
        Key::Hosts => number(value).map(|number| Condition::Hosts(comparison(operator), number)),
        Key::Records => number(value).map(|number| Condition::Records(comparison(operator), number)),
    };
    found.ok_or(Reason::BadValue(key))
}

fn pattern(field: Field, value: &str, quoted: bool) -> Pattern {
    if quoted {
        return Pattern::literal(value);
    }
    match field {
        // Classes of older systems have slashes between their parts.
        Field::Class => {
            let class = value.replace('/', ".");
            // All that are below it, as elsewhere.
            let star = if class.ends_with('.') && !class.contains('*') {
                "*"
            } else {
                ""
            };
            Pattern::with_stars(&(class + star))
        }
        _ => Pattern::with_stars(value),
    }
}

fn comparison(operator: Operator) -> Comparison {
    match operator {
        Operator::Is => Comparison::Equal,
        Operator::Above => Comparison::Above,
        Operator::AtLeast => Comparison::AtLeast,
        Operator::Below => Comparison::Below,
        Operator::AtMost => Comparison::AtMost,
    }
}

/// Digits alone: no sign, as the operator could be read as one.
fn number(value: &str) -> Option<u32> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| value.parse().ok()).flatten()
}

fn fingerprint(value: &str) -> Option<u128> {
    let digits = value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| u128::from_str_radix(value, 16).ok()).flatten()
}

/// `-7d`, a date (its beginning, UTC) or a moment by RFC 3339.
fn moment(value: &str) -> Option<Moment> {
    if let Some(ago) = value.strip_prefix('-') {
        let (unit, seconds) = UNITS.iter().find(|(unit, _)| ago.ends_with(unit))?;
        let number: u32 = ago.strip_suffix(unit)?.parse().ok()?;
        return number.checked_mul(*seconds).map(Moment::Ago);
    }
    let at = value.parse::<Timestamp>().ok().or_else(|| {
        let date: Date = value.parse().ok()?;
        TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()
    });
    at.map(Moment::At)
}

/// Units of time with their seconds, the longest first.
pub(crate) const UNITS: [(&str, u32); 5] = [("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];
