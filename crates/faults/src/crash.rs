//! Which crashes of programs are the same.
//!
//! A crash has the levels of [`crate::fingerprint`]: class, title, the frame at fault with its next callers, the whole
//! stack. What a frame is:
//!
//! - A function's name, when a symbol is known: demangled, without parameters, compilers' suffixes and symbol versions
//!   (`@@GLIBC_2.2.5`). Modules and build ids don't count then, so crashes meet across releases of a program.
//! - The module's build id and the offset in it otherwise. Such crashes meet as long as the module is the same build, wherever it
//!   is loaded.
//!
//! How a program ends itself (`abort`, `raise`, panics, exceptions, failed checks), what works for its caller (`memcpy` in the
//! copy that suits the processor, `malloc`), and where programs and threads begin is left out; so is the handler of a signal:
//! the fault is what the handler interrupted. A stack that repeats itself is an overflow by recursion, and one round of the
//! recursion stands for all.

use crate::Class;
use crate::fingerprint::{Explanation, Fingerprint};
use crate::signal;

mod frames;
mod recursion;

/// One frame of a program's stack.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct CrashFrame {
    /// The symbol, mangled or not; `None` when it is not known.
    pub symbol: Option<String>,
    /// File name or path of the program or library that the frame is in.
    pub module: Option<String>,
    /// Its build id in hexadecimal.
    pub build_id: Option<String>,
    /// Bytes from where the module is loaded to the instruction.
    pub offset: Option<u64>,
    /// `file:line`, when a symboliser knows it.
    pub location: Option<String>,
    /// True when a symboliser added the frame: the function is inlined into the next one.
    pub inlined: bool,
}

/// A program that died of a signal.
///
/// ```
/// use faults::crash::{Crash, CrashFrame};
///
/// let frame = |symbol: &str| CrashFrame { symbol: Some(symbol.to_owned()), ..CrashFrame::default() };
/// let crash = Crash {
///     signal: 6,
///     code: Some(-6),
///     program: "example".to_owned(),
///     frames: ["__pthread_kill_implementation", "raise", "abort", "_ZN7example5checkEi", "main", "_start"].map(frame).into(),
///     ..Crash::default()
/// };
/// assert_eq!(crash.title(), "SIGABRT in example at example::check");
/// assert_eq!(crash.explain().levels[3].parts[5..], ["example::check", "main"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Crash {
    /// The signal's number.
    pub signal: u32,
    /// `si_code`: why it was sent, when that is known.
    pub code: Option<i32>,
    /// The program's name.
    pub program: String,
    /// The program's build id in hexadecimal.
    pub build_id: Option<String>,
    /// The stack of the thread that got the signal, innermost first; empty when it is not known.
    pub frames: Vec<CrashFrame>,
}

impl Crash {
    /// One line, at most 120 bytes: `SIGSEGV in NAME at FUNCTION`. Without a symbol it is the module that is named, when it is not the
    /// program itself.
    pub fn title(&self) -> String {
        self.titled(&frames::walk(self))
    }

    /// The fingerprints, coarse to fine. The finer two are left out when no frame is known.
    pub fn fingerprints(&self) -> Vec<Fingerprint> {
        self.explain().fingerprints()
    }

    /// The fingerprints with what went into each and which rules fired on the way.
    pub fn explain(&self) -> Explanation {
        let stack = frames::walk(self);
        let title = self.titled(&stack);
        Explanation::new(Class::ProgramCrash, &title, Vec::new(), stack.walk)
    }

    fn titled(&self, stack: &frames::Stack) -> String {
        let mut title = match signal::Origin::of(self.signal, self.code) {
            _ if stack.overflow => signal::titled("stack overflow", "in", &self.program),
            signal::Origin::Fault => signal::crash_title(self.signal, &self.program),
            signal::Origin::Sent => signal::titled(&signal::named(self.signal), "sent to", &self.program),
            signal::Origin::Memory => signal::titled("memory error of the hardware", "in", &self.program),
        };
        if let Some(place) = &stack.place {
            title.push_str(" at ");
            title.push_str(place);
        }
        crate::parse::clean_title(&title)
    }
}

#[cfg(test)]
mod tests;
