//! Which reports are the same fault.
//!
//! A fault gets a fingerprint for each [`Level`], coarse to fine. A finer level looks at everything that the coarser
//! ones look at and at something more, so reports that are equal at a level are equal at each coarser one.
//!
//! | level | looks at | meets |
//! | --- | --- | --- |
//! | class | the sort of fault | all faults of a sort |
//! | title | the title, which names the function at fault | one fault in one function |
//! | top frames | the function at fault and its next two callers | one way of getting there, on any kernel |
//! | stack | every function from the one at fault down to the system call, thread or interrupt | one path |
//!
//! # What a frame is
//!
//! A function's name and nothing else. What changes without a change of the fault is taken away, by the rules of
//! [`Rule`], and [`explain`] tells of each that fired:
//!
//! - Offsets, sizes, addresses and lines change with each build, and are left out.
//! - Modules are left out: what is a module here is built in there. `init_module` and `cleanup_module` are the
//!   exception, because every module has its own; those keep the module's name.
//! - Suffixes of compilers (`.isra.0`, `.cold`, `.llvm.123`) and prefixes of tools (`__pfx_`, `__cfi_`) go, Rust and C++
//!   names are demangled, and the system call macros' wrappers (`__x64_sys_read`, `__se_sys_read`, `ksys_read`) all
//!   become `read`. Equal neighbours become one, so wrappers and the depth of a recursion don't count.
//! - Frames that the kernel doubts (`?`) or that a symboliser added (`[inline]`) are dropped.
//! - Functions that report, that help (allocate, lock, copy, check) or that only hand over (`do_syscall_64`, `el0_svc`,
//!   `ret_from_fork`, `vfs_write`) differ by version and architecture, and are dropped. The lists are those that titles
//!   are made with.
//! - What was interrupted, and what happened to run the softirqs, has no part in what an interrupt or a softirq does.
//!
//! # Which stack
//!
//! The one that the function at fault was found in, not one of another CPU and not those of allocating and freeing.
//! Frames above the function at fault were passed over as helpers when it was chosen, and are dropped. A CPU that is
//! stuck is the exception: it is titled by what was asked of it, and the frames above, where it happened to be, count at
//! the stack level only.
//!
//! # Loose keys
//!
//! A fault may carry different titles: a freed pointer is a general protection fault on one kernel and a KASAN report
//! on another. [`Explanation::loose`] holds keys for that: each title under which the fault may be known, and the place
//! where it happened whatever it was. Two reports that share one may be the same fault; that is a hint for people and
//! searches, and not sent.

mod explain;
mod frames;

pub(crate) use explain::Walk;
pub use explain::{Explanation, Fired, FrameExplanation, LevelExplanation, LooseKey, Rule};

pub(crate) use frames::without_repetitions;

use crate::{Class, KernelReport, hex_digits};
use sha2::{Digest, Sha256};
use std::fmt;

/// Version of the rules; part of every value, so that values of different rules never meet.
///
/// 2: levels contain the coarser ones; frames begin at the function at fault and lose what entry code, helpers and
/// wrappers add.
pub const VERSION: u32 = 2;

/// Frames that [`Level::TopFrames`] looks at.
pub const TOP_FRAMES: usize = 3;

/// How much of a report a fingerprint looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The class.
    Class,
    /// Class and title.
    Title,
    /// Class, title and the function at fault with its next callers, [`TOP_FRAMES`] in all.
    TopFrames,
    /// Class, title and all functions of the stack.
    Stack,
}

impl Level {
    /// The lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Class => "class",
            Self::Title => "title",
            Self::TopFrames => "top_frames",
            Self::Stack => "stack",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Level {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A stable 128-bit value: equal for reports of the same fault at a level.
///
/// It is the first half of the SHA-256 of version, level and parts, each part followed by a zero byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint {
    /// What was looked at.
    pub level: Level,
    /// The value; [`fmt::Display`] writes it as 32 hexadecimal digits.
    pub value: [u8; 16],
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex_digits(&self.value))
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The fingerprints of a report, coarse to fine. The finer two are left out when no stack tells them.
///
/// ```
/// use faults::fingerprint::{Level, of_report};
///
/// let on = |trace| faults::parse(&format!("BUG: kernel NULL pointer dereference, address: 0000000000000008\n{trace}"));
/// let old = on("RIP: 0010:example_write+0x5/0x20 [example]\nCall Trace:\n vfs_write+0xc7/0x3f0\n ksys_write+0x6b/0xf0\n");
/// let new = on("pc : example_write.isra.0+0x9/0x30\nCall trace:\n vfs_write+0xf8/0x450\n __arm64_sys_write+0x6f/0xf0\n");
/// let (old, new) = (of_report(&old.unwrap()), of_report(&new.unwrap()));
/// assert_eq!(old.last().unwrap().level, Level::Stack);
/// assert_eq!(old, new);
/// ```
pub fn of_report(report: &KernelReport) -> Vec<Fingerprint> {
    explain(report).fingerprints()
}

/// The fingerprint of a title alone.
pub fn of_title(class: Class, title: &str) -> Fingerprint {
    of_title_in(class.as_str(), title)
}

/// The same for a class that is not of the list, such as one that a host's administrator made up.
pub fn of_title_in(class: &str, title: &str) -> Fingerprint {
    value(Level::Title, [class, title])
}

/// The fingerprints of a report with what went into each and which rules fired on the way.
pub fn explain(report: &KernelReport) -> Explanation {
    let walk = frames::walk(report);
    let titles = std::iter::once(&report.title).chain(&report.alt_titles);
    let loose = titles.map(|title| LooseKey::title(title)).collect();
    Explanation::new(report.class, &report.title, loose, walk)
}

/// A function's name without the suffixes that compilers add to copies and parts of it.
pub fn base_name(function: &str) -> &str {
    crate::tables::suffix::strip(function)
}

fn value<'a>(level: Level, parts: impl IntoIterator<Item = &'a str>) -> Fingerprint {
    Fingerprint {
        level,
        value: digest(level.as_str(), parts),
    }
}

fn digest<'a>(what: &str, parts: impl IntoIterator<Item = &'a str>) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(VERSION.to_le_bytes());
    hash.update(what);
    hash.update([0]);
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    let mut value = [0; 16];
    for (to, from) in value.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    value
}

#[cfg(test)]
mod tests;
