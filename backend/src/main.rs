//! `backend`: the collector.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use backend::{
    export::ExportError,
    serve::{self, ServeError},
    store::{Store, StoreError, chain},
    symbols,
    traces::Traces,
};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{
    EnvFilter, Layer as _, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use self::options::Serve;

mod commands;
mod options;

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
  backend people add ada --role triager
      Somebody who may sign in on the pages and change issues; the password is asked for
  backend api-token create --role viewer --note grafana --expires 90d
      What a program shows to ask: Authorization: Bearer TOKEN
  backend alert check alerts.toml && backend serve --alerts alerts.toml
      Rules that people are told by (docs/alerts.md)
  backend serve --symbols /srv/symbols
      With debug files, which `telemctl symbols upload` brings (docs/symbols.md)
  BACKEND_DATABASE_URL=postgres://collector:secret@db/telemetrics backend serve
      Collect into a database of yours (a password belongs into the environment, not on the command line)
  backend migrate --database postgres://owner@db/telemetrics
      Bring its schema up to date and end
  backend hardware --kind dimm
      Memory modules that are likely to fail, and why (docs/statistics.md)
  backend check && backend backup /backup/telemetrics.dump
      Look whether all is well, and keep a copy; `backend restore` fills an empty database from it
  backend export 'class:kernel.* after:-7d' --format parquet --output week.parquet
      Records as a file, of any size: csv, jsonl or parquet (docs/api.md)
  backend regroup --preview
      What the rules of this version would make of the issues that older ones made (docs/regrouping.md)
  backend migrate --database postgres://owner@db/telemetrics --roles
      And make roles: GRANT telemetrics_grafana TO grafana lets that user read the views v_*, and nothing else

Log level: RUST_LOG=info (the default), debug, warn, ...; JSON of `serve` when stderr is not a terminal.

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
        /// Also make roles with few rights, to be granted to users: for storing, for asking, for pages, for Grafana.
        #[arg(long)]
        roles: bool,
    },
    /// Look whether the database is as it should be: server, schema, roles, partitions, books, durability, clock, disk.
    Check {
        #[command(flatten)]
        target: commands::Target,
    },
    /// Write the database to a file, while it is in use (`pg_dump`, custom format). It holds the key of the authority.
    Backup {
        /// The file. It is there once it is whole.
        file: PathBuf,
        #[command(flatten)]
        target: commands::Target,
    },
    /// Fill an empty database, or a new private PostgreSQL, from a backup and bring its schema up to date.
    Restore {
        /// What `backend backup` wrote.
        file: PathBuf,
        #[command(flatten)]
        target: commands::Target,
    },
    /// Write records to a file: CSV, JSON Lines or Parquet, of any size.
    Export(commands::Export),
    /// Print parts of machines at risk, the worst first, each with what speaks for it.
    Hardware(commands::Hardware),
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
    /// People who may sign in on the pages.
    People {
        #[command(subcommand)]
        command: commands::People,
        #[command(flatten)]
        target: commands::Target,
    },
    /// What programs show to ask: REST and gRPC queries.
    ApiToken {
        #[command(subcommand)]
        command: commands::ApiTokens,
        #[command(flatten)]
        target: commands::Target,
    },
    /// Print who signed in and who changed what, the latest first.
    Audit {
        #[command(flatten)]
        target: commands::Target,
    },
    /// What people are told by themselves.
    Alert {
        #[command(subcommand)]
        command: commands::Alerts,
        #[command(flatten)]
        target: commands::Target,
    },
    /// Group records of older rules by those of this program, as `backend serve` does in the background.
    Regroup(commands::Regroup),
    /// Make a fleet up with faults that are told, to see what the statistics find; in a database of its own.
    Simulate(commands::Simulate),
    /// Reads debug files for `backend serve --symbols`, which starts it.
    #[command(hide = true)]
    ReadSymbols,
    /// Print shell completions.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
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
    if let Command::ReadSymbols = cli.command {
        return read_symbols();
    }
    let serves = matches!(cli.command, Command::Serve(_));
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let said = chain(error.as_ref());
            if serves {
                tracing::error!(error = %said, "backend ends");
            } else {
                // Nobody to tell when stderr is closed.
                writeln!(io::stderr(), "backend: {said}").ok();
            }
            if is_usage(&error) {
                ExitCode::from(USAGE)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

/// What is wrong is said in one sentence, for whoever started it.
fn read_symbols() -> ExitCode {
    match symbols::worker::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody to tell when stderr is closed.
            write!(io::stderr(), "{}", chain(error.as_ref())).ok();
            ExitCode::FAILURE
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

/// Whether it is what was asked for that is wrong: an address of a database that is none, a filter that cannot be read.
fn is_usage(error: &anyhow::Error) -> bool {
    let store = match error.downcast_ref::<ServeError>() {
        Some(ServeError::Store(error)) => Some(error),
        _ => match error.downcast_ref::<ExportError>() {
            Some(ExportError::Store(error)) => Some(error),
            _ => error.downcast_ref::<StoreError>(),
        },
    };
    matches!(store, Some(StoreError::Url(_) | StoreError::InvalidFilter(_)))
}

fn run(command: Command) -> anyhow::Result<()> {
    // A program reads the log of what goes on for long; people read what a command says.
    let json = matches!(command, Command::Serve(_)) && !io::stderr().is_terminal();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .inspect_err(|_no_threads| start_log(None, json))
        .context("start the runtime")?;
    runtime.block_on(async {
        let otlp = match &command {
            Command::Serve(options) => options.otlp(),
            _ => None,
        };
        let traces = otlp.map(Traces::start).transpose();
        start_log(traces.as_ref().ok().and_then(Option::as_ref), json);
        let traces = traces.context("--otlp")?;
        match command {
            Command::Serve(options) => {
                tracing::info!(version = env!("CARGO_PKG_VERSION"), "backend starts");
                let config = options.config()?;
                let served = Box::pin(serve::run(config, on_signal()?)).await;
                if let Some(traces) = traces {
                    traces.stop().await;
                }
                served.map_err(Into::into)
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
            Command::Check { target } => commands::check(target).await,
            Command::Backup { file, target } => commands::backup(&file, target).await,
            Command::Restore { file, target } => commands::restore(&file, target).await,
            Command::Export(options) => commands::export_records(options).await,
            Command::Hardware(options) => commands::hardware(options).await,
            Command::Ca { command, target } => commands::ca(command, target).await,
            Command::Token { command, target } => commands::token(command, target).await,
            Command::Agent { command, target } => commands::agent(command, target).await,
            Command::Regroup(options) => commands::regroup(options).await,
            Command::Simulate(options) => commands::simulate(options).await,
            Command::People { command, target } => commands::people(command, target).await,
            Command::ApiToken { command, target } => commands::api_token(command, target).await,
            Command::Audit { target } => commands::audit(target).await,
            Command::Alert { command, target } => commands::alert(command, target).await,
            Command::ReadSymbols | Command::Completions { .. } => Ok(()),
        }
    })
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

fn start_log(traces: Option<&Traces>, json: bool) {
    let level = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_unset_or_wrong| EnvFilter::new("info,refinery_core=warn,tokio_postgres=warn"));
    let log = if json {
        fmt::layer().json().with_writer(io::stderr).boxed()
    } else {
        fmt::layer()
            .with_writer(io::stderr)
            .with_target(false)
            .with_ansi(io::stderr().is_terminal())
            .boxed()
    };
    tracing_subscriber::registry()
        .with(log.with_filter(level))
        .with(traces.map(Traces::layer))
        .init();
}
