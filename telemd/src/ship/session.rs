//! One stream to the collector.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prost::Message as _;
use proto::limits::{BATCH_RECORDS, MESSAGE_BYTES};
use proto::reasons;
use proto::v1::collector_client::CollectorClient;
use proto::v1::deliver_request::Message;
use proto::v1::{Batch, DeliverRequest, DeliverResponse, Gap, LossReason, Record};
use spool::{Chunk, GapReason};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;
use tonic::codec::CompressionEncoding;
use tonic_types::StatusExt as _;

use super::open::{self, Connection};
use super::skew::Skew;
use super::trust::{self, Belief, Trust};
use super::{Link, LinkState, ShipError, Shipper};
use crate::clock::Moment;
use crate::config::collector::Server;
use crate::enrolment::{Enrolment, EnrolmentError, request};
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
const RENEWAL_LOOK: Duration = Duration::from_mins(1);

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

/// A stream and what it was made with.
struct Opened {
    connection: Connection,
    enrolment: Option<Enrolment>,
    requests: mpsc::Sender<DeliverRequest>,
    answers: Streaming<DeliverResponse>,
    stored: u64,
    skew: Skew,
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
        let (connection, enrolment) = connect(self.shipper, self.server).await?;
        let Opened {
            connection,
            mut enrolment,
            requests,
            mut answers,
            stored,
            skew,
        } = match begin(self.shipper, self.server, connection, enrolment).await? {
            Begun::Opened(opened) => *opened,
            Begun::Renewed => return Ok(End::Renewed),
        };
        let mut stats = self.shipper.keeper.stats();
        let known = stats.borrow_and_update().clone();
        self.resume(stored, &known).await?;
        self.tell(skew, enrolment.as_ref());
        let mut heard = Instant::now();
        let mut look = tokio::time::interval(RENEWAL_LOOK);
        let back = back(self.shipper, self.before);
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
                    let stored = stored_seq(&connection, answer)?;
                    heard = Instant::now();
                    let durable_seq = stats.borrow_and_update().durable_seq;
                    self.stored(stored, durable_seq).await?;
                }
                permit = requests.reserve(), if more && room => {
                    let permit = permit.map_err(|_closed| ShipError::Closed)?;
                    if self.in_flight.is_empty() {
                        heard = Instant::now();
                    }
                    if let Some(request) = self.next_request().await? {
                        enter(self.shipper, self.server, &request).await;
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
        match renew(self.shipper, connection, old).await {
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
        let chunk = self.shipper.keeper.read(self.next_seq, RECORDS, BYTES).await?;
        Ok(match chunk {
            Chunk::Empty => None,
            Chunk::Records { first_seq, records } => {
                let bytes = records.iter().map(Vec::len).sum();
                let entries = self.entries(first_seq, &records);
                let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
                let records = records.into_iter().map(Into::into).collect();
                self.sent(first_seq.saturating_add(count) - 1, bytes, entries);
                Some(DeliverRequest {
                    message: Some(Message::Batch(Batch { first_seq, records })),
                })
            }
            Chunk::Gap {
                first_seq,
                count,
                reason,
                class,
                events,
            } => {
                let acknowledged = self.shipper.keeper.stats().borrow().acknowledged_seq;
                let (count, reason, events) = match reason {
                    // Not given up for want of room, but let go of because the collector had it once.
                    GapReason::Evicted if first_seq <= acknowledged => {
                        let count = count.min(acknowledged - first_seq + 1);
                        (count, LossReason::SpoolUnreadable, count)
                    }
                    GapReason::Evicted => (count, LossReason::SpoolFull, events),
                    GapReason::Expired => (count, LossReason::SpoolExpired, events),
                    GapReason::Unreadable => (count, LossReason::SpoolUnreadable, events),
                };
                tracing::error!(
                    first_seq,
                    count,
                    events,
                    class,
                    reason = reason.as_str_name(),
                    "records were lost in the spool"
                );
                Some(self.gap(Gap {
                    first_seq,
                    count,
                    reason: reason.into(),
                    class,
                    events,
                }))
            }
        })
    }

    fn gap(&mut self, gap: Gap) -> DeliverRequest {
        self.sent(gap.first_seq.saturating_add(gap.count) - 1, 0, Vec::new());
        DeliverRequest {
            message: Some(Message::Gap(gap)),
        }
    }

    /// What the journal will say of records once they are stored.
    fn entries(&self, first_seq: u64, records: &[Vec<u8>]) -> Vec<Entry> {
        let Some(journal) = &self.shipper.journal else {
            return Vec::new();
        };
        let payloads = lock(journal).keeps_payloads();
        (first_seq..)
            .zip(records)
            .filter_map(|(seq, bytes)| {
                // What cannot be understood is the collector's to tell.
                let record = Record::decode(bytes.as_slice()).ok()?;
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

/// Connects to a server with what the configuration and enrolment bring.
async fn connect(shipper: &Shipper, server: &Server) -> Result<(Connection, Option<Enrolment>), ShipError> {
    let Shipper {
        collector,
        proxies,
        options,
        ..
    } = shipper;
    if !server.is_tls() {
        return Ok((Connection::open(server, None, proxies, options).await?, None));
    }
    let enrolment = Enrolment::load(&shipper.state_dir)?;
    let belief = Belief::of(collector, enrolment.as_ref())?;
    let identity = trust::identity(collector, enrolment.as_ref())?;
    let trust = Trust::new(belief.clone(), identity, None)?;
    let connection = match Connection::open(server, Some(&trust), proxies, options).await {
        Err(ShipError::Dial(refused)) => {
            return Err(open::explain(refused, server, &belief, proxies, options).await);
        }
        connection => connection?,
    };
    // A certificate that somebody else provides somebody else renews.
    let renewed_here = enrolment.filter(|_| collector.certificate_file.is_none());
    Ok((connection, renewed_here))
}

enum Begun {
    Opened(Box<Opened>),
    Renewed,
}

/// Says Hello. Where the collector answers that the certificate is over, it is asked for a new one instead.
async fn begin(
    shipper: &Shipper,
    server: &Server,
    connection: Connection,
    enrolment: Option<Enrolment>,
) -> Result<Begun, ShipError> {
    match hello(shipper, server, &connection).await {
        Ok((requests, answers, stored, skew)) => Ok(Begun::Opened(Box::new(Opened {
            connection,
            enrolment,
            requests,
            answers,
            stored,
            skew,
        }))),
        Err(ShipError::Status(status)) if is_expired(&status) => {
            let Some(old) = &enrolment else {
                return Err(ShipError::Status(status));
            };
            let renewed = renew(shipper, &connection, old).await;
            renewed.map(|_new| Begun::Renewed).map_err(|error| match error {
                RenewError::Request(error) => ShipError::Renewal(error),
                RenewError::Store(error) => ShipError::Enrolment(error),
                RenewError::Silent => ShipError::Silent(shipper.options.answer),
            })
        }
        Err(error) => Err(error),
    }
}

type Stream = (
    mpsc::Sender<DeliverRequest>,
    Streaming<DeliverResponse>,
    u64,
    Skew,
);

async fn hello(shipper: &Shipper, server: &Server, connection: &Connection) -> Result<Stream, ShipError> {
    let within = shipper.options.answer;
    let mut client = CollectorClient::new(connection.channel.clone())
        .send_compressed(CompressionEncoding::Zstd)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_encoding_message_size(MESSAGE_BYTES);
    // Two: one being sent, one ready. What is in flight is bounded elsewhere.
    let (requests, queue) = mpsc::channel(2);
    let hello = DeliverRequest {
        message: Some(Message::Hello(shipper.hello.clone())),
    };
    enter(shipper, server, &hello).await;
    requests.try_send(hello).map_err(|_full| ShipError::Closed)?;
    let call = client.deliver(ReceiverStream::new(queue));
    let answer = tokio::time::timeout(within, call).await;
    let response = answer.map_err(|_elapsed| ShipError::Silent(within))?;
    let response = response.map_err(|status| connection.status(status))?;
    let skew = Skew::of(response.metadata(), Moment::now()).unwrap_or_default();
    let mut answers = response.into_inner();
    let first = tokio::time::timeout(within, answers.message()).await;
    let stored = stored_seq(connection, first.map_err(|_elapsed| ShipError::Silent(within))?)?;
    Ok((requests, answers, stored, skew))
}

/// Comes back when one of `servers` takes records.
async fn back(shipper: &Shipper, servers: &[Server]) {
    if servers.is_empty() {
        return std::future::pending().await;
    }
    loop {
        // Agents that came here together go back apart.
        tokio::time::sleep(shipper.options.back.mul_f64(0.75 + fastrand::f64() / 2.0)).await;
        for server in servers {
            let asked = async {
                let (connection, _) = connect(shipper, server).await?;
                hello(shipper, server, &connection).await
            };
            match asked.await {
                Ok(_stream) => return,
                Err(error) => tracing::debug!(server = server.url(), error = chain(&error), "not back yet"),
            }
        }
    }
}

/// Why there is no new certificate.
#[derive(Debug, thiserror::Error)]
enum RenewError {
    #[error("no new certificate")]
    Request(#[from] request::RequestError),
    #[error("the new certificate cannot be kept")]
    Store(#[from] EnrolmentError),
    #[error("no answer from the collector")]
    Silent,
}

async fn renew(shipper: &Shipper, connection: &Connection, old: &Enrolment) -> Result<Enrolment, RenewError> {
    let asked = request::renew(connection.channel.clone(), old, shipper.agent_id);
    let answer = tokio::time::timeout(shipper.options.answer, asked).await;
    let new = answer.map_err(|_elapsed| RenewError::Silent)??;
    let (state_dir, kept) = (shipper.state_dir.clone(), new.clone());
    let stored = tokio::task::spawn_blocking(move || kept.store(&state_dir)).await;
    stored.map_err(|_panicked| RenewError::Silent)??;
    tracing::info!(
        not_after_unix_s = new.not_after_unix_s,
        "the certificate of this host was renewed"
    );
    Ok(new)
}

fn is_expired(status: &tonic::Status) -> bool {
    let info = status.get_details_error_info();
    info.is_some_and(|info| info.domain == reasons::DOMAIN && info.reason == reasons::CERTIFICATE_EXPIRED)
}

/// Writes into the ledger what is about to leave. A ledger that cannot be written stops nothing: the next entry says how
/// many are missing.
async fn enter(shipper: &Shipper, server: &Server, request: &DeliverRequest) {
    let Some(ledger) = &shipper.ledger else {
        return;
    };
    let (ledger, request, now) = (Arc::clone(ledger), request.clone(), Moment::now());
    let (server, agent_id) = (server.url().to_owned(), shipper.agent_id);
    let written = tokio::task::spawn_blocking(move || {
        let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.enter(&server, agent_id, &request, now)
    });
    if let Ok(Err(error)) = written.await {
        tracing::warn!(%error, "the ledger of what leaves this host could not be written");
    }
}

fn stored_seq(
    connection: &Connection,
    answer: Result<Option<DeliverResponse>, tonic::Status>,
) -> Result<u64, ShipError> {
    let answer = answer.map_err(|status| connection.status(status))?;
    Ok(answer.ok_or(ShipError::Closed)?.stored_seq)
}
