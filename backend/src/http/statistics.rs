//! The analysis by REST.
//!
//! | route | answer | parameters |
//! | --- | --- | --- |
//! | `/api/v1/statistics/rates` | rates by build, kernel or model | `by`, `confidence` |
//! | `/api/v1/statistics/compare` | is one worse than the other? | `by`, `from`, `to`, `max_ratio`, `confidence` |
//! | `/api/v1/statistics/escalations` | issues on the rise | `false_part` |
//! | `/api/v1/statistics/survival` | hours without a fault | `by`, `of`, `confidence` |
//! | `/api/v1/statistics/outliers` | bad builds, models, hosts | `ratio`, `confidence` |
//! | `/api/v1/issues/{issue}/unusual` | what its hosts have in common | `false_part` |
//!
//! All take `days`, `class` and `min_severity` too.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::App;
use super::error::{ApiError, Refusal};
use super::query;
use crate::analysis;
use crate::store::{Dimension, Watch};

/// Days that are looked at when nobody says how many.
const DAYS: u32 = 30;
/// Confidence when nobody says which.
pub(super) const CONFIDENCE: f64 = 0.95;
/// Part of findings that may be false when nobody says which: of what one looks at every day.
const FALSE_PART: f64 = 0.01;
/// The same of what one looks at when one asks.
const FALSE_PART_ASKED: f64 = 0.05;
/// How many times as often as usual is bad.
pub(super) const RATIO: f64 = 2.0;
/// How many times as often a new build may fail.
pub(super) const MAX_RATIO: f64 = 1.5;

/// What can be asked.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Question {
    pub(super) by: Option<Dimension>,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    of: Option<String>,
    pub(super) max_ratio: Option<f64>,
    ratio: Option<f64>,
    confidence: Option<f64>,
    false_part: Option<f64>,
    days: Option<u32>,
    class: Option<String>,
    min_severity: Option<String>,
}

pub(super) type Asked = Result<Query<Question>, QueryRejection>;

/// What the route takes of it, beside what all take.
pub(super) fn taken(asked: Asked, names: &[&str]) -> Result<(Question, Watch), Refusal> {
    let Query(question) = asked.map_err(|error| Refusal::Request(error.body_text()))?;
    // Invariant: a question is made of texts and numbers, which JSON has.
    let given = serde_json::to_value(&question).unwrap_or_default();
    for (name, value) in given.as_object().into_iter().flatten() {
        let everywhere = ["days", "class", "min_severity"].contains(&name.as_str());
        if !value.is_null() && !everywhere && !names.contains(&name.as_str()) {
            let all = [names, &["days", "class", "min_severity"]].concat().join(", ");
            return Err(Refusal::Request(format!(
                "{name} is not asked for here; there are {all}"
            )));
        }
    }
    let severity = question.min_severity.as_deref().unwrap_or("medium");
    let watch = Watch {
        days: question.days.unwrap_or(DAYS),
        min_severity: i16::try_from(i32::from(query::severity(severity)?)).unwrap_or_default(),
        class: question.class.clone().unwrap_or_default(),
        issue: None,
    };
    Ok((question, watch))
}

fn needed(value: Option<String>, name: &str) -> Result<String, Refusal> {
    value.ok_or_else(|| Refusal::Request(format!("{name} is missing: say which is meant")))
}

/// `GET /api/v1/statistics/rates`.
pub(super) async fn rates(State(app): State<App>, asked: Asked) -> Result<Json<Value>, ApiError> {
    let (question, watch) = taken(asked, &["by", "confidence"])?;
    let confidence = question.confidence.unwrap_or(CONFIDENCE);
    let rates = analysis::rates(&app.store, question.by.unwrap_or_default(), &watch, confidence).await?;
    Ok(Json(
        json!({ "per_host_hours": 1000, "confidence": confidence, "rates": rates }),
    ))
}

/// `GET /api/v1/statistics/compare`.
pub(super) async fn compare(
    State(app): State<App>,
    asked: Asked,
) -> Result<Json<analysis::Comparison>, ApiError> {
    let (question, watch) = taken(asked, &["by", "from", "to", "max_ratio", "confidence"])?;
    let asked = analysis::Asked {
        by: question.by.unwrap_or_default(),
        from: needed(question.from, "from")?,
        to: needed(question.to, "to")?,
        max_ratio: question.max_ratio.unwrap_or(MAX_RATIO),
        confidence: question.confidence.unwrap_or(CONFIDENCE),
        watch,
    };
    Ok(Json(analysis::compare(&app.store, &asked).await?))
}

/// `GET /api/v1/statistics/escalations`.
pub(super) async fn escalations(State(app): State<App>, asked: Asked) -> Result<Json<Value>, ApiError> {
    let (question, watch) = taken(asked, &["false_part"])?;
    let false_part = question.false_part.unwrap_or(FALSE_PART);
    let found = analysis::escalations(&app.store, &watch, false_part).await?;
    Ok(Json(json!({ "false_part": false_part, "escalations": found })))
}

/// `GET /api/v1/statistics/survival`.
pub(super) async fn survival(
    State(app): State<App>,
    asked: Asked,
) -> Result<Json<analysis::Survival>, ApiError> {
    let (question, watch) = taken(asked, &["by", "of", "confidence"])?;
    let by = question.by.unwrap_or_default();
    let of = needed(question.of, "of")?;
    let confidence = question.confidence.unwrap_or(CONFIDENCE);
    Ok(Json(
        analysis::survival(&app.store, by, &of, &watch, confidence).await?,
    ))
}

/// `GET /api/v1/statistics/outliers`.
pub(super) async fn outliers(
    State(app): State<App>,
    asked: Asked,
) -> Result<Json<analysis::Outliers>, ApiError> {
    let (question, watch) = taken(asked, &["ratio", "confidence"])?;
    let ratio = question.ratio.unwrap_or(RATIO);
    let confidence = question.confidence.unwrap_or(CONFIDENCE);
    Ok(Json(
        analysis::outliers(&app.store, &watch, ratio, confidence).await?,
    ))
}

/// `GET /api/v1/issues/{issue}/unusual`.
pub(super) async fn unusual(
    State(app): State<App>,
    Path(issue): Path<String>,
    asked: Asked,
) -> Result<Json<analysis::Unusual>, ApiError> {
    let (question, watch) = taken(asked, &["false_part"])?;
    let issue = Uuid::try_parse(&issue).map_err(|_no_digits| Refusal::NoIssue)?;
    let false_part = question.false_part.unwrap_or(FALSE_PART_ASKED);
    Ok(Json(
        analysis::unusual(&app.store, issue, &watch, false_part).await?,
    ))
}
