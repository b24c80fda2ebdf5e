//! The boots of a host on one line, with what happened in them and how each ended.

use askama::{Template, filters::Safe};
use jiff::Timestamp;
use proto::v1::{Fault, Obituary, Record, Severity, record::Payload};

use super::fault::unix_ns;
use super::list::title;
use super::{Moment, counted, duration};
use crate::store::Boot;

/// The size of the chart.
const WIDTH: f64 = 900.0;
/// The most that a chart shows, nanoseconds: 30 days.
const LONGEST_NS: u64 = 30 * 86_400_000_000_000;
/// Width of the least boot, so that it can be seen.
const LEAST: f64 = 2.0;
/// How classes of what hardware reports begin.
const HARDWARE: &str = "hardware.";

/// A boot as far as is known: by heartbeats, or by what told its end.
#[derive(Debug)]
pub(super) struct Span<'a> {
    kernel: &'a str,
    from_ns: u64,
    to_ns: u64,
    pub(super) end: Option<&'a Fault>,
}

/// The chart.
#[derive(Debug, Template)]
#[template(path = "timeline.html")]
pub(in crate::http) struct Timeline {
    boots: Vec<Mark>,
    hardware: Vec<Mark>,
    software: Vec<Mark>,
    ends: Vec<Mark>,
    /// What it shows, for those who do not see it.
    label: String,
    pub(in crate::http) from: String,
}

#[derive(Debug, PartialEq)]
struct Mark {
    x: String,
    /// Of a boot.
    width: String,
    /// Of an end: it was not as it should be.
    bad: bool,
    words: String,
}

/// The boots that heartbeats or ends told of, the latest first.
pub(super) fn spans<'a>(boots: &'a [Boot], ends: &'a [Fault]) -> Vec<Span<'a>> {
    let told: Vec<(&Fault, &Record, &Obituary)> = ends.iter().filter_map(obituary).collect();
    let heard = boots.iter().map(|boot| {
        let end = told.iter().find(|(_, record, _)| record.boot_id == boot.boot_id);
        let [from_ns, to_ns] = [boot.began, boot.last_beat].map(|time| unix_ns(time).unwrap_or(0));
        let began = end.map_or(0, |(.., obituary)| obituary.booted_at_unix_ns);
        Span {
            kernel: &boot.kernel_release,
            from_ns: if began == 0 { from_ns } else { began.min(from_ns) },
            to_ns: end.map_or(to_ns, |(.., obituary)| obituary.last_alive_unix_ns.max(to_ns)),
            end: end.map(|(fault, ..)| *fault),
        }
    });
    let unheard = told
        .iter()
        .filter(|(_, record, _)| boots.iter().all(|boot| boot.boot_id != record.boot_id));
    let unheard = unheard.map(|(fault, record, obituary)| {
        let known = |ns: u64| if ns == 0 { record.occurred_at_unix_ns } else { ns };
        let to_ns = known(obituary.last_alive_unix_ns);
        Span {
            kernel: &record.kernel_release,
            from_ns: known(obituary.booted_at_unix_ns).min(to_ns),
            to_ns,
            end: Some(fault),
        }
    });
    let mut spans: Vec<Span<'_>> = heard.chain(unheard).collect();
    spans.sort_by_key(|span| std::cmp::Reverse(span.to_ns));
    spans
}

fn obituary(fault: &Fault) -> Option<(&Fault, &Record, &Obituary)> {
    let record = fault.record.as_ref()?;
    match &record.payload {
        Some(Payload::Obituary(obituary)) => Some((fault, record, obituary)),
        _ => None,
    }
}

impl Span<'_> {
    pub(super) fn kernel(&self) -> String {
        self.kernel.to_owned()
    }

    pub(super) fn from(&self, now: Timestamp) -> Option<Moment> {
        Moment::new(self.from_ns, now)
    }

    pub(super) fn lasted(&self) -> String {
        duration(self.to_ns.saturating_sub(self.from_ns) / 1_000_000_000)
    }
}

impl Timeline {
    /// For a template. Its own has escaped what it shows.
    pub(in crate::http) fn svg(&self) -> Safe<&Self> {
        Safe(self)
    }

    /// Of these boots and faults, the latest 30 days at most. None: nothing is known of them.
    pub(super) fn new(spans: &[Span<'_>], faults: &[Fault], now: Timestamp) -> Option<Self> {
        let now_ns = u64::try_from(now.as_nanosecond()).ok()?;
        let oldest = now_ns.saturating_sub(LONGEST_NS);
        let since = spans
            .iter()
            .filter(|span| span.to_ns >= oldest)
            .map(|span| span.from_ns);
        let since = since.min()?.clamp(oldest, now_ns.saturating_sub(1));
        let axis = Axis { since, now: now_ns };
        let spans = spans.iter().filter(|span| span.to_ns >= since);
        let (boots, ends): (Vec<Mark>, Vec<Option<Mark>>) =
            spans.map(|span| (axis.boot(span), axis.end(span))).unzip();
        let events = faults.iter().filter_map(|fault| fault.record.as_ref());
        let events = events.filter(|record| {
            !matches!(record.payload, Some(Payload::Obituary(_))) && record.occurred_at_unix_ns >= since
        });
        let (hardware, software): (Vec<&Record>, Vec<&Record>) =
            events.partition(|record| record.class.starts_with(HARDWARE));
        let events = |records: Vec<&Record>| -> Vec<Mark> {
            records.into_iter().map(|record| axis.event(record)).collect()
        };
        Some(Self {
            label: format!(
                "{}, {} of hardware and {} of software",
                counted(boots.len() as u64, "boot"),
                counted(hardware.len() as u64, "event"),
                counted(software.len() as u64, "event")
            ),
            boots,
            ends: ends.into_iter().flatten().collect(),
            hardware: events(hardware),
            software: events(software),
            from: Moment::new(since, now)?.absolute,
        })
    }
}

/// Moments from left to right, nanoseconds since the Unix epoch.
struct Axis {
    since: u64,
    now: u64,
}

impl Axis {
    #[expect(clippy::cast_precision_loss, reason = "a pixel is minutes wide")]
    fn place(&self, ns: u64) -> f64 {
        let ns = ns.clamp(self.since, self.now);
        (ns - self.since) as f64 / (self.now - self.since) as f64 * WIDTH
    }

    fn boot(&self, span: &Span<'_>) -> Mark {
        let (from, to) = (self.place(span.from_ns), self.place(span.to_ns));
        Mark {
            x: format!("{from:.1}"),
            width: format!("{:.1}", (to - from).max(LEAST)),
            bad: false,
            words: format!("{}, {}", span.kernel, span.lasted()),
        }
    }

    fn end(&self, span: &Span<'_>) -> Option<Mark> {
        let record = span.end?.record.as_ref()?;
        Some(Mark {
            bad: record.severity >= Severity::Medium.into(),
            ..self.mark(span.to_ns, title(record))
        })
    }

    fn event(&self, record: &Record) -> Mark {
        self.mark(record.occurred_at_unix_ns, title(record))
    }

    fn mark(&self, ns: u64, words: String) -> Mark {
        Mark {
            x: format!("{:.1}", self.place(ns)),
            width: String::new(),
            bad: false,
            words,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    const HOUR_NS: u64 = 3_600_000_000_000;
    const NOW_NS: u64 = 500_000 * HOUR_NS;

    fn boot(boot_id: &str, hours_ago: (u64, u64)) -> Boot {
        let ago = |hours: u64| UNIX_EPOCH + Duration::from_nanos(NOW_NS - hours * HOUR_NS);
        Boot {
            boot_id: boot_id.to_owned(),
            kernel_release: "6.1".to_owned(),
            began: ago(hours_ago.0),
            last_beat: ago(hours_ago.1),
        }
    }

    fn fault(class: &str, boot_id: &str, hours_ago: u64, end: Option<Obituary>) -> Fault {
        Fault {
            record: Some(Record {
                class: class.to_owned(),
                title: class.to_owned(),
                boot_id: boot_id.to_owned(),
                severity: Severity::High.into(),
                occurred_at_unix_ns: NOW_NS - hours_ago * HOUR_NS,
                payload: end.map(Payload::Obituary),
                ..Record::default()
            }),
            ..Fault::default()
        }
    }

    #[test]
    fn a_boot_that_no_heartbeat_told_of_is_known_by_its_end() {
        let boots = [boot("b", (60, 40)), boot("d", (10, 0))];
        let obituary = Obituary {
            booted_at_unix_ns: NOW_NS - 30 * HOUR_NS,
            last_alive_unix_ns: NOW_NS - 20 * HOUR_NS,
            ..Obituary::default()
        };
        let ends = [
            fault("boot.end", "c", 10, Some(obituary)),
            fault("boot.end", "b", 30, Some(Obituary::default())),
            fault("boot.end", "a", 90, Some(Obituary::default())),
        ];
        let spans = spans(&boots, &ends);
        let hours = |ns: u64| (NOW_NS - ns) / HOUR_NS;
        let told: Vec<(u64, u64, bool)> = spans
            .iter()
            .map(|span| (hours(span.from_ns), hours(span.to_ns), span.end.is_some()))
            .collect();
        assert_eq!(
            told,
            [(10, 0, false), (30, 20, true), (60, 40, true), (90, 90, true)]
        );
    }

    #[test]
    fn events_are_on_the_line_of_their_boots() {
        let now = Timestamp::from_nanosecond(NOW_NS.into()).unwrap();
        let boots = [
            boot("a", (100, 51)),
            boot("b", (50, 0)),
            boot("old", (9000, 8000)),
        ];
        let ends = [fault("boot.end", "a", 50, Some(Obituary::default()))];
        let faults = [
            fault("hardware.machine_check", "a", 75, None),
            fault("kernel.oops", "b", 25, None),
            fault("boot.end", "a", 50, Some(Obituary::default())),
            fault("kernel.oops", "old", 8500, None),
        ];
        let timeline = Timeline::new(&spans(&boots, &ends), &faults, now).unwrap();
        let x = |marks: &[Mark]| -> Vec<String> { marks.iter().map(|mark| mark.x.clone()).collect() };
        assert_eq!(x(&timeline.boots), ["450.0", "0.0"]);
        assert_eq!(
            (x(&timeline.hardware), x(&timeline.software)),
            (vec!["225.0".to_owned()], vec!["675.0".to_owned()])
        );
        assert_eq!(x(&timeline.ends), ["441.0"]);
        assert!(timeline.ends[0].bad);
        assert_eq!(
            timeline.label,
            "2 boots, 1 event of hardware and 1 event of software"
        );
        assert!(Timeline::new(&[], &faults, now).is_none());
    }
}
