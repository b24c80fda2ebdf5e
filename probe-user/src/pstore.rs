//! What a crashed kernel left in persistent storage.
//!
//! `fs/pstore` shows every record as a file `TYPE-BACKEND-ID`, for example `dmesg-ramoops-0` or `dmesg-efi_pstore-1769…`,
//! with `.enc.z` behind it when the kernel could not decompress it ([`unpack`] tries what it can). A dump of the kernel log
//! starts with a line that `pstore_dump` writes, `Panic#2 Part1`: why, the how many-eth dump of that boot, and which part
//! of it. Backends with small records (EFI, ERST) split a dump; **part 1 is its end**, higher parts are older. Ids sort
//! differently in each backend, so parts are put together by their header and by the time of their files.
//!
//! `mce-erst-ID` is a machine check that killed the machine, as a `struct mce`.

use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

pub use unpack::unpack;

use crate::past::read_end;

mod unpack;

/// The most files of one folder that are looked at.
const MAX_FILES: usize = 4096;

/// The most bytes of one file that are read: of a longer text its end, where the crash is, behind its header. `kmsg_bytes` is far
/// below, ramoops' `console_size` may be above.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Longest header, bytes.
const HEADER_BYTES: usize = 64;

/// The most text of one dump; of a longer one the oldest parts are left out.
const MAX_DUMP_BYTES: usize = 4 * 1024 * 1024;

/// Where a dump was found, which says whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// `/sys/fs/pstore`.
    Pstore,
    /// Another tool's copy of that.
    Copy,
    /// The folder of kdump.
    Kdump,
}

impl Origin {
    /// The name for records and people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pstore | Self::Copy => "pstore",
            Self::Kdump => "kdump",
        }
    }
}

/// Why the kernel wrote a dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DumpReason {
    /// A panic.
    Panic,
    /// An oops.
    Oops,
    /// Anything else, in the kernel's word; `console` for what the console showed of the boot before (ramoops keeps
    /// that after any reboot), `unknown` for a dump without a header.
    Other(String),
}

/// One dump of the kernel log, its parts joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dump {
    /// Where it was found.
    pub origin: Origin,
    /// Why the kernel wrote it.
    pub reason: DumpReason,
    /// The kernel's count of dumps in that boot, from 1.
    pub number: Option<u32>,
    /// The text, oldest line first; lines may carry `<level>` prefixes.
    pub text: String,
    /// When, by the time of its files: nanoseconds since 1970; 0 when not known. pstore gives a file the time of its dump.
    pub written_unix_ns: u64,
    /// The files it came from.
    pub files: Vec<PathBuf>,
}

/// A record that is no text: a machine check in a `struct mce`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BinaryRecord {
    /// Where it was found.
    pub origin: Origin,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// When, by the time of its file: nanoseconds since 1970; 0 when not known.
    pub written_unix_ns: u64,
    /// The file.
    pub file: PathBuf,
}

/// What is not readable, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// The file or folder.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// What a folder holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Dumps of the kernel's log, oldest first.
    pub dumps: Vec<Dump>,
    /// Machine checks.
    pub machine_checks: Vec<BinaryRecord>,
    /// Files that are there and could not be read: compressed in a way that nobody here knows, or damaged.
    pub unreadable: Vec<Unreadable>,
}

/// Why dumps could not be read or removed.
#[derive(Debug, thiserror::Error)]
pub enum PstoreError {
    /// Listing the folder failed.
    #[error("list {}", path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// Removing a file failed.
    #[error("remove {}", path.display())]
    Remove {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// Reads everything in a folder, usually `/sys/fs/pstore`. A folder that is missing or empty holds nothing.
///
/// Nothing is changed: what cannot be read stays where it is, too.
pub fn read(dir: &Path, origin: Origin) -> Result<Found, PstoreError> {
    let mut found = Found::default();
    let mut parts = Vec::new();
    for path in list(dir)? {
        match read_record(&path, origin) {
            Ok(Some(Record::Part(part))) => parts.push(part),
            Ok(Some(Record::MachineCheck(record))) => found.machine_checks.push(record),
            Ok(None) => {}
            Err(reason) => found.unreadable.push(Unreadable { path, reason }),
        }
    }
    found.dumps = join(parts, origin);
    Ok(found)
}

/// Removes files, which frees the storage. Call it once what they hold is kept elsewhere. Only files that are right in
/// `dir` are removed, others are refused; what is gone already is no error.
pub fn remove(dir: &Path, files: &[PathBuf]) -> Result<(), PstoreError> {
    for path in files {
        let removed = if path.parent() == Some(dir) && path.file_name().is_some() {
            fs::remove_file(path)
        } else {
            Err(io::ErrorKind::InvalidInput.into())
        };
        match removed {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(PstoreError::Remove {
                    path: path.clone(),
                    source,
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Nanoseconds since 1970; 0 before.
pub(crate) fn unix_ns(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn list(dir: &Path) -> Result<Vec<PathBuf>, PstoreError> {
    let error = |source| PstoreError::List {
        path: dir.to_owned(),
        source,
    };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(error(source)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        if paths.len() == MAX_FILES {
            tracing::warn!(path = %dir.display(), MAX_FILES, "more crash dumps than are read at once");
            break;
        }
        paths.push(entry.map_err(error)?.path());
    }
    Ok(paths)
}

/// One file.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    backend: String,
    reason: DumpReason,
    number: Option<u32>,
    index: Option<u32>,
    /// When the kernel wrote it.
    written: SystemTime,
    text: String,
}

/// What one file holds.
enum Record {
    Part(Part),
    MachineCheck(BinaryRecord),
}

/// `None` when the file is of no interest here.
fn read_record(path: &Path, origin: Origin) -> Result<Option<Record>, String> {
    let name = path.file_name().and_then(|name| parse_name(name.to_str()?));
    let Some((kind, backend, compressed)) = name else {
        return Ok(None);
    };
    let (bytes, written) = read_file(path, compressed).map_err(|error| error.to_string())?;
    let bytes = if compressed { unpack(&bytes)? } else { bytes };
    Ok(Some(if kind == "mce" {
        Record::MachineCheck(BinaryRecord {
            origin,
            bytes,
            written_unix_ns: unix_ns(written),
            file: path.to_owned(),
        })
    } else {
        Record::Part(Part::new(path, kind, backend, &bytes, written))
    }))
}

impl Part {
    fn new(path: &Path, kind: &str, backend: &str, bytes: &[u8], written: SystemTime) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let part = Self {
            path: path.to_owned(),
            backend: backend.to_owned(),
            reason: DumpReason::Other(if kind == "console" { "console" } else { "unknown" }.to_owned()),
            number: None,
            index: None,
            written,
            text: String::new(),
        };
        let header = if kind == "dmesg" {
            parse_header(&text)
        } else {
            None
        };
        match header {
            Some((reason, number, index, text)) => Self {
                reason,
                number: Some(number),
                index: Some(index),
                text: text.to_owned(),
                ..part
            },
            None => Self {
                text: text.into_owned(),
                ..part
            },
        }
    }

    /// Whether this part, written later, belongs to the same dump.
    fn follows(&self, before: &Self) -> bool {
        self.backend == before.backend
            && self.number.is_some()
            && (&self.reason, self.number) == (&before.reason, before.number)
            && self.index > before.index
    }
}

fn read_file(path: &Path, compressed: bool) -> io::Result<(Vec<u8>, SystemTime)> {
    let file = fs::File::open(path)?;
    let metadata = file.metadata()?;
    let mut bytes = Vec::new();
    if compressed || metadata.len() <= MAX_FILE_BYTES {
        file.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
    } else {
        (&file).take(HEADER_BYTES as u64).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let header = parse_header(&text).map_or(0, |(.., rest)| text.len() - rest.len());
        bytes.truncate(header);
        bytes.extend(read_end(file, MAX_FILE_BYTES)?);
    }
    Ok((bytes, metadata.modified()?))
}

/// A file's kind (`dmesg`, `console` or `mce`), backend, and whether it is compressed.
fn parse_name(name: &str) -> Option<(&str, &str, bool)> {
    let (stem, compressed) = match name.strip_suffix(".enc.z") {
        Some(stem) => (stem, true),
        None => (name, false),
    };
    let (kind, rest) = stem.split_once('-')?;
    let (backend, id) = rest.rsplit_once('-')?;
    let known = matches!(kind, "dmesg" | "console" | "mce")
        && !id.is_empty()
        && id.bytes().all(|byte| byte.is_ascii_digit());
    known.then_some((kind, backend, compressed))
}

/// `Oops#1 Part1`, and the text behind it.
pub(crate) fn parse_header(text: &str) -> Option<(DumpReason, u32, u32, &str)> {
    let (line, rest) = text.split_once('\n')?;
    let (reason, numbers) = line.split_once('#')?;
    let (number, part) = numbers.split_once(" Part")?;
    let reason = match reason {
        "Panic" => DumpReason::Panic,
        "Oops" => DumpReason::Oops,
        other if !other.is_empty() && other.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            DumpReason::Other(other.to_owned())
        }
        _ => return None,
    };
    Some((reason, number.parse().ok()?, part.trim_end().parse().ok()?, rest))
}

/// Parts to dumps, oldest dump first.
fn join(mut parts: Vec<Part>, origin: Origin) -> Vec<Dump> {
    // The kernel writes a dump's parts one after the other, the end of the text first. Backends that tell the time to
    // the second only leave the part's number to tell their order.
    parts.sort_by(|a, b| {
        let key = |part: &Part| (part.written, part.number, part.index);
        a.backend
            .cmp(&b.backend)
            .then_with(|| key(a).cmp(&key(b)))
            .then_with(|| a.path.cmp(&b.path))
    });
    let mut dumps: Vec<Vec<Part>> = Vec::new();
    for part in parts {
        match dumps.last_mut() {
            Some(dump) if dump.last().is_some_and(|before| part.follows(before)) => dump.push(part),
            _ => dumps.push(vec![part]),
        }
    }
    dumps.sort_by_key(|dump| dump.first().map(|part| part.written));
    dumps
        .into_iter()
        .filter_map(|parts| join_parts(parts, origin))
        .collect()
}

/// One dump; its parts come newest text first.
fn join_parts(parts: Vec<Part>, origin: Origin) -> Option<Dump> {
    let (reason, number) = parts.first().map(|part| (part.reason.clone(), part.number))?;
    let mut bytes = 0;
    let kept = parts
        .iter()
        .take_while(|part| {
            bytes += part.text.len();
            bytes <= MAX_DUMP_BYTES
        })
        .count();
    let text = parts
        .get(..kept)?
        .iter()
        .rev()
        .map(|part| part.text.as_str())
        .collect();
    Some(Dump {
        origin,
        written_unix_ns: parts.iter().map(|part| unix_ns(part.written)).max().unwrap_or(0),
        reason,
        number,
        text,
        files: parts.into_iter().map(|part| part.path).collect(),
    })
}

#[cfg(test)]
mod tests;
