//! The configuration at work: what of it can be changed while the agent runs, and the change.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::Config;

/// The configuration of a running agent.
#[derive(Debug)]
pub struct Settings {
    path: Option<PathBuf>,
    started: Config,
    now: RefCell<Config>,
}

/// What became of reading the configuration again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Keys whose new values are in effect.
    pub applied: Vec<String>,
    /// Keys whose new values take effect when telemd is started again.
    pub restart: Vec<String>,
    /// Why nothing was changed; empty when it was read.
    pub error: String,
}

impl Reloaded {
    /// Whether a key that begins like this has a new value.
    pub fn changed(&self, beginning: &str) -> bool {
        self.applied.iter().any(|key| key.starts_with(beginning))
    }
}

impl Settings {
    /// `started`, which came from `path` or from the default file.
    pub fn new(path: Option<&Path>, started: Config) -> Self {
        Self {
            path: path.map(Path::to_owned),
            now: RefCell::new(started.clone()),
            started,
        }
    }

    /// As it was when the agent started: what cannot be changed is read from here.
    pub fn started(&self) -> &Config {
        &self.started
    }

    /// As it is now.
    pub fn now(&self) -> Config {
        self.now.borrow().clone()
    }

    /// Reads the files again. With a mistake in them everything stays as it is.
    pub fn reload(&self) -> Reloaded {
        let written = match Config::load(self.path.as_deref()) {
            Ok(written) => written,
            Err(error) => {
                return Reloaded {
                    error: error.to_string(),
                    ..Reloaded::default()
                };
            }
        };
        let next = self.started.with_changes_of(&written);
        let applied = self.now.borrow().differences(&next);
        let restart = next.differences(&written);
        self.now.replace(next);
        Reloaded {
            applied,
            restart,
            error: String::new(),
        }
    }
}

impl Config {
    /// This configuration with what a running agent takes from `written`.
    fn with_changes_of(&self, written: &Self) -> Self {
        Self {
            log: written.log.clone(),
            consent: written.consent.clone(),
            rate: written.rate.clone(),
            identity: written.identity,
            storm: written.storm,
            quota: written.quota,
            privacy: written.privacy,
            heartbeat: written.heartbeat,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_changed_is_and_the_rest_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.toml");
        let write = |text: &str| std::fs::write(&path, text).unwrap();
        write("storm.first = 1");
        let settings = Settings::new(Some(&path), Config::load(Some(&path)).unwrap());
        write("storm.first = 2\nhostname = \"b\"");
        let told = settings.reload();
        assert_eq!(
            (told.applied.as_slice(), told.restart.as_slice()),
            (&["storm.first".to_owned()][..], &["hostname".to_owned()][..])
        );
        assert_eq!((settings.now().storm.first, settings.now().hostname), (2, None));
        assert_eq!(settings.reload().applied, [""; 0]);

        write("storm.frist = 3");
        let told = settings.reload();
        assert!(told.error.contains("did you mean first?"), "{told:?}");
        assert_eq!(settings.now().storm.first, 2);
    }
}
