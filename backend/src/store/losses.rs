//! What a transaction adds to `losses`, as columns for `unnest`.

use proto::v1::LossReason;
use uuid::Uuid;

use super::{
    clean,
    plan::{Mark, Plan},
    time::Micros,
};

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
