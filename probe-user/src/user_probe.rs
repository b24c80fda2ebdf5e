//! Probes that the administrator of a host writes: a tracepoint, and what is to be made of its records.
//!
//! [`UserProbe::new`] checks what can be checked anywhere, [`UserProbe::fit`] compares a probe with the `format` file of
//! this kernel's tracepoint, and [`UserProbe::tell`] puts a record into words. Every mistake says where in the text it
//! is and, as far as it can be guessed, what was meant.

use std::ops::Range;

use faults::Severity;

use crate::fields::{Fields, Value};

mod filter;
mod fit;
mod nearest;
#[cfg(test)]
mod tests;
mod title;

pub use filter::{FILTER_BYTES, Filter, MAX_INTEGER_TERMS, MAX_TEXT_TERMS, Operand, Term};
pub use fit::{Fit, FitField, Kind, Verdict, look_up};
pub use nearest::nearest;
pub use title::{TITLE_BYTES, Title};

/// Longest name of a probe, bytes; with [`HOOK_PREFIX`] it is the name of a hook, which has 64 at most.
pub const NAME_BYTES: usize = 48;
/// What the hook of a user's probe is called: this and the probe's name, so that no name of the catalogue is taken.
pub const HOOK_PREFIX: &str = "user.";
/// Longest class, bytes (`Record.class`).
pub const CLASS_BYTES: usize = 64;
/// The most fields that are kept of one record (`KernelEvent.fields`).
pub const MAX_FIELDS: usize = 64;
/// Longest name of a tracepoint with its category, bytes (`KernelEvent.tracepoint`).
pub const TRACEPOINT_BYTES: usize = 128;
/// The most records a minute that a probe may keep in full.
pub const MAX_RATE: u32 = 6_000;
/// Ten a minute show whether the occurrences differ; the rest is counted.
pub const DEFAULT_RATE: u32 = 10;
/// The classes that the agent's books are kept by; no probe may take one.
const RESERVED_CLASSES: &str = "telemetry.";

/// A probe as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Its name: `[a-z0-9_]`, at most [`NAME_BYTES`].
    pub name: String,
    /// `category:name`.
    pub tracepoint: String,
    /// See [`Title`]; empty: the tracepoint's name.
    pub title: String,
    /// A dotted name such as `storage.nfs_timeout`; empty: `custom.tracepoint`.
    pub class: String,
    /// `low`, `medium`, `high` or `critical`; empty: `medium`.
    pub severity: String,
    /// The fields that are kept; empty: all of them, at most [`MAX_FIELDS`].
    pub fields: Vec<String>,
    /// See [`Filter`]; empty: every record.
    pub filter: String,
    /// Records a minute that are kept in full, 1 to [`MAX_RATE`]; the others are counted.
    pub rate: u32,
    /// Whether the kernel's stack is taken too.
    pub stack: bool,
}

/// A probe that makes sense by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserProbe {
    /// Its hook: [`HOOK_PREFIX`] and the name.
    pub hook: String,
    /// The tracepoint's category, such as `sunrpc`.
    pub category: String,
    /// The tracepoint's name in its category.
    pub event: String,
    /// What records are called.
    pub title: Title,
    /// Their class.
    pub class: String,
    /// How bad they are.
    pub severity: Severity,
    /// The fields that are kept; empty: all of them.
    pub fields: Vec<String>,
    /// Which records are meant.
    pub filter: Filter,
    /// Records a minute that are kept in full.
    pub rate: u32,
    /// Whether the kernel's stack is taken too.
    pub stack: bool,
}

/// The part of a probe that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// [`Written::name`]
    Name,
    /// [`Written::tracepoint`]
    Tracepoint,
    /// [`Written::title`]
    Title,
    /// [`Written::class`]
    Class,
    /// [`Written::severity`]
    Severity,
    /// One of [`Written::fields`], by its index.
    Field(usize),
    /// [`Written::filter`]
    Filter,
    /// [`Written::rate`]
    Rate,
}

/// A mistake in a probe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}: {remedy}")]
pub struct Wrong {
    /// Where.
    pub part: Part,
    /// Where in the text of that part, bytes.
    pub range: Range<usize>,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

impl Wrong {
    /// A mistake that is the whole of a part.
    fn whole(part: Part, text: &str, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            part,
            range: 0..text.len(),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }
}

impl UserProbe {
    /// Understands a probe, or says everything that is wrong with it.
    pub fn new(written: &Written) -> Result<Self, Vec<Wrong>> {
        let mut wrongs = Vec::new();
        let mut note = |wrong: Option<Wrong>| wrongs.extend(wrong);
        note(name(&written.name).err());
        let tracepoint = tracepoint(&written.tracepoint).map_err(|wrong| note(Some(wrong)));
        let class = class(&written.class).map_err(|wrong| note(Some(wrong)));
        let severity = severity(&written.severity).map_err(|wrong| note(Some(wrong)));
        note(rate(written.rate).err());
        note(fields(&written.fields).err());
        let title = if written.title.is_empty() {
            Ok(Title::plain(&written.tracepoint))
        } else {
            Title::parse(&written.title).map_err(|wrong| note(Some(wrong)))
        };
        let filter = Filter::parse(&written.filter).map_err(|wrong| note(Some(wrong)));
        let (Ok((category, event)), Ok(class), Ok(severity), Ok(title), Ok(filter)) =
            (tracepoint, class, severity, title, filter)
        else {
            return Err(wrongs);
        };
        if !wrongs.is_empty() {
            return Err(wrongs);
        }
        Ok(Self {
            hook: format!("{HOOK_PREFIX}{}", written.name),
            category,
            event,
            title,
            class,
            severity,
            fields: written.fields.clone(),
            filter,
            rate: written.rate,
            stack: written.stack,
        })
    }

    /// The tracepoint as people write it: `category:name`.
    pub fn tracepoint(&self) -> String {
        format!("{}:{}", self.category, self.event)
    }

    /// What a record is called and what is kept of it; `None` when it is not meant.
    ///
    /// Comparisons of integers were made in the kernel already; those of texts are made here.
    pub fn tell(&self, fields: &Fields) -> Option<(String, Fields)> {
        if !self.filter.admits_texts_of(fields) {
            return None;
        }
        let is_kept = |name: &str| self.fields.is_empty() || self.fields.iter().any(|kept| kept == name);
        let kept = fields
            .iter()
            .filter(|(name, _)| is_kept(name))
            .take(MAX_FIELDS)
            .map(|(name, value)| (name, value.clone()))
            .collect();
        Some((self.title.of(fields), kept))
    }
}

/// A value as people read it.
fn words(value: &Value) -> String {
    /// Arrays are cut to so many bytes: a title has room for no more.
    const ARRAY_BYTES: usize = 16;
    match value {
        Value::Unsigned(number) => number.to_string(),
        Value::Signed(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Bytes(bytes) => faults::hex_digits(bytes.get(..ARRAY_BYTES).unwrap_or(bytes)),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_lower_word(text: &str) -> bool {
    is_word(text) && !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn name(name: &str) -> Result<(), Wrong> {
    if is_lower_word(name) && name.len() <= NAME_BYTES {
        return Ok(());
    }
    Err(Wrong::whole(
        Part::Name,
        name,
        format!("`{name}` is no name of a probe"),
        format!("use lower-case letters, digits and `_`, at most {NAME_BYTES}"),
    ))
}

fn tracepoint(text: &str) -> Result<(String, String), Wrong> {
    match text.split_once(':') {
        Some((category, event))
            if is_tracefs_name(category) && is_tracefs_name(event) && text.len() <= TRACEPOINT_BYTES =>
        {
            Ok((category.to_owned(), event.to_owned()))
        }
        _ => Err(Wrong::whole(
            Part::Tracepoint,
            text,
            format!("`{text}` is no tracepoint"),
            "write CATEGORY:NAME, such as \"block:block_rq_error\"; `cat /sys/kernel/tracing/available_events` lists them",
        )),
    }
}

/// Names become parts of a path: nothing that leads elsewhere.
fn is_tracefs_name(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        && !text.is_empty()
}

fn class(text: &str) -> Result<String, Wrong> {
    if text.is_empty() {
        return Ok(faults::Class::CustomTracepoint.as_str().to_owned());
    }
    if text.starts_with(RESERVED_CLASSES) {
        return Err(Wrong::whole(
            Part::Class,
            text,
            format!("the classes `{RESERVED_CLASSES}…` are the agent's own"),
            "choose another first word, such as `custom`",
        ));
    }
    if text.len() <= CLASS_BYTES && text.contains('.') && text.split('.').all(is_lower_word) {
        return Ok(text.to_owned());
    }
    Err(Wrong::whole(
        Part::Class,
        text,
        format!("`{text}` is no class"),
        format!(
            "write words of lower-case letters, digits and `_` with dots between, such as \"storage.nfs_timeout\", at \
             most {CLASS_BYTES} bytes"
        ),
    ))
}

fn severity(text: &str) -> Result<Severity, Wrong> {
    const ALL: [Severity; 4] = [
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ];
    if text.is_empty() {
        return Ok(Severity::Medium);
    }
    ALL.into_iter()
        .find(|severity| severity.as_str() == text)
        .ok_or_else(|| {
            Wrong::whole(
                Part::Severity,
                text,
                format!("`{text}` is no severity"),
                "write \"low\", \"medium\", \"high\" or \"critical\"",
            )
        })
}

fn rate(rate: u32) -> Result<(), Wrong> {
    if (1..=MAX_RATE).contains(&rate) {
        return Ok(());
    }
    Err(Wrong::whole(
        Part::Rate,
        &rate.to_string(),
        format!("{rate} records a minute are out of range"),
        format!("give a number from 1 to {MAX_RATE}"),
    ))
}

fn fields(fields: &[String]) -> Result<(), Wrong> {
    if let Some(text) = fields.get(MAX_FIELDS) {
        return Err(Wrong::whole(
            Part::Field(MAX_FIELDS),
            text,
            format!("a record holds {MAX_FIELDS} fields"),
            "remove this one and those after it",
        ));
    }
    for (index, text) in fields.iter().enumerate() {
        let problem = if !is_word(text) {
            format!("`{text}` is no name of a field")
        } else if fields[..index].contains(text) {
            format!("`{text}` is named twice")
        } else {
            continue;
        };
        return Err(Wrong::whole(
            Part::Field(index),
            text,
            problem,
            "write each field once, by its name in the tracepoint's `format` file",
        ));
    }
    Ok(())
}
