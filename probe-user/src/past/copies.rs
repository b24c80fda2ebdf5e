//! Copies of dumps that `systemd-pstore.service` made under `/var/lib/systemd/pstore`.
//!
//! It moves the files under their own names into the folder, or, those of EFI and ERST, into folders of a dump each
//! (`1769…/001/`), beside which it writes its own join, `dmesg.txt`. The files are joined here by the same rules as in
//! pstore itself, so that a dump that was read there is known again. They are never removed: they are its own.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};

use crate::pstore::{self, Found, Origin, PstoreError};

/// The most folders of dumps that are read: the newest.
const MAX_FOLDERS: usize = 64;
/// The most entries of a folder that are looked at.
const MAX_ENTRIES: usize = 1024;
/// How deep folders are: the archive's, a boot's, a dump's.
const DEPTH: usize = 2;

pub(super) fn read(archive: &Path) -> Result<Found, PstoreError> {
    let mut folders = Vec::new();
    collect(archive, DEPTH, &mut folders);
    folders.sort_by_key(|folder| Reverse(fs::metadata(folder).and_then(|metadata| metadata.modified()).ok()));
    folders.truncate(MAX_FOLDERS);
    let mut found = pstore::read(archive, Origin::Copy)?;
    for folder in folders {
        let mut more = pstore::read(&folder, Origin::Copy)?;
        found.dumps.append(&mut more.dumps);
        found.machine_checks.append(&mut more.machine_checks);
        found.unreadable.append(&mut more.unreadable);
    }
    found.dumps.sort_by_key(|dump| dump.written_unix_ns);
    Ok(found)
}

/// Folders below `folder`, not itself.
fn collect(folder: &Path, depth: usize, out: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .take(MAX_ENTRIES);
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        if depth > 1 {
            collect(&entry.path(), depth - 1, out);
        }
        out.push(entry.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_joined_in_their_folders_and_systemds_own_join_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(&dir.path().join("missing")).unwrap(), Found::default());
        let folder = dir.path().join("1769000001/001");
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in [
            (
                "1769000001/001/dmesg-efi_pstore-176900000100001",
                "Panic#1 Part1\nend\n",
            ),
            (
                "1769000001/001/dmesg-efi_pstore-176900000102001",
                "Panic#1 Part2\nstart\n",
            ),
            ("1769000001/001/dmesg.txt", "start\nend\n"),
            ("dmesg-ramoops-0", "Oops#1 Part1\noops\n"),
        ] {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let mut texts: Vec<_> = read(dir.path())
            .unwrap()
            .dumps
            .into_iter()
            .map(|dump| (dump.text, dump.origin))
            .collect();
        texts.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(
            texts,
            [
                ("oops\n".to_owned(), Origin::Copy),
                ("start\nend\n".to_owned(), Origin::Copy)
            ]
        );
    }
}
