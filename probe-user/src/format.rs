//! The `format` file of a classic tracepoint: where the fields of its record are.
//!
//! Written by the kernel's `f_show` (`kernel/trace/trace_events.c`):
//!
//! ```text
//! name: mark_victim
//! ID: 566
//! format:
//!         field:unsigned short common_type;       offset:0;       size:2; signed:0;
//!         field:__data_loc char[] comm;   offset:12;      size:4; signed:0;
//!
//! print fmt: "..."
//! ```

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::fields::{Meaning, Meanings};

mod record;

/// The longest file that is read, bytes; the longest in Linux 6.18 has 13 KiB.
pub const MAX_BYTES: usize = 256 * 1024;
/// The most fields of one record.
pub const MAX_FIELDS: usize = 256;

/// The most numbers whose meaning is kept; `mm` tracepoints have a few dozen.
const MAX_MEANINGS: usize = 256;

/// Arrays of `char` that hold no text: GUIDs (`include/ras/ras_event.h`: `non_standard_event`;
/// `drivers/cxl/core/trace.h`: `cxl_poison`).
const BINARY: &[&str] = &["sec_type", "fru_id", "uuid"];

/// How a field is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// The value itself.
    Inline,
    /// `__data_loc`: a u32 `length << 16 | offset from the start of the record`.
    DataLoc,
    /// `__rel_loc`: a u32 `length << 16 | offset from the end of this field`.
    RelLoc,
}

/// What a field is, by its declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// An integer of 1, 2, 4 or 8 bytes.
    Integer,
    /// Characters, NUL-terminated where they do not fill their room.
    Text,
    /// The address of a string in the kernel.
    StringPointer,
    /// The address of anything else in the kernel.
    Pointer,
    /// Anything else: arrays of integers, structs.
    Bytes,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its name, without array brackets.
    pub name: Arc<str>,
    /// How it is laid out.
    pub place: Place,
    /// What it is.
    pub kind: Kind,
    /// Bytes from the start of the record.
    pub offset: u32,
    /// Bytes taken in the record; 4 for a location.
    pub size: u32,
    /// Whether the kernel says that it is signed.
    pub signed: bool,
}

/// A record's layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// The tracepoint's name.
    pub name: String,
    /// The fields in the file's order, common ones first.
    pub fields: Vec<Field>,
    /// What numbers of its fields mean: they differ between kernels, and the kernel says so in `print fmt`.
    pub meanings: Arc<Meanings>,
}

/// Why a text is no `format` file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Longer than [`MAX_BYTES`].
    #[error("{0} bytes are more than a format file has")]
    TooLong(usize),
    /// More than [`MAX_FIELDS`] fields.
    #[error("more than {MAX_FIELDS} fields")]
    TooManyFields,
    /// No `name:` line.
    #[error("no line `name:`")]
    NoName,
    /// No field at all.
    #[error("no field")]
    NoFields,
    /// A field line that cannot be read.
    #[error("field line `{0}` cannot be read")]
    Field(String),
}

impl Format {
    /// Parses the text of a `format` file.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        if text.len() > MAX_BYTES {
            return Err(FormatError::TooLong(text.len()));
        }
        let mut name = None;
        let mut fields = Vec::new();
        let mut meanings = Meanings::default();
        for line in text.lines() {
            let line = line.trim();
            if line.starts_with("print fmt:") {
                meanings = parse_meanings(line);
                break;
            } else if let Some(value) = line.strip_prefix("name:") {
                name = Some(value.trim().to_owned());
            } else if let Some(declaration) = line.strip_prefix("field:") {
                if fields.len() == MAX_FIELDS {
                    return Err(FormatError::TooManyFields);
                }
                let field = parse_field(declaration)
                    .ok_or_else(|| FormatError::Field(line.chars().take(120).collect()))?;
                fields.push(field);
            }
        }
        let name = name.filter(|name| !name.is_empty()).ok_or(FormatError::NoName)?;
        if fields.is_empty() {
            return Err(FormatError::NoFields);
        }
        Ok(Self {
            name,
            fields,
            meanings: Arc::new(meanings),
        })
    }

    /// The field with this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| *field.name == *name)
    }
}

/// `__print_symbolic(REC->type, { 0, "reserved kernel page" }, { 1, "high-order kernel page" })`
fn parse_meanings(print: &str) -> Meanings {
    let symbolic = print.split("__print_symbolic(REC->").skip(1);
    let of_field = symbolic.filter_map(|arguments| {
        let (field, pairs) = arguments.split_once(',')?;
        // Names hold parentheses, but no braces.
        let pairs = pairs.split('{').skip(1).map_while(|pair| pair.split_once('}'));
        let end = |(_, rest): &(&str, &str)| rest.trim_start().starts_with(')');
        let count = pairs
            .clone()
            .position(|pair| end(&pair))
            .map_or(usize::MAX, |last| last + 1);
        let pairs = pairs.take(count).filter_map(|(pair, _)| {
            let (number, name) = pair.split_once(',')?;
            Some(Meaning {
                field: field.trim().to_owned(),
                number: number.trim().parse().ok()?,
                means: name.trim().strip_prefix('"')?.strip_suffix('"')?.to_owned(),
            })
        });
        Some(pairs)
    });
    of_field.flatten().take(MAX_MEANINGS).collect()
}

/// `unsigned long ip; offset:8; size:8; signed:0;`
fn parse_field(line: &str) -> Option<Field> {
    let mut parts = line.split(';').map(str::trim);
    let declaration = parts.next()?;
    let (mut offset, mut size, mut signed) = (None, None, false);
    for part in parts {
        match part.split_once(':') {
            Some(("offset", value)) => offset = Some(value.trim().parse::<u32>().ok()?),
            Some(("size", value)) => size = Some(value.trim().parse::<u32>().ok()?),
            Some(("signed", value)) => signed = value.trim() != "0",
            _ => {}
        }
    }
    let (offset, size) = (offset?, size?);
    offset.checked_add(size)?;
    let (place, declaration) = if let Some(rest) = declaration.strip_prefix("__data_loc ") {
        (Place::DataLoc, rest)
    } else if let Some(rest) = declaration.strip_prefix("__rel_loc ") {
        (Place::RelLoc, rest)
    } else {
        (Place::Inline, declaration)
    };
    let (ty, name) = split_declaration(declaration.trim())?;
    Some(Field {
        name: name.into(),
        place,
        kind: if BINARY.contains(&name) {
            Kind::Bytes
        } else {
            kind(ty, declaration, place, size)
        },
        offset,
        size,
        signed,
    })
}

/// Type and name of `char comm[TASK_COMM_LEN]`, `const char * function`, `char *function`.
fn split_declaration(declaration: &str) -> Option<(&str, &str)> {
    let named = declaration.split('[').next()?.trim_end();
    // `__data_loc char[] comm`: the brackets belong to the type.
    let named = if declaration.ends_with(']') {
        named
    } else {
        declaration
    };
    let start = named
        .rfind(|character: char| character.is_whitespace() || character == '*')
        .map(|space| space + 1)?;
    let (ty, name) = (named.get(..start)?, named.get(start..)?);
    (!name.is_empty() && !name.contains('[')).then_some((ty.trim(), name))
}

fn kind(ty: &str, declaration: &str, place: Place, size: u32) -> Kind {
    let element = ty.split(['[', '*']).next().unwrap_or_default().trim();
    let is_char = element.strip_prefix("const ").unwrap_or(element) == "char";
    if place != Place::Inline || declaration.ends_with(']') {
        return if is_char { Kind::Text } else { Kind::Bytes };
    }
    if ty.contains('*') {
        return if is_char {
            Kind::StringPointer
        } else {
            Kind::Pointer
        };
    }
    match size {
        1 | 2 | 4 | 8 => Kind::Integer,
        _ => Kind::Bytes,
    }
}

#[cfg(test)]
mod tests;
