//! The first page: is the fleet well?

use askama::Template;
use jiff::Timestamp;
use proto::v1::{Fault, Issue, Part};

use super::chart::{Bars, Bounded};
use super::hardware::PartRow;
use super::issues::IssueRow;
use super::list::Row;
use super::rates::{RateRow, bounds, end_of_axis, figure, longest, sets_scale};
use super::{admin::AlertRow, class_href, compare_href, counted, grouped};
use crate::analysis::{Comparison, FleetDay, Rate, Verdict};
use crate::http::access::Frame;
use crate::store::{HEARD_MINUTES, LOSS_DAYS, OpenOfRule, Overview};

/// Days of the chart.
pub(in crate::http) const DAYS: u16 = 30;
/// Its size.
const CHART: (u32, u32) = (900, 120);
/// Builds that are shown.
const BUILDS: usize = 6;
/// Rules whose alerts are shown.
const RULES: usize = 5;
/// Classes that are shown, the most frequent.
const CLASSES: usize = 10;

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
    /// Where its axis ends.
    pub(in crate::http) end: String,
    pub(in crate::http) from: String,
    pub(in crate::http) attention: Vec<IssueRow>,
    pub(in crate::http) builds: Vec<RateRow>,
    /// The newest against the one before it.
    pub(in crate::http) compare: Option<Compare>,
    pub(in crate::http) classes: Vec<ClassRow>,
    /// Parts of machines that are bad, the worst.
    pub(in crate::http) parts: Vec<PartRow>,
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
    pub(in crate::http) href: String,
    pub(in crate::http) note: String,
    /// Where a click on the note leads; empty: nowhere.
    pub(in crate::http) note_href: String,
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

/// Two builds compared.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) struct Compare {
    /// `fine`, `worse` or `unsure`, for the style.
    pub(in crate::http) verdict: &'static str,
    pub(in crate::http) words: String,
    pub(in crate::http) href: String,
}

/// A class and how often hosts have it.
#[derive(Debug)]
pub(in crate::http) struct ClassRow {
    pub(in crate::http) rate: RateRow,
    pub(in crate::http) href: String,
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
    pub(in crate::http) days_of_issues: std::collections::HashMap<uuid::Uuid, Vec<proto::v1::IssueDay>>,
    /// The newest build against the one before it.
    pub(in crate::http) comparison: Option<Comparison>,
    pub(in crate::http) builds: Vec<Rate>,
    /// The most frequent first.
    pub(in crate::http) classes: Vec<Rate>,
    /// Parts of machines that are bad, the worst first.
    pub(in crate::http) parts: Vec<Part>,
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
            comparison,
            mut builds,
            mut classes,
            parts,
            ends,
            now,
            frame,
        } = input;
        builds.truncate(BUILDS);
        classes.truncate(CLASSES);
        let (end_of_builds, end_of_classes) = (end_of_axis(&builds), end_of_axis(&classes));
        let chart = Chart::of(&days);
        Self {
            tiles: tiles(&overview),
            more_rules: match alerts.len().saturating_sub(RULES) {
                0 => String::new(),
                1 => "1 more rule finds something".to_owned(),
                more => format!("{more} more rules find something"),
            },
            alerts: alerts.iter().take(RULES).map(RuleRow::from).collect(),
            compare: comparison.as_ref().map(Compare::from),
            no_rate: chart.nothing,
            end: figure(chart.end),
            from: days.first().map(|day| day.day.clone()).unwrap_or_default(),
            days: Bars::bounded(
                CHART,
                &chart.bars,
                chart.end,
                format!(
                    "Hosts with a fault by day in 1,000 host-hours with 95 % bounds, the last {DAYS} days"
                ),
            ),
            attention: attention
                .iter()
                .map(|issue| IssueRow::new(issue, &days_of_issues, now))
                .collect(),
            builds: builds
                .iter()
                .map(|rate| RateRow::new(rate, end_of_builds))
                .collect(),
            classes: classes
                .iter()
                .map(|rate| ClassRow {
                    rate: RateRow::new(rate, end_of_classes),
                    href: class_href(&rate.name),
                })
                .collect(),
            parts: parts.iter().map(|part| PartRow::new(part, now)).collect(),
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

impl From<&Comparison> for Compare {
    fn from(found: &Comparison) -> Self {
        let (from, to) = (&found.from.name, &found.to.name);
        Self {
            verdict: found.verdict.word(),
            words: match found.verdict {
                Verdict::Worse => found.worse_in_words(),
                Verdict::Fine => format!("{to} is not worse than {from}"),
                Verdict::Unsure => format!("{to} against {from}: too little is known to say"),
            },
            href: compare_href(from, to),
        }
    }
}

fn tiles(overview: &Overview) -> Vec<Tile> {
    let in_state = |state: &str| {
        let found = overview.states.iter().find(|(name, _)| name == state);
        found.map_or(0, |(_, count)| *count)
    };
    let silent = overview.hosts.saturating_sub(overview.heard);
    let issues = |label, state, bad| Tile {
        label,
        value: grouped(in_state(state)),
        href: format!("/issues?state={state}"),
        note: String::new(),
        note_href: String::new(),
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
            href: "/hosts".to_owned(),
            note_href: if silent == 0 {
                String::new()
            } else {
                format!("/hosts?q=before:-{HEARD_MINUTES}m")
            },
            bad: silent > overview.heard,
        },
        Tile {
            label: "Hooks",
            value: match overview.hooks_missing {
                0 if overview.hooks_unknown == overview.heard => "–".to_owned(),
                0 => "attached".to_owned(),
                missing => counted(missing, "host"),
            },
            note: match (overview.hooks_missing, overview.hooks_unknown) {
                (0, 0) => String::new(),
                (0, unknown) => format!("not known of {} yet", counted(unknown, "host")),
                _ => format!("of {} miss some", grouped(overview.heard)),
            },
            href: "/probes".to_owned(),
            note_href: String::new(),
            bad: false,
        },
        issues("New issues", "new", false),
        issues("Regressed", "regressed", true),
        issues("Escalating", "escalating", true),
        Tile {
            label: "Failing parts",
            value: grouped(overview.bad_parts),
            href: "/hardware".to_owned(),
            note: String::new(),
            note_href: String::new(),
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
                format!("nothing lost in {LOSS_DAYS} days")
            } else {
                format!(
                    "{} events lost with a reason in {LOSS_DAYS} days",
                    grouped(overview.lost)
                )
            },
            href: String::new(),
            note_href: String::new(),
            bad: overview.unbalanced > 0,
        },
    ]
}

/// How often hosts have a fault, day by day.
struct Chart {
    bars: Vec<Bounded>,
    /// Where the axis ends.
    end: f64,
    /// Why there is no bar, where there is none.
    nothing: String,
}

impl Chart {
    fn of(days: &[FleetDay]) -> Self {
        let longest = longest(days.iter().map(|day| day.host_hours));
        let bars: Vec<Bounded> = days
            .iter()
            .map(|day| bar(day, sets_scale(day.host_hours, longest)))
            .collect();
        let ends = bars.iter().filter_map(|bar| bar.bounds).map(|(_, high)| high);
        let nothing = if days.iter().all(|day| day.affected == 0) {
            format!("No host had one in the last {DAYS} days.")
        } else if bars.iter().all(|bar| bar.bounds.is_none()) {
            "Some hosts had one; no day was watched for long enough for a rate yet.".to_owned()
        } else {
            String::new()
        };
        Self {
            end: ends.fold(0.0, f64::max),
            bars,
            nothing,
        }
    }
}

fn bar(day: &FleetDay, is_long: bool) -> Bounded {
    let (date, hosts) = (&day.day, counted(day.affected, "host"));
    let words = if day.host_hours <= 0.0 {
        format!("{date}: no host was watched")
    } else if is_long {
        format!(
            "{date}: {} in 1,000 host-hours ({}), {hosts}",
            figure(day.rate),
            bounds(day.bounds)
        )
    } else {
        format!("{date}: {hosts}, watched for too short a time for a rate")
    };
    Bounded {
        value: day.rate,
        bounds: day
            .bounds
            .high
            .filter(|_| is_long)
            .map(|high| (day.bounds.low, high)),
        words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Bounds;

    #[test]
    fn what_is_not_well_stands_out() {
        let mut overview = Overview {
            hosts: 12,
            heard: 12,
            ..Overview::default()
        };
        assert!(tiles(&overview).iter().all(|tile| !tile.bad));
        assert_eq!(tiles(&overview)[6].value, "balanced");
        assert_eq!(tiles(&overview)[1].value, "attached");
        overview.unbalanced = 1;
        overview.bad_parts = 2;
        overview.heard = 10;
        overview.hooks_unknown = 2;
        assert_eq!(super::tiles(&overview)[1].note, "not known of 2 hosts yet");
        overview.hooks_unknown = 10;
        assert_eq!(super::tiles(&overview)[1].value, "–", "nobody told yet");
        overview.hooks_missing = 4;
        overview.states = vec![("new".to_owned(), 3), ("regressed".to_owned(), 1)];
        let tiles = tiles(&overview);
        let bad: Vec<&str> = tiles
            .iter()
            .filter(|tile| tile.bad)
            .map(|tile| tile.label)
            .collect();
        assert_eq!(bad, ["Regressed", "Failing parts", "Books"]);
        assert_eq!(tiles[0].note, "2 silent for more than 17 min");
        assert_eq!(
            (tiles[0].href.as_str(), tiles[0].note_href.as_str()),
            ("/hosts", "/hosts?q=before:-17m")
        );
        assert_eq!(
            (tiles[1].value.as_str(), tiles[1].note.as_str()),
            ("4 hosts", "of 10 miss some")
        );
        assert_eq!(tiles[2].value, "3");
        overview.heard = 5;
        assert!(super::tiles(&overview)[0].bad, "most are silent");
    }

    #[test]
    fn days_that_were_watched_for_long_have_a_bar_with_its_bounds() {
        let day = |date: &str, host_hours: f64, affected| FleetDay {
            day: date.to_owned(),
            host_hours,
            affected,
            rate: 2.5,
            bounds: Bounds {
                low: 0.9,
                high: (host_hours > 0.0).then_some(5.4),
            },
        };
        let chart = Chart::of(&[
            day("2026-11-25", 2400.0, 6),
            day("2026-11-26", 0.0, 0),
            day("2026-11-27", 0.002, 2),
        ]);
        let told: Vec<(bool, &str)> = chart
            .bars
            .iter()
            .map(|bar| (bar.bounds.is_some(), bar.words.as_str()))
            .collect();
        let expected = [
            (
                true,
                "2026-11-25: 2.50 in 1,000 host-hours (0.900 – 5.40), 6 hosts",
            ),
            (false, "2026-11-26: no host was watched"),
            (
                false,
                "2026-11-27: 2 hosts, watched for too short a time for a rate",
            ),
        ];
        assert_eq!(told, expected);
        assert_eq!(
            (chart.end.to_string().as_str(), chart.nothing.as_str()),
            ("5.4", "")
        );
        let short = Chart::of(&[day("2026-11-27", 0.002, 2)]).nothing;
        assert!(short.starts_with("Some hosts had one"), "{short}");
        let none = Chart::of(&[day("2026-11-27", 2400.0, 0)]).nothing;
        assert!(none.starts_with("No host had one"), "{none}");
    }
}
