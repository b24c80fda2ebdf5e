//! The first page: is the fleet well?

use askama::Template;
use jiff::Timestamp;
use proto::v1::{Fault, Issue};

use super::chart::Bars;
use super::issues::{IssueRow, days_before};
use super::list::Row;
use super::rates::{RateRow, end_of_axis, longest, sets_scale};
use super::{admin::AlertRow, class_href, compare_href, counted, grouped};
use crate::analysis::{FleetDay, Rate};
use crate::http::access::Frame;
use crate::store::{CLASS_DAYS, HEARD_MINUTES, OpenOfRule, Overview};

/// Days of the chart.
pub(in crate::http) const DAYS: u16 = 30;
/// Its size.
const CHART: (u32, u32) = (900, 120);
/// Builds that are shown.
const BUILDS: usize = 6;
/// Rules whose alerts are shown.
const RULES: usize = 5;
/// The chart's unit: a bar of n is n thousandths.
const THOUSANDTHS: f64 = 1000.0;

/// The page `/`.
#[derive(Debug, Template)]
#[template(path = "overview.html")]
pub(in crate::http) struct OverviewPage {
    pub(in crate::http) tiles: Vec<Tile>,
    pub(in crate::http) alerts: Vec<RuleRow>,
    /// `3 more rules find something`; empty: all are shown.
    pub(in crate::http) more_rules: String,
    pub(in crate::http) days: Bars,
    /// Why the chart has no bar, where it has none.
    pub(in crate::http) no_rate: String,
    pub(in crate::http) most: String,
    pub(in crate::http) from: String,
    pub(in crate::http) attention: Vec<IssueRow>,
    pub(in crate::http) builds: Vec<RateRow>,
    /// The two that were watched longest, one against the other.
    pub(in crate::http) compare: Option<Compare>,
    pub(in crate::http) classes: Vec<ClassRow>,
    pub(in crate::http) class_days: i32,
    pub(in crate::http) ends: Vec<Row>,
    /// Nothing was ever heard.
    pub(in crate::http) empty: bool,
    pub(in crate::http) frame: Frame,
}

/// A number that says something by itself.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) struct Tile {
    pub(in crate::http) label: &'static str,
    pub(in crate::http) value: String,
    pub(in crate::http) note: String,
    pub(in crate::http) href: &'static str,
    /// It is not as it should be.
    pub(in crate::http) bad: bool,
}

/// A rule that finds something: the worst of it.
#[derive(Debug)]
pub(in crate::http) struct RuleRow {
    pub(in crate::http) alert: AlertRow,
    /// `and 20 more`; empty: that is all.
    pub(in crate::http) more: String,
}

/// Two builds to be compared.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) struct Compare {
    pub(in crate::http) words: String,
    pub(in crate::http) href: String,
}

/// A class and what there was of it.
#[derive(Debug)]
pub(in crate::http) struct ClassRow {
    pub(in crate::http) class: String,
    pub(in crate::http) href: String,
    pub(in crate::http) records: String,
    pub(in crate::http) hosts: String,
}

/// What the page is made of.
#[derive(Debug)]
pub(in crate::http) struct OverviewInput {
    pub(in crate::http) overview: Overview,
    /// The days of the chart, today last.
    pub(in crate::http) days: Vec<FleetDay>,
    /// The rule with the worst first.
    pub(in crate::http) alerts: Vec<OpenOfRule>,
    /// New, regressed and escalating issues.
    pub(in crate::http) attention: Vec<Issue>,
    pub(in crate::http) days_of_issues: std::collections::HashMap<uuid::Uuid, Vec<crate::store::IssueDay>>,
    /// The two that hosts began to run last, the newest first.
    pub(in crate::http) newest_builds: Vec<String>,
    pub(in crate::http) builds: Vec<Rate>,
    /// The last ends of boots that were not as they should be.
    pub(in crate::http) ends: Vec<Fault>,
    pub(in crate::http) now: Timestamp,
    pub(in crate::http) frame: Frame,
}

impl OverviewPage {
    pub(in crate::http) fn new(input: OverviewInput) -> Self {
        let OverviewInput {
            overview,
            days,
            alerts,
            attention,
            days_of_issues,
            newest_builds,
            mut builds,
            ends,
            now,
            frame,
        } = input;
        builds.truncate(BUILDS);
        let end = end_of_axis(&builds);
        let rates = rates_by_day(&days, now);
        let most = rates.iter().map(|(rate, _)| *rate).max().unwrap_or(0);
        let classes = overview.classes.iter().map(|sum| ClassRow {
            class: sum.class.clone(),
            href: class_href(&sum.class),
            records: grouped(sum.records),
            hosts: grouped(sum.hosts),
        });
        Self {
            tiles: tiles(&overview),
            more_rules: match alerts.len().saturating_sub(RULES) {
                0 => String::new(),
                1 => "1 more rule finds something".to_owned(),
                more => format!("{more} more rules find something"),
            },
            alerts: alerts.iter().take(RULES).map(RuleRow::from).collect(),
            compare: compare(&newest_builds),
            no_rate: match most {
                0 if days.iter().any(|day| day.affected > 0) => {
                    "Some hosts had one; no day was watched for long enough for a rate yet.".to_owned()
                }
                0 => format!("No host had one in the last {DAYS} days."),
                _ => String::new(),
            },
            most: per_thousand(most),
            from: days_before(now, u64::from(DAYS) - 1),
            days: Bars::new(
                CHART,
                &rates,
                format!("Hosts with a fault by day in 1,000 host-hours, the last {DAYS} days"),
            ),
            attention: attention
                .iter()
                .map(|issue| IssueRow::new(issue, &days_of_issues, now))
                .collect(),
            builds: builds.iter().map(|rate| RateRow::new(rate, end)).collect(),
            classes: classes.collect(),
            class_days: CLASS_DAYS,
            ends: ends.iter().map(|fault| Row::new(fault, now)).collect(),
            empty: overview.hosts == 0,
            frame,
        }
    }
}

impl From<&OpenOfRule> for RuleRow {
    fn from(open: &OpenOfRule) -> Self {
        Self {
            alert: AlertRow::from(&open.worst),
            more: match open.others {
                0 => String::new(),
                others => format!("and {} more", grouped(others)),
            },
        }
    }
}

/// The newest against the one before it.
fn compare(builds: &[String]) -> Option<Compare> {
    let [to, from, ..] = builds else {
        return None;
    };
    Some(Compare {
        words: format!("{to} against {from}"),
        href: compare_href(from, to),
    })
}

fn tiles(overview: &Overview) -> Vec<Tile> {
    let in_state = |state: &str| {
        let found = overview.states.iter().find(|(name, _)| name == state);
        found.map_or(0, |(_, count)| *count)
    };
    let silent = overview.hosts.saturating_sub(overview.heard);
    let issues = |label, state, href, bad| Tile {
        label,
        value: grouped(in_state(state)),
        note: String::new(),
        href,
        bad: bad && in_state(state) > 0,
    };
    vec![
        Tile {
            label: "Hosts heard",
            value: grouped(overview.heard),
            note: if silent == 0 {
                format!("all of them, within {HEARD_MINUTES} min")
            } else {
                format!("{} silent for more than {HEARD_MINUTES} min", grouped(silent))
            },
            href: "/hosts",
            bad: overview.heard == 0,
        },
        issues("New issues", "new", "/issues?state=new", false),
        issues("Regressed", "regressed", "/issues?state=regressed", true),
        issues("Escalating", "escalating", "/issues?state=escalating", true),
        Tile {
            label: "Failing parts",
            value: grouped(overview.bad_parts),
            note: String::new(),
            href: "/hardware",
            bad: overview.bad_parts > 0,
        },
        Tile {
            label: "Books",
            value: if overview.unbalanced == 0 {
                "balanced".to_owned()
            } else {
                format!("{} open", grouped(overview.unbalanced))
            },
            note: if overview.lost == 0 {
                format!("nothing lost in {CLASS_DAYS} days")
            } else {
                format!(
                    "{} events lost with a reason in {CLASS_DAYS} days",
                    grouped(overview.lost)
                )
            },
            href: "",
            bad: overview.unbalanced > 0,
        },
    ]
}

/// Hosts with a fault in 1,000 host-hours of each day, in thousandths, with words.
fn rates_by_day(days: &[FleetDay], now: Timestamp) -> Vec<(u64, String)> {
    let longest = longest(days.iter().map(|day| day.hours));
    let ago = (0..days.len() as u64).rev();
    let of_day = |(day, ago): (&FleetDay, u64)| {
        let date = days_before(now, ago);
        if day.hours <= 0.0 {
            return (0, format!("{date}: no host was watched"));
        }
        if !sets_scale(day.hours, longest) {
            let hosts = counted(day.affected, "host");
            return (
                0,
                format!("{date}: {hosts}, watched for too short a time for a rate"),
            );
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate is not negative and far below 2^53"
        )]
        let rate = (day.affected as f64 / day.hours * 1000.0 * THOUSANDTHS).round() as u64;
        let words = format!(
            "{date}: {} in 1,000 host-hours, {}",
            per_thousand(rate),
            counted(day.affected, "host")
        );
        (rate, words)
    };
    days.iter().zip(ago).map(of_day).collect()
}

/// Thousandths as a decimal.
fn per_thousand(thousandths: u64) -> String {
    format!("{}.{:02}", thousandths / 1000, thousandths % 1000 / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_well_stands_out() {
        let mut overview = Overview {
            hosts: 12,
            heard: 12,
            ..Overview::default()
        };
        assert!(tiles(&overview).iter().all(|tile| !tile.bad));
        assert_eq!(tiles(&overview)[5].value, "balanced");
        overview.unbalanced = 1;
        overview.bad_parts = 2;
        overview.heard = 10;
        overview.states = vec![("new".to_owned(), 3), ("regressed".to_owned(), 1)];
        let tiles = tiles(&overview);
        let bad: Vec<&str> = tiles
            .iter()
            .filter(|tile| tile.bad)
            .map(|tile| tile.label)
            .collect();
        assert_eq!(bad, ["Regressed", "Failing parts", "Books"]);
        assert_eq!(tiles[0].note, "2 silent for more than 17 min");
        assert_eq!(tiles[1].value, "3");
    }

    #[test]
    fn rates_are_those_of_watched_hours() {
        let day = |hours, affected| FleetDay { hours, affected };
        let now: Timestamp = "2026-11-27T12:00:00Z".parse().unwrap();
        let rates = rates_by_day(&[day(2400.0, 6), day(0.0, 0), day(0.002, 2)], now);
        let short = "2026-11-27: 2 hosts, watched for too short a time for a rate";
        let expected = [
            (2500, "2026-11-25: 2.50 in 1,000 host-hours, 6 hosts"),
            (0, "2026-11-26: no host was watched"),
            (0, short),
        ];
        assert_eq!(rates, expected.map(|(rate, words)| (rate, words.to_owned())));
    }
}
