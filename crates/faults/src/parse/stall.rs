//! What did not go on, and for how long.

use super::pattern::find;
use super::scan::Scan;
use crate::ReportKind;
use crate::bytes::contains;
use crate::report::Stall;

/// Lines after the head that tell of a stall; RCU prints one for each CPU that stalls.
const NEAR: usize = 64;
/// CPUs and tasks kept of one stall.
const STALLED_MAX: usize = 64;

/// What a report of kind `kind` that begins at line `head` says.
pub(crate) fn of(scan: &Scan<'_>, head: usize, kind: ReportKind) -> Option<Stall> {
    let line = *scan.lines.get(head)?;
    let mut stall = Stall::default();
    match kind {
        ReportKind::SoftLockup => {
            // kernel/watchdog.c
            stall.cpus.extend(number::<u32>("CPU#{n}", line));
            stall.seconds = number("stuck for {n}s", line);
            let pid: Option<u32> = line
                .rsplit_once(':')
                .and_then(|(_, pid)| pid.trim_end_matches(']').parse().ok());
            stall.pids.extend(pid);
        }
        ReportKind::HardLockup => stall.cpus.extend(number::<u32>("LOCKUP on cpu {n}", line)),
        ReportKind::WorkqueueLockup => {
            // kernel/workqueue.c, `wq_watchdog_timer_fn`
            stall.seconds = number("stuck for {n}s", line);
            let cpus = find("cpus={*} ", line).map(|[cpus, ..]| cpus);
            stall.cpus = cpus.map(cpu_list).unwrap_or_default();
        }
        ReportKind::HungTask => {
            // kernel/hung_task.c, `check_hung_task`
            stall.seconds = number("for more than {n} seconds", line);
            let [task, ..] = find("INFO: task {*} ", line)?;
            stall.pids.extend(pid(task));
            let lines = scan.lines.iter().skip(head + 1).take(NEAR);
            lines.for_each(|line| owner(&mut stall, line));
        }
        ReportKind::RcuStall => {
            let lines = scan.lines.iter().skip(head).take(NEAR);
            for line in lines {
                rcu(
                    &mut stall,
                    line.trim_start().trim_start_matches("rcu:").trim_start(),
                );
            }
        }
        _ => return None,
    }
    Some(stall).filter(|stall| *stall != Stall::default())
}

/// `INFO: task a:77 is blocked on a mutex likely owned by task b:78.`; for readers and writers of an rw-semaphore `<reader>`
/// stands behind the names.
fn owner(stall: &mut Stall, line: &str) {
    let Some((_, rest)) = line
        .split_once(" blocked on a")
        .filter(|_| stall.blocked_on.is_none())
    else {
        return;
    };
    let mut words = rest.trim_start_matches('n').split_ascii_whitespace();
    stall.blocked_on = words.next().map(|what| what.trim_end_matches(',').to_owned());
    let owner = rest
        .split_once(" owned by task ")
        .and_then(|(_, task)| task.split_ascii_whitespace().next());
    stall.owner_pid = owner.and_then(|task| pid(task.trim_end_matches('.')));
}

/// `a:77`.
fn pid(task: &str) -> Option<u32> {
    task.rsplit_once(':')?.1.parse().ok()
}

/// The lines below `rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:` (`kernel/rcu/tree_stall.h` and `tree_exp.h`):
///
/// `0-....: (998 ticks this GP) idle=...`, `Tasks blocked on level-0 rcu_node (CPUs 0-1): P77/1:b..l`,
/// `(detected by 1, t=21002 jiffies, g=1234, q=56 ncpus=2)`, `(t=1000 jiffies g=-243 q=4 ncpus=2)`,
/// `INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 0-...D P77 } 21 jiffies s: 123 root: 0x1/.`.
fn rcu(stall: &mut Stall, line: &str) {
    if stall.jiffies.is_none() && line.contains("jiffies") && line.starts_with(['(', '{', 'I']) {
        stall.jiffies = number("t={n} jiffies", line);
        stall.grace_period = find("g={*}", line).and_then(|[rest, ..]| {
            let end = rest
                .find(|c: char| c != '-' && !c.is_ascii_digit())
                .unwrap_or(rest.len());
            rest.get(..end)?.parse().ok()
        });
        stall.queued = number("q={n}", line);
        if let Some((_, listed)) = line.split_once('{') {
            let (listed, after) = listed.split_once('}').unwrap_or((listed, ""));
            stall.jiffies = stall.jiffies.or_else(|| number(" {n} jiffies", after));
            listed
                .split_ascii_whitespace()
                .for_each(|word| stalled(stall, word));
        }
    } else if contains(line, "ticks this GP)") || contains(line, "GPs behind)") {
        line.split(':')
            .next()
            .into_iter()
            .for_each(|word| stalled(stall, word));
    } else if let Some((_, tasks)) = line
        .split_once("Tasks blocked on ")
        .and_then(|(_, rest)| rest.split_once(": "))
    {
        tasks
            .split_ascii_whitespace()
            .for_each(|word| stalled(stall, word));
    }
}

/// `0-....`, `1` for a CPU, `P77/1:b..l`, `P77` for a task.
fn stalled(stall: &mut Stall, word: &str) {
    let (is_task, digits) = word
        .strip_prefix('P')
        .map_or((false, word), |digits| (true, digits));
    let list = if is_task { &mut stall.pids } else { &mut stall.cpus };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let number = digits.get(..end).and_then(|digits| digits.parse().ok());
    if let Some(number) = number.filter(|number| list.len() < STALLED_MAX && !list.contains(number)) {
        list.push(number);
    }
}

/// `0-3,7`.
fn cpu_list(text: &str) -> Vec<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?)
    };
    text.split(',')
        .filter_map(range)
        .flatten()
        .take(STALLED_MAX)
        .collect()
}

fn number<N: std::str::FromStr>(pattern: &str, line: &str) -> Option<N> {
    find(pattern, line).and_then(|[number, ..]| number.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, kind: ReportKind) -> Stall {
        of(&Scan::new(text), 0, kind).unwrap()
    }

    #[test]
    fn every_sort_of_stall_is_read() {
        let soft = read(
            "watchdog: BUG: soft lockup - CPU#3 stuck for 26s! [a b:77]",
            ReportKind::SoftLockup,
        );
        assert_eq!(
            (soft.seconds, soft.cpus, soft.pids),
            (Some(26), vec![3], vec![77])
        );
        let hung = read(
            "INFO: task kworker/0:1:77 blocked for more than 120 seconds.",
            ReportKind::HungTask,
        );
        assert_eq!((hung.seconds, hung.pids), (Some(120), vec![77]));
        let owned = read(
            "INFO: task a:77 blocked for more than 120 seconds.\nINFO: task a:77 is blocked on a mutex likely owned by task b:78.\n",
            ReportKind::HungTask,
        );
        assert_eq!(
            (owned.blocked_on.as_deref(), owned.owner_pid),
            (Some("mutex"), Some(78))
        );
        let work = read(
            "BUG: workqueue lockup - pool cpus=0-1,4 node=0 flags=0x0 nice=0 stuck for 33s!",
            ReportKind::WorkqueueLockup,
        );
        assert_eq!((work.seconds, work.cpus), (Some(33), vec![0, 1, 4]));
        let own = read(
            "rcu: INFO: rcu_preempt self-detected stall on CPU\nrcu: \t0-....: (998 ticks this GP) idle=6364/1/0x4\n\
             rcu: \t(t=1000 jiffies g=-243 q=4 ncpus=2)\n",
            ReportKind::RcuStall,
        );
        assert_eq!(
            (own.jiffies, own.grace_period, own.queued, own.cpus),
            (Some(1000), Some(-243), Some(4), vec![0])
        );
        let other = read(
            "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:\nrcu: \tTasks blocked on level-0 rcu_node (CPUs 0-1): P77/1:b..l P78\n\
             rcu: \t(detected by 1, t=21002 jiffies, g=1234, q=56 ncpus=2)\n",
            ReportKind::RcuStall,
        );
        assert_eq!(
            (other.jiffies, other.grace_period, other.pids),
            (Some(21002), Some(1234), vec![77, 78])
        );
        let expedited = read(
            "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-...D P9 } 21 jiffies s: 123 root: 0x2/.",
            ReportKind::RcuStall,
        );
        assert_eq!(
            (expedited.jiffies, expedited.cpus, expedited.pids),
            (Some(21), vec![1], vec![9])
        );
    }
}
