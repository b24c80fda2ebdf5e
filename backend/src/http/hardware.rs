//! Parts of machines by REST: which had errors, and how healthy they are.

use axum::Json;
use axum::extract::{Path, State};
use proto::v1::PartFilter;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;
use uuid::Uuid;

use super::App;
use super::error::{ApiError, Refusal};
use super::json::ToJson as _;
use super::taken::FromQuery;

/// Which parts are listed.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Of this kind; left out, of any.
    kind: String,
    /// Of the host with this name or agent id; left out, of any.
    host: String,
    /// The least score, 0 to 100.
    min_score: f64,
    /// How many, at most 500.
    page_size: u32,
    /// `next_page_token` of the page before.
    page_token: String,
}

/// Parts of machines that had errors, the worst first
#[utoipa::path(
    get,
    path = "/api/v1/hardware",
    operation_id = "list_parts",
    tag = "hosts",
    params(Asked),
    responses((status = 200, description = "A page", body = ref("#/components/schemas/ListPartsResponse")), super::openapi::Refusals)
)]
pub(super) async fn list(
    State(app): State<App>,
    FromQuery(asked): FromQuery<Asked>,
) -> Result<Json<Value>, ApiError> {
    let filter = PartFilter {
        kind: asked.kind,
        host: asked.host,
        min_score: asked.min_score,
    };
    let page = app
        .store
        .list_parts(&filter, asked.page_size, &asked.page_token)
        .await?;
    Ok(Json(page.to_json()))
}

/// One part, with the hours of the last 30 days in which it had errors
#[utoipa::path(
    get,
    path = "/api/v1/hardware/{id}",
    operation_id = "get_part",
    tag = "hosts",
    params(("id" = String, Path, description = "UUID of the part")),
    responses((status = 200, description = "The part", body = ref("#/components/schemas/Part")), super::openapi::Refusals)
)]
pub(super) async fn part(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let id = Uuid::try_parse(&id).map_err(|_no_id| Refusal::NoPart)?;
    let part = app.store.get_part(id).await?.ok_or(Refusal::NoPart)?;
    Ok(Json(part.to_json()))
}
