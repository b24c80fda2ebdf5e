//! What systemd's journal says of failed units, errors and core dumps, an entry at a time as `journalctl -o json` prints it.
//!
//! A crash that `signal_deliver` sees is told by it, as it happens and without a core. Where that hook is not attached (a container, a
//! kernel that refuses it), what systemd-coredump wrote of the dump is told instead: the stacks of all threads, by file, build and
//! offset. The core itself stays with systemd-coredump, so there is never a second copy of it.
//!
//! The fields are those of `systemd.journal-fields(7)`; one that is no text is a list of bytes, one that is too long is `null`. Every
//! program writes what it likes into those whose names have no `_` before them: that a unit failed is taken from the service
//! managers only, the host's and those of users, and a core dump from systemd-coredump.

use serde::Deserialize;
use serde_json::Value;

use crate::text::cut;

/// How far the journal was told, in the state directory.
pub const FILE: &str = "failures.json";
/// A unit has entered the failed state: `SD_MESSAGE_UNIT_FAILURE_RESULT` of `sd-messages.h`, systemd 238 and later.
pub const UNIT_FAILED: &str = "d9b373ed55a64feb8242e02dbe79a49c";
/// The hook that tells of crashes itself.
pub const CRASH_HOOK: &str = "signal_deliver";
/// The fields that are read of an entry: a core dump has others, of megabytes.
pub const FIELDS: &str = "MESSAGE,MESSAGE_ID,PRIORITY,UNIT,UNIT_RESULT,_PID,_SYSTEMD_UNIT,_SYSTEMD_USER_UNIT,SYSLOG_IDENTIFIER,_TRANSPORT,\
                          COREDUMP_SIGNAL_NAME,COREDUMP_PID,COREDUMP_EXE,COREDUMP_UNIT";
/// The process of the host's service manager.
const MANAGER: &str = "1";
/// How the units begin in which managers of users run what users run.
const OF_USER: &str = "user@";
/// The unit of such a manager itself.
const USER_MANAGER: &str = "init.scope";
/// How the units of systemd-coredump begin.
const DUMPER: &str = "systemd-coredump@";
/// A program dumped core: `SD_MESSAGE_COREDUMP`.
const CORE_DUMP: &str = "fc2e22bc6ee647b6b90729ab34a250b1";
/// Errors and worse (`syslog(3)`).
pub const WORST_PRIORITY: u8 = 3;
/// Longest entry that is read, bytes.
pub const ENTRY_BYTES: usize = 1 << 20;
/// Longest message that is told, bytes: that of Clear Linux's probe fits.
const MESSAGE_BYTES: usize = 8_192;
/// Longest message about a core dump that is told, bytes: stacks of hundreds of threads. One that is longer is cut, and never left out.
const DUMP_BYTES: usize = proto::limits::CUSTOM_PAYLOAD_BYTES;
/// Longest path that is told, bytes.
const PATH_BYTES: usize = proto::limits::FIELD_VALUE_BYTES;
/// Longest name that is told, bytes: `UNIT_NAME_MAX` of systemd is 256.
const NAME_BYTES: usize = 256;
/// Longest cursor that is kept, bytes; systemd's have some 150.
const CURSOR_BYTES: usize = 1_024;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A unit failed; by which result of `systemd.service(5)`.
    Unit {
        /// Such as `exit-code`, `timeout`, `oom-kill`.
        result: String,
    },
    /// Somebody said so; 0 to 3.
    Message {
        /// `PRIORITY`
        priority: u8,
    },
    /// A program dumped core, and systemd-coredump says how it was.
    CoreDump {
        /// Such as `SIGSEGV`.
        signal: String,
        /// The process.
        pid: u64,
        /// Path of the program.
        executable: String,
    },
}

/// An entry of the journal that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub what: What,
    /// The unit; empty when it is none's.
    pub unit: String,
    /// How the program calls itself.
    pub identifier: String,
    /// The message.
    pub message: String,
    /// When, microseconds since the Unix epoch.
    pub at_us: u64,
}

/// An entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub cursor: String,
    /// What is told of it; `None`: others tell it, or nobody needs to know.
    pub failure: Option<Failure>,
}

#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "__CURSOR")]
    cursor: String,
    #[serde(rename = "__REALTIME_TIMESTAMP", default)]
    at_us: Value,
    #[serde(rename = "MESSAGE", default)]
    message: Value,
    #[serde(rename = "MESSAGE_ID", default)]
    message_id: Value,
    #[serde(rename = "PRIORITY", default)]
    priority: Value,
    #[serde(rename = "UNIT", default)]
    of_unit: Value,
    #[serde(rename = "UNIT_RESULT", default)]
    result: Value,
    #[serde(rename = "_PID", default)]
    writer: Value,
    #[serde(rename = "_SYSTEMD_UNIT", default)]
    unit: Value,
    #[serde(rename = "_SYSTEMD_USER_UNIT", default)]
    user_unit: Value,
    #[serde(rename = "SYSLOG_IDENTIFIER", default)]
    identifier: Value,
    #[serde(rename = "_TRANSPORT", default)]
    transport: Value,
    #[serde(rename = "COREDUMP_SIGNAL_NAME", default)]
    signal: Value,
    #[serde(rename = "COREDUMP_PID", default)]
    pid: Value,
    #[serde(rename = "COREDUMP_EXE", default)]
    executable: Value,
    #[serde(rename = "COREDUMP_UNIT", default)]
    dumped_unit: Value,
}

impl Entry {
    /// Understands a line of JSON; `None` when it is no entry. `dumps`: core dumps are told, because no hook does.
    pub fn of_json(line: &[u8], dumps: bool) -> Option<Self> {
        let fields: Fields = serde_json::from_slice(line).ok()?;
        if fields.cursor.is_empty() || fields.cursor.len() > CURSOR_BYTES {
            return None;
        }
        Some(Self {
            failure: fields.failure(dumps),
            cursor: fields.cursor,
        })
    }
}

impl Fields {
    fn failure(&self, dumps: bool) -> Option<Failure> {
        let name = |value: &Value| cut(&text(value), NAME_BYTES).to_owned();
        let (identifier, unit) = (name(&self.identifier), name(&self.unit));
        let is_dump = text(&self.message_id) == CORE_DUMP && unit.starts_with(DUMPER);
        // The kernel's are told by hooks, and the agent does not tell of itself.
        let is_own =
            identifier.starts_with("telem") || unit.starts_with("telemd") || unit.starts_with("telemetrics");
        if (is_own && !is_dump) || text(&self.transport) == "kernel" || (is_dump && !dumps) {
            return None;
        }
        let (what, unit) = if is_dump {
            let what = What::CoreDump {
                signal: name(&self.signal),
                pid: text(&self.pid).parse().unwrap_or(0),
                executable: cut(&text(&self.executable), PATH_BYTES).to_owned(),
            };
            // The entry itself is of systemd-coredump's own unit.
            (what, name(&self.dumped_unit))
        } else if self.is_of_failed_unit() {
            let result = name(&self.result);
            (What::Unit { result }, name(&self.of_unit))
        } else {
            let priority = text(&self.priority)
                .parse()
                .ok()
                .filter(|priority| *priority <= WORST_PRIORITY)?;
            (What::Message { priority }, unit)
        };
        let message_bytes = if is_dump { DUMP_BYTES } else { MESSAGE_BYTES };
        Some(Failure {
            what,
            unit,
            identifier,
            message: cut(&text(&self.message).replace('\0', "\u{fffd}"), message_bytes).to_owned(),
            at_us: text(&self.at_us).parse().unwrap_or(0),
        })
    }

    /// Managers of users say `USER_UNIT`: what they tell is of none of the host's units.
    fn is_of_failed_unit(&self) -> bool {
        let is_by_users_manager =
            || text(&self.unit).starts_with(OF_USER) && text(&self.user_unit) == USER_MANAGER;
        text(&self.message_id) == UNIT_FAILED
            && (text(&self.writer) == MANAGER || (is_by_users_manager() && text(&self.of_unit).is_empty()))
    }
}

/// A field's text; of several with one name, the first.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_u64) => {
            let bytes: Vec<u8> = items
                .iter()
                .filter_map(|byte| u8::try_from(byte.as_u64()?).ok())
                .collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        Value::Array(items) => items.first().map(text).unwrap_or_default(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(fields: &str) -> Entry {
        let line = format!("{{\"__CURSOR\":\"c\",\"__REALTIME_TIMESTAMP\":\"7\",{fields}}}");
        Entry::of_json(line.as_bytes(), false).unwrap()
    }

    #[test]
    fn a_core_dump_is_told_where_no_hook_does_however_long_its_stacks_are() {
        let stacks = "Stack trace of thread 7: #0 0x1 abort (libc.so.6 + 0x2)\\n".repeat(4_000);
        let line = format!(
            "{{\"__CURSOR\":\"c\",\"MESSAGE_ID\":\"{CORE_DUMP}\",\"PRIORITY\":\"2\",\"_SYSTEMD_UNIT\":\"systemd-coredump@1.service\",\
             \"COREDUMP_PID\":\"41\",\"COREDUMP_SIGNAL_NAME\":\"SIGABRT\",\"COREDUMP_EXE\":\"/usr/bin/telem-x\",\
             \"COREDUMP_UNIT\":\"x.service\",\"SYSLOG_IDENTIFIER\":\"systemd-coredump\",\"MESSAGE\":\"{stacks}\"}}"
        );
        let failure = Entry::of_json(line.as_bytes(), true).unwrap().failure.unwrap();
        let what = What::CoreDump {
            signal: "SIGABRT".into(),
            pid: 41,
            executable: "/usr/bin/telem-x".into(),
        };
        assert_eq!((failure.what, failure.unit.as_str()), (what, "x.service"));
        assert!(
            failure.message.starts_with("Stack trace of thread 7") && failure.message.len() <= DUMP_BYTES
        );
        assert_eq!(Entry::of_json(line.as_bytes(), false).unwrap().failure, None);
    }

    #[test]
    fn failed_units_and_errors_are_told_and_what_others_tell_is_not() {
        let failed = format!(
            "\"MESSAGE_ID\":\"{UNIT_FAILED}\",\"PRIORITY\":\"4\",\"_PID\":\"1\",\"UNIT\":\"x.service\",\"UNIT_RESULT\":\"timeout\",\"MESSAGE\":\"x failed\""
        );
        let failure = entry(&failed).failure.unwrap();
        assert_eq!((failure.unit.as_str(), failure.at_us), ("x.service", 7));
        assert_eq!(
            failure.what,
            What::Unit {
                result: "timeout".into()
            }
        );
        let of_user = format!(
            "\"MESSAGE_ID\":\"{UNIT_FAILED}\",\"PRIORITY\":\"4\",\"_PID\":\"900\",\"_SYSTEMD_UNIT\":\"user@1000.service\",\
             \"_SYSTEMD_USER_UNIT\":\"init.scope\",\"USER_UNIT\":\"y.service\",\"UNIT_RESULT\":\"exit-code\",\"MESSAGE\":\"y failed\""
        );
        let failure = entry(&of_user).failure.unwrap();
        assert_eq!(
            (failure.unit.as_str(), failure.message.as_str()),
            ("", "y failed")
        );
        assert!(matches!(failure.what, What::Unit { .. }));
        let failure = entry("\"PRIORITY\":\"3\",\"SYSLOG_IDENTIFIER\":\"d\",\"MESSAGE\":[104,105,255]")
            .failure
            .unwrap();
        assert_eq!(
            (failure.what, failure.message.as_str()),
            (What::Message { priority: 3 }, "hi\u{fffd}")
        );
        for others in [
            "\"PRIORITY\":\"4\",\"MESSAGE\":\"x\"",
            "\"PRIORITY\":\"3\",\"_TRANSPORT\":\"kernel\"",
            "\"PRIORITY\":\"2\",\"MESSAGE_ID\":\"fc2e22bc6ee647b6b90729ab34a250b1\",\"_SYSTEMD_UNIT\":\"systemd-coredump@1.service\"",
            "\"PRIORITY\":\"3\",\"SYSLOG_IDENTIFIER\":\"telemd\"",
        ] {
            assert_eq!(entry(others).failure, None, "{others}");
        }
        assert_eq!(Entry::of_json(b"{}", true), None);
        assert_eq!(Entry::of_json(b"-- no entries --", true), None);
    }

    #[test]
    fn what_a_program_claims_of_others_is_its_own_message() {
        let failed = format!("\"MESSAGE_ID\":\"{UNIT_FAILED}\",\"_SYSTEMD_UNIT\":");
        let claims = [
            format!("{failed}\"evil.service\",\"UNIT\":\"sshd.service\""),
            format!("{failed}\"evil.service\""),
            format!("{failed}\"evil.service\",\"_SYSTEMD_USER_UNIT\":\"init.scope\""),
            format!("{failed}\"user@1000.service\",\"_SYSTEMD_USER_UNIT\":\"evil.service\""),
            format!(
                "{failed}\"user@1000.service\",\"_SYSTEMD_USER_UNIT\":\"init.scope\",\"UNIT\":\"sshd.service\""
            ),
            format!(
                "\"MESSAGE_ID\":\"{CORE_DUMP}\",\"COREDUMP_EXE\":\"/usr/sbin/sshd\",\"_SYSTEMD_UNIT\":\"evil.service\""
            ),
        ];
        for claim in claims {
            let claim = format!("{claim},\"_PID\":\"77\",\"PRIORITY\"");
            assert_eq!(entry(&format!("{claim}:\"4\"")).failure, None);
            let line = format!("{{\"__CURSOR\":\"c\",{claim}:\"2\"}}");
            let failure = Entry::of_json(line.as_bytes(), true).unwrap().failure.unwrap();
            assert_eq!(failure.what, What::Message { priority: 2 }, "{claim}");
            assert_ne!(failure.unit, "sshd.service", "{claim}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_passed_over(
            value in r#"(null|"3"|3|\[1,2\]|\["a","b"\]|\{\}|"[a-z\\u0]{0,5}")"#,
            field in "(MESSAGE|PRIORITY|UNIT|MESSAGE_ID|_TRANSPORT|__CURSOR)",
            garbage in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            Entry::of_json(&garbage, true);
            let line = format!("{{\"__CURSOR\":\"c\",\"PRIORITY\":\"3\",\"{field}\":{value}}}");
            if let Some(failure) = Entry::of_json(line.as_bytes(), true).and_then(|entry| entry.failure) {
                prop_assert!(failure.message.len() <= MESSAGE_BYTES);
            }
        }
    }
}
