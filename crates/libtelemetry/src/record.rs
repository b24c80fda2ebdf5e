//! A record that a program makes.

use local::Submission;
use proto::v1::EventField;
/// A value of a field: an unsigned or signed number, text, or bytes.
pub use proto::v1::event_field::Value as FieldValue;
use uuid::Uuid;

use crate::Severity;

/// What is to be sent. Values are checked when it is sent; [`local::rules`] has the limits.
#[derive(Debug, Clone, PartialEq)]
pub struct Record(pub(crate) Submission);

impl Record {
    /// A record of `classification`, DOMAIN/PROBE/REST such as `org.example/maintenance/disk`, with a random event id and
    /// payload version 1.
    pub fn new(classification: &str, severity: Severity) -> Self {
        Self(Submission {
            classification: classification.to_owned(),
            severity: severity.into(),
            payload_version: 1,
            event_id: Uuid::new_v4().simple().to_string(),
            ..Submission::default()
        })
    }

    /// Sets the text for people, at most 65536 bytes.
    #[must_use]
    pub fn payload(mut self, text: impl Into<String>) -> Self {
        self.0.payload = text.into();
        self
    }

    /// Adds a value that programs can compute with. At most 64, each name once; a text or bytes at most 1024 bytes long.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl IntoField) -> Self {
        self.0.fields.push(EventField {
            name: name.to_owned(),
            value: Some(value.into_field()),
        });
        self
    }

    /// Sets the version of the payload's format, which is the sender's own matter.
    #[must_use]
    pub fn payload_version(mut self, version: u32) -> Self {
        self.0.payload_version = version;
        self
    }

    /// Sets what ties the records of one event together: 32 lower-case hexadecimal digits.
    #[must_use]
    pub fn event_id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.0.event_id);
        self
    }

    /// The record as the agent gets it.
    pub fn submission(&self) -> &Submission {
        &self.0
    }
}

/// What can be the value of a field.
pub trait IntoField {
    /// The value.
    fn into_field(self) -> FieldValue;
}

impl IntoField for FieldValue {
    fn into_field(self) -> FieldValue {
        self
    }
}

impl IntoField for u64 {
    fn into_field(self) -> FieldValue {
        FieldValue::Unsigned(self)
    }
}

impl IntoField for i64 {
    fn into_field(self) -> FieldValue {
        FieldValue::Signed(self)
    }
}

impl IntoField for &str {
    fn into_field(self) -> FieldValue {
        FieldValue::Text(self.to_owned())
    }
}

impl IntoField for String {
    fn into_field(self) -> FieldValue {
        FieldValue::Text(self)
    }
}

impl IntoField for &[u8] {
    fn into_field(self) -> FieldValue {
        FieldValue::Bytes(self.to_vec().into())
    }
}
