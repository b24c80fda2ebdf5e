//! What programs cost, by the kernel's own statistics.
//!
//! The kernel counts and times calls only while somebody asks for it (`BPF_ENABLE_STATS`, Linux 5.8): each call of every
//! program on the host takes two readings of the clock more meanwhile, which is within the times that it tells.

use std::{collections::HashMap, fs, io, os::fd::AsRawFd as _, os::fd::OwnedFd};

use aya::{
    programs::{ProgramError, ProgramInfo, loaded_programs},
    sys::{Stats, SyscallError, enable_stats},
};

/// Why costs cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum CostError {
    /// The kernel does not begin to count.
    #[error("the kernel does not count the calls of programs (it takes root, and Linux 5.8)")]
    Enable(#[source] SyscallError),
    /// Programs cannot be looked at.
    #[error("the programs of this host cannot be looked at (it takes root)")]
    Programs(#[source] Box<ProgramError>),
}

/// What a program has done since it was loaded; calls and time only while the kernel counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Calls.
    pub runs: u64,
    /// Time in all calls, nanoseconds.
    pub time_ns: u64,
    /// Calls that the kernel left out because the program was running on that CPU already; 0 before Linux 5.12, which
    /// does not tell.
    pub missed: u64,
}

impl Usage {
    /// What came since `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            runs: self.runs.wrapping_sub(before.runs),
            time_ns: self.time_ns.wrapping_sub(before.time_ns),
            missed: self.missed.wrapping_sub(before.missed),
        }
    }

    /// Mean time of a call, nanoseconds; 0 when there was none.
    pub fn ns_per_run(self) -> u64 {
        self.time_ns.checked_div(self.runs).unwrap_or(0)
    }
}

/// The kernel counts as long as this lives.
#[derive(Debug)]
pub struct Counting {
    _statistics: OwnedFd,
}

impl Counting {
    /// Begins to count.
    pub fn begin() -> Result<Self, CostError> {
        enable_stats(Stats::RunTime)
            .map(|statistics| Self {
                _statistics: statistics,
            })
            .map_err(CostError::Enable)
    }
}

/// The usage of those of `programs` (ids of the kernel) that are loaded.
pub fn usages(programs: &[u32]) -> Result<HashMap<u32, Usage>, CostError> {
    let mut usages = HashMap::with_capacity(programs.len());
    for info in loaded_programs() {
        match info {
            Ok(info) if programs.contains(&info.id()) => {
                usages.insert(info.id(), usage(&info));
            }
            Ok(_) => {}
            // Unloaded between the listing and the look.
            Err(ProgramError::SyscallError(error)) if error.io_error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(CostError::Programs(Box::new(error))),
        }
    }
    Ok(usages)
}

fn usage(info: &ProgramInfo) -> Usage {
    Usage {
        runs: info.run_count(),
        time_ns: u64::try_from(info.run_time().as_nanos()).unwrap_or(u64::MAX),
        missed: missed(info).unwrap_or(0),
    }
}

/// Only `/proc` tells it of a program that somebody else loaded: `bpf_prog_show_fdinfo` of `kernel/bpf/syscall.c`.
fn missed(info: &ProgramInfo) -> Option<u64> {
    let program = info.fd().ok()?;
    let number = std::os::fd::AsFd::as_fd(&program).as_raw_fd();
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).ok()?;
    field(&text, "recursion_misses")
}

fn field(fdinfo: &str, name: &str) -> Option<u64> {
    let mut lines = fdinfo.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_fdinfo_is_found() {
        let text = "pos:\t0\nprog_id:\t7\nrun_cnt:\t12\nrecursion_misses:\t3\n";
        assert_eq!(field(text, "recursion_misses"), Some(3));
        assert_eq!(field(text, "run"), None);
        assert_eq!(field("recursion_misses:\tx", "recursion_misses"), None);
    }

    #[test]
    fn what_came_in_between_is_the_difference() {
        let before = Usage {
            runs: 10,
            time_ns: 1_000,
            missed: 1,
        };
        let after = Usage {
            runs: 14,
            time_ns: 1_400,
            missed: 1,
        };
        let between = after.since(before);
        assert_eq!(
            between,
            Usage {
                runs: 4,
                time_ns: 400,
                missed: 0
            }
        );
        assert_eq!(between.ns_per_run(), 100);
        assert_eq!(Usage::default().ns_per_run(), 0);
    }
}
