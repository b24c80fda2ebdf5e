//! A collector, and a stream to it.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use backend::{
    access::Anonymous,
    admission::Agents,
    authority::AGENT_LIFE,
    ingest::Quota,
    serve::{self, Config, ServeError},
    store::Sender,
    symbols,
};
use proto::v1::{
    Batch, DeliverRequest, DeliverResponse, collector_client::CollectorClient, deliver_request::Message,
    query_client::QueryClient,
};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming, transport::Channel};

use super::{Database, PATIENCE, TELEMETRY_ID, hello};

/// A whole collector on a database.
pub(crate) struct Collector {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) netconsole: SocketAddr,
    shutdown: CancellationToken,
    served: JoinHandle<Result<(), ServeError>>,
}

impl Collector {
    pub(crate) async fn start(database: &Database) -> Self {
        Self::with(database, Quota::default(), Anonymous::Admin).await
    }

    /// One that leaves the schema alone.
    pub(crate) async fn by(url: &str) -> Self {
        Self::run(url, false, Quota::default(), Anonymous::Admin).await
    }

    pub(crate) async fn with(database: &Database, quota: Quota, anonymous: Anonymous) -> Self {
        Self::run(&database.url, true, quota, anonymous).await
    }

    /// One that keeps debug files.
    pub(crate) async fn with_symbols(
        database: &Database,
        symbols: symbols::Config,
        anonymous: Anonymous,
    ) -> Self {
        let config = Self::config(&database.url, true, Quota::default(), anonymous);
        let symbols = Some(symbols);
        Self::serve(Config { symbols, ..config }).await
    }

    async fn run(url: &str, migrate: bool, quota: Quota, anonymous: Anonymous) -> Self {
        Self::serve(Self::config(url, migrate, quota, anonymous)).await
    }

    fn config(url: &str, migrate: bool, quota: Quota, anonymous: Anonymous) -> Config {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Config {
            database: Some(url.to_owned()),
            migrate,
            data_dir: PathBuf::new(),
            postgres_bin: None,
            grpc: any,
            tls: None,
            agents: Agents::Any,
            certificate_life: AGENT_LIFE,
            anonymous,
            alerts: None,
            http: any,
            netconsole: Some(any),
            old_clients: Some(TELEMETRY_ID.to_owned()),
            quota,
            total_quota: Quota::NONE,
            symbols: None,
            address_file: None,
        }
    }

    async fn serve(config: Config) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = dir.path().join("addresses.json");
        let config = Config {
            address_file: Some(file.clone()),
            ..config
        };
        let shutdown = CancellationToken::new();
        let served = tokio::spawn(serve::run(config, shutdown.clone()));
        let addresses: serde_json::Value = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Ok(text) = std::fs::read(&file) {
                    return serde_json::from_slice(&text).expect("JSON");
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .expect("the collector listens");
        let address = |of: &str| {
            let text = addresses[of].as_str().expect("an address");
            text.parse().expect("an address")
        };
        Self {
            grpc: address("grpc"),
            http: address("http"),
            netconsole: address("netconsole"),
            shutdown,
            served,
        }
    }

    pub(crate) async fn channel(&self) -> Channel {
        let url = format!("http://{}", self.grpc);
        Channel::from_shared(url)
            .expect("a URL")
            .connect()
            .await
            .expect("the collector answers")
    }

    pub(crate) async fn query(&self) -> QueryClient<Channel> {
        QueryClient::new(self.channel().await)
    }

    /// Tells it to end, as SIGTERM does.
    pub(crate) fn end(&self) {
        self.shutdown.cancel();
    }

    /// Ends it.
    pub(crate) async fn stop(self) {
        self.end();
        tokio::time::timeout(PATIENCE, self.served)
            .await
            .expect("the collector drains in time")
            .expect("no panic")
            .expect("no error");
    }
}

/// An open Deliver stream.
pub(crate) struct Stream {
    up: tokio::sync::mpsc::Sender<DeliverRequest>,
    down: Streaming<DeliverResponse>,
}

impl Stream {
    pub(crate) async fn open(channel: Channel) -> Self {
        Self::try_open(channel).await.expect("a stream")
    }

    /// None: the collector is gone.
    pub(crate) async fn try_open(channel: Channel) -> Option<Self> {
        let (up, requests) = tokio::sync::mpsc::channel(16);
        let mut client = CollectorClient::new(channel).max_encoding_message_size(usize::MAX);
        let down = client
            .deliver(ReceiverStream::new(requests))
            .await
            .ok()?
            .into_inner();
        Some(Self { up, down })
    }

    /// Sends a message; gives the answer.
    pub(crate) async fn say(&mut self, message: Option<Message>) -> Result<u64, Status> {
        self.send(message).await;
        self.answer().await
    }

    pub(crate) async fn send(&mut self, message: Option<Message>) {
        // A stream that the collector has ended takes nothing; its status says why.
        self.up.send(DeliverRequest { message }).await.ok();
    }

    pub(crate) async fn answer(&mut self) -> Result<u64, Status> {
        let answer = tokio::time::timeout(PATIENCE, self.down.message())
            .await
            .expect("an answer in time")?;
        Ok(answer.expect("an answer, not the end").stored_seq)
    }

    pub(crate) async fn hello(&mut self, sender: &Sender) -> Result<u64, Status> {
        self.say(Some(Message::Hello(hello(sender)))).await
    }

    pub(crate) async fn batch(&mut self, batch: Batch) -> Result<u64, Status> {
        self.say(Some(Message::Batch(batch))).await
    }
}
