//! The networked half's side: asks, and treats what comes back as foreign.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use privilege::channel::{Channel, ChannelError};
use probe_user::past::Past;
use probe_user::{HookState, Origin};

use super::{Answer, Introduction, Request};
use crate::process::Executable;

/// How long an answer may take that is known at once or nearly so; on a busy machine the privileged half waits for a
/// processor too.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long one may take for which work is to be done: attaching every probe takes some tenths of a second, and a
/// minute or two in an emulator that is busy; reading a large journal takes seconds.
const LONG_PATIENCE: Duration = Duration::from_mins(5);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// It said why not.
    #[error("{0}")]
    Refused(String),
    /// It cannot be asked any more.
    #[error("telemd-probes cannot be asked")]
    Channel(#[source] ChannelError),
    /// The question or the answer is not understood.
    #[error("telemd-probes is not understood: are telemd and telemd-probes of one version?")]
    Answer,
}

impl ClientError {
    /// Whether the privileged half cannot be asked again.
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Channel(_) | Self::Answer)
    }
}

/// What is needed to read what the probes send.
#[derive(Debug)]
pub struct Attached {
    /// The ring.
    pub ring: OwnedFd,
    /// Size of its data, bytes.
    pub ring_bytes: u32,
    /// Where events come from, by the number in their header.
    pub origins: BTreeMap<u16, Origin>,
}

/// Asks the privileged half. Every question waits for its answer.
#[derive(Debug)]
pub struct Client {
    channel: Channel,
}

impl Client {
    /// Asks over `channel`.
    pub fn new(channel: Channel) -> Result<Self, ClientError> {
        let client = Self { channel };
        client.set_patience(PATIENCE)?;
        Ok(client)
    }

    /// Who the privileged half is.
    pub fn introduce(&mut self) -> Result<Introduction, ClientError> {
        match self.ask(&Request::Introduce)? {
            (Answer::Introduction(introduction), _) => Ok(introduction),
            _ => Err(ClientError::Answer),
        }
    }

    /// Attaches the probes.
    pub fn attach(&mut self) -> Result<Attached, ClientError> {
        match self.ask_for_work(&Request::Attach)? {
            (Answer::Attached { ring_bytes, origins }, Some(ring)) => Ok(Attached {
                ring,
                ring_bytes,
                origins,
            }),
            _ => Err(ClientError::Answer),
        }
    }

    /// The map of hindsight's signs, and how many it has room for.
    pub fn signs(&mut self) -> Result<(OwnedFd, u32), ClientError> {
        match self.ask(&Request::Signs)? {
            (Answer::Signs { room }, Some(map)) => Ok((map, room)),
            _ => Err(ClientError::Answer),
        }
    }

    /// Attaches what modules have brought since; answers where events come from now, when that changed.
    pub fn attach_missing(&mut self) -> Result<Option<BTreeMap<u16, Origin>>, ClientError> {
        match self.ask_for_work(&Request::AttachMissing)? {
            (Answer::Origins(origins), _) => Ok(origins),
            _ => Err(ClientError::Answer),
        }
    }

    /// Detaches the probes.
    pub fn detach(&mut self) -> Result<(), ClientError> {
        self.ask_to(&Request::Detach)
    }

    /// How the hooks are doing.
    pub fn hooks(&mut self) -> Result<Vec<HookState>, ClientError> {
        match self.ask(&Request::Hooks)? {
            (Answer::Hooks(hooks), _) => Ok(hooks),
            _ => Err(ClientError::Answer),
        }
    }

    /// The kernel's log, opened.
    pub fn kernel_log(&mut self) -> Result<File, ClientError> {
        self.open(&Request::KernelLog)
    }

    /// The kernel's table of symbols, opened.
    pub fn kernel_symbols(&mut self) -> Result<File, ClientError> {
        self.open(&Request::KernelSymbols)
    }

    /// The firmware's table about the machine, opened.
    pub fn firmware_table(&mut self) -> Result<File, ClientError> {
        self.open(&Request::FirmwareTable)
    }

    /// What the program of a process is; empty when the process is gone.
    pub fn executable(&mut self, pid: u32) -> Result<Executable, ClientError> {
        match self.ask(&Request::Executable { pid })? {
            (Answer::Executable(executable), _) => Ok(executable),
            _ => Err(ClientError::Answer),
        }
    }

    /// What the host keeps about earlier boots. `previous_boot` is the id of the boot before, empty when it is not known.
    pub fn past(&mut self, previous_boot: &str) -> Result<Past, ClientError> {
        let previous_boot = previous_boot.to_owned();
        match self.ask_for_work(&Request::Past { previous_boot })? {
            (Answer::Past(past), _) => Ok(*past),
            _ => Err(ClientError::Answer),
        }
    }

    /// Removes files of pstore.
    pub fn clear_past(&mut self, files: Vec<PathBuf>) -> Result<(), ClientError> {
        self.ask_to(&Request::ClearPast { files })
    }

    fn ask_to(&mut self, request: &Request) -> Result<(), ClientError> {
        match self.ask(request)? {
            (Answer::Done, _) => Ok(()),
            _ => Err(ClientError::Answer),
        }
    }

    fn open(&mut self, request: &Request) -> Result<File, ClientError> {
        match self.ask(request)? {
            (Answer::Done, Some(file)) => Ok(file.into()),
            _ => Err(ClientError::Answer),
        }
    }

    fn ask_for_work(&mut self, request: &Request) -> Result<(Answer, Option<OwnedFd>), ClientError> {
        self.set_patience(LONG_PATIENCE)?;
        let answer = self.ask(request);
        self.set_patience(PATIENCE)?;
        answer
    }

    fn set_patience(&self, patience: Duration) -> Result<(), ClientError> {
        let set = self.channel.set_patience(Some(patience));
        set.map_err(|error| ClientError::Channel(ChannelError::Io(error)))
    }

    fn ask(&mut self, request: &Request) -> Result<(Answer, Option<OwnedFd>), ClientError> {
        let bytes = serde_json::to_vec(request).map_err(|_error| ClientError::Answer)?;
        self.channel.send(&bytes, &[]).map_err(ClientError::Channel)?;
        let frame = self.channel.receive().map_err(ClientError::Channel)?;
        match serde_json::from_slice(&frame.bytes) {
            Ok(Answer::Refused(reason)) => Err(ClientError::Refused(reason)),
            Ok(answer) => Ok((answer, frame.descriptors.into_iter().next())),
            Err(_not_an_answer) => Err(ClientError::Answer),
        }
    }
}
