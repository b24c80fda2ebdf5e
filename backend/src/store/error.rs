//! What can go wrong in the store.

use std::{error::Error as StdError, sync::Arc};

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

/// A failed operation of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is away or overloaded; the same call may work later.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// The database has no room left; the same call may work later.
    #[error("the database is full")]
    Full(#[source] tokio_postgres::Error),
    /// The database refused a connection or a statement: a wrong URL, missing rights, or a defect.
    #[error("the database refused")]
    Database(#[source] tokio_postgres::Error),
    /// Migrating the schema failed.
    #[error("the schema could not be migrated")]
    Migration(#[source] Box<refinery::Error>),
    /// The schema is older than this program.
    #[error(
        "the schema of the database is version {found}, {needed} is needed: its owner's `backend migrate`, or `backend \
         serve` without --no-migrate, brings it up to date"
    )]
    OldSchema {
        /// Its version; 0: there is none.
        found: i32,
        /// The latest that this program has.
        needed: i32,
    },
    /// The database URL is wrong.
    #[error("the database URL is not understood, write it like postgres://USER@HOST/DATABASE")]
    Url(#[source] tokio_postgres::Error),
    /// The pool of connections could not be made.
    #[error("the pool of connections could not be made")]
    Pool(#[source] deadpool_postgres::BuildError),
    /// A page token that this store has not made, or has made for another filter.
    #[error("this page token is none of ours, or belongs to another filter")]
    InvalidPageToken,
    /// A text that is the id of no issue.
    #[error("the id of an issue has 32 hexadecimal digits")]
    InvalidIssueId,
    /// A value of a filter breaks its limit.
    #[error("filter: {0}")]
    InvalidFilter(String),
    /// A change of an issue that cannot be made.
    #[error("{0}")]
    InvalidChange(String),
    /// `page_size` is too large.
    #[error("page_size is at most {}", proto::limits::PAGE_SIZE)]
    InvalidPageSize,
}

/// A batch or a gap that was not stored.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// It breaks a limit; it must not be sent again unchanged.
    #[error("{0}")]
    Invalid(String),
    /// It starts past the next sequence.
    #[error("it starts at sequence {first_seq}, but everything is stored up to {stored_seq} only")]
    Ahead {
        /// Where it starts.
        first_seq: i64,
        /// Up to where everything is stored.
        stored_seq: i64,
    },
    /// The sender is not known to the database (any more): it has to say Hello again.
    #[error("the sender is not known: say Hello first")]
    UnknownSender,
    /// The store failed. What it failed with is shared by all messages of the transaction.
    #[error(transparent)]
    Store(Arc<StoreError>),
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(code) = error.code() else {
            // No SQLSTATE: the connection broke, or a value could not be converted. Only the second is our defect.
            return if error.is_closed() || has_io_source(&error) {
                Self::Unavailable(Box::new(error))
            } else {
                Self::Database(error)
            };
        };
        // Classes 08 (connection), 53 (resources), 57 (operator intervention: shutdown, crash, time-out); a standby
        // that has not taken over yet; locks and idle transactions that timed out.
        if *code == SqlState::DISK_FULL {
            Self::Full(error)
        } else if ["08", "53", "57"].contains(&&code.code()[..2])
            || [
                SqlState::READ_ONLY_SQL_TRANSACTION,
                SqlState::LOCK_NOT_AVAILABLE,
                SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
                SqlState::T_R_SERIALIZATION_FAILURE,
                SqlState::T_R_DEADLOCK_DETECTED,
            ]
            .contains(code)
        {
            Self::Unavailable(Box::new(error))
        } else {
            Self::Database(error)
        }
    }
}

impl From<PoolError> for StoreError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => error.into(),
            other => Self::Unavailable(Box::new(other)),
        }
    }
}

impl From<tokio_postgres::Error> for DeliverError {
    fn from(error: tokio_postgres::Error) -> Self {
        StoreError::from(error).into()
    }
}

impl From<StoreError> for DeliverError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl StoreError {
    /// Whether the transaction lost against another one and will work when it is repeated at once.
    pub(super) fn is_conflict(&self) -> bool {
        let Self::Unavailable(source) = self else {
            return false;
        };
        let code = source
            .downcast_ref::<tokio_postgres::Error>()
            .and_then(tokio_postgres::Error::code);
        code.is_some_and(|code| {
            [
                SqlState::T_R_SERIALIZATION_FAILURE,
                SqlState::T_R_DEADLOCK_DETECTED,
            ]
            .contains(code)
        })
    }

    /// Whether one statement took too long; others may not.
    pub(crate) fn is_timeout(&self) -> bool {
        let Self::Unavailable(source) = self else {
            return false;
        };
        let error = source.downcast_ref::<tokio_postgres::Error>();
        error.and_then(tokio_postgres::Error::code) == Some(&SqlState::QUERY_CANCELED)
    }

    /// Whether the same call may work later.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Full(_))
    }

    /// Whether this user of the database may not do it.
    pub(crate) fn is_denied(&self) -> bool {
        matches!(self, Self::Database(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE))
    }

    /// Whether it is a value that the database refuses: the same rows would be refused again, others would not.
    /// SQLSTATE classes 22 (data exception), 23 (a constraint), 54 (a limit of the database).
    pub(crate) fn is_of_data(&self) -> bool {
        match self {
            Self::Database(error) => error
                .code()
                .is_some_and(|code| ["22", "23", "54"].contains(&&code.code()[..2])),
            _ => false,
        }
    }
}

fn has_io_source(error: &tokio_postgres::Error) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        if error.is::<std::io::Error>() {
            return true;
        }
        source = error.source();
    }
    false
}
