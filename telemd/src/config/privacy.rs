//! `[privacy]`

use serde::{Deserialize, Serialize};

/// What happens to something private, by the rules of [`faults::scrub`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Privacy {
    /// Addresses in the memory of kernel and programs.
    pub pointer: Treatment,
    /// Hardware addresses of network cards.
    pub mac: Treatment,
    /// IP addresses.
    pub ip: Treatment,
    /// The host's own name within texts.
    pub host: Treatment,
    /// Names of users in paths.
    pub user: Treatment,
    /// Names of files in messages of file systems.
    pub file: Treatment,
    /// Command lines.
    pub cmdline: Treatment,
    /// E-mail addresses.
    pub email: Treatment,
    /// Serial numbers, UUIDs, world-wide names of disks.
    pub serial: Treatment,
}

/// What happens to what one rule finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Treatment {
    /// It stays.
    Keep,
    /// The rule's name takes its place.
    Replace,
    /// Its shape stays, its letters and digits don't.
    Mask,
    /// A hash takes its place, with a key that never leaves the host: equal values of this host stay equal.
    Hash,
}

impl Privacy {
    /// One treatment of everything.
    pub fn everything(treatment: Treatment) -> Self {
        Self {
            pointer: treatment,
            mac: treatment,
            ip: treatment,
            host: treatment,
            user: treatment,
            file: treatment,
            cmdline: treatment,
            email: treatment,
            serial: treatment,
        }
    }
}

/// Hashes keep what triage asks (the same disk? the same peer?) without saying which one it is. Of files and command
/// lines not even that is asked. Addresses in memory say what went wrong, and the collector is told the host's name anyway.
impl Default for Privacy {
    fn default() -> Self {
        Self {
            pointer: Treatment::Keep,
            host: Treatment::Keep,
            file: Treatment::Replace,
            cmdline: Treatment::Replace,
            ..Self::everything(Treatment::Hash)
        }
    }
}
