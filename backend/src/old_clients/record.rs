//! A record as old clients send it: fifteen fields and a payload.

use axum::http::HeaderMap;
use jiff::Timestamp;
use proto::{
    limits,
    v1::{Custom, EventField, Host, Record, Severity, event_field, record::Payload},
};
use ring::digest::{Context, SHA256};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{record::check::is_fingerprint as is_hexadecimal_128, store::Sender};

/// Names agents: the UUID (version 5) of this and the machine id.
const MACHINES: Uuid = Uuid::from_u128(0x8c1f_4a0e_90d3_4c55_a1de_54e3_0c5a_7f21);
/// The one spool that the collector keeps for each of them.
const EPOCH: Uuid = Uuid::from_u128(0x3b7d_02c4_11aa_4f6e_8d0f_9a4c_6e21_b5d3);
/// What the record is said to have come by.
pub(crate) const HOOK: &str = "old client";

/// The fields in the order of the client, with the format version from which on each is required and how many bytes it may
/// have: those of the client's own buffers, and of the old collector where it asked for less.
const FIELDS: [(&str, u32, usize); 15] = [
    ("record_format_version", 1, 10),
    ("classification", 1, limits::CLASSIFICATION_BYTES),
    ("severity", 1, 1),
    ("machine_id", 1, 32),
    ("creation_timestamp", 1, 20),
    ("arch", 1, 64),
    ("host_type", 1, 250),
    ("build", 1, 256),
    ("kernel_version", 1, 128),
    ("payload_format_version", 2, 10),
    ("system_name", 2, 256),
    ("board_name", 3, 200),
    ("cpu_model", 3, 200),
    ("bios_version", 3, 200),
    ("event_id", 4, 32),
];
/// The latest format.
const VERSION: u32 = 4;

/// Why a record is refused, for its client.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong(pub(super) String);

/// A record whose fields were checked.
#[derive(Debug)]
pub struct OldRecord {
    /// In the order of [`FIELDS`]; empty: not sent.
    fields: [String; FIELDS.len()],
    payload: String,
    version: u32,
    severity: i32,
    created_unix_s: u32,
    payload_version: u32,
}

impl OldRecord {
    /// Fields from headers of their names, with underscores or hyphens; the body is the payload, in UTF-8 or else Latin-1.
    pub fn of_headers(headers: &HeaderMap, body: &[u8]) -> Result<Self, Wrong> {
        let fields = FIELDS.map(|(name, ..)| {
            let value = headers.get(name).or_else(|| headers.get(name.replace('_', "-")));
            value.map_or_else(String::new, |value| decoded(value.as_bytes()))
        });
        Self::checked(fields, decoded(body))
    }

    /// A flat object of strings.
    pub fn of_json(body: &[u8]) -> Result<Self, Wrong> {
        let object: serde_json::Map<String, Value> = serde_json::from_str(&decoded(body))
            .map_err(|error| Wrong(format!("the body is no JSON object: {error}")))?;
        let text = |name: &str| match object.get(name) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(_) => Err(Wrong(format!("{name} is no text"))),
        };
        let mut fields = [const { String::new() }; FIELDS.len()];
        for (field, (name, ..)) in fields.iter_mut().zip(FIELDS) {
            *field = text(name)?;
        }
        Self::checked(fields, text("payload")?)
    }

    fn checked(mut fields: [String; FIELDS.len()], payload: String) -> Result<Self, Wrong> {
        for field in &mut fields {
            *field = field.trim().trim_matches('"').to_owned();
        }
        let version = number(&fields[0])
            .filter(|version| (1..=VERSION).contains(version))
            .ok_or_else(|| Wrong(format!("record_format_version is not 1 to {VERSION}")))?;
        for (field, (name, since, bytes)) in fields.iter().zip(FIELDS) {
            if field.is_empty() && since <= version {
                return Err(Wrong(format!("{name} is missing")));
            }
            if field.len() > bytes {
                return Err(Wrong(format!("{name} has more than {bytes} bytes")));
            }
            if field.chars().any(char::is_control) {
                return Err(Wrong(format!("{name} is not printable")));
            }
        }
        let wrong = |what: &str| Wrong(what.to_owned());
        if fields[1].split('/').count() != 3 {
            return Err(wrong("classification is not DOMAIN/PROBE/REST"));
        }
        if !fields[3].bytes().all(is_of_a_machine_id) {
            return Err(wrong("machine_id is not letters, digits and . _ -"));
        }
        let severity = number(&fields[2]).filter(|severity| (1..=4).contains(severity));
        if !fields[14].is_empty() && !is_hexadecimal_128(&fields[14]) {
            return Err(wrong("event_id is not 32 lower-case hexadecimal digits"));
        }
        if payload.len() > limits::CUSTOM_PAYLOAD_BYTES {
            let limit = limits::CUSTOM_PAYLOAD_BYTES;
            return Err(Wrong(format!("the payload has more than {limit} bytes")));
        }
        let payload_version = match fields[9].as_str() {
            "" => Some(0),
            version => number(version),
        };
        Ok(Self {
            version,
            severity: severity
                .and_then(|severity| i32::try_from(severity).ok())
                .ok_or_else(|| wrong("severity is not 1 to 4"))?,
            created_unix_s: number(&fields[4])
                .ok_or_else(|| wrong("creation_timestamp is no number of seconds since 1970"))?,
            payload_version: payload_version.ok_or_else(|| wrong("payload_format_version is no number"))?,
            fields,
            payload,
        })
    }

    fn field(&self, name: &str) -> &str {
        // Invariant: called with names of the table.
        let at = FIELDS.iter().position(|(known, ..)| *known == name);
        at.map_or("", |at| &self.fields[at])
    }

    /// The agent that stands for the machine.
    pub(super) fn sender(&self) -> Sender {
        let agent_id = Uuid::new_v5(&MACHINES, self.field("machine_id").as_bytes());
        Sender::new(agent_id, EPOCH, self.field("kernel_version"))
    }

    /// What the record says about its host, which is called by its machine id.
    pub fn host(&self) -> Host {
        let field = |name| self.field(name).to_owned();
        let dmi = |name| {
            let parts: Vec<&str> = self.field(name).split('|').take(2).map(str::trim).collect();
            parts.join(" ").trim().to_owned()
        };
        Host {
            hostname: field("machine_id"),
            os_id: field("system_name"),
            os_build: field("build"),
            kernel_release: field("kernel_version"),
            arch: field("arch"),
            cpu_model: field("cpu_model"),
            product: dmi("host_type"),
            board: dmi("board_name"),
            bios: field("bios_version"),
            ..Host::default()
        }
    }

    /// As it is stored.
    pub fn record(&self, is_external: bool) -> Record {
        let external = is_external.then(|| EventField {
            name: "external".to_owned(),
            value: Some(event_field::Value::Text("true".to_owned())),
        });
        Record {
            occurred_at_unix_ns: u64::from(self.created_unix_s) * 1_000_000_000,
            class: "custom".to_owned(),
            severity: Severity::try_from(self.severity).unwrap_or_default().into(),
            title: self.field("classification").to_owned(),
            kernel_release: self.field("kernel_version").to_owned(),
            hook: Some(proto::v1::Hook {
                name: HOOK.to_owned(),
                attach: String::new(),
            }),
            payload: Some(Payload::Custom(Custom {
                classification: self.field("classification").to_owned(),
                payload_version: self.payload_version,
                payload: self.payload.clone(),
                event_id: self.field("event_id").to_owned(),
                fields: external.into_iter().collect(),
                ..Custom::default()
            })),
            ..Record::default()
        }
    }

    /// What tells it from every other record: SHA-256 of all that was sent, each with its length before it.
    pub(super) fn digest(&self) -> Vec<u8> {
        let mut digest = Context::new(&SHA256);
        for part in self.fields.iter().chain([&self.payload]) {
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        digest.finish().as_ref().to_vec()
    }

    /// The old collector's answer: the row of its table.
    pub(super) fn answer(&self, is_external: bool, now: Timestamp) -> Value {
        json!({
            "architecture": self.field("arch"),
            "bios_version": self.field("bios_version"),
            "board_name": self.field("board_name"),
            "build": self.field("build"),
            "classification": self.field("classification"),
            "cpu_model": self.field("cpu_model"),
            "event_id": self.field("event_id"),
            "external": is_external,
            "host_type": self.field("host_type"),
            "kernel_version": self.field("kernel_version"),
            "machine_id": self.field("machine_id"),
            "payload": self.payload,
            "payload_version": self.payload_version,
            "record_version": self.version,
            "severity": self.severity,
            "system_name": self.field("system_name"),
            "timestamp_client": self.created_unix_s,
            "timestamp_server": now.as_second(),
        })
    }
}

/// An id is 32 hexadecimal digits, or what somebody chose who gave their machine one.
fn is_of_a_machine_id(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
}

/// UTF-8, or else Latin-1, in which every byte is a character.
fn decoded(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(
        |_latin_1| bytes.iter().copied().map(char::from).collect(),
        str::to_owned,
    )
}

/// Digits, and nothing else.
fn number(text: &str) -> Option<u32> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests;
