//! Finds out what this kernel offers, attaches the eBPF programs and decodes what they send.
//!
//! [`Probes::attach`] tries, for every hook, the program types in the order of their cost and reach and keeps why each
//! failed; a [`Reader`] turns ring-buffer bytes into [`Event`]s by checked copies. [`kmsg`] reads `/dev/kmsg` where
//! the console hook is missing, [`past`] reads what earlier boots left behind.

mod attach;
pub mod btf;
pub mod catalogue;
pub mod cost;
mod decode;
mod event;
mod fields;
pub mod format;
pub mod hindsight;
pub mod kallsyms;
pub mod kmsg;
mod mapping;
mod offsets;
pub mod past;
mod probes;
pub mod pstore;
mod readable;
mod reader;
mod reason;
pub mod ring;
mod tracefs;
pub mod user_probe;
mod watch;

pub use attach::{AttachError, Options};
pub use catalogue::{Best, Device, Once, Told, Twin};
pub use decode::{Origin, RecordOrigin};
pub use event::{Attach, Context, Event, OomCause, OomConstraint, OomVictim, UserFrame};
pub use fields::{Fields, Value};
pub use probes::{HookState, Probes};
pub use reader::{ReadError, Reader};
pub use tracefs::mount_tracefs;

/// The names of the hooks that code refers to, and of all, in the order of [`Probes::states`].
pub mod hook {
    use crate::catalogue::HOOKS;

    /// Kernel log text.
    pub const PRINTK_CONSOLE: &str = "printk_console";
    /// A CPU starts to report an oops.
    pub const OOPS_ENTER: &str = "oops_enter";
    /// The kernel panics.
    pub const PANIC: &str = "panic";
    /// Why the out-of-memory killer kills.
    pub const OOM_KILL_PROCESS: &str = "oom_kill_process";
    /// The kernel warns.
    pub const WARN: &str = "warn";
    /// A machine check was logged (x86).
    pub const MCE_RECORD: &str = "mce_record";
    /// The out-of-memory killer chose a victim.
    pub const OOM_MARK_VICTIM: &str = "oom_mark_victim";
    /// A signal whose default action ends the program with a core dump is delivered.
    pub const SIGNAL_DELIVER: &str = "signal_deliver";
    /// All hooks of the [`catalogue`](crate::catalogue).
    pub const ALL: [&str; HOOKS.len()] = {
        let mut names = [""; HOOKS.len()];
        let mut index = 0;
        while index < names.len() {
            names[index] = HOOKS[index].name;
            index += 1;
        }
        names
    };
}
