//! Parts of machines that had errors: all of them, and one.

use askama::Template;
use jiff::Timestamp;
use proto::v1::{ListPartsResponse, Part, PartFilter, PartHour, PartSign};

use super::chart::Bars;
use super::hosts::host_page_href;
use super::issues::days_before;
use super::list::Choice;
use super::{Facts, Moment, bytes, grouped, name_of_host, next_href};
use crate::http::{access::Frame, json::bytes_text};
use crate::record::part::PartKind;
use crate::store::PART_DAYS;

/// The size of the chart.
const CHART: (u32, u32) = (900, 110);
/// Scores from which on a part is called failing, and suspect. The first is what `bad_part` alerts of unless it is told another.
const FAILING: f64 = 75.0;
const SUSPECT: f64 = 40.0;
/// Nanoseconds of a day.
const DAY_NS: u64 = 86_400_000_000_000;

/// The page `/hardware`.
#[derive(Debug, Template)]
#[template(path = "hardware.html")]
pub(in crate::http) struct HardwarePage {
    pub(in crate::http) kinds: Vec<Choice>,
    pub(in crate::http) host: String,
    pub(in crate::http) rows: Vec<PartRow>,
    pub(in crate::http) filtered: bool,
    /// The next page; empty: this is the last.
    pub(in crate::http) next: String,
    pub(in crate::http) frame: Frame,
}

/// One part.
#[derive(Debug)]
pub(in crate::http) struct PartRow {
    pub(in crate::http) href: String,
    pub(in crate::http) score: String,
    /// How the score is called, and the class of severity whose colour it has.
    pub(in crate::http) health: &'static str,
    pub(in crate::http) style: &'static str,
    pub(in crate::http) kind: &'static str,
    pub(in crate::http) part: String,
    pub(in crate::http) what: String,
    pub(in crate::http) host: String,
    pub(in crate::http) host_href: String,
    /// The weightiest sign, without what it is measured by: that is on the page of the part.
    pub(in crate::http) says: String,
    pub(in crate::http) corrected: String,
    pub(in crate::http) uncorrected: String,
    pub(in crate::http) last: Option<Moment>,
}

/// The page `/hardware/{id}`.
#[derive(Debug, Template)]
#[template(path = "part.html")]
pub(in crate::http) struct PartPage {
    pub(in crate::http) id: String,
    pub(in crate::http) row: PartRow,
    pub(in crate::http) signs: Vec<SignRow>,
    pub(in crate::http) days: Bars,
    pub(in crate::http) most: String,
    pub(in crate::http) from: String,
    pub(in crate::http) spots: Vec<String>,
    pub(in crate::http) aside: Vec<Facts>,
    pub(in crate::http) frame: Frame,
}

/// What speaks for a part being broken.
#[derive(Debug)]
pub(in crate::http) struct SignRow {
    pub(in crate::http) says: String,
    pub(in crate::http) weight: String,
}

impl HardwarePage {
    pub(in crate::http) fn new(
        filter: &PartFilter,
        list: &ListPartsResponse,
        now: Timestamp,
        frame: Frame,
    ) -> Self {
        let kinds = PartKind::ALL.map(|kind| Choice {
            value: kind.name().to_owned(),
            label: noun(kind.name()).to_owned(),
            selected: kind.name() == filter.kind,
        });
        Self {
            kinds: kinds.into(),
            host: filter.host.clone(),
            rows: list.parts.iter().map(|part| PartRow::new(part, now)).collect(),
            filtered: !filter.kind.is_empty() || !filter.host.is_empty(),
            next: next_href(
                "/hardware",
                &[("kind", &filter.kind), ("host", &filter.host)],
                &list.next_page_token,
            ),
            frame,
        }
    }
}

impl PartRow {
    pub(in crate::http) fn new(part: &Part, now: Timestamp) -> Self {
        let agent_id = bytes_text(&part.agent_id);
        let (health, style) = health(part.score);
        let weightiest = part
            .evidence
            .iter()
            .max_by(|one, other| one.weight.total_cmp(&other.weight));
        Self {
            href: format!("/hardware/{}", part.id),
            score: format!("{:.0}", part.score),
            health,
            style,
            kind: noun(&part.kind),
            part: part.part.clone(),
            what: what(part),
            host: name_of_host(&part.hostname, &agent_id),
            host_href: host_page_href(&agent_id),
            says: weightiest
                .and_then(|sign| sign.says.split("; ").next())
                .unwrap_or_default()
                .to_owned(),
            corrected: grouped(part.corrected),
            uncorrected: grouped(part.uncorrected.saturating_add(part.fatal)),
            last: Moment::new(part.last_seen_unix_ns, now),
        }
    }
}

impl PartPage {
    pub(in crate::http) fn new(part: &Part, now: Timestamp, frame: Frame) -> Self {
        let days = errors_by_day(&part.hours, now);
        let mut spots: Vec<String> = part.hours.iter().flat_map(|hour| hour.spots.clone()).collect();
        spots.sort_unstable();
        spots.dedup();
        Self {
            id: part.id.clone(),
            row: PartRow::new(part, now),
            signs: part.evidence.iter().map(SignRow::from).collect(),
            most: grouped(days.iter().map(|(errors, _)| *errors).max().unwrap_or(0)),
            from: days_before(now, PART_DAYS.unsigned_abs() - 1),
            days: Bars::new(CHART, &days, format!("Errors by day, the last {PART_DAYS} days")),
            spots,
            aside: [errors(part, now), identity(part)]
                .into_iter()
                .filter(|facts| !facts.facts.is_empty())
                .collect(),
            frame,
        }
    }
}

impl From<&PartSign> for SignRow {
    fn from(sign: &PartSign) -> Self {
        Self {
            says: sign.says.clone(),
            weight: format!("{:.2}", sign.weight),
        }
    }
}

/// What a score is called, and whose colour it has.
fn health(score: f64) -> (&'static str, &'static str) {
    match score {
        FAILING.. => ("failing", "critical"),
        SUSPECT.. => ("suspect", "medium"),
        _ => ("watched", "low"),
    }
}

/// The words for a kind of part.
fn noun(kind: &str) -> &'static str {
    PartKind::of_name(kind).map_or("part", PartKind::noun)
}

/// What is known of what it is: the maker's words, or the model.
fn what(part: &Part) -> String {
    let size = if part.size_bytes == 0 {
        String::new()
    } else {
        bytes(part.size_bytes)
    };
    let of_module = [&size, &part.technology, &part.manufacturer, &part.part_number];
    let known: Vec<&str> = of_module
        .into_iter()
        .map(String::as_str)
        .filter(|word| !word.is_empty())
        .collect();
    match (known.is_empty(), part.kind.as_str()) {
        (false, _) => known.join(" "),
        (true, "cpu") if part.model.is_empty() => part.cpu_model.clone(),
        (true, _) => part.model.clone(),
    }
}

/// Errors of each of the last days, with words.
fn errors_by_day(hours: &[PartHour], now: Timestamp) -> Vec<(u64, String)> {
    let today = u64::try_from(now.as_second()).unwrap_or(0) / 86_400;
    let days = PART_DAYS.unsigned_abs();
    let of_day = |ago: u64| {
        let of_it = hours
            .iter()
            .filter(|hour| hour.hour_unix_ns / DAY_NS == today.saturating_sub(ago));
        let (mut corrected, mut not) = (0_u64, 0_u64);
        for hour in of_it {
            corrected = corrected.saturating_add(hour.corrected);
            not = not.saturating_add(hour.uncorrected).saturating_add(hour.fatal);
        }
        let words = format!(
            "{}: {} corrected, {} not",
            days_before(now, ago),
            grouped(corrected),
            grouped(not)
        );
        (corrected.saturating_add(not), words)
    };
    (0..days).rev().map(of_day).collect()
}

fn errors(part: &Part, now: Timestamp) -> Facts {
    let mut facts = Facts::new("Errors of 30 days");
    facts.add("Corrected", grouped(part.corrected));
    facts.add("Not corrected", grouped(part.uncorrected));
    facts.add("Fatal", grouped(part.fatal));
    facts.add_noted("Most", grouped(part.most_a_day), "corrected, within 24 hours");
    facts.add("On days", grouped(part.error_days.into()));
    for (label, at) in [
        ("First", part.first_seen_unix_ns),
        ("Last", part.last_seen_unix_ns),
        ("Scored", part.scored_unix_ns),
    ] {
        if let Some(at) = Moment::new(at, now) {
            facts.add_noted(label, at.age, at.absolute);
        }
    }
    facts
}

fn identity(part: &Part) -> Facts {
    let mut facts = Facts::new("What it is");
    facts.add("Kind", noun(&part.kind));
    facts.add("Model", part.model.as_str());
    facts.add("Maker", part.manufacturer.as_str());
    facts.add_mono("Part number", part.part_number.as_str());
    facts.add("Technology", part.technology.as_str());
    if part.size_bytes > 0 {
        facts.add("Size", bytes(part.size_bytes));
    }
    facts.add("In a", part.product.as_str());
    facts.add("Processor", part.cpu_model.as_str());
    facts.add_mono("Microcode", part.microcode.as_str());
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_count_for_the_day_in_which_they_happened() {
        let now: Timestamp = "2026-11-27T12:00:00Z".parse().unwrap();
        let at = |text: &str| {
            let at: Timestamp = text.parse().unwrap();
            u64::try_from(at.as_nanosecond()).unwrap()
        };
        let hour = |text, corrected, uncorrected| PartHour {
            hour_unix_ns: at(text),
            corrected,
            uncorrected,
            ..PartHour::default()
        };
        let hours = [
            hour("2026-11-26T23:00:00Z", 3, 0),
            hour("2026-11-27T00:00:00Z", 1, 1),
            hour("2026-11-27T11:00:00Z", u64::MAX, 0),
        ];
        let days = errors_by_day(&hours, now);
        assert_eq!(days.len(), 30);
        assert_eq!(days[28], (3, "2026-11-26: 3 corrected, 0 not".to_owned()));
        assert_eq!(days[29].0, u64::MAX, "sums end where numbers do");
    }

    #[test]
    fn a_list_says_what_weighs_most_and_leaves_its_measure_to_the_page() {
        let sign = |says: &str, weight| PartSign {
            says: says.to_owned(),
            weight,
            ..PartSign::default()
        };
        let part = Part {
            evidence: vec![
                sign("errors on 2 of the last 30 days", 0.2),
                sign("53 corrected errors within 24 hours; 10 are usual", 0.5),
            ],
            ..Part::default()
        };
        let row = PartRow::new(&part, Timestamp::UNIX_EPOCH);
        assert_eq!(row.says, "53 corrected errors within 24 hours");
    }

    #[test]
    fn a_score_is_a_word_and_a_colour() {
        let words = [100.0, 75.0, 74.9, 40.0, 2.0, 0.0].map(|score| health(score).0);
        assert_eq!(
            words,
            ["failing", "failing", "suspect", "suspect", "watched", "watched"]
        );
    }
}
