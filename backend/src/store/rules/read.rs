//! A stored record, read by other rules.

use bytes::Bytes;
use prost::Message as _;
use tokio_postgres::Row as Stored;
use uuid::Uuid;

use super::super::{
    rows::{Level, Row},
    time::Micros,
};
use crate::record::{self, rules::Rules};

/// What [`Pair::of`] reads, of `records r`.
pub(super) const COLUMNS: &str = "r.agent_id, r.received_at, r.id, r.issue, r.class, r.severity, r.title, r.kernel_release, \
                                  r.fingerprints, r.record";

/// What a record is grouped by and called, as it is stored and by other rules.
pub(super) struct Pair {
    pub(super) agent_id: Uuid,
    pub(super) received_at: Micros,
    pub(super) id: Uuid,
    pub(super) kernel_release: String,
    pub(super) was: Was,
    pub(super) becomes: Becomes,
}

/// As it is stored.
pub(super) struct Was {
    pub(super) issue: Uuid,
    pub(super) class: String,
    pub(super) severity: i16,
    pub(super) title: String,
    pub(super) fingerprints: Vec<Uuid>,
}

/// By other rules.
pub(super) struct Becomes {
    /// What it is grouped by unless that is split.
    pub(super) coarse: Uuid,
    /// What it is grouped by then.
    pub(super) finer: Option<Uuid>,
    pub(super) class: String,
    pub(super) severity: i16,
    pub(super) title: String,
    pub(super) levels: Vec<Level>,
    pub(super) record: Vec<u8>,
}

impl Pair {
    /// From a row of [`COLUMNS`].
    pub(super) fn of(row: &Stored, rules: &dyn Rules) -> Self {
        let was = Was {
            issue: row.get(3),
            class: row.get(4),
            severity: row.get(5),
            title: row.get(6),
            fingerprints: row.get(8),
        };
        let kernel_release: String = row.get(7);
        let becomes = Becomes::of(&was, row.get(9), &kernel_release, rules);
        Self {
            agent_id: row.get(0),
            received_at: row.get(1),
            id: row.get(2),
            kernel_release,
            was,
            becomes,
        }
    }
}

impl Becomes {
    fn of(was: &Was, sent: &[u8], kernel_release: &str, rules: &dyn Rules) -> Self {
        let record = record::decode(sent).map(|mut record| {
            rules.read(&mut record);
            record.encode_to_vec()
        });
        // What was stored could be read then, and can be now, unless a limit was lowered: it goes by its title then.
        let record = record.unwrap_or_else(|_limit| sent.to_vec());
        let row = Row::new(0, &Bytes::from(record.clone()), kernel_release);
        let coarse = row.issue.filter(|_| row.quarantined.is_none());
        let Some(coarse) = coarse else {
            return Self::titled(was, sent, rules);
        };
        Self {
            coarse,
            finer: row.finer,
            class: row.class,
            severity: row.severity,
            title: row.title,
            levels: row.levels,
            record,
        }
    }

    fn titled(was: &Was, sent: &[u8], rules: &dyn Rules) -> Self {
        let coarse = by_title(&was.class, &was.title, rules).unwrap_or(was.issue);
        Self {
            coarse,
            finer: None,
            class: was.class.clone(),
            severity: was.severity,
            title: was.title.clone(),
            levels: vec![Level {
                fingerprint: coarse,
                number: 1,
                version: rules.version().into(),
            }],
            record: sent.to_vec(),
        }
    }
}

/// The issue of something of which nothing but class and title is left.
pub(super) fn by_title(class: &str, title: &str, rules: &dyn Rules) -> Option<Uuid> {
    let mut record = proto::v1::Record {
        class: class.to_owned(),
        title: title.to_owned(),
        ..proto::v1::Record::default()
    };
    rules.read(&mut record);
    record::issue(&record).and_then(|issue| Uuid::try_parse(&issue.value).ok())
}
