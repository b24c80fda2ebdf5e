//! The page of builds, kernels and models.

use axum::extract::State;

use super::{App, Page, rendered};
use crate::analysis::{self, AnalysisError};
use crate::http::access::Frame;
use crate::http::statistics::{self, Question};
use crate::http::taken::FromQuery;
use crate::http::view::{BuildsInput, BuildsPage};

/// `GET /builds`: `by`, `days`, `class` and `min_severity` as the analysis takes them, `from`, `to` and `max_ratio` to compare.
pub(in crate::http) async fn builds(
    State(app): State<App>,
    frame: Frame,
    FromQuery(asked): FromQuery<Question>,
) -> Page {
    let (question, watch) = statistics::taken(
        asked,
        &["by", "from", "to", "max_ratio", "days", "class", "min_severity"],
    )?;
    let by = question.by.unwrap_or_default();
    let max_ratio = question.max_ratio.unwrap_or(statistics::MAX_RATIO);
    let comparison = match (question.from.as_deref(), question.to.as_deref()) {
        (Some(from), Some(to)) => {
            let asked = analysis::Asked {
                by,
                from: from.to_owned(),
                to: to.to_owned(),
                max_ratio,
                confidence: statistics::CONFIDENCE,
                watch: watch.clone(),
            };
            match analysis::compare(&app.store, &asked).await {
                Ok(found) => Ok(Some(found)),
                Err(AnalysisError::Asked(problem)) => Err(problem),
                Err(error) => return Err(error.into()),
            }
        }
        (None, None) => Ok(None),
        _ => Err("To compare, choose two.".to_owned()),
    };
    let page = BuildsPage::new(BuildsInput {
        question: &question,
        watch: &watch,
        max_ratio,
        rates: analysis::rates(&app.store, by, &watch, statistics::CONFIDENCE).await?,
        comparison,
        outliers: analysis::outliers(&app.store, &watch, statistics::RATIO, statistics::CONFIDENCE).await?,
        frame,
    });
    rendered(&page)
}
