//! Records as files: CSV, JSON Lines and Parquet, of any size.
//!
//! Records are read from the store a page after the other, encoded, and handed on before the next page is read: the memory that
//! it takes depends on neither how many there are nor how fast the reader is, and no transaction stays open meanwhile.
//! Records that arrive while an export runs are not in it.
//!
//! | format | what is in it |
//! | --- | --- |
//! | CSV | the columns of [`columns`], as RFC 4180 has it; what a spreadsheet would take for a formula is made text |
//! | JSON Lines | each record whole, in the JSON form of the REST API, a line each |
//! | Parquet | the columns of [`columns`] with their types, compressed with zstd |

pub mod columns;
mod csv;
mod parquet;

use bytes::Bytes;
use proto::v1::{Fault, FaultFilter};
use tokio::sync::mpsc;

use crate::{
    http::json::ToJson as _,
    store::{Older, Store, StoreError},
};

/// Records that are read at once: a few megabytes, 50 MiB where each is as long as a record may be.
const PAGE: u32 = 200;

/// What an export looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Comma-separated values.
    Csv,
    /// A JSON object a line.
    #[value(alias = "json")]
    Jsonl,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Csv, Self::Jsonl, Self::Parquet];

    /// Its name, which is also what its files end with.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Parquet => "parquet",
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Jsonl => "application/jsonl",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Parquet refused a value: a defect.
    #[error("the records could not be written as Parquet")]
    Parquet(#[from] ::parquet::errors::ParquetError),
    /// Whoever wanted it is gone.
    #[error("nobody reads the export any more")]
    Gone,
}

/// Writes all matching records, newest first, in pieces that belong behind each other; answers how many there were.
pub async fn export(
    store: &Store,
    filter: &FaultFilter,
    format: Format,
    pieces: &mpsc::Sender<Bytes>,
) -> Result<u64, ExportError> {
    let mut encoder = Encoder::new(format)?;
    let (mut after, mut count) = (None, 0);
    loop {
        let Older { faults, next } = store.older_faults(filter, after, PAGE).await?;
        count += faults.len() as u64;
        encoder.add(&faults)?;
        send(encoder.take(), pieces).await?;
        if next.is_none() {
            break;
        }
        after = next;
    }
    send(encoder.finish()?, pieces).await?;
    Ok(count)
}

async fn send(piece: Vec<u8>, pieces: &mpsc::Sender<Bytes>) -> Result<(), ExportError> {
    if piece.is_empty() {
        return Ok(());
    }
    pieces
        .send(piece.into())
        .await
        .map_err(|_closed| ExportError::Gone)
}

/// Turns records into bytes.
enum Encoder {
    Csv(Box<csv::Encoder>),
    JsonLines(Vec<u8>),
    Parquet(Box<parquet::Encoder>),
}

impl Encoder {
    fn new(format: Format) -> Result<Self, ExportError> {
        Ok(match format {
            Format::Csv => Self::Csv(Box::new(csv::Encoder::new())),
            Format::Jsonl => Self::JsonLines(Vec::new()),
            Format::Parquet => Self::Parquet(Box::new(parquet::Encoder::new()?)),
        })
    }

    fn add(&mut self, faults: &[Fault]) -> Result<(), ExportError> {
        match self {
            Self::Csv(encoder) => encoder.add(faults),
            Self::JsonLines(lines) => {
                for fault in faults {
                    lines.extend_from_slice(fault.to_json().to_string().as_bytes());
                    lines.push(b'\n');
                }
            }
            Self::Parquet(encoder) => encoder.add(faults)?,
        }
        Ok(())
    }

    /// What can be handed on already.
    fn take(&mut self) -> Vec<u8> {
        match self {
            Self::Csv(encoder) => encoder.take(),
            Self::JsonLines(lines) => std::mem::take(lines),
            Self::Parquet(encoder) => encoder.take(),
        }
    }

    /// The rest.
    fn finish(mut self) -> Result<Vec<u8>, ExportError> {
        match self {
            Self::Parquet(encoder) => encoder.finish(),
            _ => Ok(self.take()),
        }
    }
}
