//! The path of the running program.
//!
//! `bpf_d_path` is for a few functions only, so the directory entries are walked from the file upwards
//! (`task->mm->exe_file->f_path.dentry`, then `d_parent`), to the root of the file system that the file is on: where that
//! is mounted is left out. A rename in the middle of the walk gives a path that never was; it is told as a hint only.

use core::ptr::addr_of_mut;

use aya_ebpf::helpers::generated::{bpf_get_current_task, bpf_probe_read_kernel_str};
use probe_common::{COMPONENT_BYTES, COMPONENTS, COMPONENTS_CUT};

use crate::offset::{ABSENT, Offset, read_optional};

#[unsafe(no_mangle)]
static EXE_TASK_OFF_MM: Offset = Offset::new(ABSENT);
#[unsafe(no_mangle)]
static EXE_MM_OFF_FILE: Offset = Offset::new(ABSENT);
#[unsafe(no_mangle)]
static EXE_FILE_OFF_DENTRY: Offset = Offset::new(ABSENT);
#[unsafe(no_mangle)]
static EXE_DENTRY_OFF_NAME: Offset = Offset::new(ABSENT);
#[unsafe(no_mangle)]
static EXE_DENTRY_OFF_PARENT: Offset = Offset::new(ABSENT);

/// Writes the names on the way from the program's file up to the root, which is left out, and tells how many there are;
/// [`COMPONENTS_CUT`] when the root was not reached.
///
/// # Safety
/// `path` is memory that the program may write.
#[inline(always)]
pub(crate) unsafe fn take_executable(path: *mut [[u8; COMPONENT_BYTES]; COMPONENTS]) -> u32 {
    let Some(mut dentry) = executable() else {
        return 0;
    };
    let mut index = 0;
    while index < COMPONENTS {
        let Some(parent) = read_optional::<u64>(dentry, &EXE_DENTRY_OFF_PARENT) else {
            break;
        };
        // The root is its own parent.
        if parent == dentry {
            return index as u32;
        }
        let Some(name) = read_optional::<u64>(dentry, &EXE_DENTRY_OFF_NAME) else {
            break;
        };
        // SAFETY: the caller's promise; the helper writes at most one component and fails rather than faults.
        let length = unsafe {
            let component = addr_of_mut!((*path)[index]);
            bpf_probe_read_kernel_str(component.cast(), COMPONENT_BYTES as u32, name as *const _)
        };
        if length <= 1 {
            break;
        }
        dentry = parent;
        index += 1;
    }
    index as u32 | COMPONENTS_CUT
}

/// The directory entry of the file that the running task executes.
#[inline(always)]
fn executable() -> Option<u64> {
    // SAFETY: a helper without arguments.
    let task = unsafe { bpf_get_current_task() };
    let mm = read_optional(task, &EXE_TASK_OFF_MM)?;
    let file = read_optional(mm, &EXE_MM_OFF_FILE)?;
    read_optional(file, &EXE_FILE_OFF_DENTRY)
}
