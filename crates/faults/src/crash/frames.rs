//! Which frames of a program's stack count, and under which names.

use super::{Crash, CrashFrame, recursion};
use crate::demangle;
use crate::fingerprint::{Explanation, FrameExplanation, Rule, Walk};
use crate::signal::Origin;
use crate::tables::{programs, suffix};

/// Hexadecimal digits of a build id that stand for it: 64 bits.
const BUILD_ID_DIGITS: usize = 16;

/// Prefix of the names under which glibc calls its own functions (`include/libc-symbols.h`).
const INTERNAL: &str = "__GI_";

/// A stack after normalising.
#[derive(Debug, Default)]
pub(super) struct Stack {
    pub(super) walk: Walk,
    /// What the title names: the first function that counts, or the module of the first frame.
    pub(super) place: Option<String>,
    /// The stack repeats itself until it was full.
    pub(super) overflow: bool,
}

/// Normalises the stack of a crash.
pub(super) fn walk(crash: &Crash) -> Stack {
    let frames = crash.frames.as_slice();
    let frames = frames.get(..Explanation::FRAMES_MAX).unwrap_or(frames);
    let mut explained: Vec<FrameExplanation> = frames.iter().map(|frame| named(frame, crash)).collect();
    let origin = Origin::of(crash.signal, crash.code);
    if origin == Origin::Sent {
        // Whoever sent the signal did not care where the program was.
        for frame in &mut explained {
            frame.drop_for(Rule::HappenedToBe);
        }
        return Stack::of(explained, frames, crash);
    }
    handlers(&mut explained);
    for (frame, explained) in frames.iter().zip(&mut explained) {
        if let Some(rule) = dropped(frame, explained) {
            explained.drop_for(rule);
        }
    }
    let overflow = origin == Origin::Fault && recursion::one_round(&mut explained);
    crate::fingerprint::without_repetitions(&mut explained);
    let mut stack = Stack::of(explained, frames, crash);
    stack.overflow = overflow;
    stack
}

impl Stack {
    fn of(explained: Vec<FrameExplanation>, frames: &[CrashFrame], crash: &Crash) -> Self {
        let mut counting = frames.iter().zip(&explained);
        let first = counting.find_map(|(frame, explained)| Some((frame, explained.name.as_ref()?)));
        let place = first.and_then(|(frame, name)| match frame.symbol {
            Some(_) => Some(name.clone()),
            None => frame
                .module
                .as_deref()
                .map(file_name)
                .filter(|module| *module != crash.program)
                .map(str::to_owned),
        });
        Self {
            walk: Walk {
                trace: None,
                frames: explained,
            },
            place,
            overflow: false,
        }
    }
}

/// A frame under its normalised name; without one when nothing is known of its place.
fn named(frame: &CrashFrame, crash: &Crash) -> FrameExplanation {
    let Some(symbol) = frame.symbol.as_deref().filter(|symbol| !symbol.is_empty()) else {
        return placed(frame, crash);
    };
    let mut explained = FrameExplanation::new(symbol);
    let bounded = symbol
        .get(..symbol.floor_char_boundary(demangle::MANGLED_MAX))
        .unwrap_or(symbol);
    let name = match demangle::demangle(bounded) {
        Some(path) => {
            explained.fire(Rule::Demangled, "");
            path
        }
        None => plain(bounded, &mut explained),
    };
    let same = demangle::without_builds(&name);
    if same != name {
        explained.fire(Rule::Generic, "");
    }
    explained.name = Some(same);
    explained
}

/// A name that is not mangled, or no longer, without what symbolisers and compilers put behind it.
fn plain(symbol: &str, explained: &mut FrameExplanation) -> String {
    let mut name = symbol;
    if let Some((before, version)) = name.split_once('@').filter(|(before, _)| !before.is_empty()) {
        explained.fire(Rule::Suffix, format!("@{version}"));
        name = before;
    }
    if let Some(rest) = name.strip_prefix(INTERNAL).filter(|rest| !rest.is_empty()) {
        explained.fire(Rule::Prefix, INTERNAL);
        name = rest;
    }
    let base = suffix::strip(name);
    if base != name {
        explained.fire(Rule::Suffix, name.strip_prefix(base).unwrap_or_default());
    }
    let path = without_hash(without_parameters(base));
    if path != base {
        explained.fire(Rule::Generic, base.strip_prefix(path).unwrap_or_default());
    }
    path.to_owned()
}

/// `a::b` for `a::b(int, char const*) const`.
fn without_parameters(name: &str) -> &str {
    let inner = name.trim_end_matches(" const").trim_end_matches(" volatile");
    if !inner.ends_with(')') {
        return name;
    }
    let mut depth = 0_usize;
    for (at, byte) in inner.bytes().enumerate().rev() {
        match byte {
            b')' => depth += 1,
            b'(' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let path = inner.get(..at).unwrap_or_default();
            return if path.is_empty() || path.ends_with("operator") || path.ends_with("::") {
                name
            } else {
                path
            };
        }
    }
    name
}

/// `a::b` for `a::b::h0123456789abcdef`, as tools print legacy names of Rust.
fn without_hash(name: &str) -> &str {
    let parts = name.rsplit_once("::h");
    let hash = |hash: &str| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    parts
        .filter(|(_, last)| hash(last))
        .map_or(name, |(path, _)| path)
}

/// A frame that is known by its place only.
fn placed(frame: &CrashFrame, crash: &Crash) -> FrameExplanation {
    let module = frame
        .module
        .as_deref()
        .map(file_name)
        .filter(|name| !name.is_empty());
    let own = module.is_some_and(|name| name == crash.program);
    let given = frame.build_id.as_deref().filter(|id| !id.is_empty());
    let build_id = given.or_else(|| crash.build_id.as_deref().filter(|id| own && !id.is_empty()));
    let printed = match (module, frame.offset) {
        (Some(module), Some(offset)) => format!("{module}+{offset:#x}"),
        (Some(module), None) => module.to_owned(),
        (None, Some(offset)) => format!("{offset:#x}"),
        (None, None) => "?".to_owned(),
    };
    let mut explained = FrameExplanation::new(&printed);
    let offset = frame.offset.filter(|_| build_id.or(module).is_some());
    let Some((offset, of)) = offset.zip(build_id.or(module)) else {
        explained.drop_for(Rule::Unknown);
        return explained;
    };
    let digits = of.floor_char_boundary(BUILD_ID_DIGITS);
    let of = if build_id.is_some() {
        of.get(..digits).unwrap_or(of).to_ascii_lowercase()
    } else {
        of.to_owned()
    };
    explained.fire(Rule::Offset, "");
    explained.name = Some(format!("{of}+{offset:#x}"));
    explained
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Drops the frames of a signal's handler: what it interrupted is the fault.
fn handlers(frames: &mut [FrameExplanation]) {
    let is_trampoline = |frame: &FrameExplanation| frame.name.as_deref().is_some_and(programs::is_trampoline);
    let Some(last) = frames.iter().rposition(is_trampoline) else {
        return;
    };
    for frame in frames.iter_mut().take(last + 1) {
        frame.drop_for(Rule::Handler);
    }
}

/// Why a frame does not count.
fn dropped(frame: &CrashFrame, explained: &FrameExplanation) -> Option<Rule> {
    let name = explained.name.as_deref()?;
    if frame.inlined {
        return Some(Rule::Inlined);
    }
    frame.symbol.as_ref()?;
    if programs::is_ending(name) {
        Some(Rule::Reporting)
    } else if programs::is_beginning(name) {
        Some(Rule::Entry)
    } else {
        programs::is_helper(name).then_some(Rule::Helper)
    }
}
