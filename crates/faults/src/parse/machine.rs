//! The CPU, the task, the kernel and the machine that a report is from.

use super::access;
use super::who::{self, Who};
use crate::report::{AccessMode, Hardware, Module, Oops, Taint};

/// Modules kept of one report.
const MODULES_MAX: usize = 512;
/// Options of a death's line that are kept.
const OPTIONS_MAX: usize = 16;

/// What the lines around a stack say of its circumstances. Of what is printed more than once the first counts.
#[derive(Debug, Default)]
pub(crate) struct Machine<'t> {
    pub(crate) cpu: Option<u32>,
    pub(crate) pid: Option<u32>,
    pub(crate) uid: Option<u32>,
    pub(crate) comm: Option<&'t str>,
    pub(crate) workqueue: Option<&'t str>,
    pub(crate) release: Option<&'t str>,
    pub(crate) build: Option<&'t str>,
    pub(crate) build_id: Option<&'t str>,
    pub(crate) preemption: Option<&'t str>,
    pub(crate) taint: Option<Taint>,
    pub(crate) hardware: Option<Hardware>,
    pub(crate) modules: Vec<Module>,
    pub(crate) last_unloaded: Option<&'t str>,
    pub(crate) oops: Option<Oops>,
    /// What the error code of the exception says was tried.
    pub(crate) tried: Option<AccessMode>,
    /// The list of modules may go on in the next line.
    modules_open: bool,
}

impl<'t> Machine<'t> {
    /// Reads a line without leading spaces; true when it says something of that sort.
    pub(crate) fn line(&mut self, line: &'t str) -> bool {
        if let Some(name) = line.strip_prefix("Hardware name: ") {
            self.hardware.get_or_insert_with(|| hardware(name.trim()));
        } else if let Some(name) = line.strip_prefix("Workqueue: ") {
            self.workqueue.get_or_insert(name.trim());
        } else if let Some(who) = who::read(line) {
            self.who(who);
        } else if let Some(names) = line.strip_prefix("Tainted: [") {
            // Since 6.12 the letters are spelled out in a line of their own. It counts when that with the letters is lost.
            self.taint.get_or_insert_with(|| Taint::new(&letters(names)));
        } else {
            return line.starts_with("task:");
        }
        true
    }

    /// Of what is told more than once the first counts; number and name of a task belong together, and so do a release and
    /// what follows it.
    fn who(&mut self, who: Who<'t>) {
        self.cpu = self.cpu.or(who.cpu);
        if self.comm.is_none() && who.comm.is_some() {
            (self.uid, self.pid, self.comm) = (who.uid, who.pid, who.comm);
        }
        if let Some(taint) = who.taint {
            self.taint.get_or_insert_with(|| Taint::new(taint));
        }
        if self.release.is_none() && who.release.is_some() {
            self.release = who.release;
            self.build(who.build.unwrap_or_default());
        }
    }

    /// The model of preemption: of the CPU's line or, in kernels that do not print it there, of the death's.
    pub(crate) fn preemption(&self) -> Option<String> {
        let mut options = self.oops.iter().flat_map(|oops| &oops.options);
        let of_death = || options.find(|option| option.starts_with("PREEMPT")).cloned();
        self.preemption.map(str::to_owned).or_else(of_death)
    }

    /// `#1 PREEMPT(lazy)  Debian 7.2.1-1 0123456789abcdef0123456789abcdef01234567`.
    fn build(&mut self, text: &'t str) {
        let (before, last) = text.rsplit_once(' ').unwrap_or(("", text));
        let is_id = last.len() >= 32 && last.bytes().all(|b| b.is_ascii_hexdigit());
        let text = if is_id { before.trim() } else { text };
        self.build_id = is_id.then_some(last);
        self.build = Some(text).filter(|text| !text.is_empty());
        self.preemption = text
            .split_ascii_whitespace()
            .find(|word| word.starts_with("PREEMPT"));
    }

    /// `Modules linked in: a(OE) b [last unloaded: c(E)]`; a long list goes on in the next line, behind a space. True
    /// when the line is a part of it.
    pub(crate) fn module_line(&mut self, line: &'t str) -> bool {
        let list = if let Some(list) = line.trim_start().strip_prefix("Modules linked in:") {
            if !self.modules.is_empty() {
                return true;
            }
            list
        } else if self.modules_open && line.starts_with(' ') && line.split_ascii_whitespace().all(is_module) {
            line
        } else {
            self.modules_open = false;
            return false;
        };
        let (list, unloaded) = list.split_once("[last unloaded:").unwrap_or((list, ""));
        self.modules_open = unloaded.is_empty() && !list.trim().is_empty();
        let left = MODULES_MAX.saturating_sub(self.modules.len());
        self.modules
            .extend(list.split_ascii_whitespace().take(left).map(module));
        let unloaded = unloaded.trim_end_matches(']').trim();
        let name = unloaded
            .split(['(', ':', ' '])
            .next()
            .filter(|name| !name.is_empty());
        self.last_unloaded = self.last_unloaded.or(name);
        true
    }

    /// `Oops: 0002 [#1] PREEMPT SMP`, `Internal error: Oops: 96000004 [#1] SMP`, `Oops[#1]:`, before 2.6.20 also
    /// `Oops: 0002 [1] SMP`; true when the line is that.
    pub(crate) fn oops_line(&mut self, line: &str) -> bool {
        let Some((what, counter, options)) = death(line) else {
            return false;
        };
        if self.oops.is_none() {
            let error_code = error_code(what);
            self.tried = error_code.and_then(|code| access::tried(what, code));
            self.oops = Some(Oops {
                counter,
                error_code,
                options: options
                    .split_ascii_whitespace()
                    .filter(|option| option.starts_with(|c: char| c.is_ascii_uppercase()))
                    .take(OPTIONS_MAX)
                    .map(str::to_owned)
                    .collect(),
            });
        }
        true
    }
}

/// What stands before the counter, the counter, and what follows.
pub(crate) fn death(line: &str) -> Option<(&str, u32, &str)> {
    let bracket = if line.starts_with("Oops: ") {
        memchr::memchr(b'[', line.as_bytes())
    } else {
        memchr::memchr(b'#', line.as_bytes()).and_then(|at| at.checked_sub(1))
    };
    let (what, rest) = line.split_at_checked(bracket?)?;
    let (counter, options) = rest.strip_prefix('[')?.split_once(']')?;
    Some((what, counter.trim_start_matches('#').parse().ok()?, options))
}

/// The number behind the last colon: `Oops: 0002 `, `Internal error: Oops - BUG: 0 `, `Oops: 0004 ilc:3 `; the number of a
/// signal (`sig: 11`, powerpc) is none.
fn error_code(what: &str) -> Option<u64> {
    let (before, code) = what.rsplit_once(": ")?;
    let code = code.split_ascii_whitespace().next()?;
    if before.ends_with("sig") {
        return None;
    }
    crate::bytes::hexadecimal(code.strip_prefix("0x").unwrap_or(code).as_bytes())
}

/// The letters of `D]=DIE, [W]=WARN`.
fn letters(text: &str) -> String {
    let letter = |word: &str| word.trim_start().trim_start_matches('[').chars().next();
    text.split(',').filter_map(letter).take(64).collect()
}

fn is_module(word: &str) -> bool {
    let (name, marks) = word.split_once('(').unwrap_or((word, ")"));
    let is_name = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    is_name && marks.ends_with(')')
        || word.starts_with("[last")
        || word.starts_with("unloaded:")
        || word.ends_with(']')
}

fn module(word: &str) -> Module {
    let (name, marks) = word.split_once('(').unwrap_or((word, ""));
    Module {
        name: name.to_owned(),
        marks: marks.strip_suffix(')').map(str::to_owned),
    }
}

/// `Vendor Product/Board, BIOS 1.2 01/02/2026`.
fn hardware(text: &str) -> Hardware {
    let (machine, bios) = match text.rsplit_once(", BIOS ") {
        Some((machine, bios)) => (machine, bios.trim()),
        None => (text, ""),
    };
    let (system, board) = match machine.rsplit_once('/') {
        Some((system, board)) => (system, Some(board.trim())),
        None => (machine, None),
    };
    let (version, date) = match bios.rsplit_once(' ') {
        Some((version, date)) if date.contains('/') => (version.trim(), Some(date)),
        _ if bios.contains('/') => ("", Some(bios)),
        _ => (bios, None),
    };
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Hardware {
        text: text.to_owned(),
        system: system.trim().to_owned(),
        board: board.and_then(some),
        bios_version: some(version),
        bios_date: date.and_then(some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Machine<'_> {
        let mut machine = Machine::default();
        for line in text.lines() {
            machine.oops_line(line);
            let _ = machine.line(line.trim_start()) || machine.module_line(line);
        }
        machine
    }

    #[test]
    fn the_line_of_the_cpu_is_taken_apart() {
        // lib/dump_stack.c, 6.18.
        let machine = read(
            "CPU: 3 UID: 1000 PID: 77 Comm: a b:c Kdump: loaded Tainted: G      D W  OE       6.18.1-x #1 PREEMPT(lazy)  \
             Debian 6.18.1-1 0123456789abcdef0123456789abcdef01234567\nWorkqueue: events example_work [example]\n",
        );
        assert_eq!(
            (machine.cpu, machine.uid, machine.pid),
            (Some(3), Some(1000), Some(77))
        );
        assert_eq!((machine.comm, machine.release), (Some("a b:c"), Some("6.18.1-x")));
        assert_eq!(machine.build, Some("#1 PREEMPT(lazy)  Debian 6.18.1-1"));
        assert_eq!(machine.build_id, Some("0123456789abcdef0123456789abcdef01234567"));
        assert_eq!(machine.preemption().as_deref(), Some("PREEMPT(lazy)"));
        assert_eq!(machine.workqueue, Some("events example_work [example]"));
        assert_eq!(machine.taint.unwrap().flags.len(), 4);
        let old = read("Pid: 9, comm: swapper Not tainted 2.6.32 #1 Example Box\n");
        assert_eq!(
            (old.pid, old.comm, old.release),
            (Some(9), Some("swapper"), Some("2.6.32"))
        );
        assert!(old.taint.unwrap().flags.is_empty());
        assert_eq!(read("Process sh (pid: 9, stack limit = 0x1)\n").comm, Some("sh"));
        assert_eq!(
            read("Tainted: [D]=DIE, [O]=OOT_MODULE\n").taint.unwrap().text,
            "DO"
        );
    }

    #[test]
    fn deaths_of_all_machines_are_taken_apart() {
        let cases: [(&str, u32, Option<u64>, usize); 7] = [
            ("Oops: Oops: 0002 [#2] PREEMPT SMP NOPTI", 2, Some(2), 3),
            (
                "Internal error: Oops: 0000000096000004 [#1] PREEMPT SMP",
                1,
                Some(0x9600_0004),
                2,
            ),
            ("Internal error: Oops - BUG: 0 [#1] SMP ARM", 1, Some(0), 2),
            ("Oops: 0004 ilc:3 [#1] SMP ", 1, Some(4), 1),
            ("Oops: Kernel access of bad area, sig: 11 [#1]", 1, None, 0),
            ("Oops [#12]", 12, None, 0),
            ("Oops[#1]:", 1, None, 0),
        ];
        for (line, counter, error_code, options) in cases {
            let oops = read(line).oops.unwrap();
            assert_eq!(
                (oops.counter, oops.error_code, oops.options.len()),
                (counter, error_code, options),
                "{line}"
            );
        }
        assert_eq!(
            read("Oops: 0002 [#1] PREEMPT SMP").preemption().as_deref(),
            Some("PREEMPT")
        );
        assert!(read("a [#b] c").oops.is_none());
    }

    #[test]
    fn modules_may_go_on_in_the_next_line() {
        let machine = read("Modules linked in: a(OE) b(+)\n c d(E-) [last unloaded: e(O)]\n f g\n");
        let shown: Vec<_> = machine
            .modules
            .iter()
            .map(|module| (module.name.as_str(), module.marks.as_deref()))
            .collect();
        assert_eq!(
            shown,
            [
                ("a", Some("OE")),
                ("b", Some("+")),
                ("c", None),
                ("d", Some("E-"))
            ]
        );
        assert_eq!(machine.last_unloaded, Some("e"));
        assert_eq!(read("Modules linked in: a\n f+0x1/0x2\n").modules.len(), 1);
    }

    #[test]
    fn the_machine_is_taken_apart() {
        let all = hardware("Example Inc. Box 9000/0A1B2C, BIOS 1.2.3 01/02/2026");
        assert_eq!(
            (all.system.as_str(), all.board.as_deref()),
            ("Example Inc. Box 9000", Some("0A1B2C"))
        );
        assert_eq!(
            (all.bios_version.as_deref(), all.bios_date.as_deref()),
            (Some("1.2.3"), Some("01/02/2026"))
        );
        assert_eq!(hardware("linux,dummy-virt (DT)").system, "linux,dummy-virt (DT)");
        assert_eq!(
            hardware("A B, BIOS 01/02/2026").bios_date.as_deref(),
            Some("01/02/2026")
        );
    }
}
