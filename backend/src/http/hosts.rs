//! What hosts say about themselves.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::Value;
use uuid::Uuid;

use super::App;
use super::error::{ApiError, Refusal};
use super::json::ToJson as _;

/// `GET /api/v1/hosts/{agent}`.
pub(super) async fn host(State(app): State<App>, Path(agent): Path<String>) -> Result<Json<Value>, ApiError> {
    let agent_id = Uuid::try_parse(&agent).map_err(|_no_id| Refusal::AgentId)?;
    let host = app.store.host(agent_id).await?.ok_or(Refusal::NoHost)?;
    Ok(Json(host.to_json()))
}
