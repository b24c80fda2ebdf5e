//! One stream to the collector.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prost::Message as _;
use proto::limits::BATCH_RECORDS;
use proto::v1::deliver_request::Message;
use proto::v1::{DeliverRequest, Gap, KnownFix, Record};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::open::Connection;
use super::skew::Skew;
use super::stream::{self, Begun, Opened};
use super::{Link, LinkState, ShipError, Shipper, message};
use crate::clock::Moment;
use crate::config::collector::Server;
use crate::enrolment::Enrolment;
use crate::fixes;
use crate::journal::{Entry, Journal};
use crate::keeper::Stats;
use crate::text::chain;

/// Records in one batch: a transaction of the collector's that is large enough to be cheap.
pub const RECORDS: usize = if BATCH_RECORDS < 1024 { BATCH_RECORDS } else { 1024 };
/// Bytes of one batch, unless its only record is larger.
pub const BYTES: usize = 512 * 1024;
/// Batches that wait for their answer: enough to hide the round trip and the transaction.
const IN_FLIGHT: usize = 8;
/// Bytes that wait for their answer; with the above, what shipping may hold in memory.
const IN_FLIGHT_BYTES: usize = 2 * 1024 * 1024;

/// How often it is looked whether a new certificate is due.
const RENEWAL_LOOK: Duration = Duration::from_secs(10);

/// Why a session ended without a failure.
pub(super) enum End {
    /// The agent stops.
    Stopped,
    /// A server that comes before this one takes records again.
    Back,
    /// The certificate was over and there is a new one.
    Renewed,
}

/// A message that waits for its answer.
struct Sent {
    last_seq: u64,
    bytes: usize,
    entries: Vec<Entry>,
}

pub(super) struct Session<'a> {
    shipper: &'a Shipper,
    server: &'a Server,
    /// The servers that come before it.
    before: &'a [Server],
    in_flight: VecDeque<Sent>,
    in_flight_bytes: usize,
    next_seq: u64,
    stored_seq: u64,
    progressed: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(shipper: &'a Shipper, servers: &'a [Server], turn: usize) -> Self {
        Self {
            shipper,
            server: &servers[turn],
            before: &servers[..turn],
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            next_seq: 1,
            stored_seq: 0,
            progressed: false,
        }
    }

    /// Whether the collector stored anything in this session.
    pub(super) fn progressed(&self) -> bool {
        self.progressed
    }

    /// Ships until `stop`, until there is a better way, or until something fails.
    pub(super) async fn run(&mut self, stop: &CancellationToken) -> Result<End, ShipError> {
        tokio::select! {
            () = stop.cancelled() => Ok(End::Stopped),
            ended = self.ship() => ended,
        }
    }

    async fn ship(&mut self) -> Result<End, ShipError> {
        let (connection, enrolment) = stream::connect(self.shipper, self.server).await?;
        let Opened {
            connection,
            mut enrolment,
            requests,
            mut answers,
            first,
            skew,
        } = match stream::begin(self.shipper, self.server, connection, enrolment).await? {
            Begun::Opened(opened) => *opened,
            Begun::Renewed => return Ok(End::Renewed),
        };
        let mut stats = self.shipper.keeper.stats();
        let known = stats.borrow_and_update().clone();
        self.resume(first.stored_seq, &known).await?;
        self.learn(first.known_fixes, true).await;
        self.tell(skew, enrolment.as_ref());
        let mut heard = Instant::now();
        let mut look = tokio::time::interval(RENEWAL_LOOK);
        let back = stream::back(self.shipper, self.before);
        tokio::pin!(back);
        let mut leaves = false;
        loop {
            if leaves && self.in_flight.is_empty() {
                return Ok(End::Back);
            }
            let more = self.next_seq <= stats.borrow().durable_seq && !leaves;
            let room = self.in_flight.len() < IN_FLIGHT && self.in_flight_bytes < IN_FLIGHT_BYTES;
            let patience = heard + self.shipper.options.answer;
            tokio::select! {
                answer = answers.message() => {
                    let answer = stream::answer(&connection, answer)?;
                    heard = Instant::now();
                    let durable_seq = stats.borrow_and_update().durable_seq;
                    self.stored(answer.stored_seq, durable_seq).await?;
                    self.learn(answer.known_fixes, false).await;
                }
                permit = requests.reserve(), if more && room => {
                    let permit = permit.map_err(|_closed| ShipError::Closed)?;
                    if self.in_flight.is_empty() {
                        heard = Instant::now();
                    }
                    if let Some(request) = self.next_request().await? {
                        stream::enter(self.shipper, self.server, &request).await;
                        permit.send(request);
                    }
                }
                changed = stats.changed(), if !more => changed.map_err(|_closed| ShipError::Closed)?,
                () = tokio::time::sleep_until(patience), if !self.in_flight.is_empty() => {
                    return Err(ShipError::Silent(self.shipper.options.answer));
                }
                () = &mut back, if !leaves => leaves = true,
                _ = look.tick() => self.renew_if_due(&connection, &mut enrolment, skew).await,
            }
        }
    }

    fn tell(&self, skew: Skew, enrolment: Option<&Enrolment>) {
        self.shipper.link.send_replace(Link {
            state: LinkState::Connected,
            server: self.server.url().to_owned(),
            clock_skew_s: skew.0,
            certificate_until_unix_s: enrolment.map(|enrolment| enrolment.not_after_unix_s),
            ..Link::default()
        });
        tracing::info!(
            server = self.server.url(),
            stored_seq = self.stored_seq,
            "connected to the collector"
        );
        if skew.is_wrong() {
            tracing::warn!(
                skew_s = skew.0,
                "this host's clock is wrong, and so are the times of its records"
            );
        }
    }

    /// Gets a new certificate where it is time. One that does not come is asked for again: half a life is left.
    async fn renew_if_due(&self, connection: &Connection, enrolment: &mut Option<Enrolment>, skew: Skew) {
        let due = |enrolment: &&Enrolment| skew.theirs(Moment::now()) >= enrolment.renew_at_unix_s();
        let Some(old) = enrolment.as_ref().filter(due) else {
            return;
        };
        match stream::renew(self.shipper, connection, old).await {
            Ok(new) => {
                let until = new.not_after_unix_s;
                self.shipper
                    .link
                    .send_modify(|link| link.certificate_until_unix_s = Some(until));
                *enrolment = Some(new);
            }
            Err(error) => tracing::warn!(
                error = chain(&error),
                not_after_unix_s = old.not_after_unix_s,
                "the certificate of this host could not be renewed yet"
            ),
        }
    }

    /// Begins where the collector is, even when it was further once (its database was restored from a backup).
    async fn resume(&mut self, stored: u64, stats: &Stats) -> Result<(), ShipError> {
        if stored > stats.durable_seq {
            return Err(ShipError::Ahead {
                stored,
                durable: stats.durable_seq,
            });
        }
        self.stored_seq = stored;
        self.next_seq = stored + 1;
        if stored < stats.acknowledged_seq {
            tracing::error!(
                stored_seq = stored,
                acknowledged_seq = stats.acknowledged_seq,
                "the collector lost records that it had acknowledged: those that the spool still holds are sent again"
            );
        } else {
            self.shipper.keeper.acknowledge(stored).await?;
        }
        Ok(())
    }

    async fn next_request(&mut self) -> Result<Option<DeliverRequest>, ShipError> {
        let keeper = &self.shipper.keeper;
        let chunk = keeper.read(self.next_seq, RECORDS, BYTES).await?;
        let acknowledged = keeper.stats().borrow().acknowledged_seq;
        let Some(request) = message::of_chunk(chunk, acknowledged) else {
            return Ok(None);
        };
        let (bytes, entries) = match &request.message {
            Some(Message::Batch(batch)) => (
                batch.records.iter().map(bytes::Bytes::len).sum(),
                self.entries(batch.first_seq, &batch.records),
            ),
            Some(Message::Gap(gap)) => {
                tell_gap(gap);
                (0, Vec::new())
            }
            Some(Message::Hello(_)) | None => (0, Vec::new()),
        };
        self.sent(message::last_seq(&request), bytes, entries);
        Ok(Some(request))
    }

    /// What the journal will say of records once they are stored.
    fn entries(&self, first_seq: u64, records: &[bytes::Bytes]) -> Vec<Entry> {
        let Some(journal) = &self.shipper.journal else {
            return Vec::new();
        };
        let payloads = lock(journal).keeps_payloads();
        (first_seq..)
            .zip(records)
            .filter_map(|(seq, bytes)| {
                // What cannot be understood is the collector's to tell.
                let record = Record::decode(bytes.clone()).ok()?;
                Entry::new(record, &self.shipper.hello.epoch, seq, payloads)
            })
            .collect()
    }

    fn sent(&mut self, last_seq: u64, bytes: usize, entries: Vec<Entry>) {
        self.in_flight.push_back(Sent {
            last_seq,
            bytes,
            entries,
        });
        self.in_flight_bytes += bytes;
        self.next_seq = last_seq + 1;
    }

    async fn stored(&mut self, stored: u64, durable_seq: u64) -> Result<(), ShipError> {
        if stored >= self.next_seq {
            return Err(ShipError::Ahead {
                stored,
                durable: durable_seq,
            });
        }
        if stored <= self.stored_seq {
            return Ok(());
        }
        self.stored_seq = stored;
        self.progressed = true;
        let mut entries = Vec::new();
        while let Some(sent) = self.in_flight.pop_front_if(|sent| sent.last_seq <= stored) {
            self.in_flight_bytes -= sent.bytes;
            entries.extend(sent.entries);
        }
        self.note(entries).await;
        Ok(self.shipper.keeper.acknowledge(stored).await?)
    }

    /// Keeps what the collector says mends faults of this host; `all`: nothing else does. What cannot be kept is told again.
    async fn learn(&self, told: Vec<KnownFix>, all: bool) {
        if told.is_empty() && !all {
            return;
        }
        let state_dir = self.shipper.state_dir.clone();
        let kept = tokio::task::spawn_blocking(move || fixes::learn(&state_dir, told, all)).await;
        if let Ok(Err(error)) = kept {
            tracing::warn!(%error, "what mends faults of this host could not be kept");
        }
    }

    /// Writes to the journal what is stored now. The collector has the records: a journal that cannot be written stops
    /// nothing.
    async fn note(&self, entries: Vec<Entry>) {
        let Some(journal) = self.shipper.journal.as_ref().filter(|_| !entries.is_empty()) else {
            return;
        };
        let (journal, now) = (Arc::clone(journal), Moment::now());
        let written = tokio::task::spawn_blocking(move || lock(&journal).append(entries, now)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(%error, "the journal of what was delivered could not be written");
        }
    }
}

fn lock(journal: &Mutex<Journal>) -> MutexGuard<'_, Journal> {
    // What a panic left half written is a line that readers pass over.
    journal.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tell_gap(gap: &Gap) {
    tracing::error!(
        first_seq = gap.first_seq,
        count = gap.count,
        events = gap.events,
        class = gap.class,
        reason = gap.reason().as_str_name(),
        "records were lost in the spool"
    );
}
