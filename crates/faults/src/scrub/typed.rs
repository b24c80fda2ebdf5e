//! Scrubbing values rather than text.

use super::pointer;
use super::{Counts, Rule, Scrubber};
use crate::KernelReport;
use crate::crash::Crash;
use crate::report::{Frame, Lock};

impl Scrubber {
    /// Scrubs the texts and addresses of a report. Title and functions stay unless something private is in them.
    ///
    /// [`crate::KernelReport::parts`] keeps the ranges of the text that was parsed; [`super::Scrubbed::moved`] tells where those are
    /// in the scrubbed text.
    pub fn report(&self, report: &mut KernelReport) -> Counts {
        let mut counts = Counts::default();
        let mut pass = Pass {
            scrubber: self,
            counts: &mut counts,
        };
        pass.text(&mut report.title);
        report.alt_titles.iter_mut().for_each(|title| pass.text(title));
        for trace in &mut report.traces {
            pass.text(&mut trace.label);
            trace.frames.iter_mut().for_each(|frame| pass.frame(frame));
        }
        for register in &mut report.registers {
            pass.named(&register.name, &mut register.value);
        }
        if let Some(code) = &mut report.code {
            pass.texts(&mut code.unreadable);
        }
        if let Some(access) = &mut report.access {
            pass.address(&mut access.address);
            pass.texts(&mut access.reason);
        }
        if let Some(object) = &mut report.object {
            pass.address(&mut object.address);
        }
        for held in &mut report.held_locks {
            pass.text(&mut held.comm);
            held.locks.iter_mut().for_each(|lock| pass.lock(lock));
        }
        if let Some(conflict) = &mut report.lock_conflict {
            let locks = conflict.wanted.iter_mut().chain(&mut conflict.held);
            locks.for_each(|lock| pass.lock(lock));
        }
        if let Some(oom) = &mut report.oom {
            pass.texts(&mut oom.memcg);
            pass.texts(&mut oom.victim_memcg);
            if let Some(victim) = &mut oom.victim {
                pass.text(&mut victim.comm);
            }
        }
        if let Some(hardware) = &mut report.hardware {
            pass.text(&mut hardware.text);
            pass.text(&mut hardware.system);
            pass.texts(&mut hardware.board);
        }
        for text in [&mut report.comm, &mut report.workqueue, &mut report.kernel_build] {
            pass.texts(text);
        }
        counts
    }

    /// Scrubs the texts of a crash, and the addresses of frames whose module is not known.
    pub fn crash(&self, crash: &mut Crash) -> Counts {
        let mut counts = Counts::default();
        let mut pass = Pass {
            scrubber: self,
            counts: &mut counts,
        };
        pass.text(&mut crash.program);
        for frame in &mut crash.frames {
            pass.texts(&mut frame.module);
            if frame.module.is_none() {
                pass.address(&mut frame.offset);
            }
        }
        counts
    }
}

impl Scrubber {
    /// Scrubs a value whose name says what it is, such as the value of a register.
    pub fn value(&self, name: &str, value: &mut String) -> Counts {
        let line = self.text(&format!("{name}: {value}"));
        if line.counts.total() > 0
            && let Some(scrubbed) = line.text.get(name.len() + 2..)
        {
            scrubbed.clone_into(value);
        }
        line.counts
    }

    /// Another address in the place of a long one; `None`: it stays.
    pub fn address(&self, address: u64) -> Option<u64> {
        let action = self.actions.get(&Rule::Pointer)?;
        if !pointer::is_long(address) {
            return None;
        }
        let mut token = String::new();
        self.tokens
            .write(Rule::Pointer, *action, &format!("{address:016x}"), &mut token);
        crate::bytes::hexadecimal(token.as_bytes())
    }
}

struct Pass<'a> {
    scrubber: &'a Scrubber,
    counts: &'a mut Counts,
}

impl Pass<'_> {
    fn text(&mut self, text: &mut String) {
        let scrubbed = self.scrubber.text(text);
        if scrubbed.counts.total() > 0 {
            self.counts.merge(&scrubbed.counts);
            *text = scrubbed.text;
        }
    }

    fn texts(&mut self, text: &mut Option<String>) {
        if let Some(text) = text {
            self.text(text);
        }
    }

    fn named(&mut self, name: &str, value: &mut String) {
        let counts = self.scrubber.value(name, value);
        self.counts.merge(&counts);
    }

    fn address(&mut self, address: &mut Option<u64>) {
        if let Some(scrubbed) = address.and_then(|address| self.scrubber.address(address)) {
            *address = Some(scrubbed);
            self.counts.add(Rule::Pointer);
        }
    }

    fn frame(&mut self, frame: &mut Frame) {
        self.texts(&mut frame.location);
    }

    fn lock(&mut self, lock: &mut Lock) {
        self.address(&mut lock.address);
        if let Some(frame) = &mut lock.at {
            self.frame(frame);
        }
    }
}
