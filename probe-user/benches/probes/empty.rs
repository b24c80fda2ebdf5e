//! The least that any program costs: one that does nothing.

use std::error::Error;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::{fs, io};

/// `BPF_PROG_LOAD` and `BPF_RAW_TRACEPOINT_OPEN` of `enum bpf_cmd` (`include/uapi/linux/bpf.h`).
const LOAD: libc::c_long = 5;
const OPEN: libc::c_long = 17;
/// `BPF_PROG_TYPE_RAW_TRACEPOINT`
const RAW_TRACEPOINT: u32 = 17;
/// `r0 = 0; exit`
const PROGRAM: [u64; 2] = [0xb7, 0x95];

/// What `BPF_PROG_LOAD` takes; the kernel takes what is missing as zero.
#[repr(C)]
struct Load {
    kind: u32,
    instructions: u32,
    code: u64,
    license: u64,
}

/// What `BPF_RAW_TRACEPOINT_OPEN` takes.
#[repr(C)]
struct Open {
    name: u64,
    program: u32,
    pad: u32,
}

/// Attached as long as it lives.
#[derive(Debug)]
pub(crate) struct Empty {
    /// The kernel's number of it.
    pub(crate) id: u32,
    _program: OwnedFd,
    _link: OwnedFd,
}

impl Empty {
    /// Loads it and attaches it to `signal_deliver`.
    pub(crate) fn attach() -> Result<Self, Box<dyn Error>> {
        let program = bpf(
            LOAD,
            &Load {
                kind: RAW_TRACEPOINT,
                instructions: 2,
                code: PROGRAM.as_ptr() as u64,
                license: c"GPL".as_ptr() as u64,
            },
        )?;
        let link = bpf(
            OPEN,
            &Open {
                name: c"signal_deliver".as_ptr() as u64,
                program: u32::try_from(program.as_raw_fd())?,
                pad: 0,
            },
        )?;
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", program.as_raw_fd()))?;
        let id = info.lines().find_map(|line| line.strip_prefix("prog_id:"));
        Ok(Self {
            id: id
                .ok_or("the kernel does not tell the program's id")?
                .trim()
                .parse()?,
            _program: program,
            _link: link,
        })
    }
}

/// A command of bpf(2) that makes a descriptor.
#[expect(unsafe_code, reason = "bpf(2) has no wrapper")]
fn bpf<T>(command: libc::c_long, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: the kernel reads as many bytes as it is told, and what they point to is static or outlives the call.
    let made = unsafe { libc::syscall(libc::SYS_bpf, command, &raw const *attributes, size_of::<T>()) };
    let made = RawFd::try_from(made).map_err(|_error| io::ErrorKind::InvalidData)?;
    if made < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(made) })
}
