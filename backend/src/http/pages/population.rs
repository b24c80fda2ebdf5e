//! The pages of who runs what, and of updates.

use axum::extract::State;

use super::{App, Page, rendered};
use crate::http::access::Frame;
use crate::http::population::{Days, Question};
use crate::http::taken::FromQuery;
use crate::http::view::{PopulationInput, PopulationPage, UpdatesPage};
use crate::store::PopulationBy;

/// `GET /population`: `by` and `days`, as the API takes them.
pub(in crate::http) async fn population(
    State(app): State<App>,
    frame: Frame,
    FromQuery(Question { by, days }): FromQuery<Question>,
) -> Page {
    let page = PopulationPage::new(PopulationInput {
        by,
        days,
        named: app.store.population(by, days).await?,
        all: app.store.population(PopulationBy::All, days).await?,
        now: (app.now)(),
        frame,
    });
    rendered(&page)
}

/// `GET /updates`: `days`, as the API takes them.
pub(in crate::http) async fn updates(
    State(app): State<App>,
    frame: Frame,
    FromQuery(Days { days }): FromQuery<Days>,
) -> Page {
    let page = UpdatesPage::new(days, &app.store.update_matrix(days).await?, frame);
    rendered(&page)
}
