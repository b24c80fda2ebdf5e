//! The two halves of the agent.
//!
//! The *networked* half is `telemd`: it decodes, decides, keeps and ships, and holds no capability. The *privileged* half
//! is `telemd-probes`: it attaches the probes, opens what only root may open, and has no network. They talk over one
//! socket, in which the networked half asks and the privileged half answers, one frame each ([`Request`], [`Answer`], as
//! JSON). A question names no path and brings no program: what is opened and attached is in the configuration, which the
//! privileged half reads itself. So whoever takes the networked half over can ask for the faults of this host, and for
//! nothing else.
//!
//! [`Attendant`] and [`Half`] are the networked half's side, [`serve`] is the privileged half's, and [`supervise`] is what
//! starts that again when it died.

use std::collections::BTreeMap;
use std::path::PathBuf;

use privilege::standing::Standing;
use probe_user::past::Past;
use probe_user::{HookState, Origin};
use serde::{Deserialize, Serialize};

use crate::process::Executable;

mod client;
mod confine;
mod half;
mod helper;
mod launch;
mod supervisor;
#[cfg(test)]
mod tests;

pub use client::{Attached, Client, ClientError};
pub use confine::{KEPT, KEPT_WHERE_PARANOID, confine};
pub use half::{Attendant, Half};
pub use helper::serve;
pub use supervisor::{SuperviseError, supervise};

/// What the networked half may ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Who the other half is: [`Answer::Introduction`].
    Introduce,
    /// Attach the probes: [`Answer::Attached`], with the ring's descriptor.
    Attach,
    /// Where the signs of hindsight are: [`Answer::Signs`], with the descriptor of their map.
    Signs,
    /// Attach what modules have brought since: [`Answer::Origins`].
    AttachMissing,
    /// Detach the probes: [`Answer::Done`].
    Detach,
    /// How the hooks are doing: [`Answer::Hooks`].
    Hooks,
    /// Open the kernel's log: [`Answer::Done`], with its descriptor.
    KernelLog,
    /// Open the kernel's table of symbols: [`Answer::Done`], with its descriptor.
    KernelSymbols,
    /// Open the firmware's table about the machine: [`Answer::Done`], with its descriptor.
    FirmwareTable,
    /// What the program of a process is: [`Answer::Executable`].
    Executable {
        /// The process id.
        pid: u32,
    },
    /// Read what the host keeps about earlier boots: [`Answer::Past`].
    Past {
        /// The id of the boot before; empty when it is not known.
        previous_boot: String,
    },
    /// Remove files of pstore, whose records are kept: [`Answer::Done`].
    ClearPast {
        /// The files; what is not in the folder of pstore is refused.
        files: Vec<PathBuf>,
    },
}

/// What the privileged half answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It is done.
    Done,
    /// Why not.
    Refused(String),
    /// Who the privileged half is.
    Introduction(Introduction),
    /// What is needed to read the ring.
    Attached {
        /// Size of the ring's data, bytes.
        ring_bytes: u32,
        /// Where events come from, by the number in their header.
        origins: BTreeMap<u16, Origin>,
    },
    /// What is needed to read the signs of hindsight.
    Signs {
        /// How many there is room for.
        room: u32,
    },
    /// Where events come from now; `None` when that did not change.
    Origins(Option<BTreeMap<u16, Origin>>),
    /// How the hooks are doing.
    Hooks(Vec<HookState>),
    /// What a process's program is; empty when the process is gone.
    Executable(Executable),
    /// What the host keeps about earlier boots.
    Past(Box<Past>),
}

/// Who the privileged half is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduction {
    /// What the kernel says of it.
    pub standing: Standing,
    /// What it could not give up, and why.
    pub missing: Vec<String>,
}
