//! The process that reads debug files: strangers' bytes of any size.
//!
//! It gets one [`Task`] as JSON on its standard input, answers on its standard output and ends; or it says on its standard
//! error what is wrong with a file, and ends with exit code 1. It gives itself little time and memory: what a damaged or
//! hostile file does to it, it does to nobody else.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use faults::symbols::{BuildId, FileKind, Pointer, SymbolFile, Symbols, SymbolsLimits, sentences};
use prost::Message as _;
use proto::v1::{CallTrace, Frame, ResolveFaultResponse, record::Payload};
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};
use wire::text::cut;

use super::FILE_BYTES;
use crate::store::chain;

/// Address space: two kernels with their debug information unpacked.
const MEMORY_BYTES: u64 = 8 << 30;
/// Time on a processor: some twenty times what a kernel's debug file takes.
const CPU_S: u64 = 60;
/// Bytes of files that are read for one stack; what comes after them is left out.
const READ_BYTES: u64 = FILE_BYTES;
/// Bytes of a task: a report's text in JSON, and the names of files.
const TASK_BYTES: u64 = 4 << 20;
/// Sentences about what is missing.
const PROBLEMS: usize = 64;
/// Longest name of a function or a file in an answer, bytes; as in `record.proto`.
const NAME_BYTES: usize = 128;
const PLACE_BYTES: usize = 256;

/// What is to be done.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Task {
    /// Say what a file is: an [`Inspected`] as JSON.
    Inspect {
        /// The file.
        path: PathBuf,
        /// Its name where it came from.
        name: String,
    },
    /// Put lines into the stacks of a kernel report: a [`ResolveFaultResponse`].
    Report {
        /// The report as printed.
        text: String,
        /// The kernel's release, where the report does not say it.
        kernel_release: String,
        /// Files that may help, the best first.
        files: Vec<Source>,
    },
    /// Put functions and lines into the stacks of a program: a [`ResolveFaultResponse`].
    Stacks {
        /// Of its threads, the one that failed first.
        stacks: Vec<Stack>,
        /// Files that may help, the best first.
        files: Vec<Source>,
    },
}

/// A debug file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    /// The module that it is of; empty: of none.
    pub(super) module: String,
}

/// The stack of a thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stack {
    pub(super) heading: String,
    /// Innermost first.
    pub(super) frames: Vec<Address>,
}

/// A frame of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Address {
    pub(super) build_id: String,
    /// Bytes from the start of the file.
    pub(super) offset: u64,
    pub(super) file: String,
    pub(super) function: String,
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Inspected {
    pub(super) build_id: String,
    /// `kernel`, `module` or `program`.
    pub(super) kind: Kind,
    /// Name of the module as the kernel prints it; empty: it is none.
    pub(super) module: String,
    /// The kernel release that it says it is of; empty: it does not say.
    pub(super) release: String,
}

/// What a file holds the symbols of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Kernel,
    Module,
    Program,
}

/// Does what the standard input says. An error is about the task or a file of it.
pub fn run() -> anyhow::Result<()> {
    let limit = |bytes| Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    setrlimit(Resource::As, limit(MEMORY_BYTES))?;
    setrlimit(Resource::Cpu, limit(CPU_S))?;
    setrlimit(Resource::Core, limit(0))?;
    let mut task = Vec::new();
    io::stdin().take(TASK_BYTES).read_to_end(&mut task)?;
    let answer = match serde_json::from_slice(&task)? {
        Task::Inspect { path, name } => serde_json::to_vec(&inspect(&path, &name)?)?,
        Task::Report {
            text,
            kernel_release,
            files,
        } => report(&text, kernel_release, &files).encode_to_vec(),
        Task::Stacks { stacks, files } => threads(&stacks, &files).encode_to_vec(),
    };
    io::stdout().write_all(&answer)?;
    Ok(())
}

fn inspect(path: &Path, name: &str) -> anyhow::Result<Inspected> {
    let file = SymbolFile::read(fs::read(path)?)?;
    anyhow::ensure!(
        file.has_debug_info(),
        "it has no debug information (.debug_info, DWARF 4 or 5): upload what was split from it, or build it with -g"
    );
    let build_id = file
        .build_id()
        .ok_or_else(|| anyhow::anyhow!("it has no build id: link it with --build-id"))?;
    let (kind, module) = match file.kind() {
        FileKind::Kernel => (Kind::Kernel, String::new()),
        FileKind::Module { name: Some(module) } => (Kind::Module, module.clone()),
        FileKind::Module { name: None } => (Kind::Module, module_of(name)),
        FileKind::Program => (Kind::Program, String::new()),
    };
    Ok(Inspected {
        build_id: build_id.to_string(),
        kind,
        module,
        release: file.release().unwrap_or_default().to_owned(),
    })
}

/// The module of a file that does not say it: `dm-flakey.ko.debug` is of `dm_flakey`.
fn module_of(name: &str) -> String {
    let stem = name.split('.').next().unwrap_or_default();
    cut(stem, NAME_BYTES).replace('-', "_")
}

/// The files, the worst first, as far as they can be read, and what is wrong with the others.
fn load(files: &[Source], problems: &mut Vec<String>) -> Symbols<Vec<u8>> {
    let mut left = READ_BYTES;
    let mut read = Vec::new();
    for source in files {
        let Ok(bytes) = fs::metadata(&source.path).map(|data| data.len()) else {
            problems.push("a debug file of the index is not in the folder".to_owned());
            continue;
        };
        let Some(rest) = left.checked_sub(bytes) else {
            problems.push("more debug files are there than are read at once".to_owned());
            break;
        };
        left = rest;
        match fs::read(&source.path)
            .map_err(|error| chain(&error))
            .and_then(|bytes| SymbolFile::read(bytes).map_err(|error| chain(&error)))
        {
            Ok(file) if source.module.is_empty() => read.push(file),
            Ok(file) => read.push(file.with_module_name(&source.module)),
            Err(error) => problems.push(format!("a debug file cannot be read: {error}")),
        }
    }
    let mut symbols = Symbols::new(SymbolsLimits::default());
    for file in read.into_iter().rev() {
        symbols.add(file);
    }
    symbols
}

fn report(text: &str, kernel_release: String, files: &[Source]) -> ResolveFaultResponse {
    let mut problems = Vec::new();
    let mut symbols = load(files, &mut problems);
    let Some(mut report) = faults::parse(text) else {
        return ResolveFaultResponse::default();
    };
    if report.kernel_release.is_none() && !kernel_release.is_empty() {
        report.kernel_release = Some(kernel_release);
    }
    let resolved = symbols.resolve(&mut report);
    problems.extend(sentences(&resolved.problems));
    problems.truncate(PROBLEMS);
    let traces = match wire::kernel_report(&report, "", false).payload {
        Some(Payload::KernelReport(report)) => report.traces,
        _ => Vec::new(),
    };
    ResolveFaultResponse { traces, problems }
}

fn threads(stacks: &[Stack], files: &[Source]) -> ResolveFaultResponse {
    let mut problems = Vec::new();
    let mut symbols = load(files, &mut problems);
    let trace = |stack: &Stack| CallTrace {
        heading: stack.heading.clone(),
        frames: frames(&mut symbols, &stack.frames, &mut problems),
    };
    let traces = stacks.iter().map(trace).collect();
    problems.truncate(PROBLEMS);
    ResolveFaultResponse { traces, problems }
}

fn frames(symbols: &mut Symbols<Vec<u8>>, addresses: &[Address], problems: &mut Vec<String>) -> Vec<Frame> {
    let mut frames = Vec::new();
    for (index, address) in addresses.iter().enumerate() {
        // The first frame is where the instruction pointer was, the others are where calls return to.
        let pointer = if index == 0 {
            Pointer::Instruction
        } else {
            Pointer::Return
        };
        match located(symbols, address, pointer) {
            Ok(found) => frames.extend(found),
            Err(problem) => {
                frames.push(frame(address));
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
    }
    frames
}

/// The frames of an address, innermost first, or why there are none.
fn located(
    symbols: &mut Symbols<Vec<u8>>,
    address: &Address,
    pointer: Pointer,
) -> Result<Vec<Frame>, String> {
    let name = || match address.file.as_str() {
        "" => "a file without a name".to_owned(),
        file => file.to_owned(),
    };
    let build_id: BuildId = address
        .build_id
        .parse()
        .map_err(|_none| format!("the build of {} is not known", name()))?;
    let file = symbols
        .by_build_id(&build_id)
        .ok_or_else(|| format!("no debug file of {} is there (build id {build_id})", name()))?;
    let back = u64::from(pointer == Pointer::Return);
    let offset = address.offset.saturating_sub(back);
    // A debug file that was split off has not the bytes of the program, whose linker mostly puts them at their own addresses.
    let linked = file
        .address_of_byte(offset)
        .unwrap_or_else(|| file.address_from_start(offset));
    let found = file.frames_at(linked).map_err(|error| chain(&error))?;
    if found.is_empty() {
        return Err(format!("the debug file of {} has nothing at {offset:#x}", name()));
    }
    let count = found.len();
    let frames = found.into_iter().enumerate().map(|(index, source)| {
        let location = source.location().unwrap_or_default();
        let function = source.function.unwrap_or_default();
        Frame {
            function: cut(&function, NAME_BYTES).to_owned(),
            location: cut(&location, PLACE_BYTES).to_owned(),
            inlined: index + 1 < count,
            ..frame(address)
        }
    });
    Ok(frames.collect())
}

/// The frame as it was told.
fn frame(address: &Address) -> Frame {
    Frame {
        function: cut(&address.function, NAME_BYTES).to_owned(),
        module: address.file.clone(),
        reliable: true,
        ..Frame::default()
    }
}
