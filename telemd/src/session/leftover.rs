//! Machine checks that outlast a reset.
//!
//! The registers of a processor keep the machine check that the last boot died of, and this boot's kernel prints it once
//! more (`arch/x86/kernel/cpu/mce/core.c`: `mcheck_cpu_init`, Linux 5.10 to 7.2). A dump of that boot tells it better, so what
//! the log says waits until the dumps are read.

use probe_user::pstore::Dump;
use proto::v1::Record;
use proto::v1::record::Payload;

use crate::kept::Mark;
use crate::pipeline::Found;

/// Machine checks that wait; more are told at once. A bank of each kind on a machine of some sockets.
const HELD: usize = 64;

/// What the log of this boot says of machine checks, while the dumps are not read.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    held: Vec<Found>,
    is_over: bool,
}

impl Leftovers {
    /// Gives `found` back unless it waits.
    pub(super) fn hold(&mut self, found: Found) -> Option<Found> {
        if self.is_over || self.held.len() >= HELD || banks(&found.record).next().is_none() {
            return Some(found);
        }
        self.held.push(found);
        None
    }

    /// The dumps are read, or nobody waits for them any more. Answers what none of them tells, and the marks of what one
    /// does.
    pub(super) fn settle(&mut self, dumps: &[Dump]) -> (Vec<Found>, Vec<Mark>) {
        self.is_over = true;
        let is_told = |found: &Found| {
            banks(&found.record).all(|bank| dumps.iter().any(|dump| dump.text.contains(&bank)))
        };
        let (told, untold): (Vec<_>, Vec<_>) = self.held.drain(..).partition(is_told);
        (untold, told.into_iter().filter_map(|found| found.mark).collect())
    }
}

/// The banks that the text of a machine check names, each with its status, as `__print_mce` prints them:
/// `Bank 4: be00000000800400`.
fn banks(record: &Record) -> impl Iterator<Item = String> {
    let text = match &record.payload {
        Some(Payload::KernelReport(report))
            if record.class == faults::Class::HardwareMachineCheck.as_str() =>
        {
            report.text.as_str()
        }
        _ => "",
    };
    text.lines().filter_map(|line| {
        let (_, bank) = line.split_once(": Machine Check")?.1.split_once(" Bank ")?;
        Some(format!("Bank {}", bank.trim_end()))
    })
}

#[cfg(test)]
mod tests {
    use probe_user::pstore::{DumpReason, Origin};

    use super::*;

    fn found(class: &str, text: &str) -> Found {
        let report = proto::v1::KernelReport {
            text: text.to_owned(),
            ..Default::default()
        };
        Found {
            record: Record {
                class: class.to_owned(),
                title: text.to_owned(),
                payload: Some(Payload::KernelReport(report)),
                ..Record::default()
            },
            mark: Some(Mark::End {
                boot_id: text.to_owned(),
            }),
        }
    }

    fn dump(text: &str) -> Dump {
        Dump {
            origin: Origin::Pstore,
            reason: DumpReason::Panic,
            number: Some(1),
            text: text.to_owned(),
            written_unix_ns: 0,
            files: Vec::new(),
        }
    }

    const MACHINE_CHECK: &str = "hardware.machine_check";
    const DIED: &str = "mce: [Hardware Error]: CPU 0: Machine Check Exception: 5 Bank 4: be00000000800400\n";
    const AGAIN: &str = "mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 4: be00000000800400\n";
    const OTHER: &str = "mce: [Hardware Error]: CPU 1: Machine Check: 0 Bank 1: a000000000000000\n";

    #[test]
    fn what_a_dump_tells_is_not_told_again_and_the_rest_is() {
        let mut leftovers = Leftovers::default();
        for text in [AGAIN, OTHER] {
            assert_eq!(leftovers.hold(found(MACHINE_CHECK, text)), None);
        }
        let oops = found("kernel.oops", AGAIN);
        assert_eq!(leftovers.hold(oops.clone()), Some(oops));
        let (untold, marks) = leftovers.settle(&[dump(DIED)]);
        assert_eq!(untold, [found(MACHINE_CHECK, OTHER)]);
        assert_eq!(marks.len(), 1);
        // Later ones are this boot's own.
        let later = found(MACHINE_CHECK, AGAIN);
        assert_eq!(leftovers.hold(later.clone()), Some(later));
    }

    #[test]
    fn without_dumps_all_is_told() {
        let mut leftovers = Leftovers::default();
        assert_eq!(leftovers.hold(found(MACHINE_CHECK, AGAIN)), None);
        assert_eq!(
            leftovers.settle(&[]),
            (vec![found(MACHINE_CHECK, AGAIN)], Vec::new())
        );
    }
}
