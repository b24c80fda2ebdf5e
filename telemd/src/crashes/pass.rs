//! Passing a core dump on, byte by byte, to whatever took dumps before.
//!
//! A program gets it as from the kernel, with the helper's own rights. A file is opened as the kernel does it (`fs/coredump.c`:
//! `coredump_file`, Linux 5.10 to 6.12): by the user of the process that crashed, in its folder or its root, never through a link,
//! only of a process whose memory its user may see, and as large as that process's limit allows.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use privilege::account::Account;
use privilege::credentials;
use rustix::fs::{Mode, OFlags, ResolveFlags};

/// What is passed on at once, bytes.
const PIECE: usize = 64 << 10;
/// Of a file, blocks of nothing but zeros are left out, which take no room on the disk then. Bytes.
const BLOCK: usize = 4 << 10;
/// The rights of a core dump in a file, and which of a file's rights must be so.
const FILE_MODE: (u32, u32) = (0o600, 0o677);
/// `%d` of core(5): the process's user may see its memory.
const DUMPABLE: u32 = 1;

/// Takes a dump.
#[derive(Debug)]
pub enum Sink {
    /// A program, which reads its standard input.
    Program(Child),
    /// A file, of which so many bytes may still be written.
    File(File, u64),
    /// Nobody.
    Nothing,
}

/// A file that a dump is to go to.
#[derive(Debug, Clone)]
pub struct Target<'a> {
    /// The process that crashed.
    pub pid: u32,
    /// Its `%d`.
    pub dumpable: u32,
    /// Its limit, bytes: `%c`.
    pub limit: u64,
    /// Its user, `%u`.
    pub uid: u32,
    /// Its group, `%g`.
    pub gid: u32,
    /// Where to, absolute or from the process's folder.
    pub name: &'a OsStr,
}

impl Sink {
    /// Starts a program with its arguments.
    pub fn program(command: &[OsString]) -> io::Result<Self> {
        let (program, arguments) = command
            .split_first()
            .ok_or_else(|| io::Error::other("no program is named"))?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .spawn()?;
        Ok(Self::Program(child))
    }

    /// Opens a file, where the kernel would have.
    pub fn file(proc: &Path, target: &Target<'_>) -> io::Result<Self> {
        if target.dumpable != DUMPABLE || target.limit == 0 {
            return Ok(Self::Nothing);
        }
        // Users are a thread's.
        let opened = std::thread::scope(|scope| scope.spawn(|| open_as_user(proc, target)).join());
        let file = opened.map_err(|_panic| io::Error::other("the file could not be opened"))??;
        Ok(Self::File(file, target.limit))
    }

    fn take(&mut self, bytes: &[u8]) {
        let taken = match self {
            Self::Program(child) => match &mut child.stdin {
                Some(input) => input.write_all(bytes).inspect_err(|_error| child.stdin = None),
                None => Ok(()),
            },
            Self::File(file, left) => {
                let size = usize::try_from(*left).unwrap_or(usize::MAX);
                let bytes = bytes.get(..size).unwrap_or(bytes);
                *left -= bytes.len() as u64;
                bytes.chunks(BLOCK).try_for_each(|block| append(file, block))
            }
            Self::Nothing => Ok(()),
        };
        if let Err(error) = taken {
            tracing::warn!(%error, "a core dump could not be passed on whole");
            if matches!(self, Self::File(..)) {
                *self = Self::Nothing;
            }
        }
    }

    /// Waits until the dump is where it should be.
    fn close(self) -> io::Result<()> {
        match self {
            Self::Program(mut child) => {
                drop(child.stdin.take());
                child.wait().map(drop)
            }
            Self::File(mut file, _) => {
                let end = file.stream_position()?;
                file.set_len(end)
            }
            Self::Nothing => Ok(()),
        }
    }
}

fn append(file: &mut File, block: &[u8]) -> io::Result<()> {
    if block.iter().all(|byte| *byte == 0) {
        let bytes = i64::try_from(block.len()).unwrap_or(i64::MAX);
        return file.seek(SeekFrom::Current(bytes)).map(drop);
    }
    file.write_all(block)
}

/// Opens the file in a thread that is about to end.
fn open_as_user(proc: &Path, target: &Target<'_>) -> io::Result<File> {
    if rustix::process::geteuid().as_raw() != target.uid {
        let account = Account {
            name: format!("uid {}", target.uid),
            uid: target.uid,
            gid: target.gid,
        };
        credentials::become_user(&account).map_err(io::Error::other)?;
    }
    let (from, resolve) = match target.name.as_bytes() {
        [b'/', ..] => ("root", ResolveFlags::IN_ROOT),
        _ => ("cwd", ResolveFlags::NO_MAGICLINKS),
    };
    let folder = proc.join(target.pid.to_string()).join(from);
    let folder = rustix::fs::open(
        folder,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    // Not waiting: it may be a pipe.
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let (mode, fixed) = FILE_MODE;
    let file = rustix::fs::openat2(folder, target.name, flags, Mode::from_raw_mode(mode), resolve)?;
    let file = File::from(file);
    let found = file.metadata()?;
    let is_own = found.is_file() && found.nlink() == 1 && found.uid() == target.uid;
    if !is_own || found.mode() & fixed != mode {
        return Err(io::Error::other(
            "there is another's file of that name, or one that others may read",
        ));
    }
    file.set_len(0)?;
    Ok(file)
}

/// A dump that is passed on as it is read.
#[derive(Debug)]
pub struct Passing<R> {
    input: R,
    sink: Sink,
}

impl<R: Read> Passing<R> {
    /// Passes `input` on to `sink`.
    pub fn new(input: R, sink: Sink) -> Self {
        Self { input, sink }
    }

    /// Passes the rest on, and waits until it has arrived.
    pub fn finish(mut self) -> io::Result<()> {
        let mut piece = vec![0; PIECE];
        loop {
            match self.read(&mut piece) {
                Ok(0) => return self.sink.close(),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.sink.close()?;
                    return Err(error);
                }
            }
        }
    }
}

impl<R: Read> Read for Passing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.input.read(buffer)?;
        self.sink.take(buffer.get(..bytes).unwrap_or_default());
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::PathBuf;

    use super::*;

    /// A /proc with one process, whose folder and root are in it.
    struct Proc(tempfile::TempDir);

    impl Proc {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            for folder in ["7", "cwd", "root/crash"] {
                fs::create_dir_all(dir.path().join(folder)).unwrap();
            }
            for folder in ["cwd", "root"] {
                symlink(dir.path().join(folder), dir.path().join("7").join(folder)).unwrap();
            }
            Self(dir)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn pass(&self, bytes: &[u8], change: impl FnOnce(&mut Target<'_>)) -> io::Result<()> {
            let mut target = Target {
                pid: 7,
                dumpable: DUMPABLE,
                limit: u64::MAX,
                uid: rustix::process::geteuid().as_raw(),
                gid: rustix::process::getegid().as_raw(),
                name: OsStr::new("core"),
            };
            change(&mut target);
            Passing::new(bytes, Sink::file(self.0.path(), &target)?).finish()
        }
    }

    /// A dump with a hole, which ends in one.
    fn dump() -> Vec<u8> {
        let mut bytes = vec![0; 40 * BLOCK];
        bytes[..5].copy_from_slice(b"\x7fELF\x02");
        bytes[30 * BLOCK] = 1;
        bytes
    }

    #[test]
    fn a_file_has_every_byte_where_the_kernel_would_have_put_it() {
        let proc = Proc::new();
        proc.pass(&dump(), |_| {}).unwrap();
        assert_eq!(fs::read(proc.path("cwd/core")).unwrap(), dump());
        let mode = fs::metadata(proc.path("cwd/core")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        proc.pass(&dump(), |target| target.name = OsStr::new("/crash/core.7"))
            .unwrap();
        assert_eq!(fs::read(proc.path("root/crash/core.7")).unwrap(), dump());
        // Again, and shorter: nothing is left of the first.
        proc.pass(b"short", |_| {}).unwrap();
        assert_eq!(fs::read(proc.path("cwd/core")).unwrap(), b"short");
        proc.pass(&dump(), |target| target.limit = 10).unwrap();
        assert_eq!(fs::read(proc.path("cwd/core")).unwrap(), dump()[..10]);
    }

    #[test]
    fn no_file_is_written_that_the_kernel_would_not_write() {
        let proc = Proc::new();
        proc.pass(&dump(), |target| target.limit = 0).unwrap();
        proc.pass(&dump(), |target| target.dumpable = 2).unwrap();
        assert!(!proc.path("cwd/core").exists());
        fs::write(proc.path("victim"), "x").unwrap();
        symlink(proc.path("victim"), proc.path("cwd/core")).unwrap();
        proc.pass(&dump(), |_| {}).unwrap_err();
        fs::remove_file(proc.path("cwd/core")).unwrap();
        fs::hard_link(proc.path("victim"), proc.path("cwd/core")).unwrap();
        proc.pass(&dump(), |_| {}).unwrap_err();
        assert_eq!(fs::read(proc.path("victim")).unwrap(), b"x");
        fs::remove_file(proc.path("cwd/core")).unwrap();
        fs::write(proc.path("cwd/core"), "x").unwrap();
        fs::set_permissions(proc.path("cwd/core"), fs::Permissions::from_mode(0o644)).unwrap();
        proc.pass(&dump(), |_| {}).unwrap_err();
    }

    #[test]
    fn a_program_gets_every_byte_and_may_leave_early() {
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join("copy");
        let command = ["sh", "-c", "cat > \"$1\"", "sh"].map(OsString::from);
        let command = [command.as_slice(), &[copy.clone().into()]].concat();
        Passing::new(dump().as_slice(), Sink::program(&command).unwrap())
            .finish()
            .unwrap();
        assert_eq!(fs::read(copy).unwrap(), dump());
        let leaves = Sink::program(&["true".into()]).unwrap();
        let long = vec![1; 4 << 20];
        Passing::new(long.as_slice(), leaves).finish().unwrap();
        Sink::program(&["/nonexistent".into()]).unwrap_err();
    }
}
