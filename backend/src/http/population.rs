//! Who runs what, and how updates went, by REST.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::error::ApiError;
use super::taken::FromQuery;
use crate::store::{Population, PopulationBy, UpdatePath};

/// What can be asked.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Question {
    /// `build` (if nothing is said), `kernel`, `model`, `cpu` or `all`.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    pub(super) by: PopulationBy,
    /// Of so many days up to now, 1 to 366.
    #[serde(default = "a_month")]
    pub(super) days: u32,
}

/// The same of updates.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Days {
    /// Of so many days up to now, 1 to 366.
    #[serde(default = "a_month")]
    pub(super) days: u32,
}

/// Hosts by day.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PopulationAnswer {
    /// What they are counted by.
    by: PopulationBy,
    /// The latest day first, of each day what most hosts ran first; at most 10,000.
    population: Vec<Population>,
}

/// Updates.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UpdatesAnswer {
    /// Those that most hosts tried first; at most 10,000.
    updates: Vec<UpdatePath>,
}

fn a_month() -> u32 {
    30
}

/// Hosts by day and build, kernel, model or processor
#[utoipa::path(
    get,
    path = "/api/v1/population",
    operation_id = "population",
    tag = "hosts",
    params(Question),
    responses((status = 200, description = "Hosts by day", body = PopulationAnswer), super::openapi::Refusals)
)]
pub(super) async fn population(
    State(app): State<App>,
    FromQuery(Question { by, days }): FromQuery<Question>,
) -> Result<Json<PopulationAnswer>, ApiError> {
    let population = app.store.population(by, days).await?;
    Ok(Json(PopulationAnswer { by, population }))
}

/// How updates from one build to another went
#[utoipa::path(
    get,
    path = "/api/v1/updates",
    operation_id = "updates",
    tag = "hosts",
    params(Days),
    responses((status = 200, description = "Updates by where they lead", body = UpdatesAnswer), super::openapi::Refusals)
)]
pub(super) async fn updates(
    State(app): State<App>,
    FromQuery(Days { days }): FromQuery<Days>,
) -> Result<Json<UpdatesAnswer>, ApiError> {
    let updates = app.store.update_matrix(days).await?;
    Ok(Json(UpdatesAnswer { updates }))
}
