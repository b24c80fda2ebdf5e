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

use crate::fields::{Meaning, Meanings};

/// The longest file that is read, bytes; the longest in Linux 6.18 has 13 KiB.
pub const MAX_BYTES: usize = 256 * 1024;
/// The most fields of one record.
pub const MAX_FIELDS: usize = 256;

/// The most numbers whose meaning is kept; `mm` tracepoints have a few dozen.
const MAX_MEANINGS: usize = 256;

/// How a field is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The value itself.
    Inline,
    /// `__data_loc`: a u32 `length << 16 | offset from the start of the record`.
    DataLoc,
    /// `__rel_loc`: a u32 `length << 16 | offset from the end of this field`.
    RelLoc,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name, without array brackets.
    pub name: String,
    /// How it is laid out.
    pub place: Place,
    /// Bytes from the start of the record.
    pub offset: u32,
    /// Bytes taken in the record; 4 for a location.
    pub size: u32,
    /// Whether the kernel says that it is signed.
    pub signed: bool,
}

/// A record's layout.
#[derive(Debug, Clone, PartialEq, Eq)]
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
        self.fields.iter().find(|field| field.name == name)
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
    let (_ty, name) = declaration.trim().rsplit_once(char::is_whitespace)?;
    let name = name.split('[').next()?.trim_start_matches('*');
    if name.is_empty() {
        return None;
    }
    Some(Field {
        name: name.to_owned(),
        place,
        offset,
        size,
        signed,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fields::{Fields, Value};

    /// Read from tracefs of Linux 6.12.
    const MARK_VICTIM: &str = "name: mark_victim
ID: 566
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:int pid;\toffset:8;\tsize:4;\tsigned:1;
\tfield:__data_loc char[] comm;\toffset:12;\tsize:4;\tsigned:0;
\tfield:unsigned long total_vm;\toffset:16;\tsize:8;\tsigned:0;
\tfield:uid_t uid;\toffset:48;\tsize:4;\tsigned:0;
\tfield:short oom_score_adj;\toffset:64;\tsize:2;\tsigned:1;

print fmt: \"pid=%d comm=%s field:x;\", REC->pid, __get_str(comm)
";

    #[test]
    fn fields_have_their_place() {
        let format = Format::parse(MARK_VICTIM).unwrap();
        assert_eq!(format.name, "mark_victim");
        assert_eq!(format.fields.len(), 9);
        let comm = format.field("comm").unwrap();
        assert_eq!((comm.place, comm.offset, comm.size), (Place::DataLoc, 12, 4));
        let adjustment = format.field("oom_score_adj").unwrap();
        assert_eq!(
            (adjustment.offset, adjustment.size, adjustment.signed),
            (64, 2, true)
        );
        assert_eq!(format.field("anon_rss"), None);
    }

    #[test]
    fn arrays_and_pointers_lose_their_decoration() {
        let text = "name: x\n field:char comm[TASK_COMM_LEN]; offset:8; size:16; signed:1;\n \
                    field:const char * function; offset:24; size:8; signed:0;\n \
                    field:__rel_loc char[] late; offset:32; size:4; signed:0;";
        let format = Format::parse(text).unwrap();
        assert_eq!(format.field("comm").unwrap().size, 16);
        assert_eq!(format.field("function").unwrap().place, Place::Inline);
        assert_eq!(format.field("late").unwrap().place, Place::RelLoc);
    }

    #[test]
    fn what_is_no_format_file_is_an_error() {
        assert_eq!(Format::parse(""), Err(FormatError::NoName));
        assert_eq!(Format::parse("name: x"), Err(FormatError::NoFields));
        assert!(matches!(
            Format::parse("name: x\nfield:int pid; size:4;"),
            Err(FormatError::Field(_))
        ));
        assert!(matches!(
            Format::parse("name: x\nfield:int pid; offset:4294967295; size:4;"),
            Err(FormatError::Field(_))
        ));
        assert_eq!(
            Format::parse(&"x".repeat(MAX_BYTES + 1)),
            Err(FormatError::TooLong(MAX_BYTES + 1))
        );
    }

    #[test]
    fn numbers_mean_what_the_kernel_prints() {
        // Linux 6.12, `ras:memory_failure_event`, shortened.
        let text = "name: memory_failure_event\n field:int type; offset:16; size:4; signed:1;\n\nprint fmt: \
                    \"pfn %#lx: recovery action for %s: %s\", REC->pfn, __print_symbolic(REC->type, { 0, \"reserved \
                    kernel page\" }, { 12, \"dirty (LRU) page\" }), __print_symbolic(REC->result, { 0, \"Ignored\" }, \
                    { 0x1, \"no decimal\" })";
        let format = Format::parse(text).unwrap();
        let means = |field: &str, number: i64| {
            let fields = Fields::from_iter([(field, Value::Signed(number))]);
            let fields = fields.with_meanings(Arc::clone(&format.meanings));
            fields.meaning(field).map(str::to_owned)
        };
        assert_eq!(means("type", 12).as_deref(), Some("dirty (LRU) page"));
        assert_eq!(means("result", 0).as_deref(), Some("Ignored"));
        assert_eq!((means("type", 1), means("result", 1)), (None, None));
    }

    proptest! {
        #[test]
        fn any_meanings_are_read(print in "(__print_symbolic\\(REC->)?[a-z, {}()\"0-9-]{0,200}") {
            parse_meanings(&print);
        }

        #[test]
        fn any_text_parses_or_fails_without_a_panic(text in "(?s).{0,400}") {
            let _checked = Format::parse(&text);
        }

        #[test]
        fn any_field_line_parses_or_fails_without_a_panic(
            line in "(__data_loc |__rel_loc )?[a-z *]{0,12}[a-z\\[\\]*0-9]{0,8};?[ \t]?(offset:[0-9]{0,12};)?[ \t]?(size:[0-9-]{0,12};)?.{0,8}",
        ) {
            if let Ok(format) = Format::parse(&format!("name: x\nfield:{line}\n")) {
                let field = &format.fields[0];
                prop_assert!(!field.name.is_empty());
                prop_assert!(field.offset.checked_add(field.size).is_some());
            }
        }
    }
}
