//! Summaries for people: what can be filtered by, and what is known about a fingerprint.

use std::time::SystemTime;

use proto::v1::{FingerprintLevel, Severity};

/// The values that the list of faults can be filtered by, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facets {
    /// Classes of stored records.
    pub classes: Vec<String>,
    /// Host names, at most 1000.
    pub hosts: Vec<String>,
    /// Kernel releases of stored records.
    pub kernel_releases: Vec<String>,
}

/// What is known about all records with one fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FingerprintFacts {
    /// The fingerprint, 32 lower-case hexadecimal digits.
    pub fingerprint: String,
    /// How specific it is.
    pub level: FingerprintLevel,
    /// Class of the latest record.
    pub class: String,
    /// Title of the latest record.
    pub title: String,
    /// The worst severity seen.
    pub severity: Severity,
    /// When the first such record was stored.
    pub first_seen: SystemTime,
    /// When the latest such record was stored.
    pub last_seen: SystemTime,
    /// How many such records were stored.
    pub count: u64,
    /// How many hosts sent them.
    pub host_count: u64,
    /// Names of the hosts that sent the most, at most 20.
    pub hosts: Vec<HostCount>,
}

/// How often one host sent something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCount {
    /// Host name; the agent id where the host did not tell it.
    pub host: String,
    /// How many records.
    pub count: u64,
}
