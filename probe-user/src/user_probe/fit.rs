//! Probes compared with this kernel's tracepoints.

use std::{io, ops::Range};

use super::{Operand, Part, Term, UserProbe, Wrong, nearest, words};
use crate::{
    catalogue::Is,
    fields::{Fields, Value},
    format::{self, Field, Format},
    tracefs::{Tracefs, TracefsError, with_tracefs},
};

/// What every record begins with; of no interest by themselves.
const COMMON: &str = "common_";

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An unsigned integer of so many bytes: 1, 2, 4 or 8.
    Unsigned(u32),
    /// A signed one.
    Signed(u32),
    /// A text.
    Text,
    /// Anything else.
    Bytes,
}

impl Kind {
    fn of(field: &Field) -> Self {
        match field.kind {
            format::Kind::Integer if field.signed => Self::Signed(field.size),
            format::Kind::Integer => Self::Unsigned(field.size),
            format::Kind::Text | format::Kind::StringPointer => Self::Text,
            format::Kind::Pointer | format::Kind::Bytes => Self::Bytes,
        }
    }

    /// As people call it.
    pub fn words(self) -> String {
        match self {
            Self::Unsigned(size) => format!("unsigned, {size} bytes"),
            Self::Signed(size) => format!("signed, {size} bytes"),
            Self::Text => "text".to_owned(),
            Self::Bytes => "bytes".to_owned(),
        }
    }

    /// The integers it can hold.
    fn range(self) -> Option<std::ops::RangeInclusive<i128>> {
        match self {
            Self::Unsigned(size) => Some(0..=(1_i128 << (8 * size)) - 1),
            Self::Signed(size) => {
                let half = 1_i128 << (8 * size - 1);
                Some(-half..=half - 1)
            }
            Self::Text | Self::Bytes => None,
        }
    }
}

/// A field of the tracepoint on this kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FitField {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Whether the probe keeps it.
    pub kept: bool,
}

/// What a probe is on this kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// The fields of the tracepoint, without those that every record has.
    pub fields: Vec<FitField>,
    /// What is right and may surprise.
    pub notes: Vec<String>,
}

/// A probe compared with this kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It can be attached.
    Fits(Fit),
    /// It does not fit the tracepoint, or there is none.
    Wrong(Vec<Wrong>),
    /// This process could not look, and why.
    Unknown(String),
}

/// Compares probes with the tracepoints of this kernel. Reading tracefs needs root as a rule.
pub fn look_up(probes: &[UserProbe]) -> Vec<Verdict> {
    with_tracefs(|tracefs| match tracefs {
        Ok(tracefs) => probes.iter().map(|probe| look_up_one(probe, &tracefs)).collect(),
        Err(error) => vec![Verdict::Unknown(error.to_string()); probes.len()],
    })
}

fn look_up_one(probe: &UserProbe, tracefs: &Tracefs) -> Verdict {
    match tracefs.format(&probe.category, &probe.event) {
        Ok(format) => match probe.fit(&format) {
            Ok(fit) => Verdict::Fits(fit),
            Err(wrongs) => Verdict::Wrong(wrongs),
        },
        Err(TracefsError::NoTracepoint) => Verdict::Wrong(vec![no_tracepoint(
            probe,
            &tracefs.tracepoints().unwrap_or_default(),
        )]),
        Err(TracefsError::Read { path, source }) if source.kind() == io::ErrorKind::PermissionDenied => {
            Verdict::Unknown(format!("{} may not be read: run this as root", path.display()))
        }
        Err(error) => Verdict::Unknown(error.to_string()),
    }
}

/// `tracepoints` has a `category:name` on each line.
fn no_tracepoint(probe: &UserProbe, tracepoints: &str) -> Wrong {
    let wanted = probe.tracepoint();
    let remedy = match nearest(&wanted, tracepoints.lines()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => "a module may bring it when it is loaded; `cat /sys/kernel/tracing/available_events` lists those of now"
            .to_owned(),
    };
    Wrong::whole(
        Part::Tracepoint,
        &wanted,
        format!("this kernel has no tracepoint `{wanted}`"),
        remedy,
    )
}

impl UserProbe {
    /// Compares the probe with the format of its tracepoint's records.
    pub fn fit(&self, format: &Format) -> Result<Fit, Vec<Wrong>> {
        let record = Record { format };
        let mut wrongs = Vec::new();
        for (index, name) in self.fields.iter().enumerate() {
            wrongs.extend(record.kind(name, Part::Field(index), &(0..name.len())).err());
        }
        let mut notes = Vec::new();
        for (name, at) in self.title.fields() {
            match record.kind(name, Part::Title, at) {
                Ok(Kind::Text) => {}
                Ok(_) => notes.push(format!(
                    "the title has {{{name}}}: records are grouped by title, each value is an issue of its own"
                )),
                Err(wrong) => wrongs.push(wrong),
            }
        }
        for term in self.filter.terms() {
            wrongs.extend(record.check(term).err());
            if matches!(term.value, Operand::Text(_)) {
                notes.push(format!(
                    "`{}` is compared in user space: each record that the kernel's comparisons admit is copied first",
                    term.field
                ));
            }
        }
        if self.filter.terms().is_empty() {
            notes.push("there is no filter: every event is copied".to_owned());
        }
        if !wrongs.is_empty() {
            return Err(wrongs);
        }
        let kept = |name: &str| self.fields.is_empty() || self.fields.iter().any(|kept| kept == name);
        let fields = record.fields().map(|field| FitField {
            kept: kept(&field.name),
            kind: Kind::of(field),
            name: field.name.to_string(),
        });
        Ok(Fit {
            fields: fields.collect(),
            notes,
        })
    }

    /// A record as it could look: values that the filter admits, as far as they are told by one comparison.
    pub fn example(&self, fit: &Fit) -> (String, Vec<(String, String)>) {
        let fields: Fields = fit
            .fields
            .iter()
            .map(|field| (field.name.as_str(), self.example_value(field)))
            .collect();
        let kept = fields.iter().filter(|(name, _)| {
            let is_it = |field: &&FitField| field.name == *name;
            fit.fields.iter().find(is_it).is_some_and(|field| field.kept)
        });
        let kept = kept.map(|(name, value)| (name.to_owned(), words(value)));
        (self.title.of(&fields), kept.take(super::MAX_FIELDS).collect())
    }

    fn example_value(&self, field: &FitField) -> Value {
        let told = self.filter.terms().iter().find(|term| term.field == field.name);
        let number = match told {
            Some(Term {
                value: Operand::Text(text),
                is: Is::Equal,
                ..
            }) => return Value::Text(text.clone()),
            Some(Term {
                value: Operand::Integer(number),
                is,
                ..
            }) => match is {
                Is::Equal | Is::AtMost | Is::AtLeast | Is::AnyBit => *number,
                Is::NotEqual | Is::Greater => number + 1,
                Is::Less => number - 1,
            },
            _ => 1,
        };
        match field.kind {
            Kind::Text => Value::Text(format!("<{}>", field.name)),
            Kind::Bytes => Value::Bytes(vec![0; 4]),
            Kind::Signed(_) => Value::Signed(i64::try_from(number).unwrap_or(i64::MAX)),
            Kind::Unsigned(_) => Value::Unsigned(u64::try_from(number).unwrap_or_default()),
        }
    }
}

/// A tracepoint's record, asked for fields by name.
struct Record<'a> {
    format: &'a Format,
}

impl Record<'_> {
    fn fields(&self) -> impl Iterator<Item = &Field> {
        let is_common = |field: &&Field| !field.name.starts_with(COMMON);
        self.format.fields.iter().filter(is_common)
    }

    fn field(&self, name: &str, part: Part, at: &Range<usize>) -> Result<&Field, Wrong> {
        if let Some(field) = self.fields().find(|field| *field.name == *name) {
            return Ok(field);
        }
        let names = || self.fields().map(|field| &*field.name);
        let remedy = match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("its fields are: {}", names().collect::<Vec<_>>().join(", ")),
        };
        Err(Wrong {
            part,
            range: at.clone(),
            problem: format!("the tracepoint `{}` has no field `{name}` here", self.format.name),
            remedy,
        })
    }

    fn kind(&self, name: &str, part: Part, at: &Range<usize>) -> Result<Kind, Wrong> {
        self.field(name, part, at).map(Kind::of)
    }

    /// Whether a field is there and can be what it is compared with.
    fn check(&self, term: &Term) -> Result<(), Wrong> {
        let kind = self.kind(&term.field, Part::Filter, &term.field_at)?;
        let (problem, remedy) = match (&term.value, kind.range()) {
            (Operand::Text(_), None) if kind == Kind::Text => return Ok(()),
            (Operand::Integer(number), Some(range)) if range.contains(number) => return Ok(()),
            (Operand::Integer(number), Some(range)) => (
                format!("is never {number}"),
                format!("give a number from {} to {}", range.start(), range.end()),
            ),
            (Operand::Text(_), _) => (
                "is no text".to_owned(),
                "compare it with an integer, or leave it out".to_owned(),
            ),
            (Operand::Integer(_), None) => (
                "is no integer".to_owned(),
                "compare it with a text in quotes, or leave it out".to_owned(),
            ),
        };
        Err(Wrong {
            part: Part::Filter,
            range: term.field_at.start..term.value_at.end,
            problem: format!("`{}` ({}) {problem}", term.field, kind.words()),
            remedy,
        })
    }
}
