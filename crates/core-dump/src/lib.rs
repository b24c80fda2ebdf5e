//! Core dumps of Linux, read once from beginning to end: where each thread was, in which build of which file.
//!
//! The kernel writes a core dump in the order of its offsets (`fs/binfmt_elf.c`: `elf_core_dump`, Linux 5.10 to 6.12):
//!
//! ```text
//! ELF header           the processor
//! program headers      one for the notes, one for each mapping: its address, its offset here, how many bytes of it are here
//! notes                of the thread that crashed: NT_PRSTATUS, NT_PRPSINFO, NT_SIGINFO, NT_AUXV, NT_FILE, others;
//!                      of each other thread: NT_PRSTATUS, others
//! the mappings' bytes
//! ```
//!
//! So the notes say which few bytes of the mappings are needed before these come: the ends of the stacks, and the first page of each
//! file, which has its build id and is in every dump unless `/proc/PID/coredump_filter` says otherwise (core(5)). Nothing else is
//! kept, whatever the size of the dump.
//!
//! Stacks are walked by frame pointers, as the kernel does it for the hook of signals, so that both find the same frames.
//! A dump that ends early, is of another processor or is damaged says what it can: only what is no core dump at all is an error.

mod build_id;
mod files;
mod layout;
mod memory;
mod notes;
mod source;
#[cfg(test)]
mod tests;
mod unwind;

use std::io::Read;

pub use build_id::build_id;

use layout::Layout;
use memory::Memory;
use notes::Notes;
use source::Source;

/// Most threads whose stacks are walked, the one that crashed first.
pub const THREADS: usize = 33;
/// Most frames of a thread.
pub const FRAMES: usize = 64;

/// What a core dump says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dump {
    /// The name of the process, as the kernel cuts it; empty when the notes ended before it.
    pub comm: String,
    /// The signal, when the notes have it.
    pub signal: Option<Signal>,
    /// Path of the program; empty when it is not known.
    pub executable: String,
    /// GNU build id of the program; empty when it is not known.
    pub build_id: Vec<u8>,
    /// The threads, the one that crashed first; at most [`THREADS`].
    pub threads: Vec<Thread>,
    /// The dump ended early, or parts of it were not understood.
    pub truncated: bool,
}

/// The signal that a program died of: `siginfo_t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal {
    /// `si_signo`
    pub number: u32,
    /// `si_code`
    pub code: i32,
    /// `si_errno`
    pub errno: i32,
    /// `si_addr`, where the kernel raised the signal for an address.
    pub address: Option<u64>,
}

/// A thread.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thread {
    /// Its id in the process's own PID namespace.
    pub tid: u32,
    /// Its stack, innermost first; at most [`FRAMES`].
    pub frames: Vec<Frame>,
}

/// A place in the program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// GNU build id of the file that holds the instruction; empty when it is not known.
    pub build_id: Vec<u8>,
    /// Path of that file; empty: it is of none.
    pub file: String,
    /// Offset into the file; the address itself when there is none.
    pub offset: u64,
}

/// Why bytes are no core dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CoreError {
    /// They don't begin as an ELF file does, or end there.
    #[error("not an ELF file")]
    NotElf,
    /// They are an ELF file of another sort.
    #[error("an ELF file, but no core dump")]
    NotCore,
}

/// Reads a core dump. At most some megabytes of it are kept at any time.
pub fn read(core: impl Read) -> Result<Dump, CoreError> {
    let mut source = Source::new(core);
    let header = layout::header(&mut source)?;
    let mut dump = Dump {
        truncated: true,
        ..Dump::default()
    };
    let Some(header) = header else {
        return Ok(dump);
    };
    let Some(layout) = Layout::read(&header, &mut source) else {
        return Ok(dump);
    };
    let notes = Notes::read(&layout, &mut source);
    let memory = Memory::read(&layout, &notes, &mut source);
    dump.truncated = source.has_ended() || notes.is_incomplete();
    dump.comm.clone_from(&notes.comm);
    dump.signal = notes.signal;
    let files = notes.files.with_build_ids(&memory);
    if let Some(program) = notes.program_header.and_then(|address| files.at(address)) {
        dump.executable.clone_from(&program.path);
        dump.build_id.clone_from(&program.build_id);
    }
    dump.threads = notes
        .threads
        .iter()
        .map(|thread| Thread {
            tid: thread.tid,
            frames: unwind::stack(thread, &layout, &memory)
                .into_iter()
                .map(|address| files.frame(address))
                .collect(),
        })
        .collect();
    Ok(dump)
}
