//! Allocations that failed, and what the out-of-memory killer did (`mm/oom_kill.c`, `mm/page_alloc.c`).

use super::pattern::find;
use super::scan::Scan;
use crate::ReportKind;
use crate::report::{Allocation, OomKill, Victim};

/// GFP flags kept.
const FLAGS_MAX: usize = 32;

/// The allocation that a report of kind `kind` that begins at line `head` is about.
pub(crate) fn allocation(scan: &Scan<'_>, head: usize, kind: ReportKind) -> Option<Allocation> {
    let line = match kind {
        ReportKind::AllocFailure => scan.lines.get(head)?,
        ReportKind::OomKill => {
            let mut lines = scan.lines.iter().skip(head);
            lines.find(|line| line.contains("invoked oom-killer"))?
        }
        _ => return None,
    };
    // `mode:0xa20(GFP_ATOMIC|__GFP_ZERO)`, `gfp_mask=0xcc0(GFP_KERNEL)`.
    let [mask, rest, ..] = find("mode:0x{x}{*}", line).or_else(|| find("gfp_mask=0x{x}{*}", line))?;
    let flags = find("({*})", rest).map_or("", |[flags, ..]| flags);
    let flags = flags.split('|').filter(|flag| !flag.is_empty());
    Some(Allocation {
        order: number("order:{n}", line).or_else(|| number("order={n}", line)),
        gfp_mask: crate::bytes::hexadecimal(mask.as_bytes()),
        gfp_flags: flags.take(FLAGS_MAX).map(str::to_owned).collect(),
    })
}

/// What a report of a kill that begins at line `head` says.
pub(crate) fn kill(scan: &Scan<'_>, head: usize, kind: ReportKind) -> Option<OomKill> {
    if kind != ReportKind::OomKill {
        return None;
    }
    let mut kill = OomKill::default();
    for line in scan.lines.iter().skip(head) {
        if line.contains("invoked oom-killer") {
            kill.asker_score_adj = kill.asker_score_adj.or_else(|| signed("oom_score_adj=", line));
        } else if let Some(list) = line.trim_start().strip_prefix("oom-kill:") {
            summary(&mut kill, list);
        } else if kill.victim.is_none() && line.contains("ill") {
            kill.victim = victim(line);
        }
        if kill.victim.is_some() {
            break;
        }
    }
    Some(kill).filter(|kill| *kill != OomKill::default())
}

/// `constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a/b,task=c,pid=77,uid=0`
/// (since 4.19).
fn summary(kill: &mut OomKill, list: &str) {
    for (name, value) in list.split(',').filter_map(|entry| entry.split_once('=')) {
        let place = match name {
            "constraint" => &mut kill.constraint,
            "oom_memcg" => &mut kill.memcg,
            "task_memcg" => &mut kill.victim_memcg,
            _ => continue,
        };
        place.get_or_insert_with(|| value.to_owned());
    }
}

/// `Out of memory: Killed process 77 (a) total-vm:2260kB, anon-rss:0kB, file-rss:12kB, shmem-rss:0kB, UID:0 pgtables:44kB
/// oom_score_adj:0`.
fn victim(line: &str) -> Option<Victim> {
    let [_, pid, comm, _] = find("ill{*} process {n} ({*})", line)?;
    let size = |name: &str| {
        let (_, rest) = line.split_once(name)?;
        let (digits, _) = rest.split_once("kB")?;
        digits.parse().ok()
    };
    Some(Victim {
        pid: pid.parse().ok()?,
        comm: comm.to_owned(),
        uid: number("UID:{n}", line),
        total_vm_kib: size("total-vm:"),
        anon_rss_kib: size("anon-rss:"),
        file_rss_kib: size("file-rss:"),
        shmem_rss_kib: size("shmem-rss:"),
        page_tables_kib: size("pgtables:"),
        score_adj: signed("oom_score_adj:", line),
    })
}

fn number(pattern: &str, line: &str) -> Option<u32> {
    find(pattern, line).and_then(|[number, ..]| number.parse().ok())
}

fn signed(name: &str, line: &str) -> Option<i32> {
    let (_, rest) = line.split_once(name)?;
    let end = rest
        .find(|c: char| c != '-' && !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_is_described() {
        let text = "a invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), order=0, oom_score_adj=-17\n\
                    oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/x,task_memcg=/x/y,task=my db,pid=77,uid=5\n\
                    Memory cgroup out of memory: Killed process 77 (my db) total-vm:2260kB, anon-rss:100kB, file-rss:12kB, shmem-rss:0kB, UID:5 pgtables:44kB oom_score_adj:0\n";
        let scan = Scan::new(text);
        let allocation = allocation(&scan, 0, ReportKind::OomKill).unwrap();
        assert_eq!(
            (allocation.order, allocation.gfp_mask),
            (Some(0), Some(0x14_0cca))
        );
        assert_eq!(allocation.gfp_flags, ["GFP_HIGHUSER_MOVABLE", "__GFP_COMP"]);
        let kill = kill(&scan, 0, ReportKind::OomKill).unwrap();
        assert_eq!(
            (kill.constraint.as_deref(), kill.asker_score_adj),
            (Some("CONSTRAINT_MEMCG"), Some(-17))
        );
        assert_eq!(
            (kill.memcg.as_deref(), kill.victim_memcg.as_deref()),
            (Some("/x"), Some("/x/y"))
        );
        let victim = kill.victim.unwrap();
        assert_eq!(
            (victim.pid, victim.comm.as_str(), victim.uid),
            (77, "my db", Some(5))
        );
        assert_eq!(
            (victim.total_vm_kib, victim.anon_rss_kib, victim.page_tables_kib),
            (Some(2260), Some(100), Some(44))
        );
        assert_eq!(
            (victim.file_rss_kib, victim.shmem_rss_kib, victim.score_adj),
            (Some(12), Some(0), Some(0))
        );
    }

    #[test]
    fn a_failed_allocation_is_described() {
        let scan = Scan::new("a: page allocation failure: order:10, mode:0xa20(GFP_ATOMIC), nodemask=(null)");
        let found = allocation(&scan, 0, ReportKind::AllocFailure).unwrap();
        assert_eq!(
            (found.order, found.gfp_mask, found.gfp_flags),
            (Some(10), Some(0xa20), vec!["GFP_ATOMIC".to_owned()])
        );
        let scan = Scan::new("a: page allocation failure. order:4, mode:0x10c0d0");
        assert_eq!(
            allocation(&scan, 0, ReportKind::AllocFailure).unwrap().gfp_mask,
            Some(0x10_c0d0)
        );
        assert_eq!(allocation(&scan, 0, ReportKind::Panic), None);
    }
}
