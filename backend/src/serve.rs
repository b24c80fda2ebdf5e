//! `backend serve`: everything together, from the first connection to the last.

mod door;
mod health;
mod incoming;
mod listeners;
mod services;
mod tls;
mod web;

use std::{io, net::SocketAddr, path::PathBuf, pin::pin, sync::Arc, time::Duration};

use futures::{
    FutureExt as _, TryFutureExt as _,
    future::{OptionFuture, join, join3, join5, try_join},
};
use sd_notify::NotifyState;
use tokio::{
    net::UdpSocket,
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    access::{Access, Anonymous},
    admission::{Admission, Agents},
    alerts, analysis,
    collector::{CollectorService, Fixes},
    embedded::{Cluster, EmbeddedError},
    ingest::{Ingest, Quota, Quotas},
    metrics::Metrics,
    netconsole,
    store::{KEPT, Store, StoreError, chain},
    symbols::{self, Symbols, SymbolsError},
};
use door::{Door, Room};
use listeners::{Addresses, Listeners};
pub use tls::{Certificate, Tls, TlsError};

/// How long open requests may take after SIGTERM.
const DRAIN: Duration = Duration::from_secs(10);
/// How often the database is asked whether it is there, for the health service and while starting.
const PING: Duration = Duration::from_secs(2);
/// What to serve, and where.
#[derive(Clone)]
pub struct Config {
    /// The database. None: a private PostgreSQL in the data directory.
    pub database: Option<String>,
    /// Whether the schema is brought up to date and looked after here; otherwise it has to be, and `database` may name a user
    /// of few rights.
    pub migrate: bool,
    /// Where the private PostgreSQL lives.
    pub data_dir: PathBuf,
    /// Folder of its programs. None: where they usually are.
    pub postgres_bin: Option<PathBuf>,
    /// Address of the gRPC services.
    pub grpc: SocketAddr,
    /// TLS of the gRPC services. None: they are spoken to in clear.
    pub tls: Option<Tls>,
    /// Which agents are taken.
    pub agents: Agents,
    /// How long certificates of agents are good.
    pub certificate_life: Duration,
    /// What those may do whom nobody knows, by REST, on the pages and by gRPC queries.
    pub anonymous: Anonymous,
    /// What people are told. None: nothing.
    pub alerts: Option<alerts::File>,
    /// Address of REST and pages.
    pub http: SocketAddr,
    /// UDP address of the netconsole receiver. None: there is none.
    pub netconsole: Option<SocketAddr>,
    /// The id that records of old clients carry; None: they are not taken.
    pub old_clients: Option<String>,
    /// What each agent may send.
    pub quota: Quota,
    /// What all of them may send together.
    pub total_quota: Quota,
    /// Where debug files are kept. None: they are not taken.
    pub symbols: Option<symbols::Config>,
    /// Where to write the addresses once all listen.
    pub address_file: Option<PathBuf>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("database", &self.database.as_ref().map(|_secret| "..."))
            .field("migrate", &self.migrate)
            .field("data_dir", &self.data_dir)
            .field("postgres_bin", &self.postgres_bin)
            .field("grpc", &self.grpc)
            .field("tls", &self.tls)
            .field("agents", &self.agents)
            .field("certificate_life", &self.certificate_life)
            .field("anonymous", &self.anonymous)
            .field("alerts", &self.alerts.is_some())
            .field("http", &self.http)
            .field("netconsole", &self.netconsole)
            .field("old_clients", &self.old_clients)
            .field("quota", &self.quota)
            .field("total_quota", &self.total_quota)
            .field("symbols", &self.symbols)
            .field("address_file", &self.address_file)
            .finish()
    }
}

/// Why the collector could not start or had to end.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The private PostgreSQL.
    #[error("no private PostgreSQL")]
    Embedded(#[from] EmbeddedError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An address is taken or not ours.
    #[error("cannot listen on {address} (--grpc, --http and --netconsole choose the addresses)")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The address file.
    #[error("cannot write {path}")]
    AddressFile {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The folder of debug files.
    #[error(transparent)]
    Symbols(#[from] SymbolsError),
    /// TLS.
    #[error("no TLS")]
    Tls(#[from] TlsError),
    /// The gRPC server ended.
    #[error("the gRPC server ended")]
    Grpc(#[from] tonic::transport::Error),
    /// The reflection service could not be made.
    #[error("the reflection service could not be made")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// Signals.
    #[error("SIGHUP cannot be handled")]
    Signal(#[source] io::Error),
}

/// Serves until `shutdown`, then drains. Call it from the main thread: the private PostgreSQL ends with the thread.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), ServeError> {
    if let Some(tls) = &config.tls {
        tls.check()?;
    }
    hear_hangups(&config, &shutdown)?;
    let room = Room::make();
    let listeners = Listeners::open(&config).await?;
    let mut cluster = None;
    let url = if let Some(url) = &config.database {
        url.clone()
    } else {
        let start = Cluster::start(&config.data_dir, config.postgres_bin.as_deref());
        let Some(started) = shutdown.run_until_cancelled(start).await else {
            return Ok(());
        };
        cluster.insert(started?).url()
    };
    let result = {
        let mut serve = pin!(serve(&config, &url, listeners, room, &shutdown));
        let supervise = async {
            match &mut cluster {
                Some(cluster) => cluster.supervise(&shutdown).await,
                None => shutdown.cancelled().await,
            }
        };
        tokio::select! {
            result = &mut serve => result,
            () = supervise => serve.await,
        }
    };
    if let Some(cluster) = cluster {
        cluster.stop().await;
    }
    result
}

/// SIGHUP has files read again by those who have them; without any it is no reason to end.
fn hear_hangups(config: &Config, shutdown: &CancellationToken) -> Result<(), ServeError> {
    let mut hangup = signal(SignalKind::hangup()).map_err(ServeError::Signal)?;
    let (shutdown, has_files) = (shutdown.clone(), config.tls.is_some() || config.alerts.is_some());
    tokio::spawn(async move {
        while let Some(Some(())) = shutdown.run_until_cancelled(hangup.recv()).await {
            if !has_files {
                tracing::info!(
                    "SIGHUP: there is nothing to read again, neither certificates nor an alerts file"
                );
            }
        }
    });
    Ok(())
}

/// Serves what is in a database, once that is there.
async fn serve(
    config: &Config,
    url: &str,
    listeners: Listeners,
    room: Room,
    shutdown: &CancellationToken,
) -> Result<(), ServeError> {
    let store = Store::new(url)?.keeping(KEPT);
    let prepare = prepare(&store, config.migrate);
    match shutdown.run_until_cancelled(prepare).await {
        Some(prepared) => prepared?,
        None => return Ok(()),
    }
    Box::pin(serve_from(store, config, listeners, room, shutdown)).await
}

async fn serve_from(
    store: Store,
    config: &Config,
    listeners: Listeners,
    room: Room,
    shutdown: &CancellationToken,
) -> Result<(), ServeError> {
    let metrics = Metrics::new();
    let addresses = listeners.addresses(config)?;
    let (reporter, health) = tonic_health::server::health_reporter();
    // The schema has just been looked at.
    health::set(&reporter, true).await;
    let door = |listener, port, places| Door::new(listener, port, places, &metrics, shutdown);
    let admission = Admission::new(store.clone(), config.agents);
    let (reloading, tls) = match config.tls.clone() {
        Some(tls) => Some(tls::Reloading::start(tls, store.clone()).await?),
        None => None,
    }
    .unzip();
    let access = Access::new(store.clone(), config.anonymous);
    let fixes = Fixes::new(store.clone());
    let quotas = Arc::new(Quotas::new(config.quota, config.total_quota));
    let (ingest, counted) = Ingest::start(&store, &metrics);
    let collector = CollectorService::new(
        store.clone(),
        admission.clone(),
        ingest,
        Arc::clone(&quotas),
        fixes.clone(),
        metrics.clone(),
        shutdown.clone(),
    );
    let symbols = Symbols::open(store.clone(), config.symbols.clone()).await?;
    let grpc = services::grpc(config, &store, collector, &symbols, &access, shutdown)?
        .add_service(health)
        .serve_with_incoming_shutdown(
            incoming::incoming(door(listeners.grpc, "grpc", room.grpc), tls),
            shutdown.clone().cancelled_owned(),
        );
    let netconsole = start_background(config, listeners.netconsole, &store, &metrics, shutdown);
    let grpc_address = addresses.grpc;
    let routes = services::web(
        config,
        &store,
        symbols,
        access,
        metrics.clone(),
        grpc_address,
        shutdown,
    )
    .merge(services::old_clients(config, &store, quotas, metrics.clone()));
    let http = web::serve(door(listeners.http, "http", room.http), routes);
    let mut servers = pin!(try_join(grpc.map_err(ServeError::Grpc), http.map(Ok)));
    announce(&addresses, config)?;

    // The servers end by themselves when they fail, or at shutdown when nobody is connected.
    let ended = tokio::select! {
        ended = &mut servers => Some(ended?),
        _ = join5(
            keep_up(&store, config.migrate, &metrics, shutdown),
            fixes.keep_up(shutdown),
            health::report(&store, &reporter, shutdown),
            admission.keep_up(shutdown),
            OptionFuture::from(reloading.map(|reloading| reloading.keep_up(shutdown))),
        ) => None,
    };
    tell_manager(&[NotifyState::Stopping]);
    tracing::info!("shutting down");
    let servers = async {
        match ended {
            Some(_both) => Ok(()),
            None => servers.await.map(|_both| ()),
        }
    };
    drain(servers, netconsole, counted).await
}

/// Starts what goes on beside the servers until `shutdown`; the netconsole receiver is to be waited for.
fn start_background(
    config: &Config,
    netconsole: Option<UdpSocket>,
    store: &Store,
    metrics: &Metrics,
    shutdown: &CancellationToken,
) -> Option<JoinHandle<()>> {
    // What is decided is decided by what is known now.
    let fresh = store.clone().keeping(Duration::ZERO);
    tokio::spawn(analysis::keep_up(fresh.clone(), shutdown.clone()));
    if let Some(file) = config.alerts.clone() {
        tokio::spawn(alerts::run(fresh, file, metrics.clone(), shutdown.clone()));
    }
    netconsole.map(|socket| {
        tokio::spawn(netconsole::run(
            socket,
            store.clone(),
            metrics.clone(),
            shutdown.clone(),
        ))
    })
}

/// Says where it listens, and that it does.
fn announce(addresses: &Addresses, config: &Config) -> Result<(), ServeError> {
    if let Some(path) = &config.address_file {
        addresses.write(path)?;
    }
    tracing::info!(
        grpc = %addresses.grpc,
        page = %format!("http://{}/", addresses.http),
        netconsole = addresses.netconsole.map(tracing::field::display),
        "collecting"
    );
    tell_manager(&[NotifyState::Ready, NotifyState::Status("collecting")]);
    Ok(())
}

/// Gives open requests, what netconsole told last, and what is stored and not counted yet, some time.
async fn drain(
    servers: impl Future<Output = Result<(), ServeError>>,
    netconsole: Option<JoinHandle<()>>,
    counted: JoinHandle<()>,
) -> Result<(), ServeError> {
    let netconsole = async {
        if let Some(Err(error)) = OptionFuture::from(netconsole).await {
            tracing::error!(error = %chain(&error), "the netconsole receiver failed");
        }
    };
    match timeout(DRAIN, join3(servers, netconsole, counted)).await {
        Ok((ended, (), _counted)) => ended,
        Err(_late) => {
            // Nothing that was acknowledged is lost by this.
            tracing::warn!("some requests did not end in time");
            Ok(())
        }
    }
}

/// Looks after issues, and where the schema is for this collector after that and the rules that records are grouped by, until
/// `shutdown`.
async fn keep_up(store: &Store, migrate: bool, metrics: &Metrics, shutdown: &CancellationToken) {
    let owner = || {
        Box::pin(join(
            store.keep_up(shutdown),
            store.keep_to_the_rules(metrics, shutdown),
        ))
    };
    let owner = OptionFuture::from(migrate.then(owner));
    join(store.keep_regrouping(shutdown), owner).await;
}

/// Brings the schema up to date, or sees that it is; waits for a database that is away.
async fn prepare(store: &Store, migrate: bool) -> Result<(), StoreError> {
    loop {
        let prepared = if migrate {
            store.migrate().await
        } else {
            store.require_schema().await
        };
        match prepared {
            Err(error @ StoreError::Unavailable(_)) => {
                tracing::warn!(error = %chain(&error), "waiting for the database");
                sleep(PING).await;
            }
            result => return result,
        }
    }
}

/// Tells systemd how it goes; without systemd that does nothing.
fn tell_manager(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}
