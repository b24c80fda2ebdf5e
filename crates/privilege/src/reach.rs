//! Which files and ports the process may use from now on: Landlock.
//!
//! Landlock came with Linux 5.13 and grows: TCP ports since 6.7 (ABI 4), device controls since 6.10 (ABI 5), signals
//! and abstract Unix sockets since 6.12 (ABI 6). What the kernel does not know it does not restrict.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, NetPort,
    PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope,
};

/// The newest rules that are asked for.
const NEWEST: ABI = ABI::V6;

/// What is left of the file system and the network.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// Files and folders to read. One that does not exist is left out.
    pub read: Vec<PathBuf>,
    /// Folders in which files and sockets are made, changed and removed. One that does not exist is left out.
    pub write: Vec<PathBuf>,
    /// TCP ports to connect to; no port is listened on.
    pub connect: Vec<u16>,
    /// Whether processes outside may be signalled, and sockets of theirs in the abstract namespace connected to.
    pub others: bool,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enforced {
    /// By rules of this ABI.
    Landlock(u32),
    /// This kernel has no Landlock, or it is switched off.
    Not,
}

/// Why nothing is restricted although the kernel could.
#[derive(Debug, thiserror::Error)]
#[error("restrict which files and ports can be used")]
pub struct ReachError(#[from] RulesetError);

/// Restricts the calling thread, and those that it starts, to `reach`. Sets `no_new_privs`.
pub fn restrict(reach: &Reach) -> Result<Enforced, ReachError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?;
    if !reach.others {
        ruleset = ruleset.scope(Scope::from_all(NEWEST))?;
    }
    let mut rules = ruleset.create()?;
    for path in &reach.read {
        rules = allow(rules, path, AccessFs::from_read(NEWEST) & !AccessFs::Execute)?;
    }
    for path in &reach.write {
        rules = allow(rules, path, AccessFs::from_all(NEWEST) & !never())?;
    }
    for port in &reach.connect {
        rules = rules.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    let status = rules.restrict_self()?;
    Ok(match (status.ruleset, status.landlock) {
        (
            RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced,
            LandlockStatus::Available { effective_abi, .. },
        ) => Enforced::Landlock((effective_abi as u32).min(NEWEST as u32)),
        _ => Enforced::Not,
    })
}

/// What no folder is opened for: running programs, and devices.
fn never() -> BitFlags<AccessFs> {
    AccessFs::Execute | AccessFs::MakeBlock | AccessFs::MakeChar | AccessFs::IoctlDev
}

fn allow(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    let Ok(descriptor) = PathFd::new(path) else {
        return Ok(rules);
    };
    // Rules of folders do not fit a file.
    let access = if path.is_dir() {
        access
    } else {
        access & AccessFs::from_file(NEWEST)
    };
    rules.add_rule(PathBeneath::new(descriptor, access))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixListener;
    use std::thread;

    /// A thread is restricted and the others are not, so a test can undo what it did by ending.
    fn restricted(reach: &Reach, work: impl FnOnce() + Send) -> Enforced {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let enforced = restrict(reach).unwrap();
                if enforced != Enforced::Not {
                    work();
                }
                enforced
            });
            thread.join().unwrap()
        })
    }

    #[test]
    fn only_what_was_named_is_left_of_files_and_ports() {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["read", "write", "other"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
            fs::write(dir.path().join(folder).join("file"), "x").unwrap();
        }
        let path = |name: &str| dir.path().join(name);
        let near = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = TcpListener::bind("127.0.0.1:0").unwrap();
        let reach = Reach {
            read: vec![path("read"), "/nonexistent".into()],
            write: vec![path("write")],
            connect: vec![near.local_addr().unwrap().port()],
            others: false,
        };
        let enforced = restricted(&reach, || {
            assert_eq!(fs::read(path("read/file")).unwrap(), b"x");
            fs::write(path("read/file"), "y").unwrap_err();
            fs::remove_file(path("read/file")).unwrap_err();
            fs::write(path("write/file"), "y").unwrap();
            fs::rename(path("write/file"), path("write/renamed")).unwrap();
            fs::remove_file(path("write/renamed")).unwrap();
            drop(UnixListener::bind(path("write/socket")).unwrap());
            fs::read(path("other/file")).unwrap_err();
            fs::read_dir(path("other")).unwrap_err();
            TcpStream::connect(near.local_addr().unwrap()).unwrap();
        });
        if enforced == Enforced::Not {
            testing::skip(
                "only_what_was_named_is_left_of_files_and_ports",
                "this kernel has no Landlock",
            );
            return;
        }
        if matches!(enforced, Enforced::Landlock(4..)) {
            restricted(&reach, || {
                TcpStream::connect(far.local_addr().unwrap()).unwrap_err();
                TcpListener::bind("127.0.0.1:0").unwrap_err();
            });
        }
    }
}
