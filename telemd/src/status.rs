//! What the agent says about itself on the control socket.

use std::path::PathBuf;

use privilege::standing::Standing;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fixes::Fix;
use crate::ship::Link;

/// The agent at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the agent.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Since it started, seconds.
    pub uptime_s: u64,
    /// Whether this host takes part.
    pub opted_in: bool,
    /// The file that says so.
    pub opt_in_file: PathBuf,
    /// The socket that takes records.
    pub socket_path: PathBuf,
    /// Where records go.
    pub collector_url: String,
    /// What the networked half, which answers this, may do.
    pub confinement: Confinement,
    /// Who the privileged half is, or why there is none.
    pub privileged: Privileged,
    /// What there is only while the host takes part.
    pub session: Option<SessionStatus>,
}

/// What the networked half gave up, and what it could not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// The user it runs as.
    pub user: String,
    /// What the kernel says of it.
    pub standing: Standing,
    /// The ABI of the Landlock rules that it is under.
    pub landlock: Option<u32>,
    /// What is missing, and what to do about it.
    pub missing: Vec<String>,
}

/// The half that attaches the probes and opens what only root may open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Privileged {
    /// What the kernel says of it; `None` when it is not there.
    pub standing: Option<Standing>,
    /// What it could not give up, and why.
    pub missing: Vec<String>,
    /// Why it is not there; empty when it is.
    pub reason: String,
    /// How often it was started again after it had ended.
    pub restarts: u32,
}

/// What the agent does while the host takes part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStatus {
    /// The agent's id.
    pub agent_id: Uuid,
    /// What the sequences belong to.
    pub epoch: Uuid,
    /// The host's name in records.
    pub hostname: String,
    /// Every hook, watched or not.
    pub hooks: Vec<HookStatus>,
    /// The queue on disk.
    pub spool: SpoolStatus,
    /// The connection to the collector.
    pub link: Link,
    /// Repeats that storm control only counted.
    pub counted: u64,
    /// Frames on the local socket that were refused.
    pub rejected: u64,
    /// The tool that pstore belongs to on this host; `None` when that is nobody, or not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pstore_owner: Option<String>,
    /// What mends faults that this host has told of, as far as the collector knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known_fixes: Vec<Fix>,
}

/// One hook of the catalogue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookStatus {
    /// Its name.
    pub name: String,
    /// How it is attached; empty when it is not.
    pub attach: String,
    /// Why it is not attached, or why the better ways failed.
    pub reason: String,
    /// Events seen.
    pub events: u64,
    /// Events lost.
    pub lost: u64,
    /// Events that the kernel only counted, because they came too fast.
    #[serde(default)]
    pub limited: u64,
    /// The kernel's number of its program; `None` when it is not attached.
    #[serde(default)]
    pub program: Option<u32>,
}

/// The queue on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpoolStatus {
    /// Where it is.
    pub dir: PathBuf,
    /// All sequences up to this one are durable.
    pub durable_seq: u64,
    /// All sequences up to this one are stored by the collector.
    pub acknowledged_seq: u64,
    /// Records between the two.
    pub backlog: u64,
    /// Size on disk, bytes.
    pub bytes: u64,
    /// Size at which the oldest records are given up, bytes.
    pub max_bytes: u64,
    /// Records that the disk did not take.
    pub refused: u64,
    /// What the disk says; `None` while it works.
    pub failing: Option<String>,
}
