//! Core dumps that this host's kernel writes.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::fs;
use std::path::Path;
use std::process::Command;

use core_dump::{Dump, read};

/// Three threads that wait, and one that reads an address that is not mapped, in a function that another one called.
const PROGRAM: &str = "
#include <pthread.h>
#include <unistd.h>
static pthread_barrier_t all;
static int inner(volatile int *p) { return *p + 1; }
static int outer(volatile int *p) { return inner(p) + 2; }
static void *wait_here(void *x) { pthread_barrier_wait(&all); pause(); return x; }
int main(void) {
	pthread_t thread;
	pthread_barrier_init(&all, 0, 4);
	for (int i = 0; i < 3; i++) pthread_create(&thread, 0, wait_here, 0);
	pthread_barrier_wait(&all);
	return outer((int *)16);
}
";

/// A core dump of that program, or why there is none.
fn crash(dir: &Path) -> Result<Vec<u8>, &'static str> {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    if pattern.trim() != "core" {
        return Err("this host's core dumps do not go to the folder of the program (kernel.core_pattern)");
    }
    fs::write(dir.join("crashes.c"), PROGRAM).unwrap();
    let compiled = Command::new("cc")
        .args([
            "-O0",
            "-fno-omit-frame-pointer",
            "-Wl,--build-id=0x00112233445566778899aabbccddeeff00112233",
        ])
        .args(["-o", "crashes", "crashes.c", "-lpthread"])
        .current_dir(dir)
        .status();
    if !compiled.is_ok_and(|status| status.success()) {
        return Err("there is no C compiler");
    }
    // The shell's limit is the program's.
    Command::new("sh")
        .args(["-c", "ulimit -c unlimited && exec ./crashes"])
        .current_dir(dir)
        .status()
        .unwrap();
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .find(|entry| entry.file_name().to_string_lossy().starts_with("core"))
        .map(|entry| fs::read(entry.path()).unwrap())
        .ok_or("this host writes no core dumps (ulimit -Hc)")
}

#[test]
fn what_the_kernel_wrote_is_understood_whole_or_in_part() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = match crash(dir.path()) {
        Ok(bytes) => bytes,
        Err(reason) => return testing::skip("what_the_kernel_wrote_is_understood_whole_or_in_part", reason),
    };
    let dump = read(bytes.as_slice()).unwrap();
    assert!(!dump.truncated);
    assert_eq!((dump.comm.as_str(), dump.threads.len()), ("crashes", 4));
    let signal = dump.signal.unwrap();
    assert_eq!((signal.number, signal.code, signal.address), (11, 1, Some(16)));
    assert!(dump.executable.ends_with("/crashes"), "{}", dump.executable);
    assert_eq!(dump.build_id.first_chunk(), Some(&[0x00, 0x11, 0x22, 0x33]));
    assert_own_frames(&dump);

    let half = read(&bytes[..bytes.len() / 2]).unwrap();
    assert!(half.truncated);
    assert_eq!((half.comm, half.threads.len()), (dump.comm, 4));
}

/// `inner`, `outer` and `main` are the program's, the others wait in the C library.
fn assert_own_frames(dump: &Dump) {
    let (first, others) = dump.threads.split_first().unwrap();
    let own = first
        .frames
        .iter()
        .take_while(|frame| frame.build_id == dump.build_id);
    assert_eq!(own.count(), 3, "{first:#?}");
    for other in others {
        let place = other.frames.first().unwrap();
        assert!(
            !place.file.is_empty() && place.file != dump.executable,
            "{other:#?}"
        );
        assert!(!place.build_id.is_empty(), "{other:#?}");
    }
}
