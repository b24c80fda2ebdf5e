//! The analysis by REST.
//!
//! Each route takes the questions that are named for it below. docs/statistics.md has the formulas.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::App;
use super::error::{ApiError, Refusal};
use super::query::{self, BadQuery};
use super::taken::FromQuery;
pub(super) use crate::analysis::usual::{CONFIDENCE, MAX_RATIO, RATIO};
use crate::analysis::usual::{DAYS, FALSE_PART, FALSE_PART_ASKED};
use crate::store::{Dimension, Watch};
use crate::{analysis, class};

/// Hours that rates are told for.
const PER_HOST_HOURS: u32 = 1000;

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

/// What each question takes.
const QUESTIONS: [(&str, &str); 11] = [
    ("by", "`build` (if nothing is said), `kernel` or `model`"),
    ("from", "the one that is compared to"),
    ("to", "the one that is compared"),
    ("of", "the one that is meant"),
    ("max_ratio", "how many times as often it may fail; 1.5"),
    ("ratio", "how many times as often as usual is bad; 2"),
    ("confidence", "how sure it has to be, between 0 and 1; 0.95"),
    (
        "false_part",
        "part of what is found that may be false, between 0 and 1",
    ),
    ("days", "days up to now; 30"),
    ("class", query::CLASS),
    (
        "min_severity",
        "`low`, `medium` (if nothing is said), `high`, `critical`, or 1 to 4",
    ),
];

/// The questions of routes.
macro_rules! questions {
    ($($route:ident: [$($name:literal),*],)+) => {
        $(struct $route;

        impl $route {
            const NAMES: &[&str] = &[$($name),*];
        }

        impl IntoParams for $route {
            fn into_params(_place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                let taken = QUESTIONS.iter().filter(|(name, _)| Self::NAMES.contains(name));
                taken.map(|question| query::described(*question)).collect()
            }
        })+
    };
}

questions! {
    Rates: ["by", "confidence", "days", "class", "min_severity"],
    Fleet: ["confidence", "days", "class", "min_severity"],
    Compare: ["by", "from", "to", "max_ratio", "confidence", "days", "class", "min_severity"],
    Escalations: ["false_part", "days", "class", "min_severity"],
    Survival: ["by", "of", "confidence", "days", "class", "min_severity"],
    Outliers: ["ratio", "confidence", "days", "class", "min_severity"],
    Unusual: ["false_part", "days"],
}

/// Rates of builds, kernels or models, or of classes of faults.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RatesAnswer {
    /// Hours that a rate is told for.
    per_host_hours: u32,
    /// How sure their bounds are.
    confidence: f64,
    /// Those that were watched longest first, of classes those that hosts have on most days; at most 500.
    rates: Vec<analysis::Rate>,
}

/// Rates of all hosts by day.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DaysAnswer {
    /// Hours that a rate is told for.
    per_host_hours: u32,
    /// How sure their bounds are.
    confidence: f64,
    /// Each of the days, today last.
    days: Vec<analysis::FleetDay>,
}

/// Issues on the rise.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EscalationsAnswer {
    /// The part of them that may be false.
    false_part: f64,
    /// The surest first.
    escalations: Vec<analysis::Escalation>,
}

/// What is asked of a route that takes these questions.
pub(super) fn taken(question: Question, names: &[&str]) -> Result<(Question, Watch), Refusal> {
    // Invariant: a question is made of texts and numbers, which JSON has.
    let given = serde_json::to_value(&question).unwrap_or_default();
    for (name, value) in given.as_object().into_iter().flatten() {
        if !value.is_null() && !names.contains(&name.as_str()) {
            let all = names.join(", ");
            return Err(Refusal::Request(format!(
                "{name} is not asked for here; there are {all}"
            )));
        }
    }
    let severity = question.min_severity.as_deref().unwrap_or("medium");
    let watch = Watch {
        days: question.days.unwrap_or(DAYS),
        min_severity: i16::try_from(i32::from(query::severity(severity)?)).unwrap_or_default(),
        class: class::known(question.class.as_deref().unwrap_or_default()).map_err(BadQuery::from)?,
        issue: None,
    };
    Ok((question, watch))
}

fn needed(value: Option<String>, name: &str) -> Result<String, Refusal> {
    value.ok_or_else(|| Refusal::Request(format!("{name} is missing: say which is meant")))
}

/// How often hosts fail, by build, kernel or model
#[utoipa::path(
    get,
    path = "/api/v1/statistics/rates",
    operation_id = "rates",
    tag = "statistics",
    params(Rates),
    responses((status = 200, description = "Rates, each with its bounds", body = RatesAnswer), super::openapi::Refusals)
)]
pub(super) async fn rates(
    State(app): State<App>,
    FromQuery(asked): FromQuery<Question>,
) -> Result<Json<RatesAnswer>, ApiError> {
    let (question, watch) = taken(asked, Rates::NAMES)?;
    let confidence = question.confidence.unwrap_or(CONFIDENCE);
    let rates = analysis::rates(&app.store, question.by.unwrap_or_default(), &watch, confidence).await?;
    Ok(Json(RatesAnswer {
        per_host_hours: PER_HOST_HOURS,
        confidence,
        rates,
    }))
}

/// How often all hosts fail, by class of fault
#[utoipa::path(
    get,
    path = "/api/v1/statistics/classes",
    operation_id = "rates_by_class",
    tag = "statistics",
    params(Fleet),
    responses((status = 200, description = "Rates, each with its bounds", body = RatesAnswer), super::openapi::Refusals)
)]
pub(super) async fn classes(
    State(app): State<App>,
    FromQuery(asked): FromQuery<Question>,
) -> Result<Json<RatesAnswer>, ApiError> {
    let (question, watch) = taken(asked, Fleet::NAMES)?;
    let confidence = question.confidence.unwrap_or(CONFIDENCE);
    let rates = analysis::rates_by_class(&app.store, &watch, confidence).await?;
    Ok(Json(RatesAnswer {
        per_host_hours: PER_HOST_HOURS,
        confidence,
        rates,
    }))
}

/// How often all hosts fail, day by day
#[utoipa::path(
    get,
    path = "/api/v1/statistics/days",
    operation_id = "fleet_days",
    tag = "statistics",
    params(Fleet),
    responses((status = 200, description = "Rates, each with its bounds", body = DaysAnswer), super::openapi::Refusals)
)]
pub(super) async fn days(
    State(app): State<App>,
    FromQuery(asked): FromQuery<Question>,
) -> Result<Json<DaysAnswer>, ApiError> {
    let (question, watch) = taken(asked, Fleet::NAMES)?;
    let confidence = question.confidence.unwrap_or(CONFIDENCE);
    let days = analysis::fleet_days(&app.store, &watch, confidence).await?;
    Ok(Json(DaysAnswer {
        per_host_hours: PER_HOST_HOURS,
        confidence,
        days,
    }))
}

/// Whether one build, kernel or model is worse than another
#[utoipa::path(
    get,
    path = "/api/v1/statistics/compare",
    operation_id = "compare",
    tag = "statistics",
    params(Compare),
    responses((status = 200, description = "A verdict, and what it rests on", body = analysis::Comparison), super::openapi::Refusals)
)]
pub(super) async fn compare(
    State(app): State<App>,
    FromQuery(asked): FromQuery<Question>,
) -> Result<Json<analysis::Comparison>, ApiError> {
    let (question, watch) = taken(asked, Compare::NAMES)?;
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

/// Issues on the rise
#[utoipa::path(
    get,
    path = "/api/v1/statistics/escalations",
    operation_id = "escalations",
    tag = "statistics",
    params(Escalations),
    responses((status = 200, description = "Escalations", body = EscalationsAnswer), super::openapi::Refusals)
)]
pub(super) async fn escalations(
    State(app): State<App>,
    FromQuery(asked): FromQuery<Question>,
) -> Result<Json<EscalationsAnswer>, ApiError> {
    let (question, watch) = taken(asked, Escalations::NAMES)?;
    let false_part = question.false_part.unwrap_or(FALSE_PART);
    let found = analysis::escalations(&app.store, &watch, false_part).await?;
    Ok(Json(EscalationsAnswer {
        false_part,
        escalations: found,
    }))
}

/// For how long hosts have no fault
#[utoipa::path(
    get,
    path = "/api/v1/statistics/survival",
    operation_id = "survival",
    tag = "statistics",
    params(Survival),
    responses((status = 200, description = "The curve", body = analysis::Survival), super::openapi::Refusals)
)]
pub(super) async fn survival(
    State(app): State<App>,
    FromQuery(asked): FromQuery<Question>,
) -> Result<Json<analysis::Survival>, ApiError> {
    let (question, watch) = taken(asked, Survival::NAMES)?;
    let by = question.by.unwrap_or_default();
    let of = needed(question.of, "of")?;
    let confidence = question.confidence.unwrap_or(CONFIDENCE);
    Ok(Json(
        analysis::survival(&app.store, by, &of, &watch, confidence).await?,
    ))
}

/// Bad builds, models and hosts, told apart
#[utoipa::path(
    get,
    path = "/api/v1/statistics/outliers",
    operation_id = "outliers",
    tag = "statistics",
    params(Outliers),
    responses((status = 200, description = "What is bad", body = analysis::Outliers), super::openapi::Refusals)
)]
pub(super) async fn outliers(
    State(app): State<App>,
    FromQuery(asked): FromQuery<Question>,
) -> Result<Json<analysis::Outliers>, ApiError> {
    let (question, watch) = taken(asked, Outliers::NAMES)?;
    let ratio = question.ratio.unwrap_or(RATIO);
    let confidence = question.confidence.unwrap_or(CONFIDENCE);
    Ok(Json(
        analysis::outliers(&app.store, &watch, ratio, confidence).await?,
    ))
}

/// What the hosts with an issue have in common
#[utoipa::path(
    get,
    path = "/api/v1/issues/{issue}/unusual",
    operation_id = "unusual",
    tag = "statistics",
    params(("issue" = String, Path, description = "32 hexadecimal digits"), Unusual),
    responses((status = 200, description = "What is unusual about them", body = analysis::Unusual), super::openapi::Refusals)
)]
pub(super) async fn unusual(
    State(app): State<App>,
    Path(issue): Path<String>,
    FromQuery(asked): FromQuery<Question>,
) -> Result<Json<analysis::Unusual>, ApiError> {
    let (question, watch) = taken(asked, Unusual::NAMES)?;
    let issue = Uuid::try_parse(&issue).map_err(|_no_digits| Refusal::NoIssue)?;
    let false_part = question.false_part.unwrap_or(FALSE_PART_ASKED);
    Ok(Json(
        analysis::unusual(&app.store, issue, watch.days, false_part).await?,
    ))
}
