//! Real faults on this host's kernel, caught by the real hooks. Needs root and the eBPF object.
#![expect(clippy::unwrap_used, reason = "tests panic")]

mod common;

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use common::Host;
use common::collector::Running;
use probe_user::hook;
use proto::v1::record::Payload;
use telemd::status::HookStatus;

/// An agent with its hooks, or why there is none. The collector is the test's own, so everybody's faults arrive there.
fn start(test: &str, wanted: &str) -> Option<(Host, Running)> {
    let collector = Running::start();
    let mut host = Host::new_with(&collector.address.to_string(), "", "");
    host.telemctl(&["opt-in"]);
    host.start();
    let hooks = host.status().session.unwrap().hooks;
    let HookStatus { attach, reason, .. } = hooks.into_iter().find(|state| state.name == wanted).unwrap();
    if attach.is_empty() {
        common::skip(test, &reason);
        return None;
    }
    Some((host, collector))
}

#[test]
fn a_program_that_crashes_is_one_record_with_its_path() {
    let test = "a_program_that_crashes_is_one_record_with_its_path";
    let Some((mut host, collector)) = start(test, hook::SIGNAL_DELIVER) else {
        return;
    };
    // perl-base is essential in Debian; its `p` template follows the address it is given.
    let perl = std::path::Path::new("/usr/bin/perl");
    if !perl.exists() {
        return common::skip(test, "there is no /usr/bin/perl to crash");
    }
    let program = host.path("crash-here");
    std::fs::copy(perl, &program).unwrap();
    let status = Command::new(&program)
        .args(["-e", r#"print unpack("p", pack("J", 16))"#])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.signal(), Some(11));
    host.wait("the record", |_| !crashes(&collector).is_empty());
    // Long enough for the kernel's own line about the crash to become a second record, if it did.
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(host.stop(), Some(0));
    let crashes = crashes(&collector);
    assert_eq!(crashes.len(), 1, "{crashes:#?}");
    let Some(Payload::ProgramCrash(crash)) = &crashes[0].payload else {
        panic!("{crashes:#?}");
    };
    assert_eq!(crash.signal, 11);
    assert_eq!(crashes[0].context.as_ref().unwrap().comm, "crash-here");
    // The program may be gone before its path is read.
    assert!(
        ["", &program.display().to_string()].contains(&crash.executable.as_str()),
        "{}",
        crash.executable
    );
}

/// What arrived about the crashing program, whatever its class.
fn crashes(collector: &Running) -> Vec<proto::v1::Record> {
    let sender = collector.store.lock().sender();
    let records = sender.records.into_iter().map(|(_, record)| record);
    records
        .filter(|record| format!("{record:?}").contains("crash-here"))
        .collect()
}
