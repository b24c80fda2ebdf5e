//! What rasdaemon 0.8.4 decodes from 650 states of registers, in the words of this crate.
//!
//! Its decoders were built from the release's sources and called with each line's registers. Compared are the code, how many
//! words the model-specific code has (for AMD whether the extended code is known), S and AR or the threshold, the
//! count of corrected errors, and channel, rank or chip select; `-` stands for what it does not tell. Where the two differ on
//! purpose, [`differs`] says why.

use super::super::code::Code;
use super::super::intel;
use super::*;

const VECTORS: &str = include_str!("rasdaemon-0.8.4.tsv");

struct Vector<'t> {
    check: MachineCheck,
    code: &'t str,
    words: usize,
    state: &'t str,
    count: &'t str,
    channel: &'t str,
    ranks: &'t str,
    bank: &'t str,
}

fn vectors() -> impl Iterator<Item = Vector<'static>> {
    VECTORS.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [registers, code, words, state, count, channel, ranks, bank] = columns[..] else {
            panic!("{line}")
        };
        let numbers: Vec<&str> = registers.split(' ').collect();
        let hex = |index: usize| u64::from_str_radix(numbers[index], 16).unwrap();
        let check = MachineCheck {
            vendor: numbers[0].parse().unwrap(),
            cpuid: u32::try_from(hex(1)).unwrap(),
            bank: numbers[2].parse().unwrap(),
            status: hex(3),
            addr: hex(4),
            misc: hex(5),
            mcg_cap: hex(6),
            ipid: hex(7),
            synd: hex(8),
            ..MachineCheck::default()
        };
        Vector {
            check,
            code,
            words: words.parse().unwrap(),
            state,
            count,
            channel,
            ranks,
            bank,
        }
    })
}

/// Vectors of which rasdaemon says something else, and which of the facts.
fn differs(vector: &Vector<'_>, fact: &str) -> bool {
    let check = &vector.check;
    let mscod = check.status >> 16 & 0xffff;
    let (bank, model) = (check.bank, check.model());
    match (check.vendor(), fact) {
        // Memory as the cache of other memory: rasdaemon 0.8.4 does not know the code.
        (Vendor::Intel, "code") => matches!(check.status & 0xffff, 0x0280..=0x02ff),
        // Its channel is 3 * controller + code; the kernel's driver takes the bank, with two channels a controller.
        (Vendor::Intel, "channel") => model >= 0x6a,
        // Bits of the mesh that are counts there; ours are the seven that the SDM names.
        (Vendor::Intel, "words") => bank == 16 && model == 0x6a && mscod == 0x80,
        _ => false,
    }
}

#[test]
fn there_are_vectors_of_each_kind() {
    let count = |vendor: u8| vectors().filter(|vector| vector.check.vendor == vendor).count();
    assert!(count(0) > 250 && count(2) > 250, "{} and {}", count(0), count(2));
}

#[test]
fn codes_are_read_alike() {
    for vector in vectors().filter(|vector| !differs(vector, "code")) {
        let code = (vector.check.status & 0xffff) as u16;
        let words = match vector.check.vendor() {
            Vendor::Amd => Code::amd(code).words(),
            _ => Code::intel(code & !0x1000).words(),
        };
        assert_eq!(words, vector.code, "{:?}", vector.check);
    }
}

#[test]
fn model_specific_codes_are_known_alike() {
    let mut wrong = Vec::new();
    for vector in vectors().filter(|vector| !differs(vector, "words")) {
        let decoded = vector.check.decode();
        let known = match vector.check.vendor() {
            Vendor::Amd => usize::from(
                !field(&decoded, "STATUS", "ErrorCodeExt")
                    .unwrap()
                    .meaning
                    .is_empty(),
            ),
            _ => intel::known_words(&vector.check),
        };
        if known != vector.words {
            let MachineCheck {
                cpuid, bank, status, ..
            } = vector.check;
            wrong.push(format!(
                "{cpuid:#x} bank {bank} {status:#x}: {known}, not {}: {}",
                vector.words, decoded.what
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn banks_are_named_alike() {
    for vector in vectors().filter(|vector| vector.bank != "-") {
        let name = vector.check.decode().place.bank_name.unwrap();
        let expected = match (vector.check.family(), vector.check.model(), vector.bank) {
            // What drives HBM has a name of its own here.
            (0x19, 0x90..=0x9f, "memory controller") => "memory controller of HBM",
            (_, _, bank) => bank,
        };
        assert_eq!(name, expected);
    }
}

#[test]
fn states_and_counts_are_read_alike() {
    for vector in vectors().filter(|vector| vector.check.vendor == 0) {
        let decoded = vector.check.decode();
        let uncorrected = vector.check.status >> 61 & 1 != 0 && decoded.outcome != Outcome::Fatal;
        match vector.state {
            "SRAO" if uncorrected => assert_eq!(decoded.outcome, Outcome::ActionOptional),
            "SRAR" if uncorrected => assert_eq!(decoded.outcome, Outcome::ActionRequired),
            "green" | "yellow" => {
                let threshold = field(&decoded, "STATUS", "threshold").unwrap();
                assert!(threshold.meaning.starts_with(vector.state));
            }
            _ => {}
        }
        if vector.count != "-" {
            assert_eq!(
                decoded.corrected_count.map(|count| count.to_string()).as_deref(),
                Some(vector.count)
            );
        }
    }
}

#[test]
fn places_in_memory_are_read_alike() {
    for vector in vectors().filter(|vector| vector.channel != "-" && !differs(vector, "channel")) {
        let place = vector.check.decode().place;
        assert_eq!(
            place.channel.map(|channel| channel.to_string()).as_deref(),
            Some(vector.channel),
            "{:?}",
            vector.check
        );
        let ranks: Vec<String> = place.ranks.iter().map(ToString::to_string).collect();
        let expected = if vector.ranks == "-" { "" } else { vector.ranks };
        match vector.check.vendor() {
            Vendor::Amd => assert_eq!(
                place.chip_select.map(|select| select.to_string()).as_deref(),
                Some(expected)
            ),
            _ => assert_eq!(ranks.join(","), expected, "{:?}", vector.check),
        }
    }
}
