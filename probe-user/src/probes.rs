//! Loading, attaching and reading the programs.

use std::path::PathBuf;

use crate::event::{Attach, Event};

/// How to attach.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The object file; `None` is the one built into this binary.
    pub object: Option<PathBuf>,
    /// Size of the ring buffer in bytes, a power of two and a multiple of the page size; 0 keeps the object's own size.
    pub ring_bytes: u32,
    /// Hooks (names of [`crate::hook`]) to leave alone.
    pub disable: Vec<String>,
}

/// Why no program could be loaded at all. A single hook that fails is not an error but a [`HookState`].
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// This binary was built without the object and none was given.
    #[error("this build holds no eBPF object: run `cargo xtask build-ebpf` and build again")]
    NoObject,
}

/// Why reading stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Waiting for the ring buffer failed.
    #[error("wait for the ring buffer")]
    Wait(#[source] std::io::Error),
}

/// One hook on this kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookState {
    /// The hook, see [`crate::hook`].
    pub hook: &'static str,
    /// How it is attached; `None` when it is not.
    pub attach: Option<Attach>,
    /// Why it is not attached, or which better ways failed and why; empty when the first way worked.
    pub reason: String,
    /// Events sent since attaching.
    pub events: u64,
    /// Events lost since attaching because the ring buffer was full.
    pub lost: u64,
}

/// Events of one hook that the ring buffer had no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookLoss {
    /// The hook, see [`crate::hook`].
    pub hook: &'static str,
    /// Cumulative since attaching, over all CPUs.
    pub lost: u64,
}

/// The attached programs. Dropping it detaches them.
#[derive(Debug)]
pub struct Probes {}

impl Probes {
    /// Loads the object and attaches every hook that this kernel allows.
    ///
    /// Must be called inside a tokio runtime with I/O and time enabled.
    pub fn attach(_options: &Options) -> Result<Self, AttachError> {
        Err(AttachError::NoObject)
    }

    /// Every hook, attached or not, with its counters.
    pub fn states(&self) -> Vec<HookState> {
        Vec::new()
    }

    /// Waits for at least one event, then appends what is there, at most a bounded batch.
    ///
    /// Cancel-safe: an event is either appended or still in the ring buffer.
    pub async fn next(&mut self, _events: &mut Vec<Event>) -> Result<(), ReadError> {
        std::future::pending().await
    }

    /// The loss counters alone.
    pub fn losses(&self) -> Vec<HookLoss> {
        Vec::new()
    }
}
