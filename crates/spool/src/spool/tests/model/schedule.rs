//! What is done to a spool, and what happens to its disk meanwhile.

use proptest::collection::vec;
use proptest::prelude::*;
use rustix::io::Errno;

/// Sizes of records that fill small segments in a few steps.
const SIZES: std::ops::Range<usize> = 0..1500;

/// A life of a spool.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    /// Decides what is left to chance on the disk.
    pub(crate) seed: u64,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Append {
        worth: u8,
        bytes: usize,
    },
    Sync,
    /// Minutes pass.
    Wait(u16),
    Read {
        from: usize,
        most: usize,
        bytes: usize,
    },
    Acknowledge(usize),
    /// The n-th call from here, and some after it, answer with an error.
    Fail {
        calls: u32,
        more: u32,
        errno: i32,
    },
    /// The process dies in the n-th call from here, or before the next opening; the machine with it, or not.
    Crash {
        calls: u32,
        power: Option<u64>,
    },
    /// It is closed and opened again.
    Reopen,
    /// The machine dies between two calls.
    LosePower {
        seed: u64,
    },
    /// So many bytes are left on the disk.
    Fill {
        free: u64,
    },
    /// The disk takes no more writes.
    TurnReadOnly,
    /// The disk has space and takes writes again.
    Mend,
    /// While it is closed, something happens to its files.
    Damage(Harm),
}

#[derive(Debug, Clone)]
pub(crate) enum Harm {
    Flip { file: usize, at: usize, bit: u8 },
    Cut { file: usize, at: usize },
    Overwrite { file: usize, at: usize, bytes: usize },
    Delete { file: usize },
    Append { file: usize, bytes: usize },
}

fn harm() -> impl Strategy<Value = Harm> {
    let (file, at) = (any::<usize>(), any::<usize>());
    prop_oneof![
        (file, at, 0..8_u8).prop_map(|(file, at, bit)| Harm::Flip { file, at, bit }),
        (file, at).prop_map(|(file, at)| Harm::Cut { file, at }),
        (file, at, 1..3000_usize).prop_map(|(file, at, bytes)| Harm::Overwrite { file, at, bytes }),
        file.prop_map(|file| Harm::Delete { file }),
        (file, 1..3000_usize).prop_map(|(file, bytes)| Harm::Append { file, bytes }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let errno = prop_oneof![Just(Errno::NOSPC), Just(Errno::IO), Just(Errno::ROFS)];
    prop_oneof![
        8 => (any::<u8>(), SIZES).prop_map(|(worth, bytes)| Step::Append { worth, bytes }),
        1 => (0..300_u16).prop_map(Step::Wait),
        6 => Just(Step::Sync),
        3 => (any::<usize>(), 0..20_usize, 0..5000_usize)
            .prop_map(|(from, most, bytes)| Step::Read { from, most, bytes }),
        2 => any::<usize>().prop_map(Step::Acknowledge),
        2 => (0..12_u32, 0..4_u32, errno)
            .prop_map(|(calls, more, errno)| Step::Fail { calls, more, errno: errno.raw_os_error() }),
        3 => (0..16_u32, any::<Option<u64>>()).prop_map(|(calls, power)| Step::Crash { calls, power }),
        1 => Just(Step::Reopen),
        2 => any::<u64>().prop_map(|seed| Step::LosePower { seed }),
        1 => (0..3_u64).prop_map(|blocks| Step::Fill { free: blocks * 4096 }),
        1 => Just(Step::TurnReadOnly),
        2 => Just(Step::Mend),
    ]
}

/// Schedules of crashes and refusals, and of damage to files too.
pub(crate) fn schedule(damage: bool) -> impl Strategy<Value = Schedule> {
    let step = if damage {
        prop_oneof![30 => step(), 1 => harm().prop_map(Step::Damage)].boxed()
    } else {
        step().boxed()
    };
    (any::<u64>(), vec(step, 1..80)).prop_map(|(seed, steps)| Schedule { seed, steps })
}
