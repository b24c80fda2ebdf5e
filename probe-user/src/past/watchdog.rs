//! Why the host was started, as its watchdogs remember: `/sys/class/watchdog/*/bootstatus`.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::line;

/// The most watchdogs that are looked at.
const MAX_WATCHDOGS: usize = 32;

/// What a driver's boot status says; `WDIOF_*` of `include/uapi/linux/watchdog.h`, the same since Linux 2.6.
pub mod flag {
    /// It was too hot.
    pub const OVERHEAT: u32 = 0x01;
    /// A fan failed.
    pub const FAN_FAULT: u32 = 0x02;
    /// The power was bad: under voltage.
    pub const POWER_UNDER: u32 = 0x10;
    /// The watchdog reset the machine.
    pub const CARD_RESET: u32 = 0x20;
    /// The power was bad: over voltage.
    pub const POWER_OVER: u32 = 0x40;
}

/// A watchdog and why, by its account, the machine was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watchdog {
    /// Its device: `watchdog0`.
    pub name: String,
    /// What it calls itself: `iTCO_wdt`; empty when it does not.
    pub identity: String,
    /// Bits of [`flag`]; 0 says nothing: most drivers don't know.
    pub boot_status: u32,
}

/// Every watchdog that has a boot status, by name. A folder that is missing holds none.
pub fn read(class: &Path) -> Vec<Watchdog> {
    let entries = fs::read_dir(class).into_iter().flatten().flatten();
    let mut watchdogs: Vec<_> = entries
        .take(MAX_WATCHDOGS)
        .filter_map(|entry| {
            let path = entry.path();
            Some(Watchdog {
                name: entry.file_name().to_string_lossy().into_owned(),
                identity: line(&path.join("identity")),
                boot_status: boot_status(&line(&path.join("bootstatus")))?,
            })
        })
        .collect();
    watchdogs.sort_by(|a, b| a.name.cmp(&b.name));
    watchdogs
}

/// Decimal (`watchdog_dev.c`: `bootstatus_show`); hexadecimal in drivers that have their own.
fn boot_status(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watchdogs_are_read_and_those_without_a_status_left_out() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(&dir.path().join("missing")), []);
        for (name, file, text) in [
            ("watchdog1", "bootstatus", "0x20\n"),
            ("watchdog0", "bootstatus", "32\n"),
            ("watchdog0", "identity", "iTCO_wdt\n"),
            ("watchdog2", "identity", "no status\n"),
            ("watchdog3", "bootstatus", "?\n"),
        ] {
            let path = dir.path().join(name);
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join(file), text).unwrap();
        }
        let watchdogs = read(dir.path());
        let told: Vec<_> = watchdogs
            .iter()
            .map(|dog| (dog.name.as_str(), dog.identity.as_str(), dog.boot_status))
            .collect();
        assert_eq!(
            told,
            [
                ("watchdog0", "iTCO_wdt", flag::CARD_RESET),
                ("watchdog1", "", flag::CARD_RESET)
            ]
        );
    }
}
