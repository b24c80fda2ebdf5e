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

#[cfg(test)]
mod tests {
    use super::*;

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
