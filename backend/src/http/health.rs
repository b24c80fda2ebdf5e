//! `/healthz`, `/readyz` and `/metrics`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::App;
use crate::store::chain;

/// What [`crate::metrics::Metrics::encode`] writes.
const OPENMETRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// `GET /healthz`.
pub(super) async fn healthz(State(app): State<App>) -> Response {
    match app.store.ping().await {
        Ok(()) => Json(json!({ "status": "ok" })).into_response(),
        Err(error) => {
            let answer = json!({ "status": "unavailable", "reason": chain(&error) });
            (StatusCode::SERVICE_UNAVAILABLE, Json(answer)).into_response()
        }
    }
}

/// `GET /readyz`: whether records are taken.
pub(super) async fn readyz(State(app): State<App>) -> Response {
    let unready = |reason: String| {
        let answer = json!({ "status": "unready", "reason": reason });
        (StatusCode::SERVICE_UNAVAILABLE, Json(answer)).into_response()
    };
    if app.shutdown.is_cancelled() {
        return unready("the collector is shutting down".to_owned());
    }
    match app.store.require_schema().await {
        Ok(()) => Json(json!({ "status": "ready" })).into_response(),
        Err(error) => unready(chain(&error)),
    }
}

/// `GET /metrics`.
pub(super) async fn metrics(State(app): State<App>) -> Response {
    ([(header::CONTENT_TYPE, OPENMETRICS)], app.metrics.encode()).into_response()
}
