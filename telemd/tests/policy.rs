//! What the administrator of a host agreed to, how much of it is kept, and under whose name, with the real agent.

mod common;

use std::collections::BTreeSet;
use std::fs::File;
use std::time::{Duration, SystemTime};

use common::collector::Running;
use common::{Host, said};
use proto::v1::LossReason;
use proto::v1::record::Payload;

/// Payloads of programs' records that were stored, of all senders.
fn payloads(collector: &Running) -> Vec<String> {
    let store = collector.store.lock();
    let records = store.senders.values().flat_map(|sender| &sender.records);
    let payload = |(_, record): &(u64, proto::v1::Record)| match &record.payload {
        Some(Payload::Custom(custom)) => Some(custom.payload.clone()),
        _ => None,
    };
    records.filter_map(payload).collect()
}

#[test]
fn what_is_not_agreed_to_is_not_recorded_and_agreeing_takes_no_restart() {
    let mut host = Host::new("[consent]\nexcept = [\"org.private/*\"]");
    host.telemctl(&["opt-in"]);
    host.start();
    assert!(host.send("org.example/a/b", "x").starts_with("ok "));
    let refused = host.send("org.private/a/b", "x");
    assert!(refused.contains("see [consent]"), "{refused}");
    let output = host.record_gen(&["-c", "org.private/a/b", "-p", "x"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&host, &output));
    // It was not asked for, so nothing of it is lost.
    assert_eq!(host.status().session.unwrap().rejected, 0);

    host.add_config("10.toml", "consent.except = []\nconsent.sources = [\"socket\"]");
    assert!(host.telemctl(&["reload"]).status.success());
    assert!(host.send("org.private/a/b", "x").starts_with("ok "));
    host.add_config("10.toml", "consent.sources = [\"hook.*\", \"past.*\"]");
    assert!(host.telemctl(&["reload"]).status.success());
    assert!(host.send("org.example/a/c", "x").contains("see [consent]"));
}

#[test]
fn a_class_has_a_limit_and_what_is_over_it_is_counted_as_lost() {
    let collector = Running::start();
    let rate = "[[rate]]\nclass = \"org.example/noise/*\"\nrecords = 2\nwindow_s = 86400";
    let mut host = Host::new_with(&collector.address.to_string(), "probes.enabled = false", rate);
    host.telemctl(&["opt-in"]);
    host.start();
    let answers: Vec<_> = (0..5)
        .map(|n| host.send(&format!("org.example/noise/{n}"), "noise"))
        .collect();
    assert_eq!(
        answers.iter().filter(|answer| answer.starts_with("ok ")).count(),
        2,
        "{answers:?}"
    );
    assert!(answers[4].starts_with("counted: "), "{answers:?}");
    assert!(host.send("org.example/other/x", "other").starts_with("ok "));
    assert!(host.telemctl(&["flush"]).status.success());
    assert_eq!(payloads(&collector).len(), 3);
    let sender = collector.store.lock().sender();
    let lost = |record: &proto::v1::Record| match &record.payload {
        Some(Payload::Loss(loss)) if loss.reason() == LossReason::RateLimit => loss.count,
        _ => 0,
    };
    let lost: u64 = sender.records.iter().map(|(_, record)| lost(record)).sum();
    assert_eq!(lost, 3);
}

#[test]
fn an_id_that_has_had_its_time_is_replaced_and_no_record_is_lost_or_doubled() {
    let collector = Running::start();
    let extra = "identity.mode = \"rotating\"\nstorm.first = 1000000\n[heartbeat]\ninterval_s = 86400";
    let mut host = Host::new_with(&collector.address.to_string(), "probes.enabled = false", extra);
    host.telemctl(&["opt-in"]);
    host.start();
    let first = host.status().session.unwrap();
    let mut sent = BTreeSet::new();
    let mut send = |host: &Host, payload: String| {
        assert!(
            host.send("org.example/a/b", &payload).starts_with("ok "),
            "{payload}"
        );
        sent.insert(payload);
    };
    send(&host, "before".into());
    let four_days = Duration::from_hours(96);
    let file = File::options()
        .append(true)
        .open(host.path("state/agent_id"))
        .unwrap();
    file.set_modified(now() - four_days).unwrap();
    let mut n = 0;
    host.wait("another id", |host| {
        n += 1;
        send(host, format!("meanwhile {n}"));
        let session = host.status().session.unwrap();
        session.agent_id != first.agent_id && session.epoch != first.epoch
    });
    send(&host, "after".into());
    assert!(host.telemctl(&["flush"]).status.success());
    assert!(!host.path("state/spool.old").exists());
    assert_eq!(host.stop(), Some(0));
    host.start();
    send(&host, "after the start".into());
    assert!(host.telemctl(&["flush"]).status.success());

    let stored = payloads(&collector);
    assert_eq!(stored.len(), sent.len(), "{stored:?}");
    assert_eq!(stored.into_iter().collect::<BTreeSet<_>>(), sent);
    let store = collector.store.lock();
    assert_eq!(store.senders.len(), 2);
    assert!(store.senders.values().all(|sender| sender.gaps.is_empty()));
}

#[test]
fn an_id_stays_while_the_collector_does_not_have_everything_and_no_name_is_told() {
    let collector = Running::start();
    let mut host = Host::new("identity.mode = \"rotating\"");
    host.telemctl(&["opt-in"]);
    host.start();
    assert!(host.send("org.example/a/b", "x").starts_with("ok "));
    let first = host.status().session.unwrap();
    let file = File::options()
        .append(true)
        .open(host.path("state/agent_id"))
        .unwrap();
    file.set_modified(now() - Duration::from_hours(96)).unwrap();
    assert_eq!(host.stop(), Some(0));
    let config = std::fs::read_to_string(host.path("telemd.toml")).unwrap();
    let config = config
        .replace("127.0.0.1:1\"", &format!("{}\"", collector.address))
        .replace("hostname =", "# hostname =");
    std::fs::write(host.path("telemd.toml"), config).unwrap();
    host.start();
    // What waited is told under the id that it was recorded with, and only then comes another.
    host.wait("another id", |host| {
        host.status().session.unwrap().agent_id != first.agent_id
    });
    let store = collector.store.lock();
    assert_eq!(store.hellos[0].agent_id.as_ref(), first.agent_id.as_bytes());
    assert!(
        store
            .hellos
            .iter()
            .all(|hello| hello.host.as_ref().unwrap().hostname.is_empty())
    );
    drop(store);
    assert_eq!(payloads(&collector), ["x"]);
}

#[expect(clippy::disallowed_methods, reason = "a test sets the time of a file")]
fn now() -> SystemTime {
    SystemTime::now()
}
