//! The alerts file of a collector, which it reads again when it is asked to.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use super::rules::{Rules, RulesError};
use crate::metrics::Metrics;
use crate::store::chain;

/// A file, and the rules that are in force. Cheap to clone: all clones have the same rules.
#[derive(Clone, Debug)]
pub struct File {
    path: Arc<PathBuf>,
    rules: Arc<RwLock<Arc<Rules>>>,
}

impl File {
    /// Reads it for the first time.
    pub fn open(path: &Path) -> Result<Self, RulesError> {
        Ok(Self::of(path, Rules::read(path)?))
    }

    /// Rules that the file is to replace when it is read again.
    pub fn of(path: &Path, rules: Rules) -> Self {
        Self {
            path: path.to_owned().into(),
            rules: Arc::new(RwLock::new(rules.into())),
        }
    }

    /// The rules in force.
    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads it again. A file that is wrong changes nothing.
    pub(super) fn read_again(&self, metrics: &Metrics) {
        let read = Rules::read(&self.path);
        metrics.alerts_file(read.is_ok());
        match read {
            Ok(rules) => {
                tracing::info!(rules = rules.rules().len(), "the alerts file was read again");
                *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules.into();
            }
            Err(error) => tracing::error!(
                error = %chain(&error),
                "the alerts file could not be read again: the old rules stay in force"
            ),
        }
    }
}
