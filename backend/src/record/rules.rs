//! The rules that records are grouped by.

use proto::v1::Record;

/// Rules of one version. Fingerprints of another never meet theirs.
pub trait Rules: Send + Sync {
    /// Their version, as fingerprints carry it.
    fn version(&self) -> u32;
    /// Gives a record what it is called and grouped by: class, severity, title and fingerprints, the coarse ones first.
    fn read(&self, record: &mut Record);
}

/// Those that this program was built with.
#[derive(Clone, Copy, Debug)]
pub struct RunningRules;

impl Rules for RunningRules {
    fn version(&self) -> u32 {
        faults::fingerprint::VERSION
    }

    fn read(&self, record: &mut Record) {
        wire::read_again(record);
    }
}
