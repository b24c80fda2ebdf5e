//! What the collector should have stored after a fault.

use std::fmt;

use anyhow::{Context as _, Result};

use super::{collector::Stored, fault::Fault};

/// The record that a fault should leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    host: String,
    class: String,
    title_part: String,
}

impl Expected {
    /// A record of `class` from `host`, with `title_part` in its title.
    pub(crate) fn new(host: &str, class: &str, title_part: &str) -> Self {
        Self {
            host: host.to_owned(),
            class: class.to_owned(),
            title_part: title_part.to_owned(),
        }
    }

    /// What a fault of the guest `host` should leave; an error for a fault that is for the console's log only.
    pub(crate) fn of_fault(host: &str, fault: Fault) -> Result<Self> {
        let (class, title_part) = fault
            .expected()
            .with_context(|| format!("{fault} is only for --keep-logs"))?;
        Ok(Self::new(host, class, title_part))
    }

    /// Whether `stored` is that record.
    pub(crate) fn is_met_by(&self, stored: &Stored) -> bool {
        stored.host == self.host && stored.class == self.class && stored.title.contains(&self.title_part)
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} on {} with \"{}\" in its title",
            self.class, self.host, self.title_part
        )
    }
}
