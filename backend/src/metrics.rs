//! What the collector counts, in the `OpenMetrics` format.

use std::{sync::Arc, time::Duration};

use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::store::{Delivered, Regrouped};

/// Bounds of the delivery histogram, seconds: 50 ms is the goal at half load.
const BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// The counters and their registry. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    records: Counter,
    undecodable: Counter,
    duplicates: Counter,
    refused: Family<[(&'static str, String); 1], Counter>,
    delivery: Histogram,
    ingest: Phases,
    streams: Gauge,
    connections_refused: Family<[(&'static str, &'static str); 1], Counter>,
    netconsole: Netconsole,
    alerts_file_refused: Gauge,
    alert_messages: Family<[(&'static str, &'static str); 1], Counter>,
    regrouping: Regrouping,
}

/// What is moved because the rules that records are grouped by have changed.
#[derive(Clone, Debug, Default)]
struct Regrouping {
    issues_left: Gauge,
    records: Gauge,
}

impl Regrouping {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "regrouping_issues_left",
            "Issues of older rules that are still to be regrouped",
            self.issues_left.clone(),
        );
        registry.register(
            "regrouping_records",
            "Records that were regrouped in the present round, or the last",
            self.records.clone(),
        );
    }
}

/// A histogram of each [`Phase`].
type Phases = Family<[(&'static str, &'static str); 1], Histogram, fn() -> Histogram>;

/// What a message of an agent goes through once it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It waits for a writer.
    Wait,
    /// It is written in a transaction, with what waited beside it.
    Write,
    /// The transaction is committed.
    Commit,
}

/// What came by netconsole.
#[derive(Clone, Debug, Default)]
struct Netconsole {
    datagrams: Counter,
    dropped: Counter,
    joined: Counter,
}

impl Netconsole {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "netconsole_datagrams",
            "Datagrams of netconsole",
            self.datagrams.clone(),
        );
        registry.register(
            "netconsole_dropped",
            "What netconsole told and could not be kept",
            self.dropped.clone(),
        );
        registry.register(
            "netconsole_joined",
            "Reports by netconsole that their hosts told themselves",
            self.joined.clone(),
        );
    }
}

impl Metrics {
    /// Fresh counters at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("telemetrics");
        let (records, undecodable, duplicates) = (Counter::default(), Counter::default(), Counter::default());
        let (refused, streams) = (Family::default(), Gauge::default());
        let delivery = Histogram::new(BUCKETS);
        registry.register("records_stored", "Records stored", records.clone());
        registry.register(
            "records_undecodable",
            "Stored records that could not be understood",
            undecodable.clone(),
        );
        registry.register(
            "records_duplicate",
            "Records that came again and were skipped",
            duplicates.clone(),
        );
        registry.register(
            "messages_refused",
            "Messages refused, by gRPC status",
            refused.clone(),
        );
        registry.register_with_unit(
            "delivery",
            "From a whole batch or gap to its commit",
            Unit::Seconds,
            delivery.clone(),
        );
        let ingest = Phases::new_with_constructor(|| Histogram::new(BUCKETS));
        registry.register_with_unit(
            "ingest",
            "What messages wait for a writer, and what transactions take to be written and committed",
            Unit::Seconds,
            ingest.clone(),
        );
        registry.register("streams", "Agents connected", streams.clone());
        let connections_refused = Family::default();
        registry.register(
            "connections_refused",
            "Connections closed at once for want of room, by port",
            connections_refused.clone(),
        );
        let netconsole = Netconsole::default();
        netconsole.register(&mut registry);
        let alert_messages = Family::default();
        registry.register(
            "alert_messages",
            "Alerts sent, by whether their target took them",
            alert_messages.clone(),
        );
        let alerts_file_refused = Gauge::default();
        registry.register(
            "alerts_file_refused",
            "1: the alerts file was wrong when it was read again, and the rules before it stay",
            alerts_file_refused.clone(),
        );
        let regrouping = Regrouping::default();
        regrouping.register(&mut registry);
        Self {
            registry: Arc::new(registry),
            records,
            undecodable,
            duplicates,
            refused,
            delivery,
            ingest,
            streams,
            connections_refused,
            netconsole,
            alerts_file_refused,
            alert_messages,
            regrouping,
        }
    }

    /// The text of `/metrics`: `application/openmetrics-text; version=1.0.0; charset=utf-8`.
    pub fn encode(&self) -> String {
        let mut out = String::new();
        if let Err(error) = text::encode(&mut out, &self.registry) {
            // Writing into a String does not fail; only an encoder's own error could come here.
            tracing::error!(%error, "metrics could not be encoded");
        }
        out
    }

    /// A batch or a gap was stored.
    pub(crate) fn delivered(&self, delivered: &Delivered, took: Duration) {
        self.records.inc_by(delivered.records);
        self.undecodable.inc_by(delivered.rejected.len() as u64);
        self.duplicates.inc_by(delivered.duplicates);
        self.delivery.observe(took.as_secs_f64());
    }

    /// A message has waited, or a transaction has been written or committed.
    pub(crate) fn ingest(&self, phase: Phase, took: Duration) {
        let phase = match phase {
            Phase::Wait => "wait",
            Phase::Write => "write",
            Phase::Commit => "commit",
        };
        self.ingest
            .get_or_create(&[("phase", phase)])
            .observe(took.as_secs_f64());
    }

    /// A message was refused.
    pub(crate) fn refused(&self, code: tonic::Code) {
        self.refused.get_or_create(&[("code", format!("{code:?}"))]).inc();
    }

    /// A record of an old client was stored, or had been.
    pub(crate) fn kept_once(&self, is_new: bool) {
        if is_new {
            self.records.inc();
        } else {
            self.duplicates.inc();
        }
    }

    /// A connection was closed because there was no room on its port.
    pub(crate) fn turned_away(&self, port: &'static str) {
        self.connections_refused.get_or_create(&[("port", port)]).inc();
    }

    /// The alerts file was read again.
    pub(crate) fn alerts_file(&self, is_right: bool) {
        self.alerts_file_refused.set(i64::from(!is_right));
    }

    /// An alert was sent.
    pub(crate) fn alert_message(&self, taken: bool) {
        let taken = if taken { "true" } else { "false" };
        self.alert_messages.get_or_create(&[("taken", taken)]).inc();
    }

    /// Records were moved because the rules have changed.
    pub(crate) fn regrouped(&self, so_far: Regrouped) {
        let gauge = |count| i64::try_from(count).unwrap_or(i64::MAX);
        self.regrouping.issues_left.set(gauge(so_far.issues_left));
        self.regrouping.records.set(gauge(so_far.records));
    }

    /// A datagram of netconsole has come.
    pub(crate) fn netconsole_datagram(&self) {
        self.netconsole.datagrams.inc();
    }

    /// Things that netconsole told could not be kept.
    pub(crate) fn netconsole_dropped(&self, count: u64) {
        self.netconsole.dropped.inc_by(count);
    }

    /// A report by netconsole was told by its host as well.
    pub(crate) fn netconsole_joined(&self) {
        self.netconsole.joined.inc();
    }

    /// An agent has connected; it counts until the value is dropped.
    pub(crate) fn stream(&self) -> StreamGuard {
        self.streams.inc();
        StreamGuard(self.streams.clone())
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// Counts an open stream.
#[derive(Debug)]
pub(crate) struct StreamGuard(Gauge);

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}
