//! `backend export`: records as a file.

use std::path::PathBuf;

use anyhow::Context as _;
use backend::export::{Format, export};
use bytes::Bytes;
use clap::Args;
use proto::v1::FaultFilter;
use tokio::{
    fs::File,
    io::{self, AsyncWrite, AsyncWriteExt as _},
    sync::mpsc,
};

use super::{Opened, Target};

/// Pieces that wait to be written.
const PIECES: usize = 2;

/// Records as a file.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Which records, in the language of docs/filter.md: 'class:kernel.* after:-7d'. Default: all faults.
    #[arg(value_name = "FILTER", default_value = "")]
    filter: String,
    /// What the file is.
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// Where to. Default: standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

/// Runs `backend export`.
pub(crate) async fn export_records(options: Export) -> anyhow::Result<()> {
    let opened = Opened::open(&options.target).await?;
    let filter = FaultFilter {
        query: options.filter,
        ..FaultFilter::default()
    };
    let (pieces, received) = mpsc::channel(PIECES);
    let read = async {
        let count = export(&opened.store, &filter, options.format, &pieces).await;
        drop(pieces);
        count
    };
    let written = async {
        match &options.output {
            Some(path) => {
                let context = || format!("write {}", path.display());
                let file = File::create(path).await.with_context(context)?;
                write(file, received).await.with_context(context)
            }
            None => write(io::stdout(), received).await.context("write to stdout"),
        }
    };
    let (count, written) = futures::join!(read, written);
    // Where writing failed, that is why nobody reads the export any more.
    written?;
    tracing::info!(records = count?, "exported");
    Ok(())
}

async fn write(mut to: impl AsyncWrite + Unpin, mut pieces: mpsc::Receiver<Bytes>) -> io::Result<()> {
    while let Some(piece) = pieces.recv().await {
        to.write_all(&piece).await?;
    }
    to.flush().await
}
