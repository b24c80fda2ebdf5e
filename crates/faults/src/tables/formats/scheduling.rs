//! Stalls, lockups and panics.

use super::{From, Head, Pick, STACK_OVERFLOW, STALL, Stack, format};
use crate::ReportKind as K;

/// What a stuck CPU was asked to do.
pub(super) const STALLED: Option<Stack> = Some(Stack {
    from: From::Pointer,
    pick: Pick::Stall,
    skip: &[],
});
/// What a hung task waits for.
pub(super) const HUNG: Option<Stack> = Some(Stack {
    from: From::Trace,
    pick: Pick::Hang,
    skip: &[],
});
/// What used up the stack: the entry, as the frame that hit the end is arbitrary.
pub(super) const OVERFLOW: Option<Stack> = Some(Stack {
    from: From::Trace,
    pick: Pick::Stall,
    skip: &[],
});

pub(super) const HEADS: &[Head] = &[
    Head {
        needle: "detected hard LOCKUP on cpu",
        unless: &[],
        formats: &[format(
            K::HardLockup,
            "detected hard LOCKUP on cpu",
            "BUG: hard lockup in {F}",
            STALLED,
        )
        .alt(STALL)],
    },
    Head {
        needle: "kernel stack overflow",
        unless: &["Kernel panic"],
        formats: &[format(
            K::Trap,
            "kernel stack overflow",
            "kernel stack overflow in {F}",
            OVERFLOW,
        )
        .alt(STACK_OVERFLOW)],
    },
    Head {
        needle: "Kernel panic - not syncing:",
        unless: &[],
        formats: &[
            format(
                K::Panic,
                "stack-protector: Kernel stack is corrupted in: {f}",
                "kernel panic: stack is corrupted in {0}",
                None,
            ),
            format(
                K::Panic,
                "not syncing: corrupted stack end detected inside scheduler",
                "kernel panic: corrupted stack end in {F}",
                OVERFLOW,
            )
            .alt(STACK_OVERFLOW),
            format(
                K::Panic,
                "not syncing: Attempted to kill init!",
                "kernel panic: Attempted to kill init!",
                None,
            ),
            format(
                K::Panic,
                "not syncing: Fatal exception",
                "kernel panic: Fatal exception",
                None,
            ),
            format(
                K::Panic,
                "not syncing: panic_on_warn set",
                "kernel panic: panic_on_warn set",
                None,
            ),
            format(K::Panic, "not syncing: {*}", "kernel panic: {0}", None),
        ],
    },
    Head {
        needle: "VFS: Busy inodes after unmount",
        unless: &[],
        formats: &[format(
            K::Other,
            "VFS: Busy inodes after unmount",
            "VFS: Busy inodes after unmount (use-after-free)",
            None,
        )],
    },
    Head {
        needle: "trusty: panic",
        unless: &[],
        formats: &[format(K::Other, "trusty: panic{*}", "trusty: panic{0}", None)],
    },
];
