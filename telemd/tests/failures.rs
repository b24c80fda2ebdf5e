//! Failed units and errors, from a journal that systemd's own tool wrote.

mod common;

use std::path::Path;

use common::Host;
use common::collector::Running;
use common::journal::{WRITER, write_journal};
use proto::v1::record::Payload;

/// `SD_MESSAGE_UNIT_FAILURE_RESULT`
const UNIT_FAILED: &str = "d9b373ed55a64feb8242e02dbe79a49c";

/// `SD_MESSAGE_COREDUMP`
const CORE_DUMP: &str = "fc2e22bc6ee647b6b90729ab34a250b1";

/// 2100, and 2020.
const AFTER_S: u64 = 4_102_444_800;
const BEFORE_S: u64 = 1_577_836_800;

#[test]
fn failed_units_and_errors_are_told_once_and_none_from_before_opt_in() {
    if !Path::new(WRITER).exists() {
        testing::skip(
            "failed_units_and_errors_are_told_once_and_none_from_before_opt_in",
            "systemd-journal-remote, which writes journals, is not installed",
        );
        return;
    }
    let collector = Running::start();
    let mut host = Host::new_with(&collector.address.to_string(), "probes.enabled = false", "");
    host.telemctl(&["opt-in"]);
    host.start();
    std::fs::create_dir(host.path("journal")).unwrap();
    let failed = format!(
        "MESSAGE_ID={UNIT_FAILED}\nPRIORITY=4\n_PID=1\nUNIT=x.service\nUNIT_RESULT=exit-code\nMESSAGE=x failed"
    );
    // No hook is attached, so the dump is told.
    let dumped = format!(
        "MESSAGE_ID={CORE_DUMP}\nPRIORITY=2\n_SYSTEMD_UNIT=systemd-coredump@0-1-2.service\nCOREDUMP_PID=41\nCOREDUMP_EXE=/usr/bin/x\nCOREDUMP_SIGNAL_NAME=SIGSEGV\nMESSAGE=x dumped core"
    );
    write_journal(
        &host.path("journal/a.journal"),
        &[
            (BEFORE_S, "PRIORITY=3\nMESSAGE=long ago"),
            (AFTER_S, "PRIORITY=6\nMESSAGE=all is well"),
            (AFTER_S, &failed),
            (AFTER_S, "PRIORITY=3\nMESSAGE=it broke\nSYSLOG_IDENTIFIER=prog"),
            (AFTER_S, &dumped),
            (AFTER_S, "PRIORITY=3\n_TRANSPORT=kernel\nMESSAGE=the hooks tell"),
        ],
    );
    let journal = host.path("journal");
    let tell = |host: &Host| {
        let output = host.telemctl(&["failures", "--journal", journal.to_str().unwrap()]);
        assert!(output.status.success(), "{output:?}");
        assert!(host.telemctl(&["flush"]).status.success());
        let sender = collector.store.lock().sender();
        let told = sender
            .records
            .iter()
            .filter_map(|(_, record)| match &record.payload {
                Some(Payload::Custom(custom)) => {
                    Some(format!("{} {}", custom.classification, custom.payload))
                }
                _ => None,
            });
        told.collect::<Vec<_>>()
    };
    let all = [
        "org.telemetrics/unit/failed x failed".to_owned(),
        "org.telemetrics/journal/error it broke".to_owned(),
        "org.telemetrics/crash/core-dump x dumped core".to_owned(),
    ];
    assert_eq!(tell(&host), all);
    assert_eq!(tell(&host), all);
    write_journal(
        &host.path("journal/b.journal"),
        &[(AFTER_S + 60, "PRIORITY=2\nMESSAGE=worse")],
    );
    assert_eq!(
        tell(&host).last().unwrap(),
        "org.telemetrics/journal/critical worse"
    );
    assert_eq!(tell(&host).len(), all.len() + 1);
    assert!(host.telemctl(&["opt-out"]).status.success());
    assert!(!host.path("state/failures.json").exists());
}
