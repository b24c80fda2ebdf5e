//! What is recorded at all, and how much of each class: `[consent]` and `[[rate]]` of the configuration.
//!
//! Counts of what was lost are recorded whatever is consented to: without them the books would not balance.

use faults::Class;
use probe_user::hook;
use prost::Message as _;
use proto::v1::Record;
use proto::v1::record::Payload;

use crate::bucket::{Bucket, Limit};
use crate::config::{Consented, Rate};
use crate::record::CORE_PATTERN;

/// What the administrator of the host agreed to.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    consented: Consented,
    rates: Vec<(Rate, Option<Bucket>)>,
}

impl Policy {
    /// What the configuration says. Limits are unused at first.
    pub fn new(consented: &Consented, rates: &[Rate]) -> Self {
        Self {
            consented: consented.clone(),
            rates: rates.iter().map(|rate| (rate.clone(), None)).collect(),
        }
    }

    /// Whether `record` may be recorded.
    pub fn allows(&self, record: &Record) -> bool {
        if record.class == Class::TelemetryLoss.as_str() {
            return true;
        }
        let Consented {
            classes,
            except,
            sources,
        } = &self.consented;
        let among = |patterns: &[String]| patterns.iter().any(|pattern| is_of(record, pattern));
        let source = source(record);
        among(classes) && !among(except) && sources.iter().any(|pattern| matches(pattern, &source))
    }

    /// Whether the limit of its class has room for `record` at `now_ms`; it is used up by as much.
    pub fn has_room(&mut self, record: &Record, now_ms: u64) -> bool {
        let limited = self.rates.iter_mut().find(|(rate, _)| is_of(record, &rate.class));
        let Some((rate, bucket)) = limited else {
            return true;
        };
        let limit = Limit {
            records: u64::from(rate.records),
            bytes: rate.bytes,
            window_ms: rate.window_s * 1_000,
        };
        let bucket = bucket.get_or_insert_with(|| Bucket::full(limit, now_ms));
        bucket.take(limit, record.encoded_len(), now_ms).is_ok()
    }
}

/// Whether a record's class, or the classification that its program gave it, is meant by `pattern`.
fn is_of(record: &Record, pattern: &str) -> bool {
    let by_program = match &record.payload {
        Some(Payload::Custom(custom)) => Some(custom.classification.as_str()),
        _ => None,
    };
    matches(pattern, &record.class) || by_program.is_some_and(|name| matches(pattern, name))
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

/// Where a record comes from: a hook of this boot, the local socket, a core dump, what an earlier boot left, or the agent itself.
fn source(record: &Record) -> String {
    match record.hook.as_ref().map(|hook| hook.name.as_str()) {
        None => "agent".to_owned(),
        Some(name @ ("socket" | CORE_PATTERN)) => name.to_owned(),
        Some(name) if hook::ALL.contains(&name) || name.starts_with(USER) => format!("hook.{name}"),
        Some(name) => format!("past.{name}"),
    }
}

/// How the names of the host's own probes begin.
const USER: &str = "user.";

#[cfg(test)]
mod tests {
    use proto::v1::{Custom, Hook};

    use super::*;

    fn record(class: &str, hook: &str) -> Record {
        Record {
            class: class.into(),
            hook: Some(Hook {
                name: hook.into(),
                attach: String::new(),
            }),
            ..Record::default()
        }
    }

    fn of_program(classification: &str) -> Record {
        Record {
            payload: Some(Payload::Custom(Custom {
                classification: classification.into(),
                ..Custom::default()
            })),
            ..record("custom", "socket")
        }
    }

    fn consented(classes: &[&str], except: &[&str], sources: &[&str]) -> Policy {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let consented = Consented {
            classes: owned(classes),
            except: owned(except),
            sources: owned(sources),
        };
        Policy::new(&consented, &[])
    }

    #[test]
    fn classes_are_recorded_by_name_and_by_beginning() {
        let policy = consented(
            &["kernel.*", "org.example/*", "boot.end"],
            &["kernel.warning"],
            &["*"],
        );
        let allowed = |record| policy.allows(&record);
        assert!(allowed(record("kernel.oops", hook::PRINTK_CONSOLE)));
        assert!(!allowed(record("kernel.warning", hook::PRINTK_CONSOLE)));
        assert!(!allowed(record("program.crash", "signal_deliver")));
        assert!(allowed(of_program("org.example/disk/full")));
        assert!(!allowed(of_program("org.other/disk/full")));
        assert!(allowed(record("boot.end", "obituary")) && !allowed(record("boot.ending", "obituary")));
        assert!(allowed(record("telemetry.loss", "")));
    }

    #[test]
    fn sources_are_hooks_the_socket_and_the_past() {
        let policy = consented(&["*"], &[], &["hook.*", "past.bert"]);
        assert!(policy.allows(&record("kernel.oops", hook::PRINTK_CONSOLE)));
        assert!(policy.allows(&record("custom.tracepoint", "user.mine")));
        assert!(policy.allows(&record("hardware.memory_error", "bert")));
        assert!(!policy.allows(&record("kernel.panic", "pstore")));
        assert!(!policy.allows(&record("program.crash", CORE_PATTERN)));
        assert!(consented(&["*"], &[], &["core_pattern"]).allows(&record("program.crash", CORE_PATTERN)));
        assert!(!policy.allows(&of_program("a/b/c")));
    }

    #[test]
    fn a_limit_is_of_the_first_pattern_that_fits_and_comes_back_over_its_window() {
        let rate = |class: &str, records| Rate {
            class: class.into(),
            records,
            bytes: 1 << 20,
            window_s: 10,
        };
        let mut policy = Policy::new(
            &Consented::default(),
            &[rate("kernel.oops", 1), rate("kernel.*", 2)],
        );
        let mut kept = |class: &str, now_ms| policy.has_room(&record(class, ""), now_ms);
        assert!(kept("kernel.oops", 0) && !kept("kernel.oops", 0));
        assert!(kept("kernel.bug", 0) && kept("kernel.warning", 0) && !kept("kernel.bug", 0));
        assert!(kept("program.crash", 0));
        assert!(!kept("kernel.bug", 4_999) && kept("kernel.bug", 5_000));
    }

    #[test]
    fn bytes_are_limited_too() {
        let rate = Rate {
            class: "*".into(),
            records: 1_000,
            bytes: 100,
            window_s: 10,
        };
        let mut policy = Policy::new(&Consented::default(), &[rate]);
        let record = record(&"c".repeat(60), "");
        assert!(policy.has_room(&record, 0) && !policy.has_room(&record, 0));
    }
}
