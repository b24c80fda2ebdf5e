//! The configuration file of Clear Linux's client, as TOML of this agent.
//!
//! `telemetrics.conf` (telemetrics-client 2.4.3) has one section `[settings]` of `key=value`; `#` and `;` begin comments, `\s` is
//! a space, numbers are in minutes, seconds and KiB.

use probe_user::user_probe::nearest;
use serde::Serialize;

/// Where Clear Linux's client looked first.
pub const PATHS: [&str; 2] = [
    "/etc/telemetrics/telemetrics.conf",
    "/usr/share/defaults/telemetrics/telemetrics.conf",
];
/// Its keys.
const KEYS: [&str; 17] = [
    "server",
    "socket_path",
    "spool_dir",
    "cainfo",
    "tidheader",
    "record_expiry",
    "spool_max_size",
    "spool_process_time",
    "rate_limit_enabled",
    "record_burst_limit",
    "record_window_length",
    "byte_burst_limit",
    "byte_window_length",
    "rate_limit_strategy",
    "daemon_recycling_enabled",
    "record_retention_enabled",
    "record_server_delivery_enabled",
];
/// What it took when a key was missing: `src/configuration.c` of telemetrics-client 2.4.3.
const RECORD_BURST: i64 = 1_000;
/// Minutes.
const RECORD_WINDOW: i64 = 15;
/// Smallest `spool.max_age_s`.
const MAX_AGE_MIN_S: i64 = 3_600;
/// Smallest `spool.segment_bytes`.
const SEGMENT_MIN_BYTES: i64 = 1 << 20;
/// Segments that a small spool is divided into: space is given back a segment at a time.
const SEGMENTS: i64 = 4;

/// What an old file says, for this agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Migrated {
    /// A configuration file of this agent.
    pub toml: String,
    /// What it does not say, and why.
    pub notes: Vec<String>,
}

/// Says what `text` says in this agent's form. Whatever cannot be said is a note.
pub fn migrate(text: &str) -> Migrated {
    let mut notes = Vec::new();
    let settings = Settings::read(text, &mut notes);
    let mut toml = String::new();
    let mut say = |lines: &[String]| lines.iter().for_each(|line| toml.extend([line.as_str(), "\n"]));
    if let Some(path) = settings
        .text("socket_path")
        .filter(|path| *path != local::SOCKET_PATH)
    {
        say(&[format!("socket_path = {}", toml::Value::from(path))]);
    }
    say(&settings.rate(&mut notes));
    say(&settings.spool(&mut notes));
    if settings.is("record_server_delivery_enabled") == Some(false) {
        say(&["[collector]".into(), "enabled = false".into()]);
    }
    if settings.is("record_retention_enabled") == Some(true) {
        say(&["[journal]".into(), "payloads = true".into()]);
    }
    settings.tell_rest(&mut notes);
    Migrated { toml, notes }
}

struct Settings<'a>(Vec<(&'a str, String)>);

impl<'a> Settings<'a> {
    fn read(text: &'a str, notes: &mut Vec<String>) -> Self {
        let mut read = Vec::new();
        let mut is_inside = false;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if line.starts_with('[') {
                is_inside = line == "[settings]";
                continue;
            }
            let number = index + 1;
            match line.split_once('=') {
                Some((key, value)) if is_inside => {
                    let key = key.trim();
                    if KEYS.contains(&key) {
                        read.push((key, value.trim().replace("\\s", " ").replace('\\', "")));
                    } else {
                        let meant = nearest(key, KEYS)
                            .map_or_else(String::new, |meant| format!(": did you mean {meant}?"));
                        notes.push(format!(
                            "line {number}: {key} is no key of telemetrics.conf{meant}"
                        ));
                    }
                }
                _ => notes.push(format!("line {number}: not key=value in [settings], passed over")),
            }
        }
        Self(read)
    }

    /// The last one counts.
    fn text(&self, key: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(name, _)| *name == key);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn number(&self, key: &str) -> Option<i64> {
        self.text(key)?.parse().ok()
    }

    fn is(&self, key: &str) -> Option<bool> {
        match self.text(key)?.to_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }

    fn rate(&self, notes: &mut Vec<String>) -> Vec<String> {
        if self.is("rate_limit_enabled") == Some(false) {
            return Vec::new();
        }
        if self.text("rate_limit_strategy") != Some("drop") {
            if self
                .number("record_burst_limit")
                .or(self.number("byte_burst_limit"))
                .is_some()
            {
                notes.push(
                    "record_burst_limit and byte_burst_limit: their strategy is to keep what is over them, which this agent \
                     does without limits; [[rate]] would count it as lost instead"
                        .into(),
                );
            }
            return Vec::new();
        }
        let window = self
            .number("record_window_length")
            .unwrap_or(RECORD_WINDOW)
            .clamp(1, 59);
        let records = self.number("record_burst_limit").unwrap_or(RECORD_BURST);
        if records < 0 {
            notes
                .push("byte_burst_limit: write a [[rate]] with as many records as are wanted with it".into());
            return Vec::new();
        }
        let mut lines = vec![
            "[[rate]]".to_owned(),
            "class = \"*\"".to_owned(),
            format!("records = {}", records.clamp(1, 1_000_000)),
            format!("window_s = {}", window * 60),
        ];
        if let Some(bytes) = self.number("byte_burst_limit").filter(|bytes| *bytes > 0) {
            lines.insert(3, format!("bytes = {}", bytes.min(1 << 40)));
            notes.push("byte_window_length: a limit has one window here, that of the records".into());
        }
        lines
    }

    fn spool(&self, notes: &mut Vec<String>) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(minutes) = self.number("record_expiry") {
            let seconds = minutes.saturating_mul(60).clamp(MAX_AGE_MIN_S, 10 * 365 * 86_400);
            lines.push(format!("max_age_s = {seconds}"));
            if seconds != minutes.saturating_mul(60) {
                notes.push(format!(
                    "record_expiry = {minutes}: out of this agent's range, {seconds} s are taken"
                ));
            }
        }
        match self.number("spool_max_size") {
            Some(kib) if kib > 0 => {
                let bytes = kib.saturating_mul(1_024).clamp(2 * SEGMENT_MIN_BYTES, 1 << 40);
                let segment = (bytes / SEGMENTS).clamp(SEGMENT_MIN_BYTES, 8 << 20);
                lines.push(format!("segment_bytes = {segment}"));
                lines.push(format!("max_bytes = {bytes}"));
                if bytes != kib.saturating_mul(1_024) {
                    notes.push(format!(
                        "spool_max_size = {kib}: out of this agent's range, {bytes} bytes are taken"
                    ));
                }
            }
            Some(_) => {
                notes.push("spool_max_size: a spool always has a limit here; the default is taken".into());
            }
            None => {}
        }
        if !lines.is_empty() {
            lines.insert(0, "[spool]".into());
        }
        lines
    }

    fn tell_rest(&self, notes: &mut Vec<String>) {
        for (key, why) in [
            (
                "server",
                "this agent speaks gRPC: name its collector in collector.url",
            ),
            (
                "cainfo",
                "name the authority of the new collector in collector.ca_file",
            ),
            ("tidheader", "collectors know a sender by its agent id"),
            ("spool_dir", "the spool is below state_dir"),
            ("spool_process_time", "what waits is tried after 1 to 64 s"),
            (
                "daemon_recycling_enabled",
                "the agent stays, because hooks are watched",
            ),
        ] {
            if let Some(value) = self.text(key) {
                notes.push(format!("{key} = {value}: {why}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::config::Config;

    const EXAMPLE: &str = "# site\n[settings]\nserver=https://example.org/v3/collector\nsocket_path=/run/other\\s1\n\
        spool_dir=/var/spool/telemetry\nrecord_expiry=1200\nspool_max_size=5120\nrate_limit_enabled=true\n\
        record_burst_limit=500\nrecord_window_length=15\nbyte_burst_limit=100000\nrate_limit_strategy=drop\n\
        record_retention_enabled=TRUE\nrecord_server_delivery_enabled=0\nrecord_sever_delivery_enabled=true\nno value\n";

    #[test]
    fn an_old_file_becomes_a_new_one_and_what_cannot_be_said_is_told() {
        let migrated = migrate(EXAMPLE);
        insta::assert_snapshot!(format!("{}---\n{}", migrated.toml, migrated.notes.join("\n")));
        let config = Config::parse(Path::new("x"), &migrated.toml).unwrap();
        assert_eq!(config.socket_path, Path::new("/run/other 1"));
        assert_eq!(
            (config.spool.max_bytes, config.spool.max_age_s),
            (5 << 20, 72_000)
        );
        assert!(config.journal.payloads && !config.collector.enabled);
    }

    #[test]
    fn the_old_defaults_need_no_file() {
        assert_eq!(
            migrate("[settings]\nsocket_path=/run/telem-0\n"),
            Migrated::default()
        );
    }

    proptest! {
        #[test]
        fn whatever_an_old_file_says_what_comes_out_is_right(
            numbers in prop::collection::vec((prop::sample::select(&KEYS[..]), any::<i64>()), 0..20),
            strategy in prop::sample::select(&["drop", "spool", "x"][..]),
            garbage in ".{0,60}",
        ) {
            let lines: Vec<_> = numbers.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let lines = lines.join("\n");
            let path = "socket_path=/run/telem-0\n";
            let text = format!("[settings]\n{lines}\n{path}rate_limit_strategy={strategy}\n{garbage}\n");
            let migrated = migrate(&text);
            let parsed = Config::parse(Path::new("x"), &migrated.toml);
            prop_assert!(parsed.is_ok(), "{:?} of {text:?}", parsed.unwrap_err().to_string());
        }
    }
}
