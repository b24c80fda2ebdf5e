//! Hosts and the builds that they run, by REST.

use axum::Json;
use axum::extract::{Path, State};
use proto::v1::HostFilter;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;
use uuid::Uuid;

use super::App;
use super::error::{ApiError, Refusal};
use super::json::ToJson as _;
use super::taken::FromQuery;

/// Which hosts are listed.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// A filter in the language of `docs/filter.md`, of what is known about hosts.
    q: String,
    /// How many, at most 500.
    page_size: u32,
    /// `next_page_token` of the page before.
    page_token: String,
}

/// Which builds are listed.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct BuildsAsked {
    /// How many, at most 500.
    page_size: u32,
    /// `next_page_token` of the page before.
    page_token: String,
}

/// Hosts that match, by their names
#[utoipa::path(
    get,
    path = "/api/v1/hosts",
    operation_id = "list_hosts",
    tag = "hosts",
    params(Asked),
    responses((status = 200, description = "A page", body = ref("#/components/schemas/ListHostsResponse")), super::openapi::Refusals)
)]
pub(super) async fn list(
    State(app): State<App>,
    FromQuery(asked): FromQuery<Asked>,
) -> Result<Json<Value>, ApiError> {
    let filter = HostFilter { query: asked.q };
    let page = app
        .store
        .list_hosts(&filter, asked.page_size, &asked.page_token)
        .await?;
    Ok(Json(page.to_json()))
}

/// One host, with its modules and memory modules
#[utoipa::path(
    get,
    path = "/api/v1/hosts/{agent}",
    operation_id = "get_host",
    tag = "hosts",
    params(("agent" = String, Path, description = "UUID of its agent")),
    responses((status = 200, description = "The host", body = ref("#/components/schemas/KnownHost")), super::openapi::Refusals)
)]
pub(super) async fn host(State(app): State<App>, Path(agent): Path<String>) -> Result<Json<Value>, ApiError> {
    let agent_id = Uuid::try_parse(&agent).map_err(|_no_id| Refusal::AgentId)?;
    let host = app.store.host(agent_id).await?.ok_or(Refusal::NoHost)?;
    Ok(Json(host.to_json()))
}

/// Builds that hosts run now
#[utoipa::path(
    get,
    path = "/api/v1/builds",
    operation_id = "list_builds",
    tag = "hosts",
    params(BuildsAsked),
    responses((status = 200, description = "A page", body = ref("#/components/schemas/ListBuildsResponse")), super::openapi::Refusals)
)]
pub(super) async fn builds(
    State(app): State<App>,
    FromQuery(asked): FromQuery<BuildsAsked>,
) -> Result<Json<Value>, ApiError> {
    let page = app.store.list_builds(asked.page_size, &asked.page_token).await?;
    Ok(Json(page.to_json()))
}
