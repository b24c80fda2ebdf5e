//! REST, pages, `/healthz` and `/metrics`.

use axum::Router;
use tokio_util::sync::CancellationToken;

use crate::{metrics::Metrics, store::Store};

/// All routes. Streams that stay open (the live list) end when `shutdown` is cancelled.
pub fn router(store: Store, metrics: Metrics, shutdown: CancellationToken) -> Router {
    let _ = (store, metrics, shutdown);
    Router::new()
}
