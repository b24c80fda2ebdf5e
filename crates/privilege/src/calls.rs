//! Which system calls the process may make from now on: seccomp.
//!
//! A call that is not on the list fails with `EPERM`, so that a new version of a library degrades rather than dies. The
//! lists are by need: what the C library, the runtime and the standard library of Rust call for files, memory, threads
//! and clocks, then what the networked process and the privileged one each need on top.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

mod lists;
#[cfg(test)]
mod tests;

use lists::{COMMON, NETWORK, PRIVILEGED};

/// Calls that are allowed always (no rules) or when one of the rules holds.
type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

/// Who is to be restricted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Talks to the network; runs no program, loads nothing into the kernel.
    Networked,
    /// Loads programs into the kernel and has no network: it can make no socket. Programs that it runs cannot either.
    Privileged,
}

/// Why the calls are not restricted.
#[derive(Debug, thiserror::Error)]
pub enum CallsError {
    /// There is no list for this processor.
    #[error("system calls of {} are not known here", std::env::consts::ARCH)]
    Processor,
    /// A list is wrong, or the kernel has no seccomp.
    #[error("restrict the system calls")]
    Filter(#[source] seccompiler::Error),
}

impl From<seccompiler::BackendError> for CallsError {
    fn from(error: seccompiler::BackendError) -> Self {
        Self::Filter(seccompiler::Error::Backend(error))
    }
}

/// Restricts the calling thread, and those that it starts, to the calls of `role`. Sets `no_new_privs`.
pub fn restrict(role: Role) -> Result<(), CallsError> {
    let target = TargetArch::try_from(std::env::consts::ARCH).map_err(|_unknown| CallsError::Processor)?;
    // The last filter that was installed is asked first, and the strictest answer counts: this one first.
    for filter in [no_clone3(target)?, allowed(role, target)?] {
        seccompiler::apply_filter(&filter).map_err(CallsError::Filter)?;
    }
    Ok(())
}

/// The flags of `clone3` are in memory, which a filter cannot see; told that there is no such call, the C library uses
/// `clone`, whose flags it can.
fn no_clone3(target: TargetArch) -> Result<BpfProgram, CallsError> {
    let rules = Rules::from([(libc::SYS_clone3, Vec::new())]);
    let absent = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
    Ok(SeccompFilter::new(rules, SeccompAction::Allow, absent, target)?.try_into()?)
}

fn allowed(role: Role, target: TargetArch) -> Result<BpfProgram, CallsError> {
    let mut rules: Rules = COMMON.iter().map(|call| (*call, Vec::new())).collect();
    conditional(&mut rules)?;
    match role {
        Role::Networked => {
            rules.extend(NETWORK.iter().map(|call| (*call, Vec::new())));
            let families = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];
            rules.insert(libc::SYS_socket, one_of(0, &families.map(i64::from))?);
        }
        Role::Privileged => {
            rules.extend(PRIVILEGED.iter().map(|call| (*call, Vec::new())));
            let process = bits(0, namespaces(), 0)?;
            rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![process])?]);
        }
    }
    let refused = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    Ok(SeccompFilter::new(rules, refused, SeccompAction::Allow, target)?.try_into()?)
}

/// Calls of both roles that are allowed for some arguments only.
fn conditional(rules: &mut Rules) -> Result<(), CallsError> {
    let thread = i64::from(libc::CLONE_THREAD);
    let thread_only = bits(0, thread | namespaces(), thread)?;
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![thread_only])?]);
    // Memory is writable or runnable, never both; what was written does not become runnable.
    let (write, run) = (i64::from(libc::PROT_WRITE), i64::from(libc::PROT_EXEC));
    let not_both = [write, run].map(|bit| Ok(SeccompRule::new(vec![bits(2, bit, 0)?])?));
    rules.insert(
        libc::SYS_mmap,
        not_both.into_iter().collect::<Result<_, CallsError>>()?,
    );
    rules.insert(
        libc::SYS_mprotect,
        vec![SeccompRule::new(vec![bits(2, run, 0)?])?],
    );
    rules.insert(libc::SYS_ioctl, one_of(1, &lists::CONTROLS)?);
    rules.insert(
        libc::SYS_prctl,
        one_of(0, &lists::PROCESS_CONTROLS.map(i64::from))?,
    );
    Ok(())
}

/// Flags of `clone` that make namespaces.
fn namespaces() -> i64 {
    i64::from(
        libc::CLONE_NEWUSER
            | libc::CLONE_NEWNET
            | libc::CLONE_NEWNS
            | libc::CLONE_NEWPID
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWUTS
            | libc::CLONE_NEWCGROUP,
    )
}

/// Rules of which one holds when the argument has one of the values.
fn one_of(argument: u8, values: &[i64]) -> Result<Vec<SeccompRule>, CallsError> {
    let rule = |value: &i64| {
        let equal = condition(argument, SeccompCmpOp::Eq, *value)?;
        Ok(SeccompRule::new(vec![equal])?)
    };
    values.iter().map(rule).collect()
}

/// Holds when the argument's bits of `mask` are `value`.
fn bits(argument: u8, mask: i64, value: i64) -> Result<SeccompCondition, CallsError> {
    condition(argument, SeccompCmpOp::MaskedEq(mask.cast_unsigned()), value)
}

fn condition(argument: u8, operator: SeccompCmpOp, value: i64) -> Result<SeccompCondition, CallsError> {
    Ok(SeccompCondition::new(
        argument,
        SeccompCmpArgLen::Dword,
        operator,
        value.cast_unsigned(),
    )?)
}
