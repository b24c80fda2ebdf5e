//! Stacks of the kernel and of programs.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::{BPF_F_USER_BUILD_ID, BPF_F_USER_STACK},
    helpers::generated::bpf_get_stack,
};
use probe_common::{STACK_FRAMES, USER_FRAMES, UserFrame};

/// A ring-buffer entry: an event with the kernel's stack behind it.
#[repr(C)]
pub(crate) struct Stacked<T> {
    pub(crate) event: T,
    pub(crate) stack: [u64; STACK_FRAMES],
}

/// Takes the kernel's stack, innermost frame first, and tells how many frames it has. The rest of `stack` is zero, or
/// what it was when there is no stack.
///
/// # Safety
/// `ctx` is the program's context and `stack` memory that the program may write.
#[inline(always)]
pub(crate) unsafe fn take_kernel<const N: usize>(ctx: *mut c_void, stack: *mut [u64; N]) -> u32 {
    // SAFETY: the helper writes at most the bytes of `stack`.
    let taken = unsafe { bpf_get_stack(ctx, stack.cast(), size_of::<[u64; N]>() as u32, 0) };
    frames::<u64>(taken)
}

/// Takes the stack of the running program as far as frame pointers lead, as files' build ids and offsets where the
/// kernel can tell them.
///
/// # Safety
/// `ctx` is the program's context and `stack` memory that the program may write.
#[inline(always)]
pub(crate) unsafe fn take_user(ctx: *mut c_void, stack: *mut [UserFrame; USER_FRAMES]) -> u32 {
    let flags = u64::from(BPF_F_USER_STACK | BPF_F_USER_BUILD_ID);
    // SAFETY: the helper writes at most the bytes of `stack`, as `struct bpf_stack_build_id`, which `UserFrame` is.
    let taken = unsafe {
        bpf_get_stack(
            ctx,
            stack.cast(),
            size_of::<[UserFrame; USER_FRAMES]>() as u32,
            flags,
        )
    };
    frames::<UserFrame>(taken)
}

#[inline(always)]
fn frames<F>(bytes: i64) -> u32 {
    if bytes > 0 {
        bytes as u32 / size_of::<F>() as u32
    } else {
        0
    }
}
