//! What the real agent tells of the time before it: the log of this boot, and the end of the last one. The kernel's log and
//! everything that earlier boots leave are the test's own; there are no hooks.

mod common;

use common::Host;
use common::collector::{Running, records};
use common::past::{host, host_with, keep_fatal_error};
use proto::v1::record::Payload;
use proto::v1::{Confidence, Demise};

fn titles(collector: &Running) -> Vec<String> {
    records(collector, "kernel.bug")
        .into_iter()
        .map(|record| record.title)
        .collect()
}

/// Waits until the fault `number` has arrived, and for a while longer for what should not come.
fn wait_for(host: &mut Host, collector: &Running, number: u32) {
    let title = title(number);
    host.wait(&title, |_| titles(collector).contains(&title));
    std::thread::sleep(std::time::Duration::from_secs(1));
}

fn title(number: u32) -> String {
    format!("BUG: scheduling while atomic in example_{number}")
}

#[test]
fn the_log_of_this_boot_is_told_once_however_often_the_agent_starts() {
    let collector = Running::start();
    let (mut host, mut log) = host(&collector);
    log.report(1, 1);
    host.start();
    wait_for(&mut host, &collector, 1);
    log.report(2, 2);
    wait_for(&mut host, &collector, 2);
    assert_eq!(host.stop(), Some(0));

    // While no agent runs.
    log.again();
    for number in 1..=3 {
        log.report(number, number.into());
    }
    host.start();
    wait_for(&mut host, &collector, 3);
    host.kill();

    log.again();
    for number in 1..=4 {
        log.report(number, number.into());
    }
    host.start();
    wait_for(&mut host, &collector, 4);
    assert_eq!(host.stop(), Some(0));
    let expected: Vec<_> = (1..=4).map(title).collect();
    assert_eq!(titles(&collector), expected);
    assert_eq!(records(&collector, "telemetry.loss"), []);
    let first = &records(&collector, "kernel.bug")[0];
    assert_eq!(first.since_boot_ns / 1_000_000_000, 1);
    assert_eq!(first.hook.as_ref().unwrap().attach, "kmsg");
}

#[test]
fn a_journal_that_is_slow_holds_nothing_else_up() {
    let collector = Running::start();
    let (mut host, mut log) = host(&collector);
    keep_fatal_error(&host);
    std::fs::create_dir_all(host.path("root/var/log/journal")).unwrap();
    let folder = host.path("bin");
    std::fs::create_dir(&folder).unwrap();
    testing::write_program(&folder.join("journalctl"), b"#!/bin/sh\nexec sleep 4\n");
    let path = std::env::var("PATH").unwrap();
    let mut telemd = host.telemd();
    telemd.env("PATH", format!("{}:{path}", folder.display()));
    host.start_by(telemd);
    log.report(1, 1);
    host.wait("the report", |_| titles(&collector) == [title(1)]);
    let of_past = |collector: &Running| records(collector, "hardware.memory_error").len();
    assert_eq!(
        of_past(&collector),
        0,
        "what earlier boots left is still being read"
    );
    host.wait("the error of the boot before", |_| of_past(&collector) == 1);
    assert_eq!(host.stop(), Some(0));
}

#[test]
fn without_the_console_hook_the_log_is_what_is_read() {
    let collector = Running::start();
    let extra = "probes.object = \"/nonexistent\"\nprobes.disable = [\"printk_console\"]\n";
    let (mut host, mut log) = host_with(&collector, extra);
    host.start();
    log.report(1, 1);
    wait_for(&mut host, &collector, 1);
    assert_eq!(host.stop(), Some(0));
}

#[test]
fn what_the_log_has_lost_since_the_last_agent_is_counted() {
    let collector = Running::start();
    let (mut host, mut log) = host(&collector);
    log.report(1, 1);
    host.start();
    wait_for(&mut host, &collector, 1);
    assert_eq!(host.stop(), Some(0));
    // Ten records were printed and overwritten before the next one.
    let before = log.next;
    log.next += 10;
    log.report(2, 2);
    host.start();
    wait_for(&mut host, &collector, 2);
    assert_eq!(host.stop(), Some(0));
    let lost = records(&collector, "telemetry.loss");
    let counts: Vec<_> = lost
        .iter()
        .map(|record| match &record.payload {
            Some(Payload::Loss(loss)) => (loss.hook.as_str(), loss.count),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(counts, [("kmsg", 10)], "from {before}");
}

#[test]
fn how_the_last_boot_ended_is_told_once_with_its_evidence() {
    let collector = Running::start();
    let (mut host, _log) = host(&collector);
    let then = "11111111-2222-4333-8444-555555555555";
    std::fs::create_dir_all(host.path("state")).unwrap();
    let known = format!("{{\"current\":\"{then}\",\"previous\":\"\"}}");
    std::fs::write(host.path("state/boots.json"), known).unwrap();
    let alive = format!(
        "{{\"boot_id\":\"{then}\",\"kernel_release\":\"6.1.0\",\"booted_at_unix_ns\":1,\"at_unix_ns\":2,\"stopped\":false}}\n"
    );
    std::fs::write(host.path("state/alive.json"), alive).unwrap();
    let pstore = host.path("pstore");
    std::fs::create_dir(&pstore).unwrap();
    let panic = "Panic#1 Part1\n<0>[   60.3][    T1] Kernel panic - not syncing: sysrq triggered crash\n";
    std::fs::write(pstore.join("dmesg-ramoops-0"), panic).unwrap();

    host.start();
    host.wait("the obituary", |_| !records(&collector, "boot.end").is_empty());
    host.kill();
    host.start();
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(host.stop(), Some(0));
    let ends = records(&collector, "boot.end");
    assert_eq!(ends.len(), 1, "{ends:#?}");
    assert_eq!(ends[0].title, "previous boot ended: kernel panic");
    assert_eq!(
        (ends[0].boot_id.as_str(), ends[0].kernel_release.as_str()),
        (then, "6.1.0")
    );
    let Some(Payload::Obituary(obituary)) = &ends[0].payload else {
        panic!("{ends:#?}");
    };
    assert_eq!(
        (obituary.demise(), obituary.confidence()),
        (Demise::Panic, Confidence::High)
    );
    let sources: Vec<_> = obituary
        .evidence
        .iter()
        .map(|evidence| evidence.source.as_str())
        .collect();
    assert_eq!(sources, ["pstore", "heartbeat"]);
    assert_eq!(records(&collector, "kernel.panic").len(), 1);
    assert_eq!(std::fs::read_dir(&pstore).unwrap().count(), 0);
    // The agent's own trace of this boot.
    let alive = std::fs::read_to_string(host.path("state/alive.json")).unwrap();
    assert!(alive.contains("\"stopped\":true"), "{alive}");
}

#[test]
fn dumps_that_belong_to_another_tool_are_told_and_left() {
    let collector = Running::start();
    let (mut host, _log) = host(&collector);
    let units = host.path("root/run/systemd/system/sysinit.target.wants");
    std::fs::create_dir_all(&units).unwrap();
    std::fs::write(units.join("systemd-pstore.service"), "").unwrap();
    let pstore = host.path("pstore");
    std::fs::create_dir(&pstore).unwrap();
    std::fs::write(pstore.join("dmesg-efi_pstore-1"), "Panic#1 Part1\nhello\n").unwrap();
    host.start();
    host.wait("the panic", |_| !records(&collector, "kernel.panic").is_empty());
    host.wait("why the dump stays", |host| {
        host.log().contains("systemd-pstore.service")
    });
    let doctor = host.telemctl(&["doctor"]);
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert!(said.contains("systemd-pstore.service empties it"), "{said}");
    assert_eq!(host.stop(), Some(0));
    assert_eq!(std::fs::read_dir(&pstore).unwrap().count(), 1);
}

#[test]
fn what_the_firmware_kept_is_told_from_its_bytes_and_not_from_the_log_as_well() {
    let collector = Running::start();
    let (mut host, mut log) = host(&collector);
    keep_fatal_error(&host);
    for text in [
        "BERT: Error records from previous boot:",
        "[Hardware Error]: event severity: fatal",
        "[Hardware Error]:  Error 0, type: fatal",
        "[Hardware Error]:   section_type: memory error",
        "BERT: Total records found: 1",
    ] {
        log.line(text, 1);
    }
    log.report(1, 2);
    host.start();
    wait_for(&mut host, &collector, 1);
    host.wait("the error", |_| {
        !records(&collector, "hardware.memory_error").is_empty()
    });
    assert_eq!(host.stop(), Some(0));
    let errors = records(&collector, "hardware.memory_error");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert_eq!(errors[0].hook.as_ref().unwrap().name, "bert");
}
