use proptest::prelude::*;

use super::*;
use crate::{catalogue::Is, format::Format};

/// Of Linux 6.12.
const BLOCK_RQ_ERROR: &str = "name: block_rq_error
ID: 1234
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:dev_t dev;\toffset:8;\tsize:4;\tsigned:0;
\tfield:sector_t sector;\toffset:16;\tsize:8;\tsigned:0;
\tfield:unsigned int nr_sector;\toffset:24;\tsize:4;\tsigned:0;
\tfield:int error;\toffset:28;\tsize:4;\tsigned:1;
\tfield:__data_loc char[] cmd;\toffset:40;\tsize:4;\tsigned:0;

print fmt: \"%d\", REC->dev
";

fn written() -> Written {
    Written {
        name: "disk".into(),
        tracepoint: "block:block_rq_error".into(),
        rate: DEFAULT_RATE,
        ..Written::default()
    }
}

fn wrongs(change: impl FnOnce(&mut Written)) -> Vec<(Part, Range<usize>, String)> {
    let mut written = written();
    change(&mut written);
    let wrongs = match UserProbe::new(&written) {
        Err(wrongs) => wrongs,
        Ok(probe) => probe.fit(&Format::parse(BLOCK_RQ_ERROR).unwrap()).unwrap_err(),
    };
    wrongs
        .into_iter()
        .map(|wrong| (wrong.part, wrong.range.clone(), wrong.to_string()))
        .collect()
}

#[test]
fn what_is_not_written_has_a_default() {
    let probe = UserProbe::new(&written()).unwrap();
    assert_eq!(probe.hook, "user.disk");
    assert_eq!(probe.class, "custom.tracepoint");
    assert_eq!(probe.severity, Severity::Medium);
    assert_eq!(probe.title.of(&Fields::default()), "block:block_rq_error");
    assert_eq!(probe.tracepoint(), "block:block_rq_error");
}

#[test]
fn every_part_that_is_wrong_is_told_at_once() {
    let found = wrongs(|written| {
        written.name = "Disk".into();
        written.tracepoint = "block/block_rq_error".into();
        written.class = "telemetry.loss".into();
        written.severity = "bad".into();
        written.rate = 0;
        written.fields = vec!["dev".into(), "dev".into()];
        written.title = "{".into();
        written.filter = "error = 0".into();
    });
    let parts: Vec<Part> = found.iter().map(|(part, ..)| *part).collect();
    assert_eq!(
        parts,
        [
            Part::Name,
            Part::Tracepoint,
            Part::Class,
            Part::Severity,
            Part::Rate,
            Part::Field(1),
            Part::Title,
            Part::Filter
        ]
    );
}

#[test]
fn names_of_tracepoints_lead_nowhere_else() {
    for tracepoint in ["../x:y", "a:b/c", "a:", ":b", "a", "a:b:c", "a:.."] {
        let found = wrongs(|written| written.tracepoint = tracepoint.into());
        assert_eq!(found[0].0, Part::Tracepoint, "{tracepoint}");
    }
}

#[test]
fn a_class_is_dotted_and_short() {
    for class in [
        "a",
        "A.b",
        "a..b",
        ".a",
        "a.",
        "a b.c",
        &format!("a.{}", "b".repeat(63)),
    ] {
        assert_eq!(
            wrongs(|written| written.class = class.into())[0].0,
            Part::Class,
            "{class}"
        );
    }
    let written = Written {
        class: "storage.nfs_timeout".into(),
        ..written()
    };
    assert_eq!(UserProbe::new(&written).unwrap().class, "storage.nfs_timeout");
}

#[test]
fn integers_are_compared_in_the_kernel() {
    let filter = Filter::parse("error < -5 && dev & 0x1f && sector>=9&&cmd != 'x'").unwrap();
    let terms = filter.of_integers().map(|term| (term.field, term.is, term.value));
    assert_eq!(
        terms.collect::<Vec<_>>(),
        [
            ("error", Is::Less, -5),
            ("dev", Is::AnyBit, 31),
            ("sector", Is::AtLeast, 9)
        ]
    );
}

#[test]
fn mistakes_in_a_filter_are_told_with_their_place() {
    for (filter, range, problem) in [
        ("error = 0", 6..7, "write `==`"),
        ("error", 5..5, "a comparison of `error` is missing"),
        ("error ==", 8..8, "a value is expected here"),
        ("error == sda", 9..12, "a text needs quotes"),
        ("error == 'sda", 9..10, "close it with `'`"),
        ("error == 0 || dev == 1", 11..12, "a second probe"),
        ("error == 0 dev == 1", 11..14, "join comparisons with `&&`"),
        ("error == 0 &&", 13..13, "a field is missing"),
        ("(error == 0)", 0..1, "no parentheses"),
        ("5 == error", 0..1, "write the field on the left side"),
        ("error && dev == 1", 6..7, "write `FIELD != 0`"),
        ("error == 99999999999999999999", 9..29, "at most 64 bits"),
        ("cmd < 'a'", 0..9, "use `==` or `!=`"),
        (
            "dev==1&&dev==2&&dev==3&&dev==4&&dev==5",
            32..38,
            "at most 4 integers",
        ),
        ("eror != 0", 0..4, "did you mean `error`?"),
        (
            "whatever_it_is != 0",
            0..14,
            "its fields are: dev, sector, nr_sector, error, cmd",
        ),
        ("common_pid == 1", 0..10, "has no field `common_pid`"),
        ("dev == -1", 0..9, "from 0 to 4294967295"),
        ("error == 4294967295", 0..19, "from -2147483648 to 2147483647"),
        ("error == 'x'", 0..12, "is no text"),
        ("cmd == 7", 0..8, "is no integer"),
    ] {
        let found = wrongs(|written| written.filter = filter.into());
        assert_eq!(found.len(), 1, "{filter}: {found:?}");
        assert_eq!(
            (found[0].0, found[0].1.clone()),
            (Part::Filter, range),
            "{filter}: {found:?}"
        );
        assert!(found[0].2.contains(problem), "{filter}: {found:?}");
    }
}

#[test]
fn texts_are_compared_when_the_record_is_here() {
    let record = |cmd: &str| [("cmd", Value::Text(cmd.into())), ("error", Value::Signed(-5))];
    let tells = |filter: &str, cmd: &str| {
        let written = Written {
            filter: filter.into(),
            ..written()
        };
        let probe = UserProbe::new(&written).unwrap();
        probe.tell(&Fields::from_iter(record(cmd))).is_some()
    };
    assert!(tells("cmd == 'a b'", "a b") && !tells("cmd == 'a b'", "a"));
    assert!(tells("cmd != \"\"", "x") && !tells("cmd != \"\"", ""));
    assert!(!tells("missing == 'x'", "x") && tells("missing != 'x'", "x"));
    // The kernel has compared the integers: what it sent is meant.
    assert!(tells("error == 0", "x"));
}

#[test]
fn a_title_is_made_of_the_record() {
    let title = |text: &str| {
        let fields = [
            ("server", Value::Text("nfs-1\n".into())),
            ("error", Value::Signed(-5)),
            ("bytes", Value::Bytes(vec![1, 0xab])),
        ];
        Title::parse(text).unwrap().of(&Fields::from_iter(fields))
    };
    assert_eq!(
        title("NFS server {server} not responding"),
        "NFS server nfs-1  not responding"
    );
    assert_eq!(title("{error} {bytes} {missing} {{x}}"), "-5 01ab ? {x}");
    assert_eq!(Title::parse("{server}").unwrap().of(&Fields::default()), "?");
}

#[test]
fn mistakes_in_a_title_are_told_with_their_place() {
    for (title, range) in [
        ("a {b", 2..4),
        ("a } b", 2..3),
        ("{}", 0..2),
        ("{a b}", 0..5),
        (" ", 0..1),
        ("x {secto} y", 3..8),
    ] {
        let found = wrongs(|written| written.title = title.into());
        assert_eq!((found[0].0, found[0].1.clone()), (Part::Title, range), "{title}");
    }
}

#[test]
fn only_fields_that_are_wanted_are_kept() {
    let written = Written {
        fields: vec!["error".into()],
        ..written()
    };
    let probe = UserProbe::new(&written).unwrap();
    let record = [("dev", Value::Unsigned(8)), ("error", Value::Signed(-5))];
    let (_, kept) = probe.tell(&Fields::from_iter(record)).unwrap();
    assert_eq!(kept.iter().collect::<Vec<_>>(), [("error", &Value::Signed(-5))]);
    let found = wrongs(|written| written.fields = vec!["errors".into()]);
    assert!(found[0].2.contains("did you mean `error`?"), "{found:?}");
}

#[test]
fn an_example_is_a_record_that_the_filter_admits() {
    let written = Written {
        title: "error {error} of {cmd}".into(),
        fields: vec!["error".into(), "cmd".into()],
        filter: "error != 0 && cmd == 'read'".into(),
        ..written()
    };
    let probe = UserProbe::new(&written).unwrap();
    let fit = probe.fit(&Format::parse(BLOCK_RQ_ERROR).unwrap()).unwrap();
    let (title, fields) = probe.example(&fit);
    assert_eq!(title, "error 1 of read");
    assert_eq!(
        fields,
        [("error", "1"), ("cmd", "read")].map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
    assert_eq!(fit.notes.len(), 2, "{:?}", fit.notes);
}

proptest! {
    #[test]
    fn any_filter_is_understood_or_told_with_a_place_in_it(text in "(?s).{0,60}") {
        if let Err(wrong) = Filter::parse(&text) {
            prop_assert!(text.get(wrong.range).is_some());
        }
    }

    #[test]
    fn a_filter_that_is_understood_is_written_and_read_again(
        text in "([a-z_]{1,6} ?(==|!=|<|<=|>|>=|&) ?(-?[0-9]{1,4}|0x[0-9a-f]{1,4}|'[^']{0,5}'|\"[^\"]{0,5}\")( ?&& ?)?){1,6}",
    ) {
        let values = |filter: &Filter| filter
            .terms()
            .iter()
            .map(|term| (term.field.clone(), term.is, term.value.clone()))
            .collect::<Vec<_>>();
        if let Ok(filter) = Filter::parse(&text) {
            let again = Filter::parse(&filter.to_string()).unwrap();
            prop_assert_eq!(values(&filter), values(&again));
        }
    }

    #[test]
    fn any_title_is_understood_or_told_with_a_place_in_it(text in "[a-z{} é]{0,40}") {
        match Title::parse(&text) {
            Ok(title) => {
                prop_assert!(title.fields().all(|(name, at)| text.get(at.clone()) == Some(name)));
                prop_assert!(!title.of(&Fields::default()).is_empty());
            }
            Err(wrong) => prop_assert!(text.get(wrong.range).is_some()),
        }
    }

    #[test]
    fn a_title_is_one_bounded_line(text in "\\{a\\}.{0,20}\\{a\\}", value in "(?s).{0,300}") {
        if let Ok(title) = Title::parse(&text) {
            let title = title.of(&Fields::from_iter([("a", Value::Text(value))]));
            prop_assert!((1..=256).contains(&title.len()));
            prop_assert!(!title.contains(char::is_control));
        }
    }
}
