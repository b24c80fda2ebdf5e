//! The pages of who runs what, and of updates.

use askama::Template as _;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Html;

use super::App;
use crate::access::Caller;
use crate::http::access::frame;
use crate::http::error::{PageError, Refusal};
use crate::http::population::{Days, Question};
use crate::http::view::{PopulationInput, PopulationPage, UpdatesPage};
use crate::store::PopulationBy;

/// `GET /population`: `by` and `days`, as the API takes them.
pub(in crate::http) async fn population(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    asked: Result<Query<Question>, QueryRejection>,
) -> Result<Html<String>, PageError> {
    let Query(Question { by, days }) = asked.map_err(|error| Refusal::Request(error.body_text()))?;
    let mut page = PopulationPage::new(PopulationInput {
        by,
        days,
        named: app.store.population(by, days).await?,
        all: app.store.population(PopulationBy::All, days).await?,
        now: (app.now)(),
    });
    page.frame = frame(&caller, "/population");
    Ok(Html(page.render()?))
}

/// `GET /updates`: `days`, as the API takes them.
pub(in crate::http) async fn updates(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    asked: Result<Query<Days>, QueryRejection>,
) -> Result<Html<String>, PageError> {
    let Query(Days { days }) = asked.map_err(|error| Refusal::Request(error.body_text()))?;
    let mut page = UpdatesPage::new(days, &app.store.update_matrix(days).await?);
    page.frame = frame(&caller, "/updates");
    Ok(Html(page.render()?))
}
