//! Attaching a program to a classic tracepoint by its id, long after the object is gone: all that it takes is the
//! program's descriptor.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
};

use rustix::ioctl::{self, IntegerSetter, NoArg, Opcode};

/// `PERF_TYPE_TRACEPOINT` (`include/uapi/linux/perf_event.h`).
const TRACEPOINT: u32 = 2;
/// `PERF_SAMPLE_RAW`
const SAMPLE_RAW: u64 = 1 << 10;
/// `PERF_FLAG_FD_CLOEXEC`
const CLOSE_ON_EXEC: libc::c_ulong = 1 << 3;
/// `PERF_EVENT_IOC_ENABLE`, `_IO('$', 0)`
const ENABLE: Opcode = ioctl::opcode::none(b'$', 0);
/// `PERF_EVENT_IOC_SET_BPF`, `_IOW('$', 8, __u32)`
const SET_BPF: Opcode = ioctl::opcode::write::<u32>(b'$', 8);

/// `struct perf_event_attr` as it was first, which every kernel takes.
#[repr(C)]
#[derive(Debug, Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    breakpoint_type: u32,
    breakpoint_address: u64,
}

/// `PERF_ATTR_SIZE_VER0`
const ATTRIBUTES_BYTES: u32 = 64;
const _: () = assert!(size_of::<Attributes>() == ATTRIBUTES_BYTES as usize);

/// Runs `program` for every event of the tracepoint with this id, on every CPU, until the returned descriptor is closed.
#[expect(
    unsafe_code,
    reason = "perf_event_open has no wrapper, and its ioctls take plain numbers"
)]
pub(super) fn attach(program: BorrowedFd<'_>, tracepoint: u64) -> io::Result<OwnedFd> {
    let attributes = Attributes {
        kind: TRACEPOINT,
        size: ATTRIBUTES_BYTES,
        config: tracepoint,
        sample_period: 1,
        sample_type: SAMPLE_RAW,
        wakeup_events: 1,
        ..Attributes::default()
    };
    // A program of a tracepoint runs wherever it fires; the event itself has to be on some CPU.
    let (any_process, first_cpu, no_group): (libc::pid_t, libc::c_int, libc::c_int) = (-1, 0, -1);
    // SAFETY: the kernel reads `size` bytes of the attributes.
    let opened = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attributes,
            any_process,
            first_cpu,
            no_group,
            CLOSE_ON_EXEC,
        )
    };
    let opened = RawFd::try_from(opened).map_err(|_error| io::ErrorKind::InvalidData)?;
    if opened < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    let event = unsafe { OwnedFd::from_raw_fd(opened) };
    let number = usize::try_from(program.as_raw_fd()).map_err(|_error| io::ErrorKind::InvalidInput)?;
    // SAFETY: the kernel takes these by value.
    unsafe {
        ioctl::ioctl(&event, IntegerSetter::<SET_BPF>::new_usize(number))?;
        ioctl::ioctl(&event, NoArg::<ENABLE>::new())?;
    }
    Ok(event)
}
