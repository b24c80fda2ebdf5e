//! What a caller showed, for answers that go on.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::HeaderMap;
use tokio::time::sleep;

use super::{Access, Caller};
use crate::store::StoreError;

/// How often it is looked whether whoever reads a stream still may.
const LOOK: Duration = Duration::from_secs(5);

/// What somebody showed with a request. It is secret: there is no `Debug`.
#[derive(Clone)]
pub(crate) struct Credentials {
    access: Access,
    headers: HeaderMap,
    peer: Option<IpAddr>,
}

impl Credentials {
    pub(crate) fn new(access: Access, headers: HeaderMap, peer: Option<IpAddr>) -> Self {
        Self {
            access,
            headers,
            peer,
        }
    }

    /// Who it is now; `None`: nobody who may look.
    pub(super) async fn caller(&self) -> Result<Option<Caller>, StoreError> {
        self.access.caller(&self.headers, self.peer).await
    }

    /// Comes back when they are nobody any more: a token was revoked or is over, a person was removed or signed out.
    pub(crate) async fn withdrawn(self) {
        loop {
            sleep(LOOK).await;
            // Without a database it is not known; then there is nothing to read either.
            if let Ok(None) = self.caller().await {
                return;
            }
        }
    }
}
