//! Functions that are never, or only sometimes, the ones at fault.

use crate::fingerprint::base_name;

/// Helpers that report, allocate, lock, copy or compare on behalf of the function that is at fault. A `*` at either
/// end stands for anything.
const HELPERS: &[&str] = &[
    // Reporting and exception entry.
    "dump_stack*",
    "__dump_stack",
    "show_stack*",
    "dump_backtrace*",
    "print_*",
    "panic",
    "__warn*",
    "warn_*",
    "report_bug",
    "fixup_bug*",
    "do_error_trap",
    "do_invalid_op",
    "invalid_op",
    "handle_bug",
    "exc_*",
    "asm_exc_*",
    "do_trap*",
    "page_fault",
    "asm_*",
    "error_entry",
    "do_page_fault",
    "do_user_addr_fault",
    "no_context",
    "bad_area*",
    "__bad_area*",
    "die",
    "__die",
    "oops_*",
    "unwind_backtrace",
    "save_stack*",
    "stack_trace_save*",
    "kasan*",
    "__kasan*",
    "__asan*",
    "__hwasan*",
    "check_memory_region*",
    "kmsan*",
    "__kmsan*",
    "__msan*",
    "kcsan*",
    "__kcsan*",
    "__tsan*",
    "kfence*",
    "__kfence*",
    "ubsan*",
    "__ubsan*",
    "kmemleak*",
    "__sanitizer*",
    "object_err",
    "debug_object*",
    "__debug_object*",
    "debug_check_no_obj*",
    "debug_print_object",
    "lockdep*",
    "check_preemption_disabled",
    "debug_smp_processor_id",
    // Allocation.
    "*alloc*",
    "*kfree*",
    "kmem_cache*",
    "__kmem_cache*",
    "slab_*",
    "kmemdup*",
    "kstrdup*",
    "kvfree*",
    "krealloc*",
    "vfree",
    "__vunmap",
    "qlist_*",
    // Locks and atomics.
    "lock_acquire",
    "__lock_acquire",
    "lock_release",
    "*spin_lock*",
    "*spin_unlock*",
    "*mutex*",
    "*rwsem*",
    "_raw_*",
    "__raw_*",
    "*read_lock*",
    "*write_lock*",
    "atomic_*",
    "atomic64_*",
    "refcount_*",
    "__refcount*",
    "*test_and_set_bit*",
    "register_lock_class",
    "arch_atomic*",
    "instrument_*",
    "queued_*",
    "do_raw_*",
    "down_*",
    "up_*",
    "__up_*",
    "__down_*",
    "mutex_*",
    "rcu_read_*",
    "__read_once*",
    "__write_once*",
    "local_bh*",
    // Strings and memory.
    "mem*",
    "__mem*",
    "str*",
    "__str*",
    "copy_*_user*",
    "_copy_*",
    "__copy_*",
    "*copy_user*",
    "csum_*",
    "check_object_size",
    "__check_object_size",
    // Lists, trees and reference counts.
    "*list_add*",
    "*list_del*",
    "__list_*",
    "list_*",
    "hlist_*",
    "rb_*",
    "*kobject_*",
    "kref_*",
    "kset_*",
    "*_bit",
    "find_*_bit",
    // Timers and work.
    "*timer_sync*",
    "del_timer*",
    "mod_timer*",
    "__mod_timer",
    "*hrtimer*",
    "*flush_work*",
    "*cancel_work*",
    "*queue_work*",
    "*delayed_work*",
];

/// Prefixes that the system call macros put before a call's name.
const SYSCALL_PREFIXES: &[&str] = &[
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
    "do_syscall_*",
    "entry_SYSCALL*",
    "invoke_syscall",
    "el0_svc*",
    "ret_fast_syscall",
    "process_one_work",
    "worker_thread",
    "kthread",
    "ret_from_fork*",
    "vfs_write",
    "__vfs_write",
    "vfs_read",
    "__vfs_read",
    "vfs_ioctl",
    "do_vfs_ioctl",
    "vfs_iter_*",
    "do_iter_*",
    "__fput",
    "____fput",
    "task_work_run",
    "sock_sendmsg*",
    "sock_recvmsg*",
    "__sock_sendmsg",
    "netlink_rcv_skb",
    "rtnetlink_rcv_msg",
    "nfnetlink_rcv_msg",
    "__netif_receive_skb*",
    "netif_receive_skb*",
    "call_timer_fn",
    "tasklet_action*",
    "scheduler_ipi",
    "__do_fault",
    "blkdev_driver_ioctl",
    "__blkdev_driver_ioctl",
    "blkdev_ioctl",
    "new_sync_*",
    "call_*_iter",
    "__run_hrtimer",
    "__hrtimer_run_queues",
    "do_one_initcall",
];

/// Frames of a task that waits.
const WAITS: &[&str] = &[
    "*sched*",
    "*_lock*",
    "*slowlock*",
    "*down*",
    "*rwsem*",
    "*completion*",
    "*kthread*",
    "*wait*",
    "*synchronize*",
    "*context_switch*",
    "__switch_to*",
    "*cancel_delayed_work*",
    "*rcu_barrier*",
    "*mutex*",
];

/// True for a helper, or for a function in `also`.
pub(crate) fn is_skipped(function: &str, also: &[&str]) -> bool {
    let name = base_name(function);
    matches_any(name, HELPERS) || matches_any(name, also)
}

/// True for generic code that calls what a task or CPU is to do.
pub(crate) fn is_entry(function: &str) -> bool {
    matches_any(base_name(function), ENTRIES)
}

/// True for a function that only waits.
pub(crate) fn is_wait(function: &str) -> bool {
    matches_any(base_name(function), WAITS)
}

/// The name under which hangs in a few well-known waits are kept together.
pub(crate) fn hang_bucket(function: &str) -> Option<&'static str> {
    let name = base_name(function);
    match name {
        "rtnl_lock" => Some("rtnl_lock"),
        "synchronize_rcu" | "synchronize_rcu_expedited" | "__synchronize_srcu" | "synchronize_srcu" => {
            Some("synchronize_rcu")
        }
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

/// True when one of `patterns` matches the whole name.
pub(crate) fn matches_any(name: &str, patterns: &[&str]) -> bool {
    patterns.iter().any(|pattern| matches(name, pattern))
}

fn matches(name: &str, pattern: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(_), Some(_)) => name.contains(pattern.trim_matches('*')),
        (Some(end), None) if !end.contains('*') => name.ends_with(end),
        (None, Some(start)) if !start.contains('*') => name.starts_with(start),
        (None, None) if !pattern.contains('*') => name == pattern,
        _ => between(name, pattern),
    }
}

/// A pattern with a `*` inside.
fn between(name: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    pattern.ends_with('*')
        || pattern
            .rsplit('*')
            .next()
            .is_some_and(|last| name.ends_with(last))
}
