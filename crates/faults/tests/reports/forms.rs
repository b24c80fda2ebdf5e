//! What a log means does not depend on how it was written down.

use crate::{SAMPLES, SINGLE, identities, reports};
use faults::fingerprint::Fingerprint;
use faults::log;
use proptest::prelude::*;

/// The prefixes of a line in the forms of consoles and tools. `task` prints at `us`.
pub(crate) fn written(form: usize, text: &str, us: u64, task: u32) -> String {
    let (seconds, micros) = (us / 1_000_000, us % 1_000_000);
    match form {
        0 => format!("[{seconds:5}.{micros:06}] {text}\n"),
        1 => format!("[{seconds:5}.{micros:06}] {text}\r\n"),
        2 => format!("<4>[{seconds:5}.{micros:06}] {text}\n"),
        3 => format!("[{seconds:5}.{micros:06}][{:>6}] {text}\n", format!("T{task}")),
        4 => format!(
            "<12>[{seconds:5}.{micros:06}][{:>6}] {text}\r\n",
            format!("T{task}")
        ),
        5 => format!("4,{us},{us},-,caller=T{task};{text}\n"),
        6 => format!("Nov 24 02:54:00 host kernel: [{seconds:5}.{micros:06}] {text}\n"),
        7 => format!("2026-11-24T02:54:00.123456+00:00 host kernel: {text}\n"),
        8 => format!("kern  :warn  : [{seconds:5}.{micros:06}] {text}\n"),
        _ => format!("{text}\n"),
    }
}

const FORMS: usize = 10;
/// The forms that say who printed.
const WITH_CALLER: [usize; 3] = [3, 4, 5];

pub(crate) fn rewritten(sample: &str, form: usize, shift_us: u64, noise: &[String]) -> String {
    let mut out = String::new();
    for (index, line) in log::lines(sample.as_bytes()).enumerate() {
        let text = String::from_utf8_lossy(&line.text);
        out.push_str(&written(form, &text, line.at_us + shift_us, 77));
        if let Some(other) = noise.get(index % noise.len().max(1)) {
            out.push_str(&written(form, other, line.at_us + shift_us, 1234));
        }
    }
    out
}

#[test]
fn every_form_of_a_log_means_the_same() {
    for (name, sample) in SINGLE.iter() {
        let expected = identities(sample.as_bytes());
        assert!(!expected.is_empty(), "{name}");
        for form in 0..FORMS {
            let again = identities(rewritten(sample, form, 5_000_000, &[]).as_bytes());
            assert_eq!(again, expected, "{name} in form {form}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_other_tasks_print_does_not_matter(
        which in any::<prop::sample::Index>(),
        form in prop::sample::select(WITH_CALLER.to_vec()),
        shift_us in 0_u64..1_000_000_000_000,
        noise in prop::collection::vec("[ -~]{0,40}", 1..8),
    ) {
        let (name, sample) = which.get(&SAMPLES);
        // Noise that begins reports of its own or is taken for an answer of another CPU is another test's.
        prop_assume!(noise.iter().all(|line| !line.contains(':') && !line.contains("+0x")));
        let again = identities(rewritten(sample, form, shift_us, &noise).as_bytes());
        prop_assert_eq!(again, identities(sample.as_bytes()), "{}", name);
    }

    #[test]
    fn reports_of_two_tasks_at_once_are_kept_apart(first in any::<prop::sample::Index>(), second in any::<prop::sample::Index>()) {
        let (first, second) = (&first.get(&SINGLE).1, &second.get(&SINGLE).1);
        // Messages about devices are collected by what they say, whoever prints them.
        prop_assume!([first, second].iter().all(|sample| !reports(sample.as_bytes())[0].kind.is_message()));
        let lines = |sample: &str| log::lines(sample.as_bytes()).map(|line| String::from_utf8_lossy(&line.text).into_owned()).collect::<Vec<_>>();
        let (a, b) = (lines(first), lines(second));
        prop_assume!([&a, &b].iter().all(|lines| !lines.iter().any(|line| line.contains("Sending NMI"))));
        let mut mixed = String::new();
        for index in 0..a.len().max(b.len()) {
            for (task, lines) in [(77, &a), (78, &b)] {
                if let Some(text) = lines.get(index) {
                    mixed.push_str(&written(3, text, 1_000_000 + index as u64, task));
                }
            }
        }
        let mut found = identities(mixed.as_bytes());
        let mut expected = identities(rewritten(first, 3, 0, &[]).as_bytes());
        expected.extend(identities(rewritten(second, 3, 0, &[]).as_bytes()));
        // Two samples may carry one title; which of them ends first depends on how long they are.
        let key = |(title, fingerprints): &(String, Vec<Fingerprint>)| {
            (title.clone(), fingerprints.iter().map(|fingerprint| fingerprint.value).collect::<Vec<_>>())
        };
        found.sort_by_key(key);
        expected.sort_by_key(key);
        prop_assert_eq!(found, expected);
    }
}
