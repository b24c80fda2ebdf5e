//! What may come next in a filter.

use axum::Json;
use axum::extract::State;
use filter::{Key, Subject};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::error::{ApiError, Refusal};
use super::taken::FromQuery;

/// Values that are offered.
const VALUES: usize = 20;

/// A filter that is being written.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Written {
    /// The filter, at most 2048 bytes.
    q: String,
    /// Where the cursor is, in bytes from its beginning. Left out: at its end.
    at: Option<usize>,
    /// What is asked for: faults, issues or hosts. Left out: faults.
    of: Option<String>,
}

/// What fits there.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Offered {
    /// Where the unfinished word begins that a candidate takes the place of. Bytes.
    from: usize,
    /// In the order in which they should be offered.
    candidates: Vec<Candidate>,
}

/// Something that fits.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Candidate {
    text: String,
    /// What it means; empty: it is a value that is known.
    help: &'static str,
}

/// What may come next in a filter
///
/// Keys, what each takes, and values that are known: classes, kernels, hosts, builds, models and the like.
#[utoipa::path(
    get,
    path = "/api/v1/filter/complete",
    operation_id = "complete_filter",
    tag = "faults",
    params(Written),
    responses((status = 200, description = "What fits", body = Offered), super::openapi::Refusals)
)]
pub(super) async fn complete(
    State(app): State<App>,
    FromQuery(Written { q, at, of }): FromQuery<Written>,
) -> Result<Json<Offered>, ApiError> {
    let subject = match of.as_deref() {
        None => Subject::Faults,
        Some(of) => Subject::named(of).ok_or(Refusal::Subject)?,
    };
    let before = q
        .get(..at.unwrap_or(q.len()))
        .filter(|_| q.len() <= filter::BYTES);
    let before = before.ok_or_else(|| {
        let place = format!(
            "q has at most {} bytes, and at is a place between its characters",
            filter::BYTES
        );
        Refusal::Request(place)
    })?;
    let found = filter::complete(before, subject);
    let mut candidates: Vec<Candidate> = found
        .candidates
        .into_iter()
        .map(|candidate| Candidate {
            text: candidate.text,
            help: candidate.help,
        })
        .collect();
    if let Some(Key::Of(field)) = found.key {
        // A value that is being quoted begins with its quote.
        let begun = before[found.from..].trim_start_matches('"');
        let values = app.store.known_values(field, begun, VALUES).await?;
        candidates.extend(values.iter().map(|value| Candidate {
            text: filter::value_text(field, value),
            help: "",
        }));
    }
    Ok(Json(Offered {
        from: found.from,
        candidates,
    }))
}
