//! The first page.

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use proto::v1::{FaultFilter, Severity};
use uuid::Uuid;

use super::{App, rendered};
use crate::analysis;
use crate::http::access::Frame;
use crate::http::error::{PageError, Refusal};
use crate::http::query;
use crate::http::statistics::CONFIDENCE;
use crate::http::view::{OVERVIEW_DAYS, OverviewInput, OverviewPage, SPARK_DAYS, issue_id, list_href};
use crate::store::{Dimension, Watch};

/// Issues that are shown.
const ISSUES: u8 = 8;
/// Ends of boots that are shown.
const ENDS: u32 = 5;

/// `GET /`. The list of faults was here: addresses with its parameters lead there.
pub(in crate::http) async fn overview(
    State(app): State<App>,
    frame: Frame,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        let request = query::parse(&query)?;
        return Ok(Redirect::permanent(&list_href(&request)).into_response());
    }
    let watch = Watch {
        days: OVERVIEW_DAYS.into(),
        min_severity: Severity::Medium as i16,
        class: String::new(),
        issue: None,
    };
    let ends = FaultFilter {
        class: "boot.end".to_owned(),
        min_severity: Severity::Medium.into(),
        ..FaultFilter::default()
    };
    // What both of these are made of is read once.
    let sums = async {
        let days = analysis::fleet_days(&app.store, &watch);
        let builds = analysis::rates(&app.store, Dimension::Build, &watch, CONFIDENCE);
        Ok::<_, Refusal>(tokio::try_join!(days, builds)?)
    };
    let issues = async {
        let attention = app.store.issues_to_look_at(ISSUES).await?;
        let ids: Vec<Uuid> = attention.iter().filter_map(issue_id).collect();
        let days = app.store.issue_days(&ids, SPARK_DAYS).await?;
        Ok((attention, days))
    };
    let fleet = async {
        let overview = app.store.overview(analysis::BAD_SCORE).await?;
        let newest_builds = app.store.newest_builds(OVERVIEW_DAYS.into()).await?;
        let alerts = app.store.open_alerts_by_rule().await?;
        let ends = app.store.list_faults(&ends, ENDS, "").await?;
        Ok((overview, newest_builds, alerts, ends.faults))
    };
    let (sums, issues, fleet) = tokio::try_join!(sums, issues, fleet)?;
    let ((days, builds), (attention, days_of_issues)) = (sums, issues);
    let (overview, newest_builds, alerts, ends) = fleet;
    let page = OverviewPage::new(OverviewInput {
        overview,
        days,
        alerts,
        attention,
        days_of_issues,
        newest_builds,
        builds,
        ends,
        now: (app.now)(),
        frame,
    });
    Ok(rendered(&page)?.into_response())
}
