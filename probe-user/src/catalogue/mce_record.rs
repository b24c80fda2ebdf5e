//! A machine check was logged (x86). `include/trace/events/mce.h`; `ppin` and `microcode` since 6.10.

use super::{
    Attempt, Class, Hook, HookSpec, Privacy, Severity, Shape, Source, Storm, Target, Tracepoint, optional,
    required,
};

pub(super) const HOOK: HookSpec = HookSpec {
    name: "mce_record",
    sees: "machine checks (x86)",
    without: "the text `[Hardware Error]` is left",
    class: Class::HardwareMachineCheck,
    severity: Severity::High,
    storm: Storm::Configured,
    privacy: Privacy::Machine,
    source: Source::Own {
        hook: Hook::MceRecord,
        attempts: &[Attempt {
            program: "mce_record_tp",
            target: Target::Tracepoint(&RECORD),
        }],
        members: &[],
        since: None,
    },
};

const RECORD: Tracepoint = Tracepoint {
    category: "mce",
    name: "mce_record",
    fields: &[
        optional("mcgcap", "MCE_OFF_MCGCAP", Shape::Integer(8)),
        optional("mcgstatus", "MCE_OFF_MCGSTATUS", Shape::Integer(8)),
        required("status", "MCE_OFF_STATUS", Shape::Integer(8)),
        optional("addr", "MCE_OFF_ADDR", Shape::Integer(8)),
        optional("misc", "MCE_OFF_MISC", Shape::Integer(8)),
        optional("synd", "MCE_OFF_SYND", Shape::Integer(8)),
        optional("ipid", "MCE_OFF_IPID", Shape::Integer(8)),
        optional("ip", "MCE_OFF_IP", Shape::Integer(8)),
        optional("tsc", "MCE_OFF_TSC", Shape::Integer(8)),
        optional("walltime", "MCE_OFF_WALLTIME", Shape::Integer(8)),
        optional("ppin", "MCE_OFF_PPIN", Shape::Integer(8)),
        optional("cpu", "MCE_OFF_CPU", Shape::Integer(4)),
        optional("cpuid", "MCE_OFF_CPUID", Shape::Integer(4)),
        optional("apicid", "MCE_OFF_APICID", Shape::Integer(4)),
        optional("socketid", "MCE_OFF_SOCKETID", Shape::Integer(4)),
        optional("microcode", "MCE_OFF_MICROCODE", Shape::Integer(4)),
        optional("cs", "MCE_OFF_CS", Shape::Integer(1)),
        required("bank", "MCE_OFF_BANK", Shape::Integer(1)),
        optional("cpuvendor", "MCE_OFF_CPUVENDOR", Shape::Integer(1)),
    ],
};
