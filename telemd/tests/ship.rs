//! The real agent ships to a collector in memory that misbehaves.

mod common;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use common::Host;
use common::collector::{Running, Sender};
use proto::v1::record::Payload;
use proto::v1::{LossReason, Severity};

/// A host that has opted in and ships to `collector`.
fn host(collector: &Running, extra: &str) -> Host {
    let host = Host::new_with(&collector.address.to_string(), "probes.enabled = false", extra);
    host.telemctl(&["opt-in"]);
    host
}

fn send(host: &Host, payload: &str) {
    let sent = host.record_gen(&["-c", "org.example/test/ship", "-s", "3", "-p", payload]);
    assert!(sent.status.success(), "{sent:?}");
}

fn payloads(sender: &Sender) -> Vec<String> {
    let payload = |record: &proto::v1::Record| match &record.payload {
        Some(Payload::Custom(custom)) => Some(custom.payload.clone()),
        _ => None,
    };
    sender
        .records
        .iter()
        .filter_map(|(_, record)| payload(record))
        .collect()
}

fn wait_for(host: &mut Host, collector: &Running, count: usize) -> Sender {
    host.wait("the records to arrive", |_| {
        payloads(&collector.store.lock().sender()).len() >= count
    });
    collector.store.lock().sender()
}

/// The journal's entries about programs' records, once there are `count`.
fn journal(host: &mut Host, args: &[&str], count: usize) -> Vec<serde_json::Value> {
    let mut entries = Vec::new();
    host.wait("the journal to tell what was delivered", |host| {
        entries = host.journal_entries(args);
        entries.len() >= count
    });
    entries
}

#[test]
fn the_journal_tells_what_left_and_is_gone_after_opt_out() {
    let collector = Running::start();
    let mut host = host(&collector, "journal.payloads = true");
    host.start();
    for payload in ["first", "second"] {
        send(&host, payload);
    }
    wait_for(&mut host, &collector, 2);
    let entries = journal(&mut host, &["-c", "org.example/*"], 2);
    let told: Vec<_> = entries.iter().map(|entry| &entry["payload"]).collect();
    assert_eq!(told, ["first", "second"]);
    let id = entries[1]["record_id"].as_str().unwrap();
    assert_eq!(journal(&mut host, &["-r", id], 1).len(), 1);
    let printed = host.telemctl(&["journal", "-i", "-V", "-r", id]);
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(
        printed.contains("org.example/test/ship") && printed.contains("\nsecond\n"),
        "{printed}"
    );
    assert!(printed.ends_with("Total records: 1\n"), "{printed}");

    assert!(host.telemctl(&["opt-out"]).status.success());
    let output = host.journal(&[]);
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
}

#[test]
fn what_programs_dropped_into_a_folder_is_sent_and_removed() {
    let collector = Running::start();
    let mut host = host(&collector, "");
    let dropped = host.path("dropped");
    std::fs::create_dir(&dropped).unwrap();
    let text = "PACKAGE_NAME=swupd\nPACKAGE_VERSION=1\nresult=0\n";
    std::fs::write(dropped.join("2.update.4.a1B2c3"), text).unwrap();
    std::fs::write(dropped.join("notes"), "mine").unwrap();
    let folder = dropped.display().to_string();
    let args = ["--drop-dir", &folder, "-c", "org.example/swupd-client"];
    // Nobody takes it yet.
    assert_eq!(host.record_gen(&args).status.code(), Some(1));
    assert!(dropped.join("2.update.4.a1B2c3").exists());
    host.start();
    let sent = host.record_gen(&args);
    assert!(sent.status.success(), "{sent:?}");
    let sender = wait_for(&mut host, &collector, 1);
    assert_eq!(payloads(&sender), [text]);
    let class = "org.example/swupd-client/update";
    let (_, record) = sender
        .records
        .iter()
        .find(|(_, record)| record.title == class)
        .unwrap();
    assert_eq!(record.severity(), Severity::Critical);
    let left: Vec<_> = std::fs::read_dir(&dropped)
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    assert_eq!(left, ["notes"]);
}

#[test]
fn a_record_arrives_whole_with_the_facts_about_its_host() {
    let collector = Running::start();
    let mut host = host(&collector, "");
    host.start();
    send(&host, "hällo");
    let sender = wait_for(&mut host, &collector, 1);
    let (_, record) = sender
        .records
        .iter()
        .find(|(_, record)| record.class == "custom")
        .unwrap();
    assert_eq!(record.title, "org.example/test/ship");
    assert_eq!(record.severity(), Severity::High);
    assert_eq!(record.hook.as_ref().unwrap().name, "socket");
    assert_eq!(record.boot_id.len(), 36);
    assert!(record.occurred_at_unix_ns > 0 && record.since_boot_ns > 0);
    assert_eq!(record.fingerprints.len(), 1);
    let store = collector.store.lock();
    let facts = store.hellos[0].host.clone().unwrap();
    assert_eq!(facts.hostname, "under-test");
    assert_eq!(facts.boot_id, record.boot_id);
    assert!(!facts.kernel_release.is_empty());
    drop(store);
    host.wait("the heartbeat", |_| {
        let sender = collector.store.lock().sender();
        sender
            .records
            .iter()
            .any(|(_, record)| record.class == "telemetry.heartbeat")
    });
}

#[test]
fn answers_that_get_lost_neither_lose_nor_double_a_record() {
    let collector = Running::start();
    let mut host = host(&collector, "storm.first = 1000");
    host.start();
    for n in 0..40 {
        if n % 10 == 5 {
            collector.store.lock().break_after = Some(0);
        }
        send(&host, &n.to_string());
    }
    let sender = wait_for(&mut host, &collector, 40);
    let all = payloads(&sender);
    assert_eq!(all, (0..40).map(|n| n.to_string()).collect::<Vec<_>>());
    assert!(sender.gaps.is_empty());
    let streams = collector.store.lock().hellos.len();
    assert!(streams > 1, "no stream broke: the test tested nothing");
}

#[test]
fn what_is_kept_while_the_collector_is_away_arrives_after_restarts_of_both() {
    let collector = Running::start();
    let (address, store) = (collector.address, collector.store.clone());
    let mut host = host(&collector, "");
    drop(collector);
    host.start();
    send(&host, "1");
    host.kill();
    host.start();
    send(&host, "2");
    assert_eq!(host.stop(), Some(0));
    let collector = Running::start_with(store, address);
    host.start();
    send(&host, "3");
    let sender = wait_for(&mut host, &collector, 3);
    assert_eq!(payloads(&sender), ["1", "2", "3"]);
    host.wait("the acknowledgement", |host| {
        let spool = host.status().session.unwrap().spool;
        spool.acknowledged_seq == spool.durable_seq
    });
}

#[test]
fn sigterm_ships_what_is_kept_and_counted() {
    let collector = Running::start();
    let mut host = host(&collector, "[storm]\nfirst = 2\nwindow_s = 3600");
    host.start();
    for _ in 0..5 {
        send(&host, "x");
    }
    assert_eq!(host.stop(), Some(0));
    let sender = collector.store.lock().sender();
    assert_eq!(payloads(&sender).len(), 2);
    let losses: Vec<_> = sender
        .records
        .iter()
        .filter_map(|(_, record)| match &record.payload {
            Some(Payload::Loss(loss)) => Some((
                loss.reason(),
                loss.class.as_str(),
                loss.title.as_str(),
                loss.count,
            )),
            _ => None,
        })
        .collect();
    assert_eq!(
        losses,
        [(LossReason::Storm, "custom", "org.example/test/ship", 3)]
    );
}

#[test]
fn a_full_spool_gives_up_its_oldest_and_tells_how_many() {
    let collector = Running::start();
    let limits = "storm.first = 100000\n[spool]\nsegment_bytes = 1048576\nmax_bytes = 2097152";
    let mut host = host(&collector, limits);
    let (address, store) = (collector.address, collector.store.clone());
    drop(collector);
    host.start();
    let mut text = String::new();
    for n in 0..450 {
        text.clear();
        write!(text, "{n:0>8000}").unwrap();
        let answer = host.send("org.example/test/ship", &text);
        assert!(answer.starts_with("ok "), "{answer}");
    }
    let durable = host.status().session.unwrap().spool.durable_seq;
    let collector = Running::start_with(store, address);
    host.wait("everything to be stored or told as lost", |_| {
        collector.store.lock().sender().stored_seq >= durable
    });
    let sender = collector.store.lock().sender();
    let stored: BTreeSet<_> = sender.records.iter().map(|(seq, _)| *seq).collect();
    let lost: u64 = sender.gaps.iter().map(|gap| gap.count).sum();
    assert!(
        lost > 0
            && sender
                .gaps
                .iter()
                .all(|gap| gap.reason() == LossReason::SpoolFull)
    );
    assert_eq!(stored.len() as u64 + lost, sender.stored_seq);
}

#[test]
fn a_collector_that_went_back_in_time_gets_what_the_spool_still_holds_and_the_rest_as_lost() {
    let collector = Running::start();
    let limits = "storm.first = 100000\n[spool]\nsegment_bytes = 1048576\nmax_bytes = 16777216";
    let mut host = host(&collector, limits);
    host.start();
    let text = "x".repeat(8_000);
    for _ in 0..300 {
        let answer = host.send("org.example/test/ship", &text);
        assert!(answer.starts_with("ok "), "{answer}");
    }
    host.wait("the acknowledgement", |host| {
        host.status().session.unwrap().spool.backlog == 0
    });
    {
        let mut store = collector.store.lock();
        for sender in store.senders.values_mut() {
            *sender = Sender::default();
        }
        store.break_after = Some(0);
    }
    send(&host, "one more");
    let durable = host.status().session.unwrap().spool.durable_seq;
    host.wait("everything to be stored or told as lost", |_| {
        collector.store.lock().sender().stored_seq >= durable
    });
    let sender = collector.store.lock().sender();
    let lost: u64 = sender.gaps.iter().map(|gap| gap.count).sum();
    assert_eq!(sender.records.len() as u64 + lost, sender.stored_seq);
    let let_go = |gap: &proto::v1::Gap| gap.reason() == LossReason::SpoolUnreadable;
    assert!(lost > 0 && sender.gaps.iter().all(let_go), "{:?}", sender.gaps);
    assert!(sender.records.len() > 1, "nothing was sent again");
}

#[test]
fn a_collector_that_refuses_is_told_by_the_doctor_with_advice() {
    let collector = Running::start();
    collector.store.lock().refuse = Some(tonic::Status::permission_denied("who are you?"));
    let mut host = host(&collector, "");
    host.start();
    host.wait("the refusal", |host| {
        !host.status().session.unwrap().link.advice.is_empty()
    });
    let output = host.telemctl(&["doctor"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("who are you?") && said.contains("give it access"),
        "{said}"
    );
}
