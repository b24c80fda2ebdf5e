//! What a transaction will write: messages held against the marks of their senders.

use std::collections::HashSet;

use proto::v1::Gap;
use uuid::Uuid;

use super::{
    DeliverError, Delivered,
    deliver::{Body, Message, Rejected, sequence},
    rows::Row,
    time::Micros,
};

/// A sender's high-water mark, locked until the transaction ends.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) agent_id: Uuid,
    pub(super) epoch: Uuid,
    pub(super) by_netconsole: bool,
    /// Up to where everything was stored before.
    pub(super) was: i64,
    /// Up to where everything is stored, once the transaction is.
    pub(super) stored_seq: i64,
    /// By the database's clock, read after the lock was obtained; later than anything of this sender so far.
    pub(super) now: Micros,
    /// The transaction stores something of this sender.
    pub(super) moved: bool,
    /// Records of this sender that it stores.
    pub(super) records: i64,
}

/// New rows of one sender.
#[derive(Debug)]
pub(super) struct Part<'a> {
    /// Place in [`Plan::marks`].
    pub(super) mark: usize,
    pub(super) rows: &'a [Row],
}

/// Sequences that will never come, without those that are accounted for already.
#[derive(Debug)]
pub(super) struct NewGap<'a> {
    /// Place in [`Plan::marks`].
    pub(super) mark: usize,
    pub(super) first_seq: i64,
    pub(super) sequences: i64,
    pub(super) events: i64,
    pub(super) said: &'a Gap,
}

/// What a transaction writes.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// Sorted by agent and epoch.
    pub(super) marks: Vec<Mark>,
    pub(super) parts: Vec<Part<'a>>,
    pub(super) gaps: Vec<NewGap<'a>>,
    /// Issues whose records are grouped by a finer level.
    split: HashSet<Uuid>,
    /// What becomes of each message, in their order, once the transaction is committed.
    pub(super) outcomes: Vec<Result<Delivered, DeliverError>>,
}

impl<'a> Plan<'a> {
    /// `marks` are sorted by agent and epoch; a message whose sender has none is refused.
    pub(super) fn new(marks: Vec<Mark>, split: HashSet<Uuid>, messages: &'a [Message]) -> Self {
        let mut plan = Self {
            marks,
            parts: Vec::new(),
            gaps: Vec::new(),
            split,
            outcomes: Vec::with_capacity(messages.len()),
        };
        for message in messages {
            let outcome = plan.add(message);
            plan.outcomes.push(outcome);
        }
        plan
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.gaps.is_empty()
    }

    /// All new rows with the marks of their senders, in the order in which they are stored.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&Mark, &'a Row)> {
        self.parts
            .iter()
            .flat_map(|part| part.rows.iter().map(|row| (&self.marks[part.mark], row)))
    }

    /// The issue of a row.
    pub(super) fn issue(&self, row: &Row) -> Option<Uuid> {
        match row.issue {
            Some(issue) if self.split.contains(&issue) => Some(row.finer.unwrap_or(issue)),
            issue => issue,
        }
    }

    fn add(&mut self, message: &'a Message) -> Result<Delivered, DeliverError> {
        let sender = (message.sender.agent_id, message.sender.epoch);
        let at = self
            .marks
            .binary_search_by_key(&sender, |mark| (mark.agent_id, mark.epoch))
            .map_err(|_none| DeliverError::UnknownSender)?;
        let mark = &mut self.marks[at];
        let known = mark.known(message)?;
        let mut delivered = Delivered {
            stored_seq: sequence(mark.stored_seq.max(message.last_seq)),
            ..Delivered::default()
        };
        match &message.body {
            Body::Rows(rows) => {
                let duplicates = usize::try_from(known).unwrap_or(usize::MAX).min(rows.len());
                let new = &rows[duplicates..];
                delivered.duplicates = duplicates as u64;
                delivered.records = new.len() as u64;
                delivered.rejected = new.iter().filter_map(rejected).collect();
                if new.is_empty() {
                    return Ok(delivered);
                }
                // Invariant: a batch has at most 4096 records.
                mark.records += i64::try_from(new.len()).unwrap_or_default();
                self.parts.push(Part { mark: at, rows: new });
            }
            Body::Gap(_) if message.last_seq <= mark.stored_seq => return Ok(delivered),
            Body::Gap(gap) => self.gaps.push(NewGap::new(at, mark, message, gap)),
        }
        mark.stored_seq = message.last_seq;
        mark.moved = true;
        Ok(delivered)
    }
}

impl Mark {
    /// How many of the message's sequences are stored already.
    fn known(&self, message: &Message) -> Result<i64, DeliverError> {
        let (first_seq, stored_seq) = (message.first_seq, self.stored_seq);
        if first_seq > stored_seq + 1 {
            return Err(DeliverError::Ahead {
                first_seq,
                stored_seq,
            });
        }
        Ok(stored_seq.min(message.last_seq) + 1 - first_seq)
    }
}

impl<'a> NewGap<'a> {
    fn new(at: usize, mark: &Mark, message: &Message, said: &'a Gap) -> Self {
        let (first_seq, sequences) = (mark.stored_seq + 1, message.last_seq - mark.stored_seq);
        // Which of its events a part of a gap tells of nobody knows.
        let events = if first_seq == message.first_seq {
            i64::try_from(said.events).unwrap_or(i64::MAX)
        } else {
            sequences
        };
        Self {
            mark: at,
            first_seq,
            sequences,
            events: events.max(sequences),
            said,
        }
    }
}

fn rejected(row: &Row) -> Option<Rejected> {
    let quarantined = row.quarantined.as_ref()?;
    Some(Rejected {
        seq: sequence(row.seq),
        reason: quarantined.reason.clone(),
    })
}
