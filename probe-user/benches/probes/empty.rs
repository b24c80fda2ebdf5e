//! The least that any program costs: one that does nothing.

use std::error::Error;
use std::fs;
use std::os::fd::{AsRawFd as _, OwnedFd};

use crate::bpf;

/// `r0 = 0; exit`
const PROGRAM: [u64; 2] = [0xb7, 0x95];

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
        let program = bpf::load(&PROGRAM)?;
        let link = bpf::open(c"signal_deliver", program.as_raw_fd())?;
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
