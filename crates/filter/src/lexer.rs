//! From characters to words.

use crate::error::{Error, Reason};

/// A word with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// In characters, from 1.
    pub(crate) column: usize,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Open,
    Close,
    /// A minus sign, or `NOT`, before something.
    Not,
    And,
    Or,
    /// A word or a quoted text.
    Text(String),
    /// A key, an operator and a value.
    Term {
        key: String,
        operator: Operator,
        value: String,
        /// Where the value begins.
        value_column: usize,
        /// It stood in quotation marks.
        quoted: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    /// `:` or `=`.
    Is,
    Above,
    AtLeast,
    Below,
    AtMost,
}

/// The longer ones first.
const OPERATORS: [(&str, Operator); 6] = [
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    (">", Operator::Above),
    ("<", Operator::Below),
    (":", Operator::Is),
    ("=", Operator::Is),
];

/// Cuts a filter into words.
pub(crate) fn tokens(filter: &str) -> Result<Vec<Token>, Error> {
    let mut reader = Reader {
        rest: filter,
        column: 1,
    };
    let mut tokens = Vec::new();
    while let Some(token) = reader.next()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Reader<'a> {
    rest: &'a str,
    column: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Result<Option<Token>, Error> {
        while self.peek().is_some_and(char::is_whitespace) {
            self.bump();
        }
        let column = self.column;
        let Some(c) = self.peek() else {
            return Ok(None);
        };
        let kind = match c {
            '(' | ')' | '-' => {
                self.bump();
                match c {
                    '(' => Kind::Open,
                    ')' => Kind::Close,
                    _ => Kind::Not,
                }
            }
            '"' => Kind::Text(self.quoted()?),
            _ => self.word_or_term()?,
        };
        Ok(Some(Token { column, kind }))
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        self.column += 1;
        Some(c)
    }

    fn word_or_term(&mut self) -> Result<Kind, Error> {
        let mut word = String::new();
        while let Some(c) = self.peek().filter(|c| is_of_word(*c)) {
            if let Some((sign, operator)) = OPERATORS.iter().find(|(sign, _)| self.rest.starts_with(sign)) {
                for _ in sign.chars() {
                    self.bump();
                }
                return self.value(word, *operator);
            }
            word.push(c);
            self.bump();
        }
        // In lower case it is a word of what kernels print: "not syncing".
        if word == "NOT" {
            return Ok(Kind::Not);
        }
        Ok(match word.to_ascii_lowercase().as_str() {
            "or" => Kind::Or,
            "and" => Kind::And,
            _ => Kind::Text(word),
        })
    }

    fn value(&mut self, key: String, operator: Operator) -> Result<Kind, Error> {
        let value_column = self.column;
        let quoted = self.peek() == Some('"');
        let value = if quoted {
            self.quoted()?
        } else {
            let mut value = String::new();
            while let Some(c) = self.peek().filter(|c| is_of_word(*c)) {
                value.push(c);
                self.bump();
            }
            value
        };
        Ok(Kind::Term {
            key,
            operator,
            value,
            value_column,
            quoted,
        })
    }

    /// A text in quotation marks; `\"` and `\\` are what they are elsewhere.
    fn quoted(&mut self) -> Result<String, Error> {
        let column = self.column;
        self.bump();
        let mut text = String::new();
        while let Some(c) = self.bump() {
            match c {
                '"' => return Ok(text),
                '\\' if matches!(self.peek(), Some('"' | '\\')) => text.extend(self.bump()),
                c => text.push(c),
            }
        }
        Err(Error {
            column,
            reason: Reason::Unquoted,
        })
    }
}

/// Whether a word goes on with the character.
pub(crate) fn is_of_word(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, '(' | ')' | '"')
}
