//! The catalogue: every hook as data. One file a hook in `catalogue/`, and one row below.
//!
//! A hook either has programs of its own in the object ([`Source::Own`]) or is a tracepoint whose record the generic
//! program copies and this crate decodes ([`Source::Records`]): the latter needs no eBPF code at all.

use std::fmt;

use faults::{Class, Severity};
use probe_common::Hook;

use crate::{event::Attach, fields::Fields};

mod told;
mod way;

pub use told::{Best, Once, Told, Twin};
pub use way::{Offer, Place, Read, Way, offers};

/// Declares the hooks' files, and lists them. The order is that of [`crate::Probes::states`].
macro_rules! hooks {
    ($($hook:ident)*) => {
        $(mod $hook;)*
        /// All hooks.
        pub const HOOKS: &[&HookSpec] = &[$(&$hook::HOOK),*];
    };
}

hooks! {
    printk_console
    oops_enter
    panic
    mce_record
    oom_mark_victim
    signal_deliver
}

/// Every way to attach a program of its own.
pub(crate) fn attempts() -> impl Iterator<Item = &'static Attempt> {
    HOOKS.iter().flat_map(|spec| match &spec.source {
        Source::Own { attempts, .. } => *attempts,
        Source::Records(_) => &[],
    })
}

/// One hook.
#[derive(Debug)]
pub struct HookSpec {
    /// What records, the configuration and `telemctl` call it: `[a-z0-9_]`, at most 64 bytes.
    pub name: &'static str,
    /// What it sees, in words.
    pub sees: &'static str,
    /// What is left where it cannot be attached, in words.
    pub without: &'static str,
    /// The class of its records, unless an event says otherwise.
    pub class: Class,
    /// How bad its records are, unless an event says otherwise.
    pub severity: Severity,
    /// How many of its records are kept in full.
    pub storm: Storm,
    /// What its records may give away.
    pub privacy: Privacy,
    /// Where its events come from.
    pub source: Source,
}

/// How many records of a hook are kept in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storm {
    /// As the configuration says, by title.
    Configured,
    /// At most this many a minute, by title.
    PerMinute(u32),
    /// The first of each title in a boot.
    OncePerBoot,
}

/// What records may give away, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Privacy {
    /// Numbers and names of the kernel and of the hardware.
    Machine,
    /// Names that people chose: of tasks, files, network devices.
    Names,
    /// What programs work on: memory, arguments, text they print.
    Contents,
}

impl fmt::Display for Privacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Machine => "machine",
            Self::Names => "names",
            Self::Contents => "contents",
        })
    }
}

/// Where a hook's events come from.
#[derive(Debug)]
pub enum Source {
    /// Programs of its own in the object.
    Own {
        /// Its number in the programs.
        hook: Hook,
        /// In the order in which they are tried; the first that works is taken.
        attempts: &'static [Attempt],
        /// The first kernel on which the hook is worth attaching, where older ones have it too.
        since: Option<Since>,
    },
    /// The generic program on a tracepoint.
    Records(Records),
}

/// A hook of the generic program.
#[derive(Debug)]
pub struct Records {
    /// In the order in which they are tried; the first that this kernel has is taken.
    pub attempts: &'static [Record],
    /// Whether the kernel's stack is taken with each event.
    pub stack: bool,
    /// What a record means; `None` when it is no fault after all.
    pub tell: fn(&Fields) -> Option<Told>,
}

/// A tracepoint that the generic program can watch.
#[derive(Debug)]
pub struct Record {
    /// `category:name`
    pub tracepoint: &'static str,
    /// The module that brings it, where it may come after the agent has started.
    pub module: Option<&'static str>,
    /// Fields without which a record says nothing: a kernel that lacks one is not attached to.
    pub required: &'static [&'static str],
    /// What the kernel tests before anything is copied: all must hold. At most four.
    pub filter: &'static [Term<'static>],
}

/// A test of an integer field in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term<'a> {
    /// The field.
    pub field: &'a str,
    /// How it is compared.
    pub is: Is,
    /// With what.
    pub value: i128,
}

impl fmt::Display for Term<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.field, self.is, self.value)
    }
}

/// Comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Is {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `&`: a bit of the value is set in the field.
    AnyBit,
}

impl Is {
    /// How comparisons are written. Those of two characters come first: `<=` begins as `<` does.
    pub const OPERATORS: [(Self, &'static str); 7] = [
        (Self::Equal, "=="),
        (Self::NotEqual, "!="),
        (Self::AtMost, "<="),
        (Self::AtLeast, ">="),
        (Self::Less, "<"),
        (Self::Greater, ">"),
        (Self::AnyBit, "&"),
    ];
}

impl fmt::Display for Is {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = Self::OPERATORS.iter().find(|(known, _)| known == self);
        f.pad(written.map_or("", |(_, operator)| operator))
    }
}

/// The kernel from which on a hook does what it should.
#[derive(Debug, Clone, Copy)]
pub struct Since {
    pub major: u8,
    pub minor: u8,
    /// What is wrong with it before.
    pub before: &'static str,
}

/// One way to attach a hook with programs of its own.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// The program's name in the object.
    pub program: &'static str,
    pub target: Target,
}

/// What a program is attached to.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    TpBtf(&'static TpBtf),
    RawTp(&'static str),
    Tracepoint(&'static Tracepoint),
    Fentry(&'static str),
    Kprobe(&'static str),
}

impl Target {
    pub fn attach(self) -> Attach {
        match self {
            Self::TpBtf(_) => Attach::TpBtf,
            Self::RawTp(_) => Attach::RawTp,
            Self::Tracepoint(_) => Attach::Tracepoint,
            Self::Fentry(_) => Attach::Fentry,
            Self::Kprobe(_) => Attach::Kprobe,
        }
    }

    /// The name of what it is attached to, as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::TpBtf(tracepoint) => tracepoint.name,
            Self::RawTp(name) | Self::Fentry(name) | Self::Kprobe(name) => name,
            Self::Tracepoint(tracepoint) => tracepoint.name,
        }
    }
}

/// A BTF-typed raw tracepoint and what its program reads behind the pointers that it is given.
#[derive(Debug)]
pub struct TpBtf {
    pub name: &'static str,
    /// All are required: a classic tracepoint comes next, whose record says what it has.
    pub members: &'static [MemberSpec],
}

/// An integer member of a kernel struct that a program reads.
#[derive(Debug)]
pub struct MemberSpec {
    pub structure: &'static str,
    /// Names with dots between, see [`crate::btf::Btf::member`].
    pub path: &'static str,
    /// The program's global that takes the offset.
    pub global: &'static str,
    pub size: u32,
}

/// A classic tracepoint and what a program of its own reads of the record.
#[derive(Debug)]
pub struct Tracepoint {
    pub category: &'static str,
    pub name: &'static str,
    pub fields: &'static [FieldSpec],
}

/// A field that a program reads.
#[derive(Debug)]
pub struct FieldSpec {
    pub name: &'static str,
    /// The program's global that takes the offset.
    pub global: &'static str,
    pub shape: Shape,
    /// Without this field the hook says nothing, so it is not attached.
    pub required: bool,
}

/// What a program can read.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// An integer of this size.
    Integer(u32),
    /// A `__data_loc`.
    DataLoc,
    /// A task's name: a `__data_loc`, or an array of 16 bytes; the global is set to 1 for the former.
    Comm { is_data_loc: &'static str },
}

const fn required(name: &'static str, global: &'static str, shape: Shape) -> FieldSpec {
    FieldSpec {
        name,
        global,
        shape,
        required: true,
    }
}

const fn optional(name: &'static str, global: &'static str, shape: Shape) -> FieldSpec {
    FieldSpec {
        name,
        global,
        shape,
        required: false,
    }
}

const fn member(structure: &'static str, path: &'static str, global: &'static str, size: u32) -> MemberSpec {
    MemberSpec {
        structure,
        path,
        global,
        size,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_plain_and_unique() {
        for (index, hook) in HOOKS.iter().enumerate() {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            assert!(
                hook.name.len() <= 64 && hook.name.bytes().all(plain),
                "{}",
                hook.name
            );
            let before = &HOOKS[..index];
            assert!(
                before.iter().all(|other| other.name != hook.name),
                "{}",
                hook.name
            );
            assert!(!hook.sees.is_empty() && !hook.without.is_empty(), "{}", hook.name);
        }
    }

    #[test]
    fn every_hook_of_the_programs_has_a_row() {
        for wanted in Hook::ALL {
            let rows = HOOKS
                .iter()
                .filter(|spec| matches!(spec.source, Source::Own { hook, .. } if hook == wanted));
            assert_eq!(rows.count(), 1, "{wanted:?}");
        }
    }
}
