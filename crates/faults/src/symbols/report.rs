//! Files and lines for the frames of a report.

use super::{BuildId, FileKind, Found, Place, Pointer, SourceFrame, SymbolFile, SymbolsError};
use crate::{CallTrace, Frame, KernelReport};

/// Frames that a report has at most after inlined ones were added; further ones get their line only.
pub(super) const FRAMES_MAX: usize = 1 << 14;

/// What [`Symbols`] may hold. The file used longest ago is dropped when there is too much; the one used last stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SymbolsLimits {
    /// Files. Each is also what its `B` takes, which is not counted in `bytes`.
    pub files: usize,
    /// Bytes of memory, as [`SymbolFile::memory`] counts them.
    pub bytes: usize,
}

impl Default for SymbolsLimits {
    /// 256 files, because a machine has some 150 modules; 512 MiB, because a packed kernel takes half of that.
    fn default() -> Self {
        Self {
            files: 256,
            bytes: 512 << 20,
        }
    }
}

/// The symbol files of one or several kernels and programs, kept for reuse.
#[derive(Debug)]
pub struct Symbols<B> {
    limits: SymbolsLimits,
    files: Vec<Held<B>>,
    clock: u64,
}

#[derive(Debug)]
struct Held<B> {
    used: u64,
    file: SymbolFile<B>,
}

/// What [`Symbols::resolve`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Resolved {
    /// Frames that have a file and a line now and had none.
    pub located: usize,
    /// Frames that still have none, one for each function and reason.
    pub problems: Vec<Problem>,
}

/// A frame without a line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Problem {
    /// The function as printed.
    pub function: String,
    /// The module it is in; absent for the kernel image.
    pub module: Option<String>,
    /// Why there is no line.
    pub why: Why,
}

/// Why a frame has no line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Why {
    /// No file of the kernel or of the module is there.
    NoFile,
    /// The file is of another kernel release.
    OtherRelease {
        /// The file's release.
        release: String,
    },
    /// The file has another build id than was printed with the frame.
    OtherBuildId {
        /// The file's build id.
        build_id: BuildId,
    },
    /// The file has no function of this name.
    UnknownFunction,
    /// The file is of another build: the function is there, with other sizes than printed.
    OtherBuild {
        /// The size as printed.
        printed: Option<u64>,
        /// The sizes in the file.
        sizes: Vec<u64>,
    },
    /// Several functions of this name fit.
    Ambiguous {
        /// How many.
        functions: usize,
    },
    /// The file has no debug information for it.
    NoLine,
    /// The debug information is damaged.
    Damaged {
        /// What was found.
        error: String,
    },
}

/// Problems in words: what hinders, with how many functions each hinders.
pub fn sentences(problems: &[Problem]) -> Vec<String> {
    let mut said: Vec<(String, usize)> = Vec::new();
    for problem in problems {
        let image = problem
            .module
            .as_ref()
            .map_or_else(|| "the kernel".to_owned(), |module| format!("module {module}"));
        let sentence = match &problem.why {
            Why::NoFile => format!("no debug file of {image} is there"),
            Why::OtherRelease { release } => format!("the debug file of {image} is of release {release}"),
            Why::OtherBuildId { build_id } => {
                format!("the debug file of {image} is of another build ({build_id})")
            }
            Why::OtherBuild { .. } => {
                format!("the debug file of {image} is of another build: functions have other sizes")
            }
            Why::UnknownFunction => format!("the debug file of {image} lacks the function"),
            Why::Ambiguous { .. } => format!("several functions of {image} have the name"),
            Why::NoLine => format!("the file of {image} has no debug information for it"),
            Why::Damaged { error } => format!("the debug information of {image} is damaged: {error}"),
        };
        match said.iter_mut().find(|(other, _)| *other == sentence) {
            Some((_, times)) => *times += 1,
            None => said.push((sentence, 1)),
        }
    }
    let sentence = |(sentence, frames): (String, usize)| match frames {
        1 => format!("1 function without a line: {sentence}"),
        _ => format!("{frames} functions without a line: {sentence}"),
    };
    said.into_iter().map(sentence).collect()
}

impl Resolved {
    pub(super) fn note(&mut self, problem: Problem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

impl<B: AsRef<[u8]>> Symbols<B> {
    /// None yet.
    pub fn new(limits: SymbolsLimits) -> Self {
        Self {
            limits,
            files: Vec::new(),
            clock: 0,
        }
    }

    /// Takes a file in and says how many were dropped for it. A file with the same build id is replaced.
    pub fn add(&mut self, file: SymbolFile<B>) -> usize {
        if file.build_id().is_some() {
            self.files.retain(|held| held.file.build_id() != file.build_id());
        }
        self.clock += 1;
        self.files.push(Held {
            used: self.clock,
            file,
        });
        self.shrink()
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Bytes of memory that all files take, without their `B`.
    pub fn memory(&self) -> usize {
        self.files.iter().map(|held| held.file.memory()).sum()
    }

    /// The file with a build id.
    pub fn by_build_id(&mut self, build_id: &BuildId) -> Option<&mut SymbolFile<B>> {
        self.best(|file| u8::from(file.build_id() == Some(build_id)))
    }

    /// Puts `file:line` into the frames of a report and, before each, the functions that were inlined there.
    ///
    /// Frames that have a location already stay as they are, and so do kind, title, function at fault and fingerprint.
    /// Files of another release than the report's are not used.
    pub fn resolve(&mut self, report: &mut KernelReport) -> Resolved {
        let release = report.kernel_release.clone();
        let mut resolved = Resolved::default();
        let mut room = FRAMES_MAX;
        for (index, trace) in report.traces.iter_mut().enumerate() {
            let chosen = report
                .choice
                .as_mut()
                .filter(|choice| choice.trace == Some(index));
            let chosen = chosen.and_then(|choice| choice.frame.as_mut());
            self.resolve_trace(trace, release.as_deref(), chosen, &mut room, &mut resolved);
        }
        self.shrink();
        resolved
    }

    /// `chosen` is the index of the frame at fault, which moves with what is inserted before it.
    fn resolve_trace(
        &mut self,
        trace: &mut CallTrace,
        release: Option<&str>,
        chosen: Option<&mut usize>,
        room: &mut usize,
        resolved: &mut Resolved,
    ) {
        let at_fault = chosen.as_deref().copied();
        let mut moved = at_fault;
        let mut frames: Vec<Frame> = Vec::with_capacity(trace.frames.len());
        for (index, mut frame) in std::mem::take(&mut trace.frames).into_iter().enumerate() {
            *room = room.saturating_sub(1);
            if frame.location.is_none() && !frame.inlined && frame.offset.is_some() {
                // The stacks of arm64 and riscv begin with the instruction pointer once more.
                let repeats = |last: &Frame| {
                    last.pointer && last.function == frame.function && last.offset == frame.offset
                };
                let instruction = frame.pointer || frames.last().is_some_and(repeats);
                match self.frames(&frame, release, instruction) {
                    Ok(mut chain) => {
                        frame.location = chain.pop().and_then(|own| own.location());
                        resolved.located += 1;
                        chain.truncate(*room);
                        *room -= chain.len();
                        frames.extend(chain.into_iter().map(|source| inlined_frame(source, &frame)));
                    }
                    Err(why) => {
                        let (function, module) = (frame.function.clone(), frame.module.clone());
                        resolved.note(Problem {
                            function,
                            module,
                            why,
                        });
                    }
                }
            }
            if at_fault == Some(index) {
                moved = Some(frames.len());
            }
            frames.push(frame);
        }
        trace.frames = frames;
        if let (Some(chosen), Some(moved)) = (chosen, moved) {
            *chosen = moved;
        }
    }

    /// What a frame is made of, the last with a location.
    fn frames(
        &mut self,
        frame: &Frame,
        release: Option<&str>,
        instruction: bool,
    ) -> Result<Vec<SourceFrame>, Why> {
        let kind = match &frame.module {
            None => FileKind::Kernel,
            Some(module) => FileKind::Module {
                name: Some(module.clone()),
            },
        };
        let build_id: Option<BuildId> = frame.build_id.as_deref().and_then(|id| id.parse().ok());
        // Rather a file that is of the kernel or the build than one that does not say, and that rather than another's.
        let rank = |file: &SymbolFile<B>| {
            let release = agree(file.release(), release);
            let build = agree(file.build_id(), build_id.as_ref());
            if *file.kind() == kind {
                1 + release + 3 * build
            } else {
                0
            }
        };
        let file = self.best(rank).ok_or(Why::NoFile)?;
        if let Some(other) = file
            .build_id()
            .filter(|own| agree(Some(*own), build_id.as_ref()) == 0)
        {
            return Err(Why::OtherBuildId {
                build_id: other.clone(),
            });
        }
        if let Some(other) = file.release().filter(|own| agree(Some(*own), release) == 0) {
            return Err(Why::OtherRelease {
                release: other.to_owned(),
            });
        }
        let place = Place {
            function: &frame.function,
            offset: frame.offset.unwrap_or(0),
            size: frame.size,
            pointer: if instruction {
                Pointer::Instruction
            } else {
                Pointer::Return
            },
        };
        match file.find(&place) {
            Ok(Found::Frames(frames)) if frames.last().is_some_and(|own| own.file.is_some()) => Ok(frames),
            Ok(Found::Frames(_)) => Err(Why::NoLine),
            Ok(Found::UnknownFunction) => Err(Why::UnknownFunction),
            Ok(Found::OtherBuild { sizes }) => Err(Why::OtherBuild {
                printed: frame.size,
                sizes,
            }),
            Ok(Found::Ambiguous { functions }) => Err(Why::Ambiguous { functions }),
            Err(error) => Err(damaged(&error)),
        }
    }

    /// The file with the highest rank, the one added last of several; none of rank 0.
    fn best(&mut self, rank: impl Fn(&SymbolFile<B>) -> u8) -> Option<&mut SymbolFile<B>> {
        self.clock += 1;
        let best = self
            .files
            .iter_mut()
            .max_by_key(|held| rank(&held.file))
            .filter(|held| rank(&held.file) > 0)?;
        best.used = self.clock;
        Some(&mut best.file)
    }

    /// Drops files until the limits are kept, and says how many.
    pub(super) fn shrink(&mut self) -> usize {
        let before = self.files.len();
        while self.files.len() > 1
            && (self.files.len() > self.limits.files || self.memory() > self.limits.bytes)
        {
            let oldest = self.files.iter().enumerate().min_by_key(|(_, held)| held.used);
            let Some((oldest, _)) = oldest else { break };
            self.files.remove(oldest);
        }
        before - self.files.len()
    }
}

/// Damaged debug information, in words.
pub(super) fn damaged(error: &SymbolsError) -> Why {
    let cause = std::error::Error::source(error).map(|source| format!(": {source}"));
    Why::Damaged {
        error: format!("{error}{}", cause.unwrap_or_default()),
    }
}

/// 2 when both are equal, 1 when one is not known, 0 when they differ.
fn agree<T: PartialEq>(own: Option<T>, wanted: Option<T>) -> u8 {
    match (own, wanted) {
        (Some(own), Some(wanted)) => 2 * u8::from(own == wanted),
        _ => 1,
    }
}

fn inlined_frame(source: SourceFrame, caller: &Frame) -> Frame {
    Frame {
        location: source.location(),
        function: source.function.unwrap_or_default(),
        module: caller.module.clone(),
        reliable: caller.reliable,
        context: caller.context,
        build_id: caller.build_id.clone(),
        inlined: true,
        ..Frame::default()
    }
}

/// How far the kernel was moved from where it is linked (KASLR): what to take away from an address of a log before
/// [`SymbolFile::frames_at`] is asked. It is printed at a panic only (`dump_kernel_offset`, `arch/x86/kernel/setup.c` and
/// `arch/arm64/kernel/setup.c`).
///
/// ```
/// use faults::symbols::kernel_offset;
///
/// let line = "Kernel Offset: 0x1c00000 from 0xffffffff81000000 (relocation range: 0xffffffff80000000-0xffffffffbfffffff)";
/// assert_eq!(kernel_offset(line), Some(0x1c0_0000));
/// assert_eq!(kernel_offset("Kernel Offset: disabled"), Some(0));
/// assert_eq!(kernel_offset("Call Trace:"), None);
/// ```
pub fn kernel_offset(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("Kernel Offset: ")?;
    if rest.starts_with("disabled") {
        return Some(0);
    }
    let digits = rest.strip_prefix("0x")?;
    let end = digits
        .find(|c: char| !c.is_ascii_hexdigit())
        .unwrap_or(digits.len());
    crate::bytes::hexadecimal(digits.get(..end)?.as_bytes())
}
