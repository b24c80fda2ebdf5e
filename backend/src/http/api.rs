//! The REST twin of `ListFaults` and `GetFault`.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use serde_json::Value;

use super::error::ApiError;
use super::json::ToJson as _;
use super::{App, pages, query};

/// Records that match, newest first
///
/// A page at a time, without the texts of kernel reports.
#[utoipa::path(
    get,
    path = "/api/v1/faults",
    operation_id = "list_faults",
    tag = "faults",
    params(query::ListParameters),
    responses((status = 200, description = "A page", body = ref("#/components/schemas/ListFaultsResponse")), super::openapi::Refusals)
)]
pub(super) async fn list(State(app): State<App>, RawQuery(raw): RawQuery) -> Result<Json<Value>, ApiError> {
    let request = query::parse(&raw.unwrap_or_default())?;
    let filter = request.filter.unwrap_or_default();
    let list = app
        .store
        .list_faults(&filter, request.page_size, &request.page_token)
        .await?;
    Ok(Json(list.to_json()))
}

/// One record, whole
#[utoipa::path(
    get,
    path = "/api/v1/faults/{id}",
    operation_id = "get_fault",
    tag = "faults",
    params(("id" = String, Path, description = "UUID of 36 characters")),
    responses((status = 200, description = "The record", body = ref("#/components/schemas/Fault")), super::openapi::Refusals)
)]
pub(super) async fn fault(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let fault = pages::fault_of(&app, &id).await?;
    Ok(Json(fault.to_json()))
}

/// The stack of a record with files and lines, where there are debug files
#[utoipa::path(
    get,
    path = "/api/v1/faults/{id}/stack",
    operation_id = "resolve_fault",
    tag = "faults",
    params(("id" = String, Path, description = "UUID of 36 characters")),
    responses((status = 200, description = "The stack", body = ref("#/components/schemas/ResolveFaultResponse")), super::openapi::Refusals)
)]
pub(super) async fn stack(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let fault = pages::fault_of(&app, &id).await?;
    Ok(Json(app.symbols.resolve(&fault).await?.to_json()))
}
