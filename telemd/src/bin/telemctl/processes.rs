//! The agent's processes, as /proc shows them.

use std::fs;

/// A process: what it holds and what it has used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) name: String,
    parent: u32,
    /// Resident memory, KiB.
    pub(crate) rss_kib: u64,
    /// Time on CPUs since it started, milliseconds.
    pub(crate) cpu_ms: u64,
}

/// The process `agent`, which answers on the control socket; `half`, which attaches the probes; and what the one started to
/// start the other.
pub(crate) fn of_agent(agent: u32, half: Option<u32>) -> Vec<Process> {
    let all = all();
    let parent_of_half = all
        .iter()
        .find(|process| Some(process.pid) == half)
        .map(|process| process.parent);
    let is_meant = |process: &&Process| {
        let is_between = Some(process.pid) == parent_of_half && process.parent == agent;
        process.pid == agent || Some(process.pid) == half || is_between
    };
    all.iter().filter(is_meant).cloned().collect()
}

/// What a process would take if what it shares with others were divided among them, KiB (`Pss` of `proc_pid_smaps(5)`); `None` when
/// the kernel does not tell, as it tells root only.
pub(crate) fn proportional_kib(pid: u32) -> Option<u64> {
    proportional(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?)
}

fn proportional(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(process).collect()
}

/// A process that has ended meanwhile is none.
fn process(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse(
        pid,
        &stat,
        rustix::param::page_size() as u64,
        rustix::param::clock_ticks_per_second(),
    )
}

/// `/proc/PID/stat`, `proc_pid_stat(5)`: the name is in parentheses and may hold any bytes.
fn parse(pid: u32, stat: &str, page_bytes: u64, ticks_per_s: u64) -> Option<Process> {
    let (before, after) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    // The state is field 3 of the manual page, the first behind the name.
    let fields: Vec<&str> = after.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Process {
        pid,
        name: name.to_owned(),
        parent: u32::try_from(field(4)?).ok()?,
        cpu_ms: field(14)?
            .checked_add(field(15)?)?
            .checked_mul(1_000)?
            .checked_div(ticks_per_s)?,
        rss_kib: field(24)?.checked_mul(page_bytes)? / 1024,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_is_understood() {
        let stat = "7 (a) b (c) S 3 7 7 0 -1 4194304 100 0 0 0 25 17 0 0 20 0 4 0 123 4096000 250 18446744073709551615 1";
        let process = parse(7, stat, 4096, 100).unwrap();
        assert_eq!((process.name.as_str(), process.parent), ("a) b (c", 3));
        assert_eq!((process.cpu_ms, process.rss_kib), (420, 1000));
        assert_eq!(parse(7, "7 (x", 4096, 100), None);
        assert_eq!(parse(7, "7 (x) S 3", 4096, 100), None);
    }

    #[test]
    fn a_rollup_is_understood() {
        let rollup = "55d0-7ffc ---p 00000000 00:00 0   [rollup]\nRss:     884 kB\nPss:     385 kB\nPss_Dirty:  68 kB\n";
        assert_eq!(proportional(rollup), Some(385));
        assert_eq!(proportional("Rss: 884 kB\nPss: x kB\n"), None);
    }

    #[test]
    fn this_process_is_found_with_what_it_uses() {
        let pid = std::process::id();
        let own = of_agent(pid, None);
        let own = own.iter().find(|process| process.pid == pid).unwrap();
        assert!(own.rss_kib > 0);
        assert!(proportional_kib(pid).is_none_or(|kib| kib > 0));
    }
}
