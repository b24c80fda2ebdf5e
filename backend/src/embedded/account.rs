//! The user that PostgreSQL runs as.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::Path,
};

use rustix::{
    fs::chown,
    process::{Gid, Uid, geteuid},
};
use tokio::process::Command;

use super::{EmbeddedError, at};

/// A user. None: the one that this process runs as.
#[derive(Clone, Debug)]
pub(super) struct Account(Option<Other>);

#[derive(Clone, Debug)]
struct Other {
    name: String,
    uid: u32,
    gid: u32,
}

impl Account {
    /// Whoever owns the folder already; for root a user of PostgreSQL's.
    pub(super) fn for_folder(dir: &Path) -> Result<Self, EmbeddedError> {
        if !geteuid().is_root() {
            return Ok(Self(None));
        }
        let owner = fs::metadata(dir)
            .ok()
            .map(|folder| folder.uid())
            .filter(|uid| *uid != 0);
        let passwd = fs::read_to_string("/etc/passwd").map_err(at(Path::new("/etc/passwd")))?;
        let users: Vec<Other> = passwd.lines().filter_map(user).collect();
        let named = |name: &str| users.iter().find(|user| user.name == name);
        let chosen = match owner {
            Some(uid) => users.iter().find(|user| user.uid == uid),
            None => named("postgres").or_else(|| named("nobody")),
        };
        chosen
            .cloned()
            .map(|user| Self(Some(user)))
            .ok_or(EmbeddedError::NoUser)
    }

    /// Whether the user may enter the folder and all above it.
    pub(super) fn check_path(&self, dir: &Path) -> Result<(), EmbeddedError> {
        let Some(user) = &self.0 else {
            return Ok(());
        };
        for folder in dir.ancestors().collect::<Vec<_>>().into_iter().rev() {
            let metadata = fs::metadata(folder).map_err(at(folder))?;
            let enter = if metadata.uid() == user.uid {
                0o100
            } else if metadata.gid() == user.gid {
                0o010
            } else {
                0o001
            };
            if metadata.mode() & enter == 0 {
                return Err(EmbeddedError::Unreachable {
                    user: user.name.clone(),
                    folder: folder.to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Makes a folder that only the user may enter, where there is none.
    pub(super) fn own(&self, dir: &Path) -> Result<(), EmbeddedError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(at(dir))?;
        if let Some(user) = &self.0 {
            let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
            chown(dir, Some(uid), Some(gid)).map_err(|error| at(dir)(error.into()))?;
        }
        Ok(())
    }

    /// A command that runs as the user and gets SIGINT when the calling thread ends.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]);
        if let Some(user) = &self.0 {
            command
                .args(["--reuid", &user.uid.to_string()])
                .args(["--regid", &user.gid.to_string()])
                .arg("--clear-groups");
        }
        // The working directory may be closed to the user.
        command.arg("--").arg(program).current_dir("/");
        command
    }
}

/// A line of /etc/passwd: name:password:uid:gid:...
fn user(line: &str) -> Option<Other> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(Other { name, uid, gid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwd_lines_are_read() {
        let found = user("postgres:x:101:104:PostgreSQL administrator:/var/lib/postgresql:/bin/bash")
            .expect("a user");
        assert_eq!(
            (found.name.as_str(), found.uid, found.gid),
            ("postgres", 101, 104)
        );
        assert!(user("# a comment").is_none());
        assert!(user("").is_none());
    }
}
