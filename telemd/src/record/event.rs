//! Records of tracepoints.

use bytes::Bytes;
use probe_user::{Context, Fields, Told, Value};
use proto::v1::record::Payload;
use proto::v1::{EventField, KernelEvent, Record, event_field};

use super::{Boot, hook, wire_context};
use crate::clock::Moment;
use crate::text::cut;

/// `KernelEvent.tracepoint`, bytes.
const TRACEPOINT_BYTES: usize = 128;
/// `KernelEvent.fields`; one is kept for the name of the device.
const FIELDS: usize = 63;
/// `EventField.name`, bytes.
const NAME_BYTES: usize = 64;
/// `EventField.text` and `EventField.bytes`.
const VALUE_BYTES: usize = 1024;
/// What the name of the block device is called among the fields.
const DEVICE: &str = "device";

/// A record of a tracepoint and what it means.
#[derive(Debug, Clone, Copy)]
pub struct Tracepoint<'a> {
    /// `category:name`
    pub name: &'a str,
    /// Its fields.
    pub fields: &'a Fields,
    /// What they mean.
    pub told: &'a Told,
    /// The name of the block device that it happened on, if there is one.
    pub device: Option<&'a str>,
}

impl Boot {
    /// What a tracepoint told: an error of the hardware where it is one, otherwise its fields.
    pub fn tracepoint(&self, context: &Context, tracepoint: &Tracepoint<'_>, at: Moment) -> Record {
        let Tracepoint {
            name,
            fields,
            told,
            device,
        } = *tracepoint;
        let mut record = if let Some(error) = &told.hardware {
            let raw = told.raw.and_then(|field| fields.bytes(field));
            let error = wire::hardware_error(error, name, told.count, raw.unwrap_or_default());
            self.stamped(error, at)
        } else {
            let sort = device
                .filter(|_| told.device.is_some_and(|device| device.in_title))
                .map(faults::device_sort);
            let title = sort.map(|sort| format!("{} on {sort}", told.title));
            let title = title.as_deref().unwrap_or(&told.title);
            let mut record = self.record(told.class, told.severity, title, at);
            record.payload = Some(event(tracepoint));
            record
        };
        record.hook = Some(hook(&context.hook, context.attach.as_str()));
        record.context = Some(wire_context(context));
        record
    }
}

fn event(tracepoint: &Tracepoint<'_>) -> Payload {
    let device = tracepoint.device.map(|name| EventField {
        name: DEVICE.to_owned(),
        value: Some(event_field::Value::Text(cut(name, VALUE_BYTES).to_owned())),
    });
    Payload::KernelEvent(KernelEvent {
        tracepoint: cut(tracepoint.name, TRACEPOINT_BYTES).to_owned(),
        fields: tracepoint
            .fields
            .iter()
            .take(FIELDS)
            .map(field)
            .chain(device)
            .collect(),
    })
}

fn field((name, value): (&str, &Value)) -> EventField {
    EventField {
        name: cut(name, NAME_BYTES).to_owned(),
        value: Some(match value {
            Value::Unsigned(number) => event_field::Value::Unsigned(*number),
            Value::Signed(number) => event_field::Value::Signed(*number),
            Value::Text(text) => event_field::Value::Text(cut(text, VALUE_BYTES).to_owned()),
            Value::Bytes(bytes) => {
                event_field::Value::Bytes(Bytes::copy_from_slice(&bytes[..bytes.len().min(VALUE_BYTES)]))
            }
        }),
    }
}
