//! Debug files: taken in by build id, and read for the stacks of stored records.
//!
//! The files are in one folder ([`Files`]), under the SHA-256 of their bytes, and the index is a table; so several collectors
//! can share both. Nothing in a file is trusted: it is read by a process of its own ([`worker`]) with little memory and time,
//! which is started for each question.

mod answers;
mod ask;
mod files;
mod resolve;
pub mod service;
pub mod worker;

use std::{io, path::PathBuf, sync::Arc};

use faults::symbols::BuildId;
use tokio::sync::Semaphore;

use answers::Answers;
pub use ask::AskError;
use ask::Asker;
use files::{Files, Incoming};
pub use service::SymbolsService;

use crate::store::{Store, StoreError};

/// Bytes of one file: those of Debian's kernels have some 700 MB.
pub const FILE_BYTES: u64 = 2 << 30;
/// Files that are taken in at the same time.
const UPLOADS: usize = 2;

/// Where debug files are kept.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder.
    pub dir: PathBuf,
    /// Bytes of all files together, as the index counts them. Files that come at the same time can go beyond it by their own size.
    pub quota_bytes: u64,
    /// The program that reads them: `backend`, whose hidden command `read-symbols` is [`worker::run`].
    pub program: PathBuf,
}

/// Why a file was not taken in or a stack not resolved.
#[derive(Debug, thiserror::Error)]
pub enum SymbolsError {
    /// No folder is named.
    #[error("this collector keeps no debug files: start `backend serve` with --symbols DIR")]
    NotKept,
    /// The folder.
    #[error("the folder of debug files: {what} {}", path.display())]
    Folder {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The file is not what was said, or of no use.
    #[error("{0}")]
    Refused(String),
    /// There is no room for it.
    #[error(
        "there is no room for {bytes} bytes: {used} of {quota} are used. Raise --symbols-quota-gib, or delete files and their \
         rows in symbol_files"
    )]
    Full {
        /// Of the file.
        bytes: u64,
        /// Of all files that are there.
        used: u64,
        /// That may be used.
        quota: u64,
    },
    /// The process that reads files.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Debug files and what is known of them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Symbols {
    store: Store,
    kept: Option<Arc<Kept>>,
}

#[derive(Debug)]
struct Kept {
    files: Files,
    quota_bytes: u64,
    asker: Asker,
    answers: Answers,
    uploads: Semaphore,
}

impl Symbols {
    /// None are kept.
    pub const fn none(store: Store) -> Self {
        Self { store, kept: None }
    }

    /// Makes the folder when it is not there, and removes what uploads left that were cut off. Without `config` nothing is kept.
    pub async fn open(store: Store, config: Option<Config>) -> Result<Self, SymbolsError> {
        let kept = match config {
            Some(config) => Some(Arc::new(Kept {
                files: Files::open(config.dir).await?,
                quota_bytes: config.quota_bytes,
                asker: Asker::new(config.program),
                answers: Answers::default(),
                uploads: Semaphore::new(UPLOADS),
            })),
            None => None,
        };
        Ok(Self { store, kept })
    }

    fn kept(&self) -> Result<&Kept, SymbolsError> {
        self.kept.as_deref().ok_or(SymbolsError::NotKept)
    }
}

/// A build id as it is written here, or why it is none.
fn build_id(text: &str) -> Result<BuildId, SymbolsError> {
    text.parse()
        .map_err(|error: faults::symbols::BadBuildId| SymbolsError::Refused(error.to_string()))
}

fn sha256(bytes: &[u8]) -> Result<[u8; 32], SymbolsError> {
    bytes
        .try_into()
        .map_err(|_length| SymbolsError::Refused("sha256 has 32 bytes".to_owned()))
}
