//! Another boot, build or machine prints a fault otherwise, and it stays the same fault.

use crate::{SAMPLES, SINGLE, identities, reports};
use faults::fingerprint::{Fingerprint, Level, of_report};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A number that depends on another one, and on how often it was varied.
fn mixed(value: u64, seed: u64) -> u64 {
    (value ^ seed.rotate_left(17))
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_right(11)
}

/// Rewrites the words of a text, those of letters, digits and `_.`; `change` gets what is before and the word.
fn words(text: &str, change: impl Fn(&str, &str) -> Option<String>) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let (mut out, mut at) = (String::new(), 0);
    while at < text.len() {
        let rest = &text[at..];
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        if end == 0 {
            let next = rest.chars().next().unwrap();
            out.push(next);
            at += next.len_utf8();
            continue;
        }
        let word = &rest[..end];
        out.push_str(&change(&text[..at], word).unwrap_or_else(|| word.to_owned()));
        at += end;
    }
    out
}

/// KASLR and other allocations: each kernel address becomes another.
fn moved(text: &str, seed: u64) -> String {
    words(text, |_, word| {
        let digits = word.strip_prefix("0x").unwrap_or(word);
        let is_address = digits.len() == 16 && digits.starts_with("ff") && digits != "ffffffffffffffff";
        let value = u64::from_str_radix(digits, 16).ok().filter(|_| is_address)?;
        let prefix = &word[..word.len() - 16];
        Some(format!(
            "{prefix}{:04x}{:012x}",
            value >> 48,
            mixed(value, seed) & 0xffff_ffff_f000 | value & 0xfff
        ))
    })
}

/// Another build: functions have other lengths, and the places in them other offsets.
fn rebuilt(text: &str, seed: u64) -> String {
    words(text, |before, word| {
        let value = u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()?;
        let is_frame =
            before.ends_with('+') || before.ends_with('/') && before.rsplit('+').next()?.starts_with("0x");
        // The beginning of a function stays the beginning.
        (is_frame && value != 0).then(|| format!("{:#x}", mixed(value, seed) % 0xfff + 1))
    })
}

/// Another task and CPU.
fn elsewhere(text: &str, pid: u64, cpu: u64) -> String {
    words(text, |before, word| {
        word.parse::<u64>().ok()?;
        let after = |what: &[&str]| what.iter().any(|what| before.ends_with(what));
        if after(&[
            "PID: ",
            "task pid:",
            "Killed process ",
            "of process ",
            "stack:0 pid:",
        ]) {
            return Some(pid.to_string());
        }
        after(&["CPU: ", "CPU#", "for cpu ", "CPU "]).then(|| cpu.to_string())
    })
}

/// Modules in another order.
fn reordered(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        if let Some((head, list)) = line.split_once("Modules linked in: ") {
            let (list, last) = list
                .split_once(" [last")
                .map_or((list, String::new()), |(list, last)| {
                    (list, format!(" [last{last}"))
                });
            let mut names: Vec<&str> = list.split_whitespace().collect();
            names.reverse();
            writeln!(out, "{head}Modules linked in: {}{last}", names.join(" ")).unwrap();
        } else {
            writeln!(out, "{line}").unwrap();
        }
    }
    out
}

/// Whether a line is a frame that the kernel is sure of.
fn is_frame(line: &str) -> bool {
    let text = line
        .rsplit("] ")
        .find(|part| part.contains("+0x"))
        .unwrap_or_default();
    text.starts_with(' ') && !text.contains('?') && !text.contains(':')
}

/// Another compiler: copies of functions have suffixes, and the stack has words that look like frames.
fn recompiled(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        if is_frame(line) && !line.contains(".cold") {
            let suffix = [".isra.0+0x", ".constprop.0+0x", ".part.0+0x"][line.len() % 3];
            let (before, _) = line.split_once("+0x").unwrap();
            let indent = before.rfind(' ').unwrap();
            writeln!(out, "{}", line.replacen("+0x", suffix, 1)).unwrap();
            writeln!(out, "{} ? left_over+0x1/0x20", &line[..indent]).unwrap();
        } else if !line.contains(" ? ") {
            writeln!(out, "{line}").unwrap();
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn another_boot_is_the_same_fault(which in any::<prop::sample::Index>(), seed: u64, pid in 2_u64..4_000_000, cpu in 2_u64..1000) {
        let (name, sample) = which.get(&SAMPLES);
        let again = elsewhere(&reordered(&moved(sample, seed)), pid, cpu);
        prop_assert_eq!(identities(again.as_bytes()), identities(sample.as_bytes()), "{}", name);
    }

    #[test]
    fn another_build_is_the_same_fault(which in any::<prop::sample::Index>(), seed: u64) {
        let (name, sample) = which.get(&SAMPLES);
        let again = recompiled(&rebuilt(sample, seed));
        prop_assert_eq!(identities(again.as_bytes()), identities(sample.as_bytes()), "{}", name);
    }
}

/// Faults that kernels title otherwise: what became of the page, and which stack it was.
const TITLED_OTHERWISE: [&str; 2] = ["hwpoison", "stack-overflow"];

/// A sample's kernel, its fault and its fingerprints from titles on. A module of ours has some of the
/// faults too.
struct Sample {
    kernel: &'static str,
    fault: &'static str,
    fingerprints: BTreeSet<String>,
}

fn single() -> Vec<Sample> {
    let of = |(name, sample): &'static (String, String)| {
        let (kernel, fault) = name.split_once('-').unwrap();
        let fine = |fingerprint: &Fingerprint| fingerprint.level > Level::Class;
        let found = reports(sample.as_bytes());
        let fingerprints = found.iter().flat_map(of_report).filter(fine);
        Sample {
            kernel,
            fault,
            fingerprints: fingerprints.map(|fingerprint| fingerprint.to_string()).collect(),
        }
    };
    SINGLE.iter().map(of).collect()
}

#[test]
fn one_fault_meets_on_all_kernels() {
    let samples = single();
    for (index, one) in samples.iter().enumerate() {
        for other in samples[index + 1..]
            .iter()
            .filter(|other| other.fault == one.fault)
        {
            let meet = !one.fingerprints.is_disjoint(&other.fingerprints);
            let expected = meet || TITLED_OTHERWISE.contains(&one.fault);
            assert!(expected, "{} on {} and {}", one.fault, one.kernel, other.kernel);
        }
    }
}

#[test]
fn two_faults_do_not_meet() {
    let samples = single();
    for (index, one) in samples.iter().enumerate() {
        let is_other = |other: &&Sample| {
            let plain = |fault: &'static str| fault.strip_prefix("module-").unwrap_or(fault);
            plain(other.fault) != plain(one.fault)
        };
        for other in samples[index + 1..].iter().filter(is_other) {
            let meet = !one.fingerprints.is_disjoint(&other.fingerprints);
            assert!(
                !meet,
                "{}-{} and {}-{}",
                one.kernel, one.fault, other.kernel, other.fault
            );
        }
    }
}

/// A report that ends within its stack says so.
#[test]
fn a_log_that_ends_early_is_told() {
    for (name, sample) in SINGLE.iter() {
        let lines: Vec<&str> = sample.split_inclusive('\n').collect();
        for end in 1..lines.len() {
            let cut = lines[..end].concat();
            let Some(report) = reports(cut.as_bytes()).into_iter().next() else {
                continue;
            };
            let last = lines[end - 1];
            if is_frame(last)
                && lines.get(end).is_some_and(|next| is_frame(next))
                && lines[end..].iter().any(|line| line.contains("</TASK>"))
            {
                assert!(
                    report.truncated || report.corrupted || !report.missing.is_empty(),
                    "{name} after line {end}: {last}"
                );
            }
        }
    }
}
