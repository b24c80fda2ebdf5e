//! The attached programs. What they send is read by a [`Reader`], in this process or another.

use std::{
    collections::BTreeMap,
    fmt,
    os::fd::{AsFd as _, BorrowedFd},
    sync::Arc,
};

use aya::maps::{MapData, PerCpuArray};
use aya_log::EbpfLogger;
use log::Log;
use probe_common::Counters;
use serde::{Deserialize, Serialize};

use crate::{
    attach::{self, AttachError, Attached, Options, Signs, Slots},
    decode::Origin,
    event::Attach,
    reader::{ReadError, Reader},
    user_probe::UserProbe,
};

/// One hook on this kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookState {
    /// The hook, see [`crate::hook`].
    pub hook: Arc<str>,
    /// How it is attached; `None` when it is not.
    pub attach: Option<Attach>,
    /// Why it is not attached and, where somebody can change that, how; or which better ways failed and why; empty when
    /// the first way worked.
    pub reason: String,
    /// Events sent since attaching.
    pub events: u64,
    /// Events lost since attaching because the ring buffer was full.
    pub lost: u64,
    /// Events since attaching that the kernel only counted, because they came too fast: see
    /// [`crate::catalogue::Storm`].
    pub limited: u64,
    /// The kernel's number of its program, see [`crate::cost`]; `None` when it is not attached.
    pub program: Option<u32>,
}

/// The attached programs. Dropping it detaches them.
pub struct Probes {
    /// By hook; holds the links.
    hooks: Vec<Attached>,
    slots: Slots,
    signs: Option<Signs>,
    configured: Vec<UserProbe>,
    ring: MapData,
    ring_bytes: u32,
    counters: PerCpuArray<MapData, [u8; Counters::SIZE]>,
    logger: Option<EbpfLogger<&'static dyn Log>>,
}

impl Probes {
    /// Loads the object and attaches every hook that this kernel allows. Takes some tenths of a second.
    pub fn attach(options: &Options) -> Result<Self, AttachError> {
        let loaded = attach::attach(options)?;
        Ok(Self {
            hooks: loaded.hooks,
            slots: loaded.slots,
            signs: loaded.signs,
            configured: options.probes.clone(),
            ring: loaded.ring,
            ring_bytes: loaded.ring_bytes,
            counters: loaded.counters,
            logger: loaded.logger,
        })
    }

    /// Every hook, attached or not, with its counters, and behind them the programs of hindsight, which count nothing. What the programs logged is logged.
    pub fn states(&mut self) -> Vec<HookState> {
        if let Some(logger) = &mut self.logger {
            logger.flush();
        }
        self.rows()
            .map(|(attached, counters)| HookState {
                hook: Arc::clone(&attached.name),
                attach: attached.attach,
                reason: attached.reason.clone(),
                events: counters.events,
                lost: counters.lost,
                limited: counters.limited,
                program: attached.program,
            })
            .collect()
    }

    /// Attaches to tracepoints that modules have brought since; true when there was one: then [`Probes::origins`] has
    /// more. Cheap while the number of modules stays the same: meant to be called every few seconds.
    ///
    /// A module whose tracepoint is watched cannot be unloaded (`perf_trace_event_open` of
    /// `kernel/trace/trace_event_perf.c` holds it).
    pub fn attach_missing(&mut self) -> bool {
        self.slots.attach_missing(&mut self.hooks)
    }

    /// The ring buffer, for a [`Reader`]. Only one may read it.
    pub fn ring(&self) -> BorrowedFd<'_> {
        self.ring.fd().as_fd()
    }

    /// Size of the ring's data, bytes.
    pub fn ring_bytes(&self) -> u32 {
        self.ring_bytes
    }

    /// The map of [`Options::hindsight`], and how many signs it has room for: what [`Hindsight::open`] takes.
    ///
    /// [`Hindsight::open`]: crate::hindsight::Hindsight::open
    pub fn signs(&self) -> Option<(BorrowedFd<'_>, u32)> {
        let signs = self.signs.as_ref()?;
        Some((signs.map.fd().as_fd(), signs.room))
    }

    /// Where events come from, by the number in their header.
    pub fn origins(&self) -> BTreeMap<u16, Origin> {
        let attached = self.hooks.iter().filter_map(|hook| {
            let origin = Origin {
                hook: Arc::clone(&hook.name),
                attach: hook.attach?,
                record: hook.record.clone(),
            };
            Some((hook.number, origin))
        });
        attached.collect()
    }

    /// A reader in this process. Must be called inside a tokio runtime with I/O and time enabled.
    pub fn reader(&self) -> Result<Reader, ReadError> {
        let ring = self.ring().try_clone_to_owned().map_err(ReadError::Wait)?;
        Reader::new(ring, self.ring_bytes, self.origins(), &self.configured)
    }

    fn rows(&self) -> impl Iterator<Item = (&Attached, Counters)> {
        let hooks = self.hooks.iter().map(|attached| {
            let counted = attached.attach.map(|_| self.counters(u32::from(attached.number)));
            (attached, counted.unwrap_or_default())
        });
        let signs = self.signs.iter().flat_map(|signs| &signs.rows);
        hooks.chain(signs.map(|row| (row, Counters::default())))
    }

    /// The counters of a hook, summed over CPUs.
    fn counters(&self, hook: u32) -> Counters {
        let per_cpu = match self.counters.get(&hook, 0) {
            Ok(per_cpu) => per_cpu,
            Err(error) => {
                tracing::warn!(hook, %error, "the loss counters cannot be read");
                return Counters::default();
            }
        };
        per_cpu
            .iter()
            .filter_map(|bytes| Counters::decode(bytes))
            .fold(Counters::default(), |sum, cpu| Counters {
                events: sum.events.wrapping_add(cpu.events),
                lost: sum.lost.wrapping_add(cpu.lost),
                limited: sum.limited.wrapping_add(cpu.limited),
            })
    }
}

impl fmt::Debug for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probes")
            .field("hooks", &self.hooks.len())
            .field("ring_bytes", &self.ring_bytes)
            .finish_non_exhaustive()
    }
}
