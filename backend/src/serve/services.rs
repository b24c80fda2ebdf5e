//! What is served, over HTTP and gRPC.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proto::v1::FILE_DESCRIPTOR_SET;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Server, server::Router};

use super::{Config, ServeError, tls::Certificate};
use crate::{
    access::{Access, Guard},
    collector::{self, CollectorService},
    embedded::Cluster,
    enrolment::{self, EnrolmentService},
    http::{self, Delivery, Reached, Started},
    ingest::Quotas,
    metrics::Metrics,
    old_clients,
    query::{
        self, QueryService,
        hardware::{self, HardwareService},
        hosts::{self, HostsService},
        issues::{self, IssuesService},
        statistics::{self, StatisticsService},
    },
    store::Store,
    symbols::{self, Symbols, SymbolsService},
    traces,
};

/// A connection on which nothing is heard is asked for a sign of life this often, and dropped without one.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Streams that one connection may have open.
const STREAMS_PER_CONNECTION: u32 = 64;

/// What one stream may send before it is read, bytes: the 2 MiB that telemd has in flight, so that it never waits for a
/// round trip.
const STREAM_WINDOW: u32 = 2 * 1024 * 1024;
/// The same for all streams of a connection: a proxy in front has many agents on one.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// REST and pages.
pub(super) fn web(
    config: &Config,
    store: &Store,
    symbols: Symbols,
    access: Access,
    metrics: Metrics,
    grpc: SocketAddr,
    shutdown: &CancellationToken,
) -> axum::Router {
    let started = Started {
        grpc,
        delivery: delivery(config),
        host_name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        database: reached(config),
        alerts: config.alerts.clone(),
    };
    http::router(store.clone(), symbols, access, metrics, started, shutdown.clone())
}

/// What old clients ask for, where they are taken.
pub(super) fn old_clients(
    config: &Config,
    store: &Store,
    quotas: Arc<Quotas>,
    metrics: Metrics,
) -> axum::Router {
    let router = |id: &String| old_clients::router(store.clone(), quotas, metrics, id.clone());
    config.old_clients.as_ref().map(router).unwrap_or_default()
}

fn delivery(config: &Config) -> Delivery {
    match config.tls.as_ref().map(|tls| &tls.certificate) {
        None => Delivery::Clear,
        Some(Certificate::Files { .. }) => Delivery::OtherAuthority,
        Some(Certificate::Own { names }) => Delivery::OwnAuthority {
            name: names.first().cloned().unwrap_or_default(),
        },
    }
}

fn reached(config: &Config) -> Reached {
    match &config.database {
        Some(_url) => Reached::ByUrl,
        None if Cluster::default_dir().as_ref() == Some(&config.data_dir) => Reached::ByDefault,
        None => {
            let folder = std::path::absolute(&config.data_dir);
            Reached::In(folder.unwrap_or_else(|_no_current_folder| config.data_dir.clone()))
        }
    }
}

/// The gRPC services but for health.
pub(super) fn grpc(
    config: &Config,
    store: &Store,
    collector: CollectorService,
    symbols: &Symbols,
    access: &Access,
    shutdown: &CancellationToken,
) -> Result<Router, ServeError> {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let enrolment = EnrolmentService::new(store.clone(), config.certificate_life);
    let statistics = StatisticsService::new(store.clone());
    let issues = IssuesService::new(store.clone());
    let hosts = HostsService::new(store.clone());
    let hardware = HardwareService::new(store.clone());
    let symbols = symbols::service::server(SymbolsService::new(symbols.clone()));
    let query = QueryService::new(store.clone(), shutdown.clone());
    Ok(Server::builder()
        .trace_fn(traces::call)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .max_concurrent_streams(Some(STREAMS_PER_CONNECTION))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .add_service(reflection().build_v1()?)
        // What grpcio-reflection, of Python, still asks.
        .add_service(reflection().build_v1alpha()?)
        .add_service(collector::server(collector))
        .add_service(enrolment::server(enrolment))
        .add_service(Guard::new(access.clone(), statistics::server(statistics)))
        .add_service(Guard::new(access.clone(), issues::server(issues)))
        .add_service(Guard::new(access.clone(), hosts::server(hosts)))
        .add_service(Guard::new(access.clone(), hardware::server(hardware)))
        .add_service(Guard::new(access.clone(), symbols))
        .add_service(Guard::new(access.clone(), query::server(query))))
}
