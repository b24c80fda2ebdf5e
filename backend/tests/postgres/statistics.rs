//! The analysis on fleets with known faults, by REST.

use std::fmt::Write as _;

use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use backend::{access::Anonymous, simulation};
use proto::v1::{Batch, Host, Record, Severity};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::support::{Database, encoded, host, of_issue, record, sender};

/// Issues that all builds have.
const OLD: [&str; 2] = [
    "000000000000000000000000000000a1",
    "000000000000000000000000000000a2",
];
/// An issue that came with build 42.
pub(crate) const NEW: &str = "000000000000000000000000000000b1";
/// Hosts of a build.
const HOSTS: u32 = 60;

async fn get(db: &Database, address: &str) -> (StatusCode, Value) {
    let router = db.router(Anonymous::Admin, &CancellationToken::new());
    let request = Request::get(address).body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

pub(crate) async fn ok(db: &Database, address: &str) -> Value {
    let (status, answer) = get(db, address).await;
    assert_eq!(status, StatusCode::OK, "{address}: {answer}");
    answer
}

/// Hosts of builds 41 and 42, half of them of each model, watched for ten days. Each fourth host of either build has the old
/// issues from the fifth day on; each fifth host of build 42 the new one from the eighth day on, those with another BIOS.
pub(crate) async fn fleet(db: &Database) {
    let mut sql = String::from(
        "CREATE FUNCTION day(back integer) RETURNS timestamptz LANGUAGE sql AS
             $$ SELECT date_trunc('day', now(), 'UTC') - back * interval '1 day' $$;",
    );
    for number in 0..2 * HOSTS {
        let build = 41 + number % 2;
        let (place, agent) = (number / 2, format!("00000000-0000-4000-8000-{number:012}"));
        let (model, has_new) = (["A", "B"][place as usize % 2], build == 42 && place % 5 == 0);
        let bios = if has_new { "bad" } else { "good" };
        write!(
            sql,
            "INSERT INTO hosts (agent_id, hostname, os_id, os_build, kernel_release, kernel_version, arch, cpu_model, cpus,
                                memory_bytes, product, board, bios, boot_id, agent_version)
             VALUES ('{agent}', 'host-{number}', 'debian', '{build}', '6.1', '', 'x86_64', '', 1, 1,
                                       '{model}', '', '{bios}', '', '1');
             INSERT INTO host_dimms VALUES ('{agent}', 1, 'A1', '', 'maker', '{bios}', '', 1, 0, 0, 0),
                                           ('{agent}', 2, 'A2', '', 'maker', '{bios}', '', 1, 0, 0, 0);
             INSERT INTO exposure_daily
             SELECT '{agent}', day(back), '{build}', '6.1', '{model}', 86400 FROM generate_series(1, 10) back;"
        )
        .unwrap();
        let mut sees = |issue: &str, from: u32| {
            write!(
                sql,
                "INSERT INTO fingerprints VALUES ('{agent}', '{issue}', 1, 1, '{issue}', 'kernel.oops', 'oops {issue}', 3,
                                                  day({from}), day(1), {from});
                 INSERT INTO sightings
                 SELECT '{agent}', day(back), '{issue}', '{build}', '6.1', '{model}', day(back) + interval '1 hour', 3
                 FROM generate_series(1, {from}) back;
                 INSERT INTO triage (issue, class, title, severity)
                 VALUES ('{issue}', 'kernel.oops', 'oops {issue}', 3) ON CONFLICT DO NOTHING;"
            )
            .unwrap();
        };
        if place % 4 == 0 {
            for issue in OLD {
                sees(issue, 6);
            }
        }
        if has_new {
            sees(NEW, 3);
        }
    }
    db.sql().await.batch_execute(&sql).await.unwrap();
}

#[tokio::test]
async fn a_regression_of_a_build_is_found_by_its_issue() {
    let Some(db) = Database::new("a_regression_of_a_build_is_found_by_its_issue").await else {
        return;
    };
    fleet(&db).await;
    let found = ok(&db, "/api/v1/statistics/compare?from=41&to=42").await;
    assert_eq!(found["verdict"], "worse", "{found:#}");
    assert_eq!(
        (
            &found["from"]["hosts"],
            &found["from"]["affected"],
            &found["to"]["affected"]
        ),
        (&json!(60), &json!(15), &json!(24)),
        "15 with old issues, 12 with the new one, 3 of them with both"
    );
    assert_eq!(found["from"]["host_hours"], 60.0 * 240.0);
    assert_eq!(
        found["from"]["hours_at_risk"],
        (60.0 * 10.0 - 15.0 * 5.0) * 24.0,
        "15 hosts had nothing left to have first in their last five days"
    );
    let issues = found["issues"].as_array().unwrap();
    assert_eq!(issues.len(), 3);
    let worse: Vec<&Value> = issues.iter().filter(|one| one["worse"] == true).collect();
    assert_eq!(worse.len(), 1, "{found:#}");
    assert_eq!(
        (
            &worse[0]["issue"],
            &worse[0]["to_affected"],
            &worse[0]["severity"]
        ),
        (&json!(NEW), &json!(12), &json!("high"))
    );
    assert!(worse[0]["ratio"]["low"].as_f64().unwrap() > 1.5, "{found:#}");
    let rate = |side: &Value| side["affected"].as_f64().unwrap() / side["hours_at_risk"].as_f64().unwrap();
    let estimate = found["ratio"]["estimate"].as_f64().unwrap();
    assert!(
        (estimate / (rate(&found["to"]) / rate(&found["from"])) - 1.0).abs() < 0.05,
        "the sides say what is divided: {found:#}"
    );

    let back = ok(
        &db,
        "/api/v1/statistics/compare?from=42&to=41&max_ratio=2&confidence=0.8",
    )
    .await;
    assert_eq!(back["verdict"], "fine", "{back:#}");

    // What was merged into an old issue counts for it.
    let merge = format!(
        "UPDATE triage SET merged_into = '{}' WHERE issue = '{NEW}'",
        OLD[0]
    );
    db.sql().await.batch_execute(&merge).await.unwrap();
    let merged = ok(&db, "/api/v1/statistics/compare?from=41&to=42").await;
    assert_eq!(merged["issues"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn who_had_an_issue_by_another_name_does_not_have_it_first() {
    let Some(db) = Database::new("who_had_an_issue_by_another_name_does_not_have_it_first").await else {
        return;
    };
    fleet(&db).await;
    // Of another class, less severe, and not seen for a month.
    let earlier = "00000000-0000-0000-0000-0000000000ee";
    let merged = format!(
        "INSERT INTO fingerprints
         SELECT agent_id, '{earlier}', 1, 1, '{earlier}', 'kernel.warning', 'a warning', 1, day(90), day(60), 1
         FROM fingerprints WHERE fingerprint = '{NEW}';
         INSERT INTO triage (issue, class, title, severity, merged_into)
         VALUES ('{earlier}', 'kernel.warning', 'a warning', 1, '{NEW}')"
    );
    db.sql().await.batch_execute(&merged).await.unwrap();
    let found = ok(&db, "/api/v1/statistics/compare?from=41&to=42").await;
    let issues = found["issues"].as_array().unwrap();
    assert!(issues.iter().all(|one| one["issue"] != NEW), "{found:#}");
    assert_eq!(
        found["to"]["affected"], 24,
        "of any it is the first in these days"
    );
    let rising = ok(&db, "/api/v1/statistics/escalations?days=10&false_part=1").await;
    let rising = rising["escalations"].as_array().unwrap();
    assert!(rising.iter().all(|one| one["issue"] != NEW), "{rising:?}");
}

#[tokio::test]
async fn rates_survival_escalations_and_what_is_unusual_agree_with_the_fleet() {
    let Some(db) = Database::new("rates_survival_escalations_and_what_is_unusual_agree_with_the_fleet").await
    else {
        return;
    };
    fleet(&db).await;
    let found = ok(&db, "/api/v1/statistics/rates?by=build").await;
    let of_41 = found["rates"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "41")
        .unwrap();
    assert_eq!(
        (&of_41["hosts"], &of_41["fault_days"], &of_41["faults"]),
        (&json!(60), &json!(90), &json!(540))
    );
    let rate = of_41["rate"].as_f64().unwrap();
    assert!((rate - 90.0 / 14.4).abs() < 1e-9);
    assert!(of_41["low"].as_f64().unwrap() < rate);

    let curve = ok(&db, "/api/v1/statistics/survival?of=41").await;
    assert_eq!((&curve["hosts"], &curve["affected"]), (&json!(60), &json!(15)));
    let steps = curve["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 1, "all of them failed at the same age: {curve:#}");
    assert!((steps[0]["survival"].as_f64().unwrap() - 0.75).abs() < 1e-12);

    let rising = ok(&db, "/api/v1/statistics/escalations?days=10").await;
    let issues: Vec<&str> = rising["escalations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["issue"].as_str().unwrap())
        .collect();
    assert_eq!(
        issues.len(),
        3,
        "all of them began within the ten days: {rising:#}"
    );
    let days = ok(&db, "/api/v1/statistics/escalations?days=6").await;
    assert_eq!(
        days["escalations"].as_array().unwrap().len(),
        1,
        "one within six: {days:#}"
    );
    assert_eq!(days["escalations"][0]["issue"], NEW);

    let unusual = ok(&db, &format!("/api/v1/issues/{NEW}/unusual")).await;
    assert_eq!(
        (&unusual["hosts"], &unusual["affected"]),
        (&json!(120), &json!(12))
    );
    let facts = unusual["facts"].as_array().unwrap();
    assert_eq!(
        (&facts[0]["key"], &facts[0]["value"]),
        (&json!("bios"), &json!("bad")),
        "{unusual:#}"
    );
    assert_eq!(
        facts[1]["value"], "maker bad",
        "and the memory, once a host: {unusual:#}"
    );
    assert_eq!(facts[2]["value"], "42", "and the build: {unusual:#}");
    assert_eq!(facts.len(), 3);

    let outliers = ok(&db, "/api/v1/statistics/outliers").await;
    assert_eq!(outliers["models"], json!([]), "both models are alike");
}

#[tokio::test]
async fn what_is_delivered_is_counted_by_host_day_and_issue() {
    let Some(db) = Database::new("what_is_delivered_is_counted_by_host_day_and_issue").await else {
        return;
    };
    let sender = sender();
    let built = Host {
        os_build: "41".to_owned(),
        product: "Model T".to_owned(),
        ..host()
    };
    db.store.hello(&sender, &built, "1").await.unwrap();
    let oops = |issue: &str, kernel_release: &str| {
        encoded(&Record {
            class: "kernel.oops".to_owned(),
            severity: Severity::High.into(),
            kernel_release: kernel_release.to_owned(),
            fingerprints: of_issue(issue),
            ..record("")
        })
    };
    let first = vec![
        oops(NEW, ""),
        oops(NEW, ""),
        oops(NEW, "5.10"),
        oops(OLD[0], ""),
        encoded(&record("")),
    ];
    for (first_seq, records) in [(1, first), (6, vec![oops(NEW, "")])] {
        let batch = Batch { first_seq, records };
        db.store.deliver(&sender, batch).await.unwrap();
    }
    let rows = db
        .sql()
        .await
        .query(
            "SELECT concat_ws(', ', replace(issue::text, '-', ''), os_build, kernel_release, product, sum(records)),
                    min(first_at) = (SELECT min(received_at) FROM records)
             FROM sightings GROUP BY issue, os_build, kernel_release, product ORDER BY sum(records) DESC, issue",
            &[],
        )
        .await
        .unwrap();
    let rows: Vec<(String, bool)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let row = |issue, kernel, records| (format!("{issue}, 41, {kernel}, Model T, {records}"), true);
    assert_eq!(
        rows,
        [
            row(NEW, "6.1.0-test", 3),
            row(OLD[0], "6.1.0-test", 1),
            row(NEW, "5.10", 1)
        ]
    );
}

#[tokio::test]
async fn who_sends_no_heartbeats_is_in_no_rate() {
    let Some(db) = Database::new("who_sends_no_heartbeats_is_in_no_rate").await else {
        return;
    };
    fleet(&db).await;
    // Fifteen hosts of build 41 have faults, and this one of them is watched.
    let silent = "DELETE FROM exposure_daily
                  WHERE os_build = '41' AND agent_id <> '00000000-0000-4000-8000-000000000000'";
    db.sql().await.batch_execute(silent).await.unwrap();
    for (by, name, hosts, affected) in [("build", "41", 1, 1), ("kernel", "6.1", 61, 25)] {
        let found = ok(&db, &format!("/api/v1/statistics/rates?by={by}")).await;
        let rates = found["rates"].as_array().unwrap();
        let rate = rates.iter().find(|one| one["name"] == name).unwrap();
        assert_eq!(
            (&rate["hosts"], &rate["affected"]),
            (&json!(hosts), &json!(affected)),
            "{found:#}"
        );
    }
    let found = ok(&db, "/api/v1/statistics/rates?by=build").await;
    let rates = found["rates"].as_array().unwrap();
    let of_41 = rates.iter().find(|one| one["name"] == "41").unwrap();
    assert_eq!(
        (&of_41["fault_days"], &of_41["host_hours"]),
        (&json!(6), &json!(240.0))
    );
    let found = ok(&db, "/api/v1/statistics/compare?from=41&to=42").await;
    assert_eq!(
        (&found["from"]["hosts"], &found["from"]["affected"]),
        (&json!(1), &json!(1)),
        "{found:#}"
    );
}

#[tokio::test]
async fn hosts_that_tell_no_build_are_asked_for_by_no_name() {
    let Some(db) = Database::new("hosts_that_tell_no_build_are_asked_for_by_no_name").await else {
        return;
    };
    fleet(&db).await;
    let untold = "UPDATE exposure_daily SET os_build = '' WHERE os_build = '41';
                  UPDATE sightings SET os_build = '' WHERE os_build = '41'";
    db.sql().await.batch_execute(untold).await.unwrap();
    let found = ok(&db, "/api/v1/statistics/compare?from=&to=42").await;
    assert_eq!(
        (&found["from"]["hosts"], &found["verdict"]),
        (&json!(HOSTS), &json!("worse"))
    );
    let curve = ok(&db, "/api/v1/statistics/survival?of=").await;
    assert_eq!(curve["hosts"], HOSTS);
}

#[tokio::test]
async fn models_are_compared_on_hosts_of_the_same_build() {
    let Some(db) = Database::new("models_are_compared_on_hosts_of_the_same_build").await else {
        return;
    };
    fleet(&db).await;
    // The old issues are those of model A.
    for (from, to, verdict) in [("B", "A", "worse"), ("A", "B", "fine")] {
        let address = format!("/api/v1/statistics/compare?by=model&from={from}&to={to}");
        let found = ok(&db, &address).await;
        assert_eq!(found["verdict"], verdict, "{found:#}");
    }
}

#[tokio::test]
async fn a_slip_is_no_lack_of_data() {
    let Some(db) = Database::new("a_slip_is_no_lack_of_data").await else {
        return;
    };
    fleet(&db).await;
    for (address, told) in [
        (
            "compare?from=42&to=43",
            "there is no build \"43\": no host has it, or had it in the last 30 days; the newest are 42, 41",
        ),
        (
            "compare?by=kernel&from=6.2&to=6.1",
            "there is no kernel \"6.2\": no host has it, or had it in the last 30 days; there is 6.1",
        ),
        ("compare?from=41&to=41", "\"41\" cannot be compared with itself"),
        ("compare?from=41&to=", "there is no build \"\""),
        ("survival?of=43", "there is no build \"43\""),
    ] {
        let (status, answer) = get(&db, &format!("/api/v1/statistics/{address}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{address}: {answer}");
        assert!(
            answer["detail"].as_str().unwrap().starts_with(told),
            "{address}: {answer}"
        );
    }
    let released = "UPDATE hosts SET os_build = '43' WHERE hostname = 'host-0'";
    db.sql().await.batch_execute(released).await.unwrap();
    let found = ok(&db, "/api/v1/statistics/compare?from=42&to=43").await;
    assert_eq!(
        (&found["verdict"], &found["to"]["hosts"]),
        (&json!("unsure"), &json!(0))
    );
    let curve = ok(&db, "/api/v1/statistics/survival?of=43").await;
    assert_eq!(curve["hosts"], 0);
}

#[tokio::test]
async fn a_class_that_cannot_be_is_refused_and_both_forms_of_all_of_a_family_are_taken() {
    let test = "a_class_that_cannot_be_is_refused_and_both_forms_of_all_of_a_family_are_taken";
    let Some(db) = Database::new(test).await else {
        return;
    };
    fleet(&db).await;
    for asked in ["kernel", "kernel.opps", "kernl.*", "kernel*"] {
        for route in [
            "rates?",
            "escalations?",
            "outliers?",
            "compare?from=41&to=42&",
            "survival?of=41&",
        ] {
            let address = format!("/api/v1/statistics/{route}class={asked}");
            let (status, answer) = get(&db, &address).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{address}: {answer}");
            assert!(
                answer["detail"].as_str().unwrap().contains("kernel."),
                "{address}: {answer}"
            );
        }
    }
    let by_dot = ok(&db, "/api/v1/statistics/rates?class=kernel.").await;
    assert_eq!(by_dot["rates"][0]["faults"], 540, "{by_dot:#}");
    for form in ["kernel.*", "kernel/*", "kernel.oops"] {
        assert_eq!(
            ok(&db, &format!("/api/v1/statistics/rates?class={form}")).await,
            by_dot,
            "{form}"
        );
    }
    let counted = "UPDATE triage SET occurrences = 1, hosts = 1, first_seen = now(), last_seen = now()";
    db.sql().await.batch_execute(counted).await.unwrap();
    for form in ["kernel.", "kernel.*", "kernel/*"] {
        let issues = ok(&db, &format!("/api/v1/issues?class={form}")).await;
        assert_eq!(issues["issues"].as_array().unwrap().len(), 3, "{form}");
        ok(&db, &format!("/api/v1/faults?class={form}")).await;
    }
    for list in ["issues", "faults"] {
        let itself = ok(&db, &format!("/api/v1/{list}?class=kernel")).await;
        assert_eq!(itself[list], json!([]), "a class of its own");
    }
}

#[tokio::test]
async fn questions_without_sense_are_refused_with_a_reason() {
    let Some(db) = Database::new("questions_without_sense_are_refused_with_a_reason").await else {
        return;
    };
    let none = ok(&db, &format!("/api/v1/issues/{NEW}/unusual")).await;
    assert_eq!(none, json!({ "hosts": 0, "affected": 0, "facts": [] }));
    fleet(&db).await;
    for (address, told) in [
        ("statistics/compare?from=41", "to is missing"),
        (
            "statistics/compare?from=41&to=42&max_ratio=0",
            "a ratio of rates is a finite number above 0",
        ),
        (
            "statistics/compare?from=41&to=42&confidence=95",
            "a confidence is between 0 and 1",
        ),
        (
            "statistics/compare?from=41&to=42&of=1",
            "of is not asked for here; there are by, from, to, max_ratio",
        ),
        ("statistics/rates?by=colour", "`colour` is none of `build`"),
        ("statistics/rates?days=", "days"),
        ("statistics/rates?days=0", "days is a number from 1 to 366"),
        ("statistics/rates?min_severity=awful", "min_severity must be low"),
        (
            "statistics/escalations?false_part=2",
            "a probability is between 0 and 1",
        ),
        ("statistics/survival", "of is missing"),
    ] {
        let (status, answer) = get(&db, &format!("/api/v1/{address}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{address}: {answer}");
        let message = answer["detail"].as_str().unwrap();
        assert!(message.contains(told), "{address}: {message}");
    }
    let (status, _) = get(&db, "/api/v1/issues/x/unusual").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = get(&db, &format!("/api/v1/issues/{NEW}/unusual?class=kernel.*")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "an issue is of one class");
    for address in ["rates", "escalations", "outliers"] {
        ok(&db, &format!("/api/v1/statistics/{address}")).await;
    }
}

#[tokio::test]
async fn what_is_wrong_with_made_up_fleets_is_found_and_little_else() {
    let Some(db) = Database::new("what_is_wrong_with_made_up_fleets_is_found_and_little_else").await else {
        return;
    };
    let found = simulation::measure(&db.store, 1000, 20, 4)
        .await
        .unwrap()
        .unwrap();
    // Seeds are fixed, so that these are no chances. `backend simulate --measure 200` measures more of them.
    for (kind, share, power) in [
        ("regressions", found.regressions, 0.7),
        ("models", found.models, 0.7),
        ("hosts", found.hosts, 0.3),
        ("modules", found.modules, 0.5),
        ("rises", found.rises, 0.7),
    ] {
        assert!(share.power() >= power, "{kind}: {found:#?}");
        assert!(share.false_discovery_rate() <= 0.1, "{kind}: {found:#?}");
    }
    assert_eq!(found.false_alarms, 0, "{found:#?}");
    assert_eq!(db.count("SELECT count(*) FROM hosts").await, 0);

    let fleet = simulation::Plan {
        hosts: 10,
        days: 5,
        seed: 1,
        story: simulation::Story::Quiet,
    };
    assert!(db.store.write_fleet(&fleet.fleet().tables).await.unwrap());
    let among_others = simulation::measure(&db.store, 10, 5, 1).await.unwrap();
    assert_eq!(among_others, None, "a database with hosts is left alone");
    assert_eq!(db.count("SELECT count(*) FROM hosts").await, 10);

    // Hosts that are forgotten may have left records.
    let sql = db.sql().await;
    sql.batch_execute("TRUNCATE hosts").await.unwrap();
    let records = db.count("SELECT count(*) FROM records").await;
    assert!(records > 0);
    let beside_records = simulation::measure(&db.store, 10, 5, 1).await.unwrap();
    assert_eq!(beside_records, None, "a database with records is left alone");
    assert_eq!(db.count("SELECT count(*) FROM records").await, records);
}
