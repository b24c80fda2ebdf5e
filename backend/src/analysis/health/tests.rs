use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::store::PartKey;

/// The present hour: noon of a day.
const NOW: i64 = 20_000 * DAY + 12;

fn history(kind: PartKind, hours: Vec<PartHour>) -> PartHistory {
    PartHistory {
        key: PartKey {
            agent_id: Uuid::nil(),
            kind,
            part: "A1".to_owned(),
        },
        model: String::new(),
        hours,
    }
}

/// Corrected errors so many days ago.
fn corrected(days_ago: i64, errors: u64, spots: &[Spot]) -> PartHour {
    PartHour {
        hour: NOW - days_ago * DAY,
        corrected: errors,
        spots: spots.to_vec(),
        ..PartHour::default()
    }
}

fn cell(bank: u64, row: u64, column: u64) -> Spot {
    Spot {
        bank: Some(bank),
        row: Some(row),
        column: Some(column),
        ..Spot::default()
    }
}

fn signs(part: &ScoredPart) -> Vec<&str> {
    let signs = part.evidence.as_array().unwrap();
    signs.iter().map(|sign| sign["sign"].as_str().unwrap()).collect()
}

#[test]
fn one_corrected_error_is_next_to_nothing_and_none_is_nothing() {
    let one = score(
        history(PartKind::Dimm, vec![corrected(3, 1, &[cell(1, 2, 3)])]),
        NOW,
    );
    assert_eq!(signs(&one), ["seen"]);
    assert!((one.score - 2.0).abs() < 1e-9, "{}", one.score);
    let none = score(history(PartKind::Dimm, Vec::new()), NOW);
    assert_eq!(none.seen, None);
    assert!(none.score.abs() < 1e-9);
}

#[test]
fn a_module_that_errs_more_and_more_in_a_bank_is_bad_and_says_why() {
    let hours = (0..12).rev().map(|day| {
        corrected(
            day,
            24 - 2 * day.unsigned_abs(),
            &[cell(1, day.unsigned_abs(), 40 + day.unsigned_abs())],
        )
    });
    let bad = score(history(PartKind::Dimm, hours.collect()), NOW);
    assert_eq!(signs(&bad), ["many", "again", "rising", "spread"]);
    assert!(bad.score > 90.0, "{}", bad.score);
    assert_eq!((bad.most_a_day, bad.error_days, bad.corrected), (24, 12, 156));
    insta::assert_snapshot!(serde_json::to_string_pretty(&bad.evidence).unwrap());
}

#[test]
fn errors_of_a_day_are_those_of_any_24_hours_in_a_row() {
    let hours = vec![
        PartHour {
            hour: NOW - 30,
            corrected: 6,
            ..PartHour::default()
        },
        PartHour {
            hour: NOW - 7,
            corrected: 6,
            ..PartHour::default()
        },
        PartHour {
            hour: NOW - 6,
            corrected: 1,
            ..PartHour::default()
        },
    ];
    assert_eq!(score(history(PartKind::Dimm, hours), NOW).most_a_day, 12);
}

#[test]
fn an_uncorrected_error_weighs_by_the_kind_of_part_and_a_fatal_one_most() {
    let with = |kind, uncorrected, fatal| {
        let hour = PartHour {
            hour: NOW,
            uncorrected,
            fatal,
            ..PartHour::default()
        };
        format!("{:.0}", score(history(kind, vec![hour]), NOW).score)
    };
    assert_eq!(with(PartKind::Dimm, 1, 0), "80");
    assert_eq!(with(PartKind::Pcie, 1, 0), "50");
    assert_eq!(with(PartKind::Disk, 1, 0), "40");
    assert_eq!(with(PartKind::Cpu, 0, 1), "90");
    assert_eq!(with(PartKind::Cpu, 1, 1), "98");
}

#[test]
fn what_is_broken_of_a_module_is_told_by_where_its_errors_are() {
    let says = |spots: &[Spot]| spread(spots.iter()).map(|sign| sign.says).unwrap_or_default();
    assert_eq!(says(&[cell(1, 2, 3), cell(1, 2, 3)]), "", "one cell");
    assert_eq!(says(&[cell(1, 2, 3), cell(2, 3, 4)]), "", "two may be chance");
    assert!(says(&[cell(1, 2, 3), cell(1, 2, 4), cell(1, 2, 5)]).contains("the row fails"));
    assert!(says(&[cell(1, 2, 3), cell(1, 3, 3), cell(1, 4, 3)]).contains("the column fails"));
    assert!(says(&[cell(1, 2, 3), cell(1, 3, 4), cell(1, 3, 5)]).contains("the bank fails"));
    assert!(says(&[cell(1, 2, 3), cell(2, 3, 4), cell(1, 2, 4)]).contains("2 banks"));
    let page = |page| Spot {
        page: Some(page),
        ..Spot::default()
    };
    assert!(says(&[1, 2, 3, 4].map(page)).contains("4 pages"));
    assert_eq!(says(&[1, 2, 3].map(page)), "");
}

proptest! {
    #[test]
    fn a_score_is_from_0_to_100_and_more_harm_never_lowers_it(
        hours in prop::collection::btree_map(0i64..720, (0u64..=u64::MAX, 0u64..3), 0..60),
        kind in prop::sample::select(PartKind::ALL.to_vec()),
    ) {
        let hours: Vec<PartHour> = hours
            .into_iter()
            .map(|(at, (corrected, uncorrected))| PartHour {
                hour: NOW - 719 + at, corrected, uncorrected, ..PartHour::default()
            })
            .collect();
        let before = score(history(kind, hours.clone()), NOW).score;
        prop_assert!((0.0..=100.0).contains(&before));
        let mut worse = hours;
        if let Some(last) = worse.last_mut() {
            last.fatal = 1;
            prop_assert!(score(history(kind, worse), NOW).score >= before);
        }
    }
}
