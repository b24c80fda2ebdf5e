use proptest::prelude::*;

use super::*;
use crate::fields::{Fields, Value};

/// Read from tracefs of Linux 6.12.
const MARK_VICTIM: &str = "name: mark_victim
ID: 566
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:int pid;\toffset:8;\tsize:4;\tsigned:1;
\tfield:__data_loc char[] comm;\toffset:12;\tsize:4;\tsigned:0;
\tfield:unsigned long total_vm;\toffset:16;\tsize:8;\tsigned:0;
\tfield:uid_t uid;\toffset:48;\tsize:4;\tsigned:0;
\tfield:short oom_score_adj;\toffset:64;\tsize:2;\tsigned:1;

print fmt: \"pid=%d comm=%s field:x;\", REC->pid, __get_str(comm)
";

#[test]
fn fields_have_their_place() {
    let format = Format::parse(MARK_VICTIM).unwrap();
    assert_eq!(format.name, "mark_victim");
    assert_eq!(format.fields.len(), 9);
    let comm = format.field("comm").unwrap();
    assert_eq!((comm.place, comm.offset, comm.size), (Place::DataLoc, 12, 4));
    let adjustment = format.field("oom_score_adj").unwrap();
    assert_eq!(
        (adjustment.offset, adjustment.size, adjustment.signed),
        (64, 2, true)
    );
    assert_eq!(format.field("anon_rss"), None);
}

#[test]
fn arrays_and_pointers_lose_their_decoration() {
    let text = "name: x\n field:char comm[TASK_COMM_LEN]; offset:8; size:16; signed:1;\n \
                field:const char * function; offset:24; size:8; signed:0;\n \
                field:__rel_loc char[] late; offset:32; size:4; signed:0;";
    let format = Format::parse(text).unwrap();
    assert_eq!(format.field("comm").unwrap().size, 16);
    assert_eq!(format.field("function").unwrap().place, Place::Inline);
    assert_eq!(format.field("late").unwrap().place, Place::RelLoc);
}

#[test]
fn an_identifier_that_is_declared_as_characters_is_no_text() {
    let text = "name: non_standard_event\n field:char sec_type[16]; offset:8; size:16; signed:0;\n \
                field:char comm[16]; offset:24; size:16; signed:0;";
    let format = Format::parse(text).unwrap();
    let fields = format.decode(&[0; 40], &[]);
    assert_eq!(fields.array("sec_type"), Some([0; 16]));
    assert_eq!(fields.text("comm"), Some(""));
}

#[test]
fn what_is_no_format_file_is_an_error() {
    assert_eq!(Format::parse(""), Err(FormatError::NoName));
    assert_eq!(Format::parse("name: x"), Err(FormatError::NoFields));
    assert!(matches!(
        Format::parse("name: x\nfield:int pid; size:4;"),
        Err(FormatError::Field(_))
    ));
    assert!(matches!(
        Format::parse("name: x\nfield:int pid; offset:4294967295; size:4;"),
        Err(FormatError::Field(_))
    ));
    assert_eq!(
        Format::parse(&"x".repeat(MAX_BYTES + 1)),
        Err(FormatError::TooLong(MAX_BYTES + 1))
    );
}

#[test]
fn numbers_mean_what_the_kernel_prints() {
    // Linux 6.12, `ras:memory_failure_event`, shortened.
    let text = "name: memory_failure_event\n field:int type; offset:16; size:4; signed:1;\n\nprint fmt: \
                \"pfn %#lx: recovery action for %s: %s\", REC->pfn, __print_symbolic(REC->type, { 0, \"reserved \
                kernel page\" }, { 12, \"dirty (LRU) page\" }), __print_symbolic(REC->result, { 0, \"Ignored\" }, \
                { 0x1, \"no decimal\" })";
    let format = Format::parse(text).unwrap();
    let means = |field: &str, number: i64| {
        let fields = Fields::from_iter([(field, Value::Signed(number))]);
        let fields = fields.with_meanings(Arc::clone(&format.meanings));
        fields.meaning(field).map(str::to_owned)
    };
    assert_eq!(means("type", 12).as_deref(), Some("dirty (LRU) page"));
    assert_eq!(means("result", 0).as_deref(), Some("Ignored"));
    assert_eq!((means("type", 1), means("result", 1)), (None, None));
}

/// Every sort of field, each at an offset of its own.
const MANY: &str = "name: many
 field:unsigned short common_type; offset:0; size:2; signed:0;
 field:u8 small; offset:8; size:1; signed:0;
 field:short signed_small; offset:10; size:2; signed:1;
 field:unsigned long large; offset:16; size:8; signed:0;
 field:char comm[4]; offset:24; size:4; signed:1;
 field:u8 raw[3]; offset:28; size:3; signed:0;
 field:__data_loc char[] name; offset:32; size:4; signed:0;
 field:__rel_loc u8[] late; offset:36; size:4; signed:0;
 field:const char * function; offset:40; size:8; signed:0;
 field:void * address; offset:48; size:8; signed:0;
 field:struct in6_addr place; offset:56; size:16; signed:0;";

fn location(length: u32, offset: u32) -> [u8; 4] {
    (length << 16 | offset).to_ne_bytes()
}

#[cfg(target_endian = "little")]
fn many() -> Vec<u8> {
    let mut record = vec![0; 72];
    record[8] = 200;
    record[10..12].copy_from_slice(&(-2_i16).to_ne_bytes());
    record[16..24].copy_from_slice(&u64::MAX.to_ne_bytes());
    record[24..28].copy_from_slice(b"four");
    record[28..31].copy_from_slice(&[1, 2, 3]);
    record[32..36].copy_from_slice(&location(5, 72));
    record[36..40].copy_from_slice(&location(2, 37));
    record[48..56].copy_from_slice(&0xffff_8881_0000_0000_u64.to_ne_bytes());
    record.extend(b"disk\0\x08\x09");
    record
}

fn function() -> [u8; probe_common::STRING_BYTES] {
    let mut strings = [0; probe_common::STRING_BYTES];
    strings[..4].copy_from_slice(b"work");
    strings
}

#[cfg(target_endian = "little")]
#[test]
fn fields_are_decoded_by_their_sort() {
    let fields = Format::parse(MANY).unwrap().decode(&many(), &function());
    let found: Vec<_> = fields.iter().collect();
    let bytes = Value::Bytes(vec![0; 16]);
    assert_eq!(
        found,
        [
            ("small", &Value::Unsigned(200)),
            ("signed_small", &Value::Signed(-2)),
            ("large", &Value::Unsigned(u64::MAX)),
            ("comm", &Value::Text("four".into())),
            ("raw", &Value::Bytes(vec![1, 2, 3])),
            ("name", &Value::Text("disk".into())),
            ("late", &Value::Bytes(vec![8, 9])),
            ("function", &Value::Text("work".into())),
            ("place", &bytes),
        ]
    );
}

#[cfg(target_endian = "little")]
#[test]
fn what_a_cut_record_has_lost_is_left_out() {
    let format = Format::parse(MANY).unwrap();
    let record = many();
    let whole = format.decode(&record, &function());
    assert_eq!(format.decode(&record[..74], &[]).text("name"), Some("di"));
    for end in 0..record.len() {
        let fields = format.decode(&record[..end], &[]);
        for (name, value) in fields.iter() {
            match (value, whole.get(name).unwrap()) {
                (Value::Text(cut), Value::Text(text)) => {
                    assert!(text.starts_with(cut.as_str()), "{end} {name}");
                }
                (Value::Bytes(cut), Value::Bytes(bytes)) => assert!(bytes.starts_with(cut), "{end} {name}"),
                (cut, whole) => assert_eq!(cut, whole, "{end} {name}"),
            }
        }
    }
}

proptest! {
    #[test]
    fn any_record_decodes(
        record in prop::collection::vec(any::<u8>(), 0..200),
        strings in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let format = Format::parse(MANY).unwrap();
        prop_assert!(format.decode(&record, &strings).iter().count() <= format.fields.len());
    }

    #[test]
    fn any_meanings_are_read(print in "(__print_symbolic\\(REC->)?[a-z, {}()\"0-9-]{0,200}") {
        parse_meanings(&print);
    }

    #[test]
    fn any_text_parses_or_fails_without_a_panic(text in "(?s).{0,400}") {
        let _checked = Format::parse(&text);
    }

    #[test]
    fn any_field_line_parses_or_fails_without_a_panic(
        line in "(__data_loc |__rel_loc )?[a-z *]{0,12}[a-z\\[\\]*0-9]{0,8};?[ \t]?(offset:[0-9]{0,12};)?[ \t]?(size:[0-9-]{0,12};)?.{0,8}",
    ) {
        if let Ok(format) = Format::parse(&format!("name: x\nfield:{line}\n")) {
            let field = &format.fields[0];
            prop_assert!(!field.name.is_empty());
            prop_assert!(field.offset.checked_add(field.size).is_some());
        }
    }
}
