use proptest::prelude::*;

use super::*;

const WARNING: &[&str] = &[
    "------------[ cut here ]------------",
    "WARNING: CPU: 1 PID: 77 at drivers/example.c:12 example_open+0x1f/0x40 [example]",
    "Modules linked in: example(OE)",
    "RIP: 0010:example_open+0x1f/0x40 [example]",
    "Call Trace:",
    " <TASK>",
    " example_open+0x1f/0x40 [example]",
    " do_sys_open+0x33/0x60",
    " </TASK>",
    "---[ end trace 0000000000000000 ]---",
];

/// The lines as records from `first` on, a millisecond apart.
fn records(lines: &[&str], first: u64, caller: &str) -> Vec<Vec<u8>> {
    let caller = if caller.is_empty() {
        String::new()
    } else {
        format!(",caller={caller}")
    };
    (first..)
        .zip(lines)
        .map(|(number, line)| {
            format!("4,{number},{},-{caller};{line}\n", 9_000_000 + number * 1000).into_bytes()
        })
        .collect()
}

/// Everything that a stream tells of these datagrams, which come a millisecond apart.
fn told(datagrams: &[Vec<u8>]) -> Vec<Told> {
    told_with_pauses(&[datagrams])
}

/// The same with a second between groups of datagrams, and silence at the end.
fn told_with_pauses(groups: &[&[Vec<u8>]]) -> Vec<Told> {
    let (mut stream, mut out, mut now_us) = (Stream::new(), Vec::new(), 5_000_000);
    for group in groups {
        for datagram in *group {
            stream.take(&Packet::parse(datagram), now_us, &mut out);
            now_us += 1000;
        }
        for _ in 0..10 {
            now_us += 100_000;
            stream.tick(now_us, &mut out);
        }
    }
    for _ in 0..30 {
        now_us += 100_000;
        stream.tick(now_us, &mut out);
    }
    assert!(!stream.is_busy(), "silence ends everything");
    out
}

fn text_of(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn a_report_is_told_with_its_time_and_age() {
    let told = told(&records(WARNING, 100, ""));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].text.text, text_of(WARNING));
    assert_eq!(told[0].since_boot_us, Some(9_100_000));
    // Ten lines, then silence until it is over.
    assert!(
        (2_000_000..2_500_000).contains(&told[0].age_us),
        "{}",
        told[0].age_us
    );
    assert!(!told[0].text.truncated);
}

#[test]
fn a_long_record_comes_in_fragments() {
    let long = format!("{} {}", WARNING[1], "x".repeat(500));
    let mut datagrams = records(WARNING, 1, "");
    let body = format!("{long}\n telemetrics=00112233445566778899aabbccddeeff\n");
    let part = |range: std::ops::Range<usize>| {
        format!(
            "4,2,9002000,-,ncfrag={}/{};{}",
            range.start,
            body.len(),
            &body[range.clone()]
        )
        .into_bytes()
    };
    datagrams[1] = part(400..body.len());
    datagrams.insert(5, part(0..400));
    let whole = told(&datagrams);
    assert!(whole[0].text.text.contains(&long));
    assert_eq!(
        whole[0].token.unwrap().as_str(),
        "00112233445566778899aabbccddeeff"
    );
    assert!(!whole[0].text.truncated);

    datagrams.remove(1);
    let cut = told(&datagrams);
    assert!(cut[0].text.truncated, "a part of a line is missing");
}

#[test]
fn a_record_that_continues_another_is_joined_to_it() {
    let mut datagrams = records(WARNING, 1, "T77");
    let pieces = [
        b"4,2,9002000,-,caller=T77;WARNING: CPU: 1 PID: 77 at ".to_vec(),
        b"6,3,9002001,-,caller=T1;something else\n".to_vec(),
        b"4,4,9002002,c,caller=T77;drivers/example.c:12 ".to_vec(),
        b"4,5,9002003,c,caller=T77;example_open+0x1f/0x40 [example]\n".to_vec(),
    ];
    datagrams.splice(1..2, pieces);
    for (number, datagram) in (6..).zip(&mut datagrams[5..]) {
        let text = String::from_utf8(datagram.clone()).unwrap();
        let (_, rest) = text.split_once("-,").unwrap();
        *datagram = format!("4,{number},9003000,-,{rest}").into_bytes();
    }
    assert_eq!(told(&datagrams)[0].text.text, text_of(WARNING));
}

#[test]
fn two_tasks_that_print_at_the_same_time_are_two_reports() {
    let (one, other) = (records(WARNING, 1, "T77"), records(WARNING, 101, "C1"));
    let both: Vec<_> = one
        .into_iter()
        .zip(other)
        .flat_map(|(one, other)| [one, other])
        .collect();
    let told = told(&both);
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|told| told.text.text == text_of(WARNING)));
}

#[test]
fn basic_text_has_its_times_in_it_or_none() {
    let timed: Vec<_> = WARNING
        .iter()
        .map(|line| format!("[    9.100000] {line}\n").into_bytes())
        .collect();
    assert_eq!(told(&timed)[0].since_boot_us, Some(9_100_000));
    let bare: Vec<_> = WARNING
        .iter()
        .map(|line| format!("{line}\n").into_bytes())
        .collect();
    let bare = told(&bare);
    assert_eq!(bare[0].since_boot_us, None);
    assert_eq!(bare[0].text.text, text_of(WARNING));
    let pieces: Vec<_> = timed.concat().chunks(100).map(<[u8]>::to_vec).collect();
    assert_eq!(told(&pieces)[0].text.text, text_of(WARNING));
}

#[test]
fn a_boot_that_follows_is_another_boot() {
    let token = |number, digit: char| {
        format!(
            "6,{number},9{number:03}000,-;hello\n telemetrics={}\n",
            digit.to_string().repeat(32)
        )
        .into_bytes()
    };
    let mut before = vec![token(100, 'a')];
    before.extend(records(&WARNING[..5], 101, ""));
    // The same numbers as before, and the clock begins again.
    let again = |datagram| {
        String::from_utf8(datagram)
            .unwrap()
            .replace(",91", ",1")
            .into_bytes()
    };
    let after: Vec<_> = records(WARNING, 101, "").into_iter().map(again).collect();
    let told = told_with_pauses(&[&before, &after]);
    assert_eq!(told.len(), 2);
    assert_eq!(told[0].text.text, text_of(&WARNING[..5]));
    assert_eq!(told[0].token.unwrap().as_str(), "a".repeat(32));
    assert_eq!(told[1].text.text, text_of(WARNING));
    assert_eq!(told[1].token, None);
}

#[test]
fn kernels_without_user_data_say_it_in_a_line() {
    let digits = "00112233445566778899aabbccddeeff";
    let mut datagrams = vec![format!("11,1,9000000,-;telemetrics: netconsole token {digits}\n").into_bytes()];
    datagrams.extend(records(WARNING, 2, ""));
    assert_eq!(told(&datagrams)[0].token.unwrap().as_str(), digits);
}

#[test]
fn what_programs_write_is_no_report() {
    let lines: Vec<_> = records(WARNING, 1, "")
        .into_iter()
        .map(|datagram| [b"1".as_slice(), &datagram].concat())
        .collect();
    assert_eq!(told(&lines), []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever the network does within the time that is waited.
    #[test]
    fn order_and_copies_do_not_matter(
        order in Just((0..WARNING.len()).chain(0..WARNING.len()).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let sent = records(WARNING, 7, "");
        let datagrams: Vec<_> = order.iter().map(|index| sent[*index].clone()).collect();
        let told = told(&datagrams);
        prop_assert_eq!(told.len(), 1);
        prop_assert_eq!(&told[0].text.text, &text_of(WARNING));
    }

    #[test]
    fn any_datagrams_do_no_harm(
        datagrams in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..80),
                r"[0-9]{1,3},[0-9]{1,20},[0-9]{1,20},[-c](,caller=[TC][0-9]{1,3})?(,ncfrag=[0-9]{1,2}/[0-9]{1,4})?;(BUG: x|Oops: 0|[a-z ]{0,9}\n?)"
                    .prop_map(String::into_bytes),
            ],
            0..200,
        ),
        steps in proptest::collection::vec(any::<u32>(), 200),
    ) {
        let (mut stream, mut out, mut now_us) = (Stream::new(), Vec::new(), 0u64);
        for (datagram, step) in datagrams.iter().zip(steps) {
            now_us += u64::from(step);
            stream.take(&Packet::parse(datagram), now_us, &mut out);
            prop_assert!(stream.held.len() <= HELD + 1 && stream.held_bytes <= HELD_BYTES + RECORD_BYTES);
            prop_assert_eq!(stream.held_bytes, stream.held.values().map(Held::bytes).sum::<usize>());
        }
        stream.flush(now_us, &mut out);
        prop_assert!(!stream.is_busy());
        prop_assert_eq!(stream.held_bytes, 0);
    }
}
