//! Clear Linux's clients: records that they POST to `/v2/collector` (fields in headers) and `/v3/collector` (JSON).
//!
//! They are answered as the old collector did: 201 with what was stored, or 400 with `{"message":"…"}`; anything but 200 and
//! 201 has them keep the record and send it again. A record that comes again, because its answer got lost, is stored once and
//! answered in the same way. What the old collector refused for no good reason is taken: any architecture, any kernel's
//! version, and format version 1. What it had no limit for has one.

pub mod record;

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use jiff::Timestamp;
use serde_json::json;
use tokio::time::{Instant, timeout};
use tower_http::limit::RequestBodyLimitLayer;

use self::record::{OldRecord, Wrong};
use crate::{
    ingest::Quotas,
    metrics::Metrics,
    store::{DeliverError, Store, StoreError, chain},
};

/// Bytes of a request's body: a payload of the longest, with its fields and what JSON escapes.
const BODY_BYTES: usize = 256 * 1024;
/// How long a client may take to send a record and be answered.
const WITHIN: Duration = Duration::from_secs(15);
/// When a client may come again after the database was away.
const SOON: Duration = Duration::from_secs(5);
/// The header that says which collector a client was set up for.
const TELEMETRY_ID: &str = "x-telemetry-tid";
/// Set by a proxy on records from outside.
const EXTERNAL: &str = "x-clr-external";

#[derive(Clone)]
struct App {
    store: Store,
    quotas: Arc<Quotas>,
    metrics: Metrics,
    telemetry_id: String,
}

/// The routes, for clients that were set up with `telemetry_id` (`tidheader` in their configuration). It is known to all of
/// them: it keeps strays out and nobody else.
pub fn router(store: Store, quotas: Arc<Quotas>, metrics: Metrics, telemetry_id: String) -> Router {
    let page = || get(async || (StatusCode::FOUND, [(header::LOCATION, "/")]));
    Router::new()
        .route("/v2/collector", page().post(by_headers))
        .route("/v3/collector", page().post(by_json))
        .layer(RequestBodyLimitLayer::new(BODY_BYTES))
        .layer(middleware::from_fn(in_time))
        .with_state(App {
            store,
            quotas,
            metrics,
            telemetry_id,
        })
}

async fn by_headers(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let record = app
        .admit(&headers)
        .and_then(|()| OldRecord::of_headers(&headers, &body));
    app.answer(&headers, record).await
}

async fn by_json(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let record = app.admit(&headers).and_then(|()| OldRecord::of_json(&body));
    app.answer(&headers, record).await
}

impl App {
    fn admit(&self, headers: &HeaderMap) -> Result<(), Wrong> {
        match headers.get(TELEMETRY_ID) {
            Some(id) if id.as_bytes() == self.telemetry_id.as_bytes() => Ok(()),
            _ => Err(Wrong("Telemetry ID mismatch".to_owned())),
        }
    }

    async fn answer(&self, headers: &HeaderMap, record: Result<OldRecord, Wrong>) -> Response {
        let record = match record {
            Ok(record) => record,
            Err(Wrong(message)) => return refuse(StatusCode::BAD_REQUEST, &message),
        };
        let is_external = headers
            .get(EXTERNAL)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
        let (sender, host) = (record.sender(), record.host());
        if let Err(wait) = self.quotas.take(sender.agent_id, 1, Instant::now()) {
            return later("more is sent than may be; try again later", wait);
        }
        let stored = async {
            if self.store.standing(sender.agent_id).await?.revoked {
                return Err(DeliverError::Invalid("this machine is shut out".to_owned()));
            }
            self.store
                .keep_once(&sender, &host, &record.record(is_external), &record.digest())
                .await
        };
        match stored.await {
            Ok(is_new) => {
                self.metrics.kept_once(is_new);
                tracing::debug!(agent_id = %sender.agent_id, is_new, "a record of an old client");
                let row = record.answer(is_external, Timestamp::now());
                (StatusCode::CREATED, Json(row)).into_response()
            }
            Err(DeliverError::Store(error)) => failed(&error),
            Err(error) => refuse(StatusCode::BAD_REQUEST, &error.to_string()),
        }
    }
}

/// Bounds how long it takes, and says in its form what the layers within refuse.
async fn in_time(request: Request, next: Next) -> Response {
    let response = timeout(WITHIN, next.run(request)).await.unwrap_or_else(|_late| {
        refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "it took too long; try again soon",
        )
    });
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            &format!("a record has at most {BODY_BYTES} bytes"),
        );
    }
    response
}

fn failed(error: &StoreError) -> Response {
    tracing::warn!(error = %chain(error), "a record of an old client could not be stored");
    later("the database is not available; try again soon", SOON)
}

fn later(message: &str, wait: Duration) -> Response {
    let mut response = refuse(StatusCode::SERVICE_UNAVAILABLE, message);
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn refuse(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}
