//! The columns of tables that records are exported as.

use proto::v1::{Fault, FingerprintLevel, Record, event_field::Value, record::Payload};

use crate::http::json::bytes_text;

/// A column.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What its cells are.
    pub kind: Kind,
    of: fn(&Fault, &Record) -> Cell,
}

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text; empty where nothing is known.
    Text,
    /// A moment, to the nanosecond, UTC.
    Moment,
    /// A severity: 1 to 4.
    Severity,
    /// True or false.
    Flag,
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Of [`Kind::Text`].
    Text(String),
    /// Nanoseconds since the Unix epoch; `None`: not known.
    Moment(Option<i64>),
    /// Of [`Kind::Severity`].
    Severity(i32),
    /// Of [`Kind::Flag`].
    Flag(bool),
}

impl Column {
    /// Its cell of a record.
    pub fn cell(&self, fault: &Fault) -> Cell {
        match &fault.record {
            Some(record) => (self.of)(fault, record),
            None => (self.of)(fault, &Record::default()),
        }
    }
}

const fn text(name: &'static str, of: fn(&Fault, &Record) -> Cell) -> Column {
    let kind = Kind::Text;
    Column { name, kind, of }
}

/// All of them, in their order. New ones are added at the end.
pub const COLUMNS: [Column; 18] = [
    text("id", |fault, _| Cell::Text(fault.id.clone())),
    Column {
        name: "received_at",
        kind: Kind::Moment,
        of: |fault, _| moment(fault.received_at_unix_ns),
    },
    Column {
        name: "occurred_at",
        kind: Kind::Moment,
        of: |_, record| moment(record.occurred_at_unix_ns),
    },
    text("agent_id", |fault, _| Cell::Text(bytes_text(&fault.agent_id))),
    text("hostname", |fault, _| of_host(fault, |host| &host.hostname)),
    text("class", |_, record| Cell::Text(record.class.clone())),
    Column {
        name: "severity",
        kind: Kind::Severity,
        of: |_, record| Cell::Severity(record.severity),
    },
    text("title", |_, record| Cell::Text(record.title.clone())),
    text("kernel_release", |fault, record| {
        if record.kernel_release.is_empty() {
            of_host(fault, |host| &host.kernel_release)
        } else {
            Cell::Text(record.kernel_release.clone())
        }
    }),
    text("os_id", |fault, _| of_host(fault, |host| &host.os_id)),
    text("os_build", |fault, _| of_host(fault, |host| &host.os_build)),
    text("model", |fault, _| of_host(fault, |host| &host.product)),
    text("fingerprint", |_, record| Cell::Text(fingerprint(record))),
    text("classification", |_, record| match &record.payload {
        Some(Payload::Custom(custom)) => Cell::Text(custom.classification.clone()),
        _ => Cell::Text(String::new()),
    }),
    text("event_id", |_, record| match &record.payload {
        Some(Payload::Custom(custom)) => Cell::Text(custom.event_id.clone()),
        _ => Cell::Text(String::new()),
    }),
    Column {
        name: "external",
        kind: Kind::Flag,
        of: |_, record| Cell::Flag(is_external(record)),
    },
    text("payload", |_, record| match &record.payload {
        Some(Payload::Custom(custom)) => Cell::Text(custom.payload.clone()),
        Some(Payload::KernelReport(report)) => Cell::Text(report.text.clone()),
        _ => Cell::Text(String::new()),
    }),
    text("issue", |fault, _| Cell::Text(fault.issue.clone())),
];

fn moment(unix_ns: u64) -> Cell {
    Cell::Moment(i64::try_from(unix_ns).ok().filter(|unix_ns| *unix_ns != 0))
}

fn of_host(fault: &Fault, of: fn(&proto::v1::Host) -> &String) -> Cell {
    Cell::Text(fault.host.as_ref().map(of).cloned().unwrap_or_default())
}

fn fingerprint(record: &Record) -> String {
    let title = i32::from(FingerprintLevel::Title);
    let mut all = record.fingerprints.iter();
    all.find(|fingerprint| fingerprint.level == title)
        .map(|fingerprint| fingerprint.value.clone())
        .unwrap_or_default()
}

/// Whether a proxy in front of the collector said that an old client's record came from outside.
pub(crate) fn is_external(record: &Record) -> bool {
    let Some(Payload::Custom(custom)) = &record.payload else {
        return false;
    };
    custom.fields.iter().any(|field| {
        field.name == "external"
            && field
                .value
                .as_ref()
                .is_some_and(|value| *value == Value::Text("true".to_owned()))
    })
}
