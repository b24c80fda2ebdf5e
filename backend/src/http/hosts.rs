//! Hosts and the builds that they run, by REST.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use proto::v1::HostFilter;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::App;
use super::error::{ApiError, Refusal};
use super::json::ToJson as _;

/// Which hosts are listed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    /// A filter in the language of `docs/filter.md`, of what is known about hosts.
    q: String,
    /// How many, at most 500.
    page_size: u32,
    /// `next_page_token` of the page before.
    page_token: String,
}

/// Which builds are listed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BuildsAsked {
    /// How many, at most 500.
    page_size: u32,
    /// `next_page_token` of the page before.
    page_token: String,
}

/// `GET /api/v1/hosts`.
pub(super) async fn list(
    State(app): State<App>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let Query(asked) = asked.map_err(|error| Refusal::Request(error.body_text()))?;
    let filter = HostFilter { query: asked.q };
    let page = app
        .store
        .list_hosts(&filter, asked.page_size, &asked.page_token)
        .await?;
    Ok(Json(page.to_json()))
}

/// `GET /api/v1/hosts/{agent}`.
pub(super) async fn host(State(app): State<App>, Path(agent): Path<String>) -> Result<Json<Value>, ApiError> {
    let agent_id = Uuid::try_parse(&agent).map_err(|_no_id| Refusal::AgentId)?;
    let host = app.store.host(agent_id).await?.ok_or(Refusal::NoHost)?;
    Ok(Json(host.to_json()))
}

/// `GET /api/v1/builds`.
pub(super) async fn builds(
    State(app): State<App>,
    asked: Result<Query<BuildsAsked>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let Query(asked) = asked.map_err(|error| Refusal::Request(error.body_text()))?;
    let page = app.store.list_builds(asked.page_size, &asked.page_token).await?;
    Ok(Json(page.to_json()))
}
