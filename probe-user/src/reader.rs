//! Reading what the attached programs send.

use std::{collections::BTreeMap, io, os::fd::OwnedFd, time::Duration};

use tokio::io::unix::AsyncFd;

use crate::{
    decode::{Decoder, Origin},
    event::Event,
    readable::readable,
    ring::{Ring, RingError},
    user_probe::UserProbe,
};

/// The most events that one call of [`Reader::next`] returns.
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
    /// The ring buffer cannot be read.
    #[error("read the ring buffer")]
    Ring(#[source] RingError),
}

/// Reads and decodes events. It needs the ring's descriptor and no privilege, so it can be in another process than the
/// [`crate::Probes`] that fill the ring.
#[derive(Debug)]
pub struct Reader {
    ring: AsyncFd<Ring>,
    record: Vec<u8>,
    decoder: Decoder,
}

impl Reader {
    /// Reads `ring`, whose data has `ring_bytes` bytes. Must be called inside a tokio runtime with I/O and time enabled.
    ///
    /// `probes` are those that the programs were attached with ([`crate::Options::probes`]).
    pub fn new(
        ring: OwnedFd,
        ring_bytes: u32,
        origins: BTreeMap<u16, Origin>,
        probes: &[UserProbe],
    ) -> Result<Self, ReadError> {
        let ring = Ring::open(ring, ring_bytes).map_err(ReadError::Ring)?;
        Ok(Self {
            ring: readable(ring).map_err(ReadError::Wait)?,
            record: Vec::new(),
            decoder: Decoder::new(origins, probes),
        })
    }

    /// More is attached now, see [`crate::Probes::attach_missing`].
    pub fn set_origins(&mut self, origins: BTreeMap<u16, Origin>) {
        self.decoder.set_origins(origins);
    }

    /// Waits for at least one event, then appends what is there, at most a bounded batch.
    ///
    /// Cancel-safe: an event is either appended or still in the ring buffer.
    pub async fn next(&mut self, events: &mut Vec<Event>) -> Result<(), ReadError> {
        loop {
            if self.read_available(events)? {
                return Ok(());
            }
            tokio::select! {
                // Readiness is cleared before the ring is drained, so what comes in between makes it ready again.
                ready = self.ring.readable_mut() => ready.map_err(ReadError::Wait)?.clear_ready(),
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Appends what is there now, at most a bounded batch; false when there was nothing.
    pub fn read_available(&mut self, events: &mut Vec<Event>) -> Result<bool, ReadError> {
        let ring = self.ring.get_mut();
        let mut taken = 0;
        while taken < MAX_BATCH && ring.next(&mut self.record).map_err(ReadError::Ring)? {
            events.extend(self.decoder.decode(&self.record));
            taken += 1;
        }
        Ok(taken > 0)
    }
}
