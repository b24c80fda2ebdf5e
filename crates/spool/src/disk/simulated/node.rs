//! A file or a directory of the simulated disk.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

/// What a device writes whole.
const SECTOR_BYTES: usize = 512;
/// What the kernel writes back whole, and gives files of the disk's space.
const BLOCK_BYTES: usize = 4096;

type Sector = [u8; SECTOR_BYTES];

#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) is_dir: bool,
    /// As the kernel has it.
    cache: Vec<u8>,
    /// As it is on the disk for certain.
    durable: Vec<u8>,
    /// What sectors have held since they were last on the disk for certain, in order.
    states: BTreeMap<usize, Vec<Sector>>,
    /// What the size has been since, in order.
    sizes: Vec<usize>,
    /// Blocks that the next sync writes.
    dirty: BTreeSet<usize>,
}

impl Node {
    pub(super) fn directory() -> Self {
        Self {
            is_dir: true,
            ..Self::default()
        }
    }

    /// A file that is on the disk.
    pub(super) fn holding(bytes: Vec<u8>) -> Self {
        Self {
            durable: bytes.clone(),
            cache: bytes,
            ..Self::default()
        }
    }

    pub(super) fn contents(&self) -> &[u8] {
        &self.cache
    }

    /// What it takes of the disk's space.
    pub(super) fn blocks_bytes(&self) -> u64 {
        (self.cache.len().div_ceil(BLOCK_BYTES) * BLOCK_BYTES) as u64
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        let offset = usize::try_from(offset).expect("a small file");
        let end = offset + bytes.len();
        if bytes.is_empty() {
            return;
        }
        if end > self.cache.len() {
            self.resize(end as u64);
        }
        self.cache[offset..end].copy_from_slice(bytes);
        self.changed(offset, end);
    }

    pub(super) fn resize(&mut self, bytes: u64) {
        let (from, to) = (self.cache.len(), usize::try_from(bytes).expect("a small file"));
        if from == to {
            return;
        }
        self.cache.resize(to, 0);
        self.sizes.push(to);
        // The rest of the last sector reads as zeros when the file grows again, and so does all that was cut off.
        self.changed(from.min(to), from.max(to));
    }

    /// Everything is on the disk.
    pub(super) fn settle(&mut self) {
        self.durable.clone_from(&self.cache);
        self.states.clear();
        self.sizes.clear();
        self.dirty.clear();
    }

    /// Writes the dirty blocks, and the size.
    pub(super) fn sync(&mut self) {
        self.durable.resize(self.cache.len(), 0);
        self.sizes.clear();
        let dirty = std::mem::take(&mut self.dirty);
        let written = self
            .states
            .extract_if(.., |sector, _| dirty.contains(&block_of(*sector)));
        for (sector, mut states) in written {
            if let Some(last) = states.pop() {
                put(&mut self.durable, sector, &last);
            }
        }
    }

    /// The kernel forgets that they are dirty, whatever it has written, and may read them again.
    pub(super) fn fail_sync(&mut self, random: &mut Rng) {
        let dirty = std::mem::take(&mut self.dirty);
        let reads_again = random.bool();
        if !reads_again {
            return;
        }
        let dropped = self
            .states
            .extract_if(.., |sector, _| dirty.contains(&block_of(*sector)));
        for (sector, states) in dropped {
            let on_disk = choose(&self.durable, sector, &states, random);
            put(&mut self.durable, sector, &on_disk);
            put(&mut self.cache, sector, &on_disk);
        }
    }

    pub(super) fn lose_power(&mut self, random: &mut Rng) {
        let size = random.usize(..=self.sizes.len());
        // Zero stands for the size that was there before.
        let size = match size.checked_sub(1) {
            Some(index) => self.sizes[index],
            None => self.durable.len(),
        };
        let mut found = self.durable.clone();
        let end = self.states.keys().next_back().map_or(0, |last| last + 1) * SECTOR_BYTES;
        found.resize(found.len().max(size).max(end), 0);
        // Now and then none or all of it has reached the disk.
        let (none, all) = (random.u8(..) < 32, random.u8(..) < 32);
        for (sector, states) in &self.states {
            let on_disk = match states.last() {
                Some(last) if all => *last,
                _ if none => continue,
                _ => choose(&self.durable, *sector, states, random),
            };
            put(&mut found, *sector, &on_disk);
        }
        found.truncate(size);
        self.cache = found;
        self.settle();
    }

    /// Notes what the sectors of a range hold now.
    fn changed(&mut self, from: usize, to: usize) {
        for sector in from / SECTOR_BYTES..to.div_ceil(SECTOR_BYTES) {
            let now = get(&self.cache, sector);
            self.states.entry(sector).or_default().push(now);
            self.dirty.insert(block_of(sector));
        }
    }
}

fn block_of(sector: usize) -> usize {
    sector * SECTOR_BYTES / BLOCK_BYTES
}

/// One of the states of a sector: on the disk for certain, or since.
fn choose(durable: &[u8], sector: usize, states: &[Sector], random: &mut Rng) -> Sector {
    match random.usize(..=states.len()).checked_sub(1) {
        Some(index) => states[index],
        None => get(durable, sector),
    }
}

/// A sector; what lies past the end reads as zeros.
fn get(bytes: &[u8], sector: usize) -> Sector {
    let mut found = [0; SECTOR_BYTES];
    let from = (sector * SECTOR_BYTES).min(bytes.len());
    let to = (from + SECTOR_BYTES).min(bytes.len());
    found[..to - from].copy_from_slice(&bytes[from..to]);
    found
}

/// Puts a sector where it belongs, as far as there is room.
fn put(bytes: &mut [u8], sector: usize, held: &Sector) {
    let from = (sector * SECTOR_BYTES).min(bytes.len());
    let to = (from + SECTOR_BYTES).min(bytes.len());
    bytes[from..to].copy_from_slice(&held[..to - from]);
}
