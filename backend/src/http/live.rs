//! New faults, as they are stored, for the list that is open in a browser.
//!
//! Server-sent events: `fault` carries a rendered row and the fault's id; `reload` says that more has come than a page
//! holds. `after` (or `Last-Event-ID`, after a broken connection) names the newest fault that the browser shows, so that
//! nothing is missed between the page and the stream.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use askama::Template as _;
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::{Extensions, HeaderMap};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt as _};
use proto::v1::{Fault, FaultFilter};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::error::{PageError, Refusal};
use super::view::{Row, RowTemplate};
use super::{App, pages, query};
use crate::access::Credentials;
use crate::store::{Older, Store, StoreError, TailCursor, chain};

/// Streams that may be open at a time; each asks the store twice a second.
pub(super) const STREAMS: usize = 64;
/// Faults that are read from the store at once, and that a reconnecting browser is sent at most.
const BATCH: u32 = 100;

/// `GET /live`.
pub(super) async fn stream(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    extensions: Extensions,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, PageError> {
    let (request, after) = query::parse_with(&raw.unwrap_or_default(), Some("after"))?;
    let resumed = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok())
        .map(ToOwned::to_owned);
    let after = resumed.or(after).map(|id| pages::fault_id(&id)).transpose()?;
    let permit = Arc::clone(&app.live_streams)
        .try_acquire_owned()
        .map_err(|_none_left| Refusal::Busy)?;
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map(|ConnectInfo(address)| address.ip());
    let withdrawn = Credentials::new(app.access.clone(), headers, peer).withdrawn();
    let tail = Tail::open(app, request.filter.unwrap_or_default(), after, permit).await?;
    let events = futures::stream::unfold(tail, async |mut tail| {
        tail.next().await.map(|event| (Ok(event), tail))
    });
    Ok(Sse::new(events.take_until(Box::pin(withdrawn))).keep_alive(KeepAlive::default()))
}

/// One open stream.
#[derive(Debug)]
struct Tail {
    app: App,
    filter: FaultFilter,
    cursor: TailCursor,
    pending: VecDeque<Fault>,
    /// What came between the page and the cursor: it may be behind the cursor too.
    backlog: Vec<String>,
    reload: bool,
    _permit: OwnedSemaphorePermit,
}

impl Tail {
    async fn open(
        app: App,
        filter: FaultFilter,
        after: Option<Uuid>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Self, Refusal> {
        // The cursor first: what is stored between the two steps then comes twice, not never.
        let cursor = app.store.tail().await?;
        let missed = match after {
            Some(after) => missed(&app.store, &filter, after).await?,
            None => Some(VecDeque::new()),
        };
        let reload = missed.is_none();
        let pending = missed.unwrap_or_default();
        let backlog = pending.iter().map(|fault| fault.id.clone()).collect();
        let mut tail = Self {
            app,
            filter,
            cursor,
            pending,
            backlog,
            reload,
            _permit: permit,
        };
        // A filter that cannot be asked for is refused now, and not when the stream is open.
        tail.read().await?;
        Ok(tail)
    }

    /// The next event; `None` ends the stream, and the browser connects again.
    async fn next(&mut self) -> Option<Event> {
        if std::mem::take(&mut self.reload) {
            return Some(Event::default().event("reload").data("more than a page"));
        }
        loop {
            if let Some(fault) = self.pending.pop_front() {
                return self.event(&fault);
            }
            tokio::select! {
                () = self.app.shutdown.cancelled() => return None,
                () = tokio::time::sleep(Store::TAIL_POLL) => {}
            }
            if let Err(error) = self.read().await {
                tracing::warn!(error = %chain(&error), "a live stream was ended");
                return None;
            }
        }
    }

    async fn read(&mut self) -> Result<(), StoreError> {
        let store = &self.app.store;
        let faults = store.faults_after(&mut self.cursor, &self.filter, BATCH).await?;
        let new = faults
            .into_iter()
            .filter(|fault| !self.backlog.contains(&fault.id));
        self.pending.extend(new);
        Ok(())
    }

    fn event(&self, fault: &Fault) -> Option<Event> {
        let row = RowTemplate {
            row: Row::new(fault, (self.app.now)()),
        };
        match row.render() {
            Ok(html) => Some(Event::default().event("fault").id(&fault.id).data(html)),
            Err(error) => {
                tracing::error!(%error, "a row could not be rendered");
                None
            }
        }
    }
}

/// Faults newer than `after`, oldest first; `None` when there are more than [`BATCH`].
async fn missed(
    store: &Store,
    filter: &FaultFilter,
    after: Uuid,
) -> Result<Option<VecDeque<Fault>>, Refusal> {
    let Older { faults, next } = store.older_faults(filter, None, BATCH).await?;
    if next.is_some_and(|next| next > after) {
        return Ok(None);
    }
    let newer = |fault: &Fault| Uuid::try_parse(&fault.id).is_ok_and(|id| id > after);
    let missed: VecDeque<Fault> = faults.into_iter().take_while(newer).collect();
    Ok(Some(missed.into_iter().rev().collect()))
}
