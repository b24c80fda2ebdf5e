//! Attaching hooks that have programs of their own.

use aya::{
    Btf, Ebpf, Endianness,
    programs::{BtfTracePoint, FEntry, KProbe, Program, ProgramError, RawTracePoint, TracePoint},
    util::KernelVersion,
};

use super::{Attached, Link, Options, no_btf};
use crate::{
    catalogue::{Attempt, Since, Target},
    offsets::Offsets,
    reason::{explain, no_kprobes, summary},
    tracefs::with_tracefs,
};

/// Whether the kernel is certainly older.
pub(super) fn is_older(version: Option<KernelVersion>, since: Since) -> bool {
    version.is_some_and(|version| version < KernelVersion::new(since.major, since.minor, 0))
}

/// What is found out about this kernel at most once.
pub(super) struct Kernel {
    pub(super) version: Option<KernelVersion>,
    pub(super) offsets: Offsets,
    /// The kernel's type information, or why there is none.
    pub(super) types: Result<Vec<u8>, String>,
    /// The same, for the loader.
    pub(super) btf: Option<Result<Btf, String>>,
}

impl Kernel {
    fn btf(&mut self) -> Result<&Btf, String> {
        let types = &self.types;
        let parsed = self.btf.get_or_insert_with(|| match types {
            Ok(bytes) => Btf::parse(bytes, Endianness::default()).map_err(|error| no_btf(&error)),
            Err(reason) => Err(reason.clone()),
        });
        parsed.as_ref().map_err(Clone::clone)
    }
}

/// A hook with programs of its own.
pub(super) struct Own<'a> {
    pub(super) name: &'a str,
    pub(super) number: u16,
    pub(super) attempts: &'a [Attempt],
    pub(super) since: Option<Since>,
}

pub(super) fn attach_hook(
    ebpf: &mut Ebpf,
    kernel: &mut Kernel,
    hook: &Own<'_>,
    options: &Options,
) -> Attached {
    let mut attached = Attached::new(hook.name, hook.number);
    if options.disable.iter().any(|name| name == hook.name) {
        "disabled in the configuration".clone_into(&mut attached.reason);
        return attached;
    }
    if let Some(since) = hook.since.filter(|since| is_older(kernel.version, *since)) {
        attached.reason = format!("before Linux {}.{} {}", since.major, since.minor, since.before);
        return attached;
    }
    let mut failed = Vec::new();
    for attempt in hook.attempts {
        let attach = attempt.target.attach();
        match try_attach(ebpf, kernel, attempt) {
            Ok((link, program)) => {
                tracing::debug!(hook = hook.name, %attach, "attached");
                attached.attach = Some(attach);
                attached.link = Some(link);
                attached.program = program;
                break;
            }
            Err(reason) => failed.push((format!("{attach} {}", attempt.target.name()), reason)),
        }
    }
    attached.reason = summary(&failed);
    attached
}

/// Loads a program and attaches it; a program that loads but cannot be attached is unloaded, so that it can be tried
/// with another target.
macro_rules! load_and_attach {
    ($ebpf:ident, $attempt:ident, $kind:ty, $program:ident, $load:expr, $attach:expr) => {{
        let $program: &mut $kind = program($ebpf, $attempt.program)?;
        let loaded = $load;
        let attached = loaded.and_then(|()| $attach).and_then(|id| $program.take_link(id));
        match attached {
            Ok(link) => {
                let id = $program.info().ok().map(|info| info.id());
                Ok((Box::new(link) as Link, id))
            }
            Err(error) => {
                if let Err(error) = $program.unload() {
                    tracing::debug!(program = $attempt.program, %error, "not unloaded");
                }
                Err(explain($attempt.target, &error))
            }
        }
    }};
}

/// The link, and the kernel's number of the program.
fn try_attach(
    ebpf: &mut Ebpf,
    kernel: &mut Kernel,
    attempt: &Attempt,
) -> Result<(Link, Option<u32>), String> {
    if let Some(reason) = kernel.offsets.unusable(attempt.target) {
        return Err(reason.to_owned());
    }
    match attempt.target {
        Target::TpBtf(tracepoint) => {
            let btf = kernel.btf()?;
            load_and_attach!(
                ebpf,
                attempt,
                BtfTracePoint,
                program,
                program.load(tracepoint.name, btf),
                program.attach()
            )
        }
        Target::RawTp(name) => {
            load_and_attach!(
                ebpf,
                attempt,
                RawTracePoint,
                program,
                program.load(),
                program.attach(name)
            )
        }
        Target::Tracepoint(tracepoint) => {
            load_and_attach!(
                ebpf,
                attempt,
                TracePoint,
                program,
                program.load(),
                with_tracefs(|_mounted| program.attach(tracepoint.category, tracepoint.name))
            )
        }
        Target::Fentry(name) => {
            let btf = kernel.btf()?;
            load_and_attach!(
                ebpf,
                attempt,
                FEntry,
                program,
                program.load(name, btf),
                program.attach()
            )
        }
        Target::Kprobe(name) => {
            if let Some(reason) = no_kprobes() {
                return Err(reason);
            }
            load_and_attach!(
                ebpf,
                attempt,
                KProbe,
                program,
                program.load(),
                program.attach(name, 0)
            )
        }
    }
}

pub(crate) fn program<'a, P>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut P, String>
where
    &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
{
    let program = ebpf
        .program_mut(name)
        .ok_or_else(|| format!("the eBPF object has no program {name}"))?;
    program
        .try_into()
        .map_err(|error: ProgramError| format!("the program {name}: {error}"))
}
