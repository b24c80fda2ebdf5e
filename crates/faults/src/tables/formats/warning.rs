//! `WARN()`, lockdep and `INFO:` reports.

use super::{
    Format, From, HANG, Head, LOCK_AT, Pick, STALL, Stack, TRACE, format, pointer, scheduling, trace,
};
use crate::ReportKind as K;

/// Functions of the lock validator and of the locks themselves.
pub(super) const LOCKS: Option<Stack> = Some(Stack {
    from: From::Trace,
    pick: Pick::Plain,
    skip: &["*lock*"],
});

pub(super) const HEADS: &[Head] = &[
    Head {
        needle: "WARNING:",
        unless: &["mand mount option", "XFS ("],
        formats: WARNINGS,
    },
    Head {
        needle: "INFO:",
        unless: &[
            "lockdep is turned off",
            "recovery required on readonly",
            "NMI handler (",
            "_INFO:",
            ":INFO:",
        ],
        formats: INFOS,
    },
    Head {
        needle: "NETDEV WATCHDOG:",
        unless: &["WARNING:"],
        formats: &[format(
            K::Warning,
            "NETDEV WATCHDOG:",
            "NETDEV WATCHDOG: transmit queue timed out",
            None,
        )],
    },
];

const WARNINGS: &[Format] = &[
    format(
        K::Lockdep,
        "WARNING: possible circular locking dependency detected",
        "possible deadlock in {F}",
        LOCK_AT,
    ),
    format(
        K::Lockdep,
        "WARNING: possible recursive locking detected",
        "possible deadlock in {F}",
        LOCK_AT,
    ),
    format(
        K::Lockdep,
        "WARNING: possible irq lock inversion dependency detected",
        "possible deadlock in {F}",
        LOCK_AT,
    ),
    format(
        K::Lockdep,
        "WARNING: {w} -> {w} lock order detected",
        "possible deadlock in {F}",
        LOCK_AT,
    ),
    format(
        K::Lockdep,
        "WARNING: inconsistent lock state",
        "inconsistent lock state in {F}",
        LOCK_AT,
    ),
    format(
        K::Lockdep,
        "WARNING: suspicious RCU usage",
        "WARNING: suspicious RCU usage in {F}",
        trace(&["*rcu*"]),
    ),
    format(
        K::Lockdep,
        "WARNING: bad unlock balance detected!",
        "WARNING: bad unlock balance in {F}",
        trace(&["*unlock*"]),
    ),
    format(
        K::Lockdep,
        "WARNING: held lock freed!",
        "WARNING: held lock freed in {F}",
        TRACE,
    ),
    format(
        K::Lockdep,
        "WARNING: {*} still has locks held!",
        "WARNING: still has locks held in {F}",
        TRACE,
    ),
    format(
        K::Warning,
        "WARNING: kernel stack regs at {*} has bad {w} value",
        "WARNING: kernel stack regs has bad {1} value",
        None,
    ),
    format(
        K::Refcount,
        "at lib/refcount.c",
        "WARNING: refcount bug in {F}",
        trace(&["*refcount*"]),
    ),
    format(
        K::Lockdep,
        "at kernel/locking/lockdep.c",
        "WARNING: locking bug in {F}",
        LOCKS,
    ),
    format(
        K::Warning,
        "at mm/slab_common.c",
        "WARNING: kmalloc bug in {F}",
        TRACE,
    ),
    format(
        K::Warning,
        "at mm/usercopy.c",
        "WARNING: bad usercopy in {F}",
        trace(&["usercopy*", "check_*"]),
    ),
    format(
        K::Warning,
        "at lib/debugobjects.c",
        "WARNING: ODEBUG bug in {F}",
        trace(&["*timer*", "*work*"]),
    ),
    format(
        K::Warning,
        "at lib/kobject.c",
        "WARNING: kobject bug in {F}",
        trace(&["*kobject*"]),
    ),
    format(
        K::Warning,
        "at fs/proc/generic.c",
        "WARNING: proc registration bug in {F}",
        trace(&["*proc_*"]),
    ),
    format(
        K::Warning,
        "at mm/vmalloc.c:{*} __vmalloc_node_range",
        "WARNING: zero-size vmalloc in {F}",
        trace(&["*vmalloc*"]),
    ),
    format(
        K::Warning,
        "at drivers/usb/core/urb.c:{n} usb_submit_urb",
        "WARNING in {F}/usb_submit_urb",
        pointer(&["usb_submit_urb"]),
    ),
    format(
        K::Warning,
        "WARNING: CPU: {*} at {w} {f}",
        "WARNING in {F}",
        POINTER_OF_WARN,
    ),
    format(
        K::Warning,
        "WARNING: {*} at {w}, CPU#",
        "WARNING in {F}",
        POINTER_OF_WARN,
    ),
    format(K::Warning, "WARNING: {*}", "WARNING: {0}", None),
];

const POINTER_OF_WARN: Option<Stack> = pointer(&[]);

const INFOS: &[Format] = &[
    format(
        K::Lockdep,
        "INFO: possible circular locking dependency detected",
        "possible deadlock in {F}",
        LOCK_AT,
    ),
    format(
        K::Lockdep,
        "INFO: possible recursive locking detected",
        "possible deadlock in {F}",
        LOCK_AT,
    ),
    format(
        K::Lockdep,
        "INFO: possible irq lock inversion dependency detected",
        "possible deadlock in {F}",
        LOCK_AT,
    ),
    format(
        K::Lockdep,
        "INFO: {w} -> {w} lock order detected",
        "possible deadlock in {F}",
        LOCK_AT,
    ),
    format(
        K::Lockdep,
        "INFO: inconsistent lock state",
        "inconsistent lock state in {F}",
        LOCK_AT,
    ),
    format(
        K::Lockdep,
        "INFO: suspicious RCU usage",
        "INFO: suspicious RCU usage in {F}",
        trace(&["*rcu*"]),
    ),
    format(
        K::Lockdep,
        "INFO: trying to register non-static key",
        "INFO: trying to register non-static key in {F}",
        LOCKS,
    ),
    format(
        K::HungTask,
        "INFO: task {*} blocked for more than",
        "INFO: task hung in {F}",
        scheduling::HUNG,
    )
    .alt(HANG),
    format(
        K::HungTask,
        "INFO: task {*} blocked in I/O wait for more than",
        "INFO: task hung in {F}",
        scheduling::HUNG,
    )
    .alt(HANG),
    format(
        K::HungTask,
        "INFO: task {*} can't die for more than",
        "INFO: task can't die in {F}",
        scheduling::HUNG,
    )
    .alt(HANG),
    format(
        K::RcuStall,
        "INFO: rcu_{*} stall",
        "INFO: rcu detected stall in {F}",
        scheduling::STALLED,
    )
    .alt(STALL),
    format(
        K::RcuStall,
        "INFO: rcu_{*}-detected stall",
        "INFO: rcu detected stall in {F}",
        scheduling::STALLED,
    )
    .alt(STALL),
    format(K::Other, "INFO: {*}", "INFO: {0}", None),
];
