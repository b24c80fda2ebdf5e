//! Where bytes come from: files, stdin, compressed or not.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Means stdin.
pub(crate) const STDIN: &str = "-";
/// Bytes that are looked at to tell what a file is.
const MAGIC_BYTES: usize = 8;

/// Files that begin like this hold a log in a form that another program has to unpack: what they are, and the command
/// that writes the log to its stdout, with `{}` for the file.
const FOREIGN: [(&[u8], &str, &str); 7] = [
    (b"\xfd7zXZ\0", "compressed with xz", "xzcat {}"),
    (b"BZh", "compressed with bzip2", "bzcat {}"),
    (b"\x04\x22\x4d\x18", "compressed with lz4", "lz4cat {}"),
    (
        b"LPKSHHRH",
        "a journal of systemd",
        "journalctl --file {} -k -o short-monotonic",
    ),
    (
        b"KDUMP   ",
        "a crash dump",
        "makedumpfile --dump-dmesg {} /dev/stdout",
    ),
    (
        b"\x7fELF",
        "an ELF file, maybe a crash dump",
        "makedumpfile --dump-dmesg {} /dev/stdout",
    ),
    (b"PK\x03\x04", "a zip archive", "unzip -p {}"),
];

/// Why an input cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("is a directory; name the files in it: {path}/*")]
    Directory { path: String },
    #[error("is {what}; unpack it first: {command} | telemctl {consumer} {STDIN}")]
    Foreign {
        what: &'static str,
        command: String,
        consumer: &'static str,
    },
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("cannot be unpacked ({what}): {source}")]
    Unpack { what: &'static str, source: io::Error },
    #[error("is longer than {limit} bytes, the most that is read of it")]
    TooLong { limit: usize },
}

/// An opened input.
pub(crate) struct Input {
    reader: Box<dyn Read>,
    /// Bytes taken from the file, before unpacking.
    taken: Arc<AtomicU64>,
    /// Bytes that the file has, when known.
    pub(crate) size: Option<u64>,
    /// How it is packed.
    packed: Option<&'static str>,
}

impl Input {
    /// Opens a file, or stdin for `-`. `consumer` is the subcommand that messages name.
    pub(crate) fn open(path: &OsStr, consumer: &'static str) -> Result<Self, InputError> {
        let (raw, size): (Box<dyn Read>, _) = if path == STDIN {
            (Box::new(io::stdin()), None)
        } else {
            let file = File::open(Path::new(path))?;
            let metadata = file.metadata()?;
            if metadata.is_dir() {
                let path = path.to_string_lossy();
                return Err(InputError::Directory {
                    path: path.trim_end_matches('/').to_owned(),
                });
            }
            let size = Some(metadata.len()).filter(|size| *size > 0);
            (Box::new(file), size)
        };
        let taken = Arc::new(AtomicU64::new(0));
        let mut counted = Counted {
            inner: raw,
            taken: Arc::clone(&taken),
        };
        let mut magic = Vec::with_capacity(MAGIC_BYTES);
        (&mut counted).take(MAGIC_BYTES as u64).read_to_end(&mut magic)?;
        if let Some((_, what, command)) = FOREIGN.iter().find(|(begin, ..)| magic.starts_with(begin)) {
            return Err(InputError::Foreign {
                what,
                command: command.replace("{}", &path.to_string_lossy()),
                consumer,
            });
        }
        let gzip = magic.starts_with(b"\x1f\x8b\x08");
        let zstd = magic.starts_with(b"\x28\xb5\x2f\xfd");
        let whole = io::Cursor::new(magic).chain(counted);
        let (reader, packed): (Box<dyn Read>, _) = if gzip {
            let unpacked = flate2::bufread::MultiGzDecoder::new(BufReader::new(whole));
            (Box::new(unpacked), Some("gzip"))
        } else if zstd {
            let source_error = |source| InputError::Unpack { what: "zstd", source };
            let unpacked = zstd::stream::read::Decoder::new(whole).map_err(source_error)?;
            (Box::new(unpacked), Some("zstd"))
        } else {
            (Box::new(whole), None)
        };
        Ok(Self {
            reader,
            taken,
            size,
            packed,
        })
    }

    /// Reads the next bytes; 0 at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, InputError> {
        loop {
            match self.reader.read(buffer) {
                Ok(length) => return Ok(length),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(match self.packed {
                        Some(what) => InputError::Unpack { what, source },
                        None => InputError::Read(source),
                    });
                }
            }
        }
    }

    /// Bytes taken from the file so far, before unpacking.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

/// Counts what is read.
struct Counted {
    inner: Box<dyn Read>,
    taken: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.taken.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}
