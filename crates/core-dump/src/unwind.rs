//! Walking a stack by frame pointers.
//!
//! On both processors a frame pointer is the address of two words: the caller's frame pointer, and where the caller goes on
//! (System V ABI, AMD64 supplement, 3.2.2; Procedure Call Standard for the Arm 64-bit Architecture, 6.4.6). That is how the kernel walks them
//! too (`arch/x86/events/core.c` and `arch/arm64/kernel/perf_callchain.c`: `perf_callchain_user`). Programs that are built without frame
//! pointers have anything in the register: the walk ends where it does not lead up the stack, or to what is no code.

use crate::FRAMES;
use crate::layout::Layout;
use crate::memory::Memory;
use crate::notes::Registers;

/// Bytes of a word.
const WORD: u64 = 8;

/// The instructions of a thread's stack, innermost first; at most [`FRAMES`].
pub(crate) fn stack(thread: &Registers, layout: &Layout, memory: &Memory) -> Vec<u64> {
    let mut stack = vec![thread.instruction];
    let (mut frame, mut lowest) = (thread.frame, thread.stack);
    while stack.len() < FRAMES && frame >= lowest && frame.is_multiple_of(WORD) {
        let words = (
            memory.word(frame),
            frame.checked_add(WORD).and_then(|at| memory.word(at)),
        );
        let (Some(above), Some(caller)) = words else {
            break;
        };
        if !layout.is_code(caller) {
            break;
        }
        stack.push(caller);
        // The caller's frame is behind this one.
        lowest = frame.saturating_add(2 * WORD);
        frame = above;
    }
    stack
}
