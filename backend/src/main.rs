//! `backend`: the collector.

use std::{
    io::{self, IsTerminal as _, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use backend::{
    admission,
    authority::AGENT_LIFE,
    ingest::Quota,
    serve::{self, Certificate, Config, ServeError, Tls},
    store::{Store, StoreError, chain},
};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, error::ErrorKind};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

mod commands;

/// Exit status for a wrong command line (sysexits.h: `EX_USAGE`).
const USAGE: u8 = 64;

/// What packages install this program as: its own name says too little among all programs of a host.
const INSTALLED_NAME: &str = "telemetrics-backend";

const EXAMPLES: &str = "\
Examples:
  backend serve
      Collect into a private PostgreSQL; the page is at http://127.0.0.1:7131/
  backend serve --data-dir /srv/telemetrics --grpc 0.0.0.0:7130 --http 127.0.0.1:7131
      The same elsewhere, and for agents of other hosts
  backend serve --netconsole 0.0.0.0:6666
      And for the last words of hosts that die (telemctl netconsole setup)
  backend ca init && backend token create --uses 100
      An authority that agents know the collector by, and a token to enrol with (docs/enrolment.md)
  backend serve --grpc 0.0.0.0:7130 --tls-name collector.example
      Over TLS, with a certificate of that authority; only enrolled agents are taken
  BACKEND_DATABASE_URL=postgres://collector:secret@db/telemetrics backend serve
      Collect into a database of yours (a password belongs into the environment, not on the command line)
  backend migrate --database postgres://owner@db/telemetrics
      Bring its schema up to date and end
  backend migrate --database postgres://owner@db/telemetrics --roles
      And make roles: GRANT telemetrics_grafana TO grafana lets that user read the views v_*, and nothing else

Log level: RUST_LOG=info (the default), debug, warn, ...; JSON when stderr is not a terminal.

Exit codes: 0 ended by SIGTERM or SIGINT, or done; 1 cannot run; 64 wrong command line.";

/// The collector of Telemetrics: takes faults in over gRPC, keeps them in PostgreSQL, shows them on a page.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Collect, answer queries and show the pages until SIGTERM.
    #[command(after_help = EXAMPLES)]
    Serve(Box<Serve>),
    /// Bring the schema of a database up to date and end.
    Migrate {
        /// URL of the PostgreSQL database (15 or newer).
        #[arg(
            long,
            value_name = "URL",
            env = "BACKEND_DATABASE_URL",
            hide_env_values = true
        )]
        database: String,
        /// Also make roles with few rights, to be granted to users: for storing, for asking, for Grafana.
        #[arg(long)]
        roles: bool,
    },
    /// The certificate authority of the collector.
    Ca {
        #[command(subcommand)]
        command: commands::Ca,
        #[command(flatten)]
        target: commands::Target,
    },
    /// What hosts enrol with.
    Token {
        #[command(subcommand)]
        command: commands::Tokens,
        #[command(flatten)]
        target: commands::Target,
    },
    /// Agents that were enrolled or shut out.
    Agent {
        #[command(subcommand)]
        command: commands::Agents,
        #[command(flatten)]
        target: commands::Target,
    },
    /// Print shell completions.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(clap::Args)]
struct Serve {
    /// URL of the PostgreSQL database (15 or newer). Without it a private PostgreSQL is run in the data directory.
    #[arg(
        long,
        value_name = "URL",
        env = "BACKEND_DATABASE_URL",
        hide_env_values = true
    )]
    database: Option<String>,
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
    /// Where browsers and REST clients connect; nobody is asked who they are. Port 0: any.
    #[arg(
        long,
        value_name = "ADDR",
        env = "BACKEND_HTTP",
        hide_env_values = true,
        default_value = "127.0.0.1:7131"
    )]
    http: SocketAddr,
    /// Take netconsole in on this UDP address, usually port 6666; anyone who reaches it is believed. Default: not at all.
    #[arg(long, value_name = "ADDR", env = "BACKEND_NETCONSOLE", hide_env_values = true)]
    netconsole: Option<SocketAddr>,
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
    /// Write {"grpc":"ip:port","http":"ip:port"} (and "netconsole") to this file once all listen.
    #[arg(long, value_name = "FILE")]
    address_file: Option<PathBuf>,
}

fn main() -> ExitCode {
    if let Some(folder) = manual::program::wanted(std::env::args_os().skip(1)) {
        return manual_pages(&folder);
    }
    let parsed = command()
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches))
        .and_then(|cli| match &cli.command {
            Command::Serve(options) => options.check().map(|()| cli),
            _ => Ok(cli),
        });
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too. Nobody to tell when stderr is closed.
            error.print().ok();
            return if error.use_stderr() {
                ExitCode::from(USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    if let Command::Completions { shell } = cli.command {
        let mut command = command();
        let name = command.get_name().to_owned();
        clap_complete::generate(shell, &mut command, name, &mut io::stdout());
        return ExitCode::SUCCESS;
    }
    start_log();
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = %chain(error.as_ref()), "backend ends");
            if is_usage(&error) {
                ExitCode::from(USAGE)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

/// The command line, by the name that the program was called by.
fn command() -> clap::Command {
    let command = Cli::command();
    let called = std::env::args_os().next().map(PathBuf::from);
    if called.as_deref().and_then(Path::file_name) != Some(INSTALLED_NAME.as_ref()) {
        return command;
    }
    let examples = EXAMPLES.replace("backend ", "telemetrics-backend ");
    command
        .name(INSTALLED_NAME)
        .after_help(examples.clone())
        .mut_subcommand("serve", |serve| serve.after_help(examples))
}

fn manual_pages(folder: &Path) -> ExitCode {
    match manual::program::write(command(), folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // As above.
            writeln!(io::stderr(), "backend: {error}").ok();
            ExitCode::FAILURE
        }
    }
}

/// Whether it is what was asked for that is wrong: an address of a database that is none.
fn is_usage(error: &anyhow::Error) -> bool {
    let store = match error.downcast_ref::<ServeError>() {
        Some(ServeError::Store(error)) => Some(error),
        _ => error.downcast_ref::<StoreError>(),
    };
    matches!(store, Some(StoreError::Url(_)))
}

fn run(command: Command) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(async {
        match command {
            Command::Serve(options) => {
                tracing::info!(version = env!("CARGO_PKG_VERSION"), "backend starts");
                let config = options.config()?;
                Box::pin(serve::run(config, on_signal()?))
                    .await
                    .map_err(Into::into)
            }
            Command::Migrate { database, roles } => {
                let store = Store::new(&database)?;
                store.migrate().await?;
                store.upkeep().await?;
                if roles {
                    store.make_roles().await?;
                }
                Ok(())
            }
            Command::Ca { command, target } => commands::ca(command, target).await,
            Command::Token { command, target } => commands::token(command, target).await,
            Command::Agent { command, target } => commands::agent(command, target).await,
            Command::Completions { .. } => Ok(()),
        }
    })
}

impl Serve {
    fn config(self) -> anyhow::Result<Config> {
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
            data_dir: self.data_dir.map_or_else(default_data_dir, Ok)?,
            postgres_bin: self.postgres_bin,
            grpc: self.grpc,
            tls,
            agents,
            certificate_life: Duration::from_secs(self.certificate_life_s),
            http: self.http,
            netconsole: self.netconsole,
            quota: Quota {
                records_per_s: self.agent_rate,
                burst: self.agent_burst,
            },
            address_file: self.address_file,
        })
    }

    /// What is wrong with options that are each right.
    fn check(&self) -> Result<(), clap::Error> {
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

fn default_data_dir() -> anyhow::Result<PathBuf> {
    // Not the agent's folder, which only the agent may enter and which it locks.
    const NAME: &str = "telemetrics-backend";
    if rustix::process::geteuid().is_root() {
        return Ok(Path::new("/var/lib").join(NAME));
    }
    let folder = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let share = folder("XDG_DATA_HOME").or_else(|| Some(folder("HOME")?.join(".local/share")));
    Ok(share
        .context("neither XDG_DATA_HOME nor HOME is set: give --data-dir")?
        .join(NAME))
}

/// Is cancelled by SIGTERM and SIGINT.
fn on_signal() -> anyhow::Result<CancellationToken> {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    let mut terminate = signal(SignalKind::terminate()).context("handle SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("handle SIGINT")?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        cancelled.cancel();
    });
    Ok(token)
}

fn start_log() {
    let level = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_unset_or_wrong| EnvFilter::new("info,refinery_core=warn,tokio_postgres=warn"));
    let registry = tracing_subscriber::registry().with(level);
    if io::stderr().is_terminal() {
        registry
            .with(fmt::layer().with_writer(io::stderr).with_target(false))
            .init();
    } else {
        registry.with(fmt::layer().json().with_writer(io::stderr)).init();
    }
}
