//! The health service of gRPC: whether the database answers, and the collector goes on.

use std::convert::Infallible;

use proto::v1::{
    collector_server::CollectorServer, hardware_server::HardwareServer, hosts_server::HostsServer,
    issues_server::IssuesServer, query_server::QueryServer, statistics_server::StatisticsServer,
    symbols_server::SymbolsServer,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService as _;
use tonic_health::{ServingStatus, server::HealthReporter};

use super::PING;
use crate::{
    collector::CollectorService,
    query::{
        QueryService, hardware::HardwareService, hosts::HostsService, issues::IssuesService,
        statistics::StatisticsService,
    },
    store::Store,
    symbols::SymbolsService,
};

/// Keeps the health service true until `shutdown`; from then on nothing is served.
pub(super) async fn report(store: &Store, reporter: &HealthReporter, shutdown: &CancellationToken) {
    shutdown.run_until_cancelled(follow(store, reporter)).await;
    set(reporter, false).await;
}

/// Tells when the database goes away, and when it comes back.
async fn follow(store: &Store, reporter: &HealthReporter) -> Infallible {
    let mut serving = true;
    loop {
        sleep(PING).await;
        let answers = store.ping().await.is_ok();
        if answers != serving {
            tracing::warn!(answers, "the database went away or came back");
            set(reporter, answers).await;
            serving = answers;
        }
    }
}

/// Says whether the services answer.
pub(super) async fn set(reporter: &HealthReporter, serving: bool) {
    let status = if serving {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    };
    for service in [
        // All of them together.
        "",
        CollectorServer::<CollectorService>::NAME,
        HardwareServer::<HardwareService>::NAME,
        HostsServer::<HostsService>::NAME,
        IssuesServer::<IssuesService>::NAME,
        QueryServer::<QueryService>::NAME,
        StatisticsServer::<StatisticsService>::NAME,
        SymbolsServer::<SymbolsService>::NAME,
    ] {
        reporter.set_service_status(service, status).await;
    }
}
