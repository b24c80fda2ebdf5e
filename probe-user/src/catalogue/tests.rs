use proptest::prelude::*;

use super::*;
use crate::fields::Value;

#[test]
fn names_are_short_plain_and_unique() {
    for (index, hook) in HOOKS.iter().enumerate() {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        assert!(
            hook.name.len() <= 64 && hook.name.bytes().all(plain),
            "{}",
            hook.name
        );
        let before = &HOOKS[..index];
        assert!(
            before.iter().all(|other| other.name != hook.name),
            "{}",
            hook.name
        );
        assert!(!hook.sees.is_empty() && !hook.without.is_empty(), "{}", hook.name);
    }
}

/// Fields that some hook reads, each as an integer, as text or as an array.
const NAMES: &[&str] = &[
    "dev",
    "s_dev",
    "errseq",
    "error",
    "rwbs",
    "function",
    "flags",
    "driver",
    "driver_name",
    "reporter_name",
    "msg",
    "error_type",
    "label",
    "error_count",
    "mc_index",
    "top_layer",
    "address",
    "grain_bits",
    "syndrome",
    "driver_detail",
    "dev_name",
    "status",
    "severity",
    "tlp_header_valid",
    "tlp_header",
    "mpidr",
    "affinity",
    "sev",
    "pei_buf",
    "ctx_buf",
    "oem_buf",
    "etype",
    "pa",
    "pa_mask_lsb",
    "fru_id",
    "fru_text",
    "data",
    "sec_type",
    "buf",
    "pfn",
    "type",
    "result",
    "log",
    "descriptor",
    "validity_flags",
    "channel",
    "comp_id",
    "event_type",
    "hdr_uuid",
    "memdev",
    "host",
    "trace_type",
    "source",
    "dpa",
    "hpa",
    "first_error",
    "trip_type",
    "thermal_zone",
    "pid",
    "comm",
    "error_detector",
    "taints",
    "name",
    "opcode",
];

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0u64..20).prop_map(Value::Unsigned),
        any::<u64>().prop_map(Value::Unsigned),
        any::<i64>().prop_map(Value::Signed),
        "(?s).{0,300}".prop_map(Value::Text),
        prop::collection::vec(any::<u8>(), 0..100).prop_map(Value::Bytes),
        prop::collection::vec(any::<u8>(), 16).prop_map(Value::Bytes),
    ]
}

proptest! {
    #[test]
    fn any_record_is_told_in_one_short_line_or_not_at_all(
        values in prop::collection::vec(prop::option::weighted(0.8, value()), NAMES.len()),
    ) {
        let named = NAMES.iter().zip(values).filter_map(|(name, value)| Some((*name, value?)));
        let fields: Fields = named.collect();
        for hook in HOOKS {
            let Source::Records(records) = &hook.source else { continue };
            if let Some(told) = records.told(&fields) {
                prop_assert!(!told.title.is_empty() && told.title.len() <= 256, "{}: {told:?}", hook.name);
                prop_assert!(!told.title.chars().any(char::is_control), "{}: {told:?}", hook.name);
            }
        }
    }
}

#[test]
fn a_record_without_its_fields_says_less() {
    for hook in HOOKS {
        let Source::Records(records) = &hook.source else {
            continue;
        };
        let told = records.told(&Fields::default());
        assert!(told.is_none_or(|told| !told.title.is_empty()), "{}", hook.name);
        for record in records.attempts {
            assert!(
                record.tracepoint.split_once(':').is_some(),
                "{}",
                record.tracepoint
            );
            assert!(record.filter.len() <= probe_common::MAX_TERMS, "{}", hook.name);
        }
    }
}

#[test]
fn every_hook_of_the_programs_has_a_row() {
    for wanted in Hook::ALL {
        let rows = HOOKS
            .iter()
            .filter(|spec| matches!(spec.source, Source::Own { hook, .. } if hook == wanted));
        assert_eq!(rows.count(), 1, "{wanted:?}");
    }
}
