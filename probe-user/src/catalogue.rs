//! The catalogue: every hook as data. One file a hook in `catalogue/`, and one row below.
//!
//! A hook either has programs of its own in the object ([`Source::Own`]) or is a tracepoint whose record the generic
//! program copies and this crate decodes ([`Source::Records`]): the latter needs no eBPF code at all.

#![expect(
    clippy::unnecessary_wraps,
    reason = "`tell` has one type; the records of most hooks are always faults"
)]

use std::fmt;

use faults::{Class, Severity};
use probe_common::Hook;

use crate::fields::Fields;

mod cxl;
mod target;
mod told;
mod way;

pub use target::{Attempt, FieldSpec, MemberSpec, Shape, Since, Target, TpBtf, Tracepoint};
use target::{function, member, optional, required};
pub use told::{Best, Device, Once, Told, Twin};
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
    warn
    soft_lockup
    mce_record
    oom_mark_victim
    oom_kill_process
    alloc_failure
    signal_deliver
    error_report_end
    rcu_stall_warning
    sched_process_hang
    module_load
    mc_event
    aer_event
    arm_event
    extlog_mem_event
    non_standard_event
    memory_failure_event
    cxl_general_media
    cxl_dram
    cxl_memory_module
    cxl_generic_event
    cxl_poison
    cxl_overflow
    cxl_aer_uncorrectable_error
    cxl_aer_correctable_error
    cxl_port_aer_uncorrectable_error
    cxl_port_aer_correctable_error
    thermal_zone_trip
    block_rq_error
    nvme_async_event
    scsi_dispatch_cmd_timeout
    filemap_set_wb_err
    ext4_error
    xfs_force_shutdown
    net_dev_xmit_timeout
    devlink_health_report
    iommu_page_fault
}

/// The hook with this name.
pub fn find(name: &str) -> Option<&'static HookSpec> {
    HOOKS.iter().copied().find(|spec| spec.name == name)
}

/// Every way to attach a program of its own.
pub(crate) fn attempts() -> impl Iterator<Item = &'static Attempt> {
    HOOKS.iter().flat_map(|spec| match &spec.source {
        Source::Own { attempts, .. } => *attempts,
        Source::Records(_) => &[],
    })
}

/// The texts that tell what the generic program's hooks see.
pub fn twins() -> impl Iterator<Item = Twin> {
    HOOKS.iter().filter_map(|spec| match &spec.source {
        Source::Records(records) => records.twin,
        Source::Own { .. } => None,
    })
}

/// Every member of a kernel struct that a program reads where there is one.
pub(crate) fn members() -> impl Iterator<Item = &'static MemberSpec> {
    HOOKS.iter().flat_map(|spec| match &spec.source {
        Source::Own { members, .. } => *members,
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

/// Titles that may each use up what a storm policy keeps, at once: the kernel cannot tell titles apart, so it copies so
/// many times as many events a second and CPU, and counts the others.
const TITLES: u32 = 64;
/// Events a second and CPU of hooks whose policy the configuration says: a hundred times its default of ten.
const CONFIGURED_LIMIT: u32 = 1_000;

/// The most events of a probe that keeps `rate` records a minute which are copied in a second on one CPU.
pub(crate) const fn limit_of_rate(rate: u32) -> u32 {
    rate.saturating_mul(TITLES)
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

impl Storm {
    /// The most events that are copied in a second on one CPU, where the generic program serves the hook.
    pub const fn limit(self) -> u32 {
        match self {
            Self::Configured => CONFIGURED_LIMIT,
            Self::PerMinute(rate) => limit_of_rate(rate),
            Self::OncePerBoot => limit_of_rate(1),
        }
    }
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
        /// What the programs read of kernel structs where this kernel has it, whichever of them is attached.
        members: &'static [MemberSpec],
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
    /// Kernel text that tells the same fault.
    pub twin: Option<Twin>,
    /// See [`Records::told`]; it leaves `twin` out.
    tell: fn(&Fields) -> Option<Told>,
}

impl Records {
    /// What a record means; `None` when it is no fault after all.
    pub fn told(&self, fields: &Fields) -> Option<Told> {
        let told = (self.tell)(fields)?;
        Some(Told {
            twin: self.twin,
            ..told
        })
    }
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

#[cfg(test)]
mod tests;
