//! The frame that Clear Linux's libtelemetry writes (record format versions 1 to 4).
//!
//! ```text
//! u32 record_size         bytes in all, this field included; host byte order, as the next one
//! "CFG:" path NUL         optional: the configuration file the sender was started with
//! u32 header_size         bytes of the header text
//! header text             "name: value\n" lines in a fixed order
//! payload                 up to 8192 bytes
//! NUL
//! ```
//!
//! Whether a configuration path is there is told, the path itself is not: what a sender names must not decide what the
//! agent opens.

use std::fmt::Write as _;

use proto::v1::{Severity, Submission};

use crate::rules::{self, ValueError};

#[cfg(test)]
mod tests;

/// Longest payload, bytes: libtelemetry's `MAX_PAYLOAD_LENGTH`.
pub const PAYLOAD_BYTES: usize = 8192;
/// Longest header text, bytes. libtelemetry counts on 15 lines of 80; the host facts may be longer.
pub const HEADER_BYTES: usize = 4096;
/// Longest configuration path with its NUL, bytes: `PATH_MAX`.
const CONFIG_PATH_BYTES: usize = 4096;
/// Longest frame, bytes.
pub const FRAME_BYTES: usize = 4 + 4 + CONFIG_PATH_BYTES + 4 + HEADER_BYTES + PAYLOAD_BYTES + 1;

/// The headers of version 4, in their order. Version 1 had the first nine, 2 two more, 3 three more.
const HEADERS: [&str; 15] = [
    "record_format_version",
    "classification",
    "severity",
    "machine_id",
    "creation_timestamp",
    "arch",
    "host_type",
    "build",
    "kernel_version",
    "payload_format_version",
    "system_name",
    "board_name",
    "cpu_model",
    "bios_version",
    "event_id",
];
/// Headers of the shortest version.
const HEADERS_MIN: usize = 9;

/// What a sender says. Host facts in the headers are the agent's to know and are read over.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The record; a payload that is not UTF-8 has replacement characters.
    pub submission: Submission,
    /// Whether it names a configuration file (`CFG:`).
    pub names_config: bool,
}

/// Why a frame is refused. The text goes back to the sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The size field is out of range.
    #[error("record size {0} is not in 13..={FRAME_BYTES}")]
    Size(u32),
    /// The frame ends early.
    #[error("the frame ends inside its {0}")]
    Short(&'static str),
    /// The header size does not fit the frame.
    #[error("header size {0} does not fit the frame")]
    HeaderSize(u32),
    /// The header text is not UTF-8.
    #[error("the headers are not text")]
    HeaderText,
    /// A header is missing or out of order.
    #[error("header {0} is missing or out of order")]
    Header(&'static str),
    /// A header's value is out of its range.
    #[error("{0}")]
    Value(#[from] ValueError),
    /// The payload is longer than allowed.
    #[error("the payload has {0} bytes; at most {PAYLOAD_BYTES} are taken")]
    Payload(usize),
    /// The last byte is not NUL, or one is inside the payload.
    #[error("the payload does not end with the frame's only NUL")]
    Nul,
}

/// The size of the whole frame, from its first four bytes.
pub fn size(first: [u8; 4]) -> Result<usize, FrameError> {
    let size = u32::from_ne_bytes(first);
    match usize::try_from(size) {
        Ok(bytes) if (13..=FRAME_BYTES).contains(&bytes) => Ok(bytes),
        _ => Err(FrameError::Size(size)),
    }
}

/// Understands what follows the size field.
pub fn parse(body: &[u8]) -> Result<Frame, FrameError> {
    let (names_config, body) = match body.strip_prefix(b"CFG:") {
        Some(rest) => {
            let end = rest.iter().take(CONFIG_PATH_BYTES).position(|byte| *byte == 0);
            (
                true,
                &rest[end.ok_or(FrameError::Short("configuration path"))? + 1..],
            )
        }
        None => (false, body),
    };
    let (size, rest) = body
        .split_first_chunk::<4>()
        .ok_or(FrameError::Short("header size"))?;
    let size = u32::from_ne_bytes(*size);
    let header_bytes = usize::try_from(size).ok().filter(|bytes| *bytes <= HEADER_BYTES);
    let split = header_bytes.and_then(|bytes| rest.split_at_checked(bytes));
    let (header, rest) = split.ok_or(FrameError::HeaderSize(size))?;
    let (last, payload) = rest.split_last().ok_or(FrameError::Short("payload"))?;
    if *last != 0 || payload.contains(&0) {
        return Err(FrameError::Nul);
    }
    if payload.len() > PAYLOAD_BYTES {
        return Err(FrameError::Payload(payload.len()));
    }
    let values = headers(std::str::from_utf8(header).map_err(|_error| FrameError::HeaderText)?)?;
    let value = |name: &str| {
        HEADERS
            .iter()
            .position(|h| *h == name)
            .and_then(|at| values.get(at).copied())
    };
    let severity: u32 = value("severity")
        .and_then(|text| text.parse().ok())
        .ok_or(ValueError::Severity)?;
    let submission = Submission {
        classification: value("classification").unwrap_or("").to_owned(),
        severity: i32::try_from(severity).map_err(|_error| ValueError::Severity)?,
        payload_version: match value("payload_format_version") {
            Some(text) => text.parse().map_err(|_error| ValueError::PayloadVersion)?,
            None => 1,
        },
        event_id: value("event_id")
            .filter(|id| *id != BLANK)
            .unwrap_or("")
            .to_owned(),
        payload: String::from_utf8_lossy(payload).into_owned(),
        ..Submission::default()
    };
    rules::check(&submission)?;
    Ok(Frame {
        submission,
        names_config,
    })
}

/// Writes the frame that [`parse`] reads, its size field first. Fields have no place in it and are left out.
pub fn write(submission: &Submission, facts: &Facts) -> Result<Vec<u8>, FrameError> {
    rules::check(submission)?;
    if submission.payload.len() > PAYLOAD_BYTES {
        return Err(FrameError::Payload(submission.payload.len()));
    }
    let header = header_text(submission, facts);
    let header_size = u32::try_from(header.len())
        .ok()
        .filter(|_| header.len() <= HEADER_BYTES);
    let header_size = header_size.ok_or(FrameError::HeaderSize(u32::MAX))?;
    let size = 4 + 4 + header.len() + submission.payload.len() + 1;
    let size = u32::try_from(size).map_err(|_error| FrameError::Size(u32::MAX))?;
    let mut bytes = Vec::with_capacity(FRAME_BYTES);
    bytes.extend_from_slice(&size.to_ne_bytes());
    bytes.extend_from_slice(&header_size.to_ne_bytes());
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(submission.payload.as_bytes());
    bytes.push(0);
    Ok(bytes)
}

/// The host's part of the headers, for [`write()`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Seconds since the Unix epoch.
    pub created_s: u64,
    /// `uname -m`.
    pub arch: String,
    /// System vendor and product.
    pub host_type: String,
    /// os-release `VERSION_ID`.
    pub build: String,
    /// `uname -r`.
    pub kernel_version: String,
    /// os-release ID.
    pub system_name: String,
    /// Board vendor and name.
    pub board_name: String,
    /// First "model name" of /proc/cpuinfo.
    pub cpu_model: String,
    /// BIOS version.
    pub bios_version: String,
}

/// The header lines of a frame, each ended by a newline.
pub fn header_text(submission: &Submission, facts: &Facts) -> String {
    let severity = Severity::try_from(submission.severity).unwrap_or(Severity::Low) as i32;
    // The machine id is the agent's to fill in; libtelemetry writes the same dummy.
    let values: [&dyn std::fmt::Display; 15] = [
        &"4",
        &submission.classification,
        &severity,
        &"FFFFFFFF",
        &facts.created_s,
        &facts.arch,
        &facts.host_type,
        &facts.build,
        &facts.kernel_version,
        &submission.payload_version,
        &facts.system_name,
        &facts.board_name,
        &facts.cpu_model,
        &facts.bios_version,
        &submission.event_id,
    ];
    let mut text = String::new();
    for (name, value) in HEADERS.iter().zip(values) {
        let value = value.to_string();
        let value = if value.is_empty() { BLANK } else { value.as_str() };
        // Writing to a String cannot fail.
        let _infallible = writeln!(text, "{name}: {}", value.replace('\n', " "));
    }
    text
}

/// What stands in a frame for a header's empty value.
const BLANK: &str = "blank";

fn headers(text: &str) -> Result<Vec<&str>, FrameError> {
    let mut values = Vec::with_capacity(HEADERS.len());
    for line in text.split_terminator('\n') {
        // Invariant of the slice: `values` grows by one a line and stops at the last name.
        let Some(name) = HEADERS.get(values.len()) else {
            return Err(FrameError::Header("event_id"));
        };
        let value = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(':'));
        values.push(value.ok_or(FrameError::Header(name))?.trim());
    }
    match HEADERS.get(values.len()) {
        Some(missing) if values.len() < HEADERS_MIN => Err(FrameError::Header(missing)),
        _ => Ok(values),
    }
}
