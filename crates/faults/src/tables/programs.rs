//! Functions of programs that are never the ones at fault.
//!
//! The lists are words in the language of [`super::skip`]; names are demangled and
//! without glibc's `__GI_`. They are functions of glibc, musl, libgcc,
//! the C++ libraries, `GLib`, the sanitizers and the standard libraries of Rust and Go.

use super::skip::Words;
use std::sync::LazyLock;

/// How a program ends itself, and how what ends it is thrown and unwound.
const ENDING: &[&str] = &[
    // C: abort, assertions, failed checks of the C library and of the compiler's guards.
    "abort raise gsignal kill __kill tkill tgkill pthread_kill* *__pthread_kill* __libc_message* __libc_fatal
     __libc_assert_fail __assert __assert_fail* __assert_perror_fail __assert_rtn malloc_printerr* __fortify_fail* __chk_fail __*_chk_fail
     __stack_chk_fail* __libc_do_syscall syscall __internal_syscall_cancel __syscall_cancel* __nptl_* _dl_signal_* _dl_fatal_printf
     exit _exit _Exit quick_exit __run_exit_handlers",
    // C++.
    "std::terminate* std::abort std::unexpected __cxxabiv1::* __cxa_throw* __cxa_rethrow* __cxa_pure_virtual __cxa_deleted_virtual
     __cxa_bad_cast __gnu_cxx::__verbose_terminate_handler* std::__throw_* std::__glibcxx_assert_fail std::__replacement_assert
     std::__libcpp_* demangling_terminate_handler __clang_call_terminate _Unwind_* __gxx_personality* uw_* unw_* _ULx86_64_* _Ux86_64_*",
    // Rust.
    "rust_panic* rust_begin_unwind __rust_* __rustc::* core::panicking::* std::panicking::* std::panic::* std::rt::begin_panic*
     std::sys::backtrace::* std::sys_common::backtrace::* panic_abort::* panic_unwind::* std::process::abort std::sys::abort_internal
     std::sys::pal::unix::abort_internal core::option::expect_failed core::option::unwrap_failed core::result::unwrap_failed
     core::option::Option<*>::unwrap core::option::Option<*>::expect core::result::Result<*>::unwrap core::result::Result<*>::expect
     core::slice::index::*fail* core::slice::copy_from_slice_impl::* core::str::slice_error_fail* core::cell::panic_*
     alloc::alloc::handle_alloc_error* alloc::raw_vec::handle_error alloc::raw_vec::capacity_overflow std::alloc::*",
    // Go.
    "runtime.raise* runtime.dieFromSignal runtime.sigfwdgo runtime.sigpanic* runtime.sighandler runtime.sigtramp* runtime.gopanic runtime.throw
     runtime.fatal* runtime.crash runtime.panic* runtime.goPanic* runtime.cgoSigtramp",
    // GLib and the sanitizers.
    "g_log* g_abort g_error g_assertion_message* g_return_if_fail_warning _g_log_abort __asan* __lsan* __tsan* __msan* __ubsan* __hwasan*
     __sanitizer* __interceptor_*",
];

/// What works for its caller: memory, strings, locks. The names of copies that are picked for a processor (`__memmove_avx_unaligned_erms`)
/// differ from machine to machine.
const HELPERS: &[&str] = &[
    "memcpy* memmove* memset* memcmp* memchr* memrchr* mempcpy* rawmemchr* bcmp bcopy bzero str*len str*cpy str*cat str*cmp str*chr str*str
     strdup strndup strtok* strspn strcspn strpbrk wcs* wmem* __mem* __str* __wcs* __rawmem* __stp* __bcmp* explicit_bzero*",
    "malloc calloc realloc reallocarray free cfree memalign posix_memalign aligned_alloc valloc __libc_malloc __libc_calloc __libc_realloc
     __libc_free _int_malloc _int_free* _int_realloc _int_memalign unlink_chunk* malloc_consolidate tcache_* sysmalloc systrim
     __malloc_* je_* tc_* mi_* operator*new operator*new[] operator*delete operator*delete[]",
    "pthread_mutex_* __pthread_mutex_* ___pthread_mutex_* __lll_lock_* __futex_* pthread_cond_* ___pthread_cond_* pthread_rwlock_*",
    "core::ptr::drop_in_place* core::ops::function::FnOnce::call_once* alloc::alloc::dealloc __libc_check_standard_fds",
];

/// Where the kernel returns to after a signal's handler.
const TRAMPOLINES: &[&str] = &["__restore_rt __restore __kernel_rt_sigreturn __kernel_sigreturn __vdso_rt_sigreturn __default_rt_sa_restorer
     __default_sa_restorer <signal*handler*called> __sigtramp _sigtramp"];

/// Where programs and threads begin.
const BEGINNINGS: &[&str] = &[
    "_start __libc_start_main* __libc_start_call_main* __libc_csu_init libc_start_main* start_thread clone clone3 __clone __clone3
     thread_start __bionic_clone __pthread_start __start_thread _dl_start* _dl_init* call_init",
    "std::rt::lang_start* lang_start std::sys::thread* std::sys::pal::unix::thread* std::thread::* *__rust_begin_short_backtrace* std::panicking::try*
     execute_native_thread_routine std::execute_native_thread_routine runtime.main runtime.goexit* runtime.mstart* runtime.rt0_go*",
];

static ENDING_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(ENDING));
static HELPER_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(HELPERS));
static TRAMPOLINE_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(TRAMPOLINES));
static BEGINNING_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(BEGINNINGS));

/// True for how a program ends itself, throws or unwinds.
pub(crate) fn is_ending(function: &str) -> bool {
    ENDING_WORDS.match_any(function)
}

/// True for what works for its caller.
pub(crate) fn is_helper(function: &str) -> bool {
    HELPER_WORDS.match_any(function)
}

/// True for where the kernel returns to after a signal's handler.
pub(crate) fn is_trampoline(function: &str) -> bool {
    TRAMPOLINE_WORDS.match_any(function)
}

/// True for where programs and threads begin.
pub(crate) fn is_beginning(function: &str) -> bool {
    BEGINNING_WORDS.match_any(function)
}
