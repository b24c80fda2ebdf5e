//! What comes by netconsole is stored for the host it is of, once, and gives way to what the host says itself.

use std::net::UdpSocket;

use backend::store::Sender;
use prost::Message as _;
use proto::v1::{Host, Record, record::Payload};

use crate::support::{Collector, Database, PATIENCE, host, sender};

const TOKEN: &str = "00112233445566778899aabbccddeeff";
const BOOT_ID: &str = "3c6e1f0a-9d5b-4a53-8f55-0e7a4dcb1b11";
const OOPS: &str = "\
BUG: kernel NULL pointer dereference, address: 0000000000000008
#PF: supervisor read access in kernel mode
Oops: 0000 [#1] PREEMPT SMP NOPTI
CPU: 2 PID: 1234 Comm: kworker/u8:3 Tainted: G        W  OE      6.1.0-35-amd64 #1  Debian 6.1.137-1
RIP: 0010:example_read+0x1d/0x40 [example]
Call Trace:
 <TASK>
 example_work+0x33/0x60 [example]
 process_one_work+0x1c7/0x380
 </TASK>
---[ end trace 0000000000000000 ]---
";
const PANIC: &str = "Kernel panic - not syncing: Fatal exception\n";
/// When the oops happened, microseconds since boot.
const AT_US: u64 = 93_784_000_000;

/// Sends a text as the extended form has it, with user data or without.
fn send(collector: &Collector, text: &str, user_data: &str) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    for (number, line) in (500..).zip(text.lines()) {
        let datagram = format!("4,{number},{},-;{line}\n{user_data}", AT_US + number - 500);
        socket
            .send_to(datagram.as_bytes(), collector.netconsole)
            .expect("loopback takes it");
    }
}

fn user_data() -> String {
    format!(" telemetrics={TOKEN}\n")
}

/// A host whose agent has told the token of its boot.
async fn introduced(db: &Database) -> Sender {
    let sender = sender();
    let facts = Host {
        netconsole_token: TOKEN.to_owned(),
        boot_id: BOOT_ID.to_owned(),
        ..host()
    };
    db.store.hello(&sender, &facts, "1").await.unwrap();
    sender
}

/// What the agent itself tells of a text.
fn of_agent(text: &str) -> Record {
    let report = faults::parse(text).expect("a report");
    Record {
        since_boot_ns: AT_US * 1000 + 3_000_000,
        boot_id: BOOT_ID.to_owned(),
        ..wire::kernel_report(&report, text, false)
    }
}

async fn records(db: &Database) -> Vec<Record> {
    let rows = db
        .sql()
        .await
        .query("SELECT record FROM records ORDER BY received_at, id", &[])
        .await;
    let decoded = |row: &tokio_postgres::Row| Record::decode(row.get::<_, &[u8]>(0)).expect("a record");
    rows.expect("records").iter().map(decoded).collect()
}

fn text_of(record: &Record) -> &str {
    match &record.payload {
        Some(Payload::KernelReport(report)) => &report.text,
        other => panic!("no report: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_words_of_a_host_are_its_own() {
    let Some(db) = Database::new("the_last_words_of_a_host_are_its_own").await else {
        return;
    };
    let agent = introduced(&db).await;
    let seen = db
        .count("SELECT extract(epoch FROM last_seen)::bigint FROM hosts")
        .await;
    let collector = Collector::start(&db).await;
    send(&collector, &format!("{OOPS}{PANIC}"), &user_data());
    collector.stop().await;

    let records = records(&db).await;
    assert_eq!(records.len(), 1, "{records:?}");
    let record = &records[0];
    assert_eq!(
        record.title,
        "BUG: unable to handle kernel NULL pointer dereference in example_read"
    );
    assert_eq!(record.hook.as_ref().unwrap().name, "netconsole");
    assert_eq!(record.boot_id, BOOT_ID);
    assert_eq!(record.since_boot_ns, AT_US * 1000);
    assert_eq!(record.kernel_release, "6.1.0-35-amd64");
    assert!(record.occurred_at_unix_ns > 0);
    assert!(text_of(record).ends_with(PANIC));
    assert_eq!(
        db.count(&format!(
            "SELECT count(*) FROM records WHERE agent_id = '{}'",
            agent.agent_id
        ))
        .await,
        1
    );
    // It is no sign of life of the agent.
    assert_eq!(
        db.count("SELECT extract(epoch FROM last_seen)::bigint FROM hosts")
            .await,
        seen
    );
    db.assert_balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_living_host_told_is_not_stored_again() {
    let Some(db) = Database::new("what_a_living_host_told_is_not_stored_again").await else {
        return;
    };
    let agent = introduced(&db).await;
    db.deliver(&agent, &[of_agent(OOPS)]).await;
    let collector = Collector::start(&db).await;
    send(&collector, OOPS, &user_data());
    collector.stop().await;
    assert_eq!(db.count("SELECT count(*) FROM records").await, 1);

    // It dies after all: the agent has told how it began, netconsole how it ended.
    let collector = Collector::start(&db).await;
    send(&collector, &format!("{OOPS}{PANIC}"), &user_data());
    collector.stop().await;
    let records = records(&db).await;
    assert_eq!(records.len(), 2);
    assert_eq!(text_of(&records[1]), PANIC);
    assert_eq!(records[1].class, "kernel.panic");
    db.assert_balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_host_tells_after_its_death_takes_the_place_of_what_was_heard() {
    let test = "what_a_host_tells_after_its_death_takes_the_place_of_what_was_heard";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let agent = introduced(&db).await;
    let collector = Collector::start(&db).await;
    let text = format!("{OOPS}{PANIC}");
    send(&collector, &text, &user_data());
    collector.stop().await;
    assert_eq!(db.count("SELECT count(*) FROM netconsole_open").await, 1);

    db.deliver(&agent, &[of_agent(&text)]).await;
    let collector = Collector::start(&db).await;
    tokio::time::timeout(PATIENCE, async {
        while db.count("SELECT count(*) FROM records").await > 1 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("the record by netconsole goes");
    collector.stop().await;
    let records = records(&db).await;
    assert!(records[0].hook.is_none(), "the agent's stays");
    assert_eq!(db.count("SELECT count(*) FROM netconsole_open").await, 0);
    assert_eq!(db.count("SELECT max(occurrences) FROM fingerprints").await, 1);
    assert_eq!(db.count("SELECT sum(records)::bigint FROM rollups").await, 1);
    assert_eq!(
        db.count("SELECT sum(events)::bigint FROM losses WHERE reason = 'JOINED'")
            .await,
        1
    );
    db.assert_balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_nobody_knows_is_a_host_by_its_address() {
    let Some(db) = Database::new("a_sender_that_nobody_knows_is_a_host_by_its_address").await else {
        return;
    };
    introduced(&db).await;
    let collector = Collector::start(&db).await;
    send(&collector, OOPS, "");
    collector.stop().await;
    let of_address =
        "SELECT count(*) FROM records r JOIN hosts h ON h.agent_id = r.agent_id WHERE hostname = '127.0.0.1'";
    assert_eq!(db.count(of_address).await, 1);
    assert_eq!(records(&db).await[0].boot_id, "");
    db.assert_balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kernel_without_user_data_is_known_by_its_address_and_clock() {
    let Some(db) = Database::new("a_kernel_without_user_data_is_known_by_its_address_and_clock").await else {
        return;
    };
    let agent = introduced(&db).await;
    // Its token was heard before this collector started.
    let heard = "UPDATE netconsole_boots SET source = '127.0.0.1', heard_at = now(), \
                 booted_at = now() - interval '93784 s'";
    db.sql().await.batch_execute(heard).await.unwrap();
    let collector = Collector::start(&db).await;
    send(&collector, OOPS, "");
    collector.stop().await;
    let own = format!(
        "SELECT count(*) FROM records WHERE agent_id = '{}'",
        agent.agent_id
    );
    assert_eq!(db.count(&own).await, 1);

    // Another boot from the same address is not that one.
    db.sql()
        .await
        .batch_execute("UPDATE netconsole_boots SET booted_at = now() - interval '2 h'")
        .await
        .unwrap();
    let collector = Collector::start(&db).await;
    send(&collector, OOPS, "");
    collector.stop().await;
    assert_eq!(db.count(&own).await, 1);
    assert_eq!(db.count("SELECT count(*) FROM records").await, 2);
}
