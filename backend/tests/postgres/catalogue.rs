//! What the schema promises, read from PostgreSQL's catalogue: distribution keys, comments, roles, views.

use std::{fmt::Write as _, fs, path::Path};

use tokio_postgres::error::SqlState;

use crate::support::{Database, batch, host, sender};

/// Tables that are the same on every server of a distributed database: small, and changed by people, or seldom.
const REFERENCE_TABLES: [&str; 20] = [
    "alert_messages",
    "alert_silences",
    "alert_turn",
    "alerts",
    "api_tokens",
    "audit_log",
    "authority",
    "authority_key",
    "enrolment_tokens",
    "part_work",
    "people",
    "population",
    "refinery_schema_history",
    "regrouped",
    "retention",
    "saved_searches",
    "sessions",
    "symbol_files",
    "triage",
    "triage_history",
];
/// Where the generated part of the document is.
const MARKS: [&str; 2] = [
    "<!-- made from the schema's comments: begin -->\n",
    "<!-- end -->",
];

#[tokio::test]
async fn every_key_has_the_distribution_key_in_it() {
    let Some(db) = Database::new("every_key_has_the_distribution_key_in_it").await else {
        return;
    };
    let keys = "SELECT t.relname::text, i.indexrelid::regclass::text,
                       'agent_id' IN (SELECT a.attname FROM pg_attribute a
                                      WHERE a.attrelid = t.oid AND a.attnum = ANY (i.indkey::smallint[]))
                FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
                WHERE t.relnamespace = 'public'::regnamespace AND i.indisunique";
    let rows = db.sql().await.query(keys, &[]).await.unwrap();
    assert!(rows.len() > 10, "{} keys", rows.len());
    for row in rows {
        let (table, key, carries): (&str, &str, bool) = (row.get(0), row.get(1), row.get(2));
        assert!(
            carries || REFERENCE_TABLES.contains(&table),
            "{key} of {table} lacks agent_id"
        );
    }
    let keyless = "SELECT count(*) FROM pg_class t
                   WHERE t.relnamespace = 'public'::regnamespace AND t.relkind IN ('r', 'p')
                     AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t.oid AND i.indisprimary)";
    assert_eq!(db.count(keyless).await, 0, "every table has a primary key");
    let foreign = "SELECT count(*) FROM pg_constraint c
                   WHERE c.connamespace = 'public'::regnamespace AND c.contype = 'f'
                     AND c.conrelid <> ALL ('{authority_key,sessions}'::regclass[])
                     AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.conrelid
                                     AND a.attnum = ANY (c.conkey) AND a.attname = 'agent_id')";
    assert_eq!(
        db.count(foreign).await,
        0,
        "no foreign key goes from host to host"
    );
}

#[tokio::test]
async fn the_data_model_is_documented_as_it_is() {
    let Some(db) = Database::new("the_data_model_is_documented_as_it_is").await else {
        return;
    };
    let made = document(&db).await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/data-model.md");
    let document = fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(MARKS[0]).expect("the first mark");
    let (present, after) = rest.split_once(MARKS[1]).expect("the second mark");
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(&path, [before, MARKS[0], &made, MARKS[1], after].concat()).unwrap();
    } else {
        assert!(
            present == made,
            "run UPDATE_GENERATED=1 cargo test -p backend data_model"
        );
    }
}

/// All tables and views with the comments of the schema.
async fn document(db: &Database) -> String {
    let sql = db.sql().await;
    let relations = sql
        .query(
            "SELECT c.oid, c.relname::text, c.relkind = 'v', obj_description(c.oid, 'pg_class'),
                    (SELECT pg_get_constraintdef(p.oid) FROM pg_constraint p WHERE p.conrelid = c.oid AND p.contype = 'p')
             FROM pg_class c
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
               AND c.relname <> 'refinery_schema_history'
             ORDER BY 3, 2",
            &[],
        )
        .await
        .unwrap();
    let mut text = String::new();
    for relation in relations {
        let (name, is_view): (&str, bool) = (relation.get(1), relation.get(2));
        let comment: Option<&str> = relation.get(3);
        let comment = comment.unwrap_or_else(|| panic!("{name} has no comment"));
        let columns = sql
            .query(
                "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), col_description(a.attrelid, a.attnum)
                 FROM pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
                &[&relation.get::<_, u32>(0)],
            )
            .await
            .unwrap();
        if is_view {
            let names: Vec<String> = columns
                .iter()
                .map(|row| format!("`{}`", row.get::<_, &str>(0)))
                .collect();
            write!(text, "\n### {name} (view)\n\n{comment} {}.\n", names.join(", ")).unwrap();
            continue;
        }
        let key: &str = relation.get(4);
        write!(
            text,
            "\n### {name}\n\n{comment} {key}.\n\n| column | type | meaning |\n| --- | --- | --- |\n"
        )
        .unwrap();
        for column in &columns {
            let (column, of, meaning): (&str, &str, Option<&str>) =
                (column.get(0), column.get(1), column.get(2));
            let meaning = meaning.unwrap_or_else(|| panic!("{name}.{column} has no comment"));
            writeln!(text, "| `{column}` | {of} | {meaning} |").unwrap();
        }
    }
    text + "\n"
}

#[tokio::test]
async fn roles_may_do_their_work_and_nothing_else() {
    let Some(db) = Database::new("roles_may_do_their_work_and_nothing_else").await else {
        return;
    };
    db.store.make_roles().await.unwrap();
    db.store.make_roles().await.expect("again");
    let sender = sender();
    let url = format!("{} options='-c role=telemetrics_ingest'", db.url);
    let ingest = backend::store::Store::new(&url).unwrap();
    ingest.hello(&sender, &host(), "1").await.unwrap();
    ingest.deliver(&sender, batch(1, 3)).await.unwrap();
    db.assert_balanced().await;

    let sql = db.sql().await;
    let cases = [
        ("telemetrics_ingest", "DROP TABLE records_default", false),
        ("telemetrics_ingest", "DELETE FROM hosts", false),
        ("telemetrics_ingest", "SELECT FROM quarantine", false),
        ("telemetrics_query", "SELECT record FROM records LIMIT 1", true),
        ("telemetrics_query", "SELECT FROM issues LIMIT 1", true),
        ("telemetrics_query", "DELETE FROM records", false),
        ("telemetrics_pages", "SELECT FROM sessions", true),
        ("telemetrics_pages", "SELECT FROM authority_key", false),
        ("telemetrics_pages", "DELETE FROM records", false),
        ("telemetrics_grafana", "SELECT title FROM v_records LIMIT 1", true),
        ("telemetrics_grafana", "SELECT FROM v_kernel_rates LIMIT 1", true),
        ("telemetrics_grafana", "SELECT record FROM records LIMIT 1", false),
        ("telemetrics_grafana", "SELECT FROM hosts LIMIT 1", false),
    ];
    for (role, statement, allowed) in cases {
        sql.batch_execute(&format!("SET ROLE {role}")).await.unwrap();
        let done = sql.batch_execute(statement).await;
        sql.batch_execute("RESET ROLE").await.unwrap();
        let code = done.as_ref().err().and_then(tokio_postgres::Error::code);
        let denied = code == Some(&SqlState::INSUFFICIENT_PRIVILEGE);
        assert_eq!(
            (done.is_ok(), denied),
            (allowed, !allowed),
            "{role}: {statement}: {done:?}"
        );
    }
}

/// Who can ask for everything must not let themselves in by it.
#[tokio::test]
async fn the_role_for_asking_writes_nothing_and_reads_no_secret() {
    let Some(db) = Database::new("the_role_for_asking_writes_nothing_and_reads_no_secret").await else {
        return;
    };
    db.store.make_roles().await.unwrap();
    let sql = db.sql().await;
    let rows = sql
        .query(
            "SELECT c.relname::text, has_table_privilege('telemetrics_query', c.oid, 'SELECT'),
                    has_any_column_privilege('telemetrics_query', c.oid, 'INSERT, UPDATE, REFERENCES')
                    OR has_table_privilege('telemetrics_query', c.oid, 'DELETE, TRUNCATE, TRIGGER'),
                    EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid
                            AND a.attname IN ('password', 'token_sha256', 'key'))
             FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')",
            &[],
        )
        .await
        .unwrap();
    let mut secrets = 0;
    for row in rows {
        let (name, reads, writes, secret): (&str, bool, bool, bool) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        assert!(!writes, "{name} is written");
        assert!(!(secret && reads), "{name} is read");
        secrets += i32::from(secret);
    }
    assert_eq!(
        secrets, 6,
        "people, sessions, tokens of both kinds, who enrolled by which, the key"
    );
}
