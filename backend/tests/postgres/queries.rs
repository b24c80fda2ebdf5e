//! Lists, pages, single records, filters and summaries.

use std::collections::HashSet;

use backend::store::Sender;
use proto::v1::{
    Batch, Custom, Fault, FaultFilter, Fingerprint, GetFaultRequest, Heartbeat, HostFilter, KernelReport,
    ListBuildsRequest, ListHostsRequest, Record, Severity, hosts_client::HostsClient, record::Payload,
};

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
    let records = vec![encoded(&sent), encoded(&beat)];
    db.store
        .deliver(
            &sender,
            Batch {
                first_seq: 1,
                records,
            },
        )
        .await
        .unwrap();

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
async fn filters_choose() {
    let Some(db) = Database::new("filters_choose").await else {
        return;
    };
    let (one, two) = (sender(), sender());
    deliver_faults(&db, &one, "one").await;
    deliver_faults(&db, &two, "two").await;
    let class = |class: &str| FaultFilter {
        class: class.to_owned(),
        ..FaultFilter::default()
    };
    let host = |host: &str| FaultFilter {
        host: host.to_owned(),
        ..FaultFilter::default()
    };
    let kernel = |release: &str| FaultFilter {
        kernel_release: release.to_owned(),
        ..FaultFilter::default()
    };
    let fingerprint = |digit: &str| FaultFilter {
        fingerprint: digit.repeat(32),
        ..FaultFilter::default()
    };
    let severe = FaultFilter {
        min_severity: Severity::High.into(),
        ..FaultFilter::default()
    };
    let cases = [
        ("all", FaultFilter::default(), 6),
        (
            "housekeeping too",
            FaultFilter {
                include_housekeeping: true,
                ..FaultFilter::default()
            },
            8,
        ),
        ("a prefix", class("kernel."), 4),
        ("a class", class("kernel.oops"), 2),
        ("no class and no prefix", class("kernel"), 0),
        ("a severity", severe, 2),
        ("a host", host("one"), 3),
        ("an agent", host(&two.agent_id.to_string()), 3),
        ("another host", host("three"), 0),
        ("the record's kernel", kernel("5.10.0-own"), 2),
        ("the host's kernel", kernel("6.1.0-test"), 4),
        ("a title's fingerprint", fingerprint("a"), 4),
        ("a deeper fingerprint", fingerprint("b"), 2),
        ("the same in capitals", fingerprint("B"), 2),
        ("an unknown fingerprint", fingerprint("d"), 0),
        (
            "several at once",
            FaultFilter {
                host: "one".to_owned(),
                class: "kernel.".to_owned(),
                ..fingerprint("b")
            },
            1,
        ),
    ];
    for (what, filter, count) in cases {
        assert_eq!(
            db.store.list_faults(&filter, 0, "").await.unwrap().faults.len(),
            count,
            "{what}"
        );
    }
}

#[tokio::test]
async fn the_filter_language_chooses() {
    let Some(db) = Database::new("the_filter_language_chooses").await else {
        return;
    };
    let (one, two) = (sender(), sender());
    deliver_faults(&db, &one, "web-1").await;
    deliver_faults(&db, &two, "db_1").await;
    let found = async |query: &str| {
        let filter = FaultFilter {
            query: query.to_owned(),
            ..FaultFilter::default()
        };
        let page = db.store.list_faults(&filter, 0, "").await;
        page.map(|page| page.faults.len())
    };
    let agent = format!("host:{}", two.agent_id);
    let issue = format!("issue:{}", "a".repeat(32));
    let deeper = format!("fingerprint:{}", "B".repeat(32));
    for (query, count) in [
        ("", 6),
        ("fault", 4),
        ("\"A FAULT\"", 4),
        ("-fault", 2),
        ("class:kernel.*", 4),
        ("class:kernel/oops", 2),
        ("class:*oops severity:high", 2),
        ("severity<high severity>1", 2),
        ("kernel:5.10.*", 2),
        ("host:web-*", 3),
        ("host:web-1", 3),
        (&agent, 3),
        ("host:db%1", 0),
        ("host:web-1 or host:db_1", 6),
        ("-(host:web-1 or class:custom)", 2),
        (&issue, 4),
        (&deeper, 2),
        ("-model:* or arch:sparc", 0),
        ("build:\"\"x", 0),
        ("after:-1h", 6),
        ("before:-1h", 0),
        ("before:2020-01-01", 0),
        ("housekeeping:true", 2),
        ("housekeeping:true or fault", 6),
        ("os:* cpu:* bios:*", 6),
    ] {
        match found(query).await {
            Ok(number) => assert_eq!(number, count, "{query}"),
            Err(error) => assert!(
                count == 0 && error.to_string().contains("column"),
                "{query}: {error}"
            ),
        }
    }
    let error = found("fault kernl:6.1").await.unwrap_err().to_string();
    assert!(
        error.contains("query, column 7: there is no key kernl; did you mean kernel?"),
        "{error}"
    );

    // Those that are merged into an issue are of it.
    let sql = db.sql().await;
    let other = "b".repeat(32);
    sql.execute("INSERT INTO triage (issue) VALUES ($1::text::uuid)", &[&other])
        .await
        .unwrap();
    sql.execute(
        "UPDATE triage SET merged_into = $1::text::uuid WHERE issue <> $1::text::uuid",
        &[&other],
    )
    .await
    .unwrap();
    assert_eq!(found(&format!("issue:{other}")).await.unwrap(), 4);
    assert_eq!(found(&format!("-issue:{other}")).await.unwrap(), 2);
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

/// An oops and a warning of one title, a custom record and a heartbeat.
fn faults() -> [Record; 4] {
    let levels = |deeper: &str| {
        [(1, "a"), (2, deeper)]
            .map(|(level, digit)| Fingerprint {
                version: 1,
                level,
                value: digit.repeat(32),
            })
            .to_vec()
    };
    let fault = |class: &str, severity: Severity, deeper: &str| Record {
        class: class.to_owned(),
        severity: severity.into(),
        title: "a fault".to_owned(),
        fingerprints: levels(deeper),
        ..record(class)
    };
    [
        fault("kernel.oops", Severity::High, "b"),
        Record {
            kernel_release: "5.10.0-own".to_owned(),
            ..fault("kernel.warning", Severity::Medium, "c")
        },
        record("custom"),
        Record {
            payload: Some(Payload::Heartbeat(Heartbeat::default())),
            ..record("")
        },
    ]
}

async fn deliver_faults(db: &Database, sender: &Sender, hostname: &str) {
    let host = proto::v1::Host {
        hostname: hostname.to_owned(),
        ..host()
    };
    db.store.hello(sender, &host, "1").await.unwrap();
    let records = faults().iter().map(encoded).collect();
    db.store
        .deliver(
            sender,
            Batch {
                first_seq: 1,
                records,
            },
        )
        .await
        .unwrap();
}

fn sequences(faults: &[Fault]) -> Vec<u64> {
    let distinct: HashSet<&String> = faults.iter().map(|fault| &fault.id).collect();
    assert_eq!(distinct.len(), faults.len());
    faults.iter().map(|fault| fault.seq).collect()
}

/// Three hosts of two builds.
async fn tell_of_hosts(db: &Database) -> Vec<Sender> {
    let mut senders = Vec::new();
    for (hostname, build, model) in [("b", "41", "X1"), ("a", "42", "X1"), ("c", "42", "X2")] {
        let told = proto::v1::Host {
            hostname: hostname.to_owned(),
            os_id: "debian".to_owned(),
            os_build: build.to_owned(),
            product: model.to_owned(),
            ..host()
        };
        let sender = sender();
        db.store.hello(&sender, &told, "1").await.unwrap();
        senders.push(sender);
    }
    senders
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_and_builds_are_listed_by_pages() {
    let Some(db) = Database::new("hosts_and_builds_are_listed_by_pages").await else {
        return;
    };
    let senders = tell_of_hosts(&db).await;
    let collector = Collector::start(&db).await;
    let mut hosts = HostsClient::new(collector.channel().await);
    let mut names = async |query: &str| {
        let (mut names, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListHostsRequest {
                filter: Some(HostFilter {
                    query: query.to_owned(),
                }),
                page_size: 1,
                page_token,
                read_mask: None,
            };
            let page = hosts.list_hosts(request).await?.into_inner();
            names.extend(page.hosts.into_iter().map(|known| known.host.unwrap().hostname));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok::<_, tonic::Status>(names);
            }
        }
    };
    let agent = format!("host:{}", senders[0].agent_id);
    for (query, expected) in [
        ("", vec!["a", "b", "c"]),
        ("build:42", vec!["a", "c"]),
        ("model:X* -host:a", vec!["b", "c"]),
        ("host:b or (build:42 and model:X2)", vec!["b", "c"]),
        (&agent, vec!["b"]),
        ("kernel:6.1.0-test os:debian", vec!["a", "b", "c"]),
        ("kernel:5.*", vec![]),
    ] {
        assert_eq!(names(query).await.unwrap(), expected, "{query}");
    }
    for query in [
        "class:kernel.*",
        "severity>=high",
        "after:-7d",
        "nvme",
        "-(host:a or nvme)",
    ] {
        let refused = names(query).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{query}");
        assert!(refused.message().contains("hosts are asked for by"), "{refused}");
    }
    let (mut builds, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListBuildsRequest {
            page_size: 1,
            page_token,
        };
        let page = hosts.list_builds(request).await.unwrap().into_inner();
        builds.extend(page.builds.into_iter().map(|build| (build.os_build, build.hosts)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(builds, [("41".to_owned(), 1), ("42".to_owned(), 2)]);
    collector.stop().await;
}

#[tokio::test]
async fn records_of_an_event_are_found_by_it() {
    let Some(db) = Database::new("records_of_an_event_are_found_by_it").await else {
        return;
    };
    let (one, other) = (
        "39cc109a1079df96376693ebc7a0f632",
        "00cc109a1079df96376693ebc7a0f632",
    );
    let of_event = |event_id: &str| {
        let custom = Custom {
            classification: "a/b/c".to_owned(),
            event_id: event_id.to_owned(),
            ..Custom::default()
        };
        encoded(&Record {
            payload: Some(Payload::Custom(custom)),
            ..record("")
        })
    };
    for sender in [sender(), sender()] {
        db.store.hello(&sender, &host(), "1").await.unwrap();
        let batch = Batch {
            first_seq: 1,
            records: [one, other, "", "no event at all"].map(of_event).to_vec(),
        };
        db.store.deliver(&sender, batch).await.unwrap();
    }
    for (query, count) in [
        (format!("event:{one}"), 2),
        (format!("-event:{one}"), 6),
        (format!("event:{one} or event:{other}"), 4),
        (format!("event:{}", "1".repeat(32)), 0),
    ] {
        let filter = FaultFilter {
            query: query.clone(),
            ..FaultFilter::default()
        };
        let page = db.store.list_faults(&filter, 0, "").await.unwrap();
        assert_eq!(page.faults.len(), count, "{query}");
    }
}
