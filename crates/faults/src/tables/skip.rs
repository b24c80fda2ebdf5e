//! Functions that are never, or only sometimes, the ones at fault.
//!
//! A function that checks, reports, allocates, locks, copies, compares, prints or keeps a list on behalf of its caller
//! is not where a fault is looked for. The lists are words; a `*` stands for anything. Where
//! syzbot's titles depend on it, the functions are those of google/syzkaller, `pkg/report/linux.go` (Apache-2.0).

use crate::bytes::contains;
use crate::fingerprint::base_name;
use crate::report::SkipRule;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Reporting, and the exceptions through which a report comes.
const REPORTING: &[&str] = &[
    "dump_stack* __dump_stack show_stack* show_regs* dump_backtrace* walk_stackframe unwind_backtrace print_* panic nmi_panic",
    "check_panic_on_warn __warn* warn_* report_bug fixup_bug* bug_handler brk_handler do_debug_exception do_error_trap *_trap",
    "do_trap* do_invalid_op invalid_op handle_bug exc_* asm_exc_* page_fault error_entry do_page_fault do_user_addr_fault",
    "no_context bad_area* die __die oops_* handle_bad_stack __bad_stack panic_bad_stack program_check_* trace_hardirqs_*",
    "__do_kernel_fault do_bad_area do_translation_fault do_tag_check_fault do_mem_abort el1_* el1h_* should_fail* assertfail",
    "btrfs_assertfail perf_trace_*",
];

/// Helpers that are skipped everywhere.
const HELPERS: &[&str] = &[
    // Sanitizers and checkers.
    "kasan* __kasan* __asan* __hwasan* check_memory_region* kmsan* __kmsan* __msan* msan_* kcsan* __kcsan* __tsan* kfence* __kfence*",
    "ubsan* __ubsan* handle_overflow kmemleak* create_object __sanitizer* object_err debug_object* __debug_object* debug_check_no_*",
    "debug_print_object timer_is_static_object work_is_static_object lockdep* check_preemption_disabled __this_cpu_preempt_check",
    "debug_smp_processor_id ref_tracker_* __phys_addr* __virt_to_phys* __virt_addr_valid metadata_is_contiguous read_word_at_a_time",
    "__read_once_word_nocheck",
    // Allocation and freeing.
    "*kmalloc* kzalloc* kcalloc* kmem_cache* __kmem_cache* slab_* __slab_* ___slab_* new_slab* allocate_slab kfree* __kfree* kvfree*",
    "kvmalloc* __kvmalloc* krealloc* __krealloc* kmemdup* *kstrdup* vmalloc* __vmalloc* vzalloc* vfree* __vunmap* vunmap* alloc_pages*",
    "__alloc_pages* __alloc_frozen* folio_alloc* get_page_from_freelist post_alloc_hook* *get_free_pages* free_unref_* free_pages*",
    "__free_pages* pcpu_* *alloc_percpu* free_percpu __page_pool_alloc* page_pool_alloc*",
    // Locks, atomics, reference counts, waiting.
    "lock_acquire* __lock_acquire* lock_release* reacquire_held_locks register_lock_class look_up_lock_class hlock_class mark_lock*",
    "validate_chain *spin_lock* *spin_unlock* *spin_trylock* _raw_* __raw_* do_raw_* queued_* osq_* mutex_* __mutex_* *rwsem*",
    "*read_lock* *write_lock* down down_read* down_write* down_trylock down_interruptible down_killable down_timeout up up_read up_write",
    "__up_read __up_write __down_* rcu_read_* local_bh_* __local_bh_* atomic_add* atomic_sub* atomic_inc* atomic_dec* atomic_read*",
    "atomic_set* atomic_fetch* atomic_try* atomic_cmpxchg* atomic_xchg* atomic_long_* atomic64_* arch_atomic* _atomic_dec* instrument_*",
    "refcount_* __refcount* kref_* __wake_up* finish_wait prepare_to_wait* __might_* ___might_* might_* kthread_stop",
    // Strings, memory, user memory, formatting.
    "memcpy* memset* memmove* memcmp* memchr* memscan memdup_* __memcpy* __memset* __memmove* strcmp strncmp strcpy strncpy strlcpy",
    "strscpy* sized_strscpy* strlen strnlen strchr* strrchr strnchr strstr strnstr strsep strspn strcspn strcat strlcat strcasecmp",
    "strncasecmp _copy_* __copy_user* __copy_from_* __copy_to_* copy_*_user* *copy_user* __put_user* __get_user_*",
    "put_user get_user clear_user __clear_user copyin copyout copy_page_to_iter* copy_page_from_iter* simple_copy_* rep_movs* rep_stos*",
    "csum_partial* crc32* jhash* siphash* check_object_size __check_object_size __check_heap_object vsnprintf vscnprintf snprintf",
    "scnprintf kvasprintf* kasprintf* string string_nocheck hex_string pointer number hex_dump_to_buffer",
    "_dev_* *printk* test_bit *find_*_bit* *_test_and_*bit*",
    // Lists and tables.
    "*list_add* *list_del* list_replace* list_move* list_splice* __list_* xa_* __xa_* xas_* rhashtable_* __rhashtable_* rht_* rhltable_*",
    "rb_erase* rb_insert_color* rb_first* rb_next rb_prev __rb_*",
    // Objects of the driver core, network devices and buses that come or go.
    "kobject_* __kobject_* add_uevent_var device_add device_del device_unregister device_destroy device_remove_file device_for_each_child",
    "get_device_parent get_device put_device dpm_sysfs_remove sysfs_remove* tty_unregister_device hwrng_unregister i2c_del_adapter",
    "__unregister_client rollback_registered* unregister_netdev* usb_kill_* usb_submit_urb usb_start_wait_urb usb_bulk_msg",
    "usb_interrupt_msg usb_control_msg* usb_hcd_submit_urb skb_put* skb_pull* skb_push* skb_trim* skb_panic skb_over_panic",
    "skb_under_panic",
    // Pages, inodes and names of files.
    "folio_unlock unlock_page __filemap_get_folio* filemap_alloc_folio* pagecache_get_page* find_lock_entries find_get_entries",
    "find_or_create_page grab_cache_page* read_cache_page* do_read_cache_* truncate_inode_pages* drop_nlink clear_nlink inc_nlink",
    "set_nlink dput fast_dput",
    // Timers, work, deferred calls.
    "*timer_sync* del_timer* timer_delete* try_to_del_timer* mod_timer* __mod_timer lock_timer_base hrtimer_start* hrtimer_cancel",
    "hrtimer_try_to_cancel flush_work* __flush_work* flush_delayed_work drain_workqueue destroy_workqueue cancel_work* __cancel_work*",
    "cancel_delayed_work* try_to_grab_pending queue_work* __queue_work* queue_delayed_work* __queue_delayed_work mod_delayed_work*",
    "call_rcu* __call_rcu* kvfree_call_rcu",
    // Ciphers that others use.
    "crypto_cipher_* crypto_rng_* crypto_shash_* crypto_sha* drbg_* aes_* aesti_* cipher_crypt_* rng_setkey",
    // Thunks of the compiler and the entry code.
    "*_indirect_thunk_* __x86_return_thunk __switch_to* preempt_schedule* retint_* ret_from_intr",
];

/// Prefixes that the system call macros put before a call's name.
const SYSCALL_PREFIXES: [&str; 17] = [
    "SYSC_",
    "SyS_",
    "sys_",
    "____sys_",
    "___sys_",
    "__sys_",
    "__se_",
    "__se_sys_",
    "__do_sys_",
    "__x64_",
    "__ia32_",
    "__arm64_",
    "__riscv_",
    "__s390x_",
    "compat_SYSC_",
    "compat_SyS_",
    "ksys_",
];

/// Where the kernel's generic code hands a task or a CPU over to what it is to do.
const ENTRIES: &[&str] = &[
    "do_syscall_* entry_SYSCALL* entry_INT80* invoke_syscall el0_svc* ret_fast_syscall do_fast_syscall* do_int80* x64_sys_call
     process_one_work worker_thread kthread ret_from_fork* vfs_write __vfs_write vfs_read __vfs_read vfs_ioctl do_vfs_ioctl vfs_iter_*
     do_iter_* __fput ____fput task_work_run sock_sendmsg* __sock_sendmsg sock_recvmsg* rtnetlink_rcv_msg nfnetlink_rcv_msg
     __netif_receive_skb* netif_receive_skb* call_timer_fn expire_timers *_run_timers run_timer_softirq run_ksoftirqd
     smpboot_thread_fn start_secondary cpu_startup_entry call_mmap mmap_region do_mmap do_dentry_open vfs_open sock_release __sock_release
     __sys_setsockopt kernel_setsockopt sock_common_setsockopt __sys_listen kernel_listen sk_common_release sock_mmap __sys_accept*
     kernel_accept sock_do_ioctl sock_ioctl tasklet_action* scheduler_ipi __do_fault
     blkdev_driver_ioctl __blkdev_driver_ioctl blkdev_ioctl *compat_ioctl new_sync_* call_*_iter __run_hrtimer __hrtimer_run_queues do_one_initcall
     __do_softirq handle_softirqs do_softirq* irq_exit* exit_to_user*",
];

/// Where an architecture enters the kernel, or begins a task, a CPU or the machine.
const KERNEL_ENTRIES: &[&str] = &[
    // x86.
    "entry_SYS* entry_INT80* *do_syscall_* syscall_exit_to_user_mode* *do_fast_syscall_32 x64_sys_call ia32_sys_call secondary_startup_64*
     x86_64_start_* start_kernel",
    // arm64 and arm.
    "el0t_* el0_* do_el0_* *invoke_syscall ret_to_user secondary_start_kernel __secondary_switched __primary_switched ret_fast_syscall
     __sys_trace_return",
    // riscv, s390x, powerpc, loongarch, mips.
    "ret_from_syscall* do_trap_ecall_u handle_exception smp_callin __do_syscall system_call* ret_from_kernel_* start_kernel_thread
     start_secondary_prolog interrupt_return* handle_sys* syscall_common syscall_trace_exit",
    "ret_from_fork* ret_from_exception kernel_init kernel_init_freeable rest_init",
];

/// Where something else is interrupted to run what is above, or softirqs begin, which anyone may come to run.
const INTERRUPTS: &[&str] = &[
    "asm_sysvec_* sysvec_* *apic_timer_interrupt asm_common_interrupt common_interrupt asm_call_irq_on_stack asm_call_on_stack asm_exc_nmi
     do_IRQ ret_from_intr call_function_single_interrupt call_function_interrupt reschedule_interrupt",
    "el1_irq el1_interrupt el1h_64_irq* el0_irq* el0_interrupt* el0t_*_irq* __irq_svc __irq_usr gic_handle_irq handle_domain_irq",
    "do_irq do_riscv_irq riscv_intc_irq do_io_irq do_ext_irq timer_interrupt __do_irq hardware_interrupt_common*",
    "__do_softirq handle_softirqs __softirqentry_text_start ____do_softirq do_softirq* irq_exit*",
];

/// Frames of a task that waits.
const WAITS: &[&str] = &[
    "*sched* *_lock* *slowlock* *down* *rwsem* *completion* *kthread* *wait* *synchronize* *context_switch* *switch_to* *cancel_delayed_work*
     *rcu_barrier* *mutex*",
];

/// The tick's functions that find a stall.
const DETECTORS: &[&str] = &[
    "rcu_check_callbacks rcu_sched_clock_irq rcu_pending check_cpu_stall print_cpu_stall print_other_cpu_stall rcu_dump_cpu_stacks
     update_process_times watchdog_timer_fn",
];

/// The way from an interrupt's entry to the tick.
const TICKS: &[&str] = &[
    "rcu_* check_cpu_stall print_*_stall update_process_times tick_* *hrtimer* *apic_timer_interrupt* *sysvec* asm_* call_on_*stack
     *irq* arch_timer_* gic_* el1_* el1h_* handle_percpu_* generic_handle_* do_interrupt_handler watchdog_timer_fn xen_* *timer_interrupt*
     run_posix_cpu_timers timer_handler",
];

/// A word of a list, by where its `*` is.
#[derive(Debug)]
enum Word {
    Exact(&'static str),
    Start(&'static str),
    End(&'static str),
    Inside(&'static str),
    /// Parts in this order, the first at the start and the last at the end.
    Parts(Vec<&'static str>),
}

/// Many words, found by the first two bytes where they have them.
#[derive(Debug)]
pub(super) struct Words {
    by_start: BTreeMap<[u8; 2], Vec<Word>>,
    others: Vec<Word>,
}

static REPORTING_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(REPORTING));
static HELPER_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(HELPERS));
static ENTRY_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(ENTRIES));
static KERNEL_ENTRY_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(KERNEL_ENTRIES));
static INTERRUPT_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(INTERRUPTS));
static WAIT_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(WAITS));
static DETECTOR_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(DETECTORS));
static TICK_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(TICKS));

/// True for a helper, or for a function in the list `also`.
pub(crate) fn is_skipped(function: &str, also: &'static str) -> bool {
    rule(function, also).is_some()
}

/// The rule that passes over a function.
pub(crate) fn rule(function: &str, also: &'static str) -> Option<SkipRule> {
    let name = base_name(function);
    if is_reporting(name) {
        Some(SkipRule::Reporting)
    } else if HELPER_WORDS.match_any(name) {
        Some(SkipRule::Helper)
    } else {
        let is_word = also.split_whitespace().any(|text| word(text).matches(name));
        is_word.then_some(SkipRule::Format)
    }
}

/// True for the functions that print a report and those that lead to them.
pub(crate) fn is_reporting(function: &str) -> bool {
    let name = base_name(function);
    REPORTING_WORDS.match_any(name)
}

/// True for generic code that calls what a task or CPU is to do.
pub(crate) fn is_entry(function: &str) -> bool {
    ENTRY_WORDS.match_any(base_name(function))
}

/// True for where an architecture enters the kernel, or begins a task or a CPU.
pub(crate) fn is_kernel_entry(function: &str) -> bool {
    KERNEL_ENTRY_WORDS.match_any(base_name(function))
}

/// True for where something else was interrupted, and for where softirqs begin.
pub(crate) fn is_interrupt(function: &str) -> bool {
    INTERRUPT_WORDS.match_any(base_name(function))
}

/// True for a function that only waits.
pub(crate) fn is_wait(function: &str) -> bool {
    WAIT_WORDS.match_any(base_name(function))
}

/// True for the functions that find a stall.
pub(crate) fn is_detector(function: &str) -> bool {
    DETECTOR_WORDS.match_any(base_name(function))
}

/// True for functions between an interrupt's entry and the tick.
pub(crate) fn is_tick(function: &str) -> bool {
    TICK_WORDS.match_any(base_name(function))
}

/// The name under which hangs in a few well-known waits are kept together.
pub(crate) fn hang_bucket(function: &str) -> Option<&'static str> {
    match base_name(function) {
        "rtnl_lock" => Some("rtnl_lock"),
        "synchronize_rcu"
        | "synchronize_rcu_expedited"
        | "__synchronize_srcu"
        | "synchronize_srcu"
        | "synchronize_sched"
        | "__wait_rcu_gp" => Some("synchronize_rcu"),
        _ => None,
    }
}

/// The name without the longest of the system call prefixes; the names with less taken off go to `others`.
pub(crate) fn without_syscall_prefix<'n>(name: &'n str, others: &mut Vec<String>) -> &'n str {
    let rests = SYSCALL_PREFIXES
        .iter()
        .filter_map(|prefix| name.strip_prefix(prefix))
        .filter(|rest| !rest.is_empty());
    let Some(shortest) = rests.clone().min_by_key(|rest| rest.len()) else {
        return name;
    };
    others.push(name.to_owned());
    others.extend(rests.filter(|rest| *rest != shortest).map(str::to_owned));
    shortest
}

impl Words {
    pub(super) fn new(lists: &[&'static str]) -> Self {
        let mut words = Self {
            by_start: BTreeMap::new(),
            others: Vec::new(),
        };
        for word in lists.iter().flat_map(|list| list.split_whitespace()).map(word) {
            match word.start() {
                Some(start) => words.by_start.entry(start).or_default().push(word),
                None => words.others.push(word),
            }
        }
        words
    }

    pub(super) fn match_any(&self, name: &str) -> bool {
        let start = name.as_bytes().first_chunk();
        let same_start = start.and_then(|start| self.by_start.get(start));
        let mut words = same_start.into_iter().flatten().chain(&self.others);
        words.any(|word| word.matches(name))
    }
}

fn word(text: &'static str) -> Word {
    let inner = text.trim_matches('*');
    if inner.contains('*') {
        return Word::Parts(text.split('*').collect());
    }
    match (text.starts_with('*'), text.ends_with('*')) {
        (false, false) => Word::Exact(inner),
        (false, true) => Word::Start(inner),
        (true, false) => Word::End(inner),
        (true, true) => Word::Inside(inner),
    }
}

impl Word {
    fn start(&self) -> Option<[u8; 2]> {
        match self {
            Self::Exact(text) | Self::Start(text) => text.as_bytes().first_chunk().copied(),
            Self::End(_) | Self::Inside(_) | Self::Parts(_) => None,
        }
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(text) => name == *text,
            Self::Start(text) => name.starts_with(text),
            Self::End(text) => name.ends_with(text),
            Self::Inside(text) => contains(name, text),
            Self::Parts(parts) => parts_match(parts, name),
        }
    }
}

fn parts_match(parts: &[&str], name: &str) -> bool {
    let [first, middle @ .., last] = parts else {
        return false;
    };
    let Some(rest) = name.strip_prefix(first) else {
        return false;
    };
    let Some(mut rest) = rest.strip_suffix(last) else {
        return false;
    };
    middle.iter().all(|part| {
        let found = rest.find(part);
        rest = found
            .and_then(|at| rest.get(at + part.len()..))
            .unwrap_or_default();
        found.is_some()
    })
}
