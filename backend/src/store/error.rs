//! What can go wrong in the store.

/// A failed operation of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is away or overloaded; the same call may work later.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database refused a statement: a defect of this program or of the schema.
    #[error("the database refused a statement")]
    Database(#[source] tokio_postgres::Error),
    /// A page token that this store has not made, or has made for another filter.
    #[error("this page token is none of ours, or belongs to another filter")]
    InvalidPageToken,
    /// A value of a filter breaks its limit.
    #[error("filter: {0}")]
    InvalidFilter(String),
    /// `page_size` is too large.
    #[error("page_size is at most {}", proto::limits::PAGE_SIZE)]
    InvalidPageSize,
}
