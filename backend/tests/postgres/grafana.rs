//! The dashboards and alert rules of `deploy/grafana/`: each query is run as Grafana would run it, by the role that Grafana has.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use backend::{
    analysis,
    simulation::{Plan, Story},
};
use proto::v1::{HookState, LossReason, Record, Severity, record::Payload};
use serde_json::Value;
use testing::skip;
use tokio_postgres::Client;

use crate::hardware::failing;
use crate::population::runs;
use crate::statistics::ok;
use crate::support::{Database, record, sender};

/// The role that Grafana's user is given.
const ROLE: &str = "telemetrics_grafana";
/// The data source that all panels name.
const SOURCE: &str = "telemetrics";
/// Panels that have nothing to show where all is well.
const EMPTY_WHEN_WELL: [&str; 3] = ["Open books", "What alert rules find", "Events lost, by reason"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/grafana")
}

fn json(file: &Path) -> Value {
    let text = fs::read_to_string(file).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The dashboards, by the names of their files.
fn dashboards() -> Vec<(String, Value)> {
    let files = fs::read_dir(folder().join("dashboards")).unwrap();
    let mut all: Vec<_> = files
        .map(|file| {
            let path = file.unwrap().path();
            (
                path.file_stem().unwrap().to_string_lossy().into_owned(),
                json(&path),
            )
        })
        .collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(all.len(), 5);
    all
}

/// What Grafana's PostgreSQL data source makes of its macros (`pkg/tsdb/grafana-postgresql-datasource/macros.go` of 11.x), for
/// the last 40 days, and of variables that are set to `All`: their values, quoted, with commas between.
fn expanded(sql: &str, variables: &[(String, String)]) -> String {
    let mut sql = sql.to_owned();
    for (name, values) in variables {
        sql = sql.replace(&format!("${name}"), values);
    }
    let (from, to) = ("now() - interval '40 days'", "now()");
    while let Some(start) = sql.find("$__") {
        let macro_name: String = sql[start + 3..]
            .chars()
            .take_while(char::is_ascii_alphabetic)
            .collect();
        let end_of_name = start + 3 + macro_name.len();
        let (arguments, end) = match sql[end_of_name..].strip_prefix('(') {
            Some(rest) => {
                let close = rest.find(')').expect("a macro's end");
                let arguments: Vec<String> = rest[..close]
                    .split(',')
                    .map(|one| one.trim().to_owned())
                    .collect();
                (arguments, end_of_name + close + 2)
            }
            None => (Vec::new(), end_of_name),
        };
        let seconds = |interval: &str| match interval.trim_matches('\'') {
            "1h" | "$__interval" => 3600,
            "1d" => 86_400,
            other => panic!("an interval that this test does not know: {other}"),
        };
        let group = |arguments: &[String]| {
            let seconds = seconds(&arguments[1]);
            format!("floor(extract(epoch from {})/{seconds})*{seconds}", arguments[0])
        };
        let text = match macro_name.as_str() {
            "timeFilter" => format!("{} BETWEEN {from} AND {to}", arguments[0]),
            // Grafana puts in the time itself, as text.
            "timeFrom" => format!("({from})"),
            "timeTo" => to.to_owned(),
            "timeGroup" => group(&arguments),
            "timeGroupAlias" => format!("{} AS \"time\"", group(&arguments)),
            other => panic!("a macro that this test does not know: {other}"),
        };
        sql.replace_range(start..end, &text);
    }
    assert!(!sql.contains('$'), "something is not expanded: {sql}");
    sql
}

/// The variables of a dashboard with all their values.
async fn variables(client: &Client, dashboard: &Value) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if variable["type"] != "query" {
            continue;
        }
        let sql = expanded(variable["query"].as_str().unwrap(), &[]);
        let rows = client.query(&sql, &[]).await.expect(&sql);
        let values: Vec<String> = rows
            .iter()
            .map(|row| format!("'{}'", row.get::<_, String>(0).replace('\'', "''")))
            .collect();
        assert!(!values.is_empty(), "{sql}");
        all.push((variable["name"].as_str().unwrap().to_owned(), values.join(",")));
    }
    all
}

/// What is read of `records` from end to end although nothing else has to be: with sequential scans all but forbidden, they are
/// left only where no index helps, however little is stored here.
fn scans_of_records(plan: &Value, found: &mut Vec<String>) {
    if plan["Node Type"] == "Seq Scan"
        && plan["Relation Name"]
            .as_str()
            .is_some_and(|name| name.starts_with("records"))
    {
        found.push(plan["Relation Name"].to_string());
    }
    for below in plan["Plans"].as_array().into_iter().flatten() {
        scans_of_records(below, found);
    }
}

async fn assert_answers(client: &Client, what: &str, sql: &str) {
    let explained = client
        .query_one(&format!("EXPLAIN (FORMAT JSON) {sql}"), &[])
        .await
        .unwrap_or_else(|error| panic!("{what}: {error:?}\n{sql}"));
    let mut scans = Vec::new();
    scans_of_records(&explained.get::<_, Value>(0)[0]["Plan"], &mut scans);
    assert_eq!(scans, Vec::<String>::new(), "{what} reads all records: {sql}");
    let rows = client.query(sql, &[]).await.expect(sql);
    let title = what.rsplit(": ").next().unwrap_or(what);
    assert!(
        !rows.is_empty() || EMPTY_WHEN_WELL.contains(&title),
        "{what} has no rows: {sql}"
    );
}

/// A fleet of many days, and today something of every kind.
async fn told(db: &Database) {
    let plan = Plan {
        hosts: 200,
        days: 20,
        seed: 1,
        story: Story::Release,
    };
    assert!(db.store.write_fleet(&plan.fleet().tables).await.unwrap());
    failing(db).await;
    let mover = sender();
    for build in ["A", "B"] {
        runs(db, &mover, build).await;
    }
    let of = |class: &str, severity: Severity, payload: Payload| Record {
        class: class.to_owned(),
        severity: severity.into(),
        title: class.to_owned(),
        payload: Some(payload),
        ..record("")
    };
    let records = [
        of(
            "kernel.oops",
            Severity::High,
            Payload::KernelReport(proto::v1::KernelReport::default()),
        ),
        of(
            "boot.end",
            Severity::High,
            Payload::Obituary(proto::v1::Obituary::default()),
        ),
        of(
            "telemetry.loss",
            Severity::Low,
            Payload::Loss(proto::v1::Loss {
                reason: LossReason::RateLimit.into(),
                count: 3,
                ..proto::v1::Loss::default()
            }),
        ),
        of(
            "telemetry.heartbeat",
            Severity::Low,
            Payload::Heartbeat(proto::v1::Heartbeat {
                hooks: vec![HookState::default()],
                ..proto::v1::Heartbeat::default()
            }),
        ),
        record("custom"),
    ];
    db.tell(&records).await;
    db.counted().await;
    db.store.score_parts(analysis::score).await.unwrap();
    db.store.count_population().await.unwrap();
    // Something is there to be found by REST, and so by Grafana.
    assert!(ok(db, "/api/v1/updates").await["updates"][0].is_object());
}

/// A connection with the rights of Grafana's.
async fn as_grafana(db: &Database) -> Client {
    let client = db.sql().await;
    let set = format!("SET ROLE {ROLE}; SET enable_seqscan = off; SET enable_bitmapscan = on");
    client.batch_execute(&set).await.unwrap();
    client
}

#[tokio::test]
async fn every_panel_and_alert_rule_of_grafana_is_answered_without_reading_all_records() {
    let test = "every_panel_and_alert_rule_of_grafana_is_answered_without_reading_all_records";
    let Some(db) = Database::new(test).await else {
        return;
    };
    db.store.make_roles().await.unwrap();
    told(&db).await;
    let client = as_grafana(&db).await;
    let mut panels = 0;
    for (name, dashboard) in dashboards() {
        let variables = variables(&client, &dashboard).await;
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                let sql = expanded(target["rawSql"].as_str().unwrap(), &variables);
                let what = format!("{name}: {}", panel["title"].as_str().unwrap());
                assert_answers(&client, &what, &sql).await;
                panels += 1;
            }
        }
    }
    assert!(panels >= 30, "{panels}");
    let rules = json(&folder().join("provisioning/alerting/telemetrics.json"));
    for rule in rules["groups"][0]["rules"].as_array().unwrap() {
        let sql = expanded(rule["data"][0]["model"]["rawSql"].as_str().unwrap(), &[]);
        assert_answers(&client, rule["title"].as_str().unwrap(), &sql).await;
        let value = client.query_one(&sql, &[]).await.unwrap();
        value.get::<_, i64>(0);
    }
}

/// Whether it shows the column `severity` in words.
fn names_severities(panel: &Value) -> bool {
    let mut overrides = panel["fieldConfig"]["overrides"].as_array().unwrap().iter();
    overrides.any(|one| {
        one["matcher"]["options"] == "severity"
            && ["low", "medium", "high", "critical"]
                .iter()
                .zip(1..)
                .all(|(word, number)| {
                    one["properties"][0]["value"][0]["options"][number.to_string()]["text"] == *word
                })
    })
}

#[test]
fn dashboards_are_what_grafana_takes() {
    let mut uids = BTreeSet::new();
    for (name, dashboard) in dashboards() {
        assert!(
            uids.insert(dashboard["uid"].to_string()),
            "{name}: the uid of another"
        );
        assert!(dashboard["schemaVersion"].as_i64().unwrap() >= 39);
        let mut ids = BTreeSet::new();
        let mut places = BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            let title = &panel["title"];
            assert!(
                ids.insert(panel["id"].as_i64().unwrap()),
                "{name} {title}: its id"
            );
            assert!(
                ["stat", "table", "timeseries"].contains(&panel["type"].as_str().unwrap()),
                "{name} {title}: a kind of panel that Grafana does not bring along"
            );
            let sql = panel["targets"][0]["rawSql"].as_str().unwrap();
            let (columns, _) = sql.split_once(" FROM ").unwrap();
            assert!(
                panel["type"] != "table" || !columns.contains("severity") || names_severities(panel),
                "{name} {title}: severities are numbers"
            );
            for source in [&panel["datasource"], &panel["targets"][0]["datasource"]] {
                assert_eq!(source["uid"], SOURCE, "{name} {title}");
            }
            let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(place("x") + place("w") <= 24, "{name} {title}: beyond the grid");
            for x in place("x")..place("x") + place("w") {
                for y in place("y")..place("y") + place("h") {
                    assert!(places.insert((x, y)), "{name} {title}: upon another");
                }
            }
        }
    }
    let source = fs::read_to_string(folder().join("provisioning/datasources/telemetrics.yaml")).unwrap();
    assert!(source.contains(&format!("uid: {SOURCE}\n")));
}

/// Has npm put Grafana's types and the compiler that knows them where this test looks for them. None: it cannot, and why.
fn types() -> Result<PathBuf, String> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("grafana-types");
    fs::create_dir_all(&dir).unwrap();
    for name in ["package.json", "package-lock.json", "dashboard.d.ts"] {
        fs::copy(folder().join("types").join(name), dir.join(name)).unwrap();
    }
    let output = Command::new("npm")
        .args([
            "ci",
            "--ignore-scripts",
            "--prefer-offline",
            "--no-audit",
            "--no-fund",
        ])
        .current_dir(&dir)
        .output()
        .map_err(|error| format!("npm cannot be run ({error}): apt-get install npm"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("npm has not fetched Grafana's types: {said}"));
    }
    Ok(dir)
}

#[test]
fn dashboards_are_of_grafanas_own_types() {
    let dir = match types() {
        Ok(dir) => dir,
        Err(reason) => return skip("dashboards_are_of_grafanas_own_types", &reason),
    };
    let check = |name: &str, dashboard: &Value| {
        let file = dir.join(format!("{name}.ts"));
        let import = r#"import type { DashboardFile } from "./dashboard";"#;
        fs::write(
            &file,
            format!("{import}\nexport const it: DashboardFile = {dashboard:#};\n"),
        )
        .unwrap();
        let output = Command::new(dir.join("node_modules/.bin/tsc"))
            .args(["--noEmit", "--strict", "--skipLibCheck", "--module", "esnext"])
            .args(["--moduleResolution", "bundler"])
            .arg(&file)
            .output()
            .expect("the compiler runs");
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    for (name, mut dashboard) in dashboards() {
        let (good, said) = check(&name, &dashboard);
        assert!(good, "{name}: {said}");
        dashboard["panels"][0]["gridPos"]["x"] = "left".into();
        let (good, said) = check("wrong", &dashboard);
        assert!(!good && said.contains("number"), "{name}: {said}");
    }
}
