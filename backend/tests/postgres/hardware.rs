//! Errors of parts of machines: counted as they are stored, scored, listed and told.

use backend::{
    access::Anonymous,
    alerts::{Rules, look},
    analysis,
    store::Sender,
};
use proto::v1::{
    Batch, Dimm, GetPartRequest, HardwareError, Host, ListPartsRequest, Part, PartFilter, Record, Severity,
    hardware_client::HardwareClient, record::Payload,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    statistics::ok,
    support::{Collector, Database, encoded, host, mask, record, sender},
};

const DAY_NS: u64 = 86_400_000_000_000;

/// An error of the module `part`, so many days ago.
fn memory_error(part: &str, severity: Severity, days_ago: u64, count: u64) -> Record {
    let now = u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap();
    Record {
        class: "hardware.memory_error".to_owned(),
        severity: severity.into(),
        occurred_at_unix_ns: now - days_ago * DAY_NS,
        payload: Some(Payload::HardwareError(HardwareError {
            part: part.to_owned(),
            address: Some(days_ago << 12),
            count,
            ..HardwareError::default()
        })),
        ..record("memory error")
    }
}

async fn deliver(db: &Database, sender: &Sender, first_seq: u64, records: &[Record]) {
    let batch = Batch {
        first_seq,
        records: records.iter().map(encoded).collect(),
    };
    db.store.deliver(sender, batch).await.unwrap();
}

/// A host whose module `A1` had errors on six days, the module `B1` an uncorrected one, and `C1` one that means nothing.
pub(crate) async fn failing(db: &Database) -> Sender {
    let sender = sender();
    let told = Host {
        hostname: "db-1".to_owned(),
        dimms: vec![Dimm {
            locator: "A1".to_owned(),
            manufacturer: "Samsung".to_owned(),
            part_number: "M393A".to_owned(),
            ..Dimm::default()
        }],
        ..host()
    };
    db.store.hello(&sender, &told, "1").await.unwrap();
    let mut records: Vec<Record> = (1..=6)
        .map(|day| memory_error("A1", Severity::Low, day, 20))
        .collect();
    records.push(memory_error("B1", Severity::High, 2, 0));
    records.push(memory_error("C1", Severity::Low, 2, 1));
    deliver(db, &sender, 1, &records).await;
    sender
}

fn names(parts: &[Value]) -> Vec<&str> {
    parts.iter().map(|part| part["part"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn errors_of_parts_are_counted_once_by_the_hour_in_which_they_happened() {
    let Some(db) = Database::new("errors_of_parts_are_counted_once_by_the_hour_in_which_they_happened").await
    else {
        return;
    };
    let sender = failing(&db).await;
    // The same again is skipped, and what is no error of a part counts nowhere.
    deliver(&db, &sender, 1, &[memory_error("A1", Severity::Low, 1, 20)]).await;
    deliver(
        &db,
        &sender,
        9,
        &[record("an oops"), memory_error("A1", Severity::Low, 1, 5)],
    )
    .await;
    let counted = "SELECT sum(corrected)::bigint FROM part_hours WHERE part = 'A1'";
    assert_eq!(db.count(counted).await, 125);
    assert_eq!(
        db.count("SELECT count(DISTINCT hour) FROM part_hours WHERE part = 'A1'")
            .await,
        6
    );
    assert_eq!(
        db.count("SELECT uncorrected FROM part_hours WHERE part = 'B1'")
            .await,
        1
    );
    // A clock that is off by years counts for the time of storing.
    deliver(&db, &sender, 11, &[memory_error("D1", Severity::Low, 4000, 1)]).await;
    let now = "SELECT count(*) FROM part_hours WHERE part = 'D1' AND hour > now() - interval '2 hours'";
    assert_eq!(db.count(now).await, 1);
}

#[tokio::test]
async fn what_was_stored_before_is_counted_once_and_scored() {
    let Some(db) = Database::new("what_was_stored_before_is_counted_once_and_scored").await else {
        return;
    };
    failing(&db).await;
    // Which days have such records is known once they are counted.
    db.counted().await;
    db.store.score_parts(analysis::score).await.unwrap();
    let all = "SELECT md5(string_agg(concat(part, hour, corrected, uncorrected, fatal, spots), ' ' ORDER BY part, hour)) FROM part_hours";
    let sql = db.sql().await;
    let counted: String = sql.query_one(all, &[]).await.unwrap().get(0);
    sql.batch_execute("DELETE FROM part_hours; DELETE FROM parts; UPDATE part_work SET counted_from = now()")
        .await
        .unwrap();
    // All of it was stored today.
    assert!(db.store.count_earlier_parts().await.unwrap());
    for _ in 0..2 {
        assert!(!db.store.count_earlier_parts().await.unwrap());
    }
    let again: String = sql.query_one(all, &[]).await.unwrap().get(0);
    assert_eq!(again, counted);
    assert_eq!(db.store.score_parts(analysis::score).await.unwrap(), 3);
}

#[tokio::test]
async fn the_worst_parts_come_first_with_what_speaks_for_it_and_in_pages() {
    let Some(db) = Database::new("the_worst_parts_come_first_with_what_speaks_for_it_and_in_pages").await
    else {
        return;
    };
    failing(&db).await;
    // Which days have such records is known once they are counted.
    db.counted().await;
    db.store.score_parts(analysis::score).await.unwrap();
    let all = ok(&db, "/api/v1/hardware").await;
    let parts = all["parts"].as_array().unwrap();
    assert_eq!(names(parts), ["A1", "B1", "C1"], "{all:#}");
    assert_eq!(
        (
            &parts[0]["manufacturer"],
            &parts[0]["hostname"],
            &parts[0]["error_days"]
        ),
        (&"Samsung".into(), &"db-1".into(), &6.into())
    );
    assert_eq!(all["next_page_token"], "");

    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let address = format!("/api/v1/hardware?host=db-1&page_size=1&page_token={page_token}");
        let page = ok(&db, &address).await;
        found.extend(page["parts"].as_array().unwrap().clone());
        page["next_page_token"]
            .as_str()
            .unwrap()
            .clone_into(&mut page_token);
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names(&found), ["A1", "B1", "C1"]);

    let id = parts[0]["id"].as_str().unwrap();
    let one = ok(&db, &format!("/api/v1/hardware/{id}")).await;
    assert_eq!(one["hours"].as_array().unwrap().len(), 6, "{one:#}");
    let bad = ok(&db, "/api/v1/hardware?kind=dimm&min_score=75").await;
    assert_eq!(names(bad["parts"].as_array().unwrap()), ["A1", "B1"]);
    assert_eq!(
        ok(&db, "/api/v1/hardware?kind=disk").await["parts"],
        Value::Array(Vec::new())
    );

    let router = db.router(Anonymous::Admin, &CancellationToken::new());
    for wrong in ["kind=moon", "page_size=501", "page_token=1", "min=1"] {
        let request = axum::http::Request::get(format!("/api/v1/hardware?{wrong}"));
        let request = request.body(axum::body::Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(router.clone(), request).await.unwrap();
        assert_eq!(response.status(), axum::http::StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_listed_and_shown_by_grpc() {
    let Some(db) = Database::new("parts_are_listed_and_shown_by_grpc").await else {
        return;
    };
    let collector = Collector::start(&db).await;
    failing(&db).await;
    db.store.score_parts(analysis::score).await.unwrap();
    let mut hardware = HardwareClient::new(collector.channel().await);
    let of_kind = |kind: &str| ListPartsRequest {
        filter: Some(PartFilter {
            kind: kind.to_owned(),
            ..PartFilter::default()
        }),
        page_size: 2,
        ..ListPartsRequest::default()
    };
    let page = hardware.list_parts(of_kind("dimm")).await.unwrap().into_inner();
    let names: Vec<&str> = page.parts.iter().map(|part| part.part.as_str()).collect();
    assert_eq!(names, ["A1", "B1"]);
    let next = ListPartsRequest {
        page_token: page.next_page_token,
        ..of_kind("dimm")
    };
    let last = hardware.list_parts(next).await.unwrap().into_inner();
    assert_eq!(
        (last.parts[0].part.as_str(), last.next_page_token.as_str()),
        ("C1", "")
    );
    let masked = ListPartsRequest {
        read_mask: Some(mask("part")),
        ..of_kind("dimm")
    };
    let parts = hardware.list_parts(masked).await.unwrap().into_inner().parts;
    let only = |part: &str| Part {
        part: part.to_owned(),
        ..Part::default()
    };
    assert_eq!(parts, ["A1", "B1"].map(only));
    let get = |id: &str| GetPartRequest {
        id: id.to_owned(),
        read_mask: None,
    };
    let one = hardware
        .get_part(get(&page.parts[0].id))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((one.hours.len(), one.corrected), (6, 120));
    assert!(one.evidence.iter().any(|sign| sign.sign == "many"), "{one:?}");
    let masked = |path| GetPartRequest {
        read_mask: Some(mask(path)),
        ..get(&page.parts[0].id)
    };
    let part = hardware.get_part(masked("corrected")).await.unwrap().into_inner();
    let corrected = Part {
        corrected: 120,
        ..Part::default()
    };
    assert_eq!(part, corrected);
    let refused = hardware.get_part(masked("korrected")).await.unwrap_err();
    assert!(
        refused.message().contains("Part has no field korrected"),
        "{refused}"
    );
    let refused = hardware.list_parts(of_kind("moon")).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    let none = hardware.get_part(get(&db.url)).await.unwrap_err();
    assert_eq!(none.code(), tonic::Code::InvalidArgument);
    let none = hardware
        .get_part(get(&uuid::Uuid::nil().to_string()))
        .await
        .unwrap_err();
    assert_eq!(none.code(), tonic::Code::NotFound);
    collector.stop().await;
}

#[tokio::test]
async fn the_command_line_lists_parts_at_risk_with_what_speaks_for_it() {
    let Some(db) = Database::new("the_command_line_lists_parts_at_risk_with_what_speaks_for_it").await else {
        return;
    };
    failing(&db).await;
    db.store.score_parts(analysis::score).await.unwrap();
    let hardware = async |arguments: &[&str]| {
        let done = tokio::process::Command::new(env!("CARGO_BIN_EXE_backend"))
            .arg("hardware")
            .args(arguments)
            .env("BACKEND_DATABASE_URL", &db.url)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8(done.stdout).unwrap();
        (done.status.code(), said, String::from_utf8(done.stderr).unwrap())
    };
    let (code, said, _) = hardware(&[]).await;
    assert_eq!(code, Some(0));
    let first: Vec<&str> = said.lines().take(2).collect();
    assert!(first[0].ends_with("  db-1  dimm A1  Samsung M393A"), "{said}");
    assert!(
        said.contains("\n       errors on 6 of the last 30 days"),
        "{said}"
    );
    assert!(said.contains("dimm B1") && !said.contains("dimm C1"), "{said}");

    let (_, said, _) = hardware(&["--json", "--min-score", "0", "--host", "db-1", "--limit", "3"]).await;
    let parts: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(names(&parts), ["A1", "B1", "C1"]);
    assert_eq!(
        parts,
        *ok(&db, "/api/v1/hardware").await["parts"].as_array().unwrap()
    );
    let (_, said, _) = hardware(&["--limit", "1"]).await;
    assert!(said.contains("dimm A1") && !said.contains("dimm B1"), "{said}");
    assert_eq!(hardware(&["--kind", "disk"]).await.1, "");
    let (code, _, told) = hardware(&["--kind", "moon"]).await;
    assert_eq!(code, Some(64));
    assert!(told.contains("dimm, cpu, pcie"), "{told}");
}

#[tokio::test]
async fn new_errors_change_a_score_and_old_ones_fade() {
    let Some(db) = Database::new("new_errors_change_a_score_and_old_ones_fade").await else {
        return;
    };
    let sender = failing(&db).await;
    db.store.score_parts(analysis::score).await.unwrap();
    let score = "SELECT score::bigint FROM parts WHERE part = 'C1'";
    assert_eq!(db.count(score).await, 2);
    deliver(&db, &sender, 9, &[memory_error("C1", Severity::Critical, 1, 1)]).await;
    db.store.score_parts(analysis::score).await.unwrap();
    assert!(db.count(score).await > 90);
    // A month later.
    db.sql()
        .await
        .batch_execute(
            "UPDATE part_hours SET hour = hour - interval '31 days', stored_at = stored_at - interval '31 days';
             UPDATE parts SET scored_at = scored_at - interval '31 days'",
        )
        .await
        .unwrap();
    db.store.score_parts(analysis::score).await.unwrap();
    assert_eq!(db.count("SELECT count(*) FROM parts WHERE score > 0").await, 0);
    assert_eq!(db.count("SELECT count(*) FROM v_hardware").await, 3);
}

#[tokio::test]
async fn a_part_that_fails_is_an_alert_that_says_what_speaks_for_it() {
    let Some(db) = Database::new("a_part_that_fails_is_an_alert_that_says_what_speaks_for_it").await else {
        return;
    };
    failing(&db).await;
    db.store.score_parts(analysis::score).await.unwrap();
    let rules = "[[rule]]\nname = 'bad'\nwhen = { bad_part = { kind = 'dimm', min_score = 75 } }\ntargets = []
                 [[rule]]\nname = 'worse'\nwhen = { bad_part = { min_score = 100, uncorrected = false } }\ntargets = []";
    look(&db.store, &Rules::parse(rules).unwrap()).await.unwrap();
    let sql = db.sql().await;
    let alerts = sql
        .query(
            "SELECT summary, severity FROM alerts WHERE rule = 'bad' ORDER BY summary",
            &[],
        )
        .await
        .unwrap();
    let told: Vec<(&str, i16)> = alerts.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].0.starts_with("memory module A1 of db-1 has the score 9")
            && told[0].0.contains("errors on 6 of the last 30 days"),
        "{told:?}"
    );
    assert_eq!((told[0].1, told[1].1), (3, 4));
    assert_eq!(
        db.count("SELECT count(*) FROM alerts WHERE rule = 'worse'").await,
        0
    );
}
