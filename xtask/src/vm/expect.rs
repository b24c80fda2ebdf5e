//! What the collector should have stored.

use std::fmt;

use serde_json::Value;

use super::collector::Stored;

/// A record that should be stored, exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expect {
    class: &'static str,
    /// What its title contains: one of these, separated by `|`.
    title: &'static str,
    fields: &'static [Field],
    times: u64,
}

/// How a title ends when the function at fault is not in the text.
const NOWHERE: &str = " in corrupted";

/// A field of the record: its JSON pointer below `/record`, and what it should be.
pub(crate) type Field = (&'static str, Is);

/// What a field should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Is {
    /// This text.
    Text(&'static str),
    /// A text with this in it.
    Saying(&'static str),
    /// This number, which JSON may have as a text.
    Number(i64),
    /// Anything but empty.
    There,
}

impl Expect {
    /// A record of `class` with one of `title`, separated by `|`, in its title.
    pub(crate) const fn record(class: &'static str, title: &'static str) -> Self {
        Self {
            class,
            title,
            fields: &[],
            times: 1,
        }
    }

    /// With these fields.
    pub(crate) const fn with(mut self, fields: &'static [Field]) -> Self {
        self.fields = fields;
        self
    }

    /// So often, stored or counted as lost by the storm control.
    pub(crate) const fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// How often it happens.
    pub(super) const fn how_often(&self) -> u64 {
        self.times
    }

    /// Its class.
    pub(super) const fn class(&self) -> &'static str {
        self.class
    }

    /// Whether a title is the one expected.
    pub(super) fn has_title(&self, title: &str) -> bool {
        self.title.split('|').any(|part| title.contains(part))
    }

    /// Whether `stored` is that record, by its class and title; one that does not know where it was is none.
    pub(crate) fn is_met_by(&self, stored: &Stored) -> bool {
        stored.class == self.class && self.has_title(&stored.title) && !stored.title.ends_with(NOWHERE)
    }

    /// In what a whole record differs from what is expected, a line each.
    pub(super) fn differences(&self, record: &Value) -> Vec<String> {
        self.fields
            .iter()
            .filter_map(|(pointer, is)| {
                let value = record.pointer(pointer).unwrap_or(&Value::Null);
                (!is.met_by(value)).then(|| format!("{pointer} is {value}, not {is}"))
            })
            .collect()
    }
}

impl Is {
    fn met_by(self, value: &Value) -> bool {
        match self {
            Self::Text(text) => value.as_str() == Some(text),
            Self::Saying(part) => value.as_str().is_some_and(|text| text.contains(part)),
            Self::Number(number) => {
                value.as_i64() == Some(number)
                    || value.as_str().is_some_and(|text| text.parse() == Ok(number))
            }
            Self::There => match value {
                Value::Null => false,
                Value::String(text) => !text.is_empty(),
                Value::Array(items) => !items.is_empty(),
                Value::Object(members) => !members.is_empty(),
                Value::Bool(_) | Value::Number(_) => true,
            },
        }
    }
}

impl fmt::Display for Is {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Saying(part) => write!(f, "a text with {part:?}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::There => f.write_str("there"),
        }
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let titles = self.title.replace('|', "\" or \"");
        write!(f, "{} with \"{titles}\" in its title", self.class)?;
        if self.times > 1 {
            write!(f, ", {} times", self.times)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_name_the_field_and_both_values() {
        let expect = Expect::record("memory.oom_kill", "tail").with(&[
            ("/oom_kill/victim_comm", Is::Text("tail")),
            ("/oom_kill/order", Is::Number(0)),
            ("/oom_kill/points", Is::Number(12)),
            ("/oom_kill/limit_cgroup", Is::There),
        ]);
        let record = json!({
            "title": "tail was killed",
            "oom_kill": { "victim_comm": "head", "order": 0, "points": "12", "limit_cgroup": "" },
        });
        assert_eq!(
            expect.differences(&record),
            [
                "/oom_kill/victim_comm is \"head\", not \"tail\"",
                "/oom_kill/limit_cgroup is \"\", not there",
            ]
        );
    }
}
