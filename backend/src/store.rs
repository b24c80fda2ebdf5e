//! Everything that is kept, in PostgreSQL. All SQL of the backend is in this module.

mod error;
mod facts;

use std::time::Duration;

use proto::v1::{Fault, FaultFilter, ListFaultsResponse};
use uuid::Uuid;

pub use error::StoreError;
pub use facts::{Facets, FingerprintFacts, HostCount};

/// A pool of connections to the database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {}

/// Where a tail has got to. Opaque; starts with [`Store::tail`].
#[derive(Clone, Debug)]
pub struct TailCursor {}

impl Store {
    /// How often a tail should ask for more.
    pub const TAIL_POLL: Duration = Duration::from_millis(500);

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        std::future::ready(Err(StoreError::InvalidPageToken)).await
    }

    /// Records that match, newest first. `page_size` 0 means 50; kernel report texts are left out.
    pub async fn list_faults(
        &self,
        _filter: &FaultFilter,
        _page_size: u32,
        _page_token: &str,
    ) -> Result<ListFaultsResponse, StoreError> {
        std::future::ready(Err(StoreError::InvalidPageToken)).await
    }

    /// One record, whole.
    pub async fn get_fault(&self, _id: Uuid) -> Result<Option<Fault>, StoreError> {
        std::future::ready(Err(StoreError::InvalidPageToken)).await
    }

    /// A cursor behind everything that is stored at this moment.
    pub async fn tail(&self) -> Result<TailCursor, StoreError> {
        std::future::ready(Err(StoreError::InvalidPageToken)).await
    }

    /// Up to `limit` matching records that were stored since the cursor was last used, oldest first; moves the cursor.
    /// No record is missed, however late its transaction commits, and none comes twice.
    pub async fn faults_after(
        &self,
        _cursor: &mut TailCursor,
        _filter: &FaultFilter,
        _limit: u32,
    ) -> Result<Vec<Fault>, StoreError> {
        std::future::ready(Err(StoreError::InvalidPageToken)).await
    }

    /// The values that the list can be filtered by.
    pub async fn facets(&self) -> Result<Facets, StoreError> {
        std::future::ready(Err(StoreError::InvalidPageToken)).await
    }

    /// What is known about all records with this fingerprint (32 hexadecimal digits, of any level).
    pub async fn fingerprint_facts(
        &self,
        _fingerprint: &str,
    ) -> Result<Option<FingerprintFacts>, StoreError> {
        std::future::ready(Err(StoreError::InvalidPageToken)).await
    }
}
