//! Pages that the kernel takes out of use: `ras:memory_failure_event`, and what `mm/memory-failure.c` prints.

use crate::bytes::{Cursor, hexadecimal};
use crate::hardware::{Fields, HardwareError, PAGE_BYTES, Place, plain};
use crate::{Class, Severity};
use std::fmt;

/// How the kernel fared with a broken page, in the numbers of its `enum mf_result` (the same in all kernels).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recovery {
    /// The page cannot be taken out of use: it still is in use.
    Ignored,
    /// Taking it out of use failed.
    Failed,
    /// It will be taken out of use when it becomes free.
    Delayed,
    /// It is out of use; programs that had it were killed or read its data anew.
    Recovered,
}

impl Recovery {
    /// From `result` of the tracepoint.
    pub const fn of_kernel(number: i32) -> Option<Self> {
        match number {
            0 => Some(Self::Ignored),
            1 => Some(Self::Failed),
            2 => Some(Self::Delayed),
            3 => Some(Self::Recovered),
            _ => None,
        }
    }

    /// The lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ignored => "ignored",
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Recovered => "recovered",
        }
    }

    const fn severity(self) -> Severity {
        match self {
            Self::Ignored | Self::Failed => Severity::High,
            Self::Delayed | Self::Recovered => Severity::Medium,
        }
    }

    const fn advice(self) -> &'static str {
        match self {
            Self::Ignored | Self::Failed => {
                "Reboot soon and replace the memory module: the broken page is still in use and may bring the machine down."
            }
            Self::Delayed | Self::Recovered => {
                "Find out which module the page lies in and replace it when more pages of it fail; programs may have been killed."
            }
        }
    }
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Recovery {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What the numbers of page types mean on one kernel. They move from version to version, so they are read from the
/// `format` file of the tracepoint.
///
/// ```
/// use faults::ras::PageTypes;
///
/// let format = r#"print fmt: "pfn %#lx: recovery action for %s: %s", REC->pfn, __print_symbolic(REC->type,
///     { 0, "reserved kernel page" }, { 1, "high-order kernel page" }), __print_symbolic(REC->result, { 0, "Ignored" })"#;
/// let types = PageTypes::from_format(format);
/// assert_eq!(types.name(1), "high-order kernel page");
/// assert_eq!(types.name(7), "page of type 7");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageTypes(Vec<(i32, String)>);

/// Most page types that are read; kernels have about twenty.
const MAX_PAGE_TYPES: usize = 64;

impl PageTypes {
    /// Reads the `format` file of `ras:memory_failure_event`.
    pub fn from_format(format: &str) -> Self {
        let Some((_, types)) = format.split_once("REC->type") else {
            return Self::default();
        };
        let types = types.split("REC->result").next().unwrap_or_default();
        let pairs = types.split('{').skip(1).filter_map(|pair| {
            let (number, name) = pair.split('}').next()?.split_once(',')?;
            let name = name.trim().strip_prefix('"')?.strip_suffix('"')?;
            Some((number.trim().parse().ok()?, name.to_owned()))
        });
        Self(pairs.take(MAX_PAGE_TYPES).collect())
    }

    /// The name of a type.
    pub fn name(&self, number: i32) -> String {
        let known = self.0.iter().find(|(known, _)| *known == number);
        known.map_or_else(|| format!("page of type {number}"), |(_, name)| name.clone())
    }
}

/// A broken page of memory, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct MemoryFailure {
    /// Number of the page. Addresses are made of it as if pages had 4 KiB, which is so nearly everywhere.
    pub pfn: u64,
    /// What the page was used for: `dirty LRU page`.
    pub page_type: String,
    /// What became of it; `None` for a line that only tells a step.
    pub recovery: Option<Recovery>,
}

impl MemoryFailure {
    /// Reads a line of the kernel log: `Memory failure: 0x12345: recovery action for dirty LRU page: Recovered`.
    ///
    /// Other lines about the page (`Killing ...`, `already hardware poisoned`) are its page type, without a recovery.
    ///
    /// ```
    /// use faults::ras::{MemoryFailure, Recovery};
    ///
    /// let line = "Memory failure: 0x12345: recovery action for dirty LRU page: Recovered";
    /// let failure = MemoryFailure::of_line(line).unwrap();
    /// assert_eq!((failure.pfn, failure.recovery), (0x12345, Some(Recovery::Recovered)));
    /// assert_eq!(failure.hardware_error().title, "memory failure: dirty LRU page (recovered)");
    /// ```
    pub fn of_line(line: &str) -> Option<Self> {
        let start = line.find("Memory failure: 0x")?;
        let mut rest = Cursor::new(line.as_bytes().get(start + 18..)?);
        let pfn = hexadecimal(rest.take_while(u8::is_ascii_hexdigit))?;
        if !rest.eat(b": ") {
            return None;
        }
        let text = std::str::from_utf8(rest.rest()).ok()?.trim();
        let action = text
            .strip_prefix("recovery action for ")
            .and_then(|action| action.rsplit_once(": "));
        let known = action.and_then(|(page, result)| Some((page, recovery(result)?)));
        Some(Self {
            pfn,
            page_type: known.map_or(text, |(page, _)| page).to_owned(),
            recovery: known.map(|(_, recovery)| recovery),
        })
    }

    /// What failed, how bad, where, what to do.
    pub fn hardware_error(&self) -> HardwareError {
        let mut fields = Fields::default();
        fields.add("pfn", plain(format!("{:#x}", self.pfn)));
        fields.text("page_type", &self.page_type);
        if let Some(recovery) = self.recovery {
            fields.text("recovery", recovery);
        }
        let ending = self
            .recovery
            .map(|recovery| format!(" ({recovery})"))
            .unwrap_or_default();
        HardwareError {
            class: Class::HardwareMemoryFailure,
            severity: self.recovery.map_or(Severity::Medium, Recovery::severity),
            title: format!("memory failure: {}{ending}", self.page_type),
            what: self.page_type.clone(),
            place: Place {
                address: self.pfn.checked_mul(PAGE_BYTES),
                ..Place::default()
            },
            advice: self.recovery.unwrap_or(Recovery::Delayed).advice(),
            fields: fields.list,
        }
    }
}

fn recovery(name: &str) -> Option<Recovery> {
    let all = [
        Recovery::Ignored,
        Recovery::Failed,
        Recovery::Delayed,
        Recovery::Recovered,
    ];
    all.into_iter()
        .find(|recovery| recovery.as_str().eq_ignore_ascii_case(name))
}
