//! What happened to one host, beside what it says about itself: its boots, its issues and its books.

use std::time::SystemTime;

use uuid::Uuid;

use super::{Store, StoreError, count};

/// Boots that are told, the latest.
const BOOTS: i64 = 20;
/// Issues that are told, the latest.
const ISSUES: i64 = 30;
/// Spools that are told, the latest.
const SENDERS: i64 = 10;

/// What happened to a host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Story {
    /// Its boots that heartbeats told of, the latest first.
    pub boots: Vec<Boot>,
    /// Its issues, those with the latest records first.
    pub issues: Vec<IssueOfHost>,
    /// The books of its spools, the latest first.
    pub books: Vec<Book>,
}

/// A boot of a host.
#[derive(Clone, Debug, PartialEq)]
pub struct Boot {
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// `uname -r`.
    pub kernel_release: String,
    /// When it began, by the host's clock; its first heartbeat where that did not tell.
    pub began: SystemTime,
    /// Its latest heartbeat.
    pub last_beat: SystemTime,
}

/// An issue that a host has.
#[derive(Clone, Debug, PartialEq)]
pub struct IssueOfHost {
    /// What identifies it.
    pub issue: Uuid,
    /// Title of its latest record here.
    pub title: String,
    /// Class of its latest record here.
    pub class: String,
    /// The worst of its records here, 1 to 4.
    pub severity: i16,
    /// Records of it from this host.
    pub records: u64,
    /// When the first of them was stored.
    pub first_seen: SystemTime,
    /// When the latest was.
    pub last_seen: SystemTime,
}

/// What became of everything that a spool produced.
#[derive(Clone, Debug, PartialEq)]
pub struct Book {
    /// The spool.
    pub epoch: Uuid,
    /// Sequences, and events that never got one.
    pub produced: u64,
    /// Records.
    pub stored: u64,
    /// Events that were lost, with a reason.
    pub lost: u64,
    /// The reasons, with how many.
    pub reasons: Vec<(String, u64)>,
    /// Everything is stored once or lost with a reason.
    pub balanced: bool,
}

impl Store {
    /// What happened to a host. Of a host that nobody knows, nothing did.
    pub async fn story(&self, agent_id: Uuid) -> Result<Story, StoreError> {
        let client = self.client().await?;
        let boots = client
            .prepare_cached(
                "SELECT boot_id, kernel_release, coalesce(booted_at, first_beat_at), last_beat_at FROM boots WHERE agent_id = $1
                 ORDER BY last_beat_at DESC LIMIT $2",
            )
            .await?;
        let issues = client
            .prepare_cached(
                "SELECT coalesce(t.merged_into, t.issue), f.title, f.class, f.severity, f.occurrences, f.first_seen, f.last_seen
                 FROM fingerprints f JOIN triage t ON t.issue = f.fingerprint
                 WHERE f.agent_id = $1 AND f.class NOT LIKE 'telemetry.%' AND f.occurrences > 0
                 ORDER BY f.last_seen DESC, f.fingerprint LIMIT $2",
            )
            .await?;
        let books = client
            .prepare_cached(
                "SELECT b.epoch, b.produced::bigint, b.stored::bigint, b.lost::bigint, b.lost_by_reason, b.balanced
                 FROM books b JOIN senders s ON s.agent_id = b.agent_id AND s.epoch = b.epoch
                 WHERE b.agent_id = $1 ORDER BY s.stored_at DESC LIMIT $2",
            )
            .await?;
        let boots = client.query(&boots, &[&agent_id, &BOOTS]).await?;
        let issues = client.query(&issues, &[&agent_id, &ISSUES]).await?;
        let books = client.query(&books, &[&agent_id, &SENDERS]).await?;
        Ok(Story {
            boots: boots
                .iter()
                .map(|row| Boot {
                    boot_id: row.get(0),
                    kernel_release: row.get(1),
                    began: row.get(2),
                    last_beat: row.get(3),
                })
                .collect(),
            issues: issues
                .iter()
                .map(|row| IssueOfHost {
                    issue: row.get(0),
                    title: row.get(1),
                    class: row.get(2),
                    severity: row.get(3),
                    records: count(row.get(4)),
                    first_seen: row.get(5),
                    last_seen: row.get(6),
                })
                .collect(),
            books: books.iter().map(book).collect(),
        })
    }
}

fn book(row: &tokio_postgres::Row) -> Book {
    let reasons: serde_json::Value = row.get(4);
    let reasons = reasons.as_object().into_iter().flatten();
    Book {
        epoch: row.get(0),
        produced: count(row.get(1)),
        stored: count(row.get(2)),
        lost: count(row.get(3)),
        reasons: reasons
            .map(|(reason, events)| (reason.clone(), events.as_u64().unwrap_or(0)))
            .collect(),
        balanced: row.get(5),
    }
}
