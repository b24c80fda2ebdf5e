//! A PostgreSQL, a database and a collector for each test.

pub(crate) mod fetch;
pub(crate) mod python;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use backend::{
    access::{Access, Anonymous},
    admission::Agents,
    authority::AGENT_LIFE,
    embedded::{Cluster, EmbeddedError, Programs},
    http,
    ingest::Quota,
    metrics::Metrics,
    serve::{self, Config, ServeError},
    store::{Sender, Store},
    symbols::{self, Symbols},
};
use bytes::Bytes;
use prost::Message as _;
use proto::v1::{
    Batch, Custom, DeliverRequest, DeliverResponse, Hello, Host, Record, Severity,
    collector_client::CollectorClient, deliver_request::Message, query_client::QueryClient, record::Payload,
};
use rustix::process::{Pid, Signal, kill_process};
use testing::skip;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming, transport::Channel};
use tower::ServiceExt as _;
use uuid::Uuid;

/// How long a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// What clients of Clear Linux are set up with in their shipped configuration, or with another one like it.
pub(crate) const TELEMETRY_ID: &str = "6907c830-eed9-4ce9-81ae-76daf8d88f0f";

/// A private PostgreSQL. It ends, and its files go, with the last test that uses it.
pub(crate) struct Postgres {
    pub(crate) url: String,
    pub(crate) dir: PathBuf,
    stop: CancellationToken,
    /// PostgreSQL ends with the thread that started it, so it has one of its own.
    thread: Option<thread::JoinHandle<()>>,
}

static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());

impl Postgres {
    /// The cluster that tests share.
    fn shared() -> Result<Arc<Self>, EmbeddedError> {
        let mut shared = SHARED.lock().expect("no test panicked here");
        if let Some(postgres) = shared.upgrade() {
            return Ok(postgres);
        }
        let postgres = Arc::new(Self::start()?);
        *shared = Arc::downgrade(&postgres);
        Ok(postgres)
    }

    /// A cluster of a test's own.
    pub(crate) fn start() -> Result<Self, EmbeddedError> {
        let (started, url) = mpsc::channel();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            let dir = tempfile::tempdir().expect("a temporary folder");
            // The user `postgres` has to get at it where tests run as root.
            let open: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(dir.path(), open).expect("open the folder");
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                match Cluster::start(dir.path(), None).await {
                    Ok(mut cluster) => {
                        // The machine does not die in these tests, so nothing has to reach the disk.
                        let sql = connect(&cluster.url()).await;
                        sql.batch_execute("ALTER SYSTEM SET fsync = off")
                            .await
                            .expect("a superuser");
                        sql.batch_execute("SELECT pg_reload_conf()")
                            .await
                            .expect("a superuser");
                        started
                            .send(Ok((cluster.url(), dir.path().to_owned())))
                            .expect("the test waits");
                        cluster.supervise(&stopped).await;
                        cluster.stop().await;
                    }
                    Err(error) => started.send(Err(error)).expect("the test waits"),
                }
            });
        });
        let (url, dir) = url.recv().expect("the thread answers")?;
        Ok(Self {
            url,
            dir,
            stop,
            thread: Some(thread),
        })
    }

    /// Stops it for good.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Sends its server a signal. It is started again when it ends by that; one that is being started gets none.
    pub(crate) fn kill(&self, signal: Signal) {
        let pid_file = self.dir.join("postgres/data/postmaster.pid");
        let pid = std::fs::read_to_string(pid_file).ok().and_then(|text| {
            let pid = text.lines().next()?.parse().ok()?;
            Pid::from_raw(pid)
        });
        if let Some(pid) = pid {
            kill_process(pid, signal).ok();
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("PostgreSQL stops");
        }
    }
}

/// A database of one test with the schema in it.
pub(crate) struct Database {
    pub(crate) store: Store,
    pub(crate) url: String,
    pub(crate) postgres: Arc<Postgres>,
}

impl Database {
    /// None: PostgreSQL is not installed, and the test was skipped visibly.
    pub(crate) async fn new(test: &str) -> Option<Self> {
        let db = Self::empty(test).await?;
        db.store.migrate().await.expect("an empty database");
        Some(db)
    }

    /// The same without a schema.
    pub(crate) async fn empty(test: &str) -> Option<Self> {
        let postgres = installed(test, Postgres::shared())?;
        Some(Self::on(postgres).await)
    }

    /// On a cluster that this test may break.
    pub(crate) async fn alone(test: &str) -> Option<Self> {
        let postgres = installed(test, Postgres::start().map(Arc::new))?;
        let db = Self::on(postgres).await;
        db.store.migrate().await.expect("an empty database");
        Some(db)
    }

    async fn on(postgres: Arc<Postgres>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        connect(&postgres.url)
            .await
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await
            .expect("a database");
        let url = postgres.url.replace("dbname=postgres", &format!("dbname={name}"));
        let store = Store::new(&url).expect("a URL of ours");
        Self { store, url, postgres }
    }

    /// REST and pages, where strangers may do so much.
    pub(crate) fn router(&self, anonymous: Anonymous, shutdown: &CancellationToken) -> Router {
        let access = Access::new(self.store.clone(), anonymous);
        let symbols = Symbols::none(self.store.clone());
        http::router(
            self.store.clone(),
            symbols,
            access,
            Metrics::new(),
            shutdown.clone(),
        )
    }

    /// A connection past the store.
    pub(crate) async fn sql(&self) -> tokio_postgres::Client {
        connect(&self.url).await
    }

    /// The first column of the first row.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.sql().await.query_one(sql, &[]).await.expect(sql).get(0)
    }

    /// Waits until all that is stored is counted, as by a collector that goes on running.
    pub(crate) async fn counted(&self) {
        let behind = "SELECT count(*) FROM senders s
                      LEFT JOIN counted c ON c.agent_id = s.agent_id AND c.epoch = s.epoch
                      WHERE s.stored_seq > coalesce(c.seq, 0)";
        let counted = async {
            while self.count(behind).await > 0 {
                self.store.count_abandoned().await.expect("the database answers");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, counted)
            .await
            .expect("all is counted some time");
    }

    /// Every sender's books balance, and there is one.
    pub(crate) async fn assert_balanced(&self) {
        assert!(self.count("SELECT count(*) FROM books").await > 0);
        for books in ["books", "audit"] {
            let wrong = format!("SELECT count(*) FROM {books} WHERE NOT balanced");
            assert_eq!(self.count(&wrong).await, 0, "{books}");
        }
        assert_eq!(
            self.count("SELECT count(*) FROM books WHERE produced <> stored + lost")
                .await,
            0
        );
    }
}

fn installed(test: &str, postgres: Result<Arc<Postgres>, EmbeddedError>) -> Option<Arc<Postgres>> {
    match postgres {
        Ok(postgres) => Some(postgres),
        Err(error @ EmbeddedError::Missing(_)) => {
            skip(test, &error.to_string());
            None
        }
        Err(error) => panic!("PostgreSQL does not start: {}", backend::store::chain(&error)),
    }
}

/// Whether PostgreSQL is here at all; skips the test visibly where not.
pub(crate) async fn postgres_is_installed(test: &str) -> bool {
    match Programs::find(None, std::path::Path::new("/nonexistent")).await {
        Ok(_) => true,
        Err(error) => {
            skip(test, &error.to_string());
            false
        }
    }
}

/// A connection; waits for a PostgreSQL that was killed to be back.
async fn connect(url: &str) -> tokio_postgres::Client {
    let connected = async {
        loop {
            if let Ok(connected) = tokio_postgres::connect(url, tokio_postgres::NoTls).await {
                return connected;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let (client, connection) = tokio::time::timeout(PATIENCE, connected)
        .await
        .expect("PostgreSQL answers");
    tokio::spawn(connection);
    client
}

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

    /// Ends it as SIGTERM does.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.served)
            .await
            .expect("the collector drains in time")
            .expect("no panic")
            .expect("no error");
    }
}

/// What a page says; it has to be there.
pub(crate) async fn get(router: &Router, address: &str) -> String {
    let (status, text) = ask(
        router,
        Request::get(address).body(Body::empty()).expect("an address"),
    )
    .await;
    assert_eq!(status, StatusCode::OK, "{address}");
    text
}

/// The status of an answer, and its text.
pub(crate) async fn ask(router: &Router, request: Request<Body>) -> (StatusCode, String) {
    let response = router.clone().oneshot(request).await.expect("a router answers");
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 24).await.expect("a body");
    (status, String::from_utf8(body.to_vec()).expect("text"))
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

pub(crate) fn hello(sender: &Sender) -> Hello {
    Hello {
        agent_id: Bytes::copy_from_slice(sender.agent_id.as_bytes()),
        epoch: Bytes::copy_from_slice(sender.epoch.as_bytes()),
        host: Some(host()),
        agent_version: "0.1.0".to_owned(),
    }
}

pub(crate) fn host() -> Host {
    Host {
        hostname: "host\0with-nul".to_owned(),
        kernel_release: "6.1.0-test".to_owned(),
        cpus: 2,
        memory_bytes: 1 << 34,
        ..Host::default()
    }
}

pub(crate) fn sender() -> Sender {
    Sender::new(Uuid::new_v4(), Uuid::new_v4(), "6.1.0-test")
}

/// A custom record that is told from others by its payload.
pub(crate) fn record(payload: &str) -> Record {
    Record {
        occurred_at_unix_ns: 1_700_000_000_000_000_000,
        class: "custom".to_owned(),
        severity: Severity::Low.into(),
        title: "a custom record".to_owned(),
        payload: Some(Payload::Custom(Custom {
            payload: payload.to_owned(),
            ..Custom::default()
        })),
        ..Record::default()
    }
}

/// A batch of custom records whose payloads are their sequences.
pub(crate) fn batch(first_seq: u64, count: u64) -> Batch {
    let records = (first_seq..first_seq + count)
        .map(|seq| encoded(&record(&seq.to_string())))
        .collect();
    Batch { first_seq, records }
}

pub(crate) fn encoded(record: &Record) -> Bytes {
    record.encode_to_vec().into()
}
