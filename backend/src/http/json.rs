//! The JSON form of `telemetry.v1` messages.
//!
//! One rule for each kind of field; names are those of the `.proto` files, and every field is there:
//!
//! | in the message | in JSON |
//! | --- | --- |
//! | absent message or `optional` field | left out |
//! | the payload of a record (a `oneof`) | the one that is set, by its name |
//! | enumeration `SEVERITY_HIGH` | `"high"` |
//! | `fixed64 …_unix_ns` | `…_at`: RFC 3339 in UTC with nanoseconds; `null` when not known |
//! | other `fixed64` (registers of a machine check) | `"0x00000000deadbeef"` |
//! | other integers | number |
//! | 16 bytes (agent id, epoch) | UUID |
//! | other bytes | hexadecimal digits |
//!
//! `since_boot_ns` is a duration and stays a number.

use jiff::Timestamp;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value};
use proto::v1::Part;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::descriptors::Described;
use crate::text::hex_digits;

/// The suffix of fields that are moments.
const MOMENT: &str = "_unix_ns";
/// The one `fixed64` that is a duration.
const DURATION: &str = "since_boot_ns";

/// A message that has a JSON form.
pub(crate) trait ToJson {
    /// Its JSON form.
    fn to_json(&self) -> Json;
}

impl<M: Described> ToJson for M {
    fn to_json(&self) -> Json {
        object(&self.dynamic())
    }
}

/// A part of a machine as `/api/v1/hardware` shows it.
pub fn part_json(part: &Part) -> Json {
    part.to_json()
}

fn object(message: &DynamicMessage) -> Json {
    let mut object = Map::new();
    for field in message.descriptor().fields() {
        if field.supports_presence() && !message.has_field(&field) {
            continue;
        }
        let value = message.get_field(&field);
        let json = if is_moment(&field) {
            moment(&value)
        } else {
            json_of(&field, &value)
        };
        object.insert(name(&field), json);
    }
    Json::Object(object)
}

/// The name of a field in JSON.
pub(super) fn name(field: &FieldDescriptor) -> String {
    let name = field.name();
    name.strip_suffix(MOMENT).unwrap_or(name).to_owned()
}

pub(super) fn is_moment(field: &FieldDescriptor) -> bool {
    field.name().ends_with(MOMENT)
}

pub(super) fn is_duration(field: &FieldDescriptor) -> bool {
    field.name() == DURATION
}

fn moment(value: &Value) -> Json {
    let known = value.as_u64().filter(|nanoseconds| *nanoseconds != 0);
    known.and_then(rfc3339).map_or(Json::Null, Json::String)
}

/// `2026-11-24T21:53:30.123456789Z`.
pub(crate) fn rfc3339(unix_ns: u64) -> Option<String> {
    let moment = Timestamp::from_nanosecond(unix_ns.into()).ok()?;
    Some(format!("{moment:.9}"))
}

fn json_of(field: &FieldDescriptor, value: &Value) -> Json {
    match value {
        Value::Bool(flag) => json!(flag),
        Value::I32(number) => json!(number),
        Value::I64(number) => json!(number),
        Value::U32(number) => json!(number),
        Value::U64(bits) if field.kind() == Kind::Fixed64 && !is_duration(field) => {
            json!(format!("{bits:#018x}"))
        }
        Value::U64(number) => json!(number),
        Value::F32(number) => json!(number),
        Value::F64(number) => json!(number),
        Value::String(text) => json!(text),
        Value::Bytes(bytes) => json!(bytes_text(bytes)),
        Value::EnumNumber(number) => enumeration(field, *number),
        Value::Message(message) => object(message),
        Value::List(values) => values.iter().map(|value| json_of(field, value)).collect(),
        // `telemetry.v1` has no maps.
        Value::Map(_) => Json::Null,
    }
}

/// A UUID for 16 bytes, hexadecimal digits for others.
pub(crate) fn bytes_text(bytes: &[u8]) -> String {
    Uuid::from_slice(bytes).map_or_else(|_other_length| hex_digits(bytes), |uuid| uuid.to_string())
}

/// The value's name without the enumeration's own, in lower case; its number when it has no name.
pub(super) fn enumeration(field: &FieldDescriptor, number: i32) -> Json {
    let Kind::Enum(descriptor) = field.kind() else {
        return json!(number);
    };
    let Some(value) = descriptor.get_value(number) else {
        return json!(number);
    };
    let name = value.name().to_ascii_lowercase();
    let prefix = snake_case(descriptor.name());
    json!(
        name.strip_prefix(&prefix)
            .and_then(|rest| rest.strip_prefix('_'))
            .unwrap_or(&name)
    )
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::samples;
    use proto::v1::{Fault, LossReason, Record, record::Payload};

    #[test]
    fn an_oops_in_json() {
        insta::assert_snapshot!(format!("{:#}", samples::oops().to_json()));
    }

    #[test]
    fn a_machine_check_in_json() {
        insta::assert_snapshot!(format!("{:#}", samples::machine_check().to_json()));
    }

    #[test]
    fn zeros_are_shown_and_what_is_absent_is_not() {
        let json = Fault {
            record: Some(Record::default()),
            ..Fault::default()
        }
        .to_json();
        assert_eq!(json["seq"], 0);
        assert_eq!(json["received_at"], Json::Null);
        assert_eq!(json["record"]["severity"], "unspecified");
        assert_eq!(json["record"]["fingerprints"], json!([]));
        assert!(json.get("host").is_none());
        assert!(json["record"].get("kernel_report").is_none());
    }

    #[test]
    fn enumerations_from_the_future_are_numbers() {
        let mut fault = samples::loss();
        let Some(Payload::Loss(loss)) = fault.record.as_mut().and_then(|record| record.payload.as_mut())
        else {
            panic!("a loss was expected");
        };
        loss.reason = 77;
        assert_eq!(fault.to_json()["record"]["loss"]["reason"], 77);
        assert_eq!(samples::loss().to_json()["record"]["loss"]["reason"], "storm");
        assert_eq!(LossReason::Storm.as_str_name(), "LOSS_REASON_STORM");
    }

    #[test]
    fn large_numbers_stay_exact() {
        let fault = Fault {
            seq: u64::MAX,
            ..Fault::default()
        };
        assert!(
            fault
                .to_json()
                .to_string()
                .contains(r#""seq":18446744073709551615"#)
        );
    }
}
