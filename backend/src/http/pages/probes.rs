//! The page of what the fleet watches.

use askama::Template as _;
use axum::Extension;
use axum::extract::State;
use axum::response::Html;

use super::App;
use crate::access::Caller;
use crate::http::access::frame;
use crate::http::error::PageError;
use crate::http::view::ProbesPage;

/// `GET /probes`.
pub(in crate::http) async fn probes(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
) -> Result<Html<String>, PageError> {
    let mut page = ProbesPage::new(&app.store.newest_beats().await?);
    page.frame = frame(&caller, "/probes");
    Ok(Html(page.render()?))
}
