//! Issues by REST: list, look at, change.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use proto::v1::{IssueFilter, IssueState};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::error::{ApiError, Refusal};
use super::json::ToJson as _;
use super::population::Days;
use super::taken::{FromQuery, refused_body};
use crate::access::Caller;
use crate::store::{IssueChange, SplitGroup, issue_state};

/// Which issues are listed.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Only those in this state: new, ongoing, escalating, resolved, regressed or ignored.
    state: String,
    /// Only those of this class, such as `kernel.oops`, or `kernel.*` for all of kernel.
    class: String,
    /// A filter in the language of `docs/filter.md`, of issues.
    q: String,
    /// How many, at most 500.
    page_size: u32,
    /// `next_page_token` of the page before.
    page_token: String,
}

/// Issues that match, those with the latest records first
///
/// An issue that gets a record meanwhile moves to the front: no page repeats it.
#[utoipa::path(
    get,
    path = "/api/v1/issues",
    operation_id = "list_issues",
    tag = "issues",
    params(Asked),
    responses((status = 200, description = "A page", body = ref("#/components/schemas/ListIssuesResponse")), super::openapi::Refusals)
)]
pub(super) async fn list(
    State(app): State<App>,
    FromQuery(asked): FromQuery<Asked>,
) -> Result<Json<Value>, ApiError> {
    let filter = IssueFilter {
        state: state(&asked.state)?.into(),
        class: asked.class,
        query: asked.q,
    };
    let page = app
        .store
        .list_issues(&filter, asked.page_size, &asked.page_token)
        .await?;
    Ok(Json(page.to_json()))
}

pub(super) fn state(name: &str) -> Result<IssueState, Refusal> {
    issue_state(name).ok_or_else(|| {
        let states = "state must be new, ongoing, escalating, resolved, regressed or ignored";
        Refusal::Request(states.to_owned())
    })
}

/// One issue with its history
///
/// For one that counts for another, because it was merged or records are grouped by newer rules, that other is answered, with its
/// own id.
#[utoipa::path(
    get,
    path = "/api/v1/issues/{issue}",
    operation_id = "get_issue",
    tag = "issues",
    params(("issue" = String, Path, description = "32 hexadecimal digits")),
    responses((status = 200, description = "The issue", body = ref("#/components/schemas/Issue")), super::openapi::Refusals)
)]
pub(super) async fn issue(
    State(app): State<App>,
    Path(issue): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let issue = app.store.get_issue(&issue).await?.ok_or(Refusal::NoIssue)?;
    Ok(Json(issue.to_json()))
}

/// What an issue would be split into.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SplitAnswer {
    /// The largest first; at most 500.
    groups: Vec<SplitGroup>,
}

/// What an issue would be split into
#[utoipa::path(
    get,
    path = "/api/v1/issues/{issue}/split",
    operation_id = "preview_split",
    tag = "issues",
    params(("issue" = String, Path, description = "32 hexadecimal digits")),
    responses((status = 200, description = "The groups", body = SplitAnswer), super::openapi::Refusals)
)]
pub(super) async fn split(
    State(app): State<App>,
    Path(issue): Path<String>,
) -> Result<Json<SplitAnswer>, ApiError> {
    let groups = app.store.split_preview(&issue).await?;
    Ok(Json(SplitAnswer { groups }))
}

/// The ways in which an issue happens
///
/// Of one that counts for another, those of that other.
#[utoipa::path(
    get,
    path = "/api/v1/issues/{issue}/variants",
    operation_id = "list_variants",
    tag = "issues",
    params(("issue" = String, Path, description = "32 hexadecimal digits")),
    responses((status = 200, description = "The finer fingerprints of its records", body = ref("#/components/schemas/ListVariantsResponse")), super::openapi::Refusals)
)]
pub(super) async fn variants(
    State(app): State<App>,
    Path(issue): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let issue = app.store.known_issue(&issue).await?.ok_or(Refusal::NoIssue)?;
    Ok(Json(app.store.variants(issue).await?.to_json()))
}

/// An issue day by day, in all and in its newest builds
///
/// Of one that counts for another, that other.
#[utoipa::path(
    get,
    path = "/api/v1/issues/{issue}/days",
    operation_id = "list_issue_days",
    tag = "issues",
    params(("issue" = String, Path, description = "32 hexadecimal digits"), Days),
    responses((status = 200, description = "Its days", body = ref("#/components/schemas/ListIssueDaysResponse")), super::openapi::Refusals)
)]
pub(super) async fn days(
    State(app): State<App>,
    Path(issue): Path<String>,
    FromQuery(Days { days }): FromQuery<Days>,
) -> Result<Json<Value>, ApiError> {
    let issue = app.store.known_issue(&issue).await?.ok_or(Refusal::NoIssue)?;
    Ok(Json(app.store.days_of_issue(issue, days).await?.to_json()))
}

/// Change an issue
///
/// Answers what it is then. A change of one that counts for another is one of that other, and answered so, unless it has
/// `merged_into`. `application/json` only, which no page of
/// another site can send unasked.
#[utoipa::path(
    post,
    path = "/api/v1/issues/{issue}",
    operation_id = "change_issue",
    tag = "issues",
    params(("issue" = String, Path, description = "32 hexadecimal digits")),
    request_body = IssueChange,
    responses((status = 200, description = "The issue", body = ref("#/components/schemas/Issue")), super::openapi::Refusals)
)]
pub(super) async fn change(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(issue): Path<String>,
    change: Result<Json<IssueChange>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(mut change) = change.map_err(|error| refused_body(error.status(), &error.body_text()))?;
    // Strangers are who they say.
    change.who = caller.name.unwrap_or(change.who);
    let issue = app
        .store
        .change_issue(&issue, &change)
        .await?
        .ok_or(Refusal::NoIssue)?;
    Ok(Json(issue.to_json()))
}
