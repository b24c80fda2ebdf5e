//! The gRPC service of the analysis.

use proto::v1::{
    CompareRequest, CompareResponse, ComparedIssue, ComparedSide, Dimension, RateRatio, Severity, Verdict,
    statistics_server::{Statistics, StatisticsServer},
};
use tonic::{Request, Response, Status};

use super::MESSAGE_BYTES;
use crate::{
    analysis::{self, AnalysisError, Bounds, SideSum},
    collector::store_status,
    record::check::text,
    store::{self, Store, Watch},
};

/// What is meant when nothing is said.
const MAX_RATIO: f64 = 1.5;
const CONFIDENCE: f64 = 0.95;
const DAYS: u32 = 30;
/// Issues of an answer.
const ISSUES: usize = 500;
/// Names of builds, kernels and models, bytes.
const NAME_BYTES: usize = 256;

/// The service.
#[derive(Clone, Debug)]
pub struct StatisticsService {
    store: Store,
}

impl StatisticsService {
    /// On what is stored there.
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

#[tonic::async_trait]
impl Statistics for StatisticsService {
    async fn compare(&self, request: Request<CompareRequest>) -> Result<Response<CompareResponse>, Status> {
        let asked = asked(request.into_inner())?;
        let found = analysis::compare(&self.store, &asked).await;
        found
            .map(|found| Response::new(answer(found)))
            .map_err(|error| match error {
                AnalysisError::Store(error) => store_status(&error),
                AnalysisError::Invalid(error) => Status::invalid_argument(error.to_string()),
            })
    }
}

/// The service with its limits.
pub fn server(service: StatisticsService) -> StatisticsServer<StatisticsService> {
    StatisticsServer::new(service).max_decoding_message_size(MESSAGE_BYTES)
}

fn asked(request: CompareRequest) -> Result<analysis::Asked, Status> {
    let by = match request.by() {
        Dimension::Unspecified | Dimension::Build => store::Dimension::Build,
        Dimension::Kernel => store::Dimension::Kernel,
        Dimension::Model => store::Dimension::Model,
    };
    let min_severity = match request.min_severity() {
        Severity::Unspecified => Severity::Medium,
        severity => severity,
    };
    for (name, value, limit) in [
        ("from", &request.from, NAME_BYTES),
        ("to", &request.to, NAME_BYTES),
        ("class", &request.class, proto::limits::CLASS_CHARS),
    ] {
        text(name, value, limit).map_err(Status::invalid_argument)?;
    }
    let or = |number: f64, otherwise: f64| if number == 0.0 { otherwise } else { number };
    Ok(analysis::Asked {
        by,
        max_ratio: or(request.max_ratio, MAX_RATIO),
        confidence: or(request.confidence, CONFIDENCE),
        watch: Watch {
            days: if request.days == 0 { DAYS } else { request.days },
            min_severity: i16::try_from(i32::from(min_severity)).unwrap_or_default(),
            class: request.class,
            issue: None,
        },
        from: request.from,
        to: request.to,
    })
}

fn answer(found: analysis::Comparison) -> CompareResponse {
    let verdict = match found.verdict {
        analysis::Verdict::Fine => Verdict::Fine,
        analysis::Verdict::Worse => Verdict::Worse,
        analysis::Verdict::Unsure => Verdict::Unsure,
    };
    let issues = found.issues.into_iter().take(ISSUES).map(|issue| ComparedIssue {
        ratio: Some(ratio(
            issue.ratio,
            issue.ratio_bounds,
            issue.p_worse,
            issue.p_better,
        )),
        issue: issue.issue,
        class: issue.class,
        title: issue.title,
        severity: issue.severity.into(),
        worse: issue.worse,
        from_affected: issue.from_affected,
        to_affected: issue.to_affected,
        q_worse: issue.q_worse,
    });
    CompareResponse {
        verdict: verdict.into(),
        from: Some(side(found.from)),
        to: Some(side(found.to)),
        ratio: Some(ratio(
            found.ratio,
            found.ratio_bounds,
            found.p_worse,
            found.p_better,
        )),
        issues: issues.collect(),
        max_ratio: found.max_ratio,
        confidence: found.confidence,
    }
}

fn side(side: SideSum) -> ComparedSide {
    ComparedSide {
        name: side.name,
        hosts: side.hosts,
        host_hours: side.host_hours,
        affected: side.affected,
    }
}

fn ratio(estimate: Option<f64>, bounds: Bounds, p_worse: f64, p_better: f64) -> RateRatio {
    RateRatio {
        estimate,
        low: bounds.low,
        high: bounds.high,
        p_worse,
        p_better,
    }
}
