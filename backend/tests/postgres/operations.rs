//! What people run beside the collector: checks, backups, and a collector without rights on the schema.

use std::process::Output;

use backend::store::{Store, Verdict};
use serde_json::Value;
use tokio::process::Command;

use crate::support::{Collector, Database, Stream, batch, host, sender};

async fn backend(database: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_backend"))
        .args(arguments)
        .env("BACKEND_DATABASE_URL", database)
        .output()
        .await
        .expect("it runs")
}

#[tokio::test]
async fn what_is_backed_up_is_what_is_restored() {
    let Some(db) = Database::new("what_is_backed_up_is_what_is_restored").await else {
        return;
    };
    let sender = sender();
    db.store.hello(&sender, &host(), "1").await.unwrap();
    db.store.deliver(&sender, batch(1, 250)).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("telemetrics.dump");
    let name = file.to_str().unwrap();
    let done = backend(&db.url, &["backup", name, "--json"]).await;
    assert!(done.status.success(), "{done:?}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "the key of the authority is in it");
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        1,
        "nothing half-made is left"
    );

    let refused = backend(&db.url, &["restore", name]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("into an empty one"),
        "{refused:?}"
    );

    let empty = Database::empty("what_is_backed_up_is_what_is_restored")
        .await
        .expect("as above");
    let done = backend(&empty.url, &["restore", name, "--json"]).await;
    assert!(done.status.success(), "{done:?}");
    let said: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(
        (said["records"].as_i64(), said["hosts"].as_i64()),
        (Some(250), Some(1))
    );
    for table in [
        "records",
        "senders",
        "hosts",
        "rollups",
        "rollups_daily",
        "refinery_schema_history",
    ] {
        let count = format!("SELECT count(*) FROM {table}");
        assert_eq!(empty.count(&count).await, db.count(&count).await, "{table}");
    }
    // Delivery goes on where the backup ends.
    assert_eq!(empty.store.hello(&sender, &host(), "1").await.unwrap(), 250);
    empty.store.deliver(&sender, batch(251, 5)).await.unwrap();
    empty.assert_balanced().await;
}

#[tokio::test]
async fn a_user_of_few_rights_collects_where_the_schema_is_looked_after_by_others() {
    let test = "a_user_of_few_rights_collects_where_the_schema_is_looked_after_by_others";
    let Some(db) = Database::new(test).await else {
        return;
    };
    db.store.make_roles().await.unwrap();
    let user = format!("collector_of_{}", db.url.rsplit('=').next().unwrap());
    let make = format!("CREATE ROLE {user} LOGIN; GRANT telemetrics_ingest, telemetrics_pages TO {user}");
    db.sql().await.batch_execute(&make).await.unwrap();
    let url = db.url.replace("user=postgres", &format!("user={user}"));
    let refused = Store::new(&url).unwrap().migrate().await;
    assert!(refused.is_err(), "it may not change the schema");

    let collector = Collector::by(&url).await;
    let sender = sender();
    let mut stream = Stream::open(collector.channel().await).await;
    assert_eq!(stream.hello(&sender).await.unwrap(), 0);
    assert_eq!(stream.batch(batch(1, 20)).await.unwrap(), 20);
    let listed = collector
        .query()
        .await
        .list_faults(proto::v1::ListFaultsRequest::default())
        .await;
    assert_eq!(listed.unwrap().into_inner().faults.len(), 20);
    db.assert_balanced().await;
    collector.stop().await;
}

#[tokio::test]
async fn a_check_finds_what_is_wrong_and_says_what_to_do() {
    let Some(db) = Database::empty("a_check_finds_what_is_wrong_and_says_what_to_do").await else {
        return;
    };
    let verdict = async |what: &str| {
        let findings = db.store.check(jiff::Timestamp::now()).await.unwrap();
        let finding = findings.iter().find(|finding| finding.what == what);
        finding.map(|finding| (finding.verdict, finding.detail.clone()))
    };
    let (schema, detail) = verdict("schema").await.unwrap();
    assert_eq!(schema, Verdict::Bad);
    assert!(detail.contains("backend migrate"), "{detail}");
    let done = backend(&db.url, &["check", "--json"]).await;
    assert_eq!(done.status.code(), Some(1));

    db.store.migrate().await.unwrap();
    db.store.make_roles().await.unwrap();
    for what in ["server", "schema", "roles", "partitions", "books", "clock"] {
        assert_eq!(
            verdict(what).await.map(|found| found.0),
            Some(Verdict::Good),
            "{what}"
        );
    }
    // Roles are of the whole server, and have no rights in another of its databases.
    let other = Database::new("a_check_finds_what_is_wrong_and_says_what_to_do")
        .await
        .expect("as above");
    let found = other.store.check(jiff::Timestamp::now()).await.unwrap();
    let roles = found.iter().find(|found| found.what == "roles").unwrap();
    assert_eq!(roles.verdict, Verdict::Warning, "{roles:?}");
    assert_eq!(
        roles.detail,
        "telemetrics_grafana, telemetrics_ingest, telemetrics_pages, telemetrics_query: without rights in this database; \
         `backend migrate --roles` mends that, where users shall have few rights"
    );

    let sender = sender();
    db.store.hello(&sender, &host(), "1").await.unwrap();
    db.store.deliver(&sender, batch(1, 3)).await.unwrap();
    let sql = db.sql().await;
    sql.batch_execute("UPDATE senders SET records = 2").await.unwrap();
    assert_eq!(verdict("books").await.map(|found| found.0), Some(Verdict::Bad));
    sql.batch_execute("UPDATE senders SET records = 3").await.unwrap();
    let today = "SELECT 'DROP TABLE records_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')";
    let drop: String = sql.query_one(today, &[]).await.unwrap().get(0);
    sql.batch_execute(&drop).await.unwrap();
    assert_eq!(
        verdict("partitions").await.map(|found| found.0),
        Some(Verdict::Warning)
    );
}
