//! Where a fault happened, in words: the cgroup and container of a task, the functions of a kernel stack.
//!
//! Both are asked for only when there is a fault, and both take milliseconds, so what was found is kept for a while: a
//! storm of faults is one look.

use std::collections::HashMap;
use std::fs::File;
use std::io::Seek as _;
use std::path::Path;

use probe_user::kallsyms::{self, KallsymsError, Symbol};
use proto::v1::{Context, Frame};

use crate::cgroup::{Cgroup, Cgroups};
use crate::clock::Moment;
use crate::text::{chain, cut};

/// Frames of a stack that are told: the limit of the wire format.
const FRAMES: usize = 64;
/// Bytes of a function's name and of a module's: limits of the wire format.
const FUNCTION_BYTES: usize = 128;
const MODULE_BYTES: usize = 64;
/// Longest path of a cgroup and longest id of a container, bytes: limits of the wire format.
const CGROUP_BYTES: usize = 1024;
const CONTAINER_BYTES: usize = 128;
/// Names of functions stand for this long, nanoseconds: a module that is loaded meanwhile may take the place of another.
const NAMED_NS: u64 = 10_000_000_000;
/// How often in that time the kernel's symbols are read, each some 30 ms of a core; stacks beyond are left out.
const LOOKS: u32 = 8;
/// For so many times as long as reading them took in this time they are not read again: on a slow machine it takes
/// seconds, and faults wait to be told.
const REST: u64 = 8;
/// Addresses whose functions are kept.
const NAMED: usize = 1024;
/// Frames at the start of a stack among which those of the hook itself are.
const OWN_FRAMES: usize = 8;

/// What tells places.
#[derive(Debug)]
pub struct Places {
    cgroups: Cgroups,
    symbols: Symbols,
}

impl Places {
    /// Reads cgroups below `cgroups`, which is `/sys/fs/cgroup`, and the kernel's symbols from `symbols`, which is
    /// `/proc/kallsyms`. It is opened now, because whether it shows addresses is decided then.
    pub fn new(cgroups: &Path, symbols: &Path) -> Self {
        Self {
            cgroups: Cgroups::new(cgroups),
            symbols: Symbols::open(symbols),
        }
    }

    /// Reads the kernel's symbols from `file`, which somebody opened who is shown addresses.
    pub fn read_symbols(&mut self, file: File) {
        self.symbols = Symbols::of(Some(file));
    }

    /// Completes a context by what its cgroup id and these return addresses stand for.
    pub fn complete(&mut self, context: &mut Context, stack: &[u64], now_ns: u64) {
        if let Some(cgroup) = self.cgroups.unified(context.cgroup_id, now_ns) {
            cut(&cgroup.path, CGROUP_BYTES).clone_into(&mut context.cgroup);
            let container = cgroup.container_id.as_deref().unwrap_or_default();
            cut(container, CONTAINER_BYTES).clone_into(&mut context.container_id);
        }
        if !stack.is_empty() {
            context.stack = self.symbols.frames(stack, now_ns);
        }
    }

    /// Path of a cgroup of version 2; empty when it is not known.
    pub fn cgroup(&mut self, id: Option<u64>, now_ns: u64) -> String {
        path(id.and_then(|id| self.cgroups.unified(id, now_ns)).as_deref())
    }

    /// Path of a cgroup whose memory is limited; empty when it is not known.
    pub fn memory_cgroup(&mut self, id: Option<u64>, now_ns: u64) -> String {
        path(id.and_then(|id| self.cgroups.memory(id, now_ns)).as_deref())
    }
}

fn path(cgroup: Option<&Cgroup>) -> String {
    cgroup.map_or_else(String::new, |cgroup| cut(&cgroup.path, CGROUP_BYTES).to_owned())
}

/// The kernel's symbols.
#[derive(Debug)]
struct Symbols {
    file: Option<File>,
    /// Functions at addresses, as they were at `since_ns`.
    named: HashMap<u64, Option<Symbol>>,
    since_ns: u64,
    looks: u32,
    /// How long those took, nanoseconds.
    looked_ns: u64,
    /// Tells that, nanoseconds.
    clock: fn() -> u64,
}

impl Symbols {
    fn open(path: &Path) -> Self {
        let file = File::open(path).inspect_err(
            |error| tracing::debug!(path = %path.display(), %error, "kernel stacks stay without names"),
        );
        Self::of(file.ok())
    }

    fn of(file: Option<File>) -> Self {
        Self {
            file,
            named: HashMap::new(),
            since_ns: 0,
            looks: 0,
            looked_ns: 0,
            clock: || Moment::now().since_boot_ns,
        }
    }

    /// The functions of a stack; nothing when the kernel does not tell them, because an address says nothing on another
    /// boot, and is nobody's business.
    fn frames(&mut self, stack: &[u64], now_ns: u64) -> Vec<Frame> {
        let age_ns = now_ns.saturating_sub(self.since_ns);
        if age_ns > NAMED_NS {
            self.named.clear();
        }
        if age_ns > NAMED_NS.max(self.looked_ns.saturating_mul(REST)) {
            self.since_ns = now_ns;
            self.looks = 0;
            self.looked_ns = 0;
        }
        // What a return address returns to may be another function, when a call is a function's last instruction; the
        // first address is not one.
        let looked_up = |(index, address): (usize, &u64)| address.saturating_sub(u64::from(index > 0));
        let wanted: Vec<u64> = stack.iter().take(FRAMES).enumerate().map(looked_up).collect();
        if let Err(error) = self.look(&wanted) {
            tracing::warn!(
                error = chain(&error),
                "kernel stacks stay without names and are left out"
            );
            self.file = None;
        }
        let symbols: Option<Vec<_>> = wanted.iter().map(|address| self.named.get(address)).collect();
        let Some(symbols) = symbols else {
            return Vec::new();
        };
        let own = symbols
            .iter()
            .take(OWN_FRAMES)
            .rposition(|symbol| symbol.as_ref().is_some_and(is_own));
        let frames = symbols
            .into_iter()
            .enumerate()
            .skip(own.map_or(0, |last| last + 1));
        frames
            .map(|(index, symbol)| frame(symbol.as_ref(), index > 0))
            .collect()
    }

    /// Looks those up that are not known.
    fn look(&mut self, wanted: &[u64]) -> Result<(), KallsymsError> {
        let unknown: Vec<u64> = wanted
            .iter()
            .copied()
            .filter(|address| !self.named.contains_key(address))
            .collect();
        let Some(file) = self
            .file
            .as_mut()
            .filter(|_| !unknown.is_empty() && self.looks < LOOKS && self.looked_ns < NAMED_NS / REST)
        else {
            return Ok(());
        };
        self.looks += 1;
        let began_ns = (self.clock)();
        file.rewind()?;
        let found = kallsyms::resolve(file, &unknown)?;
        let took_ns = (self.clock)().saturating_sub(began_ns);
        self.looked_ns = self.looked_ns.saturating_add(took_ns);
        if self.named.len() + found.len() > NAMED {
            self.named.clear();
        }
        self.named.extend(unknown.into_iter().zip(found));
        Ok(())
    }
}

/// The program of the hook and what called it are on the stack too: the helper, the program, the trampoline or the
/// tracepoint (`kernel/trace/bpf_trace.c`).
fn is_own(symbol: &Symbol) -> bool {
    let called = ["bpf_", "__bpf_", "__traceiter_", "kprobe_", "ftrace_"];
    symbol.module.as_deref() == Some("bpf") || called.iter().any(|prefix| symbol.function.starts_with(prefix))
}

/// A frame; one that is in no function keeps its place, so that those around it do not look like neighbours.
fn frame(symbol: Option<&Symbol>, returns: bool) -> Frame {
    let Some(symbol) = symbol else {
        return Frame {
            function: "(unknown)".to_owned(),
            ..Frame::default()
        };
    };
    Frame {
        function: cut(&symbol.function, FUNCTION_BYTES).to_owned(),
        offset: symbol.offset.saturating_add(u32::from(returns)),
        size: symbol.size,
        module: cut(symbol.module.as_deref().unwrap_or_default(), MODULE_BYTES).to_owned(),
        reliable: true,
        ..Frame::default()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const SYMBOLS: &str = "\
ffffffff81000000 T bpf_get_stack_raw_tp
ffffffff81000100 T __warn
ffffffff81000200 T do_sys_open
ffffffff81000300 T after_it
ffffffffc0000000 t bpf_prog_1234_warn_fentry\t[bpf]
ffffffffc0001000 t ext4_write\t[ext4]
ffffffffc0001100 t ext4_end\t[ext4]
";
    const S: u64 = 1_000_000_000;

    struct Host {
        dir: tempfile::TempDir,
    }

    impl Host {
        fn new(symbols: &str) -> Self {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("kallsyms"), symbols).unwrap();
            Self { dir }
        }

        fn places(&self) -> Places {
            let mut places = Places::new(self.dir.path(), &self.dir.path().join("kallsyms"));
            places.symbols.clock = || 0;
            places
        }
    }

    fn stack(places: &mut Places, addresses: &[u64], now_ns: u64) -> Vec<String> {
        let mut context = Context::default();
        places.complete(&mut context, addresses, now_ns);
        let line = |frame: Frame| {
            format!(
                "{}+{:#x}/{:#x} {}",
                frame.function, frame.offset, frame.size, frame.module
            )
        };
        context.stack.into_iter().map(line).collect()
    }

    #[test]
    fn a_stack_has_the_kernels_functions_without_those_of_the_hook() {
        let host = Host::new(SYMBOLS);
        let addresses = [
            0xffff_ffff_8100_0010,
            0xffff_ffff_c000_0020,
            0xffff_ffff_8100_0105,
            0xffff_ffff_c000_1010,
            // A call that is the last instruction of do_sys_open.
            0xffff_ffff_8100_0300,
            0x10,
        ];
        assert_eq!(
            stack(&mut host.places(), &addresses, S),
            [
                "__warn+0x5/0x100 ",
                "ext4_write+0x10/0x100 ext4",
                "do_sys_open+0x100/0x100 ",
                "(unknown)+0x0/0x0 "
            ]
        );
        // A breakpoint at a function's start.
        assert_eq!(
            stack(&mut host.places(), &addresses[2..3], S),
            ["__warn+0x5/0x100 "]
        );
        assert_eq!(
            stack(&mut host.places(), &[0xffff_ffff_8100_0100], S),
            ["__warn+0x0/0x100 "]
        );
    }

    #[test]
    fn hidden_addresses_and_missing_symbols_make_no_stack() {
        for symbols in ["0000000000000000 T __warn\n", "", "garbage"] {
            let host = Host::new(symbols);
            assert!(
                stack(&mut host.places(), &[0xffff_ffff_8100_0105], S).is_empty(),
                "{symbols}"
            );
        }
        let mut none = Places::new(Path::new("/nonexistent"), Path::new("/nonexistent"));
        assert!(stack(&mut none, &[0xffff_ffff_8100_0105], S).is_empty());
    }

    #[test]
    fn a_storm_is_a_few_looks_and_names_do_not_stand_for_ever() {
        let host = Host::new(SYMBOLS);
        let mut places = host.places();
        for offset in 0..u64::from(LOOKS) {
            assert_eq!(stack(&mut places, &[0xffff_ffff_8100_0100 + offset], S).len(), 1);
        }
        // Known ones still have their names, new ones do not.
        assert_eq!(stack(&mut places, &[0xffff_ffff_8100_0100], S).len(), 1);
        assert!(stack(&mut places, &[0xffff_ffff_8100_01ff], S).is_empty());
        std::fs::write(
            host.dir.path().join("kallsyms"),
            SYMBOLS.replace("__warn", "newer_"),
        )
        .unwrap();
        let later = stack(&mut places, &[0xffff_ffff_8100_0100], 2 * S + NAMED_NS);
        assert_eq!(later, ["newer_+0x0/0x100 "]);
    }

    #[test]
    fn where_a_look_takes_seconds_there_is_a_rest_behind_it() {
        static CLOCK: AtomicU64 = AtomicU64::new(0);
        let host = Host::new(SYMBOLS);
        let mut places = host.places();
        // Each look takes 3 s.
        places.symbols.clock = || CLOCK.fetch_add(3 * S, Ordering::Relaxed);
        let mut named =
            |offset: u64, at_s: u64| stack(&mut places, &[0xffff_ffff_8100_0100 + offset], at_s * S).len();
        assert_eq!([named(1, 20), named(1, 22), named(2, 22)], [1, 1, 0]);
        assert_eq!([named(1, 43), named(1, 45)], [0, 1]);
    }

    #[test]
    fn a_context_gets_its_cgroup_and_container() {
        let host = Host::new(SYMBOLS);
        let id = "0123456789abcdef".repeat(4);
        let folder = host.dir.path().join("docker").join(&id);
        std::fs::create_dir_all(&folder).unwrap();
        let mut context = Context {
            cgroup_id: std::fs::metadata(&folder).unwrap().ino(),
            ..Context::default()
        };
        let mut places = host.places();
        places.complete(&mut context, &[], S);
        assert_eq!(
            (context.cgroup, context.container_id),
            (format!("/docker/{id}"), id.clone())
        );
        assert_eq!(
            places.memory_cgroup(Some(context.cgroup_id), S),
            format!("/docker/{id}")
        );
        assert_eq!(
            (places.cgroup(None, S), places.cgroup(Some(1), S)),
            (String::new(), String::new())
        );
    }
}
