//! `WARN()` and other warnings.

use super::{BEFORE, From, NONE, Needs, POINTER, stack, trace};

/// The frame after the reporting helper that the warning is in.
const CALLER: Needs = POINTER;

heads! {
    "WARNING:" unless ["mand mount option", "XFS (", "WARNING: /", "workqueue cpumask", "data leaks possible"] {
        Lockdep: "WARNING: possible circular locking dependency detected" => "possible deadlock in {F}", super::locking::CHAIN;
        Lockdep: "WARNING: possible recursive locking detected" => "possible deadlock in {F}", super::locking::CHAIN;
        Lockdep: "WARNING: possible irq lock inversion dependency detected" => "possible deadlock in {F}", super::locking::CHAIN;
        Lockdep: "WARNING: {w} -> {w} lock order detected" => "possible deadlock in {F}", super::BELOW;
        IrqLockState: "WARNING: inconsistent lock state" => "inconsistent lock state in {F}", super::locking::AT;
        RcuUsage: "WARNING: suspicious RCU usage" => "WARNING: suspicious RCU usage in {F}", super::locking::RCU;
        BadUnlock: "WARNING: bad unlock balance detected!" => "WARNING: bad unlock balance in {F}", stack(From::Below, "*unlock*");
        Lockdep: "WARNING: held lock freed!" => "WARNING: held lock freed in {F}", stack(From::LockAt, "");
        Lockdep: "WARNING: {*} still has locks held!" => "WARNING: still has locks held in {F}", stack(From::LockAt, "");
        Lockdep: "WARNING: lock held when returning to user space!" => "WARNING: lock held when returning to user space in {F}", stack(From::LockAt, "");
        Lockdep: "WARNING: {*}kernel/locking/lockdep.c:{n}" => "WARNING: locking bug in {F}", trace("lock_* release_sock __release_sock");
        Refcount: "WARNING: {*}lib/refcount.c:{n}" => "WARNING: refcount bug in {F}", stack(From::Pointer, "*refcount*");
        Warning: "WARNING: {*} mm/slab_common.c:{n}" => "WARNING: kmalloc bug in {F}", POINTER;
        Warning: "WARNING: {*}mm/{*}.c:{n} kmalloc" => "WARNING: kmalloc bug in {F}", POINTER;
        Warning: "WARNING: {*}mm/{*}.c:{n} kvmalloc" => "WARNING: kmalloc bug in {F}", POINTER;
        Warning: "WARNING: {*}mm/{*}.c:{n} __kvmalloc" => "WARNING: kmalloc bug in {F}", POINTER;
        Warning: "WARNING: {*}mm/{*}.c:{n} at kvmalloc" => "WARNING: kmalloc bug in {F}", POINTER;
        Warning: "WARNING: {*}mm/{*}.c:{n} at __kvmalloc" => "WARNING: kmalloc bug in {F}", POINTER;
        Usercopy: "WARNING: {*}mm/usercopy.c:{n}" => "WARNING: bad usercopy in {F}", trace("usercopy* check_*");
        Odebug: "WARNING: {*}lib/debugobjects.c:{n}" => "WARNING: ODEBUG bug in {F}", stack(From::Pointer, "*timer* *work* *call_rcu*");
        Warning: "WARNING: {*}lib/kobject.c:{n}" => "WARNING: kobject bug in {F}", POINTER;
        Warning: "WARNING: {*}fs/proc/generic.c:{n}" => "WARNING: proc registration bug in {F}", stack(From::Pointer, "*proc_*");
        Warning: "WARNING: {*}mm/vmalloc.c:{n}{*}__vmalloc_node_range" => "WARNING: zero-size vmalloc in {F}", stack(From::Pointer, "*vmalloc*");
        Warning: "WARNING: {*}drivers/usb/core/urb.c:{n}{*}usb_submit_urb" => "WARNING in {F}/usb_submit_urb", POINTER;
        Warning: "WARNING: at {w} {f}" => "WARNING in {F}", CALLER;
        Warning: "WARNING: CPU: {*} at {w} {f}" => "WARNING in {F}", CALLER;
        Warning: "WARNING: CPU: {*} at {w}" => "WARNING in {F}", CALLER;
        Warning: "WARNING: {*}:{n} at {f}, CPU#" => "WARNING in {F}", CALLER;
        Warning: "WARNING: {*}:{n} at {w}, CPU#" => "WARNING in {F}", CALLER;
        Warning: "WARNING: kernel stack regs at {x} in {w} has bad {w} value" => "WARNING: kernel stack regs has bad {2} value", NONE;
        Warning: "WARNING: kernel stack frame pointer at {x} in" => "WARNING: kernel stack frame pointer has bad value", NONE;
        Warning: "WARNING: kernel stack {*} has bad " => "WARNING: kernel stack regs has bad value", NONE;
        Warning: "WARNING:{$}" => "WARNING: corrupted", BEFORE;
        Warning: "WARNING: {*}" => "WARNING: {0}", NONE;
    }
    // lib/bug.c `report_bug` before 2.6.39 on most architectures; before 2.6.17 with the function.
    "Badness " {
        Warning: "Badness at {w}" => "WARNING in {F}", CALLER;
        Warning: "Badness in {f} at {w}" => "WARNING in {F}", CALLER;
    }
    "NETDEV WATCHDOG:" unless ["WARNING:"] {
        NetTimeout: "NETDEV WATCHDOG:" => "NETDEV WATCHDOG: transmit queue timed out", NONE;
    }
    "unregister_netdevice: waiting for " {
        Other: "unregister_netdevice: waiting for {w} to become free" => "unregister_netdevice: waiting for DEV to become free", NONE;
    }
    ": nobody cared" {
        IrqNobodyCared: "irq {n}: nobody cared" => "irq: nobody cared", super::ANY;
    }
    "VFS: Busy inodes after unmount" {
        Other: "VFS: Busy inodes after unmount" => "VFS: Busy inodes after unmount (use-after-free)", NONE;
    }
}
