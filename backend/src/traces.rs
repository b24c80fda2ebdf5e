//! Traces by OTLP: what the collector does, as spans for Jaeger, Tempo and whatever else takes the OpenTelemetry protocol by gRPC.
//!
//! | span | is | attributes |
//! | --- | --- | --- |
//! | `GET /api/v1/faults` | a request of REST or a page, until its answer begins | `http.request.method`, `http.route`, `http.response.status_code` |
//! | `telemetry.v1.Query/ListFaults` | a call by gRPC, until its answer begins | `rpc.system`, `rpc.service`, `rpc.method` |
//! | `store` | a transaction of ingest | `telemetrics.messages` |
//!
//! Names are those of OpenTelemetry's semantic conventions (1.37) where they have one. Spans have a target of their own that the log
//! does not show; without a layer that wants them they are never made. What waits to be sent is limited, and dropped when nobody
//! takes it: traces are no records.

use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::{Level, Span, Subscriber, field::Empty, trace_span};
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

/// What the spans are made for.
const TARGET: &str = "telemetrics::trace";
/// How traces call this program.
const SERVICE: &str = "telemetrics-backend";
/// How long whoever takes them may need for some of them, and for the last ones when the program ends.
const WITHIN: Duration = Duration::from_secs(5);

/// Sends traces until it is stopped.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Has traces sent to an address such as `http://127.0.0.1:4317`, in the runtime that it is called in. That nobody is there is no
    /// error: they are dropped.
    pub fn start(url: &str) -> Result<Self, ExporterBuildError> {
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(url)
            .with_timeout(WITHIN)
            .build()?;
        let provider = SdkTracerProvider::builder()
            .with_resource(Resource::builder().with_service_name(SERVICE).build())
            .with_batch_exporter(exporter)
            .build();
        Ok(Self { provider })
    }

    /// What hands spans to it.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let tracer = self.provider.tracer(SERVICE);
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target(TARGET, Level::TRACE))
    }

    /// Sends what waits, as far as it is taken within 5 s.
    pub async fn stop(self) {
        let stop = move || self.provider.shutdown_with_timeout(WITHIN);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(stop).await {
            tracing::warn!(%error, "the last traces were not taken");
        }
    }
}

/// The span of a request by HTTP.
pub(crate) fn request(request: &Request) -> Span {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("", MatchedPath::as_str);
    trace_span!(
        target: TARGET,
        "request",
        otel.name = format!("{} {route}", request.method()).trim_end(),
        otel.kind = "server",
        http.request.method = %request.method(),
        http.route = route,
        http.response.status_code = Empty,
    )
}

/// What a request was answered with.
pub(crate) fn answered(span: &Span, status: axum::http::StatusCode) {
    span.record("http.response.status_code", status.as_u16());
}

/// The span of a call by gRPC.
pub(crate) fn call(request: &axum::http::Request<()>) -> Span {
    let name = request.uri().path().trim_start_matches('/');
    let (service, method) = name.split_once('/').unwrap_or((name, ""));
    trace_span!(
        target: TARGET,
        "call",
        otel.name = name,
        otel.kind = "server",
        rpc.system = "grpc",
        rpc.service = service,
        rpc.method = method,
    )
}

/// The span of a transaction that stores messages.
pub(crate) fn store(messages: usize) -> Span {
    trace_span!(target: TARGET, "store", telemetrics.messages = messages)
}
