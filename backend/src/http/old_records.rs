//! `GET /api/records`, as scripts for Clear Linux's backend ask: its parameters, its answers and its errors.
//!
//! What is different: ids are UUIDs, which rise with time as the old numbers did. Records that agents made have the
//! classification `telemetrics/` and their class, its first dot a slash (`telemetrics/kernel/oops`). Without `limit` and with any
//! larger one there are at most 1000 records, which is what the old backend did.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use filter::{Comparison, Condition, Expression, Field, Moment, Pattern};
use jiff::{SignedDuration, Timestamp};
use proto::v1::{Fault, FaultFilter, Record, record::Payload};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::App;
use super::error::{Form, Refusal};
use crate::export::columns::is_external;
use crate::old_clients::record::HOOK;
use crate::store::{Older, Store, StoreError};

/// Records of an answer.
const LIMIT: usize = 1000;
/// Records that are read at once.
const PAGE: u32 = 500;
/// How far back records are looked for.
const DAYS_30: u32 = 30 * 86_400;
/// What the classifications of agents' own records begin with.
const OWN: &str = "telemetrics/";

/// What can be asked.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// 1 to 4.
    severity: Option<u8>,
    /// DOMAIN/PROBE/REST.
    classification: Option<String>,
    /// Build of the host's system.
    build: Option<String>,
    /// Machine id, or an agent's id.
    machine_id: Option<String>,
    /// Stored in so many days up to now, at most 30.
    created_in_days: Option<u32>,
    /// The same in seconds, where `created_in_days` is left out.
    created_in_sec: Option<u32>,
    /// The record with this id and later ones.
    from_id: Option<String>,
    /// Made after this moment by the host's clock, seconds since 1970.
    ts_capture: Option<u64>,
    /// How many, at most 1000.
    limit: Option<usize>,
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
struct OldRecords {
    /// The newest first.
    records: Vec<OldRecord>,
}

/// A question that was not understood.
#[derive(Debug, Serialize, ToSchema)]
struct OldRefusal {
    /// Why not.
    message: String,
}

/// A record as the old backend told it.
#[derive(Debug, Serialize, ToSchema)]
struct OldRecord {
    id: String,
    machine_id: String,
    machine_type: String,
    arch: String,
    build: String,
    kernel_version: String,
    /// By the host's clock, such as `2026-11-24 21:53:30 UTC`.
    ts_capture: String,
    /// By the collector's clock.
    ts_reception: String,
    /// 1 to 4.
    severity: i32,
    classification: String,
    /// Always 4: the format of this answer, whatever the record was sent in.
    record_version: u32,
    payload: String,
    board_name: String,
    bios_version: String,
    cpu_model: String,
    event_id: String,
    /// Whether a proxy in front of the collector said that it came from outside.
    external: bool,
}

/// Records as Clear Linux's backend answered with them
///
/// Newest first. Errors are 400 with `message`.
#[utoipa::path(
    get,
    path = "/api/records",
    operation_id = "list_old_records",
    tag = "faults",
    params(Asked),
    responses(
        super::openapi::Refusals,
        (status = 200, description = "The records", body = OldRecords),
        (status = 400, description = "What is wrong with the question", body = OldRefusal),
    )
)]
pub(super) async fn list(State(app): State<App>, asked: Result<Query<Asked>, QueryRejection>) -> Response {
    let question = asked
        .map_err(|error| error.body_text())
        .and_then(|Query(asked)| Question::new(asked, (app.now)()));
    let question = match question {
        Ok(question) => question,
        Err(message) => {
            return (StatusCode::BAD_REQUEST, Json(OldRefusal { message })).into_response();
        }
    };
    match question.answer(&app.store).await {
        Ok(records) => Json(OldRecords { records }).into_response(),
        Err(error) => Refusal::Store(error).answer(Form::Json),
    }
}

/// A question that was understood: what the store is asked for, and what is left out of its answer.
struct Question {
    filter: FaultFilter,
    classification: Option<String>,
    from: Option<Uuid>,
    captured_after_ns: u64,
    limit: usize,
}

impl Question {
    fn new(asked: Asked, now: Timestamp) -> Result<Self, String> {
        let severity = asked.severity.map(|severity| {
            filter::Severity::of(&severity.to_string()).ok_or("severity is not 1 to 4".to_owned())
        });
        let from = asked.from_id.filter(|id| !id.is_empty());
        let from = from.map(|id| Uuid::try_parse(&id).map_err(|_no_uuid| "from_id is no id".to_owned()));
        if asked.machine_id.as_ref().is_some_and(|id| id.len() > 36) {
            return Err("machine_id has more than 36 characters".to_owned());
        }
        let classification = asked.classification.filter(|text| !text.is_empty());
        if classification
            .as_ref()
            .is_some_and(|text| text.split('/').count() != 3)
        {
            return Err("classification is not DOMAIN/PROBE/REST".to_owned());
        }
        let days = asked.created_in_days.map(|days| days.saturating_mul(86_400));
        let seconds = days.or(asked.created_in_sec).unwrap_or(DAYS_30).min(DAYS_30);
        // The clock of the whole answer, however many pages it takes.
        let since = now - SignedDuration::from_secs(seconds.into());
        let mut conditions = vec![Expression::Is(Condition::After(Moment::At(since)))];
        if let Some(severity) = severity.transpose()? {
            conditions.push(Expression::Is(Condition::Severity(Comparison::Equal, severity)));
        }
        if let Some(build) = asked.build.filter(|build| !build.is_empty()) {
            conditions.push(matches(Field::Build, &build));
        }
        match classification.as_deref().map(|text| text.strip_prefix(OWN)) {
            Some(Some(class)) => conditions.push(matches(Field::Class, &class.replace('/', "."))),
            Some(None) => conditions.push(matches(Field::Class, "custom")),
            None => {}
        }
        Ok(Self {
            filter: FaultFilter {
                host: asked.machine_id.unwrap_or_default(),
                query: Expression::All(conditions).to_string(),
                ..FaultFilter::default()
            },
            classification,
            from: from.transpose()?,
            captured_after_ns: asked.ts_capture.unwrap_or(0).saturating_mul(1_000_000_000),
            limit: asked.limit.unwrap_or(LIMIT).min(LIMIT),
        })
    }

    async fn answer(&self, store: &Store) -> Result<Vec<OldRecord>, StoreError> {
        let (mut records, mut after) = (Vec::new(), None);
        loop {
            let Older { faults, next } = store.older_faults(&self.filter, after, PAGE).await?;
            for fault in &faults {
                let is_past = self.from.is_some() && Uuid::try_parse(&fault.id).ok() < self.from;
                if is_past || records.len() >= self.limit {
                    return Ok(records);
                }
                records.extend(self.wants(fault).map(|record| row(fault, record)));
            }
            if next.is_none() || next < self.from {
                return Ok(records);
            }
            after = next;
        }
    }

    fn wants<'a>(&self, fault: &'a Fault) -> Option<&'a Record> {
        let record = fault.record.as_ref()?;
        let classified = self
            .classification
            .as_ref()
            .is_none_or(|wanted| *wanted == classification(record));
        (classified && record.occurred_at_unix_ns > self.captured_after_ns).then_some(record)
    }
}

fn matches(field: Field, text: &str) -> Expression {
    Expression::Is(Condition::Matches(field, Pattern::literal(text)))
}

fn classification(record: &Record) -> String {
    match &record.payload {
        Some(Payload::Custom(custom)) => custom.classification.clone(),
        _ => format!("{OWN}{}", record.class.replacen('.', "/", 1)),
    }
}

fn row(fault: &Fault, record: &Record) -> OldRecord {
    let host = fault.host.clone().unwrap_or_default();
    let is_old = record.hook.as_ref().is_some_and(|hook| hook.name == HOOK);
    let machine_id = match Uuid::from_slice(&fault.agent_id) {
        Ok(agent_id) if !is_old => agent_id.simple().to_string(),
        _ => host.hostname,
    };
    let (payload, event_id) = match &record.payload {
        Some(Payload::Custom(custom)) => (custom.payload.as_str(), custom.event_id.as_str()),
        Some(Payload::KernelReport(report)) => (report.text.as_str(), ""),
        _ => ("", ""),
    };
    OldRecord {
        id: fault.id.clone(),
        machine_id,
        machine_type: host.product,
        arch: host.arch,
        build: host.os_build,
        kernel_version: record.kernel_release.clone(),
        ts_capture: moment(record.occurred_at_unix_ns),
        ts_reception: moment(fault.received_at_unix_ns),
        severity: record.severity,
        classification: classification(record),
        record_version: RECORD_VERSION,
        payload: payload.to_owned(),
        board_name: host.board,
        bios_version: host.bios,
        cpu_model: host.cpu_model,
        event_id: event_id.to_owned(),
        external: is_external(record),
    }
}

/// The last format of the old records, which has all fields.
const RECORD_VERSION: u32 = 4;

/// `2026-11-24 21:53:30 UTC`.
fn moment(unix_ns: u64) -> String {
    let moment = Timestamp::from_nanosecond(unix_ns.into()).unwrap_or_default();
    moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
