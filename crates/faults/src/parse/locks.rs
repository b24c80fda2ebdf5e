//! Locks that are held or wanted, as the lock validator prints them (`kernel/locking/lockdep.c`).

use super::frame;
use super::pattern::find;
use crate::bytes::contains;
use crate::report::{HeldLocks, Lock, LockConflict};

/// Tasks whose locks are kept; a report of hung tasks shows those of the whole system.
const TASKS_MAX: usize = 64;
/// Locks kept of one task: `MAX_LOCK_DEPTH` (`include/linux/sched.h`).
const LOCKS_MAX: usize = 48;

/// What the next line with a lock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Wanted,
    Held,
}

/// Collects locks.
#[derive(Debug, Default)]
pub(crate) struct LockReader {
    pub(crate) held: Vec<HeldLocks>,
    conflict: LockConflict,
    next: Option<Next>,
    /// The lines that follow are of the last task in `held`.
    listing: bool,
}

impl LockReader {
    /// Reads a line without leading spaces; true when it is about locks.
    pub(crate) fn line(&mut self, line: &str) -> bool {
        if let Some(next) = self.next {
            if line.is_empty() {
                return false;
            }
            // An inlined callee's line may come before the lock's own.
            if let Some(lock) = lock(line) {
                let place = match next {
                    Next::Wanted => &mut self.conflict.wanted,
                    Next::Held => &mut self.conflict.held,
                };
                place.get_or_insert(lock);
                self.next = None;
                return true;
            }
            self.next = None;
        }
        if self.listing && line.starts_with('#') {
            self.listed(line);
            return true;
        }
        self.announcement(line)
    }

    /// The lock that was asked for and the one that was held.
    pub(crate) fn conflict(&mut self) -> Option<LockConflict> {
        Some(std::mem::take(&mut self.conflict)).filter(|conflict| *conflict != LockConflict::default())
    }

    /// `#1: ffff888000000040 (&x->lock){+.+.}-{3:3}, at: f+0x1/0x2`.
    fn listed(&mut self, line: &str) {
        let text = line.split_once(": ").map_or("", |(_, text)| text);
        if let (Some(lock), Some(task)) = (lock(text), self.held.last_mut())
            && task.locks.len() < LOCKS_MAX
        {
            task.locks.push(lock);
        }
    }

    /// The lines before locks.
    fn announcement(&mut self, line: &str) -> bool {
        if !line.ends_with([':', '.']) {
            self.listing = false;
            return false;
        }
        let is_held = contains(line, " held by ") && contains(line, " lock");
        if is_held {
            self.listing = self.held.len() < TASKS_MAX && self.task(line).is_some();
            return true;
        }
        self.listing = false;
        if line.ends_with("is trying to acquire lock:")
            || line.ends_with("is trying to acquire:")
            || line.ends_with("] takes:")
        {
            self.next = Some(Next::Wanted);
        } else if line.ends_with("is already holding lock:") || line.ends_with("is already holding:") {
            self.next = Some(Next::Held);
        } else if let Some([lock, ..]) = find("is trying to release lock ({*}", line) {
            let name = name(lock).map_or(lock, |(name, _)| name);
            self.conflict.wanted.get_or_insert_with(|| Lock {
                name: name.to_owned(),
                ..Lock::default()
            });
            return true;
        } else {
            return false;
        }
        true
    }

    /// `2 locks held by a/77:`, `1 lock held by a/77/0:`, `no locks held by a/77.`; `Some` when locks follow.
    fn task(&mut self, line: &str) -> Option<()> {
        let (_, task) = line.split_once(" held by ")?;
        let (comm, pid) = task.trim_end_matches([':', '.']).rsplit_once('/')?;
        let follow = line.starts_with(|c: char| c.is_ascii_digit());
        if follow {
            self.held.push(HeldLocks {
                comm: comm.to_owned(),
                pid: pid.parse().ok()?,
                locks: Vec::new(),
            });
        }
        follow.then_some(())
    }
}

/// `ffff888000000040 (&x->lock){+.+.}-{3:3}, at: f+0x1/0x2`; older kernels have neither address nor wait types and put the
/// address of the place in `[<>]`.
fn lock(text: &str) -> Option<Lock> {
    let (before, rest) = text.split_once('(')?;
    let address = before.split_ascii_whitespace().next_back();
    let address = address.and_then(|digits| crate::bytes::hexadecimal(digits.as_bytes()));
    if !before.trim().is_empty() && address.is_none() {
        return None;
    }
    let (name, rest) = name(rest)?;
    let (usage, rest) = braced(rest);
    let (wait_type, rest) = rest.strip_prefix('-').map_or((None, rest), braced);
    let at = rest.split_once("at: ").and_then(|(_, at)| place(at));
    Some(Lock {
        name: name.to_owned(),
        address,
        usage: usage.map(str::to_owned),
        wait_type: wait_type.map(str::to_owned),
        at,
    })
}

/// The name of a lock up to the bracket that closes it, which may hold brackets itself, and what follows.
fn name(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find("){")
        .or_else(|| text.find("), "))
        .or_else(|| text.rfind(')'))?;
    Some((text.get(..end)?.trim(), text.get(end + 1..)?))
}

/// What stands in `{}` at the front, and what follows.
fn braced(text: &str) -> (Option<&str>, &str) {
    let found = text.strip_prefix('{').and_then(|text| text.split_once('}'));
    found.map_or((None, text), |(inside, rest)| (Some(inside), rest))
}

/// `[<ffffffff81000000>] f+0x1/0x2 [module] file.c:12`, `f+0x1/0x2`.
fn place(text: &str) -> Option<crate::Frame> {
    let text = text
        .rsplit("] ")
        .find(|part| part.contains("+0x"))
        .unwrap_or(text);
    let (mut found, after) = frame::symbol(text.trim_start())?;
    frame::trailer(after.trim(), &mut found);
    found.offset?;
    Some(found.to_frame())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> LockReader {
        let mut reader = LockReader::default();
        for line in text.lines() {
            reader.line(line.trim_start());
        }
        reader
    }

    #[test]
    fn the_locks_of_tasks_are_listed() {
        let reader = read(
            "2 locks held by my task/77:\n #0: ffff888000000040 (&x->lock#2){+.+.}-{3:3}, at: f+0x1/0x2\n \
             #1: ffffffff81a2b3c0 (rcu_read_lock){....}-{1:2}, at: g.isra.0+0x3/0x4 [example]\nno locks held by b/8.\n\
             1 lock held by c/9:\n #0:  (&(&y)->z){+.-...}, at: [<ffffffff81000000>] h+0x5/0x6\n\nother\n #9: (no){....}\n",
        );
        assert_eq!(reader.held.len(), 2);
        assert_eq!(
            (reader.held[0].comm.as_str(), reader.held[0].pid),
            ("my task", 77)
        );
        let locks = &reader.held[0].locks;
        assert_eq!(
            (locks[0].name.as_str(), locks[0].address),
            ("&x->lock#2", Some(0xffff_8880_0000_0040))
        );
        assert_eq!(
            (locks[0].usage.as_deref(), locks[0].wait_type.as_deref()),
            (Some("+.+."), Some("3:3"))
        );
        let at = locks[1].at.as_ref().unwrap();
        assert_eq!(
            (at.function.as_str(), at.module.as_deref()),
            ("g.isra.0", Some("example"))
        );
        let old = &reader.held[1].locks;
        assert_eq!(
            (
                old.len(),
                old[0].name.as_str(),
                old[0].at.as_ref().unwrap().offset
            ),
            (1, "&(&y)->z", Some(5))
        );
    }

    #[test]
    fn both_ends_of_a_deadlock_are_found() {
        let mut reader = read(
            "a/77 is trying to acquire lock:\nffff888000000040 (&x){+.+.}-{3:3}, at: f+0x1/0x2\n\n\
             but task is already holding lock:\nffff888000000080 (&y){+.+.}-{3:3}, at: g+0x3/0x4\n\n\
             which lock already depends on the new lock.\n",
        );
        let conflict = reader.conflict().unwrap();
        assert_eq!(
            (
                conflict.wanted.unwrap().name.as_str(),
                conflict.held.unwrap().name.as_str()
            ),
            ("&x", "&y")
        );
        let mut reader = read("a/77 is trying to release lock (&z) at:\n[<ffffffff81000000>] f+0x1/0x2\n");
        assert_eq!(reader.conflict().unwrap().wanted.unwrap().name, "&z");
        let mut reader =
            read("a/77 [HC0[0]:SC1[1]:HE1:SE0] takes:\nffff888000000040 (&x){?.-.}-{2:2}, at: f+0x1/0x2\n");
        assert_eq!(
            reader.conflict().unwrap().wanted.unwrap().usage.as_deref(),
            Some("?.-.")
        );
        assert!(read("a (b) c\n").conflict().is_none());
    }
}
