//! What the privileged half gives up before it answers.

use std::error::Error;

use privilege::calls::{self, Role};
use privilege::{credentials, view};
use rustix::thread::CapabilitySet;

use crate::config::Config;
use crate::text::chain;

/// What loading and attaching programs takes, and reading what other users' processes and root's files say: programs
/// (`BPF`, `PERFMON`), the memory of their maps before Linux 5.11 (`SYS_RESOURCE`), addresses and the log of the kernel
/// (`SYSLOG`), `/proc/PID/exe` (`SYS_PTRACE`), files of other users (`DAC_READ_SEARCH`), pstore where it is not root's
/// (`DAC_OVERRIDE`).
pub const KEPT: CapabilitySet = CapabilitySet::BPF
    .union(CapabilitySet::PERFMON)
    .union(CapabilitySet::SYS_RESOURCE)
    .union(CapabilitySet::SYSLOG)
    .union(CapabilitySet::SYS_PTRACE)
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::DAC_OVERRIDE);
/// What attaching to a tracepoint takes besides where `kernel.perf_event_paranoid` is above [`PARANOID`].
pub const KEPT_WHERE_PARANOID: CapabilitySet = CapabilitySet::SYS_ADMIN;

/// Where the kernel says who may use performance events, and the highest value that it knows itself
/// (`Documentation/admin-guide/sysctl/kernel.rst`). Debian's kernels know 3, have it by default, and ask for
/// `CAP_SYS_ADMIN` then (`debian/patches/features/all/security-perf-allow-further-restriction-of-perf_event_open.patch`).
const PARANOID_PATH: &str = "/proc/sys/kernel/perf_event_paranoid";
const PARANOID: i32 = 2;

/// Gives up the network, the capabilities that are not needed, writing files other than pstore's, and most system calls.
/// Answers what this host did not let it give up: the work is the same without. Must be called before there are threads.
pub fn confine(config: &Config) -> Vec<String> {
    let mut missing = Vec::new();
    let mut tell = |what: &str, error: &dyn Error| missing.push(format!("{what}: {}", chain(error)));
    if let Err(error) = view::read_only(&config.probes.pstore_dir) {
        tell("a read-only view of files", &error);
    }
    if let Err(error) = probe_user::mount_tracefs() {
        // Attaching says it again, with what to do.
        tracing::debug!(%error, "tracefs is not mounted and cannot be");
    }
    if let Err(error) = credentials::leave_network() {
        tell("a network of its own (it makes no socket all the same)", &error);
    }
    let kept = if is_paranoid() {
        KEPT.union(KEPT_WHERE_PARANOID)
    } else {
        KEPT
    };
    if let Err(error) = credentials::keep_capabilities(kept).and_then(|()| credentials::no_new_privileges()) {
        tell("fewer capabilities", &error);
    }
    if let Err(error) = calls::restrict(Role::Privileged) {
        tell("seccomp", &error);
    }
    missing
}

fn is_paranoid() -> bool {
    let value = std::fs::read_to_string(PARANOID_PATH).unwrap_or_default();
    value.trim().parse::<i32>().is_ok_and(|value| value > PARANOID)
}
