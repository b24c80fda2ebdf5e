//! The pages of parts of machines.

use askama::Template as _;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Html;
use proto::v1::PartFilter;
use serde::Deserialize;
use uuid::Uuid;

use super::App;
use crate::access::Caller;
use crate::http::access::frame;
use crate::http::error::{PageError, Refusal};
use crate::http::view::{HardwarePage, PartPage};

/// Parts of a page.
const PAGE: u32 = 50;

/// The parameters of the list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::http) struct Asked {
    /// `dimm`, `cpu`, `pcie`, `cxl` or `disk`; empty: any.
    kind: String,
    /// A host's name or agent id; empty: any.
    host: String,
    /// The end of the page before.
    page_token: String,
}

/// `GET /hardware`.
pub(in crate::http) async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Html<String>, PageError> {
    let Query(asked) = asked.map_err(|error| Refusal::Request(error.body_text()))?;
    let filter = PartFilter {
        kind: asked.kind,
        host: asked.host,
        min_score: 0.0,
    };
    let list = app.store.list_parts(&filter, PAGE, &asked.page_token).await?;
    let mut page = HardwarePage::new(&filter, &list, (app.now)());
    page.frame = frame(&caller, "/hardware");
    Ok(Html(page.render()?))
}

/// `GET /hardware/{id}`.
pub(in crate::http) async fn part(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Html<String>, PageError> {
    let id = Uuid::try_parse(&id).map_err(|_no_id| Refusal::NoPart)?;
    let part = app.store.get_part(id).await?.ok_or(Refusal::NoPart)?;
    let mut page = PartPage::new(&part, (app.now)());
    page.frame = frame(&caller, "/hardware");
    Ok(Html(page.render()?))
}
