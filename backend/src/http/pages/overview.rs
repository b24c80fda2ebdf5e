//! The first page.

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use proto::v1::{FaultFilter, PartFilter, Severity};
use uuid::Uuid;

use super::{App, rendered};
use crate::analysis;
use crate::http::access::Frame;
use crate::http::error::{PageError, Refusal};
use crate::http::query;
use crate::http::statistics::{CONFIDENCE, MAX_RATIO};
use crate::http::view::{OVERVIEW_DAYS, OverviewInput, OverviewPage, SPARK_DAYS, issue_id, list_href};
use crate::store::{Dimension, Watch};

/// Issues that are shown.
const ISSUES: u8 = 8;
/// Parts of machines that are shown.
const PARTS: u32 = 4;
/// Ends of boots that are shown.
const ENDS: u32 = 5;

/// `GET /`. The list of faults was here: addresses with its parameters lead there. Those that others add to addresses, such as
/// `utm_source`, say nothing.
pub(in crate::http) async fn overview(
    State(app): State<App>,
    frame: Frame,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    let asked = query.filter(|query| !query.is_empty());
    if let Some(Ok(request)) = asked.map(|query| query::parse(&query)) {
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
    let bad_parts = PartFilter {
        min_score: analysis::BAD_SCORE,
        ..PartFilter::default()
    };
    // What all of these are made of is read once.
    let sums = async {
        let days = analysis::fleet_days(&app.store, &watch, CONFIDENCE);
        let builds = analysis::rates(&app.store, Dimension::Build, &watch, CONFIDENCE);
        let classes = analysis::rates_by_class(&app.store, &watch, CONFIDENCE);
        // As its page compares them.
        let comparison = analysis::compare_newest(&app.store, MAX_RATIO, CONFIDENCE, watch.clone());
        Ok::<_, Refusal>(tokio::try_join!(days, builds, classes, comparison)?)
    };
    let to_look_at = async {
        let attention = app.store.issues_to_look_at(ISSUES).await?;
        let ids: Vec<Uuid> = attention.iter().filter_map(issue_id).collect();
        let days = app.store.issue_days(&ids, SPARK_DAYS).await?;
        let parts = app.store.list_parts(&bad_parts, PARTS, "").await?;
        Ok((attention, days, parts.parts))
    };
    let fleet = async {
        let overview = app.store.overview(analysis::BAD_SCORE).await?;
        let alerts = app.store.open_alerts_by_rule().await?;
        let ends = app.store.list_faults(&ends, ENDS, "").await?;
        Ok((overview, alerts, ends.faults))
    };
    let (sums, to_look_at, fleet) = tokio::try_join!(sums, to_look_at, fleet)?;
    let ((days, builds, classes, comparison), (attention, days_of_issues, parts)) = (sums, to_look_at);
    let (overview, alerts, ends) = fleet;
    let page = OverviewPage::new(OverviewInput {
        overview,
        days,
        alerts,
        attention,
        days_of_issues,
        comparison,
        builds,
        classes,
        parts,
        ends,
        now: (app.now)(),
        frame,
    });
    Ok(rendered(&page)?.into_response())
}
