//! Commands of bpf(2) (`enum bpf_cmd` and `union bpf_attr` of `include/uapi/linux/bpf.h`); what is missing of the attributes
//! the kernel takes as zero.

use std::ffi::CStr;
use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};

const PROG_LOAD: libc::c_long = 5;
const PROG_TEST_RUN: libc::c_long = 10;
const PROG_GET_FD_BY_ID: libc::c_long = 13;
const RAW_TRACEPOINT_OPEN: libc::c_long = 17;
/// `BPF_PROG_TYPE_RAW_TRACEPOINT`
const RAW_TRACEPOINT: u32 = 17;

#[repr(C)]
struct Load {
    kind: u32,
    instructions: u32,
    code: u64,
    license: u64,
}

#[repr(C)]
struct Open {
    name: u64,
    program: u32,
    pad: u32,
}

/// `test` of the attributes up to its last member of Linux 5.10.
#[repr(C)]
#[derive(Default)]
struct TestRun {
    program: u32,
    value: u32,
    rest: [u64; 8],
}

/// Loads a program of a raw tracepoint.
pub(crate) fn load(instructions: &[u64]) -> io::Result<OwnedFd> {
    let mut attributes = Load {
        kind: RAW_TRACEPOINT,
        instructions: u32::try_from(instructions.len()).unwrap_or(u32::MAX),
        code: instructions.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
    };
    descriptor(PROG_LOAD, &mut attributes)
}

/// Attaches it until the descriptor is closed.
pub(crate) fn open(name: &CStr, program: RawFd) -> io::Result<OwnedFd> {
    let mut attributes = Open {
        name: name.as_ptr() as u64,
        program: number(program)?,
        pad: 0,
    };
    descriptor(RAW_TRACEPOINT_OPEN, &mut attributes)
}

/// A program by the kernel's number of it.
pub(crate) fn program(id: u32) -> io::Result<OwnedFd> {
    descriptor(PROG_GET_FD_BY_ID, &mut [id, 0, 0])
}

/// Calls a program of a raw tracepoint once, without arguments.
pub(crate) fn test_run(program: RawFd) -> io::Result<()> {
    let mut attributes = TestRun {
        program: number(program)?,
        ..TestRun::default()
    };
    call(PROG_TEST_RUN, &mut attributes).map(drop)
}

fn number(descriptor: RawFd) -> io::Result<u32> {
    u32::try_from(descriptor).map_err(|_error| io::ErrorKind::InvalidInput.into())
}

#[expect(unsafe_code, reason = "the kernel answers with a number")]
fn descriptor<T>(command: libc::c_long, attributes: &mut T) -> io::Result<OwnedFd> {
    let made = RawFd::try_from(call(command, attributes)?).map_err(|_error| io::ErrorKind::InvalidData)?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(made) })
}

#[expect(unsafe_code, reason = "bpf(2) has no wrapper")]
fn call<T>(command: libc::c_long, attributes: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: the kernel reads and writes as many bytes as it is told; what they point to is static or outlives the call.
    let answer = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attributes, size_of::<T>()) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(answer)
}
