//! Everything that is kept, in PostgreSQL. All SQL of the backend is in this module.

mod access;
mod alerts;
mod analysis;
mod check;
mod connect;
mod count;
mod deliver;
mod enrolment;
mod error;
mod expire;
mod exposure;
mod facts;
mod filter;
mod findings;
mod fixes;
mod hardware;
mod hooks;
mod hosts;
mod id;
mod inventory;
mod issues;
mod kept;
mod list;
mod losses;
mod netconsole;
mod newest;
mod once;
mod overview;
mod parts;
mod plan;
mod population;
mod retention;
mod rows;
mod rules;
mod saved;
mod simulation;
mod story;
mod sums;
mod symbols;
mod tail;
mod time;
mod token;
mod upkeep;
mod walk;
mod write;

use std::{borrow::Cow, time::Duration};

use deadpool_postgres::{Object, Pool};
use tokio::time::timeout;

pub use access::{ApiToken, AuditEntry, Person};
pub(crate) use alerts::OpenOfRule;
pub use alerts::{Alert, AlertMessage, AlertState, Silence};
pub use analysis::{Dimension, Fact, Facts, Histories, History, KnownIssue, Seen, System, Watch, Watched};
pub use check::{Condition, Held, Verdict};
pub use count::Tally;
pub use deliver::{Delivered, Message, Rejected, Sender, Stored};
pub use enrolment::{Agent, Enrolled, Standing, Token};
pub use error::{DeliverError, StoreError};
pub use facts::{Facets, FingerprintFacts, HostCount};
pub(crate) use findings::GONE_DAYS;
pub use findings::{Finding, Found};
pub use hardware::{
    DAYS as PART_DAYS, HARDWARE_DAYS, HARDWARE_WEEKS, HardwareClass, HardwareHost, PartHistory, PartHour,
    PartKey, ScoredPart,
};
pub(crate) use hooks::{HookGroup, HookSum, HookSums};
pub use hosts::Treated;
pub use issues::{
    AffectedHost, IssueChange, MergedIssue, SplitGroup, State as IssueState, state_name as issue_state_name,
    state_named as issue_state,
};
pub use kept::KEPT;
pub(crate) use list::Older;
pub use netconsole::{OpenRecord, Owner};
pub use newest::{Beats, HostBeat};
pub use overview::{HEARD_MINUTES, LOSS_DAYS, Overview};
pub use population::{Population, PopulationBy, UpdatePath};
pub use retention::{KEEP_DAYS, RetentionRule, kept_days};
pub use rules::{Preview, PreviewedIssue, PreviewedPart, Regrouped};
pub use saved::{SAVED_SEARCHES, SavedSearch};
pub use simulation::{FleetTables, LiveFleet, simulated_host};
pub use story::{Book, Boot, IssueOfHost, Story};
pub use sums::{COUNTED_DAYS, CountedBy, Counts};
pub use symbols::{SymbolFileRow, SymbolsFound, SymbolsWanted};
pub use tail::TailCursor;
pub use wire::text::chain;

/// How long the database may take to answer at all.
const PING: Duration = Duration::from_secs(5);

/// A pool of connections to the database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    config: tokio_postgres::Config,
    kept: kept::Kept,
}

impl Store {
    /// Batches that are worth writing at the same time.
    pub const WRITERS: usize = connect::WRITERS;

    /// For the database of a URL: `postgres://user@host/name`, or `host=/folder/of/socket user=... dbname=...`.
    /// Nothing is connected yet.
    pub fn new(url: &str) -> Result<Self, StoreError> {
        let config = connect::config(url)?;
        Ok(Self {
            pool: connect::pool(config.clone())?,
            config,
            kept: kept::Kept::new(Duration::ZERO),
        })
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let ping = async { Ok(self.client().await?.batch_execute("").await?) };
        timeout(PING, ping)
            .await
            .unwrap_or_else(|late| Err(StoreError::Unavailable(Box::new(late))))
    }

    /// Gives its connections up.
    pub fn close(&self) {
        self.pool.close();
    }

    async fn client(&self) -> Result<Object, StoreError> {
        Ok(self.pool.get().await?)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // tokio_postgres leaves the password out.
        f.debug_struct("Store")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Text as PostgreSQL takes it: NUL becomes U+FFFD. The encoded record keeps what was sent.
fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}").into()
    } else {
        text.into()
    }
}

/// A count as it comes from the database.
fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Whether a database answers right now.
pub(crate) async fn answers(url: &str) -> bool {
    match connect::config(url) {
        Ok(config) => connect::single(&config).await.is_ok(),
        Err(_wrong_url) => false,
    }
}
