//! Taking what is private out of a record, by the rules of [`faults::scrub`].

use faults::scrub::{Counts, Rule, Scrubber};
use proto::limits::{CUSTOM_PAYLOAD_BYTES, LOSS_EXAMPLE_BYTES, REPORT_TEXT_BYTES, TITLE_BYTES};
use proto::v1::record::Payload;
use proto::v1::{EventField, KernelEvent, KernelReport, ProgramCrash, Record, event_field};

use crate::COMM_BYTES;
use crate::text::cut;

/// Titles, names of functions, words: the fields of at most 256 bytes or less.
const WORDS_BYTES: usize = TITLE_BYTES;
/// A value of a register, bytes.
const REGISTER_BYTES: usize = 64;
/// Values of fields, paths of cgroups, evidence, bytes.
const VALUE_BYTES: usize = 1024;
/// A path, bytes: `PATH_MAX` (`include/uapi/linux/limits.h`).
const PATH_BYTES: usize = 4096;

/// Scrubs the texts of a record, and the addresses in the memory of kernel and programs. Class, fingerprints, physical
/// addresses and other numbers of the hardware, and bytes that were not understood stay as they are.
///
/// A text that grew beyond its field's limit, because a token is longer than what it stands for, is cut.
pub fn scrub(record: &mut Record, scrubber: &Scrubber) -> Counts {
    let mut pass = Pass {
        scrubber,
        counts: Counts::default(),
    };
    pass.text(&mut record.title, TITLE_BYTES);
    for precursor in &mut record.precursors {
        pass.text(&mut precursor.text, WORDS_BYTES);
    }
    if let Some(context) = &mut record.context {
        pass.text(&mut context.comm, COMM_BYTES);
        pass.text(&mut context.cgroup, VALUE_BYTES);
    }
    match &mut record.payload {
        Some(Payload::KernelReport(report)) => pass.kernel_report(report),
        Some(Payload::OomKill(kill)) => {
            pass.text(&mut kill.victim_comm, COMM_BYTES);
            pass.text(&mut kill.limit_cgroup, VALUE_BYTES);
            pass.text(&mut kill.victim_cgroup, VALUE_BYTES);
        }
        Some(Payload::ProgramCrash(crash)) => pass.program_crash(crash),
        Some(Payload::KernelEvent(event)) => pass.kernel_event(event),
        Some(Payload::HardwareError(error)) => {
            pass.text(&mut error.part, WORDS_BYTES);
            pass.texts(&mut error.fields);
        }
        Some(Payload::Obituary(obituary)) => {
            for sign in &mut obituary.evidence {
                pass.text(&mut sign.text, VALUE_BYTES);
            }
        }
        Some(Payload::Custom(custom)) => {
            pass.text(&mut custom.payload, CUSTOM_PAYLOAD_BYTES);
            pass.text(&mut custom.comm, COMM_BYTES);
            pass.texts(&mut custom.fields);
        }
        Some(Payload::Loss(loss)) => {
            pass.text(&mut loss.title, TITLE_BYTES);
            for example in &mut loss.examples {
                pass.text(&mut example.comm, COMM_BYTES);
                pass.text(&mut example.text, LOSS_EXAMPLE_BYTES);
            }
        }
        Some(Payload::MachineCheck(_) | Payload::Heartbeat(_) | Payload::Undecodable(_)) | None => {}
    }
    pass.counts
}

struct Pass<'a> {
    scrubber: &'a Scrubber,
    counts: Counts,
}

impl Pass<'_> {
    fn text(&mut self, text: &mut String, limit: usize) {
        let scrubbed = self.scrubber.text(text);
        if scrubbed.counts.total() > 0 {
            self.counts.merge(&scrubbed.counts);
            cut(&scrubbed.text, limit).clone_into(text);
        }
    }

    /// A value whose name says what it is.
    fn value(&mut self, name: &str, value: &mut String, limit: usize) {
        let counts = self.scrubber.value(name, value);
        self.counts.merge(&counts);
        value.truncate(value.floor_char_boundary(limit));
    }

    fn address(&mut self, address: &mut u64) {
        if let Some(scrubbed) = self.scrubber.address(*address) {
            *address = scrubbed;
            self.counts.add(Rule::Pointer);
        }
    }

    fn kernel_report(&mut self, report: &mut KernelReport) {
        self.text(&mut report.text, REPORT_TEXT_BYTES);
        self.text(&mut report.comm, COMM_BYTES);
        self.text(&mut report.hardware, WORDS_BYTES);
        for title in &mut report.alt_titles {
            self.text(title, TITLE_BYTES);
        }
        for trace in &mut report.traces {
            self.text(&mut trace.heading, WORDS_BYTES);
            for frame in &mut trace.frames {
                self.text(&mut frame.location, WORDS_BYTES);
            }
        }
        for register in &mut report.registers {
            self.value(&register.name, &mut register.value, REGISTER_BYTES);
        }
    }

    fn program_crash(&mut self, crash: &mut ProgramCrash) {
        self.text(&mut crash.executable, PATH_BYTES);
        if let Some(address) = &mut crash.address {
            self.address(address);
        }
        let others = crash.threads.iter_mut().flat_map(|thread| &mut thread.frames);
        for frame in crash.frames.iter_mut().chain(others) {
            self.text(&mut frame.file, PATH_BYTES);
            if frame.build_id.is_empty() {
                self.address(&mut frame.offset);
            }
        }
    }

    fn kernel_event(&mut self, event: &mut KernelEvent) {
        self.texts(&mut event.fields);
        for field in &mut event.fields {
            if let Some(event_field::Value::Unsigned(number)) = &mut field.value {
                self.address(number);
            }
        }
    }

    fn texts(&mut self, fields: &mut [EventField]) {
        for EventField { name, value } in fields {
            if let Some(event_field::Value::Text(text)) = value {
                self.value(name, text, VALUE_BYTES);
            }
        }
    }
}

#[cfg(test)]
mod tests;
