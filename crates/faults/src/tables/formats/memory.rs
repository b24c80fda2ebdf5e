//! `BUG:` reports, sanitizers, allocation failures, the out-of-memory killer, machine checks.

use super::{
    ANY, BAD_ACCESS, BEFORE, BELOW, From, INVALID_FREE, NONE, Needs, POINTER, STACK_OVERFLOW, STALL, STALLED,
    TRACE, stack, trace,
};

/// A leak is the fault of who asked for the memory.
const LEAK: Needs = stack(
    From::Trace,
    "*alloc* *create_chunk* idr_* ida_* radix_tree_* kobject_* kvasprintf* kmemleak* create_object",
);

/// A file system that is busy, by its name.
const UNMOUNT: &[&str] = &["BUG: Dentry still in use [unmount of {2}]"];

heads! {
    "BUG:" {
        Kasan: "BUG: KASAN: double-free or invalid-free in {f}" => "KASAN: invalid-free in {F}", TRACE, INVALID_FREE;
        Kasan: "BUG: KASAN: double-free in {f}" => "KASAN: invalid-free in {F}", TRACE, INVALID_FREE;
        Kasan: "BUG: KASAN: invalid-free in {f}" => "KASAN: invalid-free in {F}", TRACE, INVALID_FREE;
        Kasan: "BUG: KASAN: {w} in {f}" + "Read of size {n}" => "KASAN: {0} Read in {F}", TRACE, BAD_ACCESS;
        Kasan: "BUG: KASAN: {w} in {f}" + "Write of size {n}" => "KASAN: {0} Write in {F}", TRACE, BAD_ACCESS;
        Kasan: "BUG: KASAN: {w} in {f}" + "Read at addr" => "KASAN: {0} Read in {F}", TRACE, BAD_ACCESS;
        Kasan: "BUG: KASAN: {w} in {f}" + "Write at addr" => "KASAN: {0} Write in {F}", TRACE, BAD_ACCESS;
        Kasan: "BUG: KASAN: {w} on address" + "Read of size {n}" => "KASAN: {0} Read", ANY;
        Kasan: "BUG: KASAN: {w} on address" + "Write of size {n}" => "KASAN: {0} Write", ANY;
        Kasan: "BUG: KASAN: {*}" => "KASAN: {0}", BEFORE;
        Kmsan: "BUG: KMSAN: kernel-usb-infoleak in {f}" => "KMSAN: kernel-usb-infoleak in {F}", BELOW, BAD_ACCESS;
        Kmsan: "BUG: KMSAN: {w} in {f}" => "KMSAN: {0} in {F}", BELOW, BAD_ACCESS;
        Kcsan: "BUG: KCSAN: data-race in {f} / {f}" => "KCSAN: data-race in {0} / {1}", BELOW;
        Kcsan: "BUG: KCSAN: data-race in {f}" => "KCSAN: data-race in {F}", BELOW;
        Kcsan: "BUG: KCSAN: assert: race in {f} / {f}" => "KCSAN: assert: race in {0} / {1}", BELOW;
        Kcsan: "BUG: KCSAN: assert: race in {f}" => "KCSAN: assert: race in {F}", BELOW;
        Kcsan: "BUG: KCSAN: {*}" => "KCSAN: {0}", NONE;
        Kfence: "BUG: KFENCE: memory corruption in {f}" => "KFENCE: memory corruption in {F}", BELOW;
        Kfence: "BUG: KFENCE: invalid free in {f}" => "KFENCE: invalid free in {F}", BELOW, INVALID_FREE;
        Kfence: "BUG: KFENCE: {w} {w} in {f}" => "KFENCE: {0} {1} in {F}", BELOW, BAD_ACCESS;
        NullDereference: "BUG: unable to handle kernel NULL pointer dereference" => "BUG: unable to handle kernel NULL pointer dereference in {F}", POINTER, BAD_ACCESS;
        NullDereference: "BUG: kernel NULL pointer dereference" => "BUG: unable to handle kernel NULL pointer dereference in {F}", POINTER, BAD_ACCESS;
        NullDereference: "BUG: Kernel NULL pointer dereference" => "BUG: unable to handle kernel NULL pointer dereference in {F}", POINTER, BAD_ACCESS;
        PageFault: "BUG: unable to handle kernel paging request" => "BUG: unable to handle kernel paging request in {F}", POINTER, BAD_ACCESS;
        PageFault: "BUG: unable to handle page fault for address" => "BUG: unable to handle kernel paging request in {F}", POINTER, BAD_ACCESS;
        PageFault: "BUG: Unable to handle kernel" => "BUG: unable to handle kernel paging request in {F}", POINTER, BAD_ACCESS;
        PageFault: "BUG: unable to handle kernel" => "BUG: unable to handle kernel", BEFORE;
        StackOverflow: "BUG: stack guard page was hit" => "BUG: stack guard page was hit in {F}", STALLED, STACK_OVERFLOW;
        StackOverflow: "BUG: {w} stack guard page was hit" => "BUG: {0} stack guard page was hit in {F}", STALLED, STACK_OVERFLOW;
        BadPage: "BUG: Bad page state" => "BUG: Bad page state in {F}", trace("bad_page* free_*_page* *folio*");
        BadPage: "BUG: Bad page map" => "BUG: Bad page map", ANY;
        BadPage: "BUG: Bad rss-counter state" => "BUG: Bad rss-counter state", NONE;
        BadPage: "BUG: non-zero {w} on freeing mm" => "BUG: non-zero {0} on freeing mm", NONE;
        AtomicSleep: "BUG: scheduling while atomic" => "BUG: scheduling while atomic in {F}", trace("*sched* *cond_resched*");
        AtomicSleep: "BUG: sleeping function called from invalid context" => "BUG: sleeping function called from invalid context in {F}", trace("*might_* *cond_resched*");
        SoftLockup: "BUG: soft lockup" => "BUG: soft lockup in {F}", STALLED, STALL;
        AtomicSleep: "BUG: workqueue leaked" + "last function: {w}" => "BUG: workqueue leaked lock or atomic in {0}", NONE;
        WorkqueueLockup: "BUG: workqueue lockup" => "BUG: workqueue lockup", NONE;
        BugReport: "BUG: spinlock {*} on CPU" => "BUG: spinlock {0} in {F}", trace("*spin*");
        BugReport: "BUG: rwlock {*} on CPU" => "BUG: rwlock {0} in {F}", trace("*spin* *_lock* rwlock_bug*");
        BugReport: "BUG: using {w} in preemptible" => "BUG: using {0} in preemptible code in {F}", trace("*this_cpu* *processor_id* *preempt*");
        BadUnlock: "BUG: bad unlock balance detected!" => "BUG: bad unlock balance in {F}", stack(From::Below, "*unlock*");
        Lockdep: "BUG: held lock freed!" => "BUG: held lock freed in {F}", stack(From::LockAt, "");
        Lockdep: "BUG: {*} still has locks held!" => "BUG: still has locks held in {F}", stack(From::LockAt, "");
        Lockdep: "BUG: lock held when returning to user space!" => "BUG: lock held when returning to user space in {F}", stack(From::LockAt, "");
        Lockdep: "BUG: Invalid wait context" => "WARNING: locking bug in {F}", trace("lock_* release_sock __release_sock");
        MemoryLeak: "BUG: memory leak" => "memory leak in {F}", LEAK;
        BugReport: "BUG: Dentry {*}still in use {w} [unmount of {*}]" => "BUG: Dentry still in use in unmount", ANY, UNMOUNT;
        Warning: "BUG: warning at {*}:{n}/{i}" => "WARNING in {F}", POINTER;
        BugReport: "BUG:{$}" => "BUG: corrupted", BEFORE;
        BugReport: "BUG: {*}" => "BUG: {0}", ANY;
    }
    "BUG " unless ["BUG UNIX", "kasan: bad access detected"] {
        BugReport: "BUG {w} ({*}): {*}" => "BUG: {2}", ANY;
    }
    "UBSAN:" {
        Ubsan: "UBSAN: Undefined behaviour in" => "UBSAN: undefined-behaviour in {F}", TRACE;
        Ubsan: "UBSAN: {w} in" => "UBSAN: {0} in {F}", TRACE;
    }
    "unreferenced object" {
        MemoryLeak: "unreferenced object" => "memory leak in {F}", LEAK;
    }
    ": page allocation failure" {
        AllocFailure: "page allocation failure" => "page allocation failure in {F}", trace("*alloc*");
    }
    "invoked oom-killer" {
        OomKill: "invoked oom-killer" + "Memory cgroup out of memory: Kill{*} process {n} ({*})" => "out of memory in a cgroup: killed {2}", NONE;
        OomKill: "invoked oom-killer" + "Out of memory: Kill{*} process {n} ({*})" => "out of memory: killed {2}", NONE;
        OomKill: "invoked oom-killer" + "Out of memory ({*}): Kill{*} process {n} ({*})" => "out of memory: killed {3}", NONE;
        OomKill: "invoked oom-killer" => "out of memory", NONE;
    }
    "Out of memory: Kill" {
        OomKill: "Out of memory: Kill{*} process {n} ({*})" => "out of memory: killed {2}", NONE;
    }
    "Memory cgroup out of memory: Kill" {
        OomKill: "Memory cgroup out of memory: Kill{*} process {n} ({*})" => "out of memory in a cgroup: killed {2}", NONE;
    }
    "Machine Check: " {
        MachineCheck: "Machine Check: " => "machine check", NONE;
    }
    "Machine Check Exception: " {
        MachineCheck(Critical): "Machine Check Exception: " => "machine check", NONE;
    }
}
