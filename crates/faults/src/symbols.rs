//! From `function+offset` or an address to function, file, line and the functions inlined there.
//!
//! A [`SymbolFile`] is a kernel's `vmlinux`, a kernel module (a relocatable file), a program or library, or the debug
//! file that was split from one of these, with DWARF 4 or 5, packed (zlib, zstd) or not. [`Symbols`] holds several
//! and puts files and lines into a [`KernelReport`](crate::KernelReport).
//!
//! The caller brings the bytes, mapped or read; nothing is opened here. [`BuildId::debug_path`], [`kernel_paths`],
//! [`module_folders`] and [`is_module_file`] say where to look.
//!
//! Reading a file sorts its functions once; the debug information of a compilation unit is read when first asked for.
//! The files are not trusted: whatever they hold, there is no panic, and work and memory are bounded by their length.
//!
//! ```no_run
//! use faults::symbols::{SymbolFile, Symbols, SymbolsLimits};
//!
//! # let log = "";
//! let mut report = faults::parse(log).unwrap();
//! let mut symbols = Symbols::new(SymbolsLimits::default());
//! symbols.add(SymbolFile::read(std::fs::read("vmlinux")?)?);
//! let resolved = symbols.resolve(&mut report);
//! println!("{} frames located, {} not", resolved.located, resolved.problems.len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod build_id;
mod crash;
mod dwarf;
mod image;
mod index;
mod relocate;
mod report;

pub use build_id::{BadBuildId, BuildId, is_module_file, kernel_paths, module_folders};
pub use report::{Problem, Resolved, Symbols, SymbolsLimits, Why, kernel_offset, sentences};

use dwarf::Debug;
use image::Image;
use index::Function;
use std::fmt;

/// Why a file cannot be used or an answer not be given.
#[derive(Debug, thiserror::Error)]
pub enum SymbolsError {
    /// The bytes are no ELF file.
    #[error("not an ELF file")]
    NotElf,
    /// The tables of the ELF file are damaged.
    #[error("damaged ELF file")]
    Elf(#[source] object::read::Error),
    /// A debug section is cut off or cannot be unpacked.
    #[error("section {name} cannot be read")]
    Section {
        /// The section.
        name: &'static str,
        /// Why not.
        #[source]
        source: object::read::Error,
    },
    /// A debug section claims to be larger than any is.
    #[error("section {name} claims to unpack to {bytes} bytes")]
    TooLarge {
        /// The section.
        name: &'static str,
        /// What it claims.
        bytes: u64,
    },
    /// The debug information about an address is damaged.
    #[error("damaged debug information")]
    Dwarf(#[source] gimli::Error),
}

/// What a file holds the symbols of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum FileKind {
    /// The kernel's image.
    Kernel,
    /// A module of the kernel.
    Module {
        /// Its name as the kernel prints it; absent in files that hold debug information only.
        name: Option<String>,
    },
    /// A program or a library.
    Program,
}

/// A function at a place in the source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SourceFrame {
    /// The name that the linker knows: mangled in C++ and Rust.
    pub function: Option<String>,
    /// The source file, relative to the folder of compilation when it lies below it; in the kernel to its source tree.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<u32>,
    /// True when the function was inlined into the next frame's.
    pub inlined: bool,
}

impl SourceFrame {
    /// `file:line`, or `file` when the line is not known.
    pub fn location(&self) -> Option<String> {
        let file = self.file.as_ref()?;
        Some(
            self.line
                .map_or_else(|| file.clone(), |line| format!("{file}:{line}")),
        )
    }
}

impl fmt::Display for SourceFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.function.as_deref().unwrap_or("??"))?;
        self.location()
            .map_or(Ok(()), |location| write!(f, " {location}"))?;
        f.write_str(if self.inlined { " [inline]" } else { "" })
    }
}

/// What an address in a stack points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pointer {
    /// The instruction that was to be executed.
    Instruction,
    /// The instruction after a call: the source line is that of the call before it.
    Return,
}

/// A place as a stack trace prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The function, with the compiler's suffixes.
    pub function: &'a str,
    /// Bytes from its start.
    pub offset: u64,
    /// The size as printed, which tells functions of one name and other builds apart.
    pub size: Option<u64>,
    /// What is there.
    pub pointer: Pointer,
}

/// What a file says about a [`Place`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The frames, innermost first; the last one is the function itself. Without file and line when the file has no
    /// debug information for it.
    Frames(Vec<SourceFrame>),
    /// No function of this name.
    UnknownFunction,
    /// Functions of this name, but none of the printed size: the file is of another build, its lines would be wrong.
    OtherBuild {
        /// Their sizes.
        sizes: Vec<u64>,
    },
    /// Several functions fit and are at different lines.
    Ambiguous {
        /// How many.
        functions: usize,
    },
}

/// A function of the symbol table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionAt<'a> {
    /// The name, mangled in C++ and Rust.
    pub name: &'a str,
    /// Bytes from its start to the address.
    pub offset: u64,
    /// Its size.
    pub size: u64,
}

/// Most functions of one name that are looked at.
const SAME_NAME_MAX: usize = 64;

/// An ELF file with symbols, read once and asked often.
///
/// `B` holds the bytes: a slice, a vector, a mapping. It has to return the same bytes each time.
///
/// ```no_run
/// use faults::symbols::{Found, Place, Pointer, SymbolFile};
///
/// let mut file = SymbolFile::read(std::fs::read("/usr/lib/debug/boot/vmlinux-6.1.0-56-amd64")?)?;
/// let place = Place { function: "vfs_write", offset: 0xf8, size: Some(0x450), pointer: Pointer::Return };
/// if let Found::Frames(frames) = file.find(&place)? {
///     for frame in frames {
///         println!("{frame}");
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SymbolFile<B> {
    bytes: B,
    image: Image,
    debug: Debug,
}

impl<B> fmt::Debug for SymbolFile<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("SymbolFile");
        all.field("kind", &self.image.kind)
            .field("build_id", &self.image.build_id);
        all.finish_non_exhaustive()
    }
}

impl<B: AsRef<[u8]>> SymbolFile<B> {
    /// Reads an ELF file: sorts its functions, unpacks its debug sections and, for a module, puts addresses into them.
    pub fn read(bytes: B) -> Result<Self, SymbolsError> {
        let image = Image::read(bytes.as_ref())?;
        Ok(Self {
            bytes,
            image,
            debug: Debug::default(),
        })
    }

    /// What it holds the symbols of.
    pub fn kind(&self) -> &FileKind {
        &self.image.kind
    }

    /// Its build id.
    pub fn build_id(&self) -> Option<&BuildId> {
        self.image.build_id.as_ref()
    }

    /// `uname -r` of the kernel that it is (`Linux version ...`) or is a module for; absent when the file does not say,
    /// as those that hold debug information only.
    pub fn release(&self) -> Option<&str> {
        self.image.release.as_deref()
    }

    /// The name of the file that its debug information was split into (`.gnu_debuglink`), to be looked for beside it, in
    /// `.debug/` beside it and below `/usr/lib/debug`.
    pub fn debug_link(&self) -> Option<&str> {
        self.image.debug_link.as_deref()
    }

    /// Whether it has debug information; without, it knows functions but no lines.
    pub fn has_debug_info(&self) -> bool {
        self.image.has_debug_info()
    }

    /// The name of the module, for a file that does not say it.
    #[must_use]
    pub fn with_module_name(mut self, module: &str) -> Self {
        self.image.kind = FileKind::Module {
            name: Some(module.to_owned()),
        };
        self
    }

    /// The frames of an address as it was linked, innermost first; empty when it is not known.
    ///
    /// For an address of a running kernel take away the [`kernel_offset`] first, for one of a program the address at
    /// which it was loaded, and 1 from the address that a call returns to.
    pub fn frames_at(&mut self, address: u64) -> Result<Vec<SourceFrame>, SymbolsError> {
        let file = self.bytes.as_ref();
        let mut frames = self.debug.frames(&self.image, file, address)?;
        let named = self
            .image
            .functions
            .at(address)
            .map(|function| name_of(function, file).to_owned());
        match frames.last_mut() {
            Some(outermost) if outermost.function.is_none() => outermost.function = named,
            None if named.is_some() => frames.push(SourceFrame {
                function: named,
                ..SourceFrame::default()
            }),
            _ => {}
        }
        Ok(frames)
    }

    /// The function of the symbol table that holds an address.
    pub fn function_at(&self, address: u64) -> Option<FunctionAt<'_>> {
        let function = self.image.functions.at(address)?;
        Some(FunctionAt {
            name: name_of(function, self.bytes.as_ref()),
            offset: address - function.address,
            size: function.size,
        })
    }

    /// The address of a byte of the file as it was linked, for reports that give the offset in the file
    /// (`mapping offset + address - mapping start`). Only the program itself answers right, not its debug file.
    pub fn address_of_byte(&self, file_offset: u64) -> Option<u64> {
        self.image.address_of_byte(file_offset)
    }

    /// The address as it was linked of what is `offset` bytes behind the start of the program or library in memory.
    pub fn address_from_start(&self, offset: u64) -> u64 {
        self.image.start().wrapping_add(offset)
    }

    /// The frames of a place that a stack trace names.
    pub fn find(&mut self, place: &Place<'_>) -> Result<Found, SymbolsError> {
        let file = self.bytes.as_ref();
        let named = self.image.functions.named(place.function, file);
        let named: Vec<&Function> = named.take(SAME_NAME_MAX).collect();
        if named.is_empty() {
            return Ok(Found::UnknownFunction);
        }
        let fitting = fitting(&named, place);
        if fitting.is_empty() {
            return Ok(Found::OtherBuild {
                sizes: named.iter().map(|function| function.size).collect(),
            });
        }
        // A call that does not return may be the last instruction of a function; the address after it is not in it.
        let back = u64::from(place.pointer == Pointer::Return && place.offset > 0);
        let mut found: Option<Vec<SourceFrame>> = None;
        for address in &fitting {
            let frames = self.frames_at(address.saturating_add(place.offset - back))?;
            if found.as_ref().is_some_and(|found| *found != frames) {
                return Ok(Found::Ambiguous {
                    functions: fitting.len(),
                });
            }
            found = Some(frames);
        }
        Ok(Found::Frames(found.unwrap_or_default()))
    }

    /// Bytes of memory that it takes now, without `B`.
    pub fn memory(&self) -> usize {
        self.image.bytes() + self.debug.bytes()
    }
}

/// The addresses of the functions that a place can be in.
fn fitting(named: &[&Function], place: &Place<'_>) -> Vec<u64> {
    let addresses = |fits: &dyn Fn(&Function, u64) -> bool| {
        let sized = named
            .iter()
            .filter(|function| place.size.is_none_or(|size| fits(function, size)));
        let reached = sized.filter(|function| function.reaches(place.offset));
        reached.map(|function| function.address).collect::<Vec<u64>>()
    };
    let exact = addresses(&Function::has_size);
    if exact.is_empty() {
        addresses(&Function::may_have_size)
    } else {
        exact
    }
}

fn name_of<'b>(function: &Function, file: &'b [u8]) -> &'b str {
    let name = file.get(function.name.clone()).unwrap_or_default();
    std::str::from_utf8(name).unwrap_or_default()
}

#[cfg(test)]
mod tests;
