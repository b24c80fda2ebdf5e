//! What a transaction adds to the tables beside `records`, as columns for `unnest`.

use std::collections::HashMap;

use proto::v1::LossReason;
use uuid::Uuid;

use super::{
    clean,
    plan::{Mark, Plan},
    rows::{Level, Row},
    time::Micros,
};

/// What is added to `fingerprints`, sorted so that transactions lock in one order.
#[derive(Debug, Default)]
pub(super) struct FingerprintSums<'a> {
    pub(super) agent_id: Vec<Uuid>,
    pub(super) fingerprint: Vec<Uuid>,
    pub(super) seen: Vec<Micros>,
    pub(super) level: Vec<i16>,
    pub(super) version: Vec<i64>,
    pub(super) issue: Vec<Uuid>,
    pub(super) class: Vec<&'a str>,
    pub(super) title: Vec<&'a str>,
    pub(super) severity: Vec<i16>,
    pub(super) occurrences: Vec<i64>,
}

/// The sum of one fingerprint of one agent.
struct Sum<'a> {
    level: &'a Level,
    latest: &'a Row,
    seen: Micros,
    severity: i16,
    occurrences: i64,
}

impl<'a> FingerprintSums<'a> {
    pub(super) fn of(plan: &Plan<'a>) -> Self {
        let mut sums: HashMap<(Uuid, Uuid), Sum<'a>> = HashMap::new();
        for (mark, row) in plan.rows() {
            for level in &row.levels {
                let sum = sums.entry((mark.agent_id, level.fingerprint)).or_insert(Sum {
                    level,
                    latest: row,
                    seen: mark.now,
                    severity: 0,
                    occurrences: 0,
                });
                sum.latest = row;
                sum.seen = mark.now;
                sum.severity = sum.severity.max(row.severity);
                sum.occurrences += 1;
            }
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_unstable_by_key(|(key, _)| *key);
        let mut columns = Self::default();
        for ((agent_id, fingerprint), sum) in sums {
            columns.agent_id.push(agent_id);
            columns.fingerprint.push(fingerprint);
            columns.seen.push(sum.seen);
            columns.level.push(sum.level.number);
            columns.version.push(sum.level.version);
            // Of a split issue there may be records without anything finer: it stays its own.
            columns.issue.push(match plan.issue(sum.latest) {
                Some(issue) if sum.latest.issue != Some(fingerprint) => issue,
                _ => fingerprint,
            });
            columns.class.push(&sum.latest.class);
            columns.title.push(&sum.latest.title);
            columns.severity.push(sum.severity);
            columns.occurrences.push(sum.occurrences);
        }
        columns
    }
}

/// What is added to the issues, sorted so that transactions lock in one order.
#[derive(Debug, Default)]
pub(super) struct IssueSums<'a> {
    pub(super) issue: Vec<Uuid>,
    /// The issue that it was split from, or itself.
    pub(super) coarse: Vec<Uuid>,
    pub(super) class: Vec<&'a str>,
    pub(super) title: Vec<&'a str>,
    pub(super) severity: Vec<i16>,
    pub(super) seen: Vec<Micros>,
    pub(super) hour: Vec<Micros>,
    pub(super) occurrences: Vec<i64>,
}

/// The sum of one issue.
struct IssueSum<'a> {
    latest: &'a Row,
    seen: Micros,
    severity: i16,
    occurrences: i64,
}

impl<'a> IssueSums<'a> {
    pub(super) fn of(plan: &Plan<'a>) -> Self {
        let mut sums: HashMap<Uuid, IssueSum<'a>> = HashMap::new();
        for (mark, row) in plan.rows() {
            let Some(issue) = plan.issue(row) else {
                continue;
            };
            let sum = sums.entry(issue).or_insert(IssueSum {
                latest: row,
                seen: mark.now,
                severity: 0,
                occurrences: 0,
            });
            if mark.now >= sum.seen {
                (sum.latest, sum.seen) = (row, mark.now);
            }
            sum.severity = sum.severity.max(row.severity);
            sum.occurrences += 1;
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_unstable_by_key(|(issue, _)| *issue);
        let mut columns = Self::default();
        for (issue, sum) in sums {
            columns.issue.push(issue);
            columns.coarse.push(sum.latest.issue.unwrap_or(issue));
            columns.class.push(&sum.latest.class);
            columns.title.push(&sum.latest.title);
            columns.severity.push(sum.severity);
            columns.seen.push(sum.seen);
            columns.hour.push(sum.seen.hour());
            columns.occurrences.push(sum.occurrences);
        }
        columns
    }
}

/// What is added to `rollups`, sorted.
#[derive(Debug, Default)]
pub(super) struct RollupSums<'a> {
    pub(super) agent_id: Vec<Uuid>,
    pub(super) hour: Vec<Micros>,
    pub(super) class: Vec<&'a str>,
    pub(super) kernel_release: Vec<&'a str>,
    pub(super) severity: Vec<i16>,
    pub(super) records: Vec<i64>,
}

impl<'a> RollupSums<'a> {
    pub(super) fn of(plan: &Plan<'a>) -> Self {
        let mut sums: HashMap<(Uuid, Micros, &str, &str, i16), i64> = HashMap::new();
        for (mark, row) in plan.rows() {
            let hour = mark.now.hour();
            *sums
                .entry((mark.agent_id, hour, &row.class, &row.kernel_release, row.severity))
                .or_default() += 1;
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_unstable();
        let mut columns = Self::default();
        for ((agent_id, hour, class, kernel_release, severity), records) in sums {
            columns.agent_id.push(agent_id);
            columns.hour.push(hour);
            columns.class.push(class);
            columns.kernel_release.push(kernel_release);
            columns.severity.push(severity);
            columns.records.push(records);
        }
        columns
    }
}

/// What is added to `losses`.
#[derive(Debug, Default)]
pub(super) struct LossRows {
    pub(super) agent_id: Vec<Uuid>,
    pub(super) epoch: Vec<Uuid>,
    pub(super) seq: Vec<i64>,
    pub(super) received_at: Vec<Micros>,
    pub(super) gap: Vec<bool>,
    pub(super) sequences: Vec<Option<i64>>,
    pub(super) reason: Vec<String>,
    pub(super) events: Vec<i64>,
    pub(super) hook: Vec<String>,
    pub(super) class: Vec<String>,
    pub(super) title: Vec<String>,
}

impl LossRows {
    pub(super) fn of(plan: &Plan<'_>) -> Self {
        let mut columns = Self::default();
        let told = plan
            .rows()
            .filter_map(|(mark, row)| Some((mark, row.seq, row.loss.as_ref()?)));
        for (mark, seq, loss) in told {
            columns.of_sender(mark, seq, loss.reason);
            columns.gap.push(false);
            columns.sequences.push(None);
            // Invariant: the check of the record refuses counts above 2^63 - 1.
            columns.events.push(i64::try_from(loss.count).unwrap_or(i64::MAX));
            columns.hook.push(clean(&loss.hook).into_owned());
            columns.class.push(clean(&loss.class).into_owned());
            columns.title.push(clean(&loss.title).into_owned());
        }
        for gap in &plan.gaps {
            columns.of_sender(&plan.marks[gap.mark], gap.first_seq, gap.said.reason);
            columns.gap.push(true);
            columns.sequences.push(Some(gap.sequences));
            columns.events.push(gap.events);
            columns.hook.push(String::new());
            columns.class.push(clean(&gap.said.class).into_owned());
            columns.title.push(String::new());
        }
        columns
    }

    fn of_sender(&mut self, mark: &Mark, seq: i64, why: i32) {
        self.agent_id.push(mark.agent_id);
        self.epoch.push(mark.epoch);
        self.seq.push(seq);
        self.received_at.push(mark.now);
        self.reason.push(reason(why));
    }
}

/// The name of a loss reason as `losses.reason` has it; the number of one that a newer agent knows.
fn reason(number: i32) -> String {
    match LossReason::try_from(number) {
        Ok(reason) => reason.as_str_name().trim_start_matches("LOSS_REASON_").to_owned(),
        Err(_unknown) => number.to_string(),
    }
}
