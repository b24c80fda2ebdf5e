//! The forms of heads from 5.10 to 7.x, and facts that samples do not show.

use super::*;
use crate::Class;

/// A stack as x86 prints it.
const STACK: &str = "RIP: 0010:culprit+0x5/0x20 [example]\nCall Trace:\n <TASK>\n ? stale+0x1/0x2\n culprit_caller+0x2b/0x40 [example]\n vfs_write+0xf8/0x450\n </TASK>\n";

fn title(head: &str) -> String {
    parse(&format!("{head}\n{STACK}"))
        .map(|report| report.title)
        .unwrap_or_default()
}

/// A head, and the title of a report that begins with it.
const HEADS: &[(&str, &str)] = &[
    (
        "BUG: kernel NULL pointer dereference, address: 0000000000000008",
        "BUG: unable to handle kernel NULL pointer dereference in culprit",
    ),
    (
        "BUG: unable to handle page fault for address: ffffc90000000000",
        "BUG: unable to handle kernel paging request in culprit",
    ),
    (
        "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008",
        "BUG: unable to handle kernel NULL pointer dereference in culprit",
    ),
    (
        "Unable to handle kernel paging request at virtual address dead000000000122",
        "BUG: unable to handle kernel paging request in culprit",
    ),
    (
        "Internal error: Oops: 0000000096000004 [#1] SMP",
        "Internal error in culprit",
    ),
    (
        "general protection fault, probably for non-canonical address 0xdead000000000122: 0000 [#3] PREEMPT SMP",
        "general protection fault in culprit",
    ),
    (
        "Oops: general protection fault, probably for non-canonical address 0xdead000000000122: 0000 [#3] SMP",
        "general protection fault in culprit",
    ),
    (
        "Oops: divide error: 0000 [#1] PREEMPT SMP NOPTI",
        "divide error in culprit",
    ),
    ("divide error: 0000 [#1] SMP", "divide error in culprit"),
    ("Oops: int3: 0000 [#1] SMP", "int3 in culprit"),
    (
        "kernel BUG at fs/example.c:25!\ninvalid opcode: 0000 [#1] PREEMPT SMP",
        "kernel BUG in culprit",
    ),
    (
        "kernel BUG at fs/example.c:25!\nOops: invalid opcode: 0000 [#1] PREEMPT SMP",
        "kernel BUG in culprit",
    ),
    (
        "kernel BUG at lib/list_debug.c:53!",
        "BUG: corrupted list in culprit",
    ),
    (
        "WARNING: CPU: 1 PID: 77 at fs/example.c:12 culprit+0x5/0x20 [example]",
        "WARNING in culprit",
    ),
    (
        "WARNING: fs/example.c:12 at culprit+0x5/0x20, CPU#1: a b/77",
        "WARNING in culprit",
    ),
    (
        "WARNING: [list_empty(&x)] fs/example.c:12 at culprit+0x5/0x20, CPU#1: a/77",
        "WARNING in culprit",
    ),
    (
        "refcount_t: underflow; use-after-free.\nWARNING: CPU: 1 PID: 77 at lib/refcount.c:28 refcount_warn_saturate+0x1/0x2",
        "WARNING: refcount bug in culprit",
    ),
    (
        "watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [sh:174]",
        "BUG: soft lockup in culprit_caller",
    ),
    (
        "NMI watchdog: Watchdog detected hard LOCKUP on cpu 3",
        "BUG: hard lockup in culprit_caller",
    ),
    (
        "watchdog: CPU3: Watchdog detected hard LOCKUP on cpu 3",
        "BUG: hard lockup in culprit_caller",
    ),
    (
        "rcu: INFO: rcu_preempt self-detected stall on CPU",
        "INFO: rcu detected stall in culprit_caller",
    ),
    (
        "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:",
        "INFO: rcu detected stall in culprit_caller",
    ),
    (
        "INFO: task sh:77 blocked for more than 120 seconds.",
        "INFO: task hung in culprit_caller",
    ),
    (
        "INFO: task kworker/u4:1:77 blocked in I/O wait for more than 120 seconds.",
        "INFO: task hung in culprit_caller",
    ),
    (
        "BUG: sleeping function called from invalid context at mm/example.c:9",
        "BUG: sleeping function called from invalid context in culprit_caller",
    ),
    (
        "BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 33s!",
        "BUG: workqueue lockup",
    ),
    (
        "BUG: Bad page state in process sh  pfn:199e00",
        "BUG: Bad page state in culprit_caller",
    ),
    (
        "sh: page allocation failure: order:4, mode:0xcc0(GFP_KERNEL)",
        "page allocation failure in culprit_caller",
    ),
    (
        "UBSAN: array-index-out-of-bounds in fs/example.c:9:1",
        "UBSAN: array-index-out-of-bounds in culprit_caller",
    ),
    (
        "BUG: KASAN: slab-use-after-free in culprit+0x5/0x20\nRead of size 8 at addr ffff888 by task sh/77",
        "KASAN: slab-use-after-free Read in culprit",
    ),
    (
        "BUG: KCSAN: data-race in first+0x1/0x2 / second+0x3/0x4",
        "KCSAN: data-race in first / second",
    ),
    (
        "WARNING: possible circular locking dependency detected\nsh/77 is trying to acquire lock:\nffff8880 (&x){+.+.}-{3:3}, at: culprit+0x1/0x2",
        "possible deadlock in culprit",
    ),
    (
        "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)",
        "kernel panic: VFS: Unable to mount root fs on unknown-block(NUM,NUM)",
    ),
    (
        "eth0: NETDEV WATCHDOG: CPU: 0: transmit queue 0 timed out 5004 ms",
        "NETDEV WATCHDOG: transmit queue timed out",
    ),
    (
        "unregister_netdevice: waiting for lo to become free. Usage count = 2",
        "unregister_netdevice: waiting for DEV to become free",
    ),
    ("traps: sh[77] general protection fault ip:1 sp:2 error:0", ""),
    ("INFO: lockdep is turned off.", ""),
    ("Boot_DEBUG: start", ""),
];

#[test]
fn heads_of_all_kernels_are_known() {
    for (head, expected) in HEADS {
        assert_eq!(title(head), *expected, "{head}");
    }
}

#[test]
fn facts_are_read_from_any_form() {
    let report = parse(
        "BUG: kernel NULL pointer dereference, address: 0000000000000008\n\
         CPU: 3 UID: 0 PID: 77 Comm: my prog:x Tainted: G      D W  OE      7.2.1-amd64 #1 PREEMPT(lazy)  Debian 7.2.1-1\n\
         Tainted: [D]=DIE, [W]=WARN, [O]=OOT_MODULE, [E]=UNSIGNED_MODULE\n\
         Hardware name: Example Machine/Board, BIOS 1.2 01/01/2026\n\
         RIP: 0010:culprit.isra.0+0x5/0x20 [example]\n\
         RSP: 0018:ff89c3f74041bbf0 EFLAGS: 00000246\n\
         Call Trace:\n caller+0x1/0x2\n\
         RIP: 0033:0x47b7a0\nRSP: 002b:00007fff13786eb8 EFLAGS: 00000202\n\
         Modules linked in: example(OE) loop [last unloaded: other]\n",
    )
    .unwrap();
    assert_eq!(report.class, Class::KernelOops);
    assert_eq!(
        (report.cpu, report.pid, report.comm.as_deref()),
        (Some(3), Some(77), Some("my prog:x"))
    );
    assert_eq!(report.kernel_release.as_deref(), Some("7.2.1-amd64"));
    assert_eq!(report.taint.unwrap().text, "G      D W  OE");
    assert_eq!(
        report.hardware.unwrap().text,
        "Example Machine/Board, BIOS 1.2 01/01/2026"
    );
    let modules: Vec<&str> = report.modules.iter().map(|module| module.name.as_str()).collect();
    assert_eq!(modules, ["example", "loop"]);
    assert_eq!(
        (report.function.as_deref(), report.module.as_deref()),
        (Some("culprit"), Some("example"))
    );
    assert_eq!(report.registers.len(), 2);
    let functions: Vec<&str> = report.traces[0]
        .frames
        .iter()
        .map(|frame| frame.function.as_str())
        .collect();
    assert_eq!(functions, ["culprit.isra.0", "caller"]);
    assert!(!report.corrupted && !report.truncated);
}

#[test]
fn what_is_missing_is_said() {
    let head = "BUG: kernel NULL pointer dereference, address: 0000000000000008\n";
    let cut = parse(&format!("{head}RIP: 0010:culprit+0x5/0x20\n")).unwrap();
    assert!(cut.corrupted && cut.truncated);
    assert!(parse(head).unwrap().title.ends_with("in corrupted"));
    let late = parse("Kernel panic - not syncing: Fatal exception\n").unwrap();
    assert!(late.corrupted);
    let dropped = parse(&format!("{head}** 12 printk messages dropped **\n{STACK}")).unwrap();
    assert!(dropped.corrupted);
    assert!(!parse(&format!("{head}{STACK}")).unwrap().corrupted);
    // Drivers and programs say such things; with a stack it is a report.
    assert_eq!(parse("example: INFO: all is well\n"), None);
    // arch/x86/kernel/cpu/bugs.c, RETBLEED_INTEL_MSG: said at every boot of a processor, not a fault.
    let said =
        "WARNING: Spectre v2 mitigation leaves CPU vulnerable to RETBleed attacks, data leaks possible!\n";
    assert_eq!(parse(said), None);
    assert_eq!(parse(&format!("INFO: odd\n{STACK}")).unwrap().title, "INFO: odd");
}

#[test]
fn an_out_of_memory_kill_names_the_victim() {
    let stack = "CPU: 1 PID: 174 Comm: asker Not tainted 6.12.1 #1\nCall Trace:\n out_of_memory+0x1/0x2\n";
    let cases = [
        (
            "Out of memory: Killed process 184 (my db) total-vm:2260kB, anon-rss:0kB",
            "out of memory: killed my db",
        ),
        (
            "Memory cgroup out of memory: Killed process 184 (my db) total-vm:2260kB",
            "out of memory in a cgroup: killed my db",
        ),
        (
            "Out of memory: Kill process 184 (my db) score 1 or sacrifice child",
            "out of memory: killed my db",
        ),
    ];
    for (last, expected) in cases {
        let report = parse(&format!(
            "asker invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0\n{stack}{last}\n"
        ))
        .unwrap();
        assert_eq!(
            (report.title.as_str(), report.pid, report.comm.as_deref()),
            (expected, Some(184), Some("my db"))
        );
        assert_eq!(parse(last).unwrap().title, expected);
    }
}
