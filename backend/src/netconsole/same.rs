//! Whether a host has told a fault itself that netconsole told too.

use faults::Assembled;
use proto::v1::{KernelReport, Record, record::Payload};

use crate::record;

/// The same report is told this far apart at most, nanoseconds since boot: the kernel's clock for its log drifts from the
/// one that an agent reads, and stands still in suspend.
const SAME_REPORT_NS: u64 = 60_000_000_000;
/// The same where only class and time are compared, because the host tells the fault by a hook that has its own title.
const SAME_EVENT_NS: u64 = 5_000_000_000;
/// How a kernel begins its last words (`kernel/panic.c`).
const PANIC: &str = "Kernel panic - not syncing";

/// Whether `told`, a record of the host's own, tells the fault of `heard`, a record by netconsole.
pub(super) fn is_same(heard: &Record, told: &Record) -> bool {
    let other_boot = !heard.boot_id.is_empty() && !told.boot_id.is_empty() && heard.boot_id != told.boot_id;
    if other_boot || heard.class != told.class {
        return false;
    }
    let apart = match (heard.since_boot_ns, told.since_boot_ns) {
        (0, _) | (_, 0) => heard.occurred_at_unix_ns.abs_diff(told.occurred_at_unix_ns),
        (heard, told) => heard.abs_diff(told),
    };
    let issue = |record| record::issue(record).map(|issue| &issue.value);
    if issue(heard).is_some() && issue(heard) == issue(told) {
        return apart <= SAME_REPORT_NS;
    }
    has_hook_of_its_own(&heard.class) && apart <= SAME_EVENT_NS
}

/// Whether a host tells faults of a class by a hook rather than by the kernel's text.
fn has_hook_of_its_own(class: &str) -> bool {
    ["memory.", "hardware.", "storage.", "network."]
        .iter()
        .any(|family| class.starts_with(family))
}

/// What a host that has told `told` has not told of `heard`: the panic that follows a report is the last thing that a
/// kernel prints, and a report that was caught live ends before it. `None`: it told everything.
pub(super) fn untold_panic(heard: &Assembled, told: &Record) -> Option<Assembled> {
    let start = heard.text.find(PANIC).filter(|start| *start > 0)?;
    if report_text(told).contains(PANIC) {
        return None;
    }
    Some(Assembled {
        text: heard.text[start..].to_owned(),
        first_at_us: heard.last_at_us,
        gap: None,
        ..heard.clone()
    })
}

fn report_text(record: &Record) -> &str {
    match &record.payload {
        Some(Payload::KernelReport(KernelReport { text, .. })) => text,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OOPS: &str = "BUG: kernel NULL pointer dereference, address: 0000000000000008\n\
                        Oops: 0000 [#1] PREEMPT SMP NOPTI\n\
                        RIP: 0010:example_read+0x1d/0x40 [example]\n\
                        Call Trace:\n example_work+0x33/0x60 [example]\n\
                        ---[ end trace 0000000000000000 ]---\n";
    const LAST_WORDS: &str = "Kernel panic - not syncing: Fatal exception\n";

    fn record(text: &str, since_boot_ns: u64) -> Record {
        Record {
            since_boot_ns,
            boot_id: "one".to_owned(),
            ..wire::kernel_report(&faults::parse(text).expect("a report"), text, false)
        }
    }

    #[test]
    fn the_same_report_near_in_time_is_the_same() {
        let heard = record(OOPS, 100_000_000_000);
        assert!(is_same(&heard, &record(OOPS, 101_000_000_000)));
        assert!(!is_same(&heard, &record(OOPS, 200_000_000_000)));
        assert!(!is_same(
            &heard,
            &record(&OOPS.replace("example_read", "other_read"), 100_000_000_000)
        ));
        let other_boot = Record {
            boot_id: "two".to_owned(),
            ..record(OOPS, 100_000_000_000)
        };
        assert!(!is_same(&heard, &other_boot));
    }

    #[test]
    fn without_times_since_boot_the_wall_clock_counts() {
        let at = |occurred_at_unix_ns| Record {
            occurred_at_unix_ns,
            ..record(OOPS, 0)
        };
        assert!(is_same(&at(5_000_000_000), &at(9_000_000_000)));
        assert!(!is_same(&at(5_000_000_000), &at(99_000_000_000)));
    }

    #[test]
    fn what_hooks_tell_is_known_by_class_and_moment() {
        let killed = "Out of memory: Killed process 77 (postgres) total-vm:1kB, anon-rss:1kB, file-rss:0kB\n";
        let heard = record(killed, 100_000_000_000);
        let told = |since_boot_ns| Record {
            since_boot_ns,
            fingerprints: Vec::new(),
            ..heard.clone()
        };
        assert!(is_same(&heard, &told(101_000_000_000)));
        assert!(!is_same(&heard, &told(110_000_000_000)));
        let oops = record(OOPS, 100_000_000_000);
        let other = record(&OOPS.replace("example_read", "other_read"), 100_000_000_000);
        assert!(!is_same(&oops, &other));
    }

    #[test]
    fn a_panic_after_a_report_that_was_told_live_is_not_told() {
        let both = format!("{OOPS}{LAST_WORDS}");
        let lines = faults::log::lines(both.as_bytes()).collect::<Vec<_>>();
        let (mut assembler, mut texts) = (faults::Assembler::new(faults::Limits::default()), Vec::new());
        for line in &lines {
            assembler.push(line.as_line(), &mut texts);
        }
        assembler.flush(&mut texts);
        let [heard] = texts.as_slice() else {
            panic!("{texts:?}");
        };
        let untold = untold_panic(heard, &record(OOPS, 1)).expect("a panic");
        assert_eq!(untold.text, LAST_WORDS);
        assert_eq!(untold_panic(heard, &record(&both, 1)), None);
        assert_eq!(untold_panic(&untold, &record(OOPS, 1)), None, "nothing before it");
    }
}
