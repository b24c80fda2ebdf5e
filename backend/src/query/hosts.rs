//! The gRPC service of hosts and builds.

use proto::v1::{
    Build, GetHostRequest, KnownHost, ListBuildsRequest, ListBuildsResponse, ListHostsRequest,
    ListHostsResponse,
    hosts_server::{Hosts, HostsServer},
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{MESSAGE_BYTES, mask::Mask};
use crate::{collector::store_status, store::Store};

/// The service.
#[derive(Clone, Debug)]
pub struct HostsService {
    store: Store,
}

impl HostsService {
    /// On what is stored there.
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

#[tonic::async_trait]
impl Hosts for HostsService {
    async fn list_hosts(
        &self,
        request: Request<ListHostsRequest>,
    ) -> Result<Response<ListHostsResponse>, Status> {
        let request = request.into_inner();
        let mask = Mask::of::<KnownHost>(request.read_mask)?;
        let filter = request.filter.unwrap_or_default();
        let mut page = self
            .store
            .list_hosts(&filter, request.page_size, &request.page_token)
            .await
            .map_err(|error| store_status(&error))?;
        page.hosts = page.hosts.into_iter().map(|host| mask.apply(host)).collect();
        Ok(Response::new(page))
    }

    async fn get_host(&self, request: Request<GetHostRequest>) -> Result<Response<KnownHost>, Status> {
        let request = request.into_inner();
        let mask = Mask::of::<KnownHost>(request.read_mask)?;
        let agent_id = Uuid::try_parse(&request.agent_id)
            .map_err(|_not_a_uuid| Status::invalid_argument("agent_id is not a UUID"))?;
        let host = self.store.host(agent_id).await;
        host.map_err(|error| store_status(&error))?
            .map(|host| Response::new(mask.apply(host)))
            .ok_or_else(|| Status::not_found("no host has an agent with this id"))
    }

    async fn list_builds(
        &self,
        request: Request<ListBuildsRequest>,
    ) -> Result<Response<ListBuildsResponse>, Status> {
        let request = request.into_inner();
        let mask = Mask::of::<Build>(request.read_mask)?;
        let mut page = self
            .store
            .list_builds(request.page_size, &request.page_token)
            .await
            .map_err(|error| store_status(&error))?;
        page.builds = page.builds.into_iter().map(|build| mask.apply(build)).collect();
        Ok(Response::new(page))
    }
}

/// The service with its limits.
pub fn server(service: HostsService) -> HostsServer<HostsService> {
    HostsServer::new(service).max_decoding_message_size(MESSAGE_BYTES)
}
