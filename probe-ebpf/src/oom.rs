//! `oom:mark_victim`: the out-of-memory killer chose a victim. The running task is the one that asked for memory.
//!
//! The record has the pid alone, or (upstream 6.10, and stable releases before it) sizes, owner and name too.

use aya_ebpf::{
    EbpfContext as _, Global, helpers::bpf_probe_read_kernel_str_bytes, macros::tracepoint,
    programs::TracePointContext,
};
use probe_common::{COMM_LEN, Hook, OomVictim, oom};

use crate::{
    event::{Outcome, ProbeError, account, describe, header, send},
    offset::{ABSENT, Offset, read},
};

#[unsafe(no_mangle)]
static OOM_OFF_PID: Offset = Offset::new(ABSENT);
#[unsafe(no_mangle)]
static OOM_OFF_TOTAL_VM: Offset = Offset::new(ABSENT);
#[unsafe(no_mangle)]
static OOM_OFF_ANON_RSS: Offset = Offset::new(ABSENT);
#[unsafe(no_mangle)]
static OOM_OFF_FILE_RSS: Offset = Offset::new(ABSENT);
#[unsafe(no_mangle)]
static OOM_OFF_SHMEM_RSS: Offset = Offset::new(ABSENT);
#[unsafe(no_mangle)]
static OOM_OFF_PGTABLES: Offset = Offset::new(ABSENT);
#[unsafe(no_mangle)]
static OOM_OFF_UID: Offset = Offset::new(ABSENT);
#[unsafe(no_mangle)]
static OOM_OFF_SCORE_ADJ: Offset = Offset::new(ABSENT);
#[unsafe(no_mangle)]
static OOM_OFF_COMM: Offset = Offset::new(ABSENT);
/// 1 when `OOM_OFF_COMM` is a `__data_loc`, 0 when it is the array itself.
#[unsafe(no_mangle)]
static OOM_COMM_IS_DATA_LOC: Global<u32> = Global::new(0);

#[tracepoint]
fn oom_mark_victim_tp(ctx: TracePointContext) -> u32 {
    account(Hook::OomMarkVictim, try_victim(&ctx))
}

#[inline(always)]
fn try_victim(ctx: &TracePointContext) -> Result<Outcome, ProbeError> {
    let mut victim = OomVictim {
        header: header(Hook::OomMarkVictim),
        pid: read(ctx, &OOM_OFF_PID)?.unwrap_or(0),
        ..OomVictim::default()
    };
    if let Some(value) = read(ctx, &OOM_OFF_TOTAL_VM)? {
        victim.total_vm = value;
        victim.available |= oom::TOTAL_VM;
    }
    if let Some(value) = read(ctx, &OOM_OFF_ANON_RSS)? {
        victim.anon_rss = value;
        victim.available |= oom::ANON_RSS;
    }
    if let Some(value) = read(ctx, &OOM_OFF_FILE_RSS)? {
        victim.file_rss = value;
        victim.available |= oom::FILE_RSS;
    }
    if let Some(value) = read(ctx, &OOM_OFF_SHMEM_RSS)? {
        victim.shmem_rss = value;
        victim.available |= oom::SHMEM_RSS;
    }
    if let Some(value) = read(ctx, &OOM_OFF_PGTABLES)? {
        victim.pgtables = value;
        victim.available |= oom::PGTABLES;
    }
    if let Some(value) = read(ctx, &OOM_OFF_UID)? {
        victim.uid = value;
        victim.available |= oom::UID;
    }
    if let Some(value) = read(ctx, &OOM_OFF_SCORE_ADJ)? {
        victim.oom_score_adj = value;
        victim.available |= oom::OOM_SCORE_ADJ;
    }
    if read_comm(ctx, &mut victim.comm)? {
        victim.available |= oom::COMM;
    }
    describe!(
        ctx,
        "mark_victim: pid {}, fields {:x}",
        victim.pid,
        victim.available
    );
    send(victim)
}

#[inline(always)]
fn read_comm(ctx: &TracePointContext, comm: &mut [u8; COMM_LEN]) -> Result<bool, ProbeError> {
    let offset = OOM_OFF_COMM.load();
    if offset == ABSENT {
        return Ok(false);
    }
    let start = if OOM_COMM_IS_DATA_LOC.load() == 1 {
        read::<u32>(ctx, &OOM_OFF_COMM)?.unwrap_or(0) & 0xffff
    } else {
        offset
    };
    let text = ctx.as_ptr() as u64 + u64::from(start);
    // SAFETY: the helper writes at most the 16 bytes of `comm` and fails rather than faults.
    unsafe { bpf_probe_read_kernel_str_bytes(text as *const u8, comm) }
        .map(|_text| true)
        .map_err(|_errno| ProbeError::Unreadable)
}
