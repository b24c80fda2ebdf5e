//! The programs of hindsight, and how their memory is divided.

use aya::{Ebpf, EbpfLoader, programs::RawTracePoint};
use probe_common::Sign;

use super::Wanted;
use crate::{
    attach::{Attached, Link, program},
    event::Attach,
    reason::explain_load,
};

/// What its rows are called: this and the tracepoint.
const PREFIX: &str = "hindsight.";
/// The map of the signs.
pub(crate) const MAP_SIGNS: &str = "SIGNS";
/// The map of the tasks that wait.
const MAP_STARTED: &str = "STARTED";
/// The programs' globals: see [`Layout`].
const MASK: &str = "SIGN_MASK";
const STALL: &str = "SIGN_STALL_NS";

/// Programs, and the raw tracepoints that they are attached to: `include/trace/events/vmscan.h`, `compaction.h` and `irq.h`
/// of Linux 5.10 to 7.2.
const PROGRAMS: [(&str, &str); 7] = [
    ("reclaim_begin", "mm_vmscan_direct_reclaim_begin"),
    ("reclaim_end", "mm_vmscan_direct_reclaim_end"),
    ("cgroup_reclaim_begin", "mm_vmscan_memcg_reclaim_begin"),
    ("cgroup_reclaim_end", "mm_vmscan_memcg_reclaim_end"),
    ("compaction_begin", "mm_compaction_begin"),
    ("compaction_end", "mm_compaction_end"),
    ("irq_entry", "irq_handler_entry"),
];

/// What is told to the object when it is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The places of a CPU, a power of two, less 1.
    mask: u32,
    /// The places of all CPUs.
    signs: u32,
    /// See [`Wanted::stall_ns`].
    stall_ns: u64,
}

impl Layout {
    /// What fits, for so many possible CPUs; at least one sign for each.
    pub(crate) fn of(wanted: &Wanted, cpus: u32) -> Self {
        let cpus = cpus.max(1);
        let fit = wanted.bytes / SIGN_BYTES / cpus;
        let per_cpu = if fit == 0 { 1 } else { 1 << fit.ilog2() };
        Self {
            mask: per_cpu - 1,
            signs: per_cpu.saturating_mul(cpus),
            stall_ns: wanted.stall_ns,
        }
    }

    /// Tells it to the object. Without it its maps have one place.
    pub(crate) fn apply<'a>(&'a self, loader: &mut EbpfLoader<'a>) {
        loader
            .map_max_entries(MAP_SIGNS, self.signs)
            .map_max_entries(MAP_STARTED, TASKS)
            .override_global(MASK, &self.mask, true)
            .override_global(STALL, &self.stall_ns, true);
    }
}

/// Tasks that wait at the same time, on a machine in distress; of more, those are forgotten that began first.
const TASKS: u32 = 1024;
const SIGN_BYTES: u32 = 48;
const _: () = assert!(SIGN_BYTES as usize == Sign::SIZE);

/// Attaches what this kernel allows: a row a program, which holds it.
pub(crate) fn attach(ebpf: &mut Ebpf) -> Vec<Attached> {
    let rows = PROGRAMS.into_iter().map(|(name, tracepoint)| {
        let mut attached = Attached::new(&format!("{PREFIX}{tracepoint}"), u16::MAX);
        match attach_one(ebpf, name, tracepoint) {
            Ok((link, id)) => {
                attached.attach = Some(Attach::RawTp);
                attached.link = Some(link);
                attached.program = id;
            }
            Err(reason) => attached.reason = format!("{} {tracepoint}: {reason}", Attach::RawTp),
        }
        attached
    });
    rows.collect()
}

fn attach_one(ebpf: &mut Ebpf, name: &str, tracepoint: &str) -> Result<(Link, Option<u32>), String> {
    let program: &mut RawTracePoint = program(ebpf, name)?;
    let link = program
        .load()
        .and_then(|()| program.attach(tracepoint))
        .and_then(|id| program.take_link(id))
        .map_err(|error| explain_load(&error))?;
    Ok((Box::new(link), program.info().ok().map(|info| info.id())))
}

/// What the object has to have.
#[cfg(test)]
pub(crate) fn symbols() -> impl Iterator<Item = &'static str> {
    let programs = PROGRAMS.iter().map(|(program, _)| *program);
    [MAP_SIGNS, MAP_STARTED, MASK, STALL].into_iter().chain(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(bytes: u32, cpus: u32) -> (u32, u32) {
        let layout = Layout::of(
            &Wanted {
                bytes,
                ..Wanted::default()
            },
            cpus,
        );
        (layout.mask + 1, layout.signs)
    }

    #[test]
    fn memory_is_divided_among_the_cpus() {
        assert_eq!(layout(256 * 1024, 2), (2048, 4096));
        assert_eq!(layout(256 * 1024, 3), (1024, 3072));
        assert_eq!(layout(16 * 1024, 8192), (1, 8192));
        assert_eq!(layout(0, 0), (1, 1));
    }
}
