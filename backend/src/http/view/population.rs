//! Who runs what: hosts by day and build, kernel, model or processor.

use std::collections::BTreeMap;

use askama::Template;
use jiff::Timestamp;

use super::chart::{Bars, Share, percent};
use super::issues::days_before;
use super::list::Choice;
use super::{counted, grouped, rates};
use crate::http::access::Frame;
use crate::store::{Population, PopulationBy};

/// What hosts can be counted by, with the words for one of them.
const DIMENSIONS: [(PopulationBy, &str, &str); 4] = [
    (PopulationBy::Build, "build", "Build"),
    (PopulationBy::Kernel, "kernel", "Kernel"),
    (PopulationBy::Model, "model", "Model"),
    (PopulationBy::Cpu, "cpu", "Processor"),
];
/// The size of the small charts, and of the large one.
const SMALL: (u32, u32) = (220, 26);
const LARGE: (u32, u32) = (900, 110);
/// Names that are shown, those of most hosts.
const NAMES: usize = 100;

/// The page `/population`.
#[derive(Debug, Template)]
#[template(path = "population.html")]
pub(in crate::http) struct PopulationPage {
    pub(in crate::http) by: Vec<Choice>,
    /// `Build`, `Kernel`, `Model` or `Processor`.
    pub(in crate::http) noun: &'static str,
    pub(in crate::http) days: u32,
    /// `30 days`.
    pub(in crate::http) of_days: String,
    pub(in crate::http) all: Bars,
    /// Hosts of the day with the most.
    pub(in crate::http) most: String,
    pub(in crate::http) from: String,
    /// The last day that was counted; empty: none was.
    pub(in crate::http) last_day: String,
    pub(in crate::http) rows: Vec<NameRow>,
    /// Names that are left out.
    pub(in crate::http) more: usize,
    pub(in crate::http) frame: Frame,
}

/// What some hosts run.
#[derive(Debug)]
pub(in crate::http) struct NameRow {
    pub(in crate::http) name: String,
    pub(in crate::http) hosts: String,
    pub(in crate::http) percent: String,
    pub(in crate::http) share: Share,
    pub(in crate::http) days: Bars,
    pub(in crate::http) host_hours: String,
}

/// What the page is made of.
#[derive(Debug)]
pub(in crate::http) struct PopulationInput {
    pub(in crate::http) by: PopulationBy,
    pub(in crate::http) days: u32,
    /// By name.
    pub(in crate::http) named: Vec<Population>,
    /// All hosts.
    pub(in crate::http) all: Vec<Population>,
    pub(in crate::http) now: Timestamp,
    pub(in crate::http) frame: Frame,
}

impl PopulationPage {
    pub(in crate::http) fn new(input: PopulationInput) -> Self {
        let PopulationInput {
            by,
            days,
            named,
            all,
            now,
            frame,
        } = input;
        let calendar: Vec<String> = (0..u64::from(days))
            .rev()
            .map(|ago| days_before(now, ago))
            .collect();
        let last_day = all.first().map(|day| day.day.clone()).unwrap_or_default();
        let hosts: BTreeMap<&str, u64> = all.iter().map(|day| (day.day.as_str(), day.hosts)).collect();
        let by_name = by_name(&named);
        let mut names: Vec<&str> = by_name.keys().copied().collect();
        let of_last_day = |name: &str| hosts_of(&by_name, name, &last_day);
        names.sort_by_key(|name| std::cmp::Reverse(of_last_day(name)));
        let more = names.len().saturating_sub(NAMES);
        names.truncate(NAMES);
        let total = hosts.get(last_day.as_str()).copied().unwrap_or(0);
        let rows = names.into_iter().map(|name| {
            let of_it = by_name.get(name);
            let on = |day: &str| of_it.and_then(|days| days.get(day)).copied();
            let hosts = of_last_day(name);
            let hours = of_it
                .into_iter()
                .flat_map(BTreeMap::values)
                .map(|(_, hours)| hours);
            NameRow {
                name: if name.is_empty() { "not told" } else { name }.to_owned(),
                hosts: grouped(hosts),
                percent: format!("{:.1} %", percent(hosts, total)),
                share: Share::new(hosts, total),
                days: bars(SMALL, &calendar, &format!("Hosts with {name} by day"), |day| {
                    on(day).map_or(0, |(hosts, _)| hosts)
                }),
                host_hours: rates::hours(hours.sum()),
            }
        });
        let noun = DIMENSIONS.into_iter().find(|(known, ..)| *known == by);
        Self {
            by: choices(by),
            noun: noun.map_or("", |(.., label)| label),
            days,
            of_days: counted(days.into(), "day"),
            most: grouped(hosts.values().copied().max().unwrap_or(0)),
            from: calendar.first().cloned().unwrap_or_default(),
            rows: rows.collect(),
            more,
            all: bars(LARGE, &calendar, "Hosts by day", |day| {
                hosts.get(day).copied().unwrap_or(0)
            }),
            last_day,
            frame,
        }
    }
}

/// Hosts and host-hours by name and day.
type ByName<'a> = BTreeMap<&'a str, BTreeMap<&'a str, (u64, f64)>>;

fn by_name(named: &[Population]) -> ByName<'_> {
    let mut by_name = ByName::new();
    for day in named {
        let days = by_name.entry(day.name.as_str()).or_default();
        days.insert(&day.day, (day.hosts, day.host_hours));
    }
    by_name
}

fn hosts_of(by_name: &ByName<'_>, name: &str, day: &str) -> u64 {
    let days = by_name.get(name);
    days.and_then(|days| days.get(day)).map_or(0, |(hosts, _)| *hosts)
}

fn choices(by: PopulationBy) -> Vec<Choice> {
    let choice = |(known, value, label): (PopulationBy, &str, &str)| Choice {
        value: value.to_owned(),
        label: label.to_owned(),
        selected: known == by,
    };
    DIMENSIONS.map(choice).into()
}

/// A bar for each day of the calendar.
fn bars(size: (u32, u32), calendar: &[String], label: &str, hosts: impl Fn(&str) -> u64) -> Bars {
    let of_day = |day: &String| {
        let hosts = hosts(day);
        (hosts, format!("{day}: {}", counted(hosts, "host")))
    };
    let values: Vec<_> = calendar.iter().map(of_day).collect();
    Bars::new(size, &values, label.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_most_hosts_run_on_the_last_day_comes_first() {
        let day = |day: &str, name: &str, hosts| Population {
            day: day.to_owned(),
            name: name.to_owned(),
            hosts,
            host_hours: 24.0,
        };
        let page = PopulationPage::new(PopulationInput {
            by: PopulationBy::Build,
            days: 3,
            named: vec![
                day("2026-11-27", "42", 3),
                day("2026-11-27", "41", 1),
                day("2026-11-26", "41", 4),
            ],
            all: vec![day("2026-11-27", "", 4), day("2026-11-26", "", 4)],
            now: "2026-11-27T12:00:00Z".parse().unwrap(),
            frame: Frame::default(),
        });
        let rows: Vec<_> = page
            .rows
            .iter()
            .map(|row| (row.name.as_str(), row.hosts.as_str(), row.percent.as_str()))
            .collect();
        assert_eq!(rows, [("42", "3", "75.0 %"), ("41", "1", "25.0 %")]);
        assert_eq!((page.from.as_str(), page.most.as_str()), ("2026-11-25", "4"));
    }
}
