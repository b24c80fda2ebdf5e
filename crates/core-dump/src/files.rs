//! Which file is mapped where: the note `NT_FILE` (`fs/binfmt_elf.c`: `fill_files_note`).
//!
//! ```text
//! u64 count   u64 page size   count × (u64 start, u64 end, u64 offset in pages)   count × (path, NUL)
//! ```

use crate::memory::Memory;
use crate::source::u64_at;
use crate::{Frame, build_id};

/// Size of a page of `offset`, bytes: the largest that processors known here have is 64 KiB.
const LARGEST_PAGE: u64 = 64 << 10;
/// Longest path, bytes (`PATH_MAX` of `include/uapi/linux/limits.h`).
const PATH_BYTES: usize = 4_096;

/// The mappings of files, by address.
#[derive(Debug, Clone, Default)]
pub(crate) struct Files(Vec<File>);

/// A mapping of a file.
#[derive(Debug, Clone)]
pub(crate) struct File {
    start: u64,
    end: u64,
    /// Offset of the mapping in the file, bytes.
    offset: u64,
    pub(crate) path: String,
    pub(crate) build_id: Vec<u8>,
}

impl Files {
    /// Understands the note as far as it is whole.
    pub(crate) fn of_note(note: &[u8]) -> Self {
        Self(mappings(note).unwrap_or_default())
    }

    /// Where the beginnings of files are in memory.
    pub(crate) fn heads(&self) -> impl Iterator<Item = u64> {
        self.0
            .iter()
            .filter(|file| file.offset == 0)
            .map(|file| file.start)
    }

    /// The same, each file with the build id that its beginning has. A file's mappings follow each other.
    pub(crate) fn with_build_ids(&self, memory: &Memory) -> Self {
        let mut files = self.clone();
        let (mut path, mut id) = (String::new(), Vec::new());
        for file in &mut files.0 {
            if file.offset == 0 || file.path != path {
                path.clone_from(&file.path);
                let head = memory.at(file.start).filter(|_| file.offset == 0);
                id = head.and_then(build_id).map(<[u8]>::to_vec).unwrap_or_default();
            }
            file.build_id.clone_from(&id);
        }
        files
    }

    /// The mapping that holds an address.
    pub(crate) fn at(&self, address: u64) -> Option<&File> {
        self.0
            .iter()
            .find(|file| (file.start..file.end).contains(&address))
    }

    /// The place that an address stands for.
    pub(crate) fn frame(&self, address: u64) -> Frame {
        match self.at(address) {
            Some(file) => Frame {
                build_id: file.build_id.clone(),
                file: file.path.clone(),
                offset: (address - file.start).saturating_add(file.offset),
            },
            None => Frame {
                offset: address,
                ..Frame::default()
            },
        }
    }
}

fn mappings(note: &[u8]) -> Option<Vec<File>> {
    let (count, page) = (u64_at(note, 0)?, u64_at(note, 8)?);
    if page > LARGEST_PAGE {
        return None;
    }
    let rows = note.get(16..)?;
    let (table, paths) = rows.split_at_checked(usize::try_from(count).ok()?.checked_mul(24)?)?;
    let (rows, _) = table.as_chunks::<24>();
    let mut paths = paths.split(|byte| *byte == 0);
    let file = |row: &[u8; 24]| {
        let path = paths.next()?;
        Some(File {
            start: u64_at(row, 0)?,
            end: u64_at(row, 8)?,
            offset: u64_at(row, 16)?.checked_mul(page)?,
            path: String::from_utf8_lossy(path.get(..PATH_BYTES).unwrap_or(path)).into_owned(),
            build_id: Vec::new(),
        })
    };
    Some(rows.iter().map_while(file).collect())
}
