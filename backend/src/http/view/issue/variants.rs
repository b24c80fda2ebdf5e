//! Why the records of an issue are one, and the ways in which it happens.

use faults::fingerprint::{Explanation, FrameExplanation, Level};
use jiff::Timestamp;
use proto::v1::{
    DaysOfBuild, FaultFilter, Fingerprint, FingerprintLevel, Issue, ListVariantsResponse, Record, Variant,
};

use crate::http::view::chart::Bars;
use crate::http::view::issues::hosts_by_day;
use crate::http::view::shown::name;
use crate::http::view::{Moment, counted, filter_href, grouped, titled};

/// Frames that are explained.
const FRAMES: usize = 24;
/// Size of the chart of a build.
const CHART: (u32, u32) = (900, 28);

/// Why records are of one issue.
#[derive(Debug)]
pub(in crate::http) struct Why {
    pub(in crate::http) words: &'static str,
    /// What was compared: what it is called, and what all of them have.
    pub(in crate::http) same: Vec<(&'static str, String)>,
    /// The stack of the newest record as the finer fingerprints read it.
    pub(in crate::http) frames: Vec<FrameRow>,
}

/// What became of a frame.
#[derive(Debug)]
pub(in crate::http) struct FrameRow {
    pub(in crate::http) printed: String,
    /// What it counts as; empty: it does not count.
    pub(in crate::http) name: String,
    pub(in crate::http) rules: String,
}

/// Records of the issue that share a finer fingerprint.
#[derive(Debug)]
pub(in crate::http) struct VariantRow {
    /// What they share.
    pub(in crate::http) level: &'static str,
    /// The functions; the fingerprint where they are not known.
    pub(in crate::http) what: String,
    pub(in crate::http) href: String,
    pub(in crate::http) records: String,
    pub(in crate::http) hosts: String,
    pub(in crate::http) last: Option<Moment>,
}

/// Hosts by day in one build.
#[derive(Debug)]
pub(in crate::http) struct BuildTrend {
    pub(in crate::http) build: String,
    pub(in crate::http) bars: Bars,
    pub(in crate::http) most: String,
}

impl Why {
    /// Of an issue and its newest record.
    pub(super) fn new(issue: &Issue, merged: bool, record: Option<&Record>) -> Self {
        let prints = record.map_or(&[][..], |record| &record.fingerprints);
        let own = prints.iter().find(|print| print.value == issue.issue);
        let level = own.map_or(FingerprintLevel::Title, Fingerprint::level);
        let explanation = record.and_then(explained);
        let mut same = vec![
            ("Class", issue.class.clone()),
            ("Title", name(&titled(&issue.title, &issue.class))),
        ];
        if level == FingerprintLevel::TopFrames {
            let frames = explanation.as_ref().and_then(|all| all.level(&issue.issue));
            same.extend(frames.map(|frames| ("Top frames", functions(frames.functions()))));
        }
        same.push(("Fingerprint", issue.issue.clone()));
        same.extend(own.map(|own| ("Version of the rules", own.version.to_string())));
        Self {
            words: words(issue, level, merged),
            same,
            frames: explanation.map_or_else(Vec::new, |all| {
                all.frames.iter().take(FRAMES).map(FrameRow::from).collect()
            }),
        }
    }
}

fn words(issue: &Issue, level: FingerprintLevel, merged: bool) -> &'static str {
    match level {
        FingerprintLevel::TopFrames => {
            "Their class, their title and their top frames are the same. People split them from a larger issue."
        }
        FingerprintLevel::Stack => "Their whole stack is the same.",
        _ if issue.split => {
            "Their class and their title are the same, and they have no stack: people split the issue, and those with one are of others."
        }
        _ if merged => {
            "Their class and their title are the same, or people merged the issue that they were of into this one."
        }
        _ => "Their class and their title are the same.",
    }
}

/// What a record is grouped by, where the rules that are explained are those that it was grouped by.
fn explained(record: &Record) -> Option<Explanation> {
    let explanation = wire::explain(record)?;
    let known = |level: &faults::fingerprint::LevelExplanation| {
        let value = level.fingerprint.to_string();
        level.level > Level::Title && record.fingerprints.iter().any(|print| print.value == value)
    };
    explanation.levels.iter().any(known).then_some(explanation)
}

/// Functions, from the one at fault to its callers.
fn functions(functions: &[String]) -> String {
    name(&functions.join(" < "))
}

impl From<&FrameExplanation> for FrameRow {
    fn from(frame: &FrameExplanation) -> Self {
        let rules = frame.rules.iter().map(|fired| match fired.found.as_str() {
            "" => fired.rule.sentence().to_owned(),
            found => format!("{} ({found})", fired.rule.sentence()),
        });
        Self {
            printed: name(&frame.printed),
            name: name(frame.name.as_deref().unwrap_or_default()),
            rules: name(&rules.collect::<Vec<_>>().join("; ")),
        }
    }
}

impl VariantRow {
    pub(super) fn new(variant: &Variant, now: Timestamp) -> Self {
        Self {
            level: match variant.level() {
                FingerprintLevel::TopFrames => "top frames",
                FingerprintLevel::Stack => "stack",
                FingerprintLevel::Title | FingerprintLevel::Unspecified => "title",
            },
            what: if variant.functions.is_empty() {
                variant.fingerprint.clone()
            } else {
                functions(&variant.functions)
            },
            href: filter_href(FaultFilter {
                fingerprint: variant.fingerprint.clone(),
                ..FaultFilter::default()
            }),
            records: grouped(variant.records),
            hosts: grouped(variant.hosts),
            last: Moment::new(variant.last_seen_unix_ns, now),
        }
    }
}

/// How many variants there are: `2 by their top frames, 7 by their whole stack`.
pub(super) fn how_many(variants: &ListVariantsResponse) -> String {
    let of_levels = [
        (variants.top_frames, "their top frames"),
        (variants.stacks, "their whole stack"),
    ];
    let there = of_levels.into_iter().filter(|(number, _)| *number > 0);
    let parts = there.map(|(number, by)| format!("{} by {by}", grouped(number)));
    parts.collect::<Vec<_>>().join(", ")
}

impl BuildTrend {
    pub(super) fn new(DaysOfBuild { build, days }: &DaysOfBuild) -> Self {
        let most = days.iter().map(|day| day.hosts).max().unwrap_or(0);
        let label = format!("Hosts with build {build} by day, the last {} days", days.len());
        Self {
            build: name(build),
            bars: Bars::new(CHART, &hosts_by_day(days), label),
            most: counted(most, "host"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OOPS: &str = "BUG: kernel NULL pointer dereference, address: 0000000000000008\n\
                        RIP: 0010:example_write.isra.0+0x5/0x20 [example]\nCall Trace:\n vfs_write+0xc7/0x3f0\n \
                        example_caller+0x6b/0xf0\n";

    fn oops() -> Record {
        wire::kernel_report(&faults::parse(OOPS).unwrap(), OOPS, false)
    }

    fn of(record: &Record, level: FingerprintLevel) -> Issue {
        let print = record.fingerprints.iter().find(|print| print.level() == level);
        Issue {
            issue: print.unwrap().value.clone(),
            class: record.class.clone(),
            title: record.title.clone(),
            ..Issue::default()
        }
    }

    #[test]
    fn an_issue_says_what_its_records_share_and_how_their_stack_is_read() {
        let record = oops();
        let why = Why::new(&of(&record, FingerprintLevel::Title), false, Some(&record));
        assert_eq!(why.words, "Their class and their title are the same.");
        assert!(why.same.contains(&("Title", record.title.clone())), "{why:?}");
        let first = &why.frames[0];
        assert_eq!(first.name, "example_write");
        assert!(first.rules.contains("(.isra.0)"), "{first:?}");

        let split = of(&record, FingerprintLevel::TopFrames);
        let why = Why::new(&split, false, Some(&record));
        assert!(why.words.contains("split"), "{why:?}");
        let frames = ("Top frames", "example_write < example_caller".to_owned());
        assert!(why.same.contains(&frames), "{why:?}");
    }

    #[test]
    fn frames_are_not_explained_by_rules_that_they_were_not_grouped_by() {
        let mut record = oops();
        for print in &mut record.fingerprints {
            print.value = "00".repeat(16);
        }
        assert!(
            Why::new(&Issue::default(), false, Some(&record))
                .frames
                .is_empty()
        );
        assert!(Why::new(&Issue::default(), false, None).frames.is_empty());
    }
}
