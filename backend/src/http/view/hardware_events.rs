//! What hardware told: by week and class, and the hosts of which it told most.

use askama::Template;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proto::v1::FaultFilter;

use super::chart::Bars;
use super::hosts::host_page_href;
use super::issues::days_before;
use super::{class_href, counted, filter_href, grouped, name_of_host, parameters, shown};
use crate::http::access::Frame;
use crate::store::{HARDWARE_DAYS, HARDWARE_WEEKS, HardwareClass, HardwareHost};

/// The size of the charts.
const CHART: (u32, u32) = (420, 30);

/// The page `/hardware/events`.
#[derive(Debug, Template)]
#[template(path = "hardware_events.html")]
pub(in crate::http) struct HardwareEventsPage {
    pub(in crate::http) classes: Vec<ClassRow>,
    pub(in crate::http) weeks: u32,
    /// The first week, by its Monday.
    pub(in crate::http) from: String,
    pub(in crate::http) hosts: Vec<HostRow>,
    pub(in crate::http) days: u32,
    pub(in crate::http) frame: Frame,
}

/// A class.
#[derive(Debug)]
pub(in crate::http) struct ClassRow {
    pub(in crate::http) class: String,
    pub(in crate::http) href: String,
    /// What its records are, each kind by itself.
    pub(in crate::http) issues_href: String,
    /// Its rates by build.
    pub(in crate::http) builds_href: String,
    pub(in crate::http) weeks: Bars,
    pub(in crate::http) records: String,
    pub(in crate::http) hosts: String,
}

/// A host with many.
#[derive(Debug)]
pub(in crate::http) struct HostRow {
    pub(in crate::http) name: String,
    pub(in crate::http) href: String,
    pub(in crate::http) faults_href: String,
    pub(in crate::http) records: String,
    pub(in crate::http) classes: Vec<(String, String)>,
    pub(in crate::http) builds: Vec<(String, String)>,
}

impl HardwareEventsPage {
    pub(in crate::http) fn new(
        classes: &[HardwareClass],
        hosts: &[HardwareHost],
        now: Timestamp,
        frame: Frame,
    ) -> Self {
        let calendar = calendar(now);
        Self {
            classes: classes
                .iter()
                .map(|class| ClassRow::new(class, &calendar))
                .collect(),
            weeks: HARDWARE_WEEKS,
            from: calendar.first().cloned().unwrap_or_default(),
            hosts: hosts.iter().map(HostRow::new).collect(),
            days: HARDWARE_DAYS,
            frame,
        }
    }
}

/// The Mondays of the weeks that are shown, the last of them of this week.
fn calendar(now: Timestamp) -> Vec<String> {
    let today = TimeZone::UTC.to_datetime(now).date();
    let since_monday = u64::from(today.weekday().to_monday_zero_offset().unsigned_abs());
    let weeks = (0..u64::from(HARDWARE_WEEKS)).rev();
    weeks
        .map(|week| days_before(now, since_monday + 7 * week))
        .collect()
}

impl ClassRow {
    fn new(class: &HardwareClass, calendar: &[String]) -> Self {
        let of_week = |monday: &String| {
            let week = class.weeks.iter().find(|(week, _)| week == monday);
            let records = week.map_or(0, |(_, records)| *records);
            (
                records,
                format!("week of {monday}: {}", counted(records, "record")),
            )
        };
        let values: Vec<_> = calendar.iter().map(of_week).collect();
        let of_class = format!("class:{}", class.class);
        Self {
            href: class_href(&class.class),
            issues_href: format!("/issues?{}", parameters(&[("q", &of_class)])),
            builds_href: format!(
                "/builds?{}",
                parameters(&[("class", &class.class), ("min_severity", "low")])
            ),
            weeks: Bars::new(CHART, &values, format!("Records of {} by week", class.class)),
            records: grouped(class.records),
            hosts: grouped(class.hosts),
            class: class.class.clone(),
        }
    }
}

impl HostRow {
    fn new(host: &HardwareHost) -> Self {
        let agent_id = host.agent_id.to_string();
        let numbers = |sums: &[(String, u64)]| {
            let number = |(name, records): &(String, u64)| (shown::name(name), grouped(*records));
            sums.iter().map(number).collect()
        };
        Self {
            name: name_of_host(&host.hostname, &agent_id),
            href: host_page_href(&agent_id),
            faults_href: filter_href(FaultFilter {
                host: agent_id,
                class: "hardware.".to_owned(),
                query: format!("after:-{HARDWARE_DAYS}d"),
                ..FaultFilter::default()
            }),
            records: grouped(host.records),
            classes: numbers(&host.classes),
            builds: numbers(&host.builds),
        }
    }
}
