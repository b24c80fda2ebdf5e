//! Who this agent is: its id, and which boot this is and which one came before.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Moment;
use crate::durable;

/// The file with the agent's id.
const AGENT_ID: &str = "agent_id";

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It could not be created or opened.
    #[error("cannot use the state directory {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// Another process holds it.
    #[error("another telemd uses {}: stop it, or give this one its own state_dir", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// A file in it could not be read or written.
    #[error("cannot read or write {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The agent's id is not one.
    #[error("{} does not hold an agent id: remove it and a new one is made", path.display())]
    AgentId {
        /// The file.
        path: PathBuf,
    },
}

/// The state directory, locked for as long as this lives.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: File,
}

impl StateDir {
    /// Creates the folder (0700: it holds what the host's faults say) when it is missing, and locks it.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let folder = |source| StateError::Folder {
            path: path.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(folder)?;
        let lock = File::create(path.join("lock")).map_err(folder)?;
        let operation = rustix::fs::FlockOperation::NonBlockingLockExclusive;
        match rustix::fs::flock(&lock, operation) {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(StateError::Locked {
                path: path.to_owned(),
            }),
            Err(errno) => Err(folder(errno.into())),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The agent's id: 16 random bytes, made once and kept as a UUID in text.
    pub fn agent_id(&self) -> Result<Uuid, StateError> {
        match known_agent_id(&self.path)? {
            Some(id) => Ok(id),
            None => self.renew_agent_id(),
        }
    }

    /// How old the agent's id is by the wall clock, seconds; 0 before it has one, or when the clock was set back.
    pub fn agent_id_age_s(&self, now: Moment) -> u64 {
        let made = std::fs::metadata(self.path.join(AGENT_ID)).map_or(0, |file| file.mtime());
        match u64::try_from(made) {
            Ok(made) if made > 0 => (now.unix_ns / 1_000_000_000).saturating_sub(made),
            _ => 0,
        }
    }

    /// Gives the agent another id.
    pub fn renew_agent_id(&self) -> Result<Uuid, StateError> {
        let path = self.path.join(AGENT_ID);
        let id = Uuid::new_v4();
        durable::write(&path, format!("{id}\n").as_bytes())
            .map_err(|source| StateError::File { path, source })?;
        Ok(id)
    }

    /// Notes that this boot is `boot_id` and answers which boots are known.
    ///
    /// A file that cannot be understood is replaced, and one that cannot be written does not keep the agent from
    /// starting (a full disk is itself a fault to tell of): all that is lost is the name of the boot before.
    pub fn enter_boot(&self, boot_id: &str) -> Result<Boots, StateError> {
        let path = self.path.join("boots.json");
        let file = |source| StateError::File {
            path: path.clone(),
            source,
        };
        let known: Option<Boots> = durable::read(&path)
            .map_err(file)?
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let boots = match known {
            Some(boots) if boots.current == boot_id => return Ok(boots),
            Some(boots) => Boots {
                current: boot_id.to_owned(),
                previous: boots.current,
            },
            None => Boots {
                current: boot_id.to_owned(),
                previous: String::new(),
            },
        };
        let written = serde_json::to_vec(&boots)
            .map_err(io::Error::from)
            .and_then(|bytes| durable::write(&path, &bytes));
        if let Err(error) = written {
            tracing::warn!(path = %path.display(), %error, "this boot could not be noted");
        }
        Ok(boots)
    }
}

/// The boots that the agent has seen: their `/proc/sys/kernel/random/boot_id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boots {
    /// This one.
    pub current: String,
    /// The one in which the agent ran before; empty when there is none.
    pub previous: String,
}

/// The id of the agent whose state is in `folder`, without taking the folder; `None` before it has one.
pub fn known_agent_id(folder: &Path) -> Result<Option<Uuid>, StateError> {
    let path = folder.join(AGENT_ID);
    let Some(bytes) = durable::read(&path).map_err(|source| StateError::File {
        path: path.clone(),
        source,
    })?
    else {
        return Ok(None);
    };
    match Uuid::parse_str(String::from_utf8_lossy(&bytes).trim()) {
        Ok(id) => Ok(Some(id)),
        Err(_no_uuid) => Err(StateError::AgentId { path }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_id_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        let id = state.agent_id().unwrap();
        assert_eq!(id.get_version_num(), 4);
        assert_eq!(state.agent_id().unwrap(), id);
    }

    #[test]
    fn a_damaged_agent_id_is_an_error_and_not_a_new_agent() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        std::fs::write(dir.path().join("agent_id"), b"\xff\xfe").unwrap();
        let error = state.agent_id().unwrap_err();
        assert!(error.to_string().contains("remove it"), "{error}");
    }

    #[test]
    fn two_agents_never_share_a_state_directory() {
        let dir = tempfile::tempdir().unwrap();
        let first = StateDir::open(dir.path()).unwrap();
        assert!(matches!(
            StateDir::open(dir.path()),
            Err(StateError::Locked { .. })
        ));
        drop(first);
        StateDir::open(dir.path()).unwrap();
    }

    #[test]
    fn a_boot_that_cannot_be_noted_is_entered_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        state.enter_boot("a").unwrap();
        std::fs::create_dir(dir.path().join("boots.json.new")).unwrap();
        let boots = state.enter_boot("b").unwrap();
        assert_eq!((boots.current.as_str(), boots.previous.as_str()), ("b", "a"));
    }

    #[test]
    fn the_boot_before_is_remembered_across_restarts_in_one_boot() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        assert_eq!(state.enter_boot("a").unwrap().previous, "");
        assert_eq!(state.enter_boot("b").unwrap().previous, "a");
        assert_eq!(state.enter_boot("b").unwrap().previous, "a");
        std::fs::write(dir.path().join("boots.json"), b"{").unwrap();
        assert_eq!(state.enter_boot("b").unwrap().previous, "");
    }
}
