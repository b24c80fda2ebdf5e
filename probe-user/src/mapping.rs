//! Memory that the kernel writes while it is read: only ever read as atomic words, and copied.

use std::{
    io,
    os::fd::BorrowedFd,
    ptr::NonNull,
    slice,
    sync::atomic::{AtomicU64, AtomicUsize},
};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Bytes of a word.
pub(crate) const WORD: usize = 8;

/// Shared memory, unmapped when it is dropped.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<AtomicU64>,
    length: usize,
}

#[expect(
    unsafe_code,
    reason = "memory that is shared with the kernel is mapped and read"
)]
impl Mapping {
    pub(crate) fn of(
        descriptor: BorrowedFd<'_>,
        offset: u64,
        length: usize,
        protection: ProtFlags,
    ) -> io::Result<Self> {
        // SAFETY: the kernel chooses an address that is free.
        let start = unsafe {
            mmap(
                std::ptr::null_mut(),
                length,
                protection,
                MapFlags::SHARED,
                descriptor,
                offset,
            )
        }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, length })
    }

    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the memory is mapped, aligned to a page and a multiple of one long while `self` lives, and others
        // change it only as atomics allow.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.length / WORD) }
    }

    /// The word at the start: an `unsigned long` of the kernel.
    pub(crate) fn position(&self) -> &AtomicUsize {
        // SAFETY: as in `words`, and a page is larger.
        unsafe { self.start.cast::<AtomicUsize>().as_ref() }
    }
}

#[expect(unsafe_code, reason = "the mapping is this value's alone")]
impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: nothing refers to the memory any more: `words` and `position` borrow `self`.
        if let Err(error) = unsafe { munmap(self.start.as_ptr().cast(), self.length) } {
            tracing::debug!(%error, "a mapping stays");
        }
    }
}

// SAFETY: the memory is only used through atomics, and unmapped once.
#[expect(unsafe_code, reason = "a pointer to memory that any thread may use")]
unsafe impl Send for Mapping {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "a pointer to memory that any thread may use")]
unsafe impl Sync for Mapping {}
