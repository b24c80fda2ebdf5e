//! What is told of an issue beside its counters, by REST and by gRPC from a whole collector.

use backend::store::IssueChange;
use proto::v1::{FingerprintLevel, ListIssueDaysRequest, ListVariantsRequest, issues_client::IssuesClient};
use serde_json::{Value, json};

use crate::issue_pages::{of, tell_another, two_variants};
use crate::support::{Collector, Database, fetch::fetch};

/// The answer to a question about an issue.
async fn asked(collector: &Collector, issue: &str, what: &str) -> Value {
    let path = format!("/api/v1/issues/{issue}/{what}");
    serde_json::from_str(&fetch(collector.http, &path).await.expect(&path)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_variants_of_an_issue_are_told_by_rest_and_by_grpc() {
    let Some(db) = Database::new("the_variants_of_an_issue_are_told_by_rest_and_by_grpc").await else {
        return;
    };
    let [often, once] = two_variants(&db).await;
    let issue = of(&often, FingerprintLevel::Title);
    let collector = Collector::start(&db).await;
    let rest = asked(&collector, &issue, "variants").await;
    assert_eq!((&rest["top_frames"], &rest["stacks"]), (&json!(2), &json!(2)));
    let told = |variant: &Value| {
        let name = ["fingerprint", "level", "records", "hosts"].map(|name| variant[name].clone());
        (name, variant["functions"][1].clone())
    };
    let told: Vec<([Value; 4], Value)> = rest["variants"].as_array().unwrap().iter().map(told).collect();
    let mut expected = Vec::new();
    for (level, name) in [
        (FingerprintLevel::TopFrames, "top_frames"),
        (FingerprintLevel::Stack, "stack"),
    ] {
        for (record, count, caller) in [(&often, 2, "example_ioctl"), (&once, 1, "example_ring")] {
            let variant = [json!(of(record, level)), json!(name), json!(count), json!(count)];
            expected.push((variant, json!(caller)));
        }
    }
    assert_eq!(told, expected);

    let mut client = IssuesClient::new(collector.channel().await);
    let asked_for = |issue: &str| ListVariantsRequest {
        issue: issue.to_owned(),
    };
    let grpc = client
        .list_variants(asked_for(&issue))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((grpc.top_frames, grpc.stacks), (2, 2));
    for (variant, json) in grpc.variants.iter().zip(rest["variants"].as_array().unwrap()) {
        assert_eq!(json["fingerprint"], variant.fingerprint);
        assert_eq!(json["functions"], json!(variant.functions));
    }

    // What counts for another leads to it, and what there is not is not found.
    let other = tell_another(&db).await;
    let unknown = "0".repeat(32);
    let refused = client.list_variants(asked_for(&unknown)).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::NotFound);
    assert_eq!(asked(&collector, other, "variants").await["variants"], json!([]));
    let merge = IssueChange {
        who: "ann".to_owned(),
        merged_into: Some(issue.clone()),
        ..IssueChange::default()
    };
    db.store.change_issue(other, &merge).await.unwrap().unwrap();
    assert_eq!(asked(&collector, other, "variants").await, rest);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_days_of_an_issue_are_told_by_rest_and_by_grpc() {
    let Some(db) = Database::new("the_days_of_an_issue_are_told_by_rest_and_by_grpc").await else {
        return;
    };
    let [often, _] = two_variants(&db).await;
    let issue = of(&often, FingerprintLevel::Title);
    let sql = db.sql().await;
    let yesterday = "UPDATE sightings SET day = day - interval '24 hours' WHERE os_build = '41'";
    assert_eq!(sql.execute(yesterday, &[]).await.unwrap(), 1);
    let dates = "SELECT to_char((now() AT TIME ZONE 'UTC')::date - back, 'YYYY-MM-DD') FROM generate_series(2, 0, -1) back";
    let dates: Vec<String> = sql
        .query(dates, &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    let collector = Collector::start(&db).await;
    let days = |hosts: [u64; 3]| -> Value {
        let days = dates.iter().zip(hosts);
        days.map(|(day, hosts)| json!({ "day": day, "hosts": hosts, "records": hosts }))
            .collect()
    };
    let rest = asked(&collector, &issue, "days?days=3").await;
    let expected = json!({
        "days": days([0, 1, 2]),
        "builds": [{ "build": "42", "days": days([0, 0, 2]) }, { "build": "41", "days": days([0, 1, 0]) }],
    });
    assert_eq!(rest, expected);
    let month = asked(&collector, &issue, "days").await;
    assert_eq!(month["days"].as_array().unwrap().len(), 30);

    let mut client = IssuesClient::new(collector.channel().await);
    let request = |issue: &str, days| ListIssueDaysRequest {
        issue: issue.to_owned(),
        days,
    };
    let grpc = client
        .list_issue_days(request(&issue, 0))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((grpc.days.len(), grpc.days[28].hosts), (30, 1));
    let builds: Vec<&str> = grpc
        .builds
        .iter()
        .map(|of_build| of_build.build.as_str())
        .collect();
    assert_eq!(builds, ["42", "41"]);
    for (days, issue, code) in [
        (367, issue.as_str(), tonic::Code::InvalidArgument),
        (3, "x", tonic::Code::InvalidArgument),
        (3, &"0".repeat(32), tonic::Code::NotFound),
    ] {
        let refused = client.list_issue_days(request(issue, days)).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
    }
    collector.stop().await;
}
