//! What a record must look like to be stored as what it says it is.

use bytes::Bytes;
use prost::Message as _;
use proto::{
    limits,
    v1::{FingerprintLevel, Record, Severity, Undecodable, record::Payload},
};
use uuid::Uuid;

pub(crate) mod check;
pub mod part;
pub(crate) mod registers;
pub mod rules;
pub(crate) mod update;

/// Class of records that could not be understood.
const UNDECODABLE_CLASS: &str = "telemetry.undecodable";

/// Decodes a record of an agent and checks every limit of `record.proto`. The error says what is wrong with it.
pub fn decode(bytes: &[u8]) -> Result<Record, String> {
    if bytes.len() > limits::RECORD_BYTES {
        return Err(format!(
            "{} bytes, more than {}",
            bytes.len(),
            limits::RECORD_BYTES
        ));
    }
    let record = Record::decode(bytes).map_err(|error| error.to_string())?;
    check::record(&record)?;
    Ok(record)
}

/// The record that takes the place of bytes that could not be understood: nothing that was sent is thrown away.
pub fn undecodable(bytes: &Bytes, reason: &str) -> Record {
    let kept = bytes.slice(..bytes.len().min(limits::UNDECODABLE_BYTES));
    Record {
        class: UNDECODABLE_CLASS.to_owned(),
        severity: Severity::Medium.into(),
        title: "Undecodable record from the agent".to_owned(),
        payload: Some(Payload::Undecodable(Undecodable {
            source: "record".to_owned(),
            reason: truncated(reason, 256).to_owned(),
            bytes: kept,
        })),
        ..Record::default()
    }
}

/// Whether a record tells about the agent rather than about a fault: a heartbeat or a loss.
pub fn is_housekeeping(record: &Record) -> bool {
    matches!(record.payload, Some(Payload::Heartbeat(_) | Payload::Loss(_)))
}

/// The fingerprint that a record is grouped by: the one of the title, or else the least specific. Housekeeping is no issue.
pub fn issue(record: &Record) -> Option<&proto::v1::Fingerprint> {
    if is_housekeeping(record) {
        return None;
    }
    let title = |level: &&proto::v1::Fingerprint| level.level() == FingerprintLevel::Title;
    record
        .fingerprints
        .iter()
        .find(title)
        .or_else(|| record.fingerprints.first())
}

/// The event that the program which made a record says it is of: 32 hexadecimal digits, by which records of one event are found.
pub fn event(record: &Record) -> Option<Uuid> {
    match &record.payload {
        Some(Payload::Custom(custom)) if custom.event_id.len() == 32 => {
            Uuid::try_parse(&custom.event_id).ok()
        }
        _ => None,
    }
}

/// The longest start of `text` that has at most `bytes` bytes.
fn truncated(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests;
