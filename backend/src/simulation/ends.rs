//! How boots of a made-up fleet end, on all hosts alike. What an update restarts ends in order and is not told of.

use proto::v1::{Confidence, Demise, Evidence, Obituary, Record, Severity, record::Payload};

use super::{of_issue, programs};

/// The number of the first as an issue.
pub(super) const FIRST: i32 = programs::LAST + 1;

/// An end: expected beginnings a day on a host that is like most, what it is called and is, and what says so.
struct End {
    rate: f64,
    name: &'static str,
    demise: Demise,
    confidence: Confidence,
    evidence: &'static [(&'static str, &'static str)],
}

const ENDS: [End; 6] = [
    End {
        rate: 0.000_4,
        name: "kernel panic",
        demise: Demise::Panic,
        confidence: Confidence::High,
        evidence: &[(
            "pstore",
            "Kernel panic - not syncing: Fatal exception in interrupt",
        )],
    },
    End {
        rate: 0.000_3,
        name: "power loss",
        demise: Demise::PowerLoss,
        confidence: Confidence::Low,
        evidence: &[
            ("journal", "the last entry is no end of a shutdown"),
            ("wtmp", "no shutdown is noted"),
        ],
    },
    End {
        rate: 0.000_15,
        name: "hard hang",
        demise: Demise::HardHang,
        confidence: Confidence::Medium,
        evidence: &[("watchdog", "watchdog0 (iTCO_wdt) reset the machine")],
    },
    End {
        rate: 0.000_1,
        name: "hardware error",
        demise: Demise::HardwareError,
        confidence: Confidence::High,
        evidence: &[("BERT", "fatal: memory, multi-bit ECC")],
    },
    End {
        rate: 0.000_1,
        name: "out of memory",
        demise: Demise::OomLivelock,
        confidence: Confidence::Medium,
        evidence: &[("journal", "14 out-of-memory kills in the last minutes")],
    },
    End {
        rate: 0.000_05,
        name: "overheating",
        demise: Demise::Thermal,
        confidence: Confidence::High,
        evidence: &[("journal", "thermal thermal_zone0: critical temperature reached")],
    },
];

/// How often boots end so.
pub(super) fn rates() -> impl Iterator<Item = f64> {
    ENDS.iter().map(|end| end.rate)
}

/// The record of each, grouped by its number, of boots of this kernel. When they began and ended is the store's to say.
pub(super) fn records(kernel: &str) -> Vec<Record> {
    let numbered = (FIRST..).zip(&ENDS);
    let record = |(number, end): (i32, &End)| {
        let evidence = end.evidence.iter().map(|(source, text)| Evidence {
            source: (*source).to_owned(),
            text: (*text).to_owned(),
            ..Evidence::default()
        });
        let severity = if end.demise == Demise::PowerLoss {
            Severity::High
        } else {
            Severity::Critical
        };
        let record = Record {
            class: "boot.end".to_owned(),
            severity: severity.into(),
            title: format!("previous boot ended: {}", end.name),
            kernel_release: kernel.to_owned(),
            payload: Some(Payload::Obituary(Obituary {
                demise: end.demise.into(),
                confidence: end.confidence.into(),
                evidence: evidence.collect(),
                ..Obituary::default()
            })),
            ..Record::default()
        };
        of_issue(number, record)
    };
    numbered.map(record).collect()
}
