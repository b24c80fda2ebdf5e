//! Hindsight: signs that precede faults, kept in memory that nobody reads until a fault was reported. Loaded only where
//! the configuration asks for it.
//!
//! `vmscan:mm_vmscan_direct_reclaim_begin` and the like: `TP_PROTO` is not looked at, only who runs and when.

use core::ptr::addr_of_mut;

use aya_ebpf::{
    Global,
    helpers::{
        bpf_get_current_comm, bpf_get_current_pid_tgid,
        generated::{bpf_get_smp_processor_id, bpf_ktime_get_boot_ns, bpf_ktime_get_ns},
    },
    macros::raw_tracepoint,
    programs::RawTracePointContext,
};
use probe_common::{COMM_LEN, IRQ_BATCH, IRQ_STORM_PER_S, STALL_NS, Sign, SignKind};

use crate::{
    event::count_up,
    maps::{IRQS, SIGN_POSITION, SIGNS, STARTED},
};

/// What is kept of a stall, nanoseconds.
#[unsafe(no_mangle)]
static SIGN_STALL_NS: Global<u64> = Global::new(STALL_NS);
/// Elements of `SIGNS` for each CPU, less 1: they are a power of two.
#[unsafe(no_mangle)]
static SIGN_MASK: Global<u32> = Global::new(0);

/// Interrupts of a CPU since it last looked at the clock.
#[repr(C)]
pub(crate) struct Irqs {
    count: u64,
    since_ns: u64,
    /// When the last storm was kept.
    told_ns: u64,
}

/// One storm a second is enough.
const TELL_EVERY_NS: u64 = 1_000_000_000;

/// Pairs of programs at the beginning and the end of something that a task waits for.
macro_rules! spans {
    ($($begin:ident $end:ident $kind:expr;)*) => {$(
        #[raw_tracepoint]
        fn $begin(_ctx: RawTracePointContext) -> u32 {
            begin($kind)
        }

        #[raw_tracepoint]
        fn $end(_ctx: RawTracePointContext) -> u32 {
            end($kind)
        }
    )*};
}

spans! {
    reclaim_begin reclaim_end SignKind::Reclaim;
    cgroup_reclaim_begin cgroup_reclaim_end SignKind::CgroupReclaim;
    compaction_begin compaction_end SignKind::Compaction;
}

/// `irq:irq_handler_entry`
#[raw_tracepoint]
fn irq_entry(_ctx: RawTracePointContext) -> u32 {
    let Some(irqs) = IRQS.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: the map's slot is an aligned `Irqs` that lives as long as the program and belongs to this CPU, whose
    // interrupts do not interrupt each other.
    let irqs = unsafe { &mut *irqs };
    irqs.count += 1;
    if irqs.count < IRQ_BATCH {
        return 0;
    }
    let now_ns = now_ns();
    let took_ns = now_ns.wrapping_sub(irqs.since_ns);
    irqs.count = 0;
    irqs.since_ns = now_ns;
    const STORM_NS: u64 = IRQ_BATCH * 1_000_000_000 / IRQ_STORM_PER_S;
    if took_ns != 0 && took_ns < STORM_NS && now_ns.wrapping_sub(irqs.told_ns) > TELL_EVERY_NS {
        irqs.told_ns = now_ns;
        keep(SignKind::IrqStorm, IRQ_BATCH * 1_000_000_000 / took_ns);
    }
    0
}

#[inline(always)]
fn begin(kind: SignKind) -> u32 {
    // A full map forgets the task that it has not heard of for longest, and its stall with it.
    let _full = STARTED.insert(key(kind), now_ns(), 0);
    0
}

#[inline(always)]
fn end(kind: SignKind) -> u32 {
    let key = key(kind);
    // SAFETY: the value is copied; nobody but this task writes it.
    let Some(started_ns) = unsafe { STARTED.get(key) }.copied() else {
        return 0;
    };
    let _gone = STARTED.remove(key);
    let held_ns = now_ns().wrapping_sub(started_ns);
    if held_ns >= SIGN_STALL_NS.load() {
        keep(kind, held_ns);
    }
    0
}

/// What a task waits for: one of a kind at a time.
#[inline(always)]
fn key(kind: SignKind) -> u64 {
    u64::from(bpf_get_current_pid_tgid() as u32) << 16 | kind as u64
}

#[inline(always)]
fn now_ns() -> u64 {
    // SAFETY: a helper without arguments.
    unsafe { bpf_ktime_get_ns() }
}

/// Writes over the oldest sign of this CPU.
#[inline(always)]
fn keep(kind: SignKind, value: u64) {
    // SAFETY: helpers without arguments.
    let (cpu, since_boot_ns) = unsafe { (bpf_get_smp_processor_id() as u32, bpf_ktime_get_boot_ns()) };
    let Some(position) = SIGN_POSITION.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: the map's slot is an aligned u64 that lives as long as the program and belongs to this CPU.
    let position = unsafe { count_up(position) };
    let mask = SIGN_MASK.load();
    let Some(place) = SIGNS.get_ptr_mut(cpu * (mask + 1) + (position as u32 & mask)) else {
        return;
    };
    // SAFETY: the map's element is an aligned `Sign`; user space looks at the time before and after it copies.
    unsafe {
        let time = addr_of_mut!((*place).since_boot_ns);
        time.write_volatile(0);
        addr_of_mut!((*place).value).write_volatile(value);
        addr_of_mut!((*place).pid).write_volatile(bpf_get_current_pid_tgid() as u32);
        addr_of_mut!((*place).cpu).write_volatile(cpu);
        addr_of_mut!((*place).kind).write_volatile(kind as u16);
        addr_of_mut!((*place).comm).write_volatile(bpf_get_current_comm().unwrap_or([0; COMM_LEN]));
        time.write_volatile(since_boot_ns);
    }
}
