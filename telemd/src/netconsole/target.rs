//! The target in configfs (`Documentation/networking/netconsole.rst`): what is there, and what is to be written.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Where configfs shows netconsole's targets.
pub const TARGETS: &str = "/sys/kernel/config/netconsole";
/// The name of our target.
pub const NAME: &str = "telemetrics";

/// The file with the token, and its folder.
pub const VALUE: &str = "userdata/telemetrics/value";
const USER_DATA: &str = "userdata/telemetrics";
/// The files of a target that are read.
const FILES: [&str; 9] = [
    "enabled",
    "extended",
    "release",
    "dev_name",
    "local_ip",
    "remote_ip",
    "remote_port",
    "remote_mac",
    VALUE,
];

/// What a target should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    /// Where lines go.
    pub remote: SocketAddr,
    /// Where they come from.
    pub local_ip: IpAddr,
    /// The network device.
    pub device: String,
    /// The next hop's address on the wire.
    pub mac: String,
    /// The token of this boot.
    pub token: String,
}

/// What a target is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// The files that this kernel has, with what they hold.
    pub files: BTreeMap<&'static str, String>,
    /// The kernel has user data (Linux 6.9).
    pub has_user_data: bool,
}

/// One change, relative to the target's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make a folder.
    Make(&'static str),
    /// Write a file.
    Write(&'static str, String),
    /// Remove a folder.
    Remove(&'static str),
}

/// A step that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step}")]
pub struct StepError {
    /// Which, as a command.
    pub step: String,
    /// What the kernel said.
    #[source]
    pub source: io::Error,
}

impl State {
    /// Reads a target; `None` when there is none.
    pub fn read(folder: &Path) -> io::Result<Option<Self>> {
        if !folder.is_dir() {
            return Ok(None);
        }
        let mut state = Self {
            has_user_data: folder.join("userdata").is_dir(),
            ..Self::default()
        };
        for file in FILES {
            match fs::read_to_string(folder.join(file)) {
                Ok(text) => {
                    state.files.insert(file, text.trim_end().to_owned());
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(state))
    }

    /// A target that a new kernel has just made, to tell what would be done.
    pub fn fresh() -> Self {
        let files = FILES.into_iter().filter(|file| *file != VALUE);
        Self {
            files: files.map(|file| (file, String::new())).collect(),
            has_user_data: true,
        }
    }

    /// Whether the target sends.
    pub fn is_enabled(&self) -> bool {
        // 1, or `Y` on kernels to come: a boolean of configfs.
        self.files
            .get("enabled")
            .is_some_and(|value| matches!(value.as_str(), "1" | "Y"))
    }

    /// The steps from here to the goal; none when it is reached. A target can only be changed while it does not send.
    pub fn steps(&self, goal: &Goal) -> Vec<Step> {
        let ip = |ip: IpAddr| ip.to_string();
        let mut wanted = vec![
            ("extended", "1".to_owned()),
            ("release", "1".to_owned()),
            ("dev_name", goal.device.clone()),
            ("local_ip", ip(goal.local_ip)),
            ("remote_ip", ip(goal.remote.ip())),
            ("remote_port", goal.remote.port().to_string()),
            ("remote_mac", goal.mac.to_ascii_lowercase()),
        ];
        // What a kernel does not have it is not told; dev_name and the rest it always has.
        wanted.retain(|(file, _)| self.files.contains_key(file) || !matches!(*file, "extended" | "release"));
        let is_so = |(file, value): &(&str, String)| self.files.get(file) == Some(value);
        let has_token = !self.has_user_data || self.files.get(VALUE) == Some(&goal.token);
        if self.is_enabled() && has_token && wanted.iter().all(is_so) {
            return Vec::new();
        }
        let mut steps = Vec::new();
        if self.is_enabled() {
            steps.push(Step::Write("enabled", "0".to_owned()));
        }
        steps.extend(wanted.into_iter().map(|(file, value)| Step::Write(file, value)));
        if self.has_user_data {
            if !self.files.contains_key(VALUE) {
                steps.push(Step::Make(USER_DATA));
            }
            steps.push(Step::Write(VALUE, goal.token.clone()));
        }
        steps.push(Step::Write("enabled", "1".to_owned()));
        steps
    }

    /// The steps that remove the target; its own folder is last.
    pub fn removal(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.is_enabled() {
            steps.push(Step::Write("enabled", "0".to_owned()));
        }
        if self.files.contains_key(VALUE) {
            steps.push(Step::Remove(USER_DATA));
        }
        steps.push(Step::Remove(""));
        steps
    }
}

impl Step {
    /// Does it.
    pub fn run(&self, folder: &Path) -> Result<(), StepError> {
        let done = match self {
            Self::Make(name) => fs::create_dir(folder.join(name)),
            // Without truncation, which configfs has no use for.
            Self::Write(file, value) => fs::OpenOptions::new()
                .write(true)
                .open(folder.join(file))
                .and_then(|mut file| io::Write::write_all(&mut file, value.as_bytes())),
            Self::Remove(name) => fs::remove_dir(path(folder, name)),
        };
        done.map_err(|source| StepError {
            step: self.shown(folder),
            source,
        })
    }

    /// As a command of the shell.
    pub fn shown(&self, folder: &Path) -> String {
        match self {
            Self::Make(name) => format!("mkdir {}", path(folder, name).display()),
            Self::Write(file, value) => format!("echo {value} > {}", path(folder, file).display()),
            Self::Remove(name) => format!("rmdir {}", path(folder, name).display()),
        }
    }
}

fn path(folder: &Path, name: &str) -> PathBuf {
    if name.is_empty() {
        folder.to_owned()
    } else {
        folder.join(name)
    }
}

#[cfg(test)]
mod tests;
