//! Texts to records.

use faults::{Assembled, KernelReport};
use probe_user::hook;

use super::twins::Text;
use super::{Found, KMSG, Pipeline};
use crate::clock::Moment;
use crate::kept::Mark;
use crate::record::{hook as wire_hook, wire_context};

impl Pipeline {
    pub(super) fn reports(&mut self, reports: Vec<Assembled>, now: Moment, out: &mut Vec<Found>) {
        for assembled in reports {
            let Some(report) = faults::parse(&assembled.text) else {
                continue;
            };
            // The log's own numbers show each hole; those of the hooks only once the same CPU prints again.
            if report.corrupted && assembled.gap.is_none() && self.console.attach != KMSG {
                self.cut_short.push((assembled, report));
            } else {
                self.text(assembled, report, now, out);
            }
        }
    }

    /// Whether texts were taken that say less than they should: whether lines of them were lost is to be told by
    /// [`Pipeline::has_lost`] before anything else is taken.
    pub fn is_cut_short(&self) -> bool {
        !self.cut_short.is_empty()
    }

    /// Takes note of how many events with text the kernel has lost so far, and tells the texts that were cut short: as
    /// damaged where it lost some since this was called last, which is best done while no text is being printed.
    pub fn has_lost(&mut self, events: u64, now: Moment, out: &mut Vec<Found>) {
        let more = events > std::mem::replace(&mut self.lost, events);
        for (mut assembled, report) in std::mem::take(&mut self.cut_short) {
            assembled.gap = more.then_some(assembled.text.len());
            self.text(assembled, report, now, out);
        }
    }

    fn text(&mut self, assembled: Assembled, report: KernelReport, now: Moment, out: &mut Vec<Found>) {
        if let Some(text) = self.twins.text(assembled, report) {
            self.report(text, now, out);
        }
    }

    /// Tells what waited until `now_ns` for its twin.
    pub(super) fn late(&mut self, now_ns: u64, now: Moment, out: &mut Vec<Found>) {
        while let Some(text) = self.twins.late_text(now_ns) {
            self.report(text, now, out);
        }
        while !self.console.is_collecting()
            && let Some(waiting) = self.twins.late_hook(now_ns)
        {
            if waiting.alone || !self.sees_text() {
                self.without_text(waiting, out);
            }
        }
    }

    fn report(&mut self, text: Text, now: Moment, out: &mut Vec<Found>) {
        let Text {
            assembled,
            report,
            context,
        } = text;
        let first_ns = assembled.first_at_us.saturating_mul(1_000);
        let at = now.at_boot_ns(first_ns);
        let mut record = if is_damaged(&assembled, &report) {
            self.boot.damaged_report(&report, &assembled.text, at)
        } else {
            let truncated = assembled.truncated || assembled.gap.is_some();
            self.boot.kernel_report(&report, &assembled.text, truncated, at)
        };
        record.context = context.or_else(|| self.console.printer(&assembled).map(wire_context));
        self.place(&mut record, &[], now);
        record.hook = Some(wire_hook(hook::PRINTK_CONSOLE, self.console.attach));
        let mark = Some(Mark::of_record(&record, now.asleep_ns));
        out.push(Found { record, mark });
    }
}

/// Whether what a text says of a fault may be wrong, because lines of it were lost: what stands before the first that are
/// missing does not say the same by itself.
fn is_damaged(assembled: &Assembled, report: &KernelReport) -> bool {
    assembled.gap.is_some_and(|gap| {
        let whole = assembled.text.get(..gap).and_then(faults::parse);
        !whole.is_some_and(|whole| !whole.corrupted && whole.title == report.title)
    })
}
