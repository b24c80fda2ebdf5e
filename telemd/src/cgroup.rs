//! Paths of cgroups from their ids.
//!
//! The id of a cgroup is the inode number of its directory (`kernel/cgroup/cgroup.c`: `cgroup_id`, `fs/kernfs`, 64-bit
//! kernels since 5.5), and is not given to another one in the same boot. The kernel has no way from one to the other
//! that takes no capability, so the directories are walked, when a fault asks for one that is not known yet: hosts have
//! some hundred cgroups, and a walk over them takes about a millisecond.

use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::DirEntryExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::container;

/// The most directories that one walk looks at; the kernel allows 65,535 memory cgroups (`MEM_CGROUP_ID_MAX`).
const MAX_DIRECTORIES: usize = 1 << 16;
/// How deep a walk goes.
const MAX_DEPTH: usize = 64;
/// Longest path, bytes: the limit of the wire format.
const MAX_PATH: usize = 1024;
/// Cgroups that are remembered, those that were not found too.
const MAX_KNOWN: usize = 256;
/// One that was not found is not looked for again for this long, so that a storm of faults of a cgroup that is gone
/// does not walk each time. Nanoseconds.
const ABSENT_NS: u64 = 10_000_000_000;
/// The id of the root of every hierarchy (`fs/kernfs/dir.c`: `kernfs_create_root`, the first one given out).
const ROOT: u64 = 1;

/// A cgroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    /// The path below the root of its hierarchy, with a leading `/`; bytes that are no UTF-8 are replaced.
    pub path: String,
    /// The container, see [`container::id`].
    pub container_id: Option<String>,
}

/// The hierarchies of this host.
#[derive(Debug)]
pub struct Cgroups {
    unified: Hierarchy,
    /// That of the memory controller, where version 1 still has it.
    memory: Option<Hierarchy>,
}

impl Cgroups {
    /// The hierarchies mounted below `root`, which is `/sys/fs/cgroup`: version 2 at `root` or `root/unified`, the
    /// memory controller of version 1 at `root/memory`.
    pub fn new(root: &Path) -> Self {
        let hybrid = root.join("unified");
        let memory = root.join("memory");
        // `cgroup.procs` is in every cgroup of either version.
        let is_cgroup = |path: &Path| path.join("cgroup.procs").exists();
        Self {
            memory: is_cgroup(&memory).then(|| Hierarchy::new(memory)),
            unified: Hierarchy::new(if is_cgroup(&hybrid) {
                hybrid
            } else {
                root.to_owned()
            }),
        }
    }

    /// The cgroup of version 2 with this id; `None` for the root, or when there is none (any more).
    pub fn unified(&mut self, id: u64, now_ns: u64) -> Option<Arc<Cgroup>> {
        self.unified.get(id, now_ns)
    }

    /// The cgroup whose memory is counted that has this id.
    pub fn memory(&mut self, id: u64, now_ns: u64) -> Option<Arc<Cgroup>> {
        self.memory.as_mut().unwrap_or(&mut self.unified).get(id, now_ns)
    }
}

/// One hierarchy and what was found in it.
#[derive(Debug)]
struct Hierarchy {
    root: PathBuf,
    /// Oldest first.
    known: VecDeque<Known>,
}

#[derive(Debug)]
struct Known {
    id: u64,
    cgroup: Option<Arc<Cgroup>>,
    /// When it was looked for, nanoseconds since boot.
    at_ns: u64,
}

impl Hierarchy {
    fn new(root: PathBuf) -> Self {
        Self {
            root,
            known: VecDeque::new(),
        }
    }

    fn get(&mut self, id: u64, now_ns: u64) -> Option<Arc<Cgroup>> {
        if id <= ROOT {
            return None;
        }
        if let Some(index) = self.known.iter().position(|known| known.id == id) {
            let known = self.known.get(index)?;
            if known.cgroup.is_some() || now_ns.saturating_sub(known.at_ns) < ABSENT_NS {
                return known.cgroup.clone();
            }
            self.known.remove(index);
        }
        let found = find(&self.root, id).map(|path| {
            Arc::new(Cgroup {
                container_id: container::id(&path),
                path,
            })
        });
        if self.known.len() == MAX_KNOWN {
            self.known.pop_front();
        }
        self.known.push_back(Known {
            id,
            cgroup: found.clone(),
            at_ns: now_ns,
        });
        found
    }
}

/// Walks from `root` to the directory with inode number `id`. What cannot be read is passed over: cgroups come and go.
fn find(root: &Path, id: u64) -> Option<String> {
    let mut left = MAX_DIRECTORIES;
    let mut waiting = vec![(root.to_owned(), 0)];
    while let Some((folder, depth)) = waiting.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            left = left.checked_sub(1)?;
            if entry.ino() == id {
                return below(root, &entry.path());
            }
            if depth < MAX_DEPTH {
                waiting.push((entry.path(), depth + 1));
            }
        }
    }
    None
}

fn below(root: &Path, path: &Path) -> Option<String> {
    let path = path.strip_prefix(root).ok()?.to_string_lossy();
    (path.len() < MAX_PATH).then(|| format!("/{path}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    const ID: &str = "3f4b0c1de9a27a6b0c8d4f5e6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f7";

    /// Folders that look like a hierarchy, and the id of each.
    fn make(root: &Path, paths: &[&str]) -> Vec<u64> {
        fs::create_dir_all(root).unwrap();
        fs::write(root.join("cgroup.procs"), "").unwrap();
        let id = |path: &&str| {
            fs::create_dir_all(root.join(path)).unwrap();
            fs::metadata(root.join(path)).unwrap().ino()
        };
        paths.iter().map(id).collect()
    }

    fn path(cgroup: Option<Arc<Cgroup>>) -> Option<String> {
        cgroup.map(|cgroup| cgroup.path.clone())
    }

    #[test]
    fn an_id_becomes_a_path_and_a_container() {
        let dir = tempfile::tempdir().unwrap();
        let docker = format!("system.slice/docker-{ID}.scope");
        let ids = make(dir.path(), &["system.slice/app.service", &docker]);
        let mut cgroups = Cgroups::new(dir.path());
        let app = cgroups.unified(ids[0], 1).unwrap();
        assert_eq!(
            (app.path.as_str(), app.container_id.as_deref()),
            ("/system.slice/app.service", None)
        );
        assert_eq!(
            cgroups.memory(ids[1], 1).unwrap().container_id.as_deref(),
            Some(ID)
        );
        // It is remembered when it is gone.
        fs::remove_dir(dir.path().join("system.slice/app.service")).unwrap();
        assert_eq!(cgroups.unified(ids[0], 2), Some(app));
    }

    #[test]
    fn memory_has_a_hierarchy_of_its_own_on_hosts_with_version_1() {
        let dir = tempfile::tempdir().unwrap();
        let unified = make(&dir.path().join("unified"), &["a"]);
        let memory = make(&dir.path().join("memory"), &["b"]);
        let mut cgroups = Cgroups::new(dir.path());
        assert_eq!(path(cgroups.unified(unified[0], 1)).as_deref(), Some("/a"));
        assert_eq!(path(cgroups.memory(memory[0], 1)).as_deref(), Some("/b"));
        assert_eq!(cgroups.unified(memory[0], 1), None);
    }

    #[test]
    fn one_that_is_not_there_is_looked_for_again_after_a_while() {
        let dir = tempfile::tempdir().unwrap();
        let away = tempfile::tempdir_in(dir.path().parent().unwrap()).unwrap();
        let id = make(away.path(), &["late"])[0];
        make(dir.path(), &[]);
        let mut cgroups = Cgroups::new(dir.path());
        assert_eq!(cgroups.unified(id, 5), None);
        fs::rename(away.path().join("late"), dir.path().join("late")).unwrap();
        assert_eq!(cgroups.unified(id, 4 + ABSENT_NS), None);
        assert_eq!(path(cgroups.unified(id, 5 + ABSENT_NS)).as_deref(), Some("/late"));
    }

    #[test]
    fn the_root_and_no_cgroup_have_no_path_and_memory_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let ids = make(dir.path(), &["a"]);
        let mut cgroups = Cgroups::new(dir.path());
        assert_eq!((cgroups.unified(0, 1), cgroups.unified(ROOT, 1)), (None, None));
        for id in 0..2 * MAX_KNOWN as u64 {
            cgroups.unified(u64::MAX - id, 1);
        }
        assert!(cgroups.unified(ids[0], 1).is_some());
        assert_eq!(cgroups.unified.known.len(), MAX_KNOWN);
        assert_eq!(Cgroups::new(Path::new("/nonexistent")).unified(7, 1), None);
    }

    #[test]
    fn a_path_that_is_too_long_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let component = "a".repeat(200);
        let long = [component.as_str(); 6].join("/");
        let id = make(dir.path(), &[&long])[0];
        assert_eq!(Cgroups::new(dir.path()).unified(id, 1), None);
    }
}
