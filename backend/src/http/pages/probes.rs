//! The page of what the fleet watches.

use axum::extract::State;

use super::{App, Page, rendered};
use crate::http::access::Frame;
use crate::http::view::ProbesPage;

/// `GET /probes`.
pub(in crate::http) async fn probes(State(app): State<App>, frame: Frame) -> Page {
    let page = ProbesPage::new(&app.store.newest_beats().await?, frame);
    rendered(&page)
}
