//! The analysis by gRPC tells what it tells by REST.

use proto::v1::{
    CompareRequest, GetSurvivalRequest, ListDaysRequest, ListEscalationsRequest, ListOutliersRequest,
    ListPopulationRequest, ListRatesByClassRequest, ListRatesRequest, ListUnusualRequest, ListUpdatesRequest,
    PopulationDimension, Rate, Verdict, statistics_client::StatisticsClient,
};
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::{
    population::on_latest_day,
    statistics::{NEW, fleet, ok},
    support::{Collector, Database, fetch::fetch},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_can_be_asked_for_by_grpc() {
    let Some(db) = Database::new("a_comparison_can_be_asked_for_by_grpc").await else {
        return;
    };
    fleet(&db).await;
    let collector = Collector::start(&db).await;
    let mut client = StatisticsClient::new(collector.channel().await);
    let request = CompareRequest {
        from: Some("41".to_owned()),
        to: Some("42".to_owned()),
        ..CompareRequest::default()
    };
    let found = client.compare(request.clone()).await.unwrap().into_inner();
    assert_eq!(found.verdict(), Verdict::Worse);
    assert_eq!((found.max_ratio, found.confidence), (1.5, 0.95));
    assert_eq!(
        (found.issues[0].issue.as_str(), found.issues[0].to_affected),
        (NEW, 12)
    );
    let asked = || request.clone();
    for wrong in [
        CompareRequest {
            confidence: 95.0,
            ..asked()
        },
        CompareRequest { to: None, ..asked() },
        CompareRequest {
            to: Some("43".to_owned()),
            ..asked()
        },
        CompareRequest {
            class: "kernel".to_owned(),
            ..asked()
        },
    ] {
        let refused = client.compare(wrong).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused}");
    }
    collector.stop().await;
}

/// A number of an answer by REST.
fn number(answer: &Value) -> f64 {
    answer.as_f64().unwrap()
}

/// Rates as REST tells them.
fn in_json(rates: &[Rate]) -> Value {
    let rates = rates.iter().map(|rate| {
        json!({
            "name": rate.name, "hosts": rate.hosts, "host_hours": rate.host_hours, "affected": rate.affected,
            "fault_days": rate.fault_days, "faults": rate.faults, "rate": rate.rate,
            "low": rate.low, "high": rate.high,
        })
    });
    read(&rates.collect())
}

/// A value as it is read from a text, where a number may differ in its last bit.
fn read(written: &Value) -> Value {
    serde_json::from_str(&written.to_string()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_of_all_hosts_are_told_by_class_and_by_day() {
    let Some(db) = Database::new("rates_of_all_hosts_are_told_by_class_and_by_day").await else {
        return;
    };
    fleet(&db).await;
    // A class that hosts have on fewer days.
    let warned = "UPDATE triage SET class = 'kernel.warning' WHERE issue = $1::text::uuid";
    db.sql().await.execute(warned, &[&NEW]).await.unwrap();
    let collector = Collector::start(&db).await;
    let mut client = StatisticsClient::new(collector.channel().await);
    let asked = async |path: &str| -> Value {
        let path = format!("/api/v1/statistics/{path}");
        serde_json::from_str(&fetch(collector.http, &path).await.unwrap()).unwrap()
    };

    let rest = asked("classes?days=11").await;
    let request = ListRatesByClassRequest {
        days: 11,
        ..ListRatesByClassRequest::default()
    };
    let grpc = client.list_rates_by_class(request).await.unwrap().into_inner();
    assert_eq!(rest["rates"], in_json(&grpc.rates));
    assert_eq!(
        (&rest["confidence"], &rest["per_host_hours"]),
        (&json!(0.95), &json!(1000))
    );
    let days: Vec<(&str, u64, u64)> = grpc
        .rates
        .iter()
        .map(|rate| (rate.name.as_str(), rate.affected, rate.fault_days))
        .collect();
    assert_eq!(days, [("kernel.oops", 30, 180), ("kernel.warning", 12, 36)]);

    let rest = asked("days?days=11&class=kernel.oops&confidence=0.9").await;
    let request = ListDaysRequest {
        days: 11,
        class: "kernel.oops".to_owned(),
        confidence: 0.9,
        ..ListDaysRequest::default()
    };
    let grpc = client.list_days(request).await.unwrap().into_inner();
    let told = grpc.days.iter().map(|one| {
        let mut json = json!({
            "day": one.day, "host_hours": one.host_hours, "affected": one.affected, "rate": one.rate, "low": one.low,
        });
        if let Some(high) = one.high {
            json["high"] = json!(high);
        }
        json
    });
    assert_eq!(rest["days"], read(&told.collect()));
    let affected: Vec<u64> = grpc.days.iter().map(|day| day.affected).collect();
    assert_eq!(affected, [0, 0, 0, 0, 30, 30, 30, 30, 30, 30, 0], "today last");
    let today = "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD')";
    let today: String = db.sql().await.query_one(today, &[]).await.unwrap().get(0);
    assert_eq!(grpc.days[10].day, today);
    assert_eq!(
        (grpc.days[9].host_hours, grpc.days[10].host_hours),
        (120.0 * 24.0, 0.0)
    );
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_population_and_updates_are_told_by_grpc_as_by_rest() {
    let Some(db) = Database::new("rates_population_and_updates_are_told_by_grpc_as_by_rest").await else {
        return;
    };
    fleet(&db).await;
    db.store.count_population().await.unwrap();
    db.sql()
        .await
        .batch_execute(
            "INSERT INTO updates SELECT agent_id, now(), '41', '42', 'runs' FROM hosts WHERE os_build = '42'",
        )
        .await
        .unwrap();
    let collector = Collector::start(&db).await;
    let mut client = StatisticsClient::new(collector.channel().await);

    let rest = ok(&db, "/api/v1/statistics/rates?by=build").await;
    let grpc = client
        .list_rates(ListRatesRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(number(&rest["confidence"]).to_bits(), grpc.confidence.to_bits());
    assert_eq!(grpc.rates.len(), 2);
    assert_eq!(rest["rates"], in_json(&grpc.rates));

    let rest = ok(&db, "/api/v1/population?by=model&days=3").await;
    let asked = ListPopulationRequest {
        by: PopulationDimension::Model.into(),
        days: 3,
    };
    let grpc = client.list_population(asked).await.unwrap().into_inner();
    let told = grpc.population.iter().map(
        |one| json!({ "day": one.day, "name": one.name, "hosts": one.hosts, "host_hours": one.host_hours }),
    );
    assert_eq!(rest["population"], told.collect::<Value>());
    assert_eq!(on_latest_day(&rest), [("A", 60), ("B", 60)]);

    let rest = ok(&db, "/api/v1/updates").await;
    let grpc = client
        .list_updates(ListUpdatesRequest::default())
        .await
        .unwrap()
        .into_inner();
    let told = grpc.updates.iter().map(|one| {
        json!({
            "from": one.from, "to": one.to, "tried": one.tried, "succeeded": one.succeeded, "failed": one.failed,
            "went_back": one.went_back,
        })
    });
    assert_eq!(rest["updates"], told.collect::<Value>());
    assert_eq!(grpc.updates[0].tried, 60);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_out_is_told_by_grpc_as_by_rest() {
    let Some(db) = Database::new("what_stands_out_is_told_by_grpc_as_by_rest").await else {
        return;
    };
    fleet(&db).await;
    let collector = Collector::start(&db).await;
    let mut client = StatisticsClient::new(collector.channel().await);

    let rest = ok(&db, "/api/v1/statistics/escalations?days=6").await;
    let asked = ListEscalationsRequest {
        days: 6,
        ..ListEscalationsRequest::default()
    };
    let grpc = client.list_escalations(asked).await.unwrap().into_inner();
    assert_eq!(grpc.escalations.len(), 1);
    let (json, told) = (&rest["escalations"][0], &grpc.escalations[0]);
    assert_eq!(
        (&json["issue"], &json["hosts"]),
        (&json!(told.issue), &json!(told.hosts))
    );
    assert_eq!(told.issue, NEW);

    let rest = ok(&db, "/api/v1/statistics/survival?of=41").await;
    let asked = GetSurvivalRequest {
        of: Some("41".to_owned()),
        ..GetSurvivalRequest::default()
    };
    let grpc = client.get_survival(asked).await.unwrap().into_inner();
    assert_eq!((grpc.hosts, grpc.affected, grpc.steps.len()), (60, 15, 1));
    assert_eq!(rest["steps"][0]["low"], grpc.steps[0].low);
    assert_eq!(rest["steps"][0]["high"], grpc.steps[0].high);

    let asked = ListUnusualRequest {
        issue: NEW.to_owned(),
        ..ListUnusualRequest::default()
    };
    let grpc = client.list_unusual(asked).await.unwrap().into_inner();
    assert_eq!((grpc.hosts, grpc.affected), (120, 12));
    let facts: Vec<(&str, &str)> = grpc
        .facts
        .iter()
        .map(|fact| (fact.key.as_str(), fact.value.as_str()))
        .collect();
    assert_eq!(facts, [("bios", "bad"), ("dimm", "maker bad"), ("build", "42")]);
    let grpc = client
        .list_outliers(ListOutliersRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(grpc.models.is_empty(), "both models are alike");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_without_sense_are_refused_by_grpc_too() {
    let Some(db) = Database::new("questions_without_sense_are_refused_by_grpc_too").await else {
        return;
    };
    let collector = Collector::start(&db).await;
    let mut client = StatisticsClient::new(collector.channel().await);
    let rates = ListRatesRequest {
        confidence: 95.0,
        ..ListRatesRequest::default()
    };
    let population = ListPopulationRequest {
        days: 367,
        ..ListPopulationRequest::default()
    };
    let outliers = ListOutliersRequest {
        class: "x".repeat(65),
        ..ListOutliersRequest::default()
    };
    let unusual = ListUnusualRequest {
        issue: "x".to_owned(),
        ..ListUnusualRequest::default()
    };
    let days = ListDaysRequest {
        days: 367,
        ..ListDaysRequest::default()
    };
    let refusals = [
        client.list_days(days).await.unwrap_err(),
        client.list_rates(rates).await.unwrap_err(),
        client.list_population(population).await.unwrap_err(),
        client
            .list_updates(ListUpdatesRequest { days: 367 })
            .await
            .unwrap_err(),
        client.list_outliers(outliers).await.unwrap_err(),
        client.list_unusual(unusual).await.unwrap_err(),
    ];
    for refused in refusals {
        assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused}");
    }
    numbers_that_mean_nothing_are_refused(&mut client).await;
    collector.stop().await;
}

/// Each is told with what there is instead.
async fn numbers_that_mean_nothing_are_refused(client: &mut StatisticsClient<Channel>) {
    let compare = CompareRequest {
        by: 9,
        from: Some("41".to_owned()),
        to: Some("42".to_owned()),
        ..CompareRequest::default()
    };
    let rates = ListRatesRequest {
        by: 9,
        ..ListRatesRequest::default()
    };
    let survival = GetSurvivalRequest {
        by: 9,
        ..GetSurvivalRequest::default()
    };
    let population = ListPopulationRequest {
        by: 9,
        ..ListPopulationRequest::default()
    };
    let outliers = ListOutliersRequest {
        min_severity: 9,
        ..ListOutliersRequest::default()
    };
    let refusals = [
        (
            client.compare(compare).await.unwrap_err(),
            "by 9",
            "3 DIMENSION_MODEL",
        ),
        (
            client.list_rates(rates).await.unwrap_err(),
            "by 9",
            "1 DIMENSION_BUILD",
        ),
        (
            client.get_survival(survival).await.unwrap_err(),
            "by 9",
            "2 DIMENSION_KERNEL",
        ),
        (
            client.list_population(population).await.unwrap_err(),
            "by 9",
            "5 POPULATION_DIMENSION_ALL",
        ),
        (
            client.list_outliers(outliers).await.unwrap_err(),
            "min_severity 9",
            "4 SEVERITY_CRITICAL",
        ),
    ];
    for (refused, asked, there_is) in refusals {
        assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused}");
        let told = refused.message();
        assert!(told.starts_with(asked) && told.contains(there_is), "{told}");
    }
}
