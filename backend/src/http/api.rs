//! The REST twin of `ListFaults` and `GetFault`.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use serde_json::Value;

use super::error::{ApiError, Refusal};
use super::json::ToJson as _;
use super::{App, pages, query};

/// `GET /api/v1/faults`.
pub(super) async fn list(State(app): State<App>, RawQuery(raw): RawQuery) -> Result<Json<Value>, ApiError> {
    let request = query::parse(&raw.unwrap_or_default())?;
    let filter = request.filter.unwrap_or_default();
    let list = app
        .store
        .list_faults(&filter, request.page_size, &request.page_token)
        .await?;
    Ok(Json(list.to_json()))
}

/// `GET /api/v1/faults/{id}`.
pub(super) async fn fault(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let id = pages::fault_id(&id)?;
    let fault = app.store.get_fault(id).await?.ok_or(Refusal::NoFault)?;
    Ok(Json(fault.to_json()))
}

/// `GET /api/v1/faults/{id}/stack`.
pub(super) async fn stack(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let id = pages::fault_id(&id)?;
    let fault = app.store.get_fault(id).await?.ok_or(Refusal::NoFault)?;
    Ok(Json(app.symbols.resolve(&fault).await?.to_json()))
}
