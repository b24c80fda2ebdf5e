//! The gRPC service of parts of machines.

use proto::v1::{
    GetPartRequest, ListPartsRequest, ListPartsResponse, Part,
    hardware_server::{Hardware, HardwareServer},
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{MESSAGE_BYTES, mask::Mask};
use crate::{collector::store_status, store::Store};

/// The service.
#[derive(Clone, Debug)]
pub struct HardwareService {
    store: Store,
}

impl HardwareService {
    /// On what is stored there.
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

#[tonic::async_trait]
impl Hardware for HardwareService {
    async fn list_parts(
        &self,
        request: Request<ListPartsRequest>,
    ) -> Result<Response<ListPartsResponse>, Status> {
        let request = request.into_inner();
        let mask = Mask::of::<Part>(request.read_mask)?;
        let filter = request.filter.unwrap_or_default();
        let mut page = self
            .store
            .list_parts(&filter, request.page_size, &request.page_token)
            .await
            .map_err(|error| store_status(&error))?;
        page.parts = page.parts.into_iter().map(|part| mask.apply(part)).collect();
        Ok(Response::new(page))
    }

    async fn get_part(&self, request: Request<GetPartRequest>) -> Result<Response<Part>, Status> {
        let request = request.into_inner();
        let mask = Mask::of::<Part>(request.read_mask)?;
        let id = Uuid::try_parse(&request.id)
            .map_err(|_not_a_uuid| Status::invalid_argument("id is not a UUID"))?;
        let part = self.store.get_part(id).await;
        part.map_err(|error| store_status(&error))?
            .map(|part| Response::new(mask.apply(part)))
            .ok_or_else(|| Status::not_found("there is no such part, or it has had no errors"))
    }
}

/// The service with its limits.
pub fn server(service: HardwareService) -> HardwareServer<HardwareService> {
    HardwareServer::new(service).max_decoding_message_size(MESSAGE_BYTES)
}
