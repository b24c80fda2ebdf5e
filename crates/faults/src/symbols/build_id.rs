//! Build ids, and where a debug file for one lies.

use std::fmt;
use std::str::FromStr;

/// A build id: what the linker wrote to tell one build from every other, usually 20 bytes.
///
/// ```
/// use faults::symbols::BuildId;
///
/// let id: BuildId = "ab0123456789abcdef".parse().unwrap();
/// assert_eq!(id.debug_path(), ".build-id/ab/0123456789abcdef.debug");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BuildId(Vec<u8>);

impl BuildId {
    /// Most bytes that a build id has; the kernel prints at most 20 (`BUILD_ID_SIZE_MAX`, `include/linux/buildid.h`).
    pub const BYTES_MAX: usize = 64;
    /// Fewest bytes: the path of a debug file needs one for the folder and one for the file.
    const BYTES_MIN: usize = 2;

    /// `None` for bytes that are too few or too many to be a build id.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (Self::BYTES_MIN..=Self::BYTES_MAX)
            .contains(&bytes.len())
            .then(|| Self(bytes.to_vec()))
    }

    /// The build id among ELF notes: the bytes of `/sys/kernel/notes`, `/sys/module/NAME/notes/.note.gnu.build-id` or
    /// of a note section, of a machine with this machine's byte order.
    pub fn from_notes(notes: &[u8]) -> Option<Self> {
        from_notes(notes, cfg!(target_endian = "little"))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Where a debug file with this build id lies below a debug folder such as `/usr/lib/debug`.
    pub fn debug_path(&self) -> String {
        let digits = self.to_string();
        let (folder, file) = digits.split_at_checked(2).unwrap_or((&digits, ""));
        format!(".build-id/{folder}/{file}.debug")
    }
}

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Text that is no [`BuildId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no build id: {text:?} is not an even number of hexadecimal digits, 4 to 128 of them")]
pub struct BadBuildId {
    /// What was read.
    pub text: String,
}

impl FromStr for BuildId {
    type Err = BadBuildId;

    fn from_str(text: &str) -> Result<Self, BadBuildId> {
        let bad = || BadBuildId {
            text: text.chars().take(2 * Self::BYTES_MAX).collect(),
        };
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) || text.len() > 2 * Self::BYTES_MAX {
            return Err(bad());
        }
        let bytes: Option<Vec<u8>> = text
            .as_bytes()
            .chunks(2)
            .map(|pair| match pair {
                [_, _] => crate::bytes::hexadecimal(pair).and_then(|value| u8::try_from(value).ok()),
                _ => None,
            })
            .collect();
        bytes.and_then(|bytes| Self::new(&bytes)).ok_or_else(bad)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for BuildId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The build id among notes of either byte order.
pub(super) fn from_notes(mut notes: &[u8], little_endian: bool) -> Option<BuildId> {
    // ELF gABI, "Note Section": three words, then name and description, each filled up to four bytes.
    const NT_GNU_BUILD_ID: usize = 3;
    loop {
        let (head, rest) = notes.split_at_checked(12)?;
        let mut words = head.chunks_exact(4).map(|word| {
            let word = word.try_into().unwrap_or_default();
            let word = if little_endian {
                u32::from_le_bytes(word)
            } else {
                u32::from_be_bytes(word)
            };
            usize::try_from(word).unwrap_or(usize::MAX)
        });
        let (name_len, value_len, kind) = (words.next()?, words.next()?, words.next()?);
        let name = rest.get(..name_len)?;
        let rest = rest.get(name_len.checked_next_multiple_of(4)?..)?;
        let value = rest.get(..value_len)?;
        if kind == NT_GNU_BUILD_ID && name == b"GNU\0" {
            return BuildId::new(value);
        }
        notes = rest
            .get(value_len.checked_next_multiple_of(4)?..)
            .unwrap_or_default();
    }
}

/// Where the debug file of a kernel lies below a debug folder, the likeliest first: by build id, then by release in the
/// layouts of Debian, Fedora and of a build tree.
///
/// A file found by release alone may be of another build of the same release: `symbols` says so when functions have
/// other sizes.
pub fn kernel_paths(release: &str, build_id: Option<&BuildId>) -> Vec<String> {
    let mut paths: Vec<String> = build_id.map(BuildId::debug_path).into_iter().collect();
    if plain_name(release) {
        paths.extend([
            format!("boot/vmlinux-{release}"),
            format!("lib/modules/{release}/vmlinux"),
            format!("usr/lib/modules/{release}/vmlinux"),
            format!("vmlinux-{release}"),
            format!("boot/vmlinux-{release}.debug"),
        ]);
    }
    paths.push("vmlinux".to_owned());
    paths
}

/// The folders below a debug folder in which the debug files of modules lie, each with folders below it.
pub fn module_folders(release: &str) -> Vec<String> {
    if !plain_name(release) {
        return Vec::new();
    }
    vec![
        format!("lib/modules/{release}"),
        format!("usr/lib/modules/{release}"),
    ]
}

/// Whether a file of this name is a module's: `ext4.ko`, `ext4.ko.debug` and `ext4.debug` for `ext4`.
///
/// The kernel writes `_` for each `-` of a module's file name.
pub fn is_module_file(file_name: &str, module: &str) -> bool {
    let stem = [".ko.debug", ".ko", ".debug"]
        .iter()
        .find_map(|suffix| file_name.strip_suffix(suffix));
    stem.is_some_and(|stem| {
        let same = |a: u8, b: u8| a == b || (a == b'-' && b == b'_');
        stem.len() == module.len() && stem.bytes().zip(module.bytes()).all(|(a, b)| same(a, b))
    })
}

/// Whether a name from a log can be part of a path: no separators, no way up.
fn plain_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(name: &[u8], kind: u32, value: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [name.len(), value.len()] {
            bytes.extend(u32::try_from(word).unwrap().to_le_bytes());
        }
        bytes.extend(kind.to_le_bytes());
        for part in [name, value] {
            bytes.extend(part);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    #[test]
    fn the_build_id_is_found_among_other_notes() {
        let mut notes = note(b"Xen\0", 6, b"linux\0");
        notes.extend(note(b"Linux\0", 3, &[9; 20]));
        assert_eq!(from_notes(&notes, true), None);
        notes.extend(note(b"GNU\0", 3, &[0xab; 20]));
        notes.extend(note(b"GNU\0", 5, &[1; 7]));
        let id = from_notes(&notes, true).unwrap();
        assert_eq!(id.to_string(), "ab".repeat(20));
        assert_eq!(id.to_string().parse(), Ok(id));
        for cut in 0..notes.len() {
            from_notes(notes.get(..cut).unwrap(), true);
            from_notes(notes.get(cut..).unwrap(), false);
        }
    }

    #[test]
    fn texts_that_are_no_build_id_are_refused() {
        for text in ["", "a", "ab", "abc", "xyzw", "ab-d", &"ab".repeat(65)] {
            assert!(text.parse::<BuildId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_release_from_a_log_cannot_leave_the_folder() {
        assert_eq!(kernel_paths("../../etc", None), ["vmlinux"]);
        assert!(module_folders("a/b").is_empty());
        let id = "abcdef".parse().unwrap();
        assert_eq!(
            kernel_paths("6.1.0", Some(&id)).first().unwrap(),
            ".build-id/ab/cdef.debug"
        );
    }

    #[test]
    fn module_files_are_recognised_by_name() {
        assert!(is_module_file("mce-inject.ko", "mce_inject"));
        assert!(is_module_file("ext4.ko.debug", "ext4"));
        assert!(!is_module_file("ext4.ko", "ext2"));
        assert!(!is_module_file("ext4", "ext4"));
        assert!(!is_module_file("mce_inject.ko", "mce-inject"));
    }
}
