//! Issues by REST: list, look at, change.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::App;
use super::error::{ApiError, Refusal};
use crate::access::Caller;
use crate::store::{IssueChange, IssueFilter};

/// `GET /api/v1/issues`.
pub(super) async fn list(
    State(app): State<App>,
    filter: Result<Query<IssueFilter>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let Query(filter) = filter.map_err(|error| Refusal::Request(error.body_text()))?;
    let issues = app.store.list_issues(&filter).await?;
    Ok(Json(json!({ "issues": issues })))
}

/// `GET /api/v1/issues/{issue}`.
pub(super) async fn issue(
    State(app): State<App>,
    Path(issue): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let issue = app.store.get_issue(&issue).await?.ok_or(Refusal::NoIssue)?;
    Ok(Json(issue))
}

/// `GET /api/v1/issues/{issue}/split`: what it would be split into.
pub(super) async fn split(
    State(app): State<App>,
    Path(issue): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let groups = app.store.split_preview(&issue).await?;
    Ok(Json(json!({ "groups": groups })))
}

/// `POST /api/v1/issues/{issue}`: takes `application/json` only, which no page of another site can send unasked.
pub(super) async fn change(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(issue): Path<String>,
    change: Result<Json<IssueChange>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(mut change) = change.map_err(|error| Refusal::Request(error.body_text()))?;
    // Strangers are who they say.
    change.who = caller.name.unwrap_or(change.who);
    if !app.store.change_issue(&issue, &change).await? {
        return Err(Refusal::NoIssue.into());
    }
    // A merged issue is shown as the one that it counts for.
    let shown = match change.merged_into {
        Some(into) if !into.is_empty() => into,
        _ => issue,
    };
    let issue = app.store.get_issue(&shown).await?.ok_or(Refusal::NoIssue)?;
    Ok(Json(issue))
}
