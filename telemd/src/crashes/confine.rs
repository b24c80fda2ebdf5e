//! What the helper gives up before it reads a byte of a foreign program's memory.

use std::path::Path;

use privilege::account::{self, ListError};
use privilege::calls::{self, Role};
use privilege::credentials::{self, CredentialsError};
use privilege::reach::{self, Reach};
use rustix::thread::CapabilitySet;

use crate::config::{Config, DEFAULT_USER};

/// Why the helper is still what the kernel started it as. It must read nothing.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// Users could not be looked up.
    #[error("look telemd's user up")]
    List(#[from] ListError),
    /// There is no such user.
    #[error("there is no user {0}, whom telemd would be: correct `user` in the configuration")]
    Nobody(String),
    /// The user or the capabilities.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

/// Becomes telemd's user, holds no capability, opens no file and makes no system call but those of telemd. What the kernel does not know it
/// does not restrict, as for telemd.
pub fn confine(config: &Config) -> Result<(), ConfineError> {
    if credentials::is_root() {
        let name = config.user.as_deref().unwrap_or(DEFAULT_USER);
        let account = account::find(Path::new(account::PASSWD), name)?;
        match account {
            Some(account) => {
                credentials::limit_programs(CapabilitySet::empty())?;
                credentials::become_user(&account)?;
            }
            // As telemd, which stays root where nobody has made its user.
            None if config.user.is_none() => {}
            None => return Err(ConfineError::Nobody(name.to_owned())),
        }
    }
    credentials::keep_capabilities(CapabilitySet::empty())?;
    credentials::no_new_privileges()?;
    let restricted = reach::restrict(&Reach::default());
    if let Err(error) = restricted {
        tracing::debug!(%error, "files can be opened as before");
    }
    if let Err(error) = calls::restrict(Role::Networked) {
        tracing::debug!(%error, "system calls are not restricted");
    }
    Ok(())
}
