//! How a boot ended.

use jiff::Timestamp;
use proto::v1::{Confidence, Demise, Obituary};

use super::{Sections, Table};
use crate::http::view::{Facts, Moment, duration};

/// The end of a boot, and what says so.
pub(super) fn sections(end: &Obituary) -> Sections {
    let mut facts = Facts::new("How the boot ended");
    facts.add_noted("End", demise(end.demise()), meaning(end.demise()));
    facts.add_noted("How sure", confidence(end.confidence()), why(end.confidence()));
    facts.add("Began", moment(end.booted_at_unix_ns));
    facts.add("Last alive", moment(end.last_alive_unix_ns));
    if end.booted_at_unix_ns != 0 && end.last_alive_unix_ns > end.booted_at_unix_ns {
        let lived_s = (end.last_alive_unix_ns - end.booted_at_unix_ns) / 1_000_000_000;
        facts.add("Ran for", duration(lived_s));
    }
    let evidence = end.evidence.iter().map(|evidence| {
        vec![
            evidence.source.clone(),
            evidence.text.clone(),
            moment(evidence.at_unix_ns),
        ]
    });
    let evidence = Table::new(
        "What says so",
        &["Source", "What it says", "When"],
        evidence.collect(),
    );
    Sections {
        facts: vec![facts],
        tables: evidence.into_iter().collect(),
        ..Sections::default()
    }
}

fn moment(unix_ns: u64) -> String {
    // Its age is not shown, so it does not matter what time it is.
    Moment::new(unix_ns, Timestamp::UNIX_EPOCH).map_or_else(String::new, |moment| moment.absolute)
}

/// The end in a word or two.
fn demise(demise: Demise) -> &'static str {
    match demise {
        Demise::Unspecified => "",
        Demise::Unknown => "not known",
        Demise::Clean => "clean",
        Demise::Panic => "panic",
        Demise::HardHang => "hard hang",
        Demise::PowerLoss => "power loss",
        Demise::Thermal => "thermal",
        Demise::HardwareError => "hardware error",
        Demise::OomLivelock => "out of memory",
    }
}

fn meaning(demise: Demise) -> &'static str {
    match demise {
        Demise::Unspecified | Demise::Unknown => "",
        Demise::Clean => "shut down or restarted in order",
        Demise::Panic => "the kernel gave up",
        Demise::HardHang => "it stood still until somebody or a watchdog reset it",
        Demise::PowerLoss => "power went away, or it was switched off",
        Demise::Thermal => "it was too hot",
        Demise::HardwareError => "the hardware reported a fatal error",
        Demise::OomLivelock => "it ran out of memory until it was reset",
    }
}

/// How sure, in a word.
pub(in crate::http::view) fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Unspecified => "",
        Confidence::Low => "unsure",
        Confidence::Medium => "likely",
        Confidence::High => "certain",
    }
}

fn why(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Unspecified => "",
        Confidence::Low => "one weak sign",
        Confidence::Medium => "signs that fit together",
        Confidence::High => "the cause itself is recorded",
    }
}
