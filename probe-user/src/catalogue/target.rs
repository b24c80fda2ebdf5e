//! What the programs of a hook are attached to, and what they read there.

use crate::event::Attach;

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

/// The ways to watch a function of the kernel: through the trampoline, then through a breakpoint.
pub(super) const fn function(name: &'static str, fentry: &'static str, kprobe: &'static str) -> [Attempt; 2] {
    [
        Attempt {
            program: fentry,
            target: Target::Fentry(name),
        },
        Attempt {
            program: kprobe,
            target: Target::Kprobe(name),
        },
    ]
}

pub(super) const fn required(name: &'static str, global: &'static str, shape: Shape) -> FieldSpec {
    FieldSpec {
        name,
        global,
        shape,
        required: true,
    }
}

pub(super) const fn optional(name: &'static str, global: &'static str, shape: Shape) -> FieldSpec {
    FieldSpec {
        name,
        global,
        shape,
        required: false,
    }
}

pub(super) const fn member(
    structure: &'static str,
    path: &'static str,
    global: &'static str,
    size: u32,
) -> MemberSpec {
    MemberSpec {
        structure,
        path,
        global,
        size,
    }
}
