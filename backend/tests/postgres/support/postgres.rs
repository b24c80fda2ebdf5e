//! A PostgreSQL that tests share, and a database of each.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use axum::Router;
use backend::{
    access::{Access, Anonymous},
    embedded::{Cluster, EmbeddedError, Programs},
    http::{self, Started},
    metrics::Metrics,
    store::{Sender, Store},
    symbols::Symbols,
};
use proto::v1::{Batch, Record};
use rustix::process::{Pid, Signal, kill_process};
use testing::skip;
use tokio_util::sync::CancellationToken;

use super::{PATIENCE, encoded, host, sender};

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
        self.router_with(Started::default(), anonymous, shutdown)
    }

    /// The same of a collector that was started so.
    pub(crate) fn router_with(
        &self,
        started: Started,
        anonymous: Anonymous,
        shutdown: &CancellationToken,
    ) -> Router {
        let access = Access::new(self.store.clone(), anonymous);
        let symbols = Symbols::none(self.store.clone());
        http::router(
            self.store.clone(),
            symbols,
            access,
            Metrics::new(),
            started,
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

    /// Stores the first records of a host that has said hello.
    pub(crate) async fn deliver(&self, sender: &Sender, records: &[Record]) {
        let batch = Batch {
            first_seq: 1,
            records: records.iter().map(encoded).collect(),
        };
        self.store.deliver(sender, batch).await.expect("good records");
    }

    /// Stores records of a new host.
    pub(crate) async fn tell(&self, records: &[Record]) -> Sender {
        let sender = sender();
        self.store
            .hello(&sender, &host(), "1")
            .await
            .expect("the database answers");
        self.deliver(&sender, records).await;
        sender
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
