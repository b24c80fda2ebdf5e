//! What a record of a program may say, in whatever language it comes.

use std::collections::HashSet;

use proto::limits::{
    CLASSIFICATION_BYTES, CUSTOM_PAYLOAD_BYTES, FIELD_NAME_BYTES, FIELD_VALUE_BYTES, FIELDS,
};
use proto::v1::{EventField, Severity, Submission, event_field::Value};

mod core_dump;
#[cfg(test)]
mod tests;

pub use core_dump::{COMM_BYTES, CORE_DUMP_BYTES, FRAMES, PATH_BYTES, THREAD_FRAMES, THREADS};

/// Longest PROBE and REST of a classification, bytes: what Clear Linux's libtelemetry takes.
const PART_BYTES: usize = 40;
/// Longest DOMAIN, bytes: there, one more.
const DOMAIN_BYTES: usize = 41;
/// Characters of an event id.
pub const EVENT_ID_CHARS: usize = 32;

/// A value that is out of its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The classification breaks its grammar.
    #[error(
        "classification must be DOMAIN/PROBE/REST, such as org.example/maintenance/disk: printable ASCII without spaces, \
         at most {CLASSIFICATION_BYTES} bytes, PROBE and REST at most {PART_BYTES} each"
    )]
    Classification,
    /// The severity is not 1 to 4.
    #[error("severity must be 1 (low) to 4 (critical)")]
    Severity,
    /// The payload version is no number.
    #[error("payload_format_version must be a number from 0 to 4294967295")]
    PayloadVersion,
    /// The event id is not 32 lower-case hexadecimal digits.
    #[error("event_id must be {EVENT_ID_CHARS} lower-case hexadecimal digits")]
    EventId,
    /// The payload is too long.
    #[error("the payload has {0} bytes; at most {CUSTOM_PAYLOAD_BYTES} are taken")]
    PayloadBytes(usize),
    /// The payload has a NUL.
    #[error("the payload has a NUL byte: send text, binary data as base64")]
    PayloadNul,
    /// There are too many fields.
    #[error("there are {0} fields; at most {FIELDS} are taken")]
    Fields(usize),
    /// A field has no name, a name that is too long or one with other characters.
    #[error("a field's name must have 1 to {FIELD_NAME_BYTES} bytes of letters, digits, '.', '-' and '_'")]
    FieldName,
    /// Two fields have one name.
    #[error("there are two fields {0}")]
    FieldTwice(String),
    /// A field has no value.
    #[error("field {0} has no value")]
    FieldEmpty(String),
    /// A field's value is too long.
    #[error("field {0} has a value of more than {FIELD_VALUE_BYTES} bytes")]
    FieldBytes(String),
    /// A core dump breaks a limit of the wire format, or has something beside it.
    #[error("the core dump's {0} is not within the limits of telemetry.v1")]
    CoreDump(&'static str),
}

/// Checks a whole submission.
pub fn check(submission: &Submission) -> Result<(), ValueError> {
    if let Some(dump) = &submission.core_dump {
        return core_dump::check(dump, submission);
    }
    check_classification(&submission.classification)?;
    if !Severity::try_from(submission.severity).is_ok_and(|severity| severity != Severity::Unspecified) {
        return Err(ValueError::Severity);
    }
    check_event_id(&submission.event_id)?;
    check_payload(&submission.payload)?;
    check_fields(&submission.fields)
}

/// Checks the grammar of a classification: exactly two slashes, no part empty.
pub fn check_classification(text: &str) -> Result<(), ValueError> {
    let parts: Vec<_> = text.split('/').collect();
    let fits = text.len() <= CLASSIFICATION_BYTES
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && parts.len() == 3
        && parts.iter().all(|part| !part.is_empty())
        && parts[0].len() <= DOMAIN_BYTES
        && parts[1..].iter().all(|part| part.len() <= PART_BYTES);
    if fits {
        Ok(())
    } else {
        Err(ValueError::Classification)
    }
}

/// Checks an event id; empty is none.
pub fn check_event_id(text: &str) -> Result<(), ValueError> {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.is_empty() || (text.len() == EVENT_ID_CHARS && text.bytes().all(hex)) {
        Ok(())
    } else {
        Err(ValueError::EventId)
    }
}

/// Checks a payload's length, and that it is text.
pub fn check_payload(text: &str) -> Result<(), ValueError> {
    if text.len() > CUSTOM_PAYLOAD_BYTES {
        return Err(ValueError::PayloadBytes(text.len()));
    }
    if text.contains('\0') {
        return Err(ValueError::PayloadNul);
    }
    Ok(())
}

fn check_fields(fields: &[EventField]) -> Result<(), ValueError> {
    if fields.len() > FIELDS {
        return Err(ValueError::Fields(fields.len()));
    }
    let mut names = HashSet::with_capacity(fields.len());
    fields.iter().try_for_each(|field| {
        check_field(field)?;
        if names.insert(&field.name) {
            Ok(())
        } else {
            Err(ValueError::FieldTwice(field.name.clone()))
        }
    })
}

fn check_field(field: &EventField) -> Result<(), ValueError> {
    let name = &field.name;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if name.is_empty() || name.len() > FIELD_NAME_BYTES || !name.bytes().all(plain) {
        return Err(ValueError::FieldName);
    }
    let bytes = match &field.value {
        None => return Err(ValueError::FieldEmpty(name.clone())),
        Some(Value::Unsigned(_) | Value::Signed(_)) => 0,
        Some(Value::Text(text)) => text.len(),
        Some(Value::Bytes(bytes)) => bytes.len(),
    };
    if bytes > FIELD_VALUE_BYTES {
        return Err(ValueError::FieldBytes(name.clone()));
    }
    Ok(())
}
