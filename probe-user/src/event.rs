//! What the programs saw, as values.

use std::{fmt, sync::Arc};

use faults::mce::MachineCheck;
use serde::{Deserialize, Serialize};

use crate::{catalogue::Told, fields::Fields};

/// How a hook is attached, cheapest and most robust first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Attach {
    /// BTF-typed raw tracepoint.
    TpBtf,
    /// Raw tracepoint.
    RawTp,
    /// Classic tracepoint (perf record, fields by the `format` file).
    Tracepoint,
    /// Function entry through a trampoline.
    Fentry,
    /// Function entry through a breakpoint or ftrace.
    Kprobe,
}

impl Attach {
    /// The name used in records and in `telemctl doctor`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TpBtf => "tp_btf",
            Self::RawTp => "raw_tp",
            Self::Tracepoint => "tracepoint",
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
        }
    }
}

impl fmt::Display for Attach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What every event carries: the task that was running when the hook fired.
///
/// For most hooks that is the culprit; for [`Event::OomVictim`] it is the task that asked for memory and for
/// [`Event::MachineCheck`] a kernel worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The hook, see [`crate::hook`], or the probe as the configuration calls it.
    pub hook: Arc<str>,
    /// How the hook is attached.
    pub attach: Attach,
    /// The CPU the program ran on.
    pub cpu: u32,
    /// Thread id in the initial pid namespace.
    pub pid: u32,
    /// Process id in the initial pid namespace.
    pub tgid: u32,
    /// The thread's name, at most 15 bytes; invalid UTF-8 is replaced.
    pub comm: String,
    /// Inode number of the cgroup (v2) of the task; 0 when the kernel has none.
    pub cgroup_id: u64,
    /// Nanoseconds since boot, time asleep included (`CLOCK_BOOTTIME`).
    pub since_boot_ns: u64,
    /// Number of this event on its CPU, over all hooks, from 1; a lost event leaves a hole.
    pub sequence: u64,
    /// The kernel's stack, return addresses, innermost first; empty when it is not taken.
    pub stack: Vec<u64>,
}

/// Whom the out-of-memory killer chose. Sizes are `None` on kernels whose tracepoint has the pid only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OomVictim {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// The process's name.
    pub comm: Option<String>,
    /// Virtual size, KiB.
    pub total_vm_kib: Option<u64>,
    /// Resident anonymous memory, KiB.
    pub anon_rss_kib: Option<u64>,
    /// Resident file-backed memory, KiB.
    pub file_rss_kib: Option<u64>,
    /// Resident shared memory, KiB.
    pub shmem_rss_kib: Option<u64>,
    /// Page tables, KiB.
    pub pgtables_kib: Option<u64>,
    /// Owner, in the initial user namespace.
    pub uid: Option<u32>,
    /// `oom_score_adj`, -1000 to 1000.
    pub oom_score_adj: Option<i16>,
}

/// Why the out-of-memory killer kills. What this kernel does not tell is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OomCause {
    /// Process id of the victim in the initial pid namespace.
    pub victim: Option<u32>,
    /// What was exhausted.
    pub constraint: Option<OomConstraint>,
    /// Id of the cgroup whose limit was reached, in the hierarchy of the memory controller.
    pub limit_cgroup: Option<u64>,
    /// Id of the victim's cgroup (v2).
    pub victim_cgroup: Option<u64>,
    /// Order of the allocation; -1: asked for by `SysRq`.
    pub order: Option<i32>,
    /// `gfp_mask` of the allocation.
    pub gfp_mask: Option<u32>,
    /// Memory that could be used under the constraint, pages.
    pub total_pages: Option<u64>,
    /// Badness of the victim (`mm/oom_kill.c`: `oom_badness`).
    pub points: Option<i64>,
}

/// What was exhausted: `enum oom_constraint` (`include/linux/oom.h`, the same from 5.10 to 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OomConstraint {
    /// The machine's memory.
    None,
    /// The memory of a cpuset.
    Cpuset,
    /// The memory that a policy allows.
    MemoryPolicy,
    /// The limit of a cgroup.
    Cgroup,
}

/// A frame of a program's stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFrame {
    /// GNU build id of the file that holds the instruction, lower-case hexadecimal.
    pub build_id: Option<String>,
    /// Offset into that file, or the address when there is no build id.
    pub offset: u64,
}

/// One thing a program saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A piece of kernel log text, without level and time.
    KernelText {
        /// Who printed.
        context: Context,
        /// At most [`probe_common::TEXT_MAX`] bytes; may hold a trailing newline, may be any bytes.
        text: Vec<u8>,
        /// This fragment continues the line before it of the same CPU and task (`pr_cont`).
        continues: bool,
    },
    /// A CPU starts to report an oops.
    OopsEnter {
        /// The task that oopsed.
        context: Context,
    },
    /// The kernel panics.
    Panic {
        /// The task that panicked.
        context: Context,
    },
    /// The kernel warns.
    Warning {
        /// The task that it warns of.
        context: Context,
    },
    /// A CPU is stuck in the kernel.
    SoftLockup {
        /// The task that it is stuck with.
        context: Context,
    },
    /// An allocation of pages failed.
    AllocFailure {
        /// The task that asked for memory.
        context: Context,
        /// `gfp_mask` of the allocation.
        gfp_mask: u32,
    },
    /// A machine check was logged.
    MachineCheck {
        /// A kernel worker; not the culprit.
        context: Context,
        /// The bank's registers; what this kernel does not report is 0.
        machine_check: MachineCheck,
    },
    /// The out-of-memory killer chose a victim.
    OomVictim {
        /// The task that asked for memory; often not the victim.
        context: Context,
        /// The victim.
        victim: OomVictim,
    },
    /// Why the out-of-memory killer is about to choose a victim. The [`Event::OomVictim`] of the same task follows.
    OomCause {
        /// The task that asked for memory.
        context: Context,
        /// Why.
        cause: OomCause,
    },
    /// A signal is about to kill a program with its default action.
    FatalSignal {
        /// The program.
        context: Context,
        /// Signal number.
        signal: u32,
        /// `si_code`: above 0 from the kernel, at or below 0 sent by a program.
        code: i32,
        /// `si_errno`.
        errno: i32,
        /// The address of the access or instruction that the kernel raised the signal for.
        address: Option<u64>,
        /// The program's stack, innermost first, as far as frame pointers lead; empty when it is not known.
        frames: Vec<UserFrame>,
        /// The program's path below the root of its file system; without a leading `/` when only its end is known.
        executable: Option<String>,
    },
    /// A tracepoint's record.
    Record {
        /// The task that was running. Whose fault it is, if anybody's, the fields say.
        context: Context,
        /// `category:name`
        tracepoint: Arc<str>,
        /// The record.
        fields: Fields,
        /// What it means.
        told: Told,
    },
    /// Bytes that are no event of this version.
    Undecodable {
        /// The bytes as they came.
        bytes: Vec<u8>,
        /// Why they could not be decoded.
        reason: String,
    },
}

impl Event {
    /// Who was running and when; nothing is known of bytes that are no event.
    #[must_use]
    pub const fn context(&self) -> Option<&Context> {
        match self {
            Self::KernelText { context, .. }
            | Self::OopsEnter { context }
            | Self::Panic { context }
            | Self::Warning { context }
            | Self::SoftLockup { context }
            | Self::AllocFailure { context, .. }
            | Self::MachineCheck { context, .. }
            | Self::OomVictim { context, .. }
            | Self::OomCause { context, .. }
            | Self::FatalSignal { context, .. }
            | Self::Record { context, .. } => Some(context),
            Self::Undecodable { .. } => None,
        }
    }
}
