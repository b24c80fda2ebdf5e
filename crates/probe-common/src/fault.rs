//! Events that carry a stack.

use crate::{DecodeError, Header, STACK_FRAMES, wire::wire_struct};

/// Frames of a program's stack that are taken.
pub const USER_FRAMES: usize = 32;

/// Names of a program's path that are taken.
pub const COMPONENTS: usize = 16;

/// Room for one name of a path, bytes, with its NUL; a longer one is cut. File systems allow 255 (`NAME_MAX`).
pub const COMPONENT_BYTES: usize = 64;

/// The bit of [`Signal::components`] that says that there are more on the way to the root.
pub const COMPONENTS_CUT: u32 = 1 << 31;

wire_struct! {
    /// A fault of the kernel that the running task is in; [`STACK_FRAMES`] stack frames of 8 bytes follow.
    pub struct Fault: 64 {
        /// The header: who was running.
        0 header: Header,
        /// `gfp_mask` of the allocation for `AllocFailure`, else 0.
        56 detail: u32,
        /// How many stack frames are filled in.
        60 frames: u32,
    }
}

wire_struct! {
    /// Why the out-of-memory killer kills, the members of `struct oom_control`; what this kernel does not tell is 0 and
    /// its bit in `available` is not set. [`STACK_FRAMES`] stack frames of 8 bytes follow.
    pub struct OomCause: 112 {
        /// The header: the task that asked for memory.
        0 header: Header,
        /// Memory that could be used under this constraint, pages.
        56 total_pages: u64,
        /// Badness of the victim, a signed number.
        64 points: u64,
        /// Id of the cgroup whose limit was reached, in the hierarchy of the memory controller.
        72 limit_cgroup: u64,
        /// Id of the victim's cgroup (v2).
        80 victim_cgroup: u64,
        /// The victim's process id.
        88 victim: u32,
        /// `gfp_mask` of the allocation.
        92 gfp_mask: u32,
        /// Order of the allocation, a signed number; -1: asked for by hand (`SysRq`).
        96 order: u32,
        /// `enum oom_constraint` (`include/linux/oom.h`): 0 none, 1 cpuset, 2 memory policy, 3 cgroup.
        100 constraint: u32,
        /// One bit a field, see [`oom_cause`].
        104 available: u32,
        /// How many stack frames are filled in.
        108 frames: u32,
    }
}

/// The bits of [`OomCause::available`].
pub mod oom_cause {
    /// `total_pages`
    pub const TOTAL_PAGES: u32 = 1;
    /// `points`
    pub const POINTS: u32 = 1 << 1;
    /// `limit_cgroup`
    pub const LIMIT_CGROUP: u32 = 1 << 2;
    /// `victim_cgroup`
    pub const VICTIM_CGROUP: u32 = 1 << 3;
    /// `victim`
    pub const VICTIM: u32 = 1 << 4;
    /// `gfp_mask`
    pub const GFP_MASK: u32 = 1 << 5;
    /// `order`
    pub const ORDER: u32 = 1 << 6;
    /// `constraint`
    pub const CONSTRAINT: u32 = 1 << 7;
}

wire_struct! {
    /// A frame of a program's stack: the kernel's `struct bpf_stack_build_id` (`include/uapi/linux/bpf.h`).
    pub struct UserFrame: 32 {
        /// `enum bpf_stack_build_id_status`: 0 empty, 1 build id and offset, 2 the address alone.
        0 status: u32,
        /// The build id of the file, zeros behind a shorter one.
        4 build_id: [u8; 20],
        /// Offset into the file, or the address.
        24 offset: u64,
    }
}

wire_struct! {
    /// A fatal signal. [`USER_FRAMES`] of [`UserFrame`] and [`COMPONENTS`] names of [`COMPONENT_BYTES`] follow: the
    /// program's stack, innermost first, as far as frame pointers lead, and the names on the way from the program's file
    /// up to the root of its file system, NUL-terminated.
    pub struct Signal: 88 {
        /// The header: the program.
        0 header: Header,
        /// Signal number.
        56 signal: i32,
        /// `si_errno`.
        60 errno: i32,
        /// `si_code`.
        64 code: i32,
        /// 1: `address` is known.
        68 has_address: u32,
        /// `si_addr`, whatever the signal: it has a meaning for faults only.
        72 address: u64,
        /// How many stack frames are filled in.
        80 frames: u32,
        /// How many names of the path are filled in, and [`COMPONENTS_CUT`].
        84 components: u32,
    }
}

/// The kernel's stack behind an event: where the program ran and the return addresses behind it, innermost first. The
/// first of them are of the program itself where it was not attached by a breakpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stack<'a>(&'a [u8]);

impl Stack<'_> {
    /// The addresses.
    pub fn frames(&self) -> impl Iterator<Item = u64> {
        self.0
            .chunks_exact(size_of::<u64>())
            .filter_map(|chunk| Some(u64::from_ne_bytes(chunk.try_into().ok()?)))
    }
}

/// What follows a [`Signal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program<'a> {
    stack: &'a [u8],
    path: &'a [u8],
}

impl<'a> Program<'a> {
    /// The program's stack.
    pub fn frames(&self) -> impl Iterator<Item = UserFrame> {
        self.stack
            .chunks_exact(UserFrame::SIZE)
            .filter_map(UserFrame::decode)
    }

    /// The names of the path, from the file's own up, each up to its NUL.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        self.path.chunks_exact(COMPONENT_BYTES).map(|name| {
            let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
            name.get(..end).unwrap_or(name)
        })
    }
}

/// Splits what follows a struct of `size` bytes into parts, each with room for so many items of so many bytes, of which
/// so many are filled in.
fn parts<const N: usize>(
    bytes: &[u8],
    size: usize,
    parts: [(usize, usize, u32); N],
) -> Result<[&[u8]; N], DecodeError> {
    let needed = size + parts.iter().map(|(room, item, _)| room * item).sum::<usize>();
    let found = bytes.len();
    if found > needed {
        return Err(DecodeError::Long { needed, found });
    }
    let mut at = size;
    let mut filled = [[].as_slice(); N];
    for ((room, item, count), filled) in parts.into_iter().zip(&mut filled) {
        let count = count as usize;
        if count > room {
            return Err(DecodeError::RecordLengths);
        }
        *filled = bytes
            .get(at..at + count * item)
            .ok_or(DecodeError::Short { needed, found })?;
        at += room * item;
    }
    Ok(filled)
}

/// Decodes what follows a struct with a stack.
pub(crate) fn stack(bytes: &[u8], size: usize, frames: u32) -> Result<Stack<'_>, DecodeError> {
    let [stack] = parts(bytes, size, [(STACK_FRAMES, size_of::<u64>(), frames)])?;
    Ok(Stack(stack))
}

/// Decodes what follows a [`Signal`].
pub(crate) fn program<'a>(bytes: &'a [u8], signal: &Signal) -> Result<Program<'a>, DecodeError> {
    let components = signal.components & !COMPONENTS_CUT;
    let [stack, path] = parts(
        bytes,
        Signal::SIZE,
        [
            (USER_FRAMES, UserFrame::SIZE, signal.frames),
            (COMPONENTS, COMPONENT_BYTES, components),
        ],
    )?;
    Ok(Program { stack, path })
}
