//! The bytes of a record to its fields.

use std::sync::Arc;

use probe_common::STRING_BYTES;

use super::{Field, Format, Kind, Place};
use crate::fields::{Fields, Value};

/// How the fields start that every record has (`include/linux/trace_events.h`: `struct trace_entry`).
const COMMON: &str = "common_";

impl Format {
    /// The fields of a record, without those that every record has.
    ///
    /// `record` starts where the kernel's record does and may be cut: a field that does not lie in it is left out, and
    /// so is the end of one that reaches beyond. `strings` has a text of [`STRING_BYTES`] for each of the first fields
    /// that are pointers to strings; other addresses of the kernel are left out, they tell nobody anything but where
    /// the kernel is.
    pub fn decode(&self, record: &[u8], strings: &[u8]) -> Fields {
        let mut strings = strings.chunks_exact(STRING_BYTES);
        let values = self.own_fields().filter_map(|field| {
            let value = match field.kind {
                Kind::StringPointer => Value::Text(text(strings.next()?)),
                Kind::Pointer => return None,
                _ => field.value(record)?,
            };
            Some((Arc::clone(&field.name), value))
        });
        values
            .collect::<Fields>()
            .with_meanings(Arc::clone(&self.meanings))
    }

    /// The fields that not every record has.
    pub fn own_fields(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| !field.name.starts_with(COMMON))
    }
}

impl Field {
    fn value(&self, record: &[u8]) -> Option<Value> {
        let (offset, size) = (self.offset as usize, self.size as usize);
        let bytes = match self.place {
            Place::Inline => from(record, offset, size)?,
            Place::DataLoc => located(record, offset, 0)?,
            Place::RelLoc => located(record, offset, offset + 4)?,
        };
        match self.kind {
            Kind::Integer => integer(bytes, size, self.signed),
            Kind::Text => Some(Value::Text(text(bytes))),
            Kind::Bytes | Kind::StringPointer | Kind::Pointer => Some(Value::Bytes(bytes.to_vec())),
        }
    }
}

/// At most `size` bytes from `offset` on; `None` when the record ends before.
fn from(record: &[u8], offset: usize, size: usize) -> Option<&[u8]> {
    let rest = record.get(offset..)?;
    (size == 0 || !rest.is_empty()).then(|| rest.get(..size).unwrap_or(rest))
}

/// What the location at `offset` points to, counted from `base`.
fn located(record: &[u8], offset: usize, base: usize) -> Option<&[u8]> {
    let word = record.get(offset..)?.first_chunk()?;
    let location = u32::from_ne_bytes(*word) as usize;
    from(record, base + (location & 0xffff), location >> 16)
}

/// An integer that is there in full.
fn integer(bytes: &[u8], size: usize, signed: bool) -> Option<Value> {
    if bytes.len() != size {
        return None;
    }
    let mut word = [0; 8];
    let place = if cfg!(target_endian = "little") {
        word.get_mut(..size)?
    } else {
        word.get_mut(8_usize.checked_sub(size)?..)?
    };
    place.copy_from_slice(bytes);
    let unused = 64_u32.checked_sub(u32::try_from(8 * size).ok()?)?;
    let unsigned = u64::from_ne_bytes(word);
    Some(if signed {
        Value::Signed(unsigned.checked_shl(unused)?.cast_signed() >> unused)
    } else {
        Value::Unsigned(unsigned)
    })
}

/// What comes before the first NUL; invalid UTF-8 is replaced.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}
