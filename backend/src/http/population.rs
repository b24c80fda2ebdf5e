//! Who runs what, and how updates went, by REST.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::error::{ApiError, Refusal};
use crate::store::PopulationBy;

/// What can be asked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    #[serde(default)]
    by: PopulationBy,
    /// Of so many days up to now, 1 to 366.
    #[serde(default = "a_month")]
    days: u32,
}

/// The same of updates.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Days {
    #[serde(default = "a_month")]
    days: u32,
}

fn a_month() -> u32 {
    30
}

/// `GET /api/v1/population`: hosts by day and build, kernel, model or processor.
pub(super) async fn population(
    State(app): State<App>,
    asked: Result<Query<Question>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let Query(Question { by, days }) = asked.map_err(|error| Refusal::Request(error.body_text()))?;
    let population = app.store.population(by, days).await?;
    Ok(Json(json!({ "by": by, "population": population })))
}

/// `GET /api/v1/updates`: how updates from one build to another went.
pub(super) async fn updates(
    State(app): State<App>,
    asked: Result<Query<Days>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let Query(Days { days }) = asked.map_err(|error| Refusal::Request(error.body_text()))?;
    let updates = app.store.update_matrix(days).await?;
    Ok(Json(json!({ "updates": updates })))
}
