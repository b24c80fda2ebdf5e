//! Records and bytes that may come in a window: full at first, and filling evenly over the window.

/// How much may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Records in a window. At least 1.
    pub records: u64,
    /// Their bytes in a window. At least 1.
    pub bytes: u64,
    /// Length of the window, milliseconds. At least 1.
    pub window_ms: u64,
}

/// What is left. The unit is a millisecond's worth: `window_ms` of them are one record or one byte, and each millisecond
/// one comes back for each record or byte of the limit.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    records: u128,
    bytes: u128,
    at_ms: u64,
}

/// Nothing is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// When there will be room for it, seconds from now; at least 1.
    pub retry_s: u64,
}

impl Bucket {
    /// A full one.
    pub fn full(limit: Limit, now_ms: u64) -> Self {
        let window = u128::from(limit.window_ms);
        Self {
            records: u128::from(limit.records) * window,
            bytes: u128::from(limit.bytes) * window,
            at_ms: now_ms,
        }
    }

    /// When it was last asked, milliseconds since boot.
    pub fn asked_ms(&self) -> u64 {
        self.at_ms
    }

    /// Takes a record of `bytes` bytes, if as much is left at `now_ms`. A clock that goes back gives and takes nothing.
    pub fn take(&mut self, limit: Limit, bytes: usize, now_ms: u64) -> Result<(), Exceeded> {
        let window = u128::from(limit.window_ms);
        let refill = [u128::from(limit.records), u128::from(limit.bytes)];
        let passed = u128::from(now_ms.saturating_sub(self.at_ms));
        self.at_ms = self.at_ms.max(now_ms);
        self.records = (self.records + passed * refill[0]).min(refill[0] * window);
        self.bytes = (self.bytes + passed * refill[1]).min(refill[1] * window);
        let cost = [window, bytes as u128 * window];
        let wait_ms = [
            cost[0].saturating_sub(self.records).div_ceil(refill[0]),
            cost[1].saturating_sub(self.bytes).div_ceil(refill[1]),
        ];
        let wait_ms = wait_ms[0].max(wait_ms[1]);
        if wait_ms > 0 {
            return Err(Exceeded {
                retry_s: u64::try_from(wait_ms.div_ceil(1000)).unwrap_or(u64::MAX),
            });
        }
        self.records -= cost[0];
        self.bytes -= cost[1];
        Ok(())
    }
}
