//! The fields of a tracepoint's record, as values.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// An unsigned integer or a boolean.
    Unsigned(u64),
    /// A signed integer.
    Signed(i64),
    /// A string; invalid UTF-8 is replaced.
    Text(String),
    /// An array of anything else, in the byte order of the machine.
    Bytes(Vec<u8>),
}

/// The fields of one record, in the order of its format, without those that every record has (`common_type`, …).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    list: Vec<(Arc<str>, Value)>,
    meanings: Arc<Meanings>,
}

/// What the numbers of some fields mean on this kernel: see [`crate::format::Format::meanings`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meanings(Vec<Meaning>);

/// What one number of one field means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meaning {
    /// The field.
    pub field: String,
    /// The number.
    pub number: i64,
    /// The kernel's words for it.
    pub means: String,
}

impl FromIterator<Meaning> for Meanings {
    fn from_iter<I: IntoIterator<Item = Meaning>>(meanings: I) -> Self {
        Self(meanings.into_iter().collect())
    }
}

impl Fields {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.list.iter().map(|(name, value)| (&**name, value))
    }

    /// A field by its name; `None` when this kernel's record has none.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.iter()
            .find_map(|(known, value)| (known == name).then_some(value))
    }

    /// An integer that is not negative.
    pub fn unsigned(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Value::Unsigned(number) => Some(*number),
            Value::Signed(number) => u64::try_from(*number).ok(),
            Value::Text(_) | Value::Bytes(_) => None,
        }
    }

    /// An integer that is not negative and fits a type.
    pub fn number<T: TryFrom<u64>>(&self, name: &str) -> Option<T> {
        T::try_from(self.unsigned(name)?).ok()
    }

    /// An integer.
    pub fn signed(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::Unsigned(number) => i64::try_from(*number).ok(),
            Value::Signed(number) => Some(*number),
            Value::Text(_) | Value::Bytes(_) => None,
        }
    }

    /// A string.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// An array.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        match self.get(name)? {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// An array of `N` bytes.
    pub fn array<const N: usize>(&self, name: &str) -> Option<[u8; N]> {
        self.bytes(name)?.try_into().ok()
    }

    /// What an integer means on this kernel, in the kernel's words.
    pub fn meaning(&self, name: &str) -> Option<&str> {
        let number = self.signed(name)?;
        let is_it = |meaning: &&Meaning| meaning.field == name && meaning.number == number;
        self.meanings.0.iter().find(is_it).map(|meaning| &*meaning.means)
    }

    /// The same with what numbers mean.
    #[must_use]
    pub fn with_meanings(self, meanings: Arc<Meanings>) -> Self {
        Self { meanings, ..self }
    }
}

impl<N: Into<Arc<str>>> FromIterator<(N, Value)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(fields: I) -> Self {
        Self {
            list: fields
                .into_iter()
                .map(|(name, value)| (name.into(), value))
                .collect(),
            meanings: Arc::default(),
        }
    }
}
