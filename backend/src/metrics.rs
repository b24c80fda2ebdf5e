//! What the collector counts, in the OpenMetrics format.

use std::sync::Arc;

use prometheus_client::{encoding::text, registry::Registry};

/// The counters and their registry. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
}

impl Metrics {
    /// Fresh counters at zero.
    pub fn new() -> Self {
        Self {
            registry: Arc::new(Registry::with_prefix("telemetrics")),
        }
    }

    /// The text of `/metrics`: `application/openmetrics-text; version=1.0.0; charset=utf-8`.
    pub fn encode(&self) -> String {
        let mut out = String::new();
        if let Err(error) = text::encode(&mut out, &self.registry) {
            // Writing into a String does not fail; only an encoder's own error could come here.
            tracing::error!(%error, "metrics could not be encoded");
        }
        out
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
