//! The pages of parts of machines.

use axum::extract::{Path, State};
use proto::v1::PartFilter;
use serde::Deserialize;
use uuid::Uuid;

use super::{App, Page, rendered};
use crate::http::access::Frame;
use crate::http::error::Refusal;
use crate::http::taken::FromQuery;
use crate::http::view::{HardwareEventsPage, HardwarePage, PartPage};

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
    frame: Frame,
    FromQuery(asked): FromQuery<Asked>,
) -> Page {
    let filter = PartFilter {
        kind: asked.kind,
        host: asked.host,
        min_score: 0.0,
    };
    let list = app.store.list_parts(&filter, PAGE, &asked.page_token).await?;
    let page = HardwarePage::new(&filter, &list, (app.now)(), frame);
    rendered(&page)
}

/// `GET /hardware/events`.
pub(in crate::http) async fn events(State(app): State<App>, frame: Frame) -> Page {
    let (classes, hosts) = tokio::try_join!(app.store.hardware_classes(), app.store.hardware_hosts())?;
    rendered(&HardwareEventsPage::new(&classes, &hosts, (app.now)(), frame))
}

/// `GET /hardware/{id}`.
pub(in crate::http) async fn part(State(app): State<App>, frame: Frame, Path(id): Path<String>) -> Page {
    let id = Uuid::try_parse(&id).map_err(|_no_id| Refusal::NoPart)?;
    let part = app.store.get_part(id).await?.ok_or(Refusal::NoPart)?;
    let page = PartPage::new(&part, (app.now)(), frame);
    rendered(&page)
}
