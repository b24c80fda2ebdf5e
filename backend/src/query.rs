//! The gRPC services that answer questions: about stored records here, about the rest in the modules.

pub mod hardware;
pub mod hosts;
pub mod issues;
mod mask;
pub mod statistics;

use std::pin::Pin;

use futures::Stream;
use proto::v1::{
    Fault, FaultFilter, GetFaultRequest, ListFaultsRequest, ListFaultsResponse, TailFaultsRequest,
    query_server::{Query, QueryServer},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use self::mask::Mask;
use crate::{
    access::{Credentials, unknown},
    collector::store_status,
    store::{Store, StoreError, TailCursor},
};

/// Records that a tail reads at once, and that wait for a slow reader.
const TAIL_BATCH: u32 = 100;
/// Questions are small. Bytes.
const MESSAGE_BYTES: usize = 64 * 1024;

/// The service.
#[derive(Clone, Debug)]
pub struct QueryService {
    store: Store,
    shutdown: CancellationToken,
}

impl QueryService {
    /// Tails end when `shutdown` is cancelled.
    pub fn new(store: Store, shutdown: CancellationToken) -> Self {
        Self { store, shutdown }
    }

    async fn tail(
        &self,
        mut cursor: TailCursor,
        filter: FaultFilter,
        mask: Mask,
        faults: &mpsc::Sender<Result<Fault, Status>>,
    ) -> Result<(), StoreError> {
        while !faults.is_closed() {
            let found = self.store.faults_after(&mut cursor, &filter, TAIL_BATCH).await?;
            let more = found.len() == TAIL_BATCH as usize;
            for fault in found {
                if faults.send(Ok(mask.apply(fault))).await.is_err() {
                    return Ok(());
                }
            }
            if !more {
                tokio::time::sleep(Store::TAIL_POLL).await;
            }
        }
        Ok(())
    }
}

#[tonic::async_trait]
impl Query for QueryService {
    async fn list_faults(
        &self,
        request: Request<ListFaultsRequest>,
    ) -> Result<Response<ListFaultsResponse>, Status> {
        let request = request.into_inner();
        let mask = Mask::of::<Fault>(request.read_mask)?;
        let filter = request.filter.unwrap_or_default();
        let mut page = self
            .store
            .list_faults(&filter, request.page_size, &request.page_token)
            .await
            .map_err(|error| store_status(&error))?;
        page.faults = page.faults.into_iter().map(|fault| mask.apply(fault)).collect();
        Ok(Response::new(page))
    }

    async fn get_fault(&self, request: Request<GetFaultRequest>) -> Result<Response<Fault>, Status> {
        let request = request.into_inner();
        let mask = Mask::of::<Fault>(request.read_mask)?;
        let id = Uuid::try_parse(&request.id)
            .map_err(|_not_a_uuid| Status::invalid_argument("id is not a UUID"))?;
        let fault = self
            .store
            .get_fault(id)
            .await
            .map_err(|error| store_status(&error))?;
        fault
            .map(|fault| Response::new(mask.apply(fault)))
            .ok_or_else(|| Status::not_found("there is no such record"))
    }

    type TailFaultsStream = Pin<Box<dyn Stream<Item = Result<Fault, Status>> + Send>>;

    async fn tail_faults(
        &self,
        request: Request<TailFaultsRequest>,
    ) -> Result<Response<Self::TailFaultsStream>, Status> {
        // The guard knows everybody who gets here.
        let credentials = request.extensions().get::<Credentials>().cloned();
        let credentials = credentials.ok_or_else(unknown)?;
        let request = request.into_inner();
        let mask = Mask::of::<Fault>(request.read_mask)?;
        let filter = request.filter.unwrap_or_default();
        // Whoever has the answer to the call misses nothing that is stored from then on.
        let cursor = self.store.tail().await.map_err(|error| store_status(&error))?;
        let service = self.clone();
        let (faults, stream) = mpsc::channel(TAIL_BATCH as usize);
        tokio::spawn(async move {
            let status = tokio::select! {
                tailed = service.tail(cursor, filter, mask, &faults) => match tailed {
                    Ok(()) => return,
                    Err(error) => store_status(&error),
                },
                () = credentials.withdrawn() => unknown(),
                () = service.shutdown.cancelled() => Status::unavailable("the collector is shutting down"),
            };
            // Nobody to tell when the client is gone.
            faults.send(Err(status)).await.ok();
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

/// The service with its limits.
pub fn server(service: QueryService) -> QueryServer<QueryService> {
    QueryServer::new(service)
        .max_decoding_message_size(MESSAGE_BYTES)
        .accept_compressed(tonic::codec::CompressionEncoding::Zstd)
        .send_compressed(tonic::codec::CompressionEncoding::Zstd)
}
