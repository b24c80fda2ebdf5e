//! What a report says besides its title: one pass in which each line is shown to the readers of the sorts of facts.

use super::access::AccessReader;
use super::code::CodeReader;
use super::locks::LockReader;
use super::machine::Machine;
use super::object::ObjectReader;
use super::registers::Registers;
use super::scan::{Scan, What};
use crate::report::PartKind;

/// Facts of a report.
#[derive(Debug, Default)]
pub(crate) struct Facts<'t> {
    pub(crate) machine: Machine<'t>,
    pub(crate) registers: Registers,
    pub(crate) code: CodeReader,
    pub(crate) access: AccessReader,
    pub(crate) object: ObjectReader,
    pub(crate) locks: LockReader,
    in_stack_dump: bool,
    /// What lines are that are not frames; in order.
    pub(crate) marks: Vec<(usize, PartKind)>,
}

impl<'t> Facts<'t> {
    /// Reads every line that is not a frame of a stack. Of what is printed more than once the first counts.
    pub(crate) fn read(scan: &Scan<'t>) -> Self {
        let mut facts = Self::default();
        let mut items = scan.items.iter().peekable();
        for (index, line) in scan.lines.iter().enumerate() {
            let mut item = None;
            while let Some(next) = items.next_if(|item| item.line == index) {
                item = Some(next.what);
            }
            let kind = match item {
                Some(What::Frame(_)) => None,
                Some(What::Pointer(_)) => facts.line(line).or(Some(PartKind::Registers)),
                Some(What::Stack(_)) | None => facts.line(line),
            };
            facts.marks.extend(kind.map(|kind| (index, kind)));
        }
        facts
    }

    /// `Stack: (0xc0801f00 to 0xc0802000)` and the words below: `1f00: 00000000 c0123456`, ` ffff880000000000 ...`.
    fn stack_dump(&mut self, line: &str) -> bool {
        let is_word =
            |word: &str| word.len() >= 4 && word.trim_end_matches(':').bytes().all(|b| b.is_ascii_hexdigit());
        let is_head = line.starts_with("Stack:") || line.starts_with("Stack :");
        self.in_stack_dump =
            is_head || self.in_stack_dump && !line.is_empty() && line.split_ascii_whitespace().all(is_word);
        self.in_stack_dump
    }

    /// What a line is.
    fn line(&mut self, line: &'t str) -> Option<PartKind> {
        let text = line.trim_start();
        // Some machines print registers and who ran in one line.
        let is_context = self.machine.line(text);
        let is_access = self.access.line(text);
        if self.registers.line(text) {
            Some(PartKind::Registers)
        } else if is_context {
            Some(PartKind::Context)
        } else if self.machine.module_line(line) {
            Some(PartKind::Modules)
        } else if self.code.line(text, self.registers.user_code) {
            Some(PartKind::Code)
        } else if self.locks.line(text) {
            Some(PartKind::Locks)
        } else if is_access {
            Some(PartKind::Access)
        } else if self.object.line(text) {
            Some(PartKind::Memory)
        } else if self.stack_dump(text) {
            Some(PartKind::StackDump)
        } else if text.starts_with("---[ end ") {
            Some(PartKind::End)
        } else if text.starts_with("rcu:") {
            Some(PartKind::Stall)
        } else if text.starts_with("Kernel panic - not syncing") {
            Some(PartKind::Panic)
        } else {
            let is_head = text.starts_with("------------[ cut here") || self.machine.oops_line(text);
            is_head.then_some(PartKind::Head)
        }
    }
}
