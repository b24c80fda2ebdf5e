//! What was heard, on its way into the store.
//!
//! A report waits for [`PATIENCE`]: a host that lives tells it by itself, better, and then it is not stored. A host that
//! died tells it after its next start, or never; so what was stored is compared with what the host says later, and goes
//! when it says the same.

use std::collections::{HashSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use faults::{Class, Severity};
use proto::v1::{Hook, Loss, LossReason, Record, record::Payload};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use uuid::Uuid;

use super::packet::Token;
use super::receiver::{Claim, Heard, Lost, Report};
use super::same::{is_same, untold_panic};
use crate::metrics::Metrics;
use crate::store::{DeliverError, Owner, Store, StoreError, chain};

/// How long a host is given to tell a fault by itself: an agent ships within a second or two.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Things that wait; what comes when there are more is counted in the metrics only.
pub const WAITING: usize = 1024;
/// Hosts that no agent has told of, since the start: senders can be made up, and each would be a host for ever.
const STRANGERS: usize = 256;
/// How soon it is tried again while the database is away.
const RETRY: Duration = Duration::from_secs(2);
/// How often records are compared with what their hosts have said since, and claims of unknown tokens looked at again.
const SETTLE: Duration = Duration::from_secs(15);
/// How long storing may take at the end.
const DRAIN: Duration = Duration::from_secs(5);
/// What hosts' records by netconsole name as their hook.
const HOOK: &str = "netconsole";
/// Claims that no agent has confirmed yet.
const CLAIMS: usize = 256;

/// Something heard, and when.
#[derive(Debug)]
pub struct Note {
    /// What.
    pub heard: Heard,
    /// When, nanoseconds since the Unix epoch.
    pub at_unix_ns: u64,
}

/// Stores what was heard.
#[derive(Debug)]
pub struct Keeper {
    store: Store,
    metrics: Metrics,
    /// Of this start of the collector: sequences of its records are told apart by it.
    epoch: Uuid,
    waiting: VecDeque<(Instant, Note)>,
    claims: VecDeque<(Claim, u64)>,
    strangers: HashSet<IpAddr>,
    /// There were more of them, and the log says so.
    is_crowded: bool,
}

impl Keeper {
    /// A keeper with an epoch of its own.
    pub fn new(store: Store, metrics: Metrics) -> Self {
        Self {
            store,
            metrics,
            epoch: Uuid::new_v4(),
            waiting: VecDeque::new(),
            claims: VecDeque::new(),
            strangers: HashSet::new(),
            is_crowded: false,
        }
    }

    /// Stores what comes until nothing can come any more.
    pub async fn run(mut self, mut notes: mpsc::Receiver<Note>) {
        let mut settle = interval(SETTLE);
        settle.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut not_before = Instant::now();
        loop {
            let due = self
                .waiting
                .front()
                .map_or(not_before, |(due, _)| not_before.max(*due));
            tokio::select! {
                note = notes.recv() => match note {
                    Some(note) => self.take(note),
                    None => break,
                },
                () = sleep_until(due), if !self.waiting.is_empty() => {
                    if !self.keep_next().await {
                        not_before = Instant::now() + RETRY;
                    }
                }
                _ = settle.tick() => self.settle().await,
            }
        }
        let rest = async { while !self.waiting.is_empty() && self.keep_next().await {} };
        let in_time = timeout(DRAIN, rest).await.is_ok();
        if !in_time || !self.waiting.is_empty() {
            tracing::error!(
                reports = self.waiting.len(),
                "what netconsole told last could not be stored"
            );
            self.metrics.netconsole_dropped(self.waiting.len() as u64);
        }
    }

    fn take(&mut self, note: Note) {
        if let Heard::Claim(claim) = note.heard {
            if self.claims.len() == CLAIMS {
                self.claims.pop_front();
            }
            self.claims.push_back((claim, note.at_unix_ns));
            return;
        }
        if self.waiting.len() == WAITING {
            self.metrics.netconsole_dropped(1);
            return;
        }
        self.waiting.push_back((Instant::now() + PATIENCE, note));
    }

    /// Stores what has waited longest. False: the database is away, and it waits on.
    async fn keep_next(&mut self) -> bool {
        let Some((due, note)) = self.waiting.pop_front() else {
            return true;
        };
        let kept = match &note.heard {
            Heard::Report(report) => self.report(report, note.at_unix_ns).await,
            Heard::Lost(lost) => self.lost(lost, note.at_unix_ns).await,
            Heard::Claim(_) => Ok(()),
        };
        match kept {
            Ok(()) => true,
            Err(DeliverError::Store(error)) if error.may_pass() => {
                tracing::warn!(error = %chain(&*error), "what netconsole told waits for the database");
                self.waiting.push_front((due, note));
                false
            }
            Err(error) => {
                tracing::error!(error = %chain(&error), "what netconsole told could not be stored");
                self.metrics.netconsole_dropped(1);
                true
            }
        }
    }

    /// Stores a report, unless its host has told it.
    async fn report(&mut self, report: &Report, at_unix_ns: u64) -> Result<(), DeliverError> {
        let source = report.from.ip();
        let told = &report.told;
        let happened_unix_ns = at_unix_ns.saturating_sub(told.age_us.saturating_mul(1000));
        let booted_unix_ns = told.since_boot_us.map_or(0, |since| {
            happened_unix_ns.saturating_sub(since.saturating_mul(1000))
        });
        let token = told.token.as_ref().map(Token::as_str);
        let owner = self.store.netconsole_owner(source, token, booted_unix_ns).await?;
        let mut text = told.text.clone();
        let mut parsed = report.report.clone();
        loop {
            let record = Record {
                occurred_at_unix_ns: happened_unix_ns
                    .saturating_add(text.first_at_us.saturating_sub(told.text.first_at_us) * 1000),
                since_boot_ns: told
                    .since_boot_us
                    .map_or(0, |_told| text.first_at_us.saturating_mul(1000)),
                kernel_release: release(report, &owner),
                ..of(&owner, wire::kernel_report(&parsed, &text.text, text.truncated))
            };
            let candidates = self
                .store
                .told_by_agent(owner.agent_id, &record.class, at_unix_ns)
                .await?;
            let Some(same) = candidates.iter().find(|candidate| is_same(&record, candidate)) else {
                return self.keep(&owner, source, &record).await;
            };
            let panic =
                untold_panic(&text, same).and_then(|panic| Some((faults::parse(&panic.text)?, panic)));
            let Some(untold) = panic else {
                self.metrics.netconsole_joined();
                return Ok(());
            };
            (parsed, text) = untold;
        }
    }

    async fn lost(&mut self, lost: &Lost, at_unix_ns: u64) -> Result<(), DeliverError> {
        let source = lost.from.ip();
        let token = lost.token.as_ref().map(Token::as_str);
        let owner = self.store.netconsole_owner(source, token, 0).await?;
        let record = Record {
            class: Class::TelemetryLoss.as_str().to_owned(),
            severity: i32::from(Severity::Medium as u8),
            title: "lost: rate limit".to_owned(),
            occurred_at_unix_ns: at_unix_ns,
            payload: Some(Payload::Loss(Loss {
                reason: LossReason::RateLimit.into(),
                count: lost.count,
                hook: HOOK.to_owned(),
                class: lost.class.clone(),
                title: lost.title.clone(),
                ..Loss::default()
            })),
            ..Record::default()
        };
        let record = of(&owner, record);
        self.keep(&owner, source, &record).await
    }

    async fn keep(&mut self, owner: &Owner, source: IpAddr, record: &Record) -> Result<(), DeliverError> {
        if !owner.is_known && !self.strangers.contains(&source) {
            if self.strangers.len() == STRANGERS {
                if !self.is_crowded {
                    tracing::warn!(%source, "netconsole: too many unknown senders, reports of others are dropped");
                    self.is_crowded = true;
                }
                self.metrics.netconsole_dropped(1);
                return Ok(());
            }
            self.strangers.insert(source);
        }
        let start = Instant::now();
        let delivered = self
            .store
            .netconsole_keep(owner, source, self.epoch, record)
            .await?;
        self.metrics.delivered(&delivered, start.elapsed());
        Ok(())
    }

    /// Looks at what hosts have said since.
    async fn settle(&mut self) {
        if let Err(error) = self.try_settle().await {
            tracing::warn!(error = %chain(&error), "records by netconsole could not be compared, trying again later");
        }
    }

    async fn try_settle(&mut self) -> Result<(), StoreError> {
        for _ in 0..self.claims.len() {
            let Some((claim, at_unix_ns)) = self.claims.front() else {
                break;
            };
            let booted_unix_ns = claim
                .uptime_us
                .map_or(0, |uptime| at_unix_ns.saturating_sub(uptime.saturating_mul(1000)));
            let (token, source) = (claim.token.as_str(), claim.from.ip());
            let is_known = self.store.netconsole_claim(token, source, booted_unix_ns).await?;
            // Nobody has told that token yet: the next look is its turn again.
            let unknown = self.claims.pop_front().filter(|_claim| !is_known);
            self.claims.extend(unknown);
        }
        for open in self.store.netconsole_open().await? {
            let told = self
                .store
                .told_by_agent(open.agent_id(), &open.record.class, open.received_at_unix_ns())
                .await?;
            if told.iter().any(|told| is_same(&open.record, told)) {
                self.store.netconsole_join(&open).await?;
                self.metrics.netconsole_joined();
            }
        }
        Ok(())
    }
}

/// The kernel that a report is of: as its lines say, as it says itself, as its host said.
fn release(report: &Report, owner: &Owner) -> String {
    let said = report.told.release.clone();
    let printed = || {
        let printed = report.report.kernel_release.as_deref()?;
        printed.split(' ').next().map(str::to_owned)
    };
    said.or_else(printed)
        .unwrap_or_else(|| owner.kernel_release.clone())
}

/// A record of its owner's boot.
fn of(owner: &Owner, record: Record) -> Record {
    Record {
        boot_id: owner.boot_id.clone(),
        hook: Some(Hook {
            name: HOOK.to_owned(),
            attach: String::new(),
        }),
        ..record
    }
}
