//! A log of any length is read in the same memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use faults::Reader;
use std::fmt::Write as _;

const MIB: usize = 1 << 20;
/// Bytes of the log. It is never in memory as a whole.
const LOG: usize = 24 * MIB;
/// Read before memory is looked at: code, tables and what the allocator keeps.
const WARM: usize = 8 * MIB;
/// What reading the rest may add: the allocator's fragments. The rest itself is much more.
const GROWTH_KIB: u64 = 2048;

/// The largest resident memory of this process so far, in KiB.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// A piece of a log: what any machine prints, reports of several tasks that never end, and lines without an end.
fn piece(number: usize, text: &mut String) {
    text.clear();
    for line in 0..200 {
        let at = number * 200 + line;
        let (seconds, task) = (at / 10, at % 23);
        writeln!(text, "[{seconds:5}.{at:06}][T{task:5}] audit: type=1400 audit({at}.1:{at}): operation=\"open\" pid={at}").unwrap();
        match line {
            7 => writeln!(
                text,
                "[{seconds:5}.{at:06}][T{task:5}] BUG: scheduling while atomic: sh/{at}/0x00000002"
            )
            .unwrap(),
            8..40 => writeln!(text, "[{seconds:5}.{at:06}][T{:5}]  f{at}+0x1/0x20", number % 23).unwrap(),
            50 => writeln!(
                text,
                "[{seconds:5}.{at:06}] I/O error, dev sd{}, sector {at} op 0x0:(READ)",
                number % 1000
            )
            .unwrap(),
            60 => text.extend(std::iter::repeat_n('x', 40_000)),
            _ => {}
        }
    }
}

#[test]
fn memory_does_not_grow_with_the_log() {
    if peak_kib().is_none() {
        testing::skip(
            "faults::streaming",
            "this system does not tell a program's peak memory",
        );
        return;
    }
    let (mut reader, mut text, mut found) = (Reader::new(), String::new(), Vec::new());
    let (mut read, mut reports, mut warm) = (0, 0, None);
    for number in 0.. {
        piece(number, &mut text);
        reader.push(text.as_bytes(), &mut found);
        reports += found.len();
        found.clear();
        read += text.len();
        if read >= WARM {
            warm = warm.or_else(peak_kib);
        }
        if read >= LOG {
            break;
        }
    }
    let growth = peak_kib().unwrap() - warm.unwrap();
    reader.finish(&mut found);
    assert!(reports > 100, "{reports}");
    assert!(
        growth < GROWTH_KIB,
        "{growth} KiB more for {} MiB",
        (LOG - WARM) / MIB
    );
}
