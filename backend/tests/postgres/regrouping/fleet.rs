//! Rules that change, and hosts whose records they group.

use std::collections::BTreeMap;

use backend::{record::rules::Rules, store::Sender};
use proto::v1::{Batch, Custom, Fingerprint, FingerprintLevel, Record, Severity, record::Payload};
use uuid::Uuid;

use crate::support::{Database, encoded, host, record};

/// The second version of some rules: the text of a record is `CLASS TITLE STACK`, which the first did not look at.
pub(super) struct ByText;

impl Rules for ByText {
    fn version(&self) -> u32 {
        2
    }

    fn read(&self, record: &mut Record) {
        let mut levels = vec![level(2, FingerprintLevel::Title, &record.title)];
        if let Some(Payload::Custom(custom)) = &record.payload {
            let words: Vec<&str> = custom.payload.split(' ').collect();
            let [class, title, stack] = words[..] else {
                panic!("three words: {words:?}");
            };
            class.clone_into(&mut record.class);
            title.clone_into(&mut record.title);
            record.severity = Severity::Critical.into();
            levels = vec![
                level(2, FingerprintLevel::Title, title),
                level(2, FingerprintLevel::TopFrames, stack),
            ];
        }
        record.fingerprints = levels;
    }
}

pub(super) fn level(version: u32, level: FingerprintLevel, of: &str) -> Fingerprint {
    let name = format!("{version} {} {of}", level as i32);
    Fingerprint {
        version,
        level: level.into(),
        value: Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
            .simple()
            .to_string(),
    }
}

/// The issue of a title by rules of a version.
pub(crate) fn issue(version: u32, title: &str) -> String {
    level(version, FingerprintLevel::Title, title).value
}

/// A record by the first version.
pub(crate) fn old(title: &str, text: &str) -> Record {
    let stack = text.rsplit(' ').next().unwrap_or_default();
    Record {
        class: "custom".to_owned(),
        title: title.to_owned(),
        severity: Severity::Medium.into(),
        fingerprints: vec![
            level(1, FingerprintLevel::Title, title),
            level(1, FingerprintLevel::TopFrames, stack),
        ],
        payload: Some(Payload::Custom(Custom {
            classification: "a/b/c".to_owned(),
            payload: text.to_owned(),
            ..Custom::default()
        })),
        ..record("")
    }
}

/// The same by the second.
pub(super) fn new(title: &str, text: &str) -> Record {
    let mut record = old(title, text);
    ByText.read(&mut record);
    record
}

/// Hosts that tell records in turn.
pub(crate) struct Fleet<'a> {
    db: &'a Database,
    hosts: [Sender; 2],
    told: BTreeMap<Uuid, u64>,
}

impl<'a> Fleet<'a> {
    pub(crate) async fn new(db: &'a Database) -> Self {
        let hosts = [1, 2].map(|number| Sender::new(Uuid::from_u128(number), Uuid::from_u128(7), "6.1"));
        for sender in &hosts {
            db.store.hello(sender, &host(), "1").await.unwrap();
        }
        let told = BTreeMap::new();
        Self { db, hosts, told }
    }

    pub(super) async fn tell(&mut self, which: usize, record: &Record) {
        let sender = &self.hosts[which];
        let seq = self.told.entry(sender.agent_id).or_default();
        *seq += 1;
        let batch = Batch {
            first_seq: *seq,
            records: vec![encoded(record)],
        };
        self.db.store.deliver(sender, batch).await.unwrap();
    }

    /// Two old issues: one of two faults, and one that is one of these.
    pub(crate) async fn tell_all(&mut self, make: fn(&str, &str) -> Record) {
        for (host, title, text) in [
            (0, "disk", "storage.read bad-sector a"),
            (0, "disk", "storage.read bad-sector b"),
            (1, "disk", "storage.read bad-sector a"),
            (1, "disk", "storage.link link-down c"),
            (0, "cable", "storage.link link-down c"),
            (1, "cable", "storage.link link-down d"),
        ] {
            self.tell(host, &make(title, text)).await;
        }
    }
}
