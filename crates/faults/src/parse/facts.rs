//! What a report says besides its title: processor, task, release, taint, hardware, modules, registers.

use super::who::{self, Who};
use crate::report::{Module, Register};

/// Registers kept of one report.
const REGISTERS_MAX: usize = 64;
/// Modules kept of one report.
const MODULES_MAX: usize = 512;

/// Facts as printed.
#[derive(Debug, Default)]
pub(crate) struct Facts<'t> {
    pub(crate) cpu: Option<u32>,
    pub(crate) pid: Option<u32>,
    pub(crate) comm: Option<&'t str>,
    pub(crate) release: Option<&'t str>,
    pub(crate) taint: Option<&'t str>,
    pub(crate) hardware: Option<&'t str>,
    pub(crate) modules: Vec<Module>,
    pub(crate) registers: Vec<Register>,
    /// A user-space register block began: what follows is not the kernel's context.
    user: bool,
    /// A register block was read and ended.
    registers_done: bool,
}

impl<'t> Facts<'t> {
    /// Reads every line. Of what is printed more than once the first counts.
    pub(crate) fn read(lines: &[&'t str]) -> Self {
        let mut facts = Self::default();
        for line in lines {
            facts.line(line.trim_start());
        }
        facts
    }

    fn line(&mut self, line: &'t str) {
        match line.as_bytes().first() {
            Some(b'H') => {
                if let Some(name) = line.strip_prefix("Hardware name: ") {
                    self.hardware.get_or_insert(name.trim());
                }
            }
            Some(b'M') => {
                if let Some(list) = line.strip_prefix("Modules linked in:") {
                    self.module_list(list);
                }
            }
            _ => {}
        }
        if let Some(who) = who::read(line) {
            self.who(who);
        }
        self.register_line(line);
    }

    /// Of what is told more than once the first counts; number and name of a task belong together.
    fn who(&mut self, who: Who<'t>) {
        self.cpu = self.cpu.or(who.cpu);
        if self.comm.is_none() && who.comm.is_some() {
            (self.pid, self.comm) = (who.pid, who.comm);
        }
        self.taint = self.taint.or(who.taint);
        self.release = self.release.or(who.release);
    }

    fn module_list(&mut self, list: &'t str) {
        if !self.modules.is_empty() {
            return;
        }
        let list = list.split("[last unloaded").next().unwrap_or_default();
        let names = list
            .split_whitespace()
            .map(|name| name.split_once('(').unwrap_or((name, "")))
            .filter(|(name, _)| !name.is_empty());
        let modules = names.map(|(name, marks)| Module {
            name: name.to_owned(),
            marks: marks.strip_suffix(')').map(str::to_owned),
        });
        self.modules.extend(modules.take(MODULES_MAX));
    }

    /// `RAX: 0000000000000000 RBX: ...`, `x29: ffff800011223344 x28: ...`, `sp : ffff...`, `epc : ... ra : ...`.
    fn register_line(&mut self, line: &str) {
        if line.starts_with("RIP: 0033:") || line.starts_with("RIP: 0023:") {
            self.user = true;
        }
        if self.user || self.registers_done || self.registers.len() >= REGISTERS_MAX {
            return;
        }
        let before = self.registers.len();
        let mut words = line.split_whitespace().peekable();
        while let Some(word) = words.next() {
            let name = match word.strip_suffix(':') {
                Some(name) => name,
                None if words.peek() == Some(&":") => {
                    words.next();
                    word
                }
                None => break,
            };
            let known = name.len() <= 8
                && !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            let one_case = !(name.contains(|c: char| c.is_ascii_lowercase())
                && name.contains(|c: char| c.is_ascii_uppercase()));
            let known = known && one_case;
            let Some(value) = words.peek().filter(|_| known) else {
                break;
            };
            let digits = value.rsplit(':').next().unwrap_or(value);
            let digits = digits.split('(').next().unwrap_or(digits);
            if digits.len() < 4 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                break;
            }
            self.registers.push(Register {
                name: name.to_ascii_uppercase(),
                value: (*value).to_owned(),
            });
            words.next();
        }
        if before > 0 && line.starts_with("Call ") {
            self.registers_done = true;
        }
    }
}
