//! What went into a fingerprint, for machines and people.

use super::{Fingerprint, Level, TOP_FRAMES, VERSION, digest, value};
use crate::Class;
use crate::hex_digits;
use std::fmt;

/// Fingerprints with what went into them.
///
/// [`fmt::Display`] writes it for people:
///
/// ```
/// let report = faults::parse(
///     "kernel BUG at a.c:2!\nRIP: 0010:example_open.isra.0+0x1/0x2\nCall Trace:\n do_dentry_open+0x1/0x2\n",
/// );
/// let text = faults::fingerprint::explain(&report.unwrap()).to_string();
/// assert!(text.contains("the compiler's suffix was taken off (.isra.0)"), "{text}");
/// assert!(text.contains("it only hands over"), "{text}");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Explanation {
    /// Version of the rules.
    pub version: u32,
    /// Coarse to fine.
    pub levels: Vec<LevelExplanation>,
    /// Keys under which the same fault may be found although its title differs.
    pub loose: Vec<LooseKey>,
    /// Index of the stack looked at, in [`crate::KernelReport::traces`]; `None` when there is none, and for programs.
    pub trace: Option<usize>,
    /// The frames of that stack in its order: at most [`Explanation::FRAMES_MAX`] around the function at fault.
    pub frames: Vec<FrameExplanation>,
}

/// One level with its inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LevelExplanation {
    /// How much is looked at.
    pub level: Level,
    /// The value: 32 hexadecimal digits where it is written.
    pub fingerprint: Fingerprint,
    /// The texts that were hashed, in order.
    pub parts: Vec<String>,
}

impl LevelExplanation {
    /// The functions that are looked at, from the one at fault to its callers; none of class and title.
    pub fn functions(&self) -> &[String] {
        match self.level {
            Level::Class | Level::Title => &[],
            // Class and title come first; those of a stack are behind an empty part.
            Level::TopFrames => self.parts.get(2..).unwrap_or_default(),
            Level::Stack => self.parts.rsplit(String::is_empty).next().unwrap_or_default(),
        }
    }
}

/// A key under which the same fault may be found although its title differs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LooseKey {
    /// What the key says: a title, or the functions of the place joined by ` < `.
    pub text: String,
    /// 32 hexadecimal digits, a hash of the text.
    pub value: String,
}

impl LooseKey {
    /// The key of a title, whatever the class.
    pub(crate) fn title(title: &str) -> Self {
        Self::new("loose title", title.to_owned())
    }

    fn place(frames: &[&str]) -> Self {
        Self::new("loose place", frames.join(" < "))
    }

    fn new(what: &str, text: String) -> Self {
        let value = hex_digits(&digest(what, [text.as_str()]));
        Self { text, value }
    }
}

/// What became of one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FrameExplanation {
    /// The symbol as printed, or what stands for it.
    pub printed: String,
    /// The name that was hashed; `None` when the frame was dropped.
    pub name: Option<String>,
    /// True for the frame at fault and its callers; a frame above counts at the stack level only.
    pub below: bool,
    /// The rules that fired, in order. A rule that drops the frame is the last.
    pub rules: Vec<Fired>,
}

/// A rule that fired.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Fired {
    /// The rule.
    pub rule: Rule,
    /// What it found: the suffix, the prefix, the module; empty when the rule says all.
    pub found: String,
}

macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $sentence:literal;)*) => {
        /// A rule of normalising frames.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[$doc])* $variant,)*
        }

        impl Rule {
            /// Every rule, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The lower-case name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What it did to the frame, for people.
            pub const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$variant => $sentence,)*
                }
            }
        }
    };
}

rules! {
    /// A Rust or C++ name was written as in the source.
    Demangled = "demangled", "the name was demangled";
    /// A number or namespace that compilers choose was taken out of a demangled name.
    Generic = "generic", "what compilers choose was taken out of the name";
    /// A suffix of a compiler or linker was taken off.
    Suffix = "suffix", "the compiler's suffix was taken off";
    /// A prefix of a tool or an ABI was taken off.
    Prefix = "prefix", "the tool's prefix was taken off";
    /// A prefix of the system call macros was taken off.
    SyscallPrefix = "syscall_prefix", "the system call macro's prefix was taken off";
    /// The module was left out.
    ModuleIgnored = "module_ignored", "the module does not count";
    /// The module was kept, because every module has a function of this name.
    ModuleKept = "module_kept", "the module counts, every module has this function";
    /// No symbol is known: the module's build id and the offset stand for it.
    Offset = "offset", "without a symbol, build id and offset stand for it";
    /// Dropped: a symboliser's inlined frame.
    Inlined = "inlined", "dropped: inlined into the next frame";
    /// Dropped: an address found on the stack that may be stale.
    Unreliable = "unreliable", "dropped: the kernel doubts it";
    /// Dropped: it prints reports, or it is the exception through which the report came.
    Reporting = "reporting", "dropped: it reports faults";
    /// Dropped: it works for its caller, or instruments it.
    Helper = "helper", "dropped: it is a helper of its caller";
    /// Dropped: entry code and what only hands over to what is to be done.
    Entry = "entry", "dropped: it only hands over";
    /// Dropped: it found the stall, or is the interrupt by which that came.
    Detector = "detector", "dropped: it found the stall";
    /// Dropped: above the function at fault.
    Above = "above", "dropped: it is above the function at fault";
    /// Counts at the stack level at most: where a stuck CPU, or a program that was sent a signal, happened to be.
    HappenedToBe = "happened_to_be", "counts at the stack level at most: it happened to be there";
    /// Dropped: what was interrupted, or what happened to run the softirq.
    Interrupted = "interrupted", "dropped: it was interrupted, or happened to run the softirq";
    /// Dropped: the handler of the signal.
    Handler = "handler", "dropped: it handles the signal";
    /// Dropped: neither a symbol nor a module is known.
    Unknown = "unknown", "dropped: nothing is known of its place";
    /// Dropped: the same function as the frame before.
    Repeated = "repeated", "dropped: the same as the frame before";
    /// Dropped: the stack repeats itself, and one round stands for it.
    Recursion = "recursion", "dropped: another round of the recursion stands for it";
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Rule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl FrameExplanation {
    pub(crate) fn fire(&mut self, rule: Rule, found: impl Into<String>) {
        self.rules.push(Fired {
            rule,
            found: found.into(),
        });
    }

    /// Takes the frame out, unless it already is.
    pub(crate) fn drop_for(&mut self, rule: Rule) {
        if self.name.take().is_some() || self.rules.is_empty() {
            self.fire(rule, "");
        }
    }

    /// A frame without a name yet.
    pub(crate) fn new(printed: &str) -> Self {
        Self {
            printed: printed.to_owned(),
            name: None,
            below: true,
            rules: Vec::new(),
        }
    }
}

/// A stack after normalising.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    pub(crate) trace: Option<usize>,
    pub(crate) frames: Vec<FrameExplanation>,
}

impl Explanation {
    /// Frames that are looked at.
    pub const FRAMES_MAX: usize = 512;

    /// The level whose fingerprint has these 32 hexadecimal digits.
    pub fn level(&self, fingerprint: &str) -> Option<&LevelExplanation> {
        let mut levels = self.levels.iter();
        levels.find(|level| level.fingerprint.to_string() == fingerprint)
    }

    /// Hashes a class, a title and a normalised stack.
    pub(crate) fn new(class: Class, title: &str, mut loose: Vec<LooseKey>, walk: Walk) -> Self {
        let all: Vec<&str> = names(&walk.frames, |_| true).collect();
        let below = names(&walk.frames, |frame| frame.below);
        let top: Vec<&str> = below.take(TOP_FRAMES).collect();
        let class = class.as_str();
        let mut levels = vec![
            LevelExplanation::new(Level::Class, vec![class]),
            LevelExplanation::new(Level::Title, vec![class, title]),
        ];
        if !top.is_empty() {
            let mut parts = vec![class, title];
            parts.extend(&top);
            levels.push(LevelExplanation::new(Level::TopFrames, parts.clone()));
            // The coarser level's parts are a part of the finer one's, so that equal stacks have equal tops.
            parts.push("");
            parts.extend(&all);
            levels.push(LevelExplanation::new(Level::Stack, parts));
            loose.push(LooseKey::place(&top));
        }
        loose.dedup();
        Self {
            version: VERSION,
            levels,
            loose,
            trace: walk.trace,
            frames: walk.frames,
        }
    }

    /// The fingerprints alone, coarse to fine.
    pub fn fingerprints(&self) -> Vec<Fingerprint> {
        self.levels.iter().map(|level| level.fingerprint).collect()
    }
}

fn names(
    frames: &[FrameExplanation],
    wanted: impl Fn(&FrameExplanation) -> bool,
) -> impl Iterator<Item = &str> {
    let wanted = frames.iter().filter(move |frame| wanted(frame));
    wanted.filter_map(|frame| frame.name.as_deref())
}

impl LevelExplanation {
    fn new(level: Level, parts: Vec<&str>) -> Self {
        Self {
            level,
            fingerprint: value(level, parts.iter().copied()),
            parts: parts.into_iter().map(str::to_owned).collect(),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for LevelExplanation {
            level,
            fingerprint,
            parts,
        } in &self.levels
        {
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            let own = match level {
                Level::Class | Level::Title => parts.join(" | "),
                // The class and the title were just written.
                Level::TopFrames => parts.get(2..).unwrap_or_default().join(" < "),
                Level::Stack => {
                    let after = parts.iter().position(|part| part.is_empty()).unwrap_or(0);
                    parts.get(after + 1..).unwrap_or_default().join(" < ")
                }
            };
            writeln!(f, "{level:10} {fingerprint}  {own}")?;
        }
        for LooseKey { text, value } in &self.loose {
            writeln!(f, "{:10} {value}  {text}", "loose")?;
        }
        for frame in &self.frames {
            let name = frame.name.as_deref().unwrap_or("-");
            write!(f, "  {:40} {name}", frame.printed)?;
            for (index, Fired { rule, found }) in frame.rules.iter().enumerate() {
                let separator = if index == 0 { ": " } else { "; " };
                write!(f, "{separator}{}", rule.sentence())?;
                if !found.is_empty() {
                    write!(f, " ({found})")?;
                }
            }
            writeln!(f)?;
        }
        write!(f, "rules of version {}", self.version)
    }
}
