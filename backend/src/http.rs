//! REST, pages, the live list, `/healthz` and `/metrics`.
//!
//! | route | answer |
//! | --- | --- |
//! | `GET /` | the fleet at a glance |
//! | `GET`, `POST /admin` | administration, for admins |
//! | `GET /builds` | how often builds, kernels and models fail; one against another |
//! | `GET /crashes` | crashes of programs |
//! | `GET /faults` | the list of faults, a page at a time, kept up to date by `/live` |
//! | `GET /faults/{id}` | one fault |
//! | `GET /faults/{id}/stack`, `GET /faults/{id}/text` | its stacks with files and lines; its text as it came |
//! | `GET /hardware`, `GET /hardware/{id}` | parts of machines that had errors; one part |
//! | `GET /hardware/events` | what hardware told, by week and class, and the hosts of which it told most |
//! | `GET /hosts` | the list of hosts |
//! | `GET /hosts/{agent}` | one host: what it is, its boots, issues and books |
//! | `GET`, `POST /issues` | the list of issues; decides about several |
//! | `GET`, `POST /issues/{issue}` | one issue; changes it |
//! | `GET /population`, `GET /updates` | who runs what; how updates went |
//! | `GET /probes` | what the fleet watches |
//! | `POST /searches` | keeps a search of a list, or gives one up |
//! | `GET /live` | new faults as server-sent events, each a row of the list |
//! | `/api/v1/…`, `GET /api/records` | the REST API: `GET /api/v1/openapi.json` describes it |
//! | `GET`, `POST /login`, `POST /logout` | sign people in and out |
//! | `GET /healthz` | 200, or 503 with the reason: the database does not answer |
//! | `GET /readyz` | the same: no records are taken, also while the collector shuts down |
//! | `GET /metrics` | the counters, in the `OpenMetrics` format |
//!
//! Who may ask for what is in [`crate::access`]: looking takes a viewer, changing takes a triager,
//! administration an admin.
//!
//! The lists take the parameters that `query` describes; the form of the JSON is described in `json`. Errors of the API are
//! problems (RFC 9457, `application/problem+json`). Everything that is shown came from strangers: templates escape it, and the
//! content security policy allows no script and no style but this server's own files.

mod access;
mod api;
mod assets;
mod complete;
mod error;
mod export;
mod hardware;
mod health;
mod hosts;
mod issues;
pub(crate) mod json;
mod live;
mod old_records;
mod openapi;
mod pages;
mod population;
mod query;
#[cfg(test)]
mod samples;
mod statistics;
mod taken;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use self::view::compare_href;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tracing::Instrument as _;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::error::{Form, Refusal};
pub use self::json::part_json;
use crate::{access::Access, alerts, metrics::Metrics, store::Store, symbols::Symbols, text::quoted, traces};

/// Bytes of a request's body: the change of an issue, three of whose texts have up to 1024 characters, in a form that writes three
/// bytes for each of theirs, of which they have up to four.
const BODY_BYTES: usize = 64 << 10;
/// How long an answer may take to begin.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Headers of every answer.
const SECURITY_HEADERS: [(HeaderName, HeaderValue); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
        ),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// What the handlers share.
#[derive(Clone, Debug)]
struct App {
    store: Store,
    symbols: Symbols,
    access: Access,
    metrics: Metrics,
    shutdown: CancellationToken,
    live_streams: Arc<Semaphore>,
    exports: Arc<Semaphore>,
    started: Arc<Started>,
    /// The wall clock.
    now: fn() -> Timestamp,
}

/// How the collector was started, as far as its pages tell.
#[derive(Clone, Debug)]
pub struct Started {
    /// Where agents deliver.
    pub grpc: SocketAddr,
    /// How they do.
    pub delivery: Delivery,
    /// The name of this machine.
    pub host_name: String,
    /// What commands have to be told to reach the same database.
    pub database: Reached,
    /// The alerts file, if there is one.
    pub alerts: Option<alerts::File>,
}

impl Started {
    /// Names of the rules of the alerts file; none: there is no such file.
    fn alert_rules(&self) -> Vec<String> {
        self.alerts
            .as_ref()
            .map(|file| file.rules().names())
            .unwrap_or_default()
    }
}

impl Default for Started {
    /// As `backend serve` does without options.
    fn default() -> Self {
        Self {
            grpc: SocketAddr::from((Ipv4Addr::LOCALHOST, 7130)),
            delivery: Delivery::Clear,
            host_name: String::new(),
            database: Reached::ByDefault,
            alerts: None,
        }
    }
}

/// How commands reach the database of the collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// They do, unless they are told otherwise.
    ByDefault,
    /// It is the private one in this folder.
    In(PathBuf),
    /// It was named to the collector. Its address may have a password, and is told nobody.
    ByUrl,
}

impl Reached {
    /// The options that commands need, with a space before them.
    fn options(&self) -> String {
        match self {
            Self::ByDefault => String::new(),
            Self::In(folder) => format!(" --data-dir {}", quoted(&folder.to_string_lossy())),
            Self::ByUrl => " --database URL".to_owned(),
        }
    }

    /// What there is to say of these options; empty: nothing.
    fn options_note(&self) -> &'static str {
        match self {
            Self::ByDefault | Self::In(_) => "",
            Self::ByUrl => "URL is that of the database which this collector was started with.",
        }
    }
}

/// How agents deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Without TLS.
    Clear,
    /// They believe a certificate of the collector's own authority.
    OwnAuthority {
        /// The first name that it is for.
        name: String,
    },
    /// They believe a certificate of another authority.
    OtherAuthority,
}

/// All routes. Streams that stay open (the live list) end when `shutdown` is cancelled.
/// Where strangers may ask (`Anonymous::Local`), it has to be served with the address of the peer as `ConnectInfo`.
pub fn router(
    store: Store,
    symbols: Symbols,
    access: Access,
    metrics: Metrics,
    started: Started,
    shutdown: CancellationToken,
) -> Router {
    all_routes(App {
        store,
        symbols,
        access,
        metrics,
        shutdown,
        live_streams: Arc::new(Semaphore::new(live::STREAMS)),
        exports: Arc::new(Semaphore::new(export::EXPORTS)),
        started: started.into(),
        now: Timestamp::now,
    })
}

/// The routes of the REST API with their description.
fn api_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(api::list))
        .routes(routes!(api::fault))
        .routes(routes!(api::stack))
        .routes(routes!(export::faults))
        .routes(routes!(complete::complete))
        .routes(routes!(old_records::list))
        .routes(routes!(issues::list))
        .routes(routes!(issues::issue, issues::change))
        .routes(routes!(issues::split))
        .routes(routes!(issues::variants))
        .routes(routes!(issues::days))
        .routes(routes!(statistics::unusual))
        .routes(routes!(hosts::list))
        .routes(routes!(hosts::host))
        .routes(routes!(hosts::builds))
        .routes(routes!(hardware::list))
        .routes(routes!(hardware::part))
        .routes(routes!(population::population))
        .routes(routes!(population::updates))
        .routes(routes!(statistics::rates))
        .routes(routes!(statistics::classes))
        .routes(routes!(statistics::days))
        .routes(routes!(statistics::compare))
        .routes(routes!(statistics::escalations))
        .routes(routes!(statistics::survival))
        .routes(routes!(statistics::outliers))
        .routes(routes!(openapi::description))
}

fn all_routes(app: App) -> Router {
    Router::from(api_routes())
        .route("/", get(pages::overview::overview))
        .route("/faults", get(pages::list))
        .route("/admin", get(pages::admin::admin).post(pages::admin::act))
        .route("/builds", get(pages::builds::builds))
        .route("/faults/{id}", get(pages::fault))
        .route("/faults/{id}/stack", get(pages::stack))
        .route("/faults/{id}/text", get(pages::text))
        .route("/crashes", get(pages::crashes::crashes))
        .route("/hardware", get(pages::hardware::list))
        .route("/hardware/events", get(pages::hardware::events))
        .route("/hardware/{id}", get(pages::hardware::part))
        .route("/hosts", get(pages::hosts::list))
        .route("/hosts/{agent}", get(pages::hosts::host))
        .route(
            "/issues",
            get(pages::issues::list).post(pages::issues::decide_about_several),
        )
        .route(
            "/issues/{issue}",
            get(pages::issues::issue).post(pages::issues::decide),
        )
        .route("/searches", post(pages::searches::act))
        .route("/population", get(pages::population::population))
        .route("/updates", get(pages::population::updates))
        .route("/probes", get(pages::probes::probes))
        .route("/live", get(live::stream))
        .route("/login", get(access::form).post(access::sign_in))
        .route("/logout", post(access::sign_out))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .route("/static/{name}", get(assets::file))
        .fallback(async |request: Request| Refusal::NoRoute.answer(form_of(request.uri().path())))
        .method_not_allowed_fallback(async |request: Request| {
            Refusal::Method.answer(form_of(request.uri().path()))
        })
        .layer(middleware::from_fn_with_state(app.clone(), access::authorize))
        .layer(RequestBodyLimitLayer::new(BODY_BYTES))
        .layer(middleware::from_fn(guard))
        .layer(CompressionLayer::new())
        .with_state(app)
}

/// Ends what takes too long, and adds the headers of every answer.
async fn guard(request: Request, next: Next) -> Response {
    let form = form_of(request.uri().path());
    let span = traces::request(&request);
    let answer = next.run(request).instrument(span.clone());
    let mut response = match tokio::time::timeout(ANSWER_WITHIN, answer).await {
        Ok(response) => response,
        Err(_elapsed) => Refusal::Slow.answer(form),
    };
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        // The layer that refuses long bodies has no words for it.
        response = Refusal::TooLong.answer(form);
    }
    traces::answered(&span, response.status());
    response = error::framed(response);
    for (name, value) in SECURITY_HEADERS {
        response.headers_mut().insert(name, value);
    }
    let headers = response.headers_mut();
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("private, no-cache"));
    response
}

/// Where programs ask beside the API.
const FOR_PROGRAMS: [&str; 4] = ["/healthz", "/readyz", "/metrics", "/live"];

/// Programs get JSON, people get pages.
fn form_of(path: &str) -> Form {
    if path.starts_with("/api/") || FOR_PROGRAMS.contains(&path) {
        Form::Json
    } else {
        Form::Page
    }
}
