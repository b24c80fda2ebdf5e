//! Clear Linux's clients, by the bytes that they send.

use std::net::SocketAddr;

use backend::{access::Anonymous, ingest::Quota};
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::support::{Collector, Database, PATIENCE, TELEMETRY_ID, fetch::fetch};

/// As telempostd 2.3.5 has libcurl send it.
fn v2(event: char, payload: &str) -> String {
    format!(
        "POST /v2/collector HTTP/1.1\r\nHost: clr.telemetry\r\nAccept: */*\r\nrecord_format_version: 4\r\n\
         classification: org.clearlinux/kernel/warning\r\nseverity: 2\r\nmachine_id: c75e2f6cdd4d2a4e8f1b5b1c9a6e4f3d\r\n\
         creation_timestamp: 1504828222\r\narch: x86_64\r\nhost_type: innotek GmbH|VirtualBox|1.2\r\nbuild: 17780\r\n\
         kernel_version: 4.12.10-374.native\r\npayload_format_version: 1\r\nsystem_name: clear-linux-os\r\n\
         board_name: VirtualBox|Oracle Corporation\r\ncpu_model: Intel(R) Core(TM) i7-5650U CPU @ 2.20GHz\r\n\
         bios_version: VirtualBox\r\nevent_id: {}\r\nX-Telemetry-TID: {TELEMETRY_ID}\r\n\
         Content-Type: application/text\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{payload}",
        event.to_string().repeat(32),
        payload.len(),
    )
}

/// As 2.4.0 does: all values are texts, and end at the first space.
fn v3(event: char, payload: &str) -> String {
    let body = json!({
        "record_format_version": "4", "classification": "org.clearlinux/hello/world", "severity": "1",
        "machine_id": "c75e2f6cdd4d2a4e8f1b5b1c9a6e4f3d", "creation_timestamp": "1561999000", "arch": "x86_64",
        "host_type": "innotek", "build": "30010", "kernel_version": "5.1.14-790.native",
        "payload_format_version": "1", "system_name": "clear-linux-os", "board_name": "VirtualBox|Oracle",
        "cpu_model": "Intel(R)", "bios_version": "VirtualBox", "event_id": event.to_string().repeat(32),
        "payload": payload,
    })
    .to_string();
    format!(
        "POST /v3/collector HTTP/1.1\r\nHost: clr.telemetry\r\nAccept: */*\r\nContent-Type: application/json\r\n\
         X-Telemetry-TID: {TELEMETRY_ID}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len(),
    )
}

/// Status and body of the answer.
async fn post(address: SocketAddr, request: &str) -> (u16, String) {
    let (head, body) = exchange(address, request).await;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status"), body)
}

/// Head and body of the answer.
async fn exchange(address: SocketAddr, request: &str) -> (String, String) {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = timeout(PATIENCE, exchange).await.expect("an answer in time");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    (head.to_owned(), body.to_owned())
}

#[tokio::test]
async fn old_clients_deliver_by_headers_and_by_json_once() {
    let Some(db) = Database::new("old_clients_deliver_by_headers_and_by_json_once").await else {
        return;
    };
    let collector = Collector::start(&db).await;
    let oops = "WARNING: CPU: 0 PID: 1 at kernel/x.c:1\n";
    let (status, body) = post(collector.http, &v2('a', oops)).await;
    assert_eq!(status, 201, "{body}");
    let row: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(row["machine_id"], "c75e2f6cdd4d2a4e8f1b5b1c9a6e4f3d");
    assert_eq!(
        (&row["payload"], &row["severity"], &row["timestamp_client"]),
        (&json!(oops), &json!(2), &json!(1_504_828_222))
    );
    // Its answer got lost: it comes again, to both ways at once.
    let (again, other) = (v2('a', oops), v3('b', "hello"));
    let all = tokio::join!(
        post(collector.http, &again),
        post(collector.http, &other),
        post(collector.http, &again),
        post(collector.http, &other),
    );
    assert_eq!(
        (all.0.0, all.1.0, all.2.0, all.3.0),
        (201, 201, 201, 201),
        "{all:?}"
    );
    assert_eq!(db.count("SELECT count(*) FROM records").await, 2);
    assert_eq!(
        db.count("SELECT count(*) FROM hosts").await,
        1,
        "one machine id is one host"
    );
    assert_eq!(
        db.count(
            "SELECT count(*) FROM v_records WHERE title = 'org.clearlinux/kernel/warning' AND severity = 2"
        )
        .await,
        1
    );
    db.assert_balanced().await;
    let metrics = fetch(collector.http, "/metrics").await.unwrap();
    for counted in [
        "telemetrics_records_stored_total 2",
        "telemetrics_records_duplicate_total 3",
    ] {
        assert!(metrics.contains(counted), "{counted} in {metrics}");
    }
    collector.stop().await;
}

#[tokio::test]
async fn old_clients_that_send_too_much_are_told_when_to_come_again() {
    let test = "old_clients_that_send_too_much_are_told_when_to_come_again";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let quota = Quota {
        records_per_s: 1,
        burst: 0,
    };
    let collector = Collector::with(&db, quota, Anonymous::Admin).await;
    let requests: Vec<String> = ('0'..='9').map(|event| v2(event, "x")).collect();
    let answers = join_all(requests.iter().map(|request| exchange(collector.http, request))).await;
    let (taken, later): (Vec<_>, Vec<_>) = answers.iter().partition(|(head, _)| head.contains(" 201 "));
    assert!(!taken.is_empty() && !later.is_empty(), "{answers:?}");
    for (head, body) in later {
        assert!(
            head.contains(" 503 ") && head.contains("retry-after: 1"),
            "{head}"
        );
        let message = json!({ "message": "more is sent than may be; try again later" });
        assert_eq!(*body, message.to_string());
    }
    let taken = i64::try_from(taken.len()).unwrap();
    assert_eq!(db.count("SELECT count(*) FROM records").await, taken);
    collector.stop().await;
}

#[tokio::test]
async fn old_clients_are_refused_in_the_old_words() {
    let Some(db) = Database::new("old_clients_are_refused_in_the_old_words").await else {
        return;
    };
    let collector = Collector::start(&db).await;
    let refused = [
        (
            v2('a', "x").replace(TELEMETRY_ID, "another"),
            "Telemetry ID mismatch",
        ),
        (
            v2('a', "x").replace("severity: 2", "severity: 9"),
            "severity is not 1 to 4",
        ),
        (v2('g', "x"), "event_id is not 32 lower-case hexadecimal digits"),
        (v3('a', "x").replace("\"x86_64\"", "[1,2,34]"), "arch is no text"),
        (
            v2('a', "x").replace("c75e2f6cdd4d2a4e8f1b5b1c9a6e4f3d", "any text"),
            "machine_id is not letters, digits and . _ -",
        ),
    ];
    for (request, message) in refused {
        let (status, body) = post(collector.http, &request).await;
        assert_eq!(
            (status, body.as_str()),
            (400, json!({ "message": message }).to_string().as_str())
        );
    }
    let big = v2('a', "").replace("Content-Length: 0", "Content-Length: 300000");
    let (status, body) = post(collector.http, &big).await;
    let message = json!({ "message": "a record has at most 262144 bytes" }).to_string();
    assert_eq!((status, body), (413, message));
    let look = "GET /v2/collector HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(post(collector.http, look).await.0, 302);
    assert_eq!(db.count("SELECT count(*) FROM records").await, 0);
    collector.stop().await;
}
