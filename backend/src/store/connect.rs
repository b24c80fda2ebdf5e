//! Connections to PostgreSQL and how long they may take for what.

use std::time::Duration;

use deadpool_postgres::{Hook, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio_postgres::{Client, Config, NoTls};

use super::StoreError;

/// Transactions of records at the same time. While one waits for the disk, others are written; more of them would only have
/// fewer records each, and wait for each other.
pub(super) const WRITERS: usize = 4;
/// Connections that are left for queries while all writers are busy.
const READERS: usize = 8;
/// With so many prepared statements a connection gives all of them up before its next use. The backend has some 120 of its own; the
/// others are shaped by the filters of those who ask, each takes PostgreSQL some 100 kB, and there is no end of them. Preparing
/// each for one use only would make pages that are asked for again and again three to six times as slow.
const STATEMENTS: usize = 200;
/// How long a caller waits for a free connection.
const WAIT: Duration = Duration::from_secs(5);
/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// Bounds every statement, waits for locks, and what a connection may do to others when its collector is gone:
/// a transaction that stores records is over, one way or the other, well within [`super::tail::OVERLAP`]. No statement here takes so
/// long that compiling it would pay: PostgreSQL's estimates have it compile for 30 ms what then runs for 1 ms.
const SESSION: &str = "-c statement_timeout=10s -c lock_timeout=10s -c idle_in_transaction_session_timeout=10s \
                       -c application_name=telemetrics-backend -c timezone=UTC -c jit=off -c work_mem=16MB";

/// Understands a database URL.
pub(super) fn config(url: &str) -> Result<Config, StoreError> {
    let mut config: Config = url.parse().map_err(StoreError::Url)?;
    let options = match config.get_options() {
        Some(options) => format!("{SESSION} {options}"),
        None => SESSION.to_owned(),
    };
    config
        .options(options)
        .connect_timeout(CONNECT)
        .keepalives_idle(Duration::from_secs(30))
        .tcp_user_timeout(Duration::from_secs(30));
    Ok(config)
}

/// The pool; connects when a connection is first needed.
pub(super) fn pool(config: Config) -> Result<Pool, StoreError> {
    let recycling = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    Pool::builder(Manager::from_config(config, NoTls, recycling))
        .max_size(WRITERS + READERS)
        .timeouts(Timeouts {
            wait: Some(WAIT),
            create: Some(CONNECT),
            recycle: Some(CONNECT),
        })
        .runtime(Runtime::Tokio1)
        .pre_recycle(Hook::sync_fn(|client, _| {
            if client.statement_cache.size() >= STATEMENTS {
                client.statement_cache.clear();
            }
            Ok(())
        }))
        .build()
        .map_err(StoreError::Pool)
}

/// A connection of its own, for work that may take long. It ends when the client is dropped.
pub(super) async fn single(config: &Config) -> Result<Client, StoreError> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            // The client's own calls fail with it too, and their caller handles it.
            tracing::debug!(%error, "a database connection ended");
        }
    });
    client
        .batch_execute("SET statement_timeout = 0; SET lock_timeout = 0")
        .await?;
    Ok(client)
}
