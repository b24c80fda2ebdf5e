//! One stream to the collector.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prost::Message as _;
use proto::limits::{BATCH_RECORDS, MESSAGE_BYTES};
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
use tonic::transport::Endpoint;

use super::{Link, LinkState, ShipError, Shipper};
use crate::clock::Moment;
use crate::journal::{Entry, Journal};
use crate::keeper::Stats;

/// Records in one batch: a transaction of the collector's that is large enough to be cheap.
const RECORDS: usize = if BATCH_RECORDS < 1024 { BATCH_RECORDS } else { 1024 };
/// Bytes of one batch, unless its only record is larger.
const BYTES: usize = 512 * 1024;
/// Batches that wait for their answer: enough to hide the round trip and the transaction.
const IN_FLIGHT: usize = 8;
/// Bytes that wait for their answer; with the above, what shipping may hold in memory.
const IN_FLIGHT_BYTES: usize = 2 * 1024 * 1024;

/// A message that waits for its answer.
struct Sent {
    last_seq: u64,
    bytes: usize,
    entries: Vec<Entry>,
}

pub(super) struct Session<'a> {
    shipper: &'a Shipper,
    in_flight: VecDeque<Sent>,
    in_flight_bytes: usize,
    next_seq: u64,
    stored_seq: u64,
    progressed: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(shipper: &'a Shipper) -> Self {
        Self {
            shipper,
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

    /// Ships until `stop` (Ok) or until something fails.
    pub(super) async fn run(&mut self, stop: &CancellationToken) -> Result<(), ShipError> {
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            ended = self.ship() => ended,
        }
    }

    async fn ship(&mut self) -> Result<(), ShipError> {
        let (requests, mut answers) = self.open().await?;
        let mut stats = self.shipper.keeper.stats();
        let hello = self.answer(&mut answers).await?;
        let known = stats.borrow_and_update().clone();
        self.resume(hello, &known).await?;
        self.shipper.link.send_replace(Link {
            state: LinkState::Connected,
            ..Link::default()
        });
        tracing::info!(stored_seq = hello, "connected to the collector");
        let mut heard = Instant::now();
        loop {
            let more = self.next_seq <= stats.borrow().durable_seq;
            let room = self.in_flight.len() < IN_FLIGHT && self.in_flight_bytes < IN_FLIGHT_BYTES;
            let patience = heard + self.shipper.options.answer;
            tokio::select! {
                answer = answers.message() => {
                    let stored = stored_seq(answer)?;
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
                        permit.send(request);
                    }
                }
                changed = stats.changed(), if !more => changed.map_err(|_closed| ShipError::Closed)?,
                () = tokio::time::sleep_until(patience), if !self.in_flight.is_empty() => {
                    return Err(ShipError::Silent(self.shipper.options.answer));
                }
            }
        }
    }

    async fn open(&self) -> Result<(mpsc::Sender<DeliverRequest>, Streaming<DeliverResponse>), ShipError> {
        let Shipper {
            url, options, hello, ..
        } = self.shipper;
        let endpoint = Endpoint::from_shared(url.clone())
            .map_err(|source| ShipError::Url {
                url: url.clone(),
                source,
            })?
            .connect_timeout(options.connect)
            .http2_keep_alive_interval(options.keepalive)
            .keep_alive_timeout(options.connect)
            .keep_alive_while_idle(true)
            .tcp_keepalive(Some(Duration::from_mins(1)))
            .user_agent(concat!("telemd/", env!("CARGO_PKG_VERSION")))
            .map_err(|source| ShipError::Url {
                url: url.clone(),
                source,
            })?;
        let connect = |source| ShipError::Connect {
            url: url.clone(),
            source,
        };
        let channel = endpoint.connect().await.map_err(connect)?;
        let mut client = CollectorClient::new(channel)
            .send_compressed(CompressionEncoding::Zstd)
            .accept_compressed(CompressionEncoding::Zstd)
            .max_encoding_message_size(MESSAGE_BYTES);
        // Two: one being sent, one ready. What is in flight is bounded elsewhere.
        let (requests, queue) = mpsc::channel(2);
        let hello = DeliverRequest {
            message: Some(Message::Hello(hello.clone())),
        };
        requests.try_send(hello).map_err(|_full| ShipError::Closed)?;
        let call = client.deliver(ReceiverStream::new(queue));
        let answer = tokio::time::timeout(options.answer, call).await;
        let response = answer.map_err(|_elapsed| ShipError::Silent(options.answer))?;
        Ok((requests, response.map_err(status)?.into_inner()))
    }

    async fn answer(&self, answers: &mut Streaming<DeliverResponse>) -> Result<u64, ShipError> {
        let limit = self.shipper.options.answer;
        let answer = tokio::time::timeout(limit, answers.message()).await;
        stored_seq(answer.map_err(|_elapsed| ShipError::Silent(limit))?)
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

fn stored_seq(answer: Result<Option<DeliverResponse>, tonic::Status>) -> Result<u64, ShipError> {
    Ok(answer.map_err(status)?.ok_or(ShipError::Closed)?.stored_seq)
}

fn status(status: tonic::Status) -> ShipError {
    ShipError::Status(Box::new(status))
}
