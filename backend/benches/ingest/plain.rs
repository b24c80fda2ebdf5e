//! Plain `COPY BINARY` of rows that the collector has stored.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use bytes::{Buf as _, Bytes, BytesMut};
use futures::{SinkExt as _, TryStreamExt as _, future::try_join_all};
use tokio_postgres::{Client, NoTls};

/// Connections that copy at the same time.
const CONNECTIONS: usize = 2;
/// Rows of one commit.
const ROWS: u32 = 1000;
/// Length of the header of the format: signature, flags, length of the extension.
const HEADER: usize = 19;
/// Length of `id`, the first column. Bytes.
const ID: usize = 16;

/// A table and what is copied into it.
pub(crate) struct Plain {
    clients: Vec<Client>,
    copy: String,
    rows: BytesMut,
    /// Where the ids are in `rows`: each commit gets ids of its own.
    ids: Vec<usize>,
}

impl Plain {
    /// Makes a table like `records` and reads what to copy.
    pub(crate) async fn prepare(database: &str, table: &str, like: &str) -> Result<Self> {
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            let (client, connection) = tokio_postgres::connect(database, NoTls).await?;
            tokio::spawn(connection);
            clients.push(client);
        }
        let create = format!("CREATE TABLE {table} (LIKE records {like})");
        clients[0].batch_execute(&create).await?;
        let out = format!("COPY (SELECT * FROM records LIMIT {ROWS}) TO STDOUT (FORMAT binary)");
        let pieces: Vec<Bytes> = clients[0].copy_out(&out).await?.try_collect().await?;
        let rows = BytesMut::from(&pieces.concat()[..]);
        let ids = ids(&rows)?;
        ensure!(ids.len() == ROWS as usize, "{} rows instead of {ROWS}", ids.len());
        Ok(Self {
            clients,
            copy: format!("COPY {table} FROM STDIN (FORMAT binary)"),
            rows,
            ids,
        })
    }

    /// Copies for a while; says how many rows.
    pub(crate) async fn copy(&self, time: Duration) -> Result<u32> {
        let start = Instant::now();
        let copy = async |client: &Client| {
            let mut copied = 0;
            while start.elapsed() < time {
                let mut sink = pin!(client.copy_in::<_, Bytes>(&self.copy).await?);
                sink.send(self.fresh()).await?;
                sink.finish().await?;
                copied += ROWS;
            }
            anyhow::Ok(copied)
        };
        Ok(try_join_all(self.clients.iter().map(copy)).await?.iter().sum())
    }

    fn fresh(&self) -> Bytes {
        let mut rows = self.rows.clone();
        // Rising, as the collector's own.
        let commit = uuid::Uuid::now_v7().as_u128();
        for (place, at) in (0u128..).zip(&self.ids) {
            rows[*at..*at + ID].copy_from_slice(&(commit & !0xffff | place).to_be_bytes());
        }
        rows.freeze()
    }
}

/// Walks through the format: the number of columns, then each with its length; -1 ends the rows and stands for null.
fn ids(rows: &[u8]) -> Result<Vec<usize>> {
    let mut rest = rows.get(HEADER..).context("no header")?;
    let mut ids = Vec::new();
    while let columns @ 0.. = rest.try_get_i16()? {
        ids.push(rows.len() - rest.len() + size_of::<i32>());
        for _ in 0..columns {
            let length = usize::try_from(rest.try_get_i32()?).unwrap_or(0);
            rest = rest.get(length..).context("the rows end too early")?;
        }
    }
    Ok(ids)
}
