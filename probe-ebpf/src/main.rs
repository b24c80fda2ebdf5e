//! The eBPF programs. One hook family a file; each program is a thin wrapper over a `try_…` function.
//!
//! Rules: no fixed offset into a kernel struct (offsets come through globals that user space fills in from the
//! tracepoint's `format` file or the kernel's type information), no sleeping helpers, every failed reserve is counted, and
//! nothing on a hot path.
//!
//! For any target but BPF this crate is an empty program.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]
#![cfg_attr(
    target_arch = "bpf",
    expect(unsafe_code, reason = "BPF helpers and the ring buffer are raw pointers")
)]

#[cfg(target_arch = "bpf")]
mod alloc;
#[cfg(target_arch = "bpf")]
mod event;
#[cfg(target_arch = "bpf")]
mod hindsight;
#[cfg(target_arch = "bpf")]
mod maps;
#[cfg(target_arch = "bpf")]
mod mce;
#[cfg(target_arch = "bpf")]
mod offset;
#[cfg(target_arch = "bpf")]
mod oom;
#[cfg(target_arch = "bpf")]
mod oom_kill;
#[cfg(target_arch = "bpf")]
mod oops;
#[cfg(target_arch = "bpf")]
mod path;
#[cfg(target_arch = "bpf")]
mod printk;
#[cfg(target_arch = "bpf")]
mod rate;
#[cfg(target_arch = "bpf")]
mod record;
#[cfg(target_arch = "bpf")]
mod signal;
#[cfg(target_arch = "bpf")]
mod stack;

#[cfg(not(target_arch = "bpf"))]
fn main() {}

/// Some of the helpers are for GPL-compatible programs only.
#[cfg(target_arch = "bpf")]
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

// The name of the symbol below says the version.
#[cfg(target_arch = "bpf")]
const _: () = assert!(probe_common::ABI_VERSION == 3);

/// See [`probe_common::ABI_SYMBOL`].
#[cfg(target_arch = "bpf")]
#[unsafe(no_mangle)]
static TELEMETRICS_ABI_3: aya_ebpf::Global<u32> = aya_ebpf::Global::new(3);

/// A panic that can be reached becomes an endless loop, which the verifier refuses: none can.
#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
