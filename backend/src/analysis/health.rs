//! How healthy is a memory module, a processor, a PCI function, a disk?
//!
//! A score from 0 to 100 orders parts by how much speaks for replacing them. Each sign of a failing part has a weight, and they
//! add up as independent doubts do: 100 (1 − Π (1 − weight)). It is an order of concern, not a probability; what it finds
//! and what it finds falsely is measured on fleets whose truth is known (`backend simulate --measure`).
//!
//! Why these signs: B. Schroeder, E. Pinheiro, W.-D. Weber, DRAM Errors in the Wild, SIGMETRICS 2009: errors of memory come from
//! what is broken rather than from chance, so that modules with corrected errors have more of them and then uncorrected ones;
//! V. Sridharan, D. Liberty, A Study of DRAM Failures in the Field, SC 2012: faults are of a cell, a row, a column, a bank, several
//! banks or a rank, by where their errors are, and the larger ones are those that correction may not be able to bear.

use std::collections::BTreeSet;

use serde::Serialize;
use statistics::{Counted, trend};

use crate::{
    record::part::{PartKind, Spot},
    store::{PART_DAYS, PartHistory, PartHour, ScoredPart},
};

/// The score from which on a part is bad, unless somebody says another: what an uncorrected error of memory has, or three weaker
/// signs together.
pub const BAD_SCORE: f64 = 75.0;
/// Hours of a day.
const DAY: i64 = 24;
/// From this probability on, by chance, more and more days with errors are a trend.
const RISING: f64 = 0.01;
/// Fewer different places than these may be so many errors by chance.
const PLACES: usize = 3;
/// Different pages with errors that are no longer the same cell, where nothing but the address is told.
const PAGES: usize = 4;

/// What is usual of a kind of part.
struct Usual {
    /// Corrected errors within 24 hours that are too many,
    too_many: u64,
    /// by whose measure,
    measure: &'static str,
    /// how much uncorrected errors weigh,
    uncorrected: f64,
    /// and days with errors after the first, each.
    day: f64,
}

impl Usual {
    fn of(kind: PartKind) -> Self {
        match kind {
            PartKind::Dimm | PartKind::Cxl => Self {
                too_many: 10,
                measure: "mcelog's default for a memory module (mcelog.conf, [dimm] ce-error-threshold)",
                uncorrected: 0.8,
                day: 0.2,
            },
            PartKind::Cpu => Self {
                too_many: 18,
                measure: "rasdaemon's default for a processor (rasdaemon.env, CPU_CE_THRESHOLD)",
                uncorrected: 0.8,
                day: 0.2,
            },
            PartKind::Pcie => Self {
                too_many: 691,
                measure: "a lane of 8 GT/s at the bit error ratio of 1e-12 that PCI Express allows",
                uncorrected: 0.5,
                day: 0.05,
            },
            // Disks tell no corrected errors; a request also fails when a cable is pulled.
            PartKind::Disk => Self {
                too_many: u64::MAX,
                measure: "",
                uncorrected: 0.4,
                day: 0.2,
            },
        }
    }
}

/// A sign that a part fails.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sign {
    /// Which: "fatal", "uncorrected", "many", "again", "rising", "spread", "seen".
    pub sign: &'static str,
    /// How much it weighs, 0 to 1.
    pub weight: f64,
    /// What was seen, in words and numbers.
    pub says: String,
}

impl Sign {
    fn new(sign: &'static str, weight: f64, says: String) -> Self {
        Self { sign, weight, says }
    }
}

/// The health of a part. `now` is the present hour, in hours since the Unix epoch.
pub fn score(history: PartHistory, now: i64) -> ScoredPart {
    let PartHistory { key, model, hours } = history;
    let sum = |of: fn(&PartHour) -> u64| hours.iter().map(of).fold(0, u64::saturating_add);
    let (corrected, uncorrected, fatal) = (
        sum(|hour| hour.corrected),
        sum(|hour| hour.uncorrected),
        sum(|hour| hour.fatal),
    );
    let most_a_day = most_within(&hours, DAY);
    let days: BTreeSet<i64> = hours.iter().map(|hour| hour.hour.div_euclid(DAY)).collect();
    let usual = Usual::of(key.kind);
    let mut signs = Vec::new();
    if fatal > 0 {
        signs.push(Sign::new("fatal", 0.9, errors(fatal, "fatal")));
    }
    if uncorrected > 0 {
        let says = errors(uncorrected, "uncorrected");
        signs.push(Sign::new("uncorrected", usual.uncorrected, says));
    }
    if most_a_day >= usual.too_many {
        let says = format!(
            "{} within 24 hours; {} are {}",
            errors(most_a_day, "corrected"),
            usual.too_many,
            usual.measure
        );
        signs.push(Sign::new("many", 0.5, says));
    }
    if days.len() > 1 {
        let again = 1.0 - (1.0 - usual.day).powf(super::real(days.len() as u64 - 1));
        let says = format!("errors on {} of the last {PART_DAYS} days", days.len());
        signs.push(Sign::new("again", again.min(0.8), says));
    }
    signs.extend(rising(&days, now.div_euclid(DAY)));
    signs.extend(spread(hours.iter().flat_map(|hour| &hour.spots)));
    if signs.is_empty() && !hours.is_empty() {
        signs.push(Sign::new(
            "seen",
            0.02,
            format!("{} on one day", errors(corrected, "corrected")),
        ));
    }
    let healthy: f64 = signs.iter().map(|sign| 1.0 - sign.weight).product();
    ScoredPart {
        score: 100.0 * (1.0 - healthy),
        // Invariant: signs are made of texts and numbers, which JSON has.
        evidence: serde_json::to_value(&signs).unwrap_or_default(),
        corrected,
        uncorrected,
        fatal,
        most_a_day,
        error_days: u32::try_from(days.len()).unwrap_or(u32::MAX),
        seen: hours
            .first()
            .zip(hours.last())
            .map(|(first, last)| (first.hour, last.hour)),
        key,
        model,
    }
}

/// `1 fatal error`, `2 fatal errors`.
fn errors(count: u64, kind: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {kind} error{ending}")
}

/// Most corrected errors of so many hours in a row.
fn most_within(hours: &[PartHour], span: i64) -> u64 {
    let mut most = 0;
    for (first, hour) in hours.iter().enumerate() {
        let within = hours[first..]
            .iter()
            .take_while(|other| other.hour < hour.hour.saturating_add(span));
        most = within
            .map(|other| other.corrected)
            .fold(0, u64::saturating_add)
            .max(most);
    }
    most
}

/// Days with errors become more. Days rather than errors, which come in storms and are not independent.
fn rising(days: &BTreeSet<i64>, today: i64) -> Option<Sign> {
    let periods: Vec<Counted> = (today - PART_DAYS + 1..=today)
        .map(|day| Counted {
            events: u64::from(days.contains(&day)),
            exposure: 1.0,
        })
        .collect();
    let trend = trend::trend(&periods).ok().flatten()?;
    (trend.p_rising <= RISING).then(|| {
        let says = format!(
            "days with errors become more frequent (z = {:.1}, p = {:.1e})",
            trend.z, trend.p_rising
        );
        Sign::new("rising", 0.3, says)
    })
}

/// How much of a memory module is broken, by where its errors are.
fn spread<'a>(spots: impl Iterator<Item = &'a Spot>) -> Option<Sign> {
    let (mut ranks, mut banks, mut rows, mut columns, mut pages) = (
        BTreeSet::new(),
        BTreeSet::new(),
        BTreeSet::new(),
        BTreeSet::new(),
        BTreeSet::new(),
    );
    let spots: BTreeSet<&Spot> = spots.filter(|spot| spot.cpu.is_none()).collect();
    if spots.len() < PLACES {
        return None;
    }
    for spot in spots {
        ranks.extend(spot.rank);
        banks.extend(spot.bank.map(|bank| (spot.rank, bank)));
        rows.extend(spot.row.map(|row| (spot.rank, spot.bank, row)));
        columns.extend(spot.column.map(|column| (spot.rank, spot.bank, column)));
        pages.extend(spot.page);
    }
    let sign = |weight, says: String| Some(Sign::new("spread", weight, says));
    match (ranks.len(), banks.len(), rows.len(), columns.len()) {
        (ranks @ 2.., ..) => sign(
            0.5,
            format!("errors in {ranks} ranks: more than a chip of it fails"),
        ),
        (_, banks @ 2.., ..) => sign(0.4, format!("errors in {banks} banks: more than one bank fails")),
        (_, _, rows @ 2.., columns @ 2..) => sign(
            0.3,
            format!("errors in {rows} rows and {columns} columns of a bank: the bank fails, not a cell"),
        ),
        (_, _, rows @ 2.., 1) => sign(
            0.2,
            format!("errors in {rows} rows of one column: the column fails"),
        ),
        (_, _, 1, columns @ 2..) => sign(
            0.2,
            format!("errors in {columns} columns of one row: the row fails"),
        ),
        _ if rows.is_empty() && pages.len() >= PAGES => sign(
            0.2,
            format!("errors in {} pages: more than a cell fails", pages.len()),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
