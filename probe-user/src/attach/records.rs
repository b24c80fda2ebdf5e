//! Attaching the generic program, at once or when a module brings the tracepoint.

use std::{
    fs,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    path::Path,
    sync::Arc,
};

use aya::{
    Ebpf,
    maps::{Array, MapData},
    programs::TracePoint,
};
use probe_common::{FIRST_SLOT, SLOTS, SlotConfig, TAKE_STACK};

use super::{AttachError, Attached, Options, own::program, perf, slot, take};
use crate::{
    catalogue::HOOKS,
    decode::RecordOrigin,
    event::Attach,
    format::Format,
    reason::{errno, explain_load, summary},
    tracefs::{Tracefs, TracefsError, with_tracefs},
    watch::{Candidate, Module, Watch},
};

/// The map that tells each slot what to do.
pub(super) const MAP_SLOTS: &str = "SLOTS";
/// A folder for each module that is loaded; its link count changes with their number.
const MODULES: &str = "/sys/module";

/// The slots of the generic program.
pub(crate) struct Slots {
    /// Each a [`SlotConfig`] in bytes.
    configs: Array<MapData, [u8; SlotConfig::SIZE]>,
    /// [`MODULES`]' link count when tracepoints were last looked for.
    modules: Option<u64>,
}

/// What becomes of a watch here and now.
enum Found {
    /// This tracepoint is there and has what it takes.
    Tracepoint(Box<Chosen>),
    /// It may come with a module.
    Later(String),
    /// It cannot be watched, and why.
    Not(String),
}

/// A tracepoint, and what its slot is told.
struct Chosen {
    id: u64,
    tracepoint: Arc<str>,
    format: Format,
    config: SlotConfig,
    /// What was tried before it.
    failed: String,
}

/// What is to be watched and what this kernel has for it, looked up before the object is loaded: its programs are told
/// where fields are.
pub(super) struct Plan(Vec<Planned>);

enum Planned {
    /// Not to be attached, and why.
    Refused(Attached),
    /// To be attached with the copy of the program for this slot.
    Slot(usize, Watch, Found),
}

impl Plan {
    /// The hooks of the catalogue that need no program of their own, then the probes of the configuration.
    pub(super) fn of(options: &Options) -> Self {
        let rows = HOOKS.iter().filter_map(|spec| Watch::row(spec.name));
        let probes = options
            .probes
            .iter()
            .map(|probe| Watch::Probe(Arc::new(probe.clone())));
        let watches: Vec<Watch> = rows.chain(probes).collect();
        with_tracefs(|tracefs| {
            let mut free = 0..SLOTS;
            let plan = watches.into_iter().map(|watch| {
                let refused = |reason: String| {
                    Planned::Refused(Attached {
                        reason,
                        ..Attached::new(watch.name(), u16::MAX)
                    })
                };
                if options.disable.iter().any(|name| name == watch.name()) {
                    return refused("disabled in the configuration".to_owned());
                }
                match (find(&watch, &tracefs), free.next()) {
                    (Found::Not(reason), _) => refused(reason),
                    (found, Some(slot)) => Planned::Slot(slot, watch, found),
                    (_, None) => refused(format!(
                        "all {SLOTS} slots are taken: name hooks that may go in probes.disable"
                    )),
                }
            });
            Self(plan.collect())
        })
    }

    /// The value of [`probe_common::DIRECT_WORDS`].
    pub(super) fn direct_words(&self) -> [u64; SLOTS] {
        let mut words = [0; SLOTS];
        for planned in &self.0 {
            if let Planned::Slot(slot, _, Found::Tracepoint(chosen)) = planned
                && let Some(words) = words.get_mut(*slot)
            {
                *words = slot::direct_words(&chosen.config);
            }
        }
        words
    }
}

impl Slots {
    /// Attaches what is planned, in its order.
    pub(super) fn attach(ebpf: &mut Ebpf, plan: Plan) -> Result<(Self, Vec<Attached>), AttachError> {
        let mut slots = Self {
            configs: take(ebpf, MAP_SLOTS)?,
            modules: modules(),
        };
        let attached = plan.0.into_iter().map(|planned| match planned {
            Planned::Refused(attached) => attached,
            Planned::Slot(slot, watch, found) => slots.attach_one(ebpf, slot, watch, found),
        });
        let attached = attached.collect();
        Ok((slots, attached))
    }

    fn attach_one(&mut self, ebpf: &mut Ebpf, slot: usize, watch: Watch, found: Found) -> Attached {
        let number = u16::try_from(slot).map_or(u16::MAX, |slot| FIRST_SLOT.saturating_add(slot));
        let mut attached = Attached::new(watch.name(), number);
        match load(ebpf, slot) {
            Ok((id, program)) => {
                attached.program = Some(id);
                attached.held = Some(program);
                attached.waits = Some(watch);
                self.settle(&mut attached, found);
            }
            Err(reason) => attached.reason = reason,
        }
        attached
    }

    /// Attaches what waits and is there now. Looks only when the number of modules has changed.
    pub(crate) fn attach_missing(&mut self, hooks: &mut [Attached]) -> bool {
        let modules = modules();
        if modules == self.modules || hooks.iter().all(|hook| hook.waits.is_none()) {
            return false;
        }
        self.modules = modules;
        with_tracefs(|tracefs| {
            let mut came = false;
            for hook in hooks.iter_mut() {
                if let Some(watch) = &hook.waits {
                    let found = find(watch, &tracefs);
                    self.settle(hook, found);
                    came |= hook.attach.is_some();
                }
            }
            came
        })
    }

    /// Attaches a program that is loaded, or leaves it waiting.
    fn settle(&mut self, hook: &mut Attached, found: Found) {
        let chosen = match found {
            Found::Tracepoint(chosen) => chosen,
            Found::Later(reason) => {
                hook.reason = reason;
                return;
            }
            Found::Not(reason) => return hook.give_up(reason),
        };
        match self.attach_to(hook, &chosen) {
            Ok(event) => {
                tracing::debug!(hook = &*hook.name, tracepoint = &*chosen.tracepoint, "attached");
                hook.attach = Some(Attach::Tracepoint);
                hook.reason = chosen.failed;
                hook.record = Some(RecordOrigin {
                    tracepoint: chosen.tracepoint,
                    format: chosen.format,
                });
                hook.link = Some(Box::new(event));
                hook.waits = None;
                hook.held = None;
            }
            Err(reason) => {
                let failed = summary(&[(format!("{} {}", Attach::Tracepoint, chosen.tracepoint), reason)]);
                hook.give_up(failed);
            }
        }
    }

    fn attach_to(&mut self, hook: &Attached, chosen: &Chosen) -> Result<OwnedFd, String> {
        let slot = u32::from(hook.number - FIRST_SLOT);
        self.configs
            .set(slot, chosen.config.encode(), 0)
            .map_err(|error| format!("the slot cannot be set: {error}"))?;
        let program = hook.held.as_ref().ok_or("its program is gone")?;
        perf::attach(program.as_fd(), chosen.id).map_err(|error| errno(&error))
    }
}

impl Attached {
    fn give_up(&mut self, reason: String) {
        self.reason = reason;
        self.waits = None;
        self.program = None;
        self.held = None;
    }
}

/// The best tracepoint that this kernel has.
fn find(watch: &Watch, tracefs: &Result<Tracefs, TracefsError>) -> Found {
    let tracefs = match tracefs {
        Ok(tracefs) => tracefs,
        Err(error) => return Found::Not(error.to_string()),
    };
    let mut failed = Vec::new();
    let mut later = None;
    for candidate in watch.candidates() {
        let tracepoint = format!("{}:{}", candidate.category, candidate.event);
        match look(tracefs, watch, &candidate) {
            Ok((id, format, config)) => {
                return Found::Tracepoint(Box::new(Chosen {
                    id,
                    tracepoint: tracepoint.into(),
                    format,
                    config,
                    failed: summary(&failed),
                }));
            }
            Err(Missing::Tracepoint) => {
                later = later.or(match candidate.module {
                    Module::Never => None,
                    Module::Named(module) if is_loaded(module) => None,
                    Module::Named(module) => Some(format!("waits for the module {module}")),
                    Module::Any => Some(format!("waits for a module that brings {tracepoint}")),
                });
                let reason = TracefsError::NoTracepoint.to_string();
                failed.push((format!("{} {tracepoint}", Attach::Tracepoint), reason));
            }
            Err(Missing::Else(reason)) => {
                failed.push((format!("{} {tracepoint}", Attach::Tracepoint), reason));
            }
        }
    }
    match later {
        Some(reason) => Found::Later(reason),
        None => Found::Not(summary(&failed)),
    }
}

/// What a tracepoint lacks.
enum Missing {
    Tracepoint,
    Else(String),
}

fn look(
    tracefs: &Tracefs,
    watch: &Watch,
    candidate: &Candidate<'_>,
) -> Result<(u64, Format, SlotConfig), Missing> {
    let missing = |error: TracefsError| match error {
        TracefsError::NoTracepoint => Missing::Tracepoint,
        error => Missing::Else(error.to_string()),
    };
    let format = tracefs
        .format(candidate.category, candidate.event)
        .map_err(missing)?;
    let config = slot::config(candidate, &format)
        .map(|config| SlotConfig {
            flags: if watch.takes_stack() { TAKE_STACK } else { 0 },
            limit: watch.limit(),
            ..config
        })
        .map_err(Missing::Else)?;
    let id = tracefs.id(candidate.category, candidate.event).map_err(missing)?;
    Ok((id, format, config))
}

/// Loads the copy of the generic program for a slot; its number in the kernel, and what holds it.
fn load(ebpf: &mut Ebpf, slot: usize) -> Result<(u32, OwnedFd), String> {
    let program: &mut TracePoint = program(ebpf, &format!("record_{slot}"))?;
    program.load().map_err(|error| explain_load(&error))?;
    let id = program.info().map_err(|error| explain_load(&error))?.id();
    let descriptor = program.fd().map_err(|error| explain_load(&error))?;
    let held = descriptor.as_fd().try_clone_to_owned();
    held.map(|held| (id, held)).map_err(|error| errno(&error))
}

/// Whether a module is there, or built in.
fn is_loaded(module: &str) -> bool {
    Path::new(MODULES).join(module).exists()
}

fn modules() -> Option<u64> {
    fs::metadata(MODULES).ok().map(|folder| folder.nlink())
}
