//! What the kernel says a process may do.

use std::io;

use serde::{Deserialize, Serialize};

/// `Seccomp:` of a process whose system calls are filtered (`include/uapi/linux/seccomp.h`).
pub const SECCOMP_FILTER: u8 = 2;

/// A process, as `/proc/PID/status` shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Process id.
    pub pid: u32,
    /// Effective user id.
    pub uid: u32,
    /// Capabilities that it can use now or take back, as bits.
    pub capabilities: u64,
    /// Capabilities that a program it runs could get, as bits.
    pub bounding: u64,
    /// Whether programs that it runs get no more than it has.
    pub no_new_privs: bool,
    /// 0 off, 1 strict, 2 filtered; `None` on a kernel without seccomp.
    pub seccomp: Option<u8>,
}

impl Standing {
    /// Of the calling thread: threads may differ, and the one that asks is the one that knows.
    pub fn own() -> io::Result<Self> {
        let text = std::fs::read_to_string("/proc/thread-self/status")?;
        Self::parse(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a process status"))
    }

    /// Reads the text of `/proc/PID/status`; `None` when it lacks a field that every kernel since 4.10 has.
    pub fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(str::trim)
        };
        let bits = |name| u64::from_str_radix(field(name)?, 16).ok();
        Some(Self {
            pid: field("Tgid")?.parse().ok()?,
            uid: field("Uid")?.split_whitespace().nth(1)?.parse().ok()?,
            capabilities: bits("CapPrm")? | bits("CapEff")? | bits("CapInh")? | bits("CapAmb")?,
            bounding: bits("CapBnd")?,
            no_new_privs: field("NoNewPrivs")? == "1",
            seccomp: field("Seccomp").and_then(|mode| mode.parse().ok()),
        })
    }

    /// Names of the capabilities it holds, as `capabilities(7)` spells them.
    pub fn capability_names(&self) -> Vec<String> {
        let held = rustix::thread::CapabilitySet::from_bits_retain(self.capabilities);
        let known = held.iter_names().map(|(name, _)| format!("CAP_{name}"));
        let unknown = held - rustix::thread::CapabilitySet::from_bits_truncate(KNOWN);
        let rest = (0..64).filter(|bit| unknown.bits() >> bit & 1 == 1);
        known.chain(rest.map(|bit| format!("capability {bit}"))).collect()
    }
}

/// Capabilities that have a name here: up to `CAP_CHECKPOINT_RESTORE` (40), the last one as of Linux 6.18.
const KNOWN: u64 = (1 << 41) - 1;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STATUS: &str = "Name:\ttelemd\nUmask:\t0022\nTgid:\t71\nPid:\t72\nUid:\t990\t991\t990\t990\n\
                          CapInh:\t0000000000000000\nCapPrm:\t0000008000000000\nCapEff:\t0000000000000000\n\
                          CapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n\
                          Seccomp_filters:\t2\n";

    #[test]
    fn a_status_is_read_and_its_capabilities_are_named() {
        let standing = Standing::parse(STATUS).unwrap();
        assert_eq!((standing.pid, standing.uid), (71, 991));
        assert_eq!(standing.capability_names(), ["CAP_BPF"]);
        assert_eq!(standing.bounding, 0x1ff_ffff_ffff);
        assert!(standing.no_new_privs);
        assert_eq!(standing.seccomp, Some(SECCOMP_FILTER));
        let far = Standing {
            capabilities: 1 << 60 | 1,
            ..standing
        };
        assert_eq!(far.capability_names(), ["CAP_CHOWN", "capability 60"]);
    }

    #[test]
    fn this_process_has_a_standing() {
        assert_eq!(Standing::own().unwrap().pid, std::process::id());
    }

    proptest! {
        #[test]
        fn any_text_is_a_status_or_none(text in ".{0,400}", cut in 0..STATUS.len()) {
            let _any = Standing::parse(&text);
            let _cut = Standing::parse(&STATUS[..cut]);
        }
    }
}
