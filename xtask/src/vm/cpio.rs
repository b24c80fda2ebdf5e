//! Writes the kernel's initramfs format: a "newc" cpio archive (Documentation/driver-api/early-userspace/
//! buffer-format.rst of the kernel).

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFCHR: u32 = 0o020_000;

/// Archives entries as they come. Parent folders are made when first needed.
#[derive(Debug)]
pub(crate) struct Archive<W> {
    out: W,
    inode: u32,
    folders: BTreeSet<String>,
}

/// The fields of an entry that differ between kinds.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    mode: u32,
    device: (u32, u32),
}

impl<W: Write> Archive<W> {
    pub(crate) fn new(out: W) -> Self {
        Self {
            out,
            inode: 0,
            folders: BTreeSet::new(),
        }
    }

    /// Adds a regular file. `path` is without the leading slash.
    pub(crate) fn file(&mut self, path: &str, permissions: u32, data: &[u8]) -> io::Result<()> {
        self.parents(path)?;
        let entry = Entry {
            mode: S_IFREG | permissions,
            ..Entry::default()
        };
        self.entry(path, entry, data)
    }

    /// Adds a folder.
    pub(crate) fn folder(&mut self, path: &str) -> io::Result<()> {
        self.parents(path)?;
        if !self.folders.insert(path.to_owned()) {
            return Ok(());
        }
        let entry = Entry {
            mode: S_IFDIR | 0o755,
            ..Entry::default()
        };
        self.entry(path, entry, &[])
    }

    /// Adds a character device.
    pub(crate) fn device(&mut self, path: &str, major: u32, minor: u32) -> io::Result<()> {
        self.parents(path)?;
        let entry = Entry {
            mode: S_IFCHR | 0o600,
            device: (major, minor),
        };
        self.entry(path, entry, &[])
    }

    /// Ends the archive.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.entry("TRAILER!!!", Entry::default(), &[])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn parents(&mut self, path: &str) -> io::Result<()> {
        for (slash, _) in path.match_indices('/') {
            self.folder(&path[..slash])?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &str, entry: Entry, data: &[u8]) -> io::Result<()> {
        let too_big = |_| io::Error::new(io::ErrorKind::InvalidInput, format!("{path} is too big for cpio"));
        let data_len = u32::try_from(data.len()).map_err(too_big)?;
        let name_len = u32::try_from(path.len() + 1).map_err(too_big)?;
        self.inode += 1;
        let (major, minor) = entry.device;
        write!(self.out, "070701")?;
        // inode, mode, uid, gid, links, time, size, device of the file system, device, length of the name, checksum
        let fields = [
            self.inode, entry.mode, 0, 0, 1, 0, data_len, 0, 0, major, minor, name_len, 0,
        ];
        for field in fields {
            write!(self.out, "{field:08X}")?;
        }
        self.out.write_all(path.as_bytes())?;
        self.out.write_all(&[0])?;
        self.pad(HEADER_BYTES + path.len() + 1)?;
        self.out.write_all(data)?;
        self.pad(data.len())
    }

    /// Header with name, and data, each end on a multiple of four.
    fn pad(&mut self, written: usize) -> io::Result<()> {
        let missing = written.next_multiple_of(4) - written;
        self.out.write_all(&[0; 3][..missing])
    }
}

/// Magic and thirteen fields.
const HEADER_BYTES: usize = 6 + 13 * 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_aligned_and_parents_come_first() {
        let mut archive = Archive::new(Vec::new());
        archive.file("a/b/c.txt", 0o644, b"hello").unwrap();
        archive.file("a/b/d", 0o755, b"").unwrap();
        archive.device("dev/console", 5, 1).unwrap();
        let bytes = archive.finish().unwrap();
        assert_eq!(bytes.len() % 4, 0);
        let text = String::from_utf8_lossy(&bytes);
        let names = [
            "a\0",
            "a/b\0",
            "a/b/c.txt\0",
            "a/b/d\0",
            "dev\0",
            "dev/console\0",
            "TRAILER!!!\0",
        ];
        let mut from = 0;
        for name in names {
            let at = text[from..]
                .find(name)
                .unwrap_or_else(|| panic!("{name:?} after {from}"));
            from += at + name.len();
        }
        assert_eq!(text.matches("070701").count(), names.len());
    }

    #[test]
    fn a_file_entry_is_byte_for_byte_newc() {
        let mut archive = Archive::new(Vec::new());
        archive.file("x", 0o644, b"hi").unwrap();
        let bytes = archive.out;
        let header = "070701\
            00000001000081A40000000000000000000000010000000000000002\
            000000000000000000000000000000000000000200000000";
        let mut expected = header.as_bytes().to_vec();
        expected.extend_from_slice(b"x\0hi\0\0");
        assert_eq!(bytes, expected);
    }
}
