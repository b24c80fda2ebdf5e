//! What a fatal signal says of its program.

use probe_common::{COMPONENT_BYTES, COMPONENTS_CUT, Program, Signal};

use crate::event::UserFrame;

/// Signals whose `si_addr` is the address of a fault: ILL, TRAP, BUS, FPE and SEGV (`kernel/signal.c`: `siginfo_layout`).
const FAULTS: [i32; 5] = [4, 5, 7, 8, 11];
/// `si_code` of a signal that the kernel raised without saying more, such as a general protection fault of x86.
const SI_KERNEL: i32 = 0x80;
/// `BPF_STACK_BUILD_ID_VALID` and `BPF_STACK_BUILD_ID_IP` of `include/uapi/linux/bpf.h`.
const BUILD_ID: u32 = 1;
const ADDRESS: u32 = 2;

/// The address of the access or instruction; the field has other meanings for other signals.
pub(super) fn address(signal: &Signal) -> Option<u64> {
    let faulted = FAULTS.contains(&signal.signal) && signal.code > 0 && signal.code != SI_KERNEL;
    (faulted && signal.has_address == 1).then_some(signal.address)
}

/// The frames up to one that the kernel could not tell.
pub(super) fn frames(program: Program<'_>) -> Vec<UserFrame> {
    let known = program.frames().map_while(|frame| match frame.status {
        BUILD_ID => Some(UserFrame {
            build_id: Some(digits(&frame.build_id)),
            offset: frame.offset,
        }),
        ADDRESS => Some(UserFrame {
            build_id: None,
            offset: frame.offset,
        }),
        _ => None,
    });
    known.collect()
}

/// The path; its end when a name was cut or the root was not reached.
pub(super) fn executable(signal: &Signal, program: Program<'_>) -> Option<String> {
    let is_whole = |name: &&[u8]| !name.is_empty() && name.len() < COMPONENT_BYTES - 1;
    let all = program.components().count();
    let mut names: Vec<_> = program
        .components()
        .take_while(is_whole)
        .map(String::from_utf8_lossy)
        .collect();
    if names.is_empty() {
        return None;
    }
    let reaches_root = names.len() == all && signal.components & COMPONENTS_CUT == 0;
    names.reverse();
    let path = names.join("/");
    Some(if reaches_root { format!("/{path}") } else { path })
}

/// A build id without the zeros that the kernel puts behind a shorter one: those of 20 and 16 bytes (SHA-1, MD5, UUID)
/// and of 8 (lld's fast one) are in use.
fn digits(build_id: &[u8; 20]) -> String {
    let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    let length = [8, 16]
        .into_iter()
        .find(|length| is_zero(&build_id[*length..]))
        .unwrap_or(20);
    faults::hex_digits(&build_id[..length])
}

#[cfg(test)]
mod tests;
