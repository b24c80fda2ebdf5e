//! What commands that ask a collector have in common: which one, and who asks.

use std::path::PathBuf;
use std::time::Duration;

use telemd::config::Config;
use telemd::config::collector::Server;
use telemd::enrolment::Enrolment;
use telemd::ship::{self, ShipError, asking};
use tokio::runtime::{Builder, Runtime};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status};

/// How long the collector may take to answer a question.
pub(crate) const ANSWER: Duration = Duration::from_mins(1);

#[derive(Debug, clap::Args)]
pub(crate) struct Asked {
    /// The collector [default: the first of the configuration, otherwise that of enrolment].
    #[arg(long, value_name = "URL", value_parser = server)]
    server: Option<Server>,
    /// PEM with the authorities by which it is believed [default: those of the configuration and of enrolment, otherwise the system's].
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// What `backend api-token create` printed, where the collector asks who it is.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "TELEMCTL_API_TOKEN",
        hide_env_values = true
    )]
    api_token: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the configuration names no collector: give --server https://HOST:PORT")]
    NoServer,
    #[error("a token must not go over a network in clear: {0} is neither https nor this host")]
    Clear(String),
    #[error("the token has characters that no token has")]
    Token,
    #[error("a thread cannot be started")]
    Runtime(#[source] std::io::Error),
    #[error(transparent)]
    Ship(#[from] ShipError),
    #[error("the collector did not answer within {} s", ANSWER.as_secs())]
    Silent,
    #[error("{}", refusal(.0))]
    Refused(Box<Status>),
}

fn refusal(status: &Status) -> String {
    let message = status.message();
    // What tonic says of an answer that is no gRPC, such as a page.
    if message.contains("invalid compression flag") || message.contains("invalid content-type") {
        return "what answers there speaks no gRPC: give the address of --grpc (port 7130), the pages have another".to_owned();
    }
    match message {
        "" => format!("the collector refuses: {}", status.code()),
        message => format!("the collector refuses: {message}"),
    }
}

fn server(url: &str) -> Result<Server, String> {
    Server::parse(url).map_err(|problem| format!("{problem}: write https://HOST:PORT"))
}

impl Asked {
    /// The collector that is meant.
    pub(crate) fn server(&self, config: &Config) -> Result<Server, Failure> {
        let configured = || {
            ship::servers(&config.collector, &config.state_dir)
                .into_iter()
                .next()
        };
        self.server.clone().or_else(configured).ok_or(Failure::NoServer)
    }

    /// Connects to it.
    pub(crate) async fn connect(&self, config: &Config, server: &Server) -> Result<Channel, Failure> {
        let mut collector = config.collector.clone();
        let enrolment = if self.ca_file.is_some() {
            collector.ca_file.clone_from(&self.ca_file);
            None
        } else {
            // Whoever may not read it asks by the configuration.
            Enrolment::load(&config.state_dir).ok().flatten()
        };
        Ok(asking::connect(&collector, enrolment.as_ref(), server).await?)
    }

    /// Has a request say who asks, unless that would be in clear.
    pub(crate) fn authorize<T>(&self, server: &Server, request: &mut Request<T>) -> Result<(), Failure> {
        let Some(token) = &self.api_token else {
            return Ok(());
        };
        if !server.is_tls() && !server.is_loopback() {
            return Err(Failure::Clear(server.url().to_owned()));
        }
        let mut value: MetadataValue<Ascii> = format!("Bearer {token}")
            .parse()
            .map_err(|_not_ascii| Failure::Token)?;
        value.set_sensitive(true);
        request.metadata_mut().insert("authorization", value);
        Ok(())
    }
}

/// What requests are made in.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)
}
