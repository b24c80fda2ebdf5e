//! Which reports are the same fault.

use crate::{CallTrace, Class, KernelReport};
use sha2::{Digest, Sha256};
use std::fmt;

/// Version of the rules; part of every value, so that values of different rules never meet.
pub const VERSION: u32 = 1;

/// Frames that [`Level::TopFrames`] looks at.
const TOP_FRAMES: usize = 3;

/// How much of a report a fingerprint looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Class and title.
    Title,
    /// Class, kind and the functions of the top three reliable frames of the first stack.
    TopFrames,
    /// Class, kind and the functions of the whole first stack.
    Stack,
}

impl Level {
    /// The lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
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
        self.value.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The fingerprints of a report, coarse to fine. The finer two are left out when no stack was printed.
pub fn of_report(report: &KernelReport) -> Vec<Fingerprint> {
    let mut all = vec![of_title(report.class, &report.title)];
    let stack: Vec<&str> = report.traces.first().map(normalised).unwrap_or_default();
    if stack.is_empty() {
        return all;
    }
    let head = [report.class.as_str(), report.kind.as_str()];
    let parts = |frames: usize| head.iter().copied().chain(stack.iter().copied().take(frames));
    all.push(value(Level::TopFrames, parts(TOP_FRAMES)));
    all.push(value(Level::Stack, parts(stack.len())));
    all
}

/// The fingerprint of a title alone.
pub fn of_title(class: Class, title: &str) -> Fingerprint {
    value(Level::Title, [class.as_str(), title].into_iter())
}

/// The reliable frames without what changes from build to build.
fn normalised(trace: &CallTrace) -> Vec<&str> {
    trace
        .frames
        .iter()
        .filter(|frame| frame.reliable)
        .map(|frame| base_name(&frame.function))
        .collect()
}

/// A function's name without the suffixes that compilers add to copies and parts of it.
pub fn base_name(function: &str) -> &str {
    crate::tables::suffix::strip(function)
}

fn value<'a>(level: Level, parts: impl Iterator<Item = &'a str>) -> Fingerprint {
    let mut hash = Sha256::new();
    hash.update(VERSION.to_le_bytes());
    hash.update(level.as_str());
    hash.update([0]);
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    let mut value = [0; 16];
    for (to, from) in value.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    Fingerprint { level, value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_what_they_are() {
        let fingerprint = of_title(Class::KernelWarning, "WARNING in example");
        assert_eq!(
            fingerprint.to_string(),
            of_title(Class::KernelWarning, "WARNING in example").to_string()
        );
        assert_ne!(fingerprint, of_title(Class::KernelOops, "WARNING in example"));
    }
}
