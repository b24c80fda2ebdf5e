//! Where source files lie.

use super::Bytes;
use gimli::{Dwarf, FileEntry, LineProgramHeader, Unit};

/// Longest path of a source file.
const PATH_BYTES_MAX: usize = 4096;

/// The path of a source file of a unit, without `.` and `..`, and relative when it lies below the folder of compilation.
///
/// The kernel may be built beside its source: its files are relative to the nearest folder that holds both, so that they
/// are named `fs/ext4/super.c` in either case.
pub(super) fn of(
    dwarf: &Dwarf<Bytes<'_>>,
    unit: &Unit<Bytes<'_>>,
    index: u64,
    kernel: bool,
) -> Option<String> {
    let header = unit.line_program.as_ref()?.header();
    let file = header.file(index)?;
    let mut path = folder(dwarf, unit, header, file);
    push(
        &mut path,
        &dwarf.attr_string(unit, file.path_name()).ok()?.to_string_lossy(),
    );
    let root = unit
        .comp_dir
        .map(|root| root.to_string_lossy().into_owned())
        .unwrap_or_default();
    let path = relative(&tidy(&path), &tidy(&root), kernel);
    (!path.is_empty() && path.len() <= PATH_BYTES_MAX).then_some(path)
}

/// The part of a path below `root` or, for the kernel, below what both have in common.
fn relative(path: &str, root: &str, kernel: bool) -> String {
    let mut rest = path.split('/').peekable();
    let mut known = root.split('/').peekable();
    let mut depth = 0;
    while rest.peek() == known.peek() && known.next().is_some() {
        rest.next();
        depth += 1;
    }
    // An absolute path has an empty part before its first separator, which all have in common.
    let shared = depth > usize::from(path.starts_with('/'));
    if shared && (kernel || known.peek().is_none()) {
        rest.collect::<Vec<_>>().join("/")
    } else {
        path.to_owned()
    }
}

/// The folder of a file; empty for that of the compilation.
fn folder<'a>(
    dwarf: &Dwarf<Bytes<'a>>,
    unit: &Unit<Bytes<'a>>,
    header: &LineProgramHeader<Bytes<'a>>,
    file: &FileEntry<Bytes<'a>>,
) -> String {
    let compiled = || {
        unit.comp_dir
            .map(|root| root.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let mut path = compiled();
    // Number 0 is the folder of the compilation.
    if file.directory_index() != 0
        && let Some(folder) = file.directory(header)
        && let Ok(folder) = dwarf.attr_string(unit, folder)
    {
        push(&mut path, &folder.to_string_lossy());
    }
    path
}

/// Continues a path; an absolute one takes its place.
fn push(path: &mut String, part: &str) {
    if part.starts_with('/') {
        path.clear();
    } else if !path.is_empty() && !path.ends_with('/') {
        path.push('/');
    }
    path.push_str(part);
}

/// The path without empty parts, `.` and `..`.
fn tidy(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_plain() {
        for (path, plain) in [
            ("/a/b/../c//d.c", "/a/c/d.c"),
            ("a/./b.c", "a/b.c"),
            ("../a.c", "../a.c"),
            ("a/../../b.c", "../b.c"),
            ("", ""),
        ] {
            assert_eq!(tidy(path), plain);
        }
    }

    #[test]
    fn paths_are_relative_to_the_folder_of_compilation() {
        for (path, root, kernel, short) in [
            ("/src/a/b.c", "/src/a", false, "b.c"),
            ("/src/ab/b.c", "/src/a", false, "/src/ab/b.c"),
            (
                "/src/linux/fs/inode.c",
                "/src/linux/debian/build",
                false,
                "/src/linux/fs/inode.c",
            ),
            (
                "/src/linux/fs/inode.c",
                "/src/linux/debian/build",
                true,
                "fs/inode.c",
            ),
            ("debian/build/fs/inode.c", "debian/build", true, "fs/inode.c"),
            ("/usr/include/a.h", "/src/linux", true, "/usr/include/a.h"),
            ("a.c", "", false, "a.c"),
            ("../a.c", "b", true, "../a.c"),
        ] {
            assert_eq!(relative(path, root, kernel), short, "{path} in {root}");
        }
    }
}
