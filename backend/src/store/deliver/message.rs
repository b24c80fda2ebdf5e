//! What senders deliver, and what becomes of it.

use std::sync::Arc;

use proto::{
    limits,
    v1::{Batch, Gap},
};
use uuid::Uuid;

use crate::store::{DeliverError, rows::Row};

/// Who delivers.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The agent.
    pub agent_id: Uuid,
    /// Its spool's epoch.
    pub epoch: Uuid,
    /// The host's present kernel, for records that don't name their own.
    pub kernel_release: String,
    /// The collector itself, by what it heard of the host: no sign of life of its agent.
    pub by_netconsole: bool,
}

impl Sender {
    /// An agent.
    pub fn new(agent_id: Uuid, epoch: Uuid, kernel_release: &str) -> Self {
        Self {
            agent_id,
            epoch,
            kernel_release: kernel_release.to_owned(),
            by_netconsole: false,
        }
    }
}

/// What became of a batch or a gap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// The sequence up to which everything is stored now.
    pub stored_seq: u64,
    /// Records written.
    pub records: u64,
    /// Of these, records that could not be understood: they are in `quarantine` as they came.
    pub rejected: Vec<Rejected>,
    /// Records that had been stored before and were skipped.
    pub duplicates: u64,
}

impl Delivered {
    /// Adds what became of the messages behind it.
    pub(crate) fn add(&mut self, behind: Self) {
        self.stored_seq = behind.stored_seq;
        self.records += behind.records;
        self.rejected.extend(behind.rejected);
        self.duplicates += behind.duplicates;
    }
}

/// A record that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its sequence.
    pub seq: u64,
    /// What is wrong with it, at most 256 bytes.
    pub reason: String,
}

/// A message of a sender, checked and taken apart.
#[derive(Debug)]
pub struct Message {
    pub(in crate::store) sender: Arc<Sender>,
    pub(in crate::store) first_seq: i64,
    pub(in crate::store) last_seq: i64,
    pub(in crate::store) body: Body,
    bytes: usize,
}

#[derive(Debug)]
pub(in crate::store) enum Body {
    /// A row for each sequence.
    Rows(Vec<Row>),
    /// The sequences will never come.
    Gap(Gap),
}

impl Message {
    /// A batch. Records that break a limit become rows all the same; a batch that breaks one is refused.
    pub fn batch(sender: &Arc<Sender>, batch: &Batch) -> Result<Self, DeliverError> {
        let count = batch.records.len();
        if count == 0 || count > limits::BATCH_RECORDS {
            return Err(DeliverError::Invalid(format!(
                "a batch of {count} records: allowed are 1 to {}",
                limits::BATCH_RECORDS
            )));
        }
        let (first_seq, last_seq) = range(batch.first_seq, count as u64)?;
        let rows = (first_seq..)
            .zip(&batch.records)
            .map(|(seq, sent)| Row::new(seq, sent, &sender.kernel_release))
            .collect();
        Ok(Self {
            sender: Arc::clone(sender),
            first_seq,
            last_seq,
            body: Body::Rows(rows),
            bytes: batch.records.iter().map(bytes::Bytes::len).sum(),
        })
    }

    /// Sequences that will never come.
    pub fn gap(sender: &Arc<Sender>, gap: Gap) -> Result<Self, DeliverError> {
        let (first_seq, last_seq) = range(gap.first_seq, gap.count)?;
        if gap.class.chars().count() > limits::CLASS_CHARS {
            return Err(DeliverError::Invalid(format!(
                "a gap's class of more than {} characters",
                limits::CLASS_CHARS
            )));
        }
        Ok(Self {
            sender: Arc::clone(sender),
            first_seq,
            last_seq,
            bytes: gap.class.len(),
            body: Body::Gap(gap),
        })
    }

    /// The agent that it is of.
    pub fn agent_id(&self) -> Uuid {
        self.sender.agent_id
    }

    /// How many records it has.
    pub fn records(&self) -> usize {
        match &self.body {
            Body::Rows(rows) => rows.len(),
            Body::Gap(_) => 0,
        }
    }

    /// Bytes of its records as they were sent.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What its records are grouped by, or would be if people had split that. An issue may come more than once.
    pub(crate) fn issues(&self) -> impl Iterator<Item = Uuid> {
        let rows: &[Row] = match &self.body {
            Body::Rows(rows) => rows,
            Body::Gap(_) => &[],
        };
        rows.iter().flat_map(|row| [row.finer, row.issue]).flatten()
    }

    /// Splits the first `records` records of a batch off.
    pub(crate) fn split(self, records: usize) -> (Self, Option<Self>) {
        let Body::Rows(mut rows) = self.body else {
            return (self, None);
        };
        let rest = rows.split_off(records.min(rows.len()));
        let part = |rows: Vec<Row>, first_seq| Self {
            sender: Arc::clone(&self.sender),
            first_seq,
            last_seq: rows.last().map_or(first_seq, |row| row.seq),
            bytes: rows.iter().map(Row::bytes).sum(),
            body: Body::Rows(rows),
        };
        let behind = rest.first().map(|row| row.seq);
        (
            part(rows, self.first_seq),
            behind.map(|first_seq| part(rest, first_seq)),
        )
    }

    /// Puts what was split off back.
    pub(crate) fn join(mut self, rest: Option<Self>) -> Self {
        if let (Body::Rows(rows), Some(rest)) = (&mut self.body, rest)
            && let Body::Rows(more) = rest.body
        {
            rows.extend(more);
            self.last_seq = rest.last_seq;
            self.bytes += rest.bytes;
        }
        self
    }

    /// Puts all its records into quarantine: the database does not take them for what they say they are.
    pub(crate) fn quarantine(&mut self, reason: &str) {
        if let Body::Rows(rows) = &mut self.body {
            for row in rows {
                row.quarantine(reason, &self.sender.kernel_release);
            }
        }
    }
}

/// First and last sequence of a message, checked.
fn range(first_seq: u64, count: u64) -> Result<(i64, i64), DeliverError> {
    let invalid = || DeliverError::Invalid(format!("sequences {first_seq} and {count} on are out of range"));
    if first_seq == 0 || count == 0 {
        return Err(invalid());
    }
    let last_seq = first_seq.checked_add(count - 1).ok_or_else(invalid)?;
    // One below the largest, so that the next sequence can be named too.
    if last_seq >= i64::MAX as u64 {
        return Err(invalid());
    }
    let signed = |seq: u64| i64::try_from(seq).map_err(|_too_large| invalid());
    Ok((signed(first_seq)?, signed(last_seq)?))
}
