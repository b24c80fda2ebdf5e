//! How the agent is, for its heartbeat.

use std::path::Path;

use proto::v1::Heartbeat;

use super::Session;
use crate::host;
use crate::keeper::Stats;
use crate::memory;

impl Session<'_> {
    /// All of a heartbeat but its hooks and its time.
    pub(super) fn health(&self, spool: &Stats) -> Heartbeat {
        // An update may have come since the last one.
        let (os_id, os_build) = host::os_release(Path::new("/"));
        Heartbeat {
            agent_uptime_s: self.surroundings.uptime_s(),
            spool_backlog: spool.backlog,
            spool_bytes: spool.bytes,
            agent_memory_bytes: memory::resident_bytes(),
            probes_restarts: self.surroundings.half.restarts(),
            losses: self.recorder.loss_totals(),
            os_id,
            os_build,
            ..Heartbeat::default()
        }
    }
}
