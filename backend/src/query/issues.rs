//! The gRPC service of issues.

use proto::v1::{
    ChangeIssueRequest, GetIssueRequest, Issue, IssueChange, IssueState, ListIssueDaysRequest,
    ListIssueDaysResponse, ListIssuesRequest, ListIssuesResponse, ListVariantsRequest, ListVariantsResponse,
    issues_server::{Issues, IssuesServer},
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{MESSAGE_BYTES, mask::Mask};
use crate::{
    access::{Caller, Role},
    analysis::usual,
    collector::store_status,
    store::{self, Store},
};

/// The service.
#[derive(Clone, Debug)]
pub struct IssuesService {
    store: Store,
}

impl IssuesService {
    /// On what is stored there.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// The issue that is meant: that of the digits, or the one that it counts for.
    async fn known(&self, issue: &str) -> Result<Uuid, Status> {
        let known = self.store.known_issue(issue).await;
        known.map_err(|error| store_status(&error))?.ok_or_else(no_issue)
    }
}

#[tonic::async_trait]
impl Issues for IssuesService {
    async fn list_issues(
        &self,
        request: Request<ListIssuesRequest>,
    ) -> Result<Response<ListIssuesResponse>, Status> {
        let request = request.into_inner();
        let mask = Mask::of::<Issue>(request.read_mask)?;
        let filter = request.filter.unwrap_or_default();
        let mut page = self
            .store
            .list_issues(&filter, request.page_size, &request.page_token)
            .await
            .map_err(|error| store_status(&error))?;
        page.issues = page.issues.into_iter().map(|issue| mask.apply(issue)).collect();
        Ok(Response::new(page))
    }

    async fn get_issue(&self, request: Request<GetIssueRequest>) -> Result<Response<Issue>, Status> {
        let request = request.into_inner();
        let mask = Mask::of::<Issue>(request.read_mask)?;
        let issue = self.store.get_issue(&request.issue).await;
        issue
            .map_err(|error| store_status(&error))?
            .map(|issue| Response::new(mask.apply(issue)))
            .ok_or_else(no_issue)
    }

    async fn change_issue(&self, request: Request<ChangeIssueRequest>) -> Result<Response<Issue>, Status> {
        let who = triager(request.extensions().get::<Caller>())?;
        let request = request.into_inner();
        // Strangers are who they say.
        let change = change(request.change.unwrap_or_default(), who.unwrap_or(request.who))?;
        let issue = self.store.change_issue(&request.issue, &change).await;
        issue
            .map_err(|error| store_status(&error))?
            .map(Response::new)
            .ok_or_else(no_issue)
    }

    async fn list_variants(
        &self,
        request: Request<ListVariantsRequest>,
    ) -> Result<Response<ListVariantsResponse>, Status> {
        let issue = self.known(&request.into_inner().issue).await?;
        let variants = self.store.variants(issue).await;
        variants.map(Response::new).map_err(|error| store_status(&error))
    }

    async fn list_issue_days(
        &self,
        request: Request<ListIssueDaysRequest>,
    ) -> Result<Response<ListIssueDaysResponse>, Status> {
        let request = request.into_inner();
        let issue = self.known(&request.issue).await?;
        let days = self.store.days_of_issue(issue, usual::days(request.days)).await;
        days.map(Response::new).map_err(|error| store_status(&error))
    }
}

/// The service with its limits.
pub fn server(service: IssuesService) -> IssuesServer<IssuesService> {
    IssuesServer::new(service).max_decoding_message_size(MESSAGE_BYTES)
}

fn no_issue() -> Status {
    Status::not_found("there is no issue with this fingerprint")
}

/// The name of a caller who may change issues; `None`: a stranger who may.
fn triager(caller: Option<&Caller>) -> Result<Option<String>, Status> {
    match caller {
        Some(caller) if caller.role >= Role::Triager => Ok(caller.name.clone()),
        Some(caller) => Err(Status::permission_denied(format!(
            "that takes the role {}, and this caller has {}",
            Role::Triager.name(),
            caller.role.name()
        ))),
        None => Err(Status::unauthenticated("nobody was asked who this is")),
    }
}

fn change(asked: IssueChange, who: String) -> Result<store::IssueChange, Status> {
    let state = match asked.state.map(IssueState::try_from) {
        None => None,
        Some(Ok(IssueState::New)) => Some(store::IssueState::New),
        Some(Ok(IssueState::Ongoing)) => Some(store::IssueState::Ongoing),
        Some(Ok(IssueState::Resolved)) => Some(store::IssueState::Resolved),
        Some(Ok(IssueState::Ignored)) => Some(store::IssueState::Ignored),
        Some(_) => {
            return Err(Status::invalid_argument(
                "state: people set NEW, ONGOING, RESOLVED and IGNORED; the others follow from records",
            ));
        }
    };
    Ok(store::IssueChange {
        who,
        state,
        resolved_in: asked.resolved_in,
        resolved_in_build: asked.resolved_in_build,
        ignore_days: asked.ignore_days,
        ignore_occurrences: asked.ignore_occurrences,
        ignore_hosts: asked.ignore_hosts,
        merged_into: asked.merged_into,
        owner: asked.owner,
        known_fix: asked.known_fix,
        fixed_in: asked.fixed_in,
        fix_url: asked.fix_url,
        split: asked.split,
        note: asked.note,
    })
}
