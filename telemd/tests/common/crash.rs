//! Agents with real hooks, and programs that die.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use telemd::status::HookStatus;

use super::Host;
use super::collector::Running;

/// An agent with its hooks, or why there is none. The collector is the test's own, so everybody's faults arrive there.
pub(crate) fn start(test: &str, wanted: &str, extra: &str) -> Option<(Host, Running)> {
    let collector = Running::start();
    // What this host's log and earlier boots tell is not this test's.
    let elsewhere = "probes.kmsg_path = \"/nonexistent/kmsg\"\nprobes.pstore_dir = \"/nonexistent/pstore\"\n\
        probes.earlier_root = \"/nonexistent\"";
    let mut host = Host::new_with(&collector.address.to_string(), elsewhere, extra);
    host.open_to_all();
    host.telemctl(&["opt-in"]);
    host.start();
    let HookStatus { attach, reason, .. } = hook(&host, wanted);
    if attach.is_empty() {
        testing::skip(test, &reason);
        return None;
    }
    Some((host, collector))
}

/// How a hook is.
pub(crate) fn hook(host: &Host, name: &str) -> HookStatus {
    let hooks = host.status().session.unwrap().hooks;
    hooks.into_iter().find(|state| state.name == name).unwrap()
}

/// Lets a program crash; its path, or why there is none to crash.
pub(crate) fn crash(host: &Host, name: &str) -> Result<PathBuf, &'static str> {
    // perl-base is essential in Debian; its `p` template follows the address it is given.
    let perl = Path::new("/usr/bin/perl");
    if !perl.exists() {
        return Err("there is no /usr/bin/perl to crash");
    }
    let program = copied(perl, host, name);
    let status = Command::new(&program)
        .args(["-e", r#"print unpack("p", pack("J", 16))"#])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.signal(), Some(11));
    Ok(program)
}

/// A copy of a program under a name that no other run of these tests has: every agent on this host sees it die.
pub(crate) fn copied(program: &Path, host: &Host, name: &str) -> PathBuf {
    let copy = host.path(&format!("{name}-{}", std::process::id()));
    // By a process of its own: a file that is open for writing here is open in every process that another test starts
    // meanwhile, and cannot be executed (ETXTBSY).
    let status = Command::new("cp").args([program, &copy]).status().unwrap();
    assert!(status.success(), "{status}");
    copy
}

pub(crate) fn name_of(program: &Path) -> String {
    program.file_name().unwrap().to_str().unwrap().to_owned()
}

/// What arrived about a program, whatever its class.
pub(crate) fn about(collector: &Running, program: &str) -> Vec<proto::v1::Record> {
    let sender = collector.store.lock().sender();
    let records = sender.records.into_iter().map(|(_, record)| record);
    records
        .filter(|record| format!("{record:?}").contains(program))
        .collect()
}
