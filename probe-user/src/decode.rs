//! Ring-buffer bytes to events.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use faults::mce::MachineCheck;
use probe_common::{Fault, Header, Hook, RecordEvent, Stack, oom, oom_cause};
use serde::{Deserialize, Serialize};

use crate::{
    event::{Attach, Context, Event, OomCause, OomConstraint, OomVictim},
    format::Format,
    user_probe::UserProbe,
    watch::Watch,
};

mod program;

/// The most CPUs whose last piece of text is remembered; `NR_CPUS` is at most 8192 on the architectures Linux runs on.
const MAX_CPUS: usize = 8192;

/// Decodes events, and knows of the text before which piece continues it.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// What is attached, by number.
    origins: BTreeMap<u16, Known>,
    probes: Vec<Arc<UserProbe>>,
    /// By CPU.
    last_text: HashMap<u32, Piece>,
}

/// Where events of one number come from. It goes from the process that attaches to the one that decodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The hook's name.
    pub hook: Arc<str>,
    /// How it is attached.
    pub attach: Attach,
    /// What the generic program sends for it.
    pub record: Option<RecordOrigin>,
}

/// What the generic program is attached to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordOrigin {
    /// `category:name`
    pub tracepoint: Arc<str>,
    /// How its record is laid out on this kernel.
    pub format: Format,
}

/// An origin, and what its records mean.
#[derive(Debug)]
struct Known {
    origin: Origin,
    watch: Option<Watch>,
}

/// Where a piece of text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    pid: u32,
    end: u64,
}

impl Decoder {
    /// A decoder for what is attached, and the configuration's probes among it.
    pub(crate) fn new(origins: BTreeMap<u16, Origin>, probes: &[UserProbe]) -> Self {
        let mut decoder = Self {
            probes: probes.iter().cloned().map(Arc::new).collect(),
            ..Self::default()
        };
        decoder.set_origins(origins);
        decoder
    }

    /// More, or other things are attached now.
    pub(crate) fn set_origins(&mut self, origins: BTreeMap<u16, Origin>) {
        let known = origins.into_iter().map(|(number, origin)| {
            let is_it = |probe: &&Arc<UserProbe>| *probe.hook == *origin.hook;
            let probe = self
                .probes
                .iter()
                .find(is_it)
                .map(|probe| Watch::Probe(Arc::clone(probe)));
            let watch = probe.or_else(|| Watch::row(&origin.hook));
            (number, Known { origin, watch })
        });
        self.origins = known.collect();
    }

    /// Decodes one entry; bytes that are no event become one of their own. `None`: a record that is not meant.
    pub(crate) fn decode(&mut self, bytes: &[u8]) -> Option<Event> {
        self.try_decode(bytes).unwrap_or_else(|reason| {
            Some(Event::Undecodable {
                bytes: bytes.to_vec(),
                reason,
            })
        })
    }

    fn try_decode(&mut self, bytes: &[u8]) -> Result<Option<Event>, String> {
        let event = match probe_common::decode(bytes).map_err(|error| error.to_string())? {
            probe_common::Event::Text(text, captured) => Event::KernelText {
                context: self.context(&text.header)?,
                text: captured.to_vec(),
                continues: self.continues(&text),
            },
            probe_common::Event::Fault(fault, stack) => self.fault(&fault, stack)?,
            probe_common::Event::OomCause(cause, stack) => Event::OomCause {
                context: self.with_stack(&cause.header, stack)?,
                cause: oom_cause(&cause),
            },
            probe_common::Event::MachineCheck(record) => Event::MachineCheck {
                context: self.context(&record.header)?,
                machine_check: machine_check(&record),
            },
            probe_common::Event::OomVictim(record) => Event::OomVictim {
                context: self.context(&record.header)?,
                victim: oom_victim(&record),
            },
            probe_common::Event::Record(event) => return self.record(&event),
            probe_common::Event::Signal(signal, program) => Event::FatalSignal {
                context: self.context(&signal.header)?,
                signal: u32::try_from(signal.signal)
                    .map_err(|_negative| format!("{} is no signal", signal.signal))?,
                code: signal.code,
                errno: signal.errno,
                address: program::address(&signal),
                frames: program::frames(program),
                executable: program::executable(&signal, program),
            },
        };
        Ok(Some(event))
    }

    fn record(&self, event: &RecordEvent<'_>) -> Result<Option<Event>, String> {
        let mut context = self.context(&event.record.header)?;
        context.stack = event.stack.chunks_exact(8).filter_map(address).collect();
        let known = self.origins.get(&event.record.header.hook);
        let Some((record, watch)) =
            known.and_then(|known| Some((known.origin.record.as_ref()?, known.watch.as_ref()?)))
        else {
            return Err(format!("nobody knows what records of {} mean", context.hook));
        };
        let fields = record.format.decode(event.bytes, event.strings);
        let told = watch.tell(fields);
        Ok(told.map(|(told, fields)| Event::Record {
            context,
            tracepoint: Arc::clone(&record.tracepoint),
            fields,
            told,
        }))
    }

    fn context(&self, header: &Header) -> Result<Context, String> {
        let origin = self.origins.get(&header.hook).map(|known| &known.origin);
        let origin = origin.ok_or_else(|| format!("hook {} is not attached", header.hook))?;
        Ok(Context {
            hook: Arc::clone(&origin.hook),
            attach: origin.attach,
            cpu: header.cpu,
            pid: header.pid,
            tgid: header.tgid,
            comm: text_of(&header.comm),
            cgroup_id: header.cgroup_id,
            since_boot_ns: header.since_boot_ns,
            sequence: header.sequence,
            stack: Vec::new(),
        })
    }

    fn with_stack(&self, header: &Header, stack: Stack<'_>) -> Result<Context, String> {
        let mut context = self.context(header)?;
        context.stack = stack.frames().collect();
        Ok(context)
    }

    fn fault(&self, fault: &Fault, stack: Stack<'_>) -> Result<Event, String> {
        let context = self.with_stack(&fault.header, stack)?;
        match Hook::from_raw(fault.header.hook) {
            Some(Hook::OopsEnter) => Ok(Event::OopsEnter { context }),
            Some(Hook::Panic) => Ok(Event::Panic { context }),
            Some(Hook::Warning) => Ok(Event::Warning { context }),
            Some(Hook::SoftLockup) => Ok(Event::SoftLockup { context }),
            Some(Hook::AllocFailure) => Ok(Event::AllocFailure {
                context,
                gfp_mask: fault.detail,
            }),
            _ => Err(format!("hook {} tells no fault of the kernel", fault.header.hook)),
        }
    }

    /// A piece continues the one before it of the same CPU and task when the kernel keeps it right behind that one:
    /// `pr_cont` appends to the record in the log buffer, while a new record starts behind a header of its own. An empty
    /// piece, which a lone newline is, ends the line; where it lies says nothing of what comes next.
    fn continues(&mut self, text: &probe_common::Text) -> bool {
        let (cpu, pid) = (text.header.cpu, text.header.pid);
        let before = self.last_text.remove(&cpu);
        if text.address == 0 {
            return false;
        }
        if text.length != 0 && self.last_text.len() < MAX_CPUS {
            let end = text.address.wrapping_add(u64::from(text.length));
            self.last_text.insert(cpu, Piece { pid, end });
        }
        before
            == Some(Piece {
                pid,
                end: text.address,
            })
    }
}

fn address(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_ne_bytes)
}

/// A NUL-terminated name.
pub(crate) fn text_of(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

fn machine_check(record: &probe_common::MachineCheck) -> MachineCheck {
    MachineCheck {
        status: record.status,
        addr: record.addr,
        misc: record.misc,
        synd: record.synd,
        ipid: record.ipid,
        mcg_status: record.mcgstatus,
        mcg_cap: record.mcgcap,
        ip: record.ip,
        tsc: record.tsc,
        time: record.walltime,
        cpu: record.cpu,
        cpuid: record.cpuid,
        apic_id: record.apicid,
        socket_id: record.socketid,
        bank: record.bank,
        vendor: record.cpuvendor,
        ppin: record.ppin,
        microcode: record.microcode,
        ..MachineCheck::default()
    }
}

fn oom_victim(record: &probe_common::OomVictim) -> OomVictim {
    let has = |bit| record.available & bit != 0;
    OomVictim {
        pid: record.pid,
        comm: has(oom::COMM).then(|| text_of(&record.comm)),
        total_vm_kib: has(oom::TOTAL_VM).then_some(record.total_vm),
        anon_rss_kib: has(oom::ANON_RSS).then_some(record.anon_rss),
        file_rss_kib: has(oom::FILE_RSS).then_some(record.file_rss),
        shmem_rss_kib: has(oom::SHMEM_RSS).then_some(record.shmem_rss),
        pgtables_kib: has(oom::PGTABLES).then_some(record.pgtables),
        uid: has(oom::UID).then_some(record.uid),
        oom_score_adj: has(oom::OOM_SCORE_ADJ).then_some(record.oom_score_adj),
    }
}

fn oom_cause(record: &probe_common::OomCause) -> OomCause {
    let has = |bit| record.available & bit != 0;
    OomCause {
        victim: has(oom_cause::VICTIM).then_some(record.victim),
        constraint: has(oom_cause::CONSTRAINT)
            .then(|| constraint(record.constraint))
            .flatten(),
        limit_cgroup: has(oom_cause::LIMIT_CGROUP).then_some(record.limit_cgroup),
        victim_cgroup: has(oom_cause::VICTIM_CGROUP).then_some(record.victim_cgroup),
        order: has(oom_cause::ORDER).then_some(record.order.cast_signed()),
        gfp_mask: has(oom_cause::GFP_MASK).then_some(record.gfp_mask),
        total_pages: has(oom_cause::TOTAL_PAGES).then_some(record.total_pages),
        points: has(oom_cause::POINTS).then_some(record.points.cast_signed()),
    }
}

fn constraint(raw: u32) -> Option<OomConstraint> {
    match raw {
        0 => Some(OomConstraint::None),
        1 => Some(OomConstraint::Cpuset),
        2 => Some(OomConstraint::MemoryPolicy),
        3 => Some(OomConstraint::Cgroup),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
