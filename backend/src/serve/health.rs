//! The health service of gRPC: whether the database answers.

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

/// Keeps the health service true until `shutdown`.
pub(super) async fn report(store: &Store, reporter: &HealthReporter, shutdown: &CancellationToken) {
    let mut serving = true;
    while shutdown.run_until_cancelled(sleep(PING)).await.is_some() {
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
