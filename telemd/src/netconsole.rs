//! netconsole: the kernel's own way to send its last words.
//!
//! `telemctl netconsole setup` makes a target that sends to the collector. The kernel puts the token of this boot into its
//! lines, the agent puts it into each Hello; so the collector knows whose lines they are, even of a machine that dies the
//! moment after.

use uuid::Uuid;

pub mod route;
pub mod target;

/// The token of a boot: 32 hexadecimal digits that follow from the agent and the boot, and from which neither follows. It
/// is no secret: it goes over the network as it is. Empty where the boot is not known.
pub fn token(agent_id: Uuid, boot_id: &str) -> String {
    if boot_id.is_empty() {
        return String::new();
    }
    Uuid::new_v5(&agent_id, boot_id.as_bytes()).simple().to_string()
}

/// Whether the end of a panic stays untold, by `/proc/consoles` and `/proc/sys/kernel/panic`. A network console that prints in
/// a thread of its own (`N`: `CON_NBCON`, `fs/proc/consoles.c`) is written to at the end of a panic
/// (`CON_NBCON_ATOMIC_UNSAFE`), by a kernel that stays; one that reboots does so before (`vpanic`, `kernel/panic.c`, seen in
/// 7.2).
pub fn loses_last_words(consoles: &str, panic: &str) -> bool {
    let has_thread = |line: &str| {
        let flags = line.split_once('(').map_or("", |(_, flags)| flags);
        line.starts_with("netcon") && flags.contains('N')
    };
    panic.trim() != "0" && consoles.lines().any(has_thread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_reboots_before_its_console_has_told_loses_the_end() {
        let threaded = "ttyS0                -W- (EC N p  )    4:64\nnetcon_ext0          -W- (E  N    )\n";
        assert!(loses_last_words(threaded, "10\n"));
        assert!(loses_last_words(threaded, "-1\n"));
        assert!(!loses_last_words(threaded, "0\n"));
        let older = "ttyS0                -W- (EC N p  )    4:64\nnetcon_ext0          -W- (E       )\n";
        assert!(!loses_last_words(older, "10\n"));
        assert!(!loses_last_words("", ""));
    }

    #[test]
    fn each_boot_of_each_agent_has_a_token() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let made = token(one, "boot-1");
        assert!(made.len() == 32 && made.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
        assert_eq!(token(one, "boot-1"), made);
        assert_ne!(token(one, "boot-2"), made);
        assert_ne!(token(other, "boot-1"), made);
        assert_eq!(token(one, ""), "");
    }
}
