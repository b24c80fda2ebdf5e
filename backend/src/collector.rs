//! The gRPC service that takes records in.

use std::{pin::Pin, sync::Arc, time::Duration};

use futures::{Stream, future::try_join};
use proto::{
    limits,
    v1::{
        DeliverRequest, DeliverResponse, Hello, KnownFix, Rejected, collector_server::Collector,
        deliver_request::Message as Said,
    },
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status, Streaming, metadata::MetadataValue};
use uuid::Uuid;

use crate::{
    admission::{Admission, Peer},
    ingest::{Answer, Crowded, Ingest, Quotas},
    metrics::Metrics,
    record::check,
    store::{DeliverError, Delivered, Message, Sender, Store, StoreError, chain},
};

mod fixes;

pub use fixes::Fixes;

/// `Hello.agent_version`, bytes.
const AGENT_VERSION_BYTES: usize = 64;
/// Answers that wait for the network; an agent that does not read them is not served further.
const ANSWERS: usize = 16;
/// Messages of a stream that are being stored; it is not read further while there are as many. telemd sends eight.
const IN_FLIGHT: usize = 8;
/// An agent over its quota that need not wait longer than this is merely read later.
const BRIEFLY: Duration = Duration::from_secs(5);
/// When an agent may come back that found no room.
const CROWDED_PUSHBACK: Duration = Duration::from_secs(2);
/// The trailer that says when to try again, milliseconds (gRPC's retry design, gRFC A6).
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// The service.
#[derive(Clone, Debug)]
pub struct CollectorService {
    store: Store,
    admission: Admission,
    metrics: Metrics,
    ingest: Ingest,
    quotas: Arc<Quotas>,
    fixes: Fixes,
    shutdown: CancellationToken,
}

impl CollectorService {
    /// Streams end when `shutdown` is cancelled, each after the message it is at.
    pub fn new(
        store: Store,
        admission: Admission,
        ingest: Ingest,
        quotas: Arc<Quotas>,
        fixes: Fixes,
        metrics: Metrics,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            store,
            admission,
            metrics,
            ingest,
            quotas,
            fixes,
            shutdown,
        }
    }

    /// Serves one stream to its end.
    async fn serve(
        &self,
        peer: &Peer,
        mut requests: Streaming<DeliverRequest>,
        answers: &mpsc::Sender<Result<DeliverResponse, Status>>,
    ) -> Result<(), Status> {
        let Some(first) = self.next(&mut requests).await? else {
            return Ok(());
        };
        let Some(Said::Hello(hello)) = first.message else {
            return Err(Status::failed_precondition("the first message must be a Hello"));
        };
        let sender = self.hello(peer, hello, answers).await?;
        tracing::info!(agent_id = %sender.agent_id, epoch = %sender.epoch, "agent connected");
        // What is read and what is answered run side by side: the next message is on its way while one is stored.
        let (pending, stored) = mpsc::channel(IN_FLIGHT);
        let agent_id = sender.agent_id;
        let read = async {
            tokio::select! {
                read = self.read(Arc::new(sender), requests, pending) => Ok(read),
                refusal = self.admission.shut_out(agent_id) => Err(refusal),
            }
        };
        let ((), read) = try_join(self.answer(stored, answers), read).await?;
        read
    }

    /// Queues what the agent sends, to the end of the stream or its first mistake.
    async fn read(
        &self,
        sender: Arc<Sender>,
        mut requests: Streaming<DeliverRequest>,
        pending: mpsc::Sender<Pending>,
    ) -> Result<(), Status> {
        while let Some(request) = self.next(&mut requests).await? {
            let since = Instant::now();
            let message = message(&sender, request)?;
            self.within_quota(&message).await?;
            let known_fixes = self.fixes.of(&message);
            let answer = self.ingest.submit(message).await.map_err(|Crowded| {
                pushed_back(Status::resource_exhausted(Crowded.to_string()), CROWDED_PUSHBACK)
            })?;
            let answered = Pending {
                answer,
                known_fixes,
                since,
            };
            if pending.send(answered).await.is_err() {
                // Nobody answers any more: the stream has failed, and that is told.
                break;
            }
        }
        Ok(())
    }

    /// Answers messages in their order, as they are stored.
    async fn answer(
        &self,
        mut pending: mpsc::Receiver<Pending>,
        answers: &mpsc::Sender<Result<DeliverResponse, Status>>,
    ) -> Result<(), Status> {
        while let Some(Pending {
            answer,
            known_fixes,
            since,
        }) = pending.recv().await
        {
            let delivered = answer
                .await
                .map_err(|_writer_is_gone| shutting_down())?
                .map_err(|error| status(&error))?;
            self.metrics.delivered(&delivered, since.elapsed());
            // An agent that is gone asks again when it comes back; what it sent is stored.
            answers.send(Ok(response(delivered, known_fixes))).await.ok();
        }
        Ok(())
    }

    /// Waits until the agent may send so much, if that is soon.
    async fn within_quota(&self, message: &Message) -> Result<(), Status> {
        while let Err(wait) = self
            .quotas
            .take(message.agent_id(), message.records(), Instant::now())
        {
            if wait > BRIEFLY {
                let quota = Status::resource_exhausted("this agent sends more than its quota");
                return Err(pushed_back(quota, wait));
            }
            if self.shutdown.run_until_cancelled(sleep(wait)).await.is_none() {
                return Err(shutting_down());
            }
        }
        Ok(())
    }

    async fn next(&self, requests: &mut Streaming<DeliverRequest>) -> Result<Option<DeliverRequest>, Status> {
        let Some(next) = self.shutdown.run_until_cancelled(requests.message()).await else {
            return Err(shutting_down());
        };
        next.or_else(|status| match status.code() {
            // Too large, not protobuf, or not decompressible: the same bytes would fail again.
            Code::OutOfRange | Code::Internal => Err(Status::invalid_argument(status.message())),
            // No request ends with a status: the connection did, and nobody refused anything.
            Code::Unknown | Code::Cancelled => Ok(None),
            _ => Err(status),
        })
    }

    async fn hello(
        &self,
        peer: &Peer,
        hello: Hello,
        answers: &mpsc::Sender<Result<DeliverResponse, Status>>,
    ) -> Result<Sender, Status> {
        let host = hello.host.unwrap_or_default();
        check::host(&host)
            .and_then(|()| check::text("agent_version", &hello.agent_version, AGENT_VERSION_BYTES))
            .map_err(Status::invalid_argument)?;
        let sender = Sender::new(
            id("agent_id", &hello.agent_id)?,
            id("epoch", &hello.epoch)?,
            &host.kernel_release,
        );
        self.admission.admit(peer, sender.agent_id).await?;
        let stored_seq = self
            .store
            .hello(&sender, &host, &hello.agent_version)
            .await
            .map_err(|error| status(&error))?;
        let known_fixes = self.store.fixes_of_host(sender.agent_id).await;
        let response = DeliverResponse {
            stored_seq,
            rejected: Vec::new(),
            known_fixes: known_fixes.map_err(|error| store_status(&error))?,
        };
        // An agent that is gone already is noticed when its next message does not come.
        answers.send(Ok(response)).await.ok();
        Ok(sender)
    }
}

/// A message that is being stored.
struct Pending {
    answer: Answer,
    known_fixes: Vec<KnownFix>,
    since: Instant,
}

fn message(sender: &Arc<Sender>, request: DeliverRequest) -> Result<Message, Status> {
    let message = match request.message {
        Some(Said::Batch(batch)) => Message::batch(sender, &batch),
        Some(Said::Gap(gap)) => Message::gap(sender, gap),
        Some(Said::Hello(_)) => return Err(Status::invalid_argument("a second Hello")),
        None => {
            return Err(Status::invalid_argument(
                "an empty message, or one of a newer agent",
            ));
        }
    };
    message.map_err(|error| status(&error))
}

fn response(delivered: Delivered, known_fixes: Vec<KnownFix>) -> DeliverResponse {
    let rejected = delivered.rejected.into_iter().map(|rejected| Rejected {
        seq: rejected.seq,
        reason: rejected.reason,
    });
    DeliverResponse {
        stored_seq: delivered.stored_seq,
        rejected: rejected.collect(),
        known_fixes,
    }
}

/// Says when to try again.
fn pushed_back(mut status: Status, wait: Duration) -> Status {
    let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    status.metadata_mut().insert(PUSHBACK, MetadataValue::from(ms));
    status
}

fn shutting_down() -> Status {
    Status::unavailable("the collector is shutting down")
}

#[tonic::async_trait]
impl Collector for CollectorService {
    type DeliverStream = Pin<Box<dyn Stream<Item = Result<DeliverResponse, Status>> + Send>>;

    async fn deliver(
        &self,
        request: Request<Streaming<DeliverRequest>>,
    ) -> Result<Response<Self::DeliverStream>, Status> {
        let service = self.clone();
        let peer = request.extensions().get::<Peer>().cloned().unwrap_or_default();
        let (answers, responses) = mpsc::channel(ANSWERS);
        tokio::spawn(async move {
            let _open = service.metrics.stream();
            if let Err(status) = service.serve(&peer, request.into_inner(), &answers).await {
                service.metrics.refused(status.code());
                tracing::info!(peer = peer.address.map(tracing::field::display), code = ?status.code(), reason = status.message(), "stream ended");
                // Nobody to tell when the agent is gone.
                answers.send(Err(status)).await.ok();
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(responses))))
    }
}

fn id(name: &str, bytes: &[u8]) -> Result<Uuid, Status> {
    match Uuid::from_slice(bytes) {
        Ok(id) if !id.is_nil() => Ok(id),
        _ => Err(Status::invalid_argument(format!(
            "{name} is not 16 bytes of a random id"
        ))),
    }
}

fn status(error: &DeliverError) -> Status {
    match error {
        DeliverError::Invalid(_) => Status::invalid_argument(error.to_string()),
        DeliverError::Ahead { .. } | DeliverError::UnknownSender => {
            Status::failed_precondition(error.to_string())
        }
        DeliverError::Store(error) => store_status(error),
    }
}

/// What a client is told about a failure of the store; the log gets the rest.
pub(crate) fn store_status(error: &StoreError) -> Status {
    match error {
        StoreError::Unavailable(_) => {
            tracing::warn!(error = %chain(error), "the database is not available");
            Status::unavailable(error.to_string())
        }
        StoreError::Full(_) => {
            tracing::error!(error = %chain(error), "the database is full");
            Status::resource_exhausted(error.to_string())
        }
        StoreError::InvalidPageToken
        | StoreError::InvalidIssueId
        | StoreError::InvalidFilter(_)
        | StoreError::InvalidChange(_)
        | StoreError::InvalidPageSize => Status::invalid_argument(error.to_string()),
        StoreError::Database(_)
        | StoreError::Migration(_)
        | StoreError::OldSchema { .. }
        | StoreError::Url(_)
        | StoreError::Pool(_) => {
            tracing::error!(error = %chain(error), "the store failed");
            Status::internal("the store failed")
        }
    }
}

/// The service with the limits of the wire format.
pub fn server(service: CollectorService) -> proto::v1::collector_server::CollectorServer<CollectorService> {
    proto::v1::collector_server::CollectorServer::new(service)
        .max_decoding_message_size(limits::MESSAGE_BYTES)
        .accept_compressed(tonic::codec::CompressionEncoding::Zstd)
        .send_compressed(tonic::codec::CompressionEncoding::Zstd)
}
