//! Exceptions of the processor, `BUG()` and panics.

use super::{ANY, BAD_ACCESS, BEFORE, From, NONE, POINTER, STACK_OVERFLOW, STALLED, stack, trace};

/// Checks whose `BUG()` is the fault of their caller.
const CHECKS: &str = "fortify_panic __fortify_panic skb_panic skb_over_panic skb_under_panic";

heads! {
    "kernel BUG at " {
        Usercopy: "kernel BUG at mm/usercopy.c" => "BUG: bad usercopy in {F}", trace("usercopy* check_*");
        ListCorruption: "kernel BUG at lib/list_debug.c" => "BUG: corrupted list in {F}", stack(From::Pointer, "*list*");
        Bug: "kernel BUG at {w}" => "kernel BUG in {F}", stack(From::Pointer, CHECKS);
    }
    "Kernel BUG at " {
        Bug: "Kernel BUG at {f}" => "kernel BUG in {F}", stack(From::Pointer, CHECKS);
        Bug: "Kernel BUG at " => "kernel BUG in {F}", stack(From::Pointer, CHECKS);
    }
    "panicked at " {
        Bug: "panicked at " + "{*}" => "{0} in {F}", stack(From::Trace, "rust_* *core*panicking* *rust_begin_unwind*");
    }
    "Unable to handle kernel" {
        NullDereference: "Unable to handle kernel NULL pointer dereference" => "BUG: unable to handle kernel NULL pointer dereference in {F}", POINTER, BAD_ACCESS;
        PageFault: "Unable to handle kernel access to user memory" => "BUG: unable to handle kernel access to user memory in {F}", POINTER, BAD_ACCESS;
        PageFault: "Unable to handle kernel" => "BUG: unable to handle kernel paging request in {F}", POINTER, BAD_ACCESS;
    }
    "general protection fault" unless ["traps:"] {
        GeneralProtection: "general protection fault" => "general protection fault in {F}", POINTER, BAD_ACCESS;
    }
    "stack segment: " unless ["traps:"] {
        Trap: "stack segment: " => "stack segment fault in {F}", POINTER;
    }
    "divide error: " unless ["traps:"] {
        DivideError: "divide error: " => "divide error in {F}", POINTER;
    }
    "invalid opcode: " unless ["traps:"] {
        Trap: "invalid opcode: " => "invalid opcode in {F}", POINTER;
    }
    "int3: " unless ["traps:"] {
        Trap: "int3: " => "int3 in {F}", POINTER;
    }
    "Oops: " unless ["Internal error"] {
        GeneralProtection: "Oops: general protection fault" => "general protection fault in {F}", POINTER, BAD_ACCESS;
        Trap: "Oops: stack segment" => "stack segment fault in {F}", POINTER;
        DivideError: "Oops: divide error: 0000 [#" => "divide error in {F}", POINTER;
        Trap: "Oops: {*}: 0000 [#" => "{0} in {F}", POINTER;
        PageFault: "Oops: " => "Oops in {F}", POINTER;
    }
    // arch/riscv/kernel/traps.c `do_trap_error`.
    "Oops - " unless ["Internal error"] {
        Trap: "Oops - {*} [#" => "Oops - {0} in {F}", POINTER;
    }
    // arch/parisc/kernel/traps.c `parisc_terminate`.
    "Kernel Fault: Code=" {
        PageFault: "Kernel Fault: Code=" => "Kernel Fault in {F}", POINTER, BAD_ACCESS;
    }
    // arch/mips/kernel/traps.c `do_trap_or_bp`.
    "Kernel bug detected[#" {
        Bug: "Kernel bug detected[#" => "kernel BUG in {F}", stack(From::Pointer, CHECKS);
    }
    // What `die` prints of any exception: arch/s390/kernel/dumpstack.c (`%s: %04x ilc:%d [#%d]`), arch/x86
    // (`%s: %04lx [#%d]`), arch/mips and arch/loongarch (`%s[#%d]:`).
    "[#" {
        DivideError: "fixed point divide exception: {x} " => "fixed point divide exception in {F}", POINTER;
        Trap: "{*}: {x} ilc:{n} [#" => "{0} in {F}", POINTER;
        Trap: "{*}: {x} [#{n}]" => "{0} in {F}", POINTER;
        Trap: "{*}[#{n}]:" => "{0} in {F}", POINTER;
    }
    "PANIC: double fault" {
        DoubleFault: "PANIC: double fault" => "PANIC: double fault in {F}", POINTER;
    }
    "Internal error:" {
        Trap: "Internal error:" => "Internal error in {F}", POINTER, BAD_ACCESS;
    }
    "Unhandled fault:" {
        Trap: "Unhandled fault:" => "Unhandled fault in {F}", POINTER, BAD_ACCESS;
    }
    "Alignment trap:" {
        Trap: "Alignment trap:" => "Alignment trap in {F}", POINTER;
    }
    "Insufficient stack space to handle exception" {
        StackOverflow: "Insufficient stack" => "kernel stack overflow in {F}", STALLED, STACK_OVERFLOW;
    }
    "kernel stack overflow" unless ["Kernel panic"] {
        StackOverflow: "kernel stack overflow" => "kernel stack overflow in {F}", STALLED, STACK_OVERFLOW;
    }
    "Kernel panic - not syncing:" {
        Panic: "stack-protector: Kernel stack is corrupted in: {f}" => "kernel panic: stack is corrupted in {F}", NONE;
        Panic: "not syncing: corrupted stack end detected inside scheduler" => "kernel panic: corrupted stack end in {F}", STALLED, STACK_OVERFLOW;
        StackOverflow: "not syncing: kernel stack overflow" => "kernel stack overflow in {F}", STALLED, STACK_OVERFLOW;
        Panic: "not syncing: Attempted to kill init!" => "kernel panic: Attempted to kill init!", ANY;
        Panic: "not syncing: Fatal exception" => "kernel panic: Fatal exception", BEFORE;
        Panic: "not syncing: panic_on_warn set" => "kernel panic: panic_on_warn set", BEFORE;
        Panic: "not syncing: hung_task: blocked tasks" => "kernel panic: hung_task: blocked tasks", BEFORE;
        Panic: "not syncing: softlockup: hung tasks" => "kernel panic: softlockup: hung tasks", BEFORE;
        Panic: "not syncing: RCU Stall" => "kernel panic: RCU Stall", BEFORE;
        Panic: "not syncing: Couldn't open N_TTY ldisc for" => "kernel panic: Couldn't open N_TTY ldisc", ANY;
        Panic: "not syncing: {*}" => "kernel panic: {0}", ANY;
    }
    "trusty: panic" {
        Other: "trusty: panic {*} ASSERT FAILED at {w} {*}" => "trusty: ASSERT FAILED: {2}", NONE;
        Other: "trusty: panic (caller {w} {*}" => "trusty: panic: {1}", NONE;
        Other: "trusty: panic" => "trusty: panic", NONE;
    }
}
