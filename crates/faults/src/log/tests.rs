//! The forms of lines.

use super::*;

/// A line, its text, its time in microseconds, processor, task and level.
type Case = (
    &'static str,
    &'static str,
    Option<u64>,
    Option<u32>,
    Option<u32>,
    Option<u8>,
);

const FORMS: &[Case] = &[
    (
        "usb 1-1: new device",
        "usb 1-1: new device",
        None,
        None,
        None,
        None,
    ),
    ("  indented", "  indented", None, None, None, None),
    ("[   12.345678] text", "text", Some(12_345_678), None, None, None),
    (
        "[   12.345678][  T77]  ? f+0x1/0x2\r",
        " ? f+0x1/0x2",
        Some(12_345_678),
        None,
        Some(77),
        None,
    ),
    (
        "<4>[   12.345678][    C1] text\r\r",
        "text",
        Some(12_345_678),
        Some(1),
        None,
        Some(4),
    ),
    ("<28>text", "text", None, None, None, Some(4)),
    (
        "[12.345678] [ T77@C3] text",
        "text",
        Some(12_345_678),
        Some(3),
        Some(77),
        None,
    ),
    // /dev/kmsg and extended netconsole.
    (
        "4,12,12345678,-,caller=T77;text\\x0amore",
        "text\nmore",
        Some(12_345_678),
        None,
        Some(77),
        Some(4),
    ),
    (
        "6.6.0,4,12,12345678,-,cpu=2;text",
        "text",
        Some(12_345_678),
        Some(2),
        None,
        Some(4),
    ),
    // dmesg.
    ("[Tue Nov 24 02:54:00 2026] text", "text", None, None, None, None),
    ("[Nov24 02:54] text", "text", None, None, None, None),
    ("[  +0.000012] text", "text", None, None, None, None),
    (
        "[   12.345678 <    0.000012>] text",
        "text",
        Some(12_345_678),
        None,
        None,
        None,
    ),
    (
        "2026-11-24T02:54:00,123456+00:00 text",
        "text",
        None,
        None,
        None,
        None,
    ),
    (
        "kern  :warn  : [   12.345678] text",
        "text",
        Some(12_345_678),
        None,
        None,
        None,
    ),
    (
        "\x1b[32m[   12.345678] \x1b[0m\x1b[33musb 1-1: \x1b[0mtext",
        "usb 1-1: text",
        Some(12_345_678),
        None,
        None,
        None,
    ),
    // journalctl: short, short-precise, short-iso, short-full, short-unix, short-monotonic.
    (
        "Nov 24 02:54:00 host kernel: text",
        "text",
        None,
        None,
        None,
        None,
    ),
    (
        "Nov 24 02:54:00.123456 host kernel:  ? f+0x1/0x2",
        " ? f+0x1/0x2",
        None,
        None,
        None,
        None,
    ),
    (
        "2026-11-24T02:54:00+0000 host kernel: text",
        "text",
        None,
        None,
        None,
        None,
    ),
    (
        "Tue 2026-11-24 02:54:00 UTC host kernel: text",
        "text",
        None,
        None,
        None,
        None,
    ),
    (
        "1790000000.123456 host kernel: text",
        "text",
        None,
        None,
        None,
        None,
    ),
    (
        "[   12.345678] host kernel: text",
        "text",
        Some(12_345_678),
        None,
        None,
        None,
    ),
    // Syslog.
    (
        "Nov 24 02:54:00 host kernel: [   12.345678] text",
        "text",
        Some(12_345_678),
        None,
        None,
        None,
    ),
    (
        "Nov 24 02:54:00 host kern.err kernel: [   12.345678] text",
        "text",
        Some(12_345_678),
        None,
        None,
        None,
    ),
    (
        "<4>Nov 24 02:54:00 host kernel: text",
        "text",
        None,
        None,
        None,
        Some(4),
    ),
    (
        "<4>1 2026-11-24T02:54:00Z host kernel - - - text",
        "text",
        None,
        None,
        None,
        Some(4),
    ),
    (
        " kernel:[   12.345678] text",
        "text",
        Some(12_345_678),
        None,
        None,
        None,
    ),
    // Phones.
    (
        "[   12.345678@1] text",
        "text",
        Some(12_345_678),
        Some(1),
        None,
        None,
    ),
    (
        "<6>[   12.345678] (0)[77:a b]text",
        "text",
        Some(12_345_678),
        Some(0),
        Some(77),
        Some(6),
    ),
    (
        "[   12.345678] -(0)[77:kworker/u8:1]text",
        "text",
        Some(12_345_678),
        Some(0),
        Some(77),
        None,
    ),
    (
        "[   12.345678]  [2:    kworker/2:1: 1608] text",
        "text",
        Some(12_345_678),
        Some(2),
        Some(1608),
        None,
    ),
    // JSON.
    (
        r#"{"_TRANSPORT":"kernel","PRIORITY":"4","MESSAGE":"a \"b\"\n \u00e4","__MONOTONIC_TIMESTAMP":"12345678"}"#,
        "a \"b\"\n ä",
        Some(12_345_678),
        None,
        None,
        Some(4),
    ),
    (r#"{ "MESSAGE" : [ 66, 85, 71 ] }"#, "BUG", None, None, None, None),
    // Text that looks a little like one of them.
    ("[drm] initialised", "[drm] initialised", None, None, None, None),
    (
        "[12.3] [<ffffffff81234567>] f+0x1/0x2",
        "[<ffffffff81234567>] f+0x1/0x2",
        Some(12_300_000),
        None,
        None,
        None,
    ),
    ("1,2 x; y", "1,2 x; y", None, None, None, None),
    (
        "{1}[Hardware Error]: event",
        "{1}[Hardware Error]: event",
        None,
        None,
        None,
        None,
    ),
];

#[test]
fn every_form_is_known() {
    for (raw, text, at_us, cpu, task, level) in FORMS {
        let found: Vec<_> = lines(raw.as_bytes()).collect();
        assert_eq!(found.len(), 1, "{raw}");
        let line = &found[0];
        assert_eq!(String::from_utf8_lossy(&line.text), *text, "{raw}");
        assert_eq!(line.is_timed.then_some(line.at_us), *at_us, "{raw}");
        assert_eq!((line.cpu, line.task, line.level), (*cpu, *task, *level), "{raw}");
        let in_input = &raw.as_bytes()[line.text_span.0..line.text_span.1];
        if in_input.len() == line.text.len() {
            assert_eq!(in_input, &*line.text, "{raw}");
        }
    }
}

#[test]
fn what_programs_say_is_told_apart() {
    let of_programs = [
        "Nov 24 02:54:00 host app[77]: BUG: x",
        "Nov 24 02:54:00 host app: WARNING: x",
        "2026-11-24T02:54:00+0000 host app[77]: x",
        "Tue 2026-11-24 02:54:00 UTC host app[77]: x",
        "<28>1 2026-11-24T02:54:00Z host app 77 - - x",
        "[   12.345678] host systemd[1]: x",
        "30,12,12345678,-;systemd[1]: x",
        "<30>systemd[1]: x",
        r#"{"_TRANSPORT":"stdout","MESSAGE":"BUG: x"}"#,
    ];
    for raw in of_programs {
        let of_program = lines(raw.as_bytes()).map(|line| line.of_program);
        assert_eq!(of_program.collect::<Vec<_>>(), [true], "{raw}");
    }
    for (raw, ..) in FORMS.iter().filter(|(raw, ..)| !raw.starts_with("<28>")) {
        assert!(lines(raw.as_bytes()).all(|line| !line.of_program), "{raw}");
    }
}

#[test]
fn fragments_of_a_record_are_joined() {
    let log = b"6.6.0,4,12,5,-,ncfrag=0/10;BUG: \n6.6.0,4,13,6,-;other\n6.6.0,4,12,5,-,ncfrag=5/10;a bug\n\
        4,14,7,-,ncfrag=0/9;lost\n4,15,8,-,ncfrag=0/4;kept\n4,15,8,-,ncfrag=9/12;no beginning\n";
    let texts: Vec<String> = lines(log)
        .map(|line| String::from_utf8_lossy(&line.text).into_owned())
        .collect();
    assert_eq!(texts, ["other", "BUG: a bug", "kept"]);
}

#[test]
fn two_lines_on_one_are_two() {
    let texts: Vec<String> =
        lines(b"Sep 23 02:31[   69.295771][ T2742] first\n[    1.000000] login: [    2.000000] second\n")
            .map(|line| String::from_utf8_lossy(&line.text).into_owned())
            .collect();
    assert_eq!(texts, ["Sep 23 02:31", "first", "login:", "second"]);
}
