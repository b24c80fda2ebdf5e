//! The notes: the process, its signal, the files it maps, the registers of its threads.

use std::io::Read;

use object::elf::{ELF_NOTE_CORE, NT_AUXV, NT_FILE, NT_PRPSINFO, NT_PRSTATUS, NT_SIGINFO, NoteType};

use crate::layout::{Layout, Machine};
use crate::source::{Source, u32_at, u64_at};
use crate::{Signal, THREADS, files::Files};

/// `Elf64_Nhdr`, bytes.
const HEADER_BYTES: usize = 12;
/// Longest name of a note that is looked at, bytes: `CORE` has five, padded to eight.
const NAME_BYTES: u64 = 64;
/// Longest note that is read, bytes: the kernel writes `NT_FILE` up to 4 MiB (`fs/binfmt_elf.c`: `MAX_FILE_NOTE_SIZE`).
const NOTE_BYTES: u64 = 4 << 20;
/// Of auxv(3): where the program's own program headers are in memory (`include/uapi/linux/auxvec.h`).
const AT_PHDR: u64 = 3;
/// Where the registers are in `struct elf_prstatus` of 64-bit processors (`include/uapi/linux/elfcore.h`).
const REGISTERS: usize = 112;
/// Where the thread id is in it.
const TID: usize = 32;
/// Where the name is in `struct elf_prpsinfo` of 64-bit processors (`include/linux/elfcore.h`), and its size, bytes.
const NAME: (usize, usize) = (40, 16);

/// What the notes say.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) comm: String,
    pub(crate) signal: Option<Signal>,
    /// Where the program's own program headers are in memory.
    pub(crate) program_header: Option<u64>,
    pub(crate) files: Files,
    /// At most [`THREADS`], the one that crashed first.
    pub(crate) threads: Vec<Registers>,
    incomplete: bool,
}

/// The registers of a thread that its stack is walked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Registers {
    pub(crate) tid: u32,
    pub(crate) instruction: u64,
    pub(crate) stack: u64,
    pub(crate) frame: u64,
}

impl Notes {
    /// Reads the notes as far as they are there.
    pub(crate) fn read<R: Read>(layout: &Layout, source: &mut Source<R>) -> Self {
        let mut notes = Self::default();
        notes.incomplete = notes.read_all(layout, source).is_none();
        notes
    }

    /// Whether not all of them were there, or none of a thread.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.incomplete || self.threads.is_empty()
    }

    fn read_all<R: Read>(&mut self, layout: &Layout, source: &mut Source<R>) -> Option<()> {
        source.go_to(layout.notes.start)?;
        while source.at().saturating_add(HEADER_BYTES as u64) <= layout.notes.end {
            let header = source.take(HEADER_BYTES)?;
            let [name_bytes, bytes, kind] = [0, 4, 8].map(|at| u32_at(&header, at).unwrap_or_default());
            let name_end = source.at().checked_add(padded(name_bytes))?;
            let end = name_end.checked_add(padded(bytes))?;
            let mut name = Vec::new();
            if u64::from(name_bytes) <= NAME_BYTES {
                name = source.take(usize::try_from(name_bytes).ok()?)?;
            }
            source.go_to(name_end)?;
            if is_read(&name, NoteType(kind)) && u64::from(bytes) <= NOTE_BYTES && self.wants(NoteType(kind))
            {
                let note = source.take(usize::try_from(bytes).ok()?)?;
                self.note(NoteType(kind), &note, layout.machine);
            }
            source.go_to(end)?;
        }
        Some(())
    }

    /// Registers of more threads are passed over, and everything else comes once.
    fn wants(&self, kind: NoteType) -> bool {
        kind != NT_PRSTATUS || self.threads.len() < THREADS
    }

    fn note(&mut self, kind: NoteType, note: &[u8], machine: Machine) {
        match kind {
            NT_PRSTATUS => self.threads.extend(registers(note, machine)),
            NT_PRPSINFO => self.comm = name(note).unwrap_or_default(),
            NT_SIGINFO => self.signal = signal(note),
            NT_AUXV => self.program_header = program_header(note),
            NT_FILE => self.files = Files::of_note(note),
            _ => {}
        }
    }
}

fn is_read(name: &[u8], kind: NoteType) -> bool {
    let is_core = name.strip_suffix(b"\0").unwrap_or(name) == ELF_NOTE_CORE;
    is_core && [NT_PRSTATUS, NT_PRPSINFO, NT_SIGINFO, NT_AUXV, NT_FILE].contains(&kind)
}

/// Names and contents of notes are filled up to a multiple of 4 bytes.
fn padded(bytes: u32) -> u64 {
    u64::from(bytes).next_multiple_of(4)
}

/// `pr_reg` is `struct user_regs_struct` of `arch/x86/include/asm/user_64.h` or `struct user_pt_regs` of
/// `arch/arm64/include/uapi/asm/ptrace.h`.
fn registers(note: &[u8], machine: Machine) -> Option<Registers> {
    let register = |index: usize| u64_at(note, REGISTERS + 8 * index);
    let (instruction, stack, frame) = match machine {
        // rip, rsp, rbp.
        Machine::X86_64 => (16, 19, 4),
        // pc, sp, x29.
        Machine::Aarch64 => (32, 31, 29),
    };
    Some(Registers {
        tid: u32_at(note, TID)?,
        instruction: register(instruction)?,
        stack: register(stack)?,
        frame: register(frame)?,
    })
}

fn name(note: &[u8]) -> Option<String> {
    let (at, bytes) = NAME;
    let name = note.get(at..at + bytes)?.split(|byte| *byte == 0).next()?;
    Some(String::from_utf8_lossy(name).into_owned())
}

/// `siginfo_t` of `include/uapi/asm-generic/siginfo.h`.
fn signal(note: &[u8]) -> Option<Signal> {
    let [number, errno, code] = [0, 4, 8].map(|at| u32_at(note, at).map(u32::cast_signed));
    let (number, code) = (number?.cast_unsigned(), code?);
    // SIGILL, SIGTRAP, SIGBUS, SIGFPE and SIGSEGV of signal(7), where the kernel raised them.
    let has_address = [4, 5, 7, 8, 11].contains(&number) && code > 0;
    Some(Signal {
        number,
        code,
        errno: errno?,
        address: u64_at(note, 16).filter(|_| has_address),
    })
}

fn program_header(note: &[u8]) -> Option<u64> {
    let (entries, _rest) = note.as_chunks::<16>();
    let entry = entries.iter().find(|entry| u64_at(*entry, 0) == Some(AT_PHDR))?;
    u64_at(entry, 8)
}
