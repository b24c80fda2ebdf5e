//! Whose pstore is.
//!
//! Several tools empty `/sys/fs/pstore` at boot. Where one of them is enabled the dumps are its to move: they are read here
//! and left there.

use std::fs;
use std::path::Path;

/// Units that move dumps out of pstore: systemd's, and abrt's.
const UNITS: [&str; 2] = ["systemd-pstore.service", "abrt-pstoreoops.service"];
/// Where the links of enabled units are.
const FOLDERS: [&str; 4] = [
    "etc/systemd/system",
    "run/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];
/// The most targets of a folder that are looked through.
const MAX_TARGETS: usize = 1024;

/// The unit that empties pstore on this host, when systemd runs it and one is enabled.
pub(super) fn of_pstore(root: &Path) -> Option<String> {
    // `sd_booted(3)`.
    if !root.join("run/systemd/system").is_dir() {
        return None;
    }
    let enabled = |unit: &&&str| {
        let masked = fs::read_link(root.join("etc/systemd/system").join(unit))
            .is_ok_and(|target| target == Path::new("/dev/null"));
        !masked && FOLDERS.iter().any(|folder| is_wanted(&root.join(folder), unit))
    };
    UNITS.iter().find(enabled).map(|unit| (*unit).to_owned())
}

/// Whether a target of the folder wants the unit. The link may dangle inside a container: that it is there counts.
fn is_wanted(folder: &Path, unit: &str) -> bool {
    let targets = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .take(MAX_TARGETS);
    targets
        .filter(|target| {
            target
                .path()
                .extension()
                .is_some_and(|extension| extension == "wants")
        })
        .any(|target| target.path().join(unit).symlink_metadata().is_ok())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_unit_owns_pstore_when_it_is_enabled_and_not_masked_and_systemd_runs() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let wants = root.join("etc/systemd/system/sysinit.target.wants");
        fs::create_dir_all(&wants).unwrap();
        symlink(
            "/lib/systemd/system/systemd-pstore.service",
            wants.join("systemd-pstore.service"),
        )
        .unwrap();
        assert_eq!(of_pstore(root), None, "systemd does not run");
        fs::create_dir_all(root.join("run/systemd/system")).unwrap();
        assert_eq!(of_pstore(root).as_deref(), Some("systemd-pstore.service"));
        symlink(
            "/dev/null",
            root.join("etc/systemd/system/systemd-pstore.service"),
        )
        .unwrap();
        assert_eq!(of_pstore(root), None, "it is masked");
    }
}
