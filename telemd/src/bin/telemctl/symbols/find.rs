//! Finds debug files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use faults::symbols::BuildId;
use object::{Object as _, ObjectSection as _, ReadCache};
use ring::digest::{Context, SHA256};

/// Folders below each other.
const DEPTH_MAX: usize = 32;
/// What is read at once, bytes.
const PIECE_BYTES: usize = 256 << 10;
/// The first bytes of an ELF file (ELF gABI, "ELF Identification").
const MAGIC: [u8; 4] = *b"\x7fELF";

/// A debug file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) build_id: String,
    pub(super) sha256: [u8; 32],
    pub(super) bytes: u64,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Finds {
    /// Each file once.
    pub(super) files: Vec<Found>,
    /// Files without debug information or build id.
    pub(super) others: u64,
    /// What could not be read, a sentence each.
    pub(super) problems: Vec<String>,
}

/// Looks at files, and at those in folders.
pub(super) fn find(paths: &[PathBuf]) -> Finds {
    let mut finds = Finds::default();
    for path in paths {
        // What was named is followed, what is found in folders is not: a link may lead anywhere.
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => walk(path, DEPTH_MAX, &mut finds),
            Ok(_) => look(path, true, &mut finds),
            Err(error) => finds.problems.push(format!("{}: {error}", path.display())),
        }
    }
    let by_content: BTreeMap<([u8; 32], String), Found> = finds
        .files
        .drain(..)
        .map(|file| ((file.sha256, file.build_id.clone()), file))
        .collect();
    finds.files = by_content.into_values().collect();
    finds.files.sort_by(|one, other| one.path.cmp(&other.path));
    finds
}

fn walk(folder: &Path, depth: usize, finds: &mut Finds) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return finds.problems.push(format!("{}: {error}", folder.display())),
    };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_file() {
            look(&entry.path(), false, finds);
        } else if kind.is_dir() {
            match depth.checked_sub(1) {
                Some(depth) => walk(&entry.path(), depth, finds),
                None => finds
                    .problems
                    .push(format!("{}: too deep, give it by itself", entry.path().display())),
            }
        }
    }
}

/// One that was `named` is meant to be a debug file; one of a folder may be anything.
fn look(path: &Path, named: bool, finds: &mut Finds) {
    match read(path) {
        Ok(Ok(found)) => finds.files.push(found),
        Ok(Err(_no_debug_file)) if !named => finds.others += 1,
        Ok(Err(reason)) => finds.problems.push(format!("{}: {reason}", path.display())),
        Err(error) => finds.problems.push(format!("{}: {error}", path.display())),
    }
}

/// A debug file, or why it is none.
fn read(path: &Path) -> std::io::Result<Result<Found, &'static str>> {
    let mut file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Ok(Err("it is no file"));
    }
    let mut magic = Vec::new();
    file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut magic)?;
    if magic != MAGIC {
        return Ok(Err("it is no ELF file"));
    }
    let build_id = match build_id(File::open(path)?) {
        Ok(build_id) => build_id,
        Err(reason) => return Ok(Err(reason)),
    };
    let mut sum = Context::new(&SHA256);
    sum.update(&magic);
    let mut bytes = magic.len() as u64;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            break;
        }
        sum.update(piece.get(..length).unwrap_or_default());
        bytes += length as u64;
    }
    Ok(Ok(Found {
        path: path.to_owned(),
        build_id,
        // Invariant: SHA-256 has 32 bytes.
        sha256: sum.finish().as_ref().try_into().unwrap_or_default(),
        bytes,
    }))
}

/// The build id of an ELF file that has debug information, or what it lacks.
fn build_id(file: File) -> Result<String, &'static str> {
    let cache = ReadCache::new(file);
    let elf = object::File::parse(&cache).map_err(|_damaged| "its ELF headers are damaged or cut off")?;
    let has_debug_info = elf
        .sections()
        .any(|section| matches!(section.name(), Ok(".debug_info" | ".zdebug_info")) && section.size() > 0);
    let id = elf.build_id().ok().flatten().and_then(BuildId::new);
    match id {
        None => Err("it has no build id: link it with --build-id"),
        Some(_) if !has_debug_info => {
            Err("it has no debug information (.debug_info): was it stripped, or built without -g?")
        }
        Some(id) => Ok(id.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_debug_file_is_counted_and_what_is_missing_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
        put("empty", b"");
        put("text", b"text");
        put("damaged", b"\x7fELF\x02\x01\x01 and no more");
        std::os::unix::fs::symlink("/dev/zero", dir.path().join("link")).unwrap();
        let finds = find(&[dir.path().to_owned(), dir.path().join("missing")]);
        assert_eq!((finds.files, finds.others), (Vec::new(), 3));
        assert_eq!(finds.problems.len(), 1);

        let named = ["empty", "text", "damaged", "link"].map(|name| dir.path().join(name));
        let finds = find(&named);
        assert_eq!((finds.files, finds.others), (Vec::new(), 0));
        let reasons = ["no ELF file", "no ELF file", "damaged", "it is no file"];
        assert_eq!(finds.problems.len(), reasons.len(), "{:?}", finds.problems);
        for (problem, reason) in finds.problems.iter().zip(reasons) {
            assert!(problem.contains(reason), "{problem}");
        }
    }
}
