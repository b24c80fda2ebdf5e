//! Errors of the hardware.

use faults::hardware::{self, HardwareError};
use proto::limits::TITLE_BYTES;
use proto::v1::record::Payload;
use proto::v1::{EventField, HardwareError as WireError, Record, event_field};

use crate::fingerprint;
use crate::text::{cut, title};

/// `HardwareError.fields`.
const FIELDS: usize = 128;
/// `HardwareError.raw`, bytes.
const RAW_BYTES: usize = 8192;
/// `EventField.name`, bytes.
const NAME_BYTES: usize = 64;
/// `EventField.text`, bytes.
const TEXT_BYTES: usize = 1024;
/// `HardwareError.what`, `part` and `position`, bytes.
const WORDS_BYTES: usize = 256;
/// `HardwareError.source` and `processor`, bytes.
const SOURCE_BYTES: usize = 64;
/// `HardwareError.advice`, bytes.
const ADVICE_BYTES: usize = 512;

/// An error of the hardware as a record. `source` is who reported it, such as "BERT"; `count` how many errors it stands
/// for; `raw` the bytes it was decoded from, if any. Which boot it is of, when it happened and how it was caught are the
/// caller's to say.
pub fn hardware_error(error: &HardwareError, source: &str, count: u64, raw: &[u8]) -> Record {
    let title = title(&error.title, TITLE_BYTES);
    let place = &error.place;
    let words = |text: &Option<String>, bytes| cut(text.as_deref().unwrap_or_default(), bytes).to_owned();
    Record {
        class: error.class.as_str().to_owned(),
        severity: i32::from(error.severity as u8),
        fingerprints: fingerprint(&faults::fingerprint::of_title(error.class, &title))
            .into_iter()
            .collect(),
        title,
        payload: Some(Payload::HardwareError(WireError {
            source: cut(source, SOURCE_BYTES).to_owned(),
            what: cut(&error.what, WORDS_BYTES).to_owned(),
            part: words(&place.part, WORDS_BYTES),
            position: words(&place.position, WORDS_BYTES),
            processor: words(&place.processor, SOURCE_BYTES),
            pci: place.pci.map(|pci| pci.to_string()).unwrap_or_default(),
            address: place.address,
            advice: cut(error.advice, ADVICE_BYTES).to_owned(),
            count,
            fields: error.fields.iter().take(FIELDS).map(field).collect(),
            raw: raw.iter().copied().take(RAW_BYTES).collect(),
        })),
        ..Record::default()
    }
}

fn field(field: &hardware::Field) -> EventField {
    let text = match &field.meaning {
        Some(meaning) => format!("{} ({meaning})", field.value),
        None => field.value.clone(),
    };
    EventField {
        name: cut(&field.name, NAME_BYTES).to_owned(),
        value: Some(event_field::Value::Text(cut(&text, TEXT_BYTES).to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use faults::{Class, Severity};

    use super::*;

    #[test]
    fn an_error_is_told_with_its_place_and_fields_within_their_limits() {
        let error = HardwareError {
            class: Class::HardwareMemoryError,
            severity: Severity::Critical,
            title: "memory error: multi-bit ECC (fatal)".into(),
            what: "multi-bit ECC".into(),
            place: hardware::Place {
                part: Some("D".repeat(300)),
                address: Some(0x1000),
                pci: "0000:00:1c.5".parse().ok(),
                ..hardware::Place::default()
            },
            advice: "replace it",
            fields: vec![
                hardware::Field {
                    name: "n".repeat(70),
                    value: "2".into(),
                    meaning: Some("fatal".into()),
                };
                200
            ],
        };
        let record = hardware_error(&error, "BERT", 1, &[7; 9000]);
        assert_eq!(
            (record.class.as_str(), record.severity),
            ("hardware.memory_error", 4)
        );
        assert_eq!(record.fingerprints.len(), 1);
        let Some(Payload::HardwareError(told)) = record.payload else {
            panic!("no hardware error");
        };
        assert_eq!(
            (told.part.len(), told.pci.as_str()),
            (WORDS_BYTES, "0000:00:1c.5")
        );
        assert_eq!((told.fields.len(), told.raw.len()), (FIELDS, RAW_BYTES));
        assert_eq!(told.fields[0].name.len(), NAME_BYTES);
        assert_eq!(
            told.fields[0].value,
            Some(event_field::Value::Text("2 (fatal)".into()))
        );
    }
}
