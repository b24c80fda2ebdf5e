//! What is on the disk, and what the kernel has of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use rustix::io::Errno;

use super::{Fault, node::Node};

#[derive(Debug)]
pub(super) struct State {
    pub(super) random: Rng,
    pub(super) nodes: Vec<Node>,
    pub(super) names: BTreeMap<PathBuf, Id>,
    /// The names that are on the disk.
    pub(super) durable: BTreeMap<PathBuf, Id>,
    /// What makes `names` of `durable`, in order.
    pub(super) unsynced: Vec<Change>,
    /// Calls to go until the fault. Only calls that change something count.
    pub(super) planned: Option<(u32, Fault)>,
    /// The process is dead: every call fails.
    pub(super) dead: bool,
    /// What files may take together, bytes.
    pub(super) capacity: u64,
    pub(super) read_only: bool,
    pub(super) bytes_read: u64,
}

pub(super) type Id = usize;

impl State {
    /// An empty disk.
    pub(super) fn new(seed: u64) -> Self {
        let mut state = Self {
            random: Rng::with_seed(seed),
            nodes: Vec::new(),
            names: BTreeMap::new(),
            durable: BTreeMap::new(),
            unsynced: Vec::new(),
            planned: None,
            dead: false,
            capacity: u64::MAX,
            read_only: false,
            bytes_read: 0,
        };
        state.add(Path::new("/"), Node::directory());
        state.settle();
        state
    }

    /// Stands before each call that changes something. `Some`: it has to do part of its work and then answer this.
    pub(super) fn reach(&mut self) -> Result<Option<io::Error>, io::Error> {
        self.live()?;
        if self.read_only {
            return Err(Errno::ROFS.into());
        }
        let Some((calls, fault)) = self.planned else {
            return Ok(None);
        };
        if let Some(calls) = calls.checked_sub(1) {
            self.planned = Some((calls, fault));
            return Ok(None);
        }
        self.planned = None;
        Ok(Some(match fault {
            Fault::Errno(errno, more) => {
                let more = more.checked_sub(1);
                self.planned = more.map(|more| (0, Fault::Errno(errno, more)));
                errno.into()
            }
            Fault::Crash => {
                self.dead = true;
                io::Error::other("the process is dead")
            }
        }))
    }

    pub(super) fn live(&self) -> io::Result<()> {
        if self.dead {
            return Err(io::Error::other("the process is dead"));
        }
        Ok(())
    }

    /// Stands before a call that is done or not.
    pub(super) fn reach_whole(&mut self) -> io::Result<()> {
        match self.reach()? {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    pub(super) fn used(&self) -> u64 {
        self.names.values().map(|id| self.nodes[*id].blocks_bytes()).sum()
    }

    /// Refuses what would need more than there is. `id` grows to `bytes`.
    pub(super) fn check_space(&self, id: Id, bytes: u64) -> io::Result<()> {
        let node = &self.nodes[id];
        let more = bytes.saturating_sub(node.blocks_bytes());
        if more > 0 && self.used().saturating_add(more) > self.capacity {
            return Err(Errno::NOSPC.into());
        }
        Ok(())
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<Id> {
        self.live()?;
        self.names.get(path).copied().ok_or_else(|| Errno::NOENT.into())
    }

    pub(super) fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.unsynced.push(change);
    }

    pub(super) fn add(&mut self, path: &Path, node: Node) -> Id {
        let id = self.nodes.len();
        self.nodes.push(node);
        let path = path.to_owned();
        self.change(Change::Add { path, id });
        id
    }

    pub(super) fn settle(&mut self) {
        self.unsynced.clear();
        self.durable = self.names.clone();
        for node in &mut self.nodes {
            node.settle();
        }
    }

    pub(super) fn lose_power(&mut self, seed: u64) {
        self.random = Rng::with_seed(seed);
        let ordered = self.random.bool();
        let first_few = self.random.usize(..=self.unsynced.len());
        for (index, change) in std::mem::take(&mut self.unsynced).into_iter().enumerate() {
            let is_there = if ordered {
                index < first_few
            } else {
                self.random.bool()
            };
            if is_there {
                change.apply(&mut self.durable);
            }
        }
        self.names = self.durable.clone();
        // What is in a directory that is not there is not there either.
        let names = &self.names;
        let reachable: BTreeSet<PathBuf> = names
            .keys()
            .filter(|path| path.ancestors().all(|above| names.contains_key(above)))
            .cloned()
            .collect();
        self.names.retain(|path, _| reachable.contains(path));
        for node in &mut self.nodes {
            node.lose_power(&mut self.random);
        }
        (self.planned, self.dead) = (None, false);
        self.settle();
    }
}

/// A change of names.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Add { path: PathBuf, id: Id },
    Move { from: PathBuf, to: PathBuf, id: Id },
    Remove { path: PathBuf },
}

impl Change {
    pub(super) fn is_in(&self, dir: &Path) -> bool {
        match self {
            Self::Add { path, .. } | Self::Remove { path } => path.parent() == Some(dir),
            Self::Move { from, to, .. } => from.parent() == Some(dir) || to.parent() == Some(dir),
        }
    }

    pub(super) fn apply(&self, names: &mut BTreeMap<PathBuf, Id>) {
        match self {
            Self::Add { path, id } => {
                names.insert(path.clone(), *id);
            }
            Self::Move { from, to, id } => {
                names.remove(from);
                names.insert(to.clone(), *id);
            }
            Self::Remove { path } => {
                names.remove(path);
            }
        }
    }
}
