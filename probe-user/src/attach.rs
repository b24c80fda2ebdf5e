//! Loading the object and attaching its programs.

use std::{any::Any, borrow::Cow, fs, io, os::fd::OwnedFd, path::PathBuf, sync::Arc};

use aya::{
    Ebpf, EbpfError, EbpfLoader,
    maps::{Map, MapData, PerCpuArray},
    util::{KernelVersion, nr_cpus},
};
use aya_log::EbpfLogger;
use log::Log;
use probe_common::{ABI_SYMBOL, ABI_VERSION, Counters, DIRECT_WORDS};
use rustix::process::{Resource, Rlimit};

use crate::{
    btf,
    catalogue::{HOOKS, Source},
    decode::RecordOrigin,
    event::Attach,
    hindsight,
    offsets::Offsets,
    reason::{chain, missing_capabilities},
    tracefs::with_tracefs,
    user_probe::UserProbe,
    watch::Watch,
};

mod own;
mod perf;
mod records;
mod slot;

pub(crate) use own::program;
use own::{Kernel, Own, attach_hook};
use records::Plan;
pub(crate) use records::Slots;

/// The object that `cargo xtask build-ebpf` made, or nothing; see `build.rs`.
static EMBEDDED: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/probes.bpf.o"));

/// The kernel's own type information.
const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";
const MAP_EVENTS: &str = "EVENTS";
const MAP_COUNTERS: &str = "COUNTERS";
const MAP_LOGS: &str = "AYA_LOGS";

/// How to attach.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The object file; `None` is the one built into this binary.
    pub object: Option<PathBuf>,
    /// Size of the ring buffer in bytes, a power of two and a multiple of the page size; 0 keeps the object's own size.
    pub ring_bytes: u32,
    /// Hooks (names of [`crate::hook`], or [`UserProbe::hook`]) to leave alone.
    pub disable: Vec<String>,
    /// Probes of the configuration.
    pub probes: Vec<UserProbe>,
    /// Whether, and how much of, what comes before faults is kept.
    pub hindsight: Option<hindsight::Wanted>,
}

/// Why no program could be loaded at all. A single hook that fails is not an error but a [`crate::HookState`].
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// This binary was built without the object and none was given.
    #[error("this build holds no eBPF object: run `cargo xtask build-ebpf` and build again")]
    NoObject,
    /// The object file cannot be read.
    #[error("read the eBPF object {}", path.display())]
    ReadObject {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The ring buffer cannot have this size.
    #[error(
        "a ring buffer of {bytes} bytes is not possible: it takes a power of two and a multiple of {page}"
    )]
    RingBytes {
        /// The size asked for.
        bytes: u32,
        /// The page size.
        page: usize,
    },
    /// The process may not load programs.
    #[error("no permission to load eBPF programs: {0}")]
    NotPermitted(&'static str),
    /// The object and this binary do not know each other.
    #[error(
        "the eBPF object is not of version {ABI_VERSION} ({0}): build it from the same sources as this program"
    )]
    OtherVersion(Box<EbpfError>),
    /// The object is damaged, or the kernel refuses its maps; ring buffers need Linux 5.8.
    #[error("load the eBPF object")]
    Load(#[source] Box<EbpfError>),
    /// The object has no map of this name and kind.
    #[error("the eBPF object has no usable map {0}")]
    Map(&'static str),
}

/// Keeps a program attached until it is dropped.
pub(crate) type Link = Box<dyn Any + Send + Sync>;

/// What became of one hook.
pub(crate) struct Attached {
    pub(crate) name: Arc<str>,
    /// Its number in events, and the index of its counters, where it is attached.
    pub(crate) number: u16,
    pub(crate) attach: Option<Attach>,
    /// See [`crate::HookState::reason`].
    pub(crate) reason: String,
    /// Keeps the program attached.
    pub(crate) link: Option<Link>,
    /// The kernel's number of its program.
    pub(crate) program: Option<u32>,
    /// A program that is loaded and waits for its tracepoint.
    pub(crate) held: Option<OwnedFd>,
    /// What the generic program sends for it.
    pub(crate) record: Option<RecordOrigin>,
    /// What it will watch when a module brings it.
    pub(crate) waits: Option<Watch>,
}

impl Attached {
    /// A hook that is not attached.
    pub(crate) fn new(name: &str, number: u16) -> Self {
        Self {
            name: name.into(),
            number,
            attach: None,
            reason: String::new(),
            link: None,
            program: None,
            held: None,
            record: None,
            waits: None,
        }
    }
}

/// What is kept of the object: its other parts are freed, they would be most of an idle agent's memory.
pub(crate) struct Loaded {
    pub(crate) hooks: Vec<Attached>,
    pub(crate) slots: Slots,
    /// The programs of hindsight, and their map.
    pub(crate) signs: Option<Signs>,
    pub(crate) ring: MapData,
    /// Size of its data.
    pub(crate) ring_bytes: u32,
    /// Each a [`Counters`] in bytes.
    pub(crate) counters: PerCpuArray<MapData, [u8; Counters::SIZE]>,
    /// Only of an object built with `build-ebpf --log`.
    pub(crate) logger: Option<EbpfLogger<&'static dyn Log>>,
}

/// Hindsight, attached.
pub(crate) struct Signs {
    pub(crate) rows: Vec<Attached>,
    pub(crate) map: MapData,
    /// How many it has room for.
    pub(crate) room: u32,
}

/// Loads the object and attaches every hook that this kernel allows.
pub(crate) fn attach(options: &Options) -> Result<Loaded, AttachError> {
    let object = object(options)?;
    check_ring_bytes(options.ring_bytes)?;
    if let Some(remedy) = missing_capabilities() {
        return Err(AttachError::NotPermitted(remedy));
    }
    let loaded = load(options, &object);
    give_memory_back();
    loaded
}

/// The kernel's type information takes 20 MB while programs are loaded; freed, the allocator would keep them.
#[expect(
    unsafe_code,
    reason = "the C library's allocator is asked to give freed memory back"
)]
fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes a number, touches free memory only, and locks what it touches.
    unsafe {
        libc::malloc_trim(0);
    }
}

fn object(options: &Options) -> Result<Cow<'static, [u8]>, AttachError> {
    match &options.object {
        Some(path) => fs::read(path)
            .map(Cow::Owned)
            .map_err(|source| AttachError::ReadObject {
                path: path.clone(),
                source,
            }),
        None if EMBEDDED.is_empty() => Err(AttachError::NoObject),
        None => Ok(Cow::Borrowed(EMBEDDED)),
    }
}

fn check_ring_bytes(bytes: u32) -> Result<(), AttachError> {
    let page = rustix::param::page_size();
    if bytes == 0 || (bytes.is_power_of_two() && bytes as usize >= page) {
        Ok(())
    } else {
        Err(AttachError::RingBytes { bytes, page })
    }
}

fn load(options: &Options, object: &[u8]) -> Result<Loaded, AttachError> {
    let version = KernelVersion::current().ok();
    raise_memlock(version);
    let types = fs::read(KERNEL_BTF).map_err(|error| no_btf(&error));
    let offsets = offsets(&types);
    let plan = Plan::of(options);
    let mut ebpf = load_object(options, object, &offsets, &plan.direct_words())?;
    let (ring, ring_bytes) = ring(&mut ebpf)?;
    let counters = take(&mut ebpf, MAP_COUNTERS)?;
    let logger = logger(&mut ebpf)?;
    let mut kernel = Kernel {
        version,
        offsets,
        types,
        btf: None,
    };
    let (slots, records) = Slots::attach(&mut ebpf, plan)?;
    let mut records = records.into_iter();
    let mut hooks = Vec::with_capacity(HOOKS.len() + options.probes.len());
    // The catalogue's order is kept: rows of the generic program come out of `records` in it.
    for spec in HOOKS {
        let attached = match &spec.source {
            Source::Own {
                hook,
                attempts,
                since,
                ..
            } => {
                let own = Own {
                    name: spec.name,
                    number: u16::from(*hook),
                    attempts,
                    since: *since,
                };
                Some(attach_hook(&mut ebpf, &mut kernel, &own, options))
            }
            Source::Records(_) => records.next(),
        };
        hooks.extend(attached);
    }
    hooks.extend(records);
    let signs = options.hindsight.map(|_| signs(&mut ebpf)).transpose()?;
    Ok(Loaded {
        hooks,
        slots,
        signs,
        ring,
        ring_bytes,
        counters,
        logger,
    })
}

/// Reads what this kernel says about its records and structs.
fn offsets(types: &Result<Vec<u8>, String>) -> Offsets {
    let btf = match types {
        Ok(bytes) => btf::Btf::parse(bytes).map_err(|error| no_btf(&error)),
        Err(reason) => Err(reason.clone()),
    };
    with_tracefs(|tracefs| Offsets::resolve(&tracefs, &btf))
}

fn no_btf(error: &(dyn std::error::Error + 'static)) -> String {
    format!(
        "this kernel offers no type information (CONFIG_DEBUG_INFO_BTF): {}",
        chain(error)
    )
}

fn load_object(
    options: &Options,
    object: &[u8],
    offsets: &Offsets,
    direct_words: &[u64],
) -> Result<Ebpf, AttachError> {
    let version = u32::from(ABI_VERSION);
    let mut loader = EbpfLoader::new();
    // Rust programs carry no relocations against the kernel's BTF, so the loader needs no copy of it.
    loader.btf(None).override_global(ABI_SYMBOL, &version, true);
    for (name, value) in &offsets.globals {
        loader.override_global(name, value, true);
    }
    let layout = options
        .hindsight
        .map(|wanted| hindsight::Layout::of(&wanted, cpus()));
    if let Some(layout) = &layout {
        layout.apply(&mut loader);
    }
    loader.override_global(DIRECT_WORDS, direct_words, true);
    if options.ring_bytes != 0 {
        loader.map_max_entries(MAP_EVENTS, options.ring_bytes);
    }
    loader.load(object).map_err(|error| match error {
        // The loader's own type for this is not to be had: it says which global is missing.
        EbpfError::ParseError(reason) if reason.to_string().starts_with("symbol with name") => {
            AttachError::OtherVersion(Box::new(reason.into()))
        }
        error => AttachError::Load(Box::new(error)),
    })
}

/// CPUs that there may be.
fn cpus() -> u32 {
    nr_cpus()
        .ok()
        .and_then(|cpus| u32::try_from(cpus).ok())
        .unwrap_or(1)
}

fn take<T: TryFrom<Map>>(ebpf: &mut Ebpf, name: &'static str) -> Result<T, AttachError> {
    ebpf.take_map(name)
        .and_then(|map| T::try_from(map).ok())
        .ok_or(AttachError::Map(name))
}

fn signs(ebpf: &mut Ebpf) -> Result<Signs, AttachError> {
    let rows = hindsight::attach(ebpf);
    let Some(Map::Array(map)) = ebpf.take_map(hindsight::MAP_SIGNS) else {
        return Err(AttachError::Map(hindsight::MAP_SIGNS));
    };
    let info = map
        .info()
        .map_err(|_error| AttachError::Map(hindsight::MAP_SIGNS))?;
    Ok(Signs {
        rows,
        room: info.max_entries(),
        map,
    })
}

fn ring(ebpf: &mut Ebpf) -> Result<(MapData, u32), AttachError> {
    let Some(Map::RingBuf(ring)) = ebpf.take_map(MAP_EVENTS) else {
        return Err(AttachError::Map(MAP_EVENTS));
    };
    let info = ring.info().map_err(|_error| AttachError::Map(MAP_EVENTS))?;
    Ok((ring, info.max_entries()))
}

fn logger(ebpf: &mut Ebpf) -> Result<Option<EbpfLogger<&'static dyn Log>>, AttachError> {
    if ebpf.map(MAP_LOGS).is_none() {
        return Ok(None);
    }
    EbpfLogger::init(ebpf)
        .map(Some)
        .map_err(|_error| AttachError::Map(MAP_LOGS))
}

/// Kernels before 5.11 charge maps to this limit, whose default holds 64 KiB.
fn raise_memlock(version: Option<KernelVersion>) {
    if version.is_some_and(|version| version >= KernelVersion::new(5, 11, 0)) {
        return;
    }
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    if let Err(error) = rustix::process::setrlimit(Resource::Memlock, unlimited) {
        tracing::warn!(%error, "the limit of locked memory cannot be raised; maps may not fit");
    }
}

#[cfg(test)]
mod tests;
