//! Who the process is: user, groups, capabilities, network.
//!
//! All of it is a thread's in Linux, and threads inherit it: call these before the process starts any.

use std::io;

use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags};

use crate::account::Account;

/// More capabilities than a kernel knows: their set has 64 bits (`include/uapi/linux/capability.h`).
const CAPABILITIES: u32 = 64;

/// Why the process is still what it was, at least in part. It must not go on.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The user or its groups.
    #[error("become user {name} (uid {uid})")]
    User {
        /// Its name.
        name: String,
        /// Its number.
        uid: u32,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The capabilities.
    #[error("give capabilities up")]
    Capabilities(#[source] io::Error),
    /// `no_new_privs`.
    #[error("forbid new privileges")]
    NewPrivileges(#[source] io::Error),
}

/// Whether the process runs as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Becomes a user with its primary group and no other. Needs `CAP_SETUID` and `CAP_SETGID`.
pub fn become_user(account: &Account) -> Result<(), CredentialsError> {
    let uid = rustix::process::Uid::from_raw(account.uid);
    let gid = rustix::process::Gid::from_raw(account.gid);
    rustix::thread::set_thread_groups(&[])
        .and_then(|()| rustix::thread::set_thread_res_gid(gid, gid, gid))
        .and_then(|()| rustix::thread::set_thread_res_uid(uid, uid, uid))
        .map_err(|errno| CredentialsError::User {
            name: account.name.clone(),
            uid: account.uid,
            source: errno.into(),
        })
}

/// Keeps of the capabilities only those in `keep`, for good: what is gone cannot come back by running a program either.
///
/// Without `CAP_SETPCAP` the bounding set stays as it is; [`no_new_privileges`] makes that harmless.
pub fn keep_capabilities(keep: CapabilitySet) -> Result<(), CredentialsError> {
    let failed = |errno: rustix::io::Errno| CredentialsError::Capabilities(errno.into());
    rustix::thread::clear_ambient_capability_set().map_err(failed)?;
    limit_programs(keep)?;
    let held = rustix::thread::capabilities(None).map_err(failed)?;
    let kept = CapabilitySets {
        effective: held.effective & keep,
        permitted: held.permitted & keep,
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, kept).map_err(failed)
}

/// Keeps of the capabilities that a program which is run could get only those in `keep` (the bounding set). Without
/// `CAP_SETPCAP` that changes nothing: call it before becoming a user.
pub fn limit_programs(keep: CapabilitySet) -> Result<(), CredentialsError> {
    for number in 0..CAPABILITIES {
        let one = CapabilitySet::from_bits_retain(1 << number);
        if keep.contains(one) {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(one) {
            Ok(()) => {}
            // No kernel knows this one or a later one; or the process may not.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::PERM) => break,
            Err(errno) => return Err(CredentialsError::Capabilities(errno.into())),
        }
    }
    Ok(())
}

/// From now on no program that is run gets more than this process has. Landlock and seccomp need it.
pub fn no_new_privileges() -> Result<(), CredentialsError> {
    rustix::thread::set_no_new_privs(true).map_err(|errno| CredentialsError::NewPrivileges(errno.into()))
}

/// Moves to a network of its own, in which there is nothing, unless it is in such a one. Needs `CAP_SYS_ADMIN`.
pub fn leave_network() -> io::Result<()> {
    #[expect(
        unsafe_code,
        reason = "unsharing is one system call with many meanings, some of them unsafe"
    )]
    // SAFETY: this flag changes which network new sockets are in; descriptors and memory stay shared.
    match unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) } {
        Err(_refused) if is_without_network() => Ok(()),
        unshared => Ok(unshared?),
    }
}

/// Whether there is nothing but the loopback here, as where the service manager has started it so.
fn is_without_network() -> bool {
    std::fs::read_to_string("/proc/thread-self/net/dev").is_ok_and(|devices| {
        let mut names = devices.lines().filter_map(|line| line.split_once(':'));
        names.all(|(name, _)| name.trim() == "lo")
    })
}
