//! What the C library does with memory that was freed.

/// Has all threads share one arena of the C library's allocator. By itself it makes one for nearly each thread, each of which keeps what
/// was freed in it; threads here wait more than they allocate. Must be called before there are threads.
pub fn share_arena() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "a function of the C library without a wrapper")]
    // SAFETY: it changes a setting of the allocator, under the allocator's lock.
    let _unknown_setting = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

/// Gives pages back to the kernel on which nothing is allocated any more: after work that takes much memory and is not done again soon.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "a function of the C library without a wrapper")]
    // SAFETY: it looks for free pages under the allocator's lock and changes nothing that is allocated.
    let _nothing_to_give = unsafe { libc::malloc_trim(0) };
}
