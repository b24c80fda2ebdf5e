//! Objects in memory, allocations, and the out-of-memory killer.

/// The object that a bad access hit or missed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct MemoryObject {
    /// Where it begins.
    pub address: Option<u64>,
    /// The cache it is from: `kmalloc-64`.
    pub cache: Option<String>,
    /// Bytes it has.
    pub size: Option<u64>,
    /// Where the access was.
    pub place: Option<Place>,
    /// How far from the object's start (inside), from its end (right) or before its start (left) the access was, in bytes.
    pub distance: Option<u64>,
    /// Whether it was freed at that time, when printed.
    pub freed: Option<bool>,
}

names! {
    /// Where an access was, seen from an object.
    Place {
        /// Before its first byte.
        Left = "left": "before the object",
        /// Inside.
        Inside = "inside": "inside of the object",
        /// After its last byte.
        Right = "right": "behind the object",
    }
}

/// An allocation that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Allocation {
    /// Two to this power pages.
    pub order: Option<u32>,
    /// The mask of GFP flags.
    pub gfp_mask: Option<u64>,
    /// The names of the flags as printed.
    pub gfp_flags: Vec<String>,
}

/// What the out-of-memory killer did.
///
/// ```
/// let report = faults::parse(
///     "Memory cgroup out of memory: Killed process 77 (my db) total-vm:2260kB, anon-rss:1200kB, file-rss:0kB, \
///      shmem-rss:0kB, UID:5 pgtables:44kB oom_score_adj:0\n",
/// );
/// let victim = report.unwrap().oom.unwrap().victim.unwrap();
/// assert_eq!((victim.comm.as_str(), victim.uid, victim.anon_rss_kib), ("my db", Some(5), Some(1200)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct OomKill {
    /// What limits the memory: `CONSTRAINT_NONE`, `CONSTRAINT_MEMCG`, ...
    pub constraint: Option<String>,
    /// The memory control group whose limit was reached.
    pub memcg: Option<String>,
    /// The memory control group of the victim.
    pub victim_memcg: Option<String>,
    /// `oom_score_adj` of the task that asked for memory.
    pub asker_score_adj: Option<i32>,
    /// Who was killed.
    pub victim: Option<Victim>,
}

/// The process that was killed for its memory; sizes in KiB.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Victim {
    /// Its process number.
    pub pid: u32,
    /// Its name.
    pub comm: String,
    /// Its user.
    pub uid: Option<u32>,
    /// Address space.
    pub total_vm_kib: Option<u64>,
    /// Resident anonymous memory.
    pub anon_rss_kib: Option<u64>,
    /// Resident file memory.
    pub file_rss_kib: Option<u64>,
    /// Resident shared memory.
    pub shmem_rss_kib: Option<u64>,
    /// Page tables.
    pub page_tables_kib: Option<u64>,
    /// Its `oom_score_adj`.
    pub score_adj: Option<i32>,
}
