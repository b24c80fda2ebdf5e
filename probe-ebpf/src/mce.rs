//! `mce:mce_record`: a machine check was logged (x86). Fires in a kernel worker, so the header's task is not the culprit.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use probe_common::{Hook, MachineCheck, mce};

use crate::{
    event::{Outcome, ProbeError, account, describe, header, send},
    offset::{ABSENT, Offset, read},
};

/// An offset for each field, and the function that reads them all.
macro_rules! record {
    ($($offset:ident $field:ident $bit:ident,)*) => {
        $(#[unsafe(no_mangle)] static $offset: Offset = Offset::new(ABSENT);)*

        #[inline(always)]
        fn read_record(ctx: &TracePointContext) -> Result<MachineCheck, ProbeError> {
            let mut record = MachineCheck { header: header(Hook::MceRecord), ..MachineCheck::default() };
            $(if let Some(value) = read(ctx, &$offset)? {
                record.$field = value;
                record.available |= mce::$bit;
            })*
            Ok(record)
        }
    };
}

record! {
    MCE_OFF_MCGCAP mcgcap MCGCAP,
    MCE_OFF_MCGSTATUS mcgstatus MCGSTATUS,
    MCE_OFF_STATUS status STATUS,
    MCE_OFF_ADDR addr ADDR,
    MCE_OFF_MISC misc MISC,
    MCE_OFF_SYND synd SYND,
    MCE_OFF_IPID ipid IPID,
    MCE_OFF_IP ip IP,
    MCE_OFF_TSC tsc TSC,
    MCE_OFF_WALLTIME walltime WALLTIME,
    MCE_OFF_PPIN ppin PPIN,
    MCE_OFF_CPU cpu CPU,
    MCE_OFF_CPUID cpuid CPUID,
    MCE_OFF_APICID apicid APICID,
    MCE_OFF_SOCKETID socketid SOCKETID,
    MCE_OFF_MICROCODE microcode MICROCODE,
    MCE_OFF_CS cs CS,
    MCE_OFF_BANK bank BANK,
    MCE_OFF_CPUVENDOR cpuvendor CPUVENDOR,
}

#[tracepoint]
fn mce_record_tp(ctx: TracePointContext) -> u32 {
    account(Hook::MceRecord, try_record(&ctx))
}

#[inline(always)]
fn try_record(ctx: &TracePointContext) -> Result<Outcome, ProbeError> {
    let record = read_record(ctx)?;
    describe!(
        ctx,
        "mce_record: bank {}, status {:x}, fields {:x}",
        record.bank,
        record.status,
        record.available
    );
    send(record)
}
