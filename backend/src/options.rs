//! The options of `backend serve`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Context as _;
use backend::{
    access::Anonymous,
    admission, alerts,
    authority::AGENT_LIFE,
    embedded::Cluster,
    ingest::Quota,
    serve::{Certificate, Config, Tls},
    symbols,
};
use clap::{CommandFactory as _, error::ErrorKind};

use super::Cli;

#[derive(clap::Args)]
pub(crate) struct Serve {
    /// URL of the PostgreSQL database (15 or newer). Without it a private PostgreSQL is run in the data directory.
    #[arg(
        long,
        value_name = "URL",
        env = "BACKEND_DATABASE_URL",
        hide_env_values = true
    )]
    database: Option<String>,
    /// Leave the schema alone: `backend migrate`, run daily as its owner, keeps it up to date. The user of --database then needs
    /// no more than the roles for storing and for pages, which `backend migrate --roles` makes.
    #[arg(long, requires = "database")]
    no_migrate: bool,
    /// Where the private PostgreSQL lives. Default: /var/lib/telemetrics-backend for root, else ~/.local/share/telemetrics-backend.
    #[arg(long, value_name = "DIR", env = "BACKEND_DATA_DIR", hide_env_values = true)]
    data_dir: Option<PathBuf>,
    /// Folder of the programs initdb and postgres. Default: the newest in /usr/lib/postgresql and PATH.
    #[arg(
        long,
        value_name = "DIR",
        env = "BACKEND_POSTGRES_BIN",
        hide_env_values = true
    )]
    postgres_bin: Option<PathBuf>,
    /// Where agents and gRPC clients connect. Port 0: any.
    #[arg(
        long,
        value_name = "ADDR",
        env = "BACKEND_GRPC",
        hide_env_values = true,
        default_value = "127.0.0.1:7130"
    )]
    grpc: SocketAddr,
    /// The certificate by which agents know the collector, PEM with those between it and its authority. Read again when it
    /// changes, and on SIGHUP.
    #[arg(
        long,
        value_name = "FILE",
        env = "BACKEND_TLS_CERT",
        hide_env_values = true,
        requires = "tls_key"
    )]
    tls_cert: Option<PathBuf>,
    /// Its key, PEM.
    #[arg(
        long,
        value_name = "FILE",
        env = "BACKEND_TLS_KEY",
        hide_env_values = true,
        requires = "tls_cert"
    )]
    tls_key: Option<PathBuf>,
    /// Speak TLS with a certificate of the own authority (`backend ca init`) for this host name or IP address, instead of
    /// --tls-cert. May be repeated.
    #[arg(
        long,
        value_name = "NAME",
        env = "BACKEND_TLS_NAME",
        hide_env_values = true,
        value_delimiter = ',',
        conflicts_with = "tls_cert"
    )]
    tls_name: Vec<String>,
    /// Authorities of agents' certificates beside the own one, PEM.
    #[arg(long, value_name = "FILE", env = "BACKEND_CLIENT_CA", hide_env_values = true)]
    client_ca: Option<PathBuf>,
    /// Which agents are taken. Default: enrolled over TLS beyond this host, else any.
    #[arg(long, value_name = "WHICH", env = "BACKEND_AGENTS", hide_env_values = true)]
    agents: Option<admission::Agents>,
    /// How long certificates of agents are good; they renew themselves at half of it. Seconds, 60 to 31536000.
    #[arg(long, value_name = "SECONDS", env = "BACKEND_CERTIFICATE_LIFE_S", hide_env_values = true,
          default_value_t = AGENT_LIFE.as_secs(), value_parser = clap::value_parser!(u64).range(60..=31_536_000))]
    certificate_life_s: u64,
    /// Where browsers and REST clients connect. Port 0: any.
    #[arg(
        long,
        value_name = "ADDR",
        env = "BACKEND_HTTP",
        hide_env_values = true,
        default_value = "127.0.0.1:7131"
    )]
    http: SocketAddr,
    /// What those may do who show neither a session nor a token, on the pages, by REST and by gRPC queries.
    #[arg(
        long,
        value_name = "ROLE",
        env = "BACKEND_ANONYMOUS",
        hide_env_values = true,
        default_value = "local"
    )]
    anonymous: Anonymous,
    /// File with rules and whom to tell: `docs/alerts.md`. Read again on SIGHUP. Default: nobody is told.
    #[arg(long, value_name = "FILE", env = "BACKEND_ALERTS", hide_env_values = true)]
    alerts: Option<PathBuf>,
    /// Take netconsole in on this UDP address, usually port 6666; anyone who reaches it is believed. Default: not at all.
    #[arg(long, value_name = "ADDR", env = "BACKEND_NETCONSOLE", hide_env_values = true)]
    netconsole: Option<SocketAddr>,
    /// Take records of Clear Linux's clients in, at /v2/collector and /v3/collector of --http, that carry this telemetry id
    /// (tidheader in their configuration). It is no secret: have a proxy pass these two paths on and nothing else.
    /// Default: not at all.
    #[arg(long, value_name = "ID", env = "BACKEND_OLD_CLIENTS", hide_env_values = true)]
    old_clients: Option<String>,
    /// Records that one agent may send in a second, in the long run; one that sends more is slowed down. 0: no limit.
    #[arg(
        long,
        value_name = "N",
        env = "BACKEND_AGENT_RATE",
        hide_env_values = true,
        default_value_t = Quota::default().records_per_s
    )]
    agent_rate: u32,
    /// Records that it may send at once beyond that, such as those that gathered while the collector was away.
    #[arg(
        long,
        value_name = "N",
        env = "BACKEND_AGENT_BURST",
        hide_env_values = true,
        default_value_t = Quota::default().burst
    )]
    agent_burst: u32,
    /// Records that all agents together may send in a second, in the long run; beyond that they wait. 0: no limit.
    #[arg(
        long,
        value_name = "N",
        env = "BACKEND_RATE",
        hide_env_values = true,
        default_value_t = Quota::NONE.records_per_s
    )]
    rate: u32,
    /// Records that they may send at once beyond that.
    #[arg(
        long,
        value_name = "N",
        env = "BACKEND_BURST",
        hide_env_values = true,
        default_value_t = Quota::default().burst
    )]
    burst: u32,
    /// Keep debug files in this folder, which `telemctl symbols upload` brings, and read stacks with them: `docs/symbols.md`.
    /// Default: none are taken.
    #[arg(long, value_name = "DIR", env = "BACKEND_SYMBOLS", hide_env_values = true)]
    symbols: Option<PathBuf>,
    /// Debug files may have so many GiB together. A kernel with its modules has some 5.
    #[arg(long, value_name = "GIB", env = "BACKEND_SYMBOLS_QUOTA_GIB", hide_env_values = true,
          default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    symbols_quota_gib: u64,
    /// Send traces of what the collector does to this address, such as `http://127.0.0.1:4317`, in clear, by OTLP over gRPC: of an
    /// OpenTelemetry Collector beside it. Default: there are none.
    #[arg(long, value_name = "URL", env = "BACKEND_OTLP", hide_env_values = true, value_parser = otlp)]
    otlp: Option<String>,
    /// Write {"grpc":"ip:port","http":"ip:port"} (and "netconsole") to this file once all listen.
    #[arg(long, value_name = "FILE")]
    address_file: Option<PathBuf>,
}

fn otlp(url: &str) -> Result<String, String> {
    let wrong = || format!("{url:?} is no address such as http://127.0.0.1:4317");
    let parsed: axum::http::Uri = url.parse().map_err(|_no_address| wrong())?;
    let is_right = parsed.scheme_str() == Some("http") && parsed.authority().is_some();
    is_right.then(|| url.to_owned()).ok_or_else(wrong)
}

impl Serve {
    /// Where traces go.
    pub(crate) fn otlp(&self) -> Option<&str> {
        self.otlp.as_deref()
    }

    /// The options as the collector takes them. Without a data directory and a home there is an error.
    pub(crate) fn config(self) -> anyhow::Result<Config> {
        let tls = self.tls();
        let agents = self.agents.unwrap_or({
            if tls.is_some() && !self.grpc.ip().is_loopback() {
                admission::Agents::Enrolled
            } else {
                admission::Agents::Any
            }
        });
        if tls.is_none() && !self.grpc.ip().is_loopback() {
            tracing::warn!(
                grpc = %self.grpc,
                "agents of other hosts send in clear and are not asked who they are: --tls-name or --tls-cert changes that"
            );
        }
        Ok(Config {
            database: self.database,
            migrate: !self.no_migrate,
            data_dir: self.data_dir.map_or_else(default_data_dir, Ok)?,
            postgres_bin: self.postgres_bin,
            grpc: self.grpc,
            tls,
            agents,
            certificate_life: Duration::from_secs(self.certificate_life_s),
            anonymous: self.anonymous,
            alerts: self.alerts.as_deref().map(alerts::File::open).transpose()?,
            http: self.http,
            netconsole: self.netconsole,
            old_clients: self.old_clients,
            quota: Quota {
                records_per_s: self.agent_rate,
                burst: self.agent_burst,
            },
            total_quota: Quota {
                records_per_s: self.rate,
                burst: self.burst,
            },
            symbols: match self.symbols {
                Some(dir) => Some(symbols::Config {
                    dir,
                    quota_bytes: self.symbols_quota_gib << 30,
                    program: std::env::current_exe().context("find this program")?,
                }),
                None => None,
            },
            address_file: self.address_file,
        })
    }

    /// What is wrong with options that are each right.
    pub(crate) fn check(&self) -> Result<(), clap::Error> {
        let problem = match (self.tls(), self.agents, &self.client_ca) {
            (None, Some(admission::Agents::Enrolled), _) => {
                "--agents enrolled needs --tls-cert or --tls-name"
            }
            (None, _, Some(_)) => "--client-ca needs --tls-cert or --tls-name",
            _ => return Ok(()),
        };
        Err(Cli::command().error(ErrorKind::MissingRequiredArgument, problem))
    }

    fn tls(&self) -> Option<Tls> {
        let certificate = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Certificate::Files {
                certificate: certificate.clone(),
                key: key.clone(),
            },
            _ if !self.tls_name.is_empty() => Certificate::Own {
                names: self.tls_name.clone(),
            },
            _ => return None,
        };
        Some(Tls {
            certificate,
            client_ca: self.client_ca.clone(),
        })
    }
}

/// Where the private PostgreSQL lives unless it is said.
pub(crate) fn default_data_dir() -> anyhow::Result<PathBuf> {
    Cluster::default_dir().context("neither XDG_DATA_HOME nor HOME is set: give --data-dir")
}
