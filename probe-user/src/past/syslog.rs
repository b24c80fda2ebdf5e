//! The end of the kernel's part of syslog, for hosts without a journal on disk.

use std::fs::File;
use std::path::Path;

/// The most bytes that are read, from the end.
const MAX_BYTES: u64 = 1 << 20;
/// Debian's name and that of Red Hat, SUSE and others.
const FILES: [&str; 2] = ["kern.log", "messages"];
/// The first line of every boot (`init/version.c`).
const BANNER: &[u8] = b"Linux version ";

/// The end of the first of the files that is there; empty when none is.
pub(super) fn read_end(log: &Path) -> Vec<u8> {
    let read = |name: &&str| super::read_end(File::open(log.join(name)).ok()?, MAX_BYTES).ok();
    FILES.iter().find_map(read).unwrap_or_default()
}

/// The part of a log that is of the boot before the last one in it; empty when that has no end in it.
pub fn boot_before(log: &[u8]) -> &[u8] {
    let mut before: &[u8] = &[];
    let (mut start, mut at) = (0, 0);
    for line in log.split_inclusive(|byte| *byte == b'\n') {
        if line.windows(BANNER.len()).any(|window| window == BANNER) {
            before = log.get(start..at).unwrap_or_default();
            start = at;
        }
        at += line.len();
    }
    before
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_boot_before_the_last_is_between_two_banners_or_before_the_first() {
        let log = b"k: [1.0] old\nk: [0.0] Linux version 6.1\nk: [5.0] died\nk: [0.0] Linux version 6.1\nk: [1.0] new\n";
        assert_eq!(boot_before(log), b"k: [0.0] Linux version 6.1\nk: [5.0] died\n");
        assert_eq!(
            boot_before(b"k: [5.0] died\n[0.0] Linux version 6.1\n"),
            b"k: [5.0] died\n"
        );
        assert_eq!(boot_before(b"k: [5.0] lives\n"), b"");
    }

    #[test]
    fn the_kernels_own_file_is_preferred() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read_end(dir.path()), b"");
        std::fs::write(dir.path().join("messages"), "all").unwrap();
        assert_eq!(read_end(dir.path()), b"all");
        std::fs::write(dir.path().join("kern.log"), "kernel's").unwrap();
        assert_eq!(read_end(dir.path()), b"kernel's");
    }

    proptest! {
        #[test]
        fn any_bytes_are_split_without_a_panic(lines in prop::collection::vec("(Linux version )?[a-z\n]{0,9}", 0..20)) {
            let log = lines.concat();
            prop_assert!(boot_before(log.as_bytes()).len() <= log.len());
        }
    }
}
