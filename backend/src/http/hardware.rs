//! Parts of machines by REST: which had errors, and how healthy they are.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde_json::Value;
use uuid::Uuid;

use super::App;
use super::error::{ApiError, Refusal};
use crate::store::{PartFilter, Parts};

/// `GET /api/v1/hardware`: the worst first.
pub(super) async fn list(
    State(app): State<App>,
    filter: Result<Query<PartFilter>, QueryRejection>,
) -> Result<Json<Parts>, ApiError> {
    let Query(filter) = filter.map_err(|error| Refusal::Request(error.body_text()))?;
    Ok(Json(app.store.list_parts(&filter).await?))
}

/// `GET /api/v1/hardware/{id}`: one part, with the hours of the last 30 days in which it had errors.
pub(super) async fn part(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let id = Uuid::try_parse(&id).map_err(|_no_id| Refusal::NoPart)?;
    let part = app.store.get_part(id).await?.ok_or(Refusal::NoPart)?;
    Ok(Json(part))
}
