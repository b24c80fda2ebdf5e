//! netconsole: the kernel's own way to send its last words.
//!
//! `telemctl netconsole setup` makes a target that sends to the collector and a token for this boot. The kernel puts the
//! token into its lines, the agent into its Hello; so the collector knows whose lines they are, even of a machine that
//! dies the moment after.

use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::config::Config;
use crate::durable;

pub mod route;
pub mod target;

/// Where the token of this boot is kept: beside the control socket, in a folder that a reboot empties.
pub fn token_path(config: &Config) -> PathBuf {
    config.control_path.with_file_name("netconsole-token")
}

/// The token that was made in the boot `boot_id`; `None` where netconsole is not set up.
pub fn token(path: &Path, boot_id: &str) -> Option<String> {
    let bytes = durable::read(path).ok()??;
    let text = std::str::from_utf8(&bytes).ok()?;
    let (token, boot) = text.trim_end().split_once(' ')?;
    let is_token = token.len() == 32
        && token
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_token && boot == boot_id).then(|| token.to_owned())
}

/// The token of the boot `boot_id`, made now if there is none. It is no secret: it goes over the network as it is.
pub fn make_token(path: &Path, boot_id: &str) -> io::Result<String> {
    if let Some(token) = token(path, boot_id) {
        return Ok(token);
    }
    let token = Uuid::new_v4().simple().to_string();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    durable::write(path, format!("{token} {boot_id}\n").as_bytes())?;
    // The agent reads it, whoever it runs as.
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_one_boot() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/netconsole-token");
        assert_eq!(token(&path, "boot-1"), None);
        let made = make_token(&path, "boot-1").unwrap();
        assert_eq!(made.len(), 32);
        assert_eq!(make_token(&path, "boot-1").unwrap(), made);
        assert_eq!(token(&path, "boot-1"), Some(made.clone()));
        assert_eq!(token(&path, "boot-2"), None);
        assert_ne!(make_token(&path, "boot-2").unwrap(), made);
    }

    #[test]
    fn what_is_no_token_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("netconsole-token");
        for text in [
            "",
            "abc boot",
            "no space",
            "\u{1f600} boot",
            &format!("{} boot", "G".repeat(32)),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(token(&path, "boot"), None, "{text:?}");
        }
    }
}
