//! What this process does not need of its memory.

use std::ffi::{c_int, c_void};
use std::time::Duration;
use std::{ptr, slice};

use rustix::mm::{self, Advice};
use rustix::param;
use tokio::time::Instant;

/// How often memory is given back that is not needed while nothing happens: often enough that connecting or a status does not
/// weigh for long. What runs all the time is mapped again in some ten faults of microseconds each, which is too little to be
/// seen in an idle process's time.
const TIDY_EVERY: Duration = Duration::from_secs(10);

/// When memory is to be given back again.
#[derive(Debug)]
pub struct Tidier {
    due: Instant,
}

impl Tidier {
    /// At `now` it was given back.
    pub fn new(now: Instant) -> Self {
        Self {
            due: now + TIDY_EVERY,
        }
    }

    /// Gives memory back when that was long enough before `now`.
    pub fn pass(&mut self, now: Instant) {
        if now >= self.due {
            give_back();
            *self = Self::new(now);
        }
    }
}

/// Has all threads share one arena of the C library's allocator. By itself it makes one for nearly each thread, each of which keeps what
/// was freed in it; threads here wait more than they allocate. Must be called before there are threads.
pub fn share_arena() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "a function of the C library without a wrapper")]
    // SAFETY: it changes a setting of the allocator, under the allocator's lock.
    let _unknown_setting = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

/// Gives pages back to the kernel: those on which nothing is allocated any more, and the text of the program and its
/// libraries. After work that takes much of both and is not done again soon.
///
/// Text is mapped in pieces of 64 KiB around each place that runs (`fault_around_bytes`, `mm/memory.c`), so nearly all of it
/// is after a start; what is needed again is mapped again from the page cache, without reading the disk as long as it is
/// there. A breakpoint that a debugger has set before is lost.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "a function of the C library without a wrapper")]
    // SAFETY: it looks for free pages under the allocator's lock and changes nothing that is allocated.
    let _nothing_to_give = unsafe { libc::malloc_trim(0) };
    #[expect(unsafe_code, reason = "a function of the C library without a wrapper")]
    // SAFETY: the callback is as the C library wants it, and takes no data.
    let _of_the_last_callback = unsafe { libc::dl_iterate_phdr(Some(unmap_text), ptr::null_mut()) };
}

/// Memory that this process has now, bytes (`RssAnon`, `RssFile` and `RssShmem` together); 0 where `/proc` does not say.
pub fn resident_bytes() -> u64 {
    // proc_pid_statm(5): the second number, in pages.
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0).saturating_mul(param::page_size() as u64)
}

/// Unmaps the pages of a program's or a library's segments that nobody can have written to; 0, so that the next one follows.
#[expect(unsafe_code, reason = "the C library's view of the program headers")]
#[expect(
    clippy::cast_possible_truncation,
    reason = "addresses and lengths of this process's own memory"
)]
unsafe extern "C" fn unmap_text(object: *mut libc::dl_phdr_info, _bytes: usize, _data: *mut c_void) -> c_int {
    // SAFETY: the C library hands over what describes a loaded object, whose headers stay in place during the call.
    let (base, headers) = unsafe {
        let object = &*object;
        let headers = slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum));
        (object.dlpi_addr, headers)
    };
    let page = param::page_size();
    for header in headers {
        if header.p_type != libc::PT_LOAD || header.p_flags & libc::PF_W != 0 {
            continue;
        }
        let start = (base + header.p_vaddr) as usize;
        let end = (start + header.p_memsz as usize).next_multiple_of(page);
        let start = start - start % page;
        // SAFETY: the pages are those of one segment, which was mapped from a file and never writable: they are read again
        // from the file when they are touched.
        let _kept = unsafe { mm::madvise(start as *mut c_void, end - start, Advice::LinuxDontNeed) };
    }
    0
}
