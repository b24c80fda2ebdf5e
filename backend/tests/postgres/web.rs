//! REST, pages and the live list, from what a real store holds.

use std::collections::HashSet;

use axum::body::{Body, BodyDataStream};
use axum::{Router, http::Request};
use backend::{access::Anonymous, store::Sender};
use futures::StreamExt as _;
use proto::v1::{Heartbeat, KernelReport, Record, Severity, record::Payload};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::support::{Database, PATIENCE, batch, get, host, of_issue, record, sender};

const FINGERPRINT: &str = "00112233445566778899aabbccddeeff";
const NOTHING_SEEN: &str = "00000000-0000-0000-0000-000000000000";

fn router(db: &Database) -> Router {
    db.router(Anonymous::Admin, &CancellationToken::new())
}

async fn get_json(router: &Router, address: &str) -> Value {
    serde_json::from_str(&get(router, address).await).unwrap()
}

/// A sender that the store knows.
async fn known_sender(db: &Database) -> Sender {
    let sender = sender();
    db.store.hello(&sender, &host(), "1").await.unwrap();
    sender
}

fn oops() -> Record {
    Record {
        class: "kernel.oops".to_owned(),
        severity: Severity::High.into(),
        title: "BUG: unable to handle kernel <b>paging</b> request in example".to_owned(),
        kernel_release: "6.1.0-35-amd64".to_owned(),
        fingerprints: of_issue(FINGERPRINT),
        payload: Some(Payload::KernelReport(KernelReport {
            text: "BUG: the text of the report".to_owned(),
            function: "example".to_owned(),
            ..KernelReport::default()
        })),
        ..record("")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_answers_with_what_was_stored() {
    let Some(db) = Database::new("the_api_answers_with_what_was_stored").await else {
        return;
    };
    let beat = Record {
        payload: Some(Payload::Heartbeat(Heartbeat::default())),
        ..record("")
    };
    let sender = db.tell(&[record("first"), oops(), beat]).await;
    let router = router(&db);

    let list = get_json(&router, "/api/v1/faults").await;
    let faults = list["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 2, "heartbeats are not asked for");
    assert_eq!(list["next_page_token"], "");
    assert_eq!(faults[0]["agent_id"], sender.agent_id.to_string());
    assert_eq!(faults[0]["epoch"], sender.epoch.to_string());
    assert_eq!(faults[0]["seq"], 2);
    assert_eq!(faults[0]["record"]["severity"], "high");
    assert_eq!(
        faults[0]["record"]["kernel_report"]["text"], "",
        "GetFault has it"
    );
    assert_eq!(faults[1]["record"]["custom"]["payload"], "first");
    assert_eq!(
        faults[1]["record"]["occurred_at"],
        "2023-11-14T22:13:20.000000000Z"
    );

    let id = faults[0]["id"].as_str().unwrap();
    let fault = get_json(&router, &format!("/api/v1/faults/{id}")).await;
    assert_eq!(
        fault["record"]["kernel_report"]["text"],
        "BUG: the text of the report"
    );
    assert_eq!(fault["record"]["fingerprints"][0]["value"], FINGERPRINT);

    for (query, seqs) in [
        ("class=kernel.", vec![2]),
        ("class=custom", vec![1]),
        ("min_severity=medium", vec![2]),
        ("kernel_release=6.1.0-35-amd64", vec![2]),
        (&format!("fingerprint={FINGERPRINT}"), vec![2]),
        (&format!("host={}", sender.agent_id), vec![2, 1]),
        ("host=nobody", vec![]),
        ("include_housekeeping=true", vec![3, 2, 1]),
    ] {
        let list = get_json(&router, &format!("/api/v1/faults?{query}")).await;
        let found: Vec<u64> = list["faults"]
            .as_array()
            .unwrap()
            .iter()
            .map(|fault| fault["seq"].as_u64().unwrap())
            .collect();
        assert_eq!(found, seqs, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_gives_each_record_on_one_page() {
    let Some(db) = Database::new("the_api_gives_each_record_on_one_page").await else {
        return;
    };
    let sender = known_sender(&db).await;
    db.store.deliver(&sender, batch(1, 25)).await.unwrap();
    let router = router(&db);
    let (mut seqs, mut token) = (Vec::new(), String::new());
    for _page in 0..3 {
        let list = get_json(
            &router,
            &format!("/api/v1/faults?page_size=10&page_token={token}"),
        )
        .await;
        seqs.extend(
            list["faults"]
                .as_array()
                .unwrap()
                .iter()
                .map(|fault| fault["seq"].as_u64().unwrap()),
        );
        list["next_page_token"].as_str().unwrap().clone_into(&mut token);
    }
    assert_eq!(seqs, (1..=25).rev().collect::<Vec<u64>>());
    assert_eq!(token, "", "the third page is the last");

    let request = Request::get("/api/v1/faults?page_token=none-of-ours")
        .body(Body::empty())
        .unwrap();
    let refused = router.clone().oneshot(request).await.unwrap();
    assert_eq!(refused.status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_show_what_was_stored() {
    let Some(db) = Database::new("the_pages_show_what_was_stored").await else {
        return;
    };
    let router = router(&db);
    assert!(get(&router, "/faults").await.contains("No faults yet"));

    db.tell(&[oops()]).await;
    let list = get(&router, "/faults").await;
    assert!(
        list.contains("kernel &#60;b&#62;paging&#60;/b&#62; request"),
        "escaped:\n{list}"
    );
    assert!(list.contains(r#"<option value="kernel.oops">kernel.oops</option>"#));
    assert!(list.contains(r#"<option value="6.1.0-35-amd64">"#));

    // Every link of the row leads to a page that has the fault.
    let rows = list.split_once("<tbody").expect("a table").1;
    let hrefs: Vec<String> = rows
        .split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|href| href.starts_with("/faults?") || href.starts_with("/faults/"))
        .map(|href| href.replace("&#38;", "&"))
        .collect();
    assert_eq!(hrefs.len(), 4, "fault, class, host and kernel: {hrefs:?}");
    for href in hrefs {
        assert!(get(&router, &href).await.contains("paging"), "{href}");
    }

    let narrowed = get(&router, &format!("/faults?fingerprint={FINGERPRINT}")).await;
    assert!(narrowed.contains("1 record on 1 host"));
    assert!(
        get(&router, "/faults?class=custom")
            .await
            .contains("No fault matches")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_list_gets_each_fault_once() {
    let Some(db) = Database::new("the_live_list_gets_each_fault_once").await else {
        return;
    };
    let sender = db.tell(&[record("before the page"), oops()]).await;
    let shutdown = CancellationToken::new();
    let router = db.router(Anonymous::Admin, &shutdown);
    let address = format!("/live?class=custom&after={NOTHING_SEEN}");
    let response = router
        .oneshot(Request::get(&address).body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body().into_data_stream();

    let mut events = Events::default();
    events.read(&mut body, 1).await;
    for first_seq in (3..=122).step_by(40) {
        db.store.deliver(&sender, batch(first_seq, 40)).await.unwrap();
    }
    events.read(&mut body, 121).await;
    let ids: HashSet<&str> = events.ids().collect();
    assert_eq!(ids.len(), 121, "each once");
    assert!(!events.0.contains("kernel.oops"), "only what was asked for");

    // A browser that reconnects says what it has.
    let last = events.ids().last().unwrap();
    let missed = format!("/live?class=custom&after={last}");
    let router = db.router(Anonymous::Admin, &shutdown);
    let response = router
        .oneshot(Request::get(&missed).body(Body::empty()).unwrap())
        .await
        .unwrap();
    db.store.deliver(&sender, batch(123, 1)).await.unwrap();
    let mut again = Events::default();
    again.read(&mut response.into_body().into_data_stream(), 1).await;
    assert!(!ids.contains(again.ids().next().unwrap()));

    shutdown.cancel();
    let end = tokio::time::timeout(PATIENCE, async { while body.next().await.is_some() {} }).await;
    assert!(end.is_ok(), "streams end with the program");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_missed_more_than_a_page_is_told_to_reload() {
    let Some(db) = Database::new("a_browser_that_missed_more_than_a_page_is_told_to_reload").await else {
        return;
    };
    let sender = known_sender(&db).await;
    db.store.deliver(&sender, batch(1, 150)).await.unwrap();
    let address = format!("/live?after={NOTHING_SEEN}");
    let response = router(&db)
        .oneshot(Request::get(&address).body(Body::empty()).unwrap())
        .await
        .unwrap();
    let first = response
        .into_body()
        .into_data_stream()
        .next()
        .await
        .unwrap()
        .unwrap();
    assert!(first.starts_with(b"event: reload\n"));
}

/// What a stream of events has said so far.
#[derive(Default)]
struct Events(String);

impl Events {
    fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.lines().filter_map(|line| line.strip_prefix("id: "))
    }

    /// Reads on until there were `count` events.
    async fn read(&mut self, body: &mut BodyDataStream, count: usize) {
        let reading = async {
            while self.ids().count() < count {
                let bytes = body.next().await.expect("the stream goes on").unwrap();
                self.0.push_str(str::from_utf8(&bytes).unwrap());
            }
        };
        tokio::time::timeout(PATIENCE, reading)
            .await
            .expect("events in time");
    }
}
