//! The attached programs, and reading what they send.

use std::{collections::HashMap, fmt, io, sync::Arc, time::Duration};

use aya::maps::{MapData, PerCpuArray, RingBuf};
use aya_log::EbpfLogger;
use log::Log;
use probe_common::Counters;
use tokio::io::unix::AsyncFd;

use crate::{
    attach::{self, AttachError, Attached, Options},
    decode::{Decoder, Source},
    event::{Attach, Event},
    readable::readable,
};

/// The most events that one call of [`Probes::next`] returns.
const MAX_BATCH: usize = 256;

/// How often the ring buffer is looked at unasked. The kernel wakes its reader from an interrupt, which a CPU that is
/// busy dying does not take any more; another CPU still finds what it wrote. Printing an oops to a serial console takes
/// seconds, and waking up more often would be most of what an idle agent does.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Why reading stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Waiting for the ring buffer failed.
    #[error("wait for the ring buffer")]
    Wait(#[source] io::Error),
}

/// One hook on this kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

/// Events of one hook that the ring buffer had no room for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookLoss {
    /// The hook, see [`crate::hook`].
    pub hook: Arc<str>,
    /// Cumulative since attaching, over all CPUs.
    pub lost: u64,
}

/// The attached programs. Dropping it detaches them.
pub struct Probes {
    /// By hook; holds the links.
    hooks: Vec<Attached>,
    ring: AsyncFd<RingBuf<MapData>>,
    counters: PerCpuArray<MapData, [u8; Counters::SIZE]>,
    logger: Option<EbpfLogger<&'static dyn Log>>,
    decoder: Decoder,
}

impl Probes {
    /// Loads the object and attaches every hook that this kernel allows. Takes some tenths of a second.
    ///
    /// Must be called inside a tokio runtime with I/O and time enabled.
    pub fn attach(options: &Options) -> Result<Self, AttachError> {
        let loaded = attach::attach(options)?;
        Ok(Self {
            decoder: Decoder::new(sources(&loaded.hooks)),
            hooks: loaded.hooks,
            ring: readable(loaded.ring).map_err(AttachError::Wait)?,
            counters: loaded.counters,
            logger: loaded.logger,
        })
    }

    /// Every hook, attached or not, with its counters.
    pub fn states(&self) -> Vec<HookState> {
        self.rows()
            .map(|(attached, counters)| HookState {
                hook: Arc::clone(&attached.name),
                attach: attached.attach,
                reason: attached.reason.clone(),
                events: counters.events,
                lost: counters.lost,
            })
            .collect()
    }

    /// Waits for at least one event, then appends what is there, at most a bounded batch.
    ///
    /// Cancel-safe: an event is either appended or still in the ring buffer.
    pub async fn next(&mut self, events: &mut Vec<Event>) -> Result<(), ReadError> {
        loop {
            if let Some(logger) = &mut self.logger {
                logger.flush();
            }
            if self.drain(events) {
                return Ok(());
            }
            tokio::select! {
                // Readiness is cleared before the ring is drained, so what comes in between makes it ready again.
                ready = self.ring.readable_mut() => ready.map_err(ReadError::Wait)?.clear_ready(),
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// The loss counters alone.
    pub fn losses(&self) -> Vec<HookLoss> {
        self.rows()
            .map(|(attached, counters)| HookLoss {
                hook: Arc::clone(&attached.name),
                lost: counters.lost,
            })
            .collect()
    }

    /// Appends a batch; false when there was nothing.
    fn drain(&mut self, events: &mut Vec<Event>) -> bool {
        let ring = self.ring.get_mut();
        let mut taken = 0;
        while taken < MAX_BATCH
            && let Some(entry) = ring.next()
        {
            events.push(self.decoder.decode(&entry));
            taken += 1;
        }
        taken > 0
    }

    fn rows(&self) -> impl Iterator<Item = (&Attached, Counters)> {
        self.hooks
            .iter()
            .map(|attached| (attached, self.counters(u32::from(attached.number))))
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
            })
    }
}

/// Where events come from, by number.
fn sources(hooks: &[Attached]) -> HashMap<u16, Source> {
    let attached = hooks.iter().filter_map(|hook| {
        let source = Source {
            hook: Arc::clone(&hook.name),
            attach: hook.attach?,
        };
        Some((hook.number, source))
    });
    attached.collect()
}

impl fmt::Debug for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probes")
            .field("states", &self.states())
            .finish_non_exhaustive()
    }
}
