//! Lists, pages, single records and summaries.

use std::collections::HashSet;

use proto::v1::{
    Batch, Fault, FaultFilter, GetFaultRequest, Heartbeat, KernelReport, Record, Severity, record::Payload,
};

use crate::filters::{deliver_faults, faults};
use crate::support::{Collector, Database, batch, encoded, host, record, sender};

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_stable_while_records_arrive() {
    let Some(db) = Database::new("pages_are_stable_while_records_arrive").await else {
        return;
    };
    let sender = sender();
    db.store.hello(&sender, &host(), "1").await.unwrap();
    for first_seq in (1..=300).step_by(30) {
        db.store.deliver(&sender, batch(first_seq, 30)).await.unwrap();
    }
    let (store, writer) = (db.store.clone(), sender.clone());
    let writing = tokio::spawn(async move {
        for first_seq in (301..=900).step_by(10) {
            store.deliver(&writer, batch(first_seq, 10)).await.unwrap();
        }
    });
    let filter = FaultFilter::default();
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = db.store.list_faults(&filter, 7, &token).await.unwrap();
        assert!(page.faults.len() <= 7);
        seen.extend(page.faults);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    writing.await.unwrap();
    let sequences: Vec<u64> = seen.iter().map(|fault| fault.seq).collect();
    assert!(sequences.is_sorted_by(|a, b| a > b), "newest first, none twice");
    assert!(
        sequences.ends_with(&(1..=300).rev().collect::<Vec<u64>>()),
        "none left out"
    );
    assert!(seen.is_sorted_by(|a, b| (a.received_at_unix_ns, &a.id) > (b.received_at_unix_ns, &b.id)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_comes_back_whole() {
    let Some(db) = Database::new("a_record_comes_back_whole").await else {
        return;
    };
    let sender = sender();
    db.store.hello(&sender, &host(), "1").await.unwrap();
    let report = KernelReport {
        text: "BUG: line\nCall Trace:".to_owned(),
        ..KernelReport::default()
    };
    let sent = Record {
        payload: Some(Payload::KernelReport(report)),
        ..record("")
    };
    let beat = Record {
        payload: Some(Payload::Heartbeat(Heartbeat::default())),
        ..record("")
    };
    db.deliver(&sender, &[sent.clone(), beat.clone()]).await;

    let filter = FaultFilter {
        include_housekeeping: true,
        ..FaultFilter::default()
    };
    let listed = db.store.list_faults(&filter, 0, "").await.unwrap().faults;
    assert_eq!(sequences(&listed), [2, 1]);
    let Some(Payload::KernelReport(report)) = &listed[1].record.as_ref().unwrap().payload else {
        panic!("another payload");
    };
    assert_eq!(report.text, "", "a list has no texts");

    let collector = Collector::start(&db).await;
    let mut query = collector.query().await;
    let fault = query
        .get_fault(GetFaultRequest {
            id: listed[1].id.clone(),
            read_mask: None,
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(fault.record, Some(sent));
    assert_eq!(fault.agent_id, sender.agent_id.as_bytes().as_slice());
    assert_eq!(fault.epoch, sender.epoch.as_bytes().as_slice());
    let known = fault.host.unwrap();
    assert_eq!(
        (known.hostname.as_str(), known.memory_bytes),
        ("host\u{fffd}with-nul", host().memory_bytes)
    );
    let fault = query
        .get_fault(GetFaultRequest {
            id: listed[0].id.clone(),
            read_mask: None,
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(fault.record, Some(beat), "housekeeping is found by its id too");
    collector.stop().await;
}

#[tokio::test]
async fn summaries_add_up() {
    let Some(db) = Database::new("summaries_add_up").await else {
        return;
    };
    assert_eq!(
        db.store.facets().await.unwrap(),
        backend::store::Facets::default()
    );
    assert_eq!(db.store.fingerprint_facts(&"a".repeat(32)).await.unwrap(), None);
    let (one, two) = (sender(), sender());
    deliver_faults(&db, &one, "one").await;
    deliver_faults(&db, &two, "two").await;
    let more = Batch {
        first_seq: 5,
        records: vec![encoded(&faults()[0])],
    };
    db.store.deliver(&two, more).await.unwrap();

    let facets = db.store.facets().await.unwrap();
    assert_eq!(facets.hosts, ["one", "two"]);
    assert_eq!(facets.kernel_releases, ["5.10.0-own", "6.1.0-test"]);
    assert_eq!(facets.classes, ["custom", "kernel.oops", "kernel.warning"]);

    let facts = db
        .store
        .fingerprint_facts(&"a".repeat(32))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (facts.count, facts.host_count, facts.severity),
        (5, 2, Severity::High)
    );
    assert_eq!(
        (facts.class.as_str(), facts.title.as_str()),
        ("kernel.oops", "a fault")
    );
    assert!(facts.first_seen < facts.last_seen);
    let hosts: Vec<_> = facts
        .hosts
        .iter()
        .map(|host| (host.host.as_str(), host.count))
        .collect();
    assert_eq!(hosts, [("two", 3), ("one", 2)]);
    assert_eq!(db.count("SELECT occurrences FROM issues").await, 5);
}

fn sequences(faults: &[Fault]) -> Vec<u64> {
    let distinct: HashSet<&String> = faults.iter().map(|fault| &fault.id).collect();
    assert_eq!(distinct.len(), faults.len());
    faults.iter().map(|fault| fault.seq).collect()
}
