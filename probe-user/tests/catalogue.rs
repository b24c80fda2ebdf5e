//! The catalogue against `format` files of real kernels: what a hook reads of a record is there, under that name.

#![expect(clippy::unwrap_used, reason = "a test panics")]

use std::{fs, path::Path};

use probe_user::{
    Value,
    catalogue::{HOOKS, Record, Records, Source},
    format::{Format, Kind},
};

/// Files of `tests/samples/formats`, named after tracepoint and kernel.
fn samples() -> Vec<(String, Format)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/formats");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut samples: Vec<_> = files
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, Format::parse(&fs::read_to_string(path).unwrap()).unwrap())
        })
        .collect();
    samples.sort_by(|one, other| one.0.cmp(&other.0));
    samples
}

fn rows(format: &Format) -> Vec<(&'static Records, &'static Record)> {
    let records = HOOKS.iter().filter_map(|hook| match &hook.source {
        Source::Records(records) => Some(records),
        Source::Own { .. } => None,
    });
    let rows = records.flat_map(|records| records.attempts.iter().map(move |record| (records, record)));
    let name = |record: &Record| record.tracepoint.split_once(':').map(|(_, name)| name);
    rows.filter(|(_, record)| name(record) == Some(&format.name))
        .collect()
}

#[test]
fn what_hooks_require_and_test_is_in_the_records_of_real_kernels() {
    for (name, format) in samples() {
        let rows = rows(&format);
        assert!(!rows.is_empty(), "{name} is no hook's");
        for (_, record) in rows {
            for field in record.required {
                assert!(format.field(field).is_some(), "{name}: no field {field}");
            }
            for term in record.filter {
                let field = format.field(term.field).unwrap();
                assert_eq!(field.kind, Kind::Integer, "{name}: {}", term.field);
            }
        }
    }
}

#[test]
fn a_record_of_any_length_is_told_or_left_alone() {
    for (name, format) in samples() {
        for (records, _) in rows(&format) {
            for length in 0..256 {
                let fields = format.decode(&vec![0; length], &[]);
                let told = records.told(&fields);
                assert!(told.is_none_or(|told| !told.title.is_empty()), "{name}");
            }
        }
    }
}

#[test]
fn the_bytes_of_a_failed_request_become_its_words() {
    let (_, format) = samples()
        .into_iter()
        .find(|(name, _)| name == "block_rq_error-6.18")
        .unwrap();
    let mut record = vec![0; 48];
    record[8..12].copy_from_slice(&(8u32 << 20 | 1).to_ne_bytes());
    record[16..24].copy_from_slice(&4660u64.to_ne_bytes());
    record[28..32].copy_from_slice(&(-61i32).to_ne_bytes());
    record[34..36].copy_from_slice(b"RS");
    let fields = format.decode(&record, &[]);
    assert_eq!(fields.get("sector"), Some(&Value::Unsigned(4660)));
    let told = rows(&format)
        .into_iter()
        .find_map(|(records, _)| records.told(&fields))
        .unwrap();
    assert_eq!(told.title, "critical medium error");
    assert_eq!(told.device.map(|device| device.number), Some(8 << 20 | 1));
}

#[test]
fn the_bytes_of_a_firmware_error_become_its_words() {
    let (_, format) = samples()
        .into_iter()
        .find(|(name, _)| name == "non_standard_event-6.18")
        .unwrap();
    let kind: faults::cper::Guid = "e8ed898d-df16-43cc-8ecc-54f060ef157f".parse().unwrap();
    let mut record = vec![0; 64];
    record[8..24].copy_from_slice(&kind.bytes());
    record[44] = 1;
    // Two bytes of body at byte 56.
    record[52..56].copy_from_slice(&(0x0002_0038u32).to_ne_bytes());
    let fields = format.decode(&record, &[]);
    let told = rows(&format)
        .into_iter()
        .find_map(|(records, _)| records.told(&fields))
        .unwrap();
    assert_eq!(told.title, "firmware error: error of an Ampere processor (fatal)");
    assert_eq!(
        told.raw.and_then(|field| fields.bytes(field)).map(<[u8]>::len),
        Some(2)
    );
}
