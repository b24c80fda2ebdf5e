//! Issues by REST: list, look at, change.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use proto::v1::{IssueFilter, IssueState};
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::error::{ApiError, Refusal};
use super::json::ToJson as _;
use crate::access::Caller;
use crate::store::{IssueChange, issue_state};

/// Which issues are listed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    /// Only those in this state: new, ongoing, escalating, resolved, regressed or ignored.
    state: String,
    /// Only those of this class, or of the classes with this prefix where it ends in a dot.
    class: String,
    /// How many, at most 500.
    page_size: u32,
    /// `next_page_token` of the page before.
    page_token: String,
}

/// `GET /api/v1/issues`.
pub(super) async fn list(
    State(app): State<App>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let Query(asked) = asked.map_err(|error| Refusal::Request(error.body_text()))?;
    let filter = IssueFilter {
        state: state(&asked.state)?.into(),
        class: asked.class,
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

/// `GET /api/v1/issues/{issue}`.
pub(super) async fn issue(
    State(app): State<App>,
    Path(issue): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let issue = app.store.get_issue(&issue).await?.ok_or(Refusal::NoIssue)?;
    Ok(Json(issue.to_json()))
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
    let issue = app
        .store
        .change_issue(&issue, &change)
        .await?
        .ok_or(Refusal::NoIssue)?;
    Ok(Json(issue.to_json()))
}
