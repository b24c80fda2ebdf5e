//! The language with an answer: messages of `telemetry/v1/local.proto`.
//!
//! ```text
//! program to agent:  "TLM1"  u32 length, little-endian  Submission
//! agent to program:          u32 length, little-endian  Receipt
//! ```
//!
//! The agent closes after its answer. Fields that it does not know are passed over, so that a newer library works with an
//! older agent.

use prost::Message as _;
use proto::limits::{CUSTOM_PAYLOAD_BYTES, FIELD_NAME_BYTES, FIELD_VALUE_BYTES, FIELDS};
use proto::v1::{Receipt, Submission};

use crate::rules::{self, ValueError};

#[cfg(test)]
mod tests;

/// Opens a message. As a size in either byte order it is far beyond [`crate::legacy::FRAME_BYTES`].
pub const MAGIC: [u8; 4] = *b"TLM1";
/// Bytes before a submission: the magic and the length.
pub const HEAD_BYTES: usize = MAGIC.len() + LENGTH_BYTES;
/// Bytes before a receipt: the length.
pub const LENGTH_BYTES: usize = 4;
/// Longest submission, bytes. What surrounds a field and the values of the head is far below the kibibyte allowed for it.
pub const SUBMISSION_BYTES: usize =
    CUSTOM_PAYLOAD_BYTES + FIELDS * (FIELD_NAME_BYTES + FIELD_VALUE_BYTES + 16) + 1024;
/// Longest receipt, bytes.
pub const RECEIPT_BYTES: usize = 2048;
/// Longest message of a refusal, bytes.
pub const REFUSAL_BYTES: usize = 1024;

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FramedError {
    /// The length is out of range.
    #[error("a submission of {0} bytes is announced; at most {SUBMISSION_BYTES} are taken")]
    SubmissionBytes(u32),
    /// The length is out of range.
    #[error("an answer of {0} bytes is announced; at most {RECEIPT_BYTES} are possible")]
    ReceiptBytes(u32),
    /// The bytes are no message of the protocol.
    #[error("not a message of telemetry.v1: {0}")]
    Decode(#[from] prost::DecodeError),
    /// A value is out of its range.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// The answer says nothing that this version knows.
    #[error("the answer has no outcome that this version knows")]
    NoOutcome,
}

/// The bytes that a program sends.
pub fn write_submission(submission: &Submission) -> Result<Vec<u8>, ValueError> {
    rules::check(submission)?;
    let mut bytes = MAGIC.to_vec();
    append(submission, &mut bytes);
    Ok(bytes)
}

/// The length of the submission, from the bytes behind the magic.
pub fn submission_bytes(length: [u8; LENGTH_BYTES]) -> Result<usize, FramedError> {
    within(length, SUBMISSION_BYTES).map_err(FramedError::SubmissionBytes)
}

/// Understands a submission, and checks it.
pub fn read_submission(body: &[u8]) -> Result<Submission, FramedError> {
    let submission = Submission::decode(body)?;
    rules::check(&submission)?;
    Ok(submission)
}

/// The bytes that the agent answers.
pub fn write_receipt(receipt: &Receipt) -> Vec<u8> {
    let mut bytes = Vec::new();
    append(receipt, &mut bytes);
    bytes
}

/// The length of the receipt, from its first bytes.
pub fn receipt_bytes(length: [u8; LENGTH_BYTES]) -> Result<usize, FramedError> {
    within(length, RECEIPT_BYTES).map_err(FramedError::ReceiptBytes)
}

/// Understands a receipt; its outcome is set.
pub fn read_receipt(body: &[u8]) -> Result<Receipt, FramedError> {
    let receipt = Receipt::decode(body)?;
    if receipt.outcome.is_none() {
        return Err(FramedError::NoOutcome);
    }
    Ok(receipt)
}

fn within(length: [u8; LENGTH_BYTES], limit: usize) -> Result<usize, u32> {
    let length = u32::from_le_bytes(length);
    usize::try_from(length)
        .ok()
        .filter(|bytes| *bytes <= limit)
        .ok_or(length)
}

fn append(message: &impl prost::Message, bytes: &mut Vec<u8>) {
    // Every message here is checked against a limit far below 4 GiB.
    let length = u32::try_from(message.encoded_len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&message.encode_to_vec());
}
