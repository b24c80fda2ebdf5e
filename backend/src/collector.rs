//! The gRPC service that takes records in.

use std::{pin::Pin, sync::Arc};

use futures::Stream;
use proto::{
    limits,
    v1::{DeliverRequest, DeliverResponse, Hello, collector_server::Collector, deliver_request::Message},
};
use tokio::{
    sync::{Semaphore, mpsc},
    time::Instant,
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status, Streaming};
use uuid::Uuid;

use crate::{
    metrics::Metrics,
    record::check,
    store::{DeliverError, Sender, Store, StoreError, chain},
};

/// `Hello.agent_version`, bytes.
const AGENT_VERSION_BYTES: usize = 64;
/// Answers that wait for the network; an agent that does not read them is not served further.
const ANSWERS: usize = 16;

/// The service.
#[derive(Clone, Debug)]
pub struct CollectorService {
    store: Store,
    metrics: Metrics,
    /// Batches in work: their memory and connections are bounded, the rest waits in the agents.
    writers: Arc<Semaphore>,
    shutdown: CancellationToken,
}

impl CollectorService {
    /// Streams end when `shutdown` is cancelled, each after the message it is at.
    pub fn new(store: Store, metrics: Metrics, shutdown: CancellationToken) -> Self {
        Self {
            store,
            metrics,
            writers: Arc::new(Semaphore::new(Store::WRITERS)),
            shutdown,
        }
    }

    /// Serves one stream to its end.
    async fn serve(
        &self,
        mut requests: Streaming<DeliverRequest>,
        answers: &mpsc::Sender<Result<DeliverResponse, Status>>,
    ) -> Result<(), Status> {
        let Some(first) = self.next(&mut requests).await? else {
            return Ok(());
        };
        let Some(Message::Hello(hello)) = first.message else {
            return Err(Status::failed_precondition("the first message must be a Hello"));
        };
        let sender = self.hello(hello, answers).await?;
        tracing::info!(agent_id = %sender.agent_id, epoch = %sender.epoch, "agent connected");
        while let Some(request) = self.next(&mut requests).await? {
            let delivered = self.deliver(&sender, request).await?;
            if answers
                .send(Ok(DeliverResponse {
                    stored_seq: delivered,
                }))
                .await
                .is_err()
            {
                // The agent is gone; what it sent is stored, and it will ask when it comes back.
                break;
            }
        }
        Ok(())
    }

    async fn next(&self, requests: &mut Streaming<DeliverRequest>) -> Result<Option<DeliverRequest>, Status> {
        let Some(next) = self.shutdown.run_until_cancelled(requests.message()).await else {
            return Err(Status::unavailable("the collector is shutting down"));
        };
        next.map_err(|status| match status.code() {
            // Too large, not protobuf, or not decompressible: the same bytes would fail again.
            Code::OutOfRange | Code::Internal => Status::invalid_argument(status.message()),
            _ => status,
        })
    }

    async fn hello(
        &self,
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
        let stored_seq = self
            .store
            .hello(&sender, &host, &hello.agent_version)
            .await
            .map_err(|error| status(&error))?;
        // An agent that is gone already is noticed when its next message does not come.
        answers.send(Ok(DeliverResponse { stored_seq })).await.ok();
        Ok(sender)
    }

    async fn deliver(&self, sender: &Sender, request: DeliverRequest) -> Result<u64, Status> {
        // Invariant: the semaphore is never closed, so a permit always comes.
        let _permit = self.writers.acquire().await;
        let start = Instant::now();
        let delivered = match request.message {
            Some(Message::Batch(batch)) => self.store.deliver(sender, batch).await,
            Some(Message::Gap(gap)) => self.store.deliver_gap(sender, &gap).await,
            Some(Message::Hello(_)) => return Err(Status::invalid_argument("a second Hello")),
            None => {
                return Err(Status::invalid_argument(
                    "an empty message, or one of a newer agent",
                ));
            }
        };
        let delivered = delivered.map_err(|error| status(&error))?;
        self.metrics.delivered(&delivered, start.elapsed());
        if delivered.undecodable > 0 {
            tracing::warn!(
                agent_id = %sender.agent_id,
                epoch = %sender.epoch,
                stored_seq = delivered.stored_seq,
                records = delivered.undecodable,
                "records could not be understood and were stored as they are"
            );
        }
        Ok(delivered.stored_seq)
    }
}

#[tonic::async_trait]
impl Collector for CollectorService {
    type DeliverStream = Pin<Box<dyn Stream<Item = Result<DeliverResponse, Status>> + Send>>;

    async fn deliver(
        &self,
        request: Request<Streaming<DeliverRequest>>,
    ) -> Result<Response<Self::DeliverStream>, Status> {
        let service = self.clone();
        let peer = request.remote_addr();
        let (answers, responses) = mpsc::channel(ANSWERS);
        tokio::spawn(async move {
            let _open = service.metrics.stream();
            if let Err(status) = service.serve(request.into_inner(), &answers).await {
                service.metrics.refused(status.code());
                tracing::info!(?peer, code = ?status.code(), reason = status.message(), "stream ended");
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
        StoreError::InvalidPageToken | StoreError::InvalidFilter(_) | StoreError::InvalidPageSize => {
            Status::invalid_argument(error.to_string())
        }
        StoreError::Database(_) | StoreError::Migration(_) | StoreError::Url(_) | StoreError::Pool(_) => {
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
