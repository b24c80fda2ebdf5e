//! A database of an earlier version comes up to date with what is in it.

use backend::access::Anonymous;
use backend::store::Sender;
use proto::v1::{Batch, Heartbeat, Record, record::Payload};
use refinery::Target;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use crate::support::{Database, batch, encoded, get, host, of_issue, record, sender};

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// What 0.1.0 was before the collector counted what it stored.
const EARLIER: i32 = 3;
/// What it was when heartbeats were issues, and exposure was by the hour only.
const HEARTBEATS: i32 = 25;

/// What it was when only the merged issue said so.
const MERGED: i32 = 29;

/// A connection to the database at an earlier version.
async fn at(db: &Database, version: i32) -> Client {
    let mut sql = db.sql().await;
    embedded::migrations::runner()
        .set_target(Target::Version(version))
        .run_async(&mut sql)
        .await
        .unwrap();
    sql
}

#[tokio::test]
async fn the_history_of_an_issue_says_what_was_merged_into_it_earlier() {
    let Some(db) = Database::empty("the_history_of_an_issue_says_what_was_merged_into_it_earlier").await
    else {
        return;
    };
    let (one, other, third) = (
        format!("{:032x}", 1),
        format!("{:032x}", 2),
        format!("{:032x}", 3),
    );
    let merged = format!(
        "INSERT INTO triage (issue, merged_into) VALUES ('{one}', '{other}'), ('{other}', NULL), ('{third}', NULL);
         INSERT INTO triage_history (issue, at, who, change) VALUES
             ('{one}', now() - interval '2 days', 'ann', '{{\"merged_into\": \"{third}\"}}'),
             ('{one}', now() - interval '1 day', 'ann', '{{\"merged_into\": \"{other}\", \"note\": \"same\"}}'),
             ('{third}', now(), 'ann', '{{\"merged_into\": \"\"}}')"
    );
    at(&db, MERGED).await.batch_execute(&merged).await.unwrap();
    db.store.migrate().await.unwrap();
    let noted = format!(
        "SELECT count(*) FROM triage_history WHERE change ? 'merged' AND issue = '{other}' AND who = 'ann'
           AND at < now() - interval '20 hours' AND change = '{{\"merged\": \"{one}\", \"note\": \"same\"}}'"
    );
    assert_eq!(db.count(&noted).await, 1);
    assert_eq!(db.count("SELECT count(*) FROM triage_history").await, 4);
}

#[tokio::test]
async fn an_earlier_database_is_counted_and_goes_on() {
    let Some(db) = Database::empty("an_earlier_database_is_counted_and_goes_on").await else {
        return;
    };
    let sql = at(&db, EARLIER).await;
    let sender = sender();
    let (agent, epoch) = (sender.agent_id, sender.epoch);
    sql.batch_execute(&format!(
        "INSERT INTO hosts (agent_id, hostname, os_id, os_build, kernel_release, kernel_version, arch, cpu_model, cpus,
                            memory_bytes, product, board, bios, boot_id, agent_version)
         VALUES ('{agent}', 'old', '', '', '6.1', '', '', '', 1, 1, '', '', '', '', '1');
         INSERT INTO senders (agent_id, epoch, stored_seq) VALUES ('{agent}', '{epoch}', 5);
         INSERT INTO losses (agent_id, epoch, seq, gap, reason, events, received_at)
         VALUES ('{agent}', '{epoch}', 4, true, 'SPOOL_FULL', 2, now());
         INSERT INTO records (id, received_at, agent_id, epoch, seq, class, severity, housekeeping, title,
                              kernel_release, issue, fingerprints, record)
         SELECT gen_random_uuid(), now(), '{agent}', '{epoch}', seq, 'kernel.oops', 3, false, 'an oops', '6.1',
                '{agent}', ARRAY['{agent}'::uuid], '' FROM generate_series(1, 3) AS seq;
         INSERT INTO fingerprints VALUES ('{agent}', '{agent}', 1, 1, '{agent}', 'kernel.oops', 'an oops', 3, now(), now(), 3);
         INSERT INTO rollups VALUES ('{agent}', date_trunc('hour', now()), 'kernel.oops', '6.1', 3, 3)"
    ))
    .await
    .unwrap();

    db.store.migrate().await.unwrap();
    assert_eq!(db.count("SELECT stored FROM books").await, 3);
    assert_eq!(
        db.count("SELECT sum(records)::bigint FROM rollups_daily").await,
        3
    );
    assert_eq!(db.count("SELECT occurrences FROM issues").await, 3);
    db.assert_balanced().await;
    db.store.deliver(&sender, batch(6, 4)).await.unwrap();
    assert_eq!(db.count("SELECT stored FROM books").await, 7);
    db.assert_balanced().await;
}

const BEAT: &str = "00000000-0000-0000-0000-0000000000be";
const OOPS: &str = "00000000-0000-0000-0000-000000000005";
/// The id of a record has the time at which it came.
const RECORD: (&str, &str) = ("0193a5c0-0000-7000-8000-000000000001", "2024-12-08 10:10:43.84Z");

fn heartbeat() -> Record {
    Record {
        class: "telemetry.heartbeat".to_owned(),
        title: "Heartbeat".to_owned(),
        payload: Some(Payload::Heartbeat(Heartbeat::default())),
        fingerprints: of_issue(&BEAT.replace('-', "")),
        ..record("")
    }
}

/// A heartbeat that is an issue, stored twice and counted once, and a fault that people merged into it.
async fn heartbeat_issue(sql: &Client, sender: &Sender) {
    let (agent, epoch) = (sender.agent_id, sender.epoch);
    let (id, came) = RECORD;
    sql.batch_execute(&format!(
        "INSERT INTO hosts (agent_id, hostname, os_id, os_build, kernel_release, kernel_version, arch, cpu_model, cpus,
                            memory_bytes, product, board, bios, boot_id, agent_version)
         VALUES ('{agent}', 'old', '', '', '6.1', '', '', '', 1, 1, '', '', '', '', '1');
         INSERT INTO senders (agent_id, epoch, stored_seq, stored_at, records) VALUES ('{agent}', '{epoch}', 2, now(), 2);
         INSERT INTO counted VALUES ('{agent}', '{epoch}', 1, '{came}');
         INSERT INTO triage (issue, class, title, severity, first_seen, last_seen, occurrences, hosts, merged_into) VALUES
         ('{BEAT}', 'telemetry.heartbeat', 'Heartbeat', 1, now(), now(), 1, 1, NULL),
         ('{OOPS}', 'kernel.oops', 'an oops', 3, now(), now(), 4, 1, '{BEAT}');
         INSERT INTO fingerprints VALUES
         ('{agent}', '{BEAT}', 1, 1, '{BEAT}', 'telemetry.heartbeat', 'Heartbeat', 1, now(), now(), 1),
         ('{agent}', '{OOPS}', 1, 1, '{OOPS}', 'kernel.oops', 'an oops', 3, now(), now(), 4);
         INSERT INTO sightings VALUES
         ('{agent}', date_trunc('day', now(), 'UTC'), '{BEAT}', '', '6.1', '', now(), 1),
         ('{agent}', date_trunc('day', now(), 'UTC'), '{OOPS}', '', '6.1', '', now(), 4)"
    ))
    .await
    .unwrap();
    sql.execute(
        &format!(
            "INSERT INTO records (id, received_at, agent_id, epoch, seq, class, severity, housekeeping, title, kernel_release,
                                  issue, fingerprints, record)
             SELECT r.id, r.at, '{agent}', '{epoch}', r.seq, 'telemetry.heartbeat', 1, true, 'Heartbeat', '6.1',
                    '{BEAT}', ARRAY['{BEAT}'::uuid], $1
             FROM (VALUES ('{id}'::uuid, 1, '{came}'::timestamptz), (gen_random_uuid(), 2, now())) AS r(id, seq, at)"
        ),
        &[&&*encoded(&heartbeat())],
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn heartbeats_of_an_earlier_database_are_no_issue_any_more() {
    let Some(db) = Database::empty("heartbeats_of_an_earlier_database_are_no_issue_any_more").await else {
        return;
    };
    let sql = at(&db, HEARTBEATS).await;
    let sender = sender();
    heartbeat_issue(&sql, &sender).await;
    assert_eq!(db.count("SELECT occurrences FROM v_issues").await, 5, "merged");

    db.store.migrate().await.unwrap();
    // One was stored and not counted, another comes.
    db.store.hello(&sender, &host(), "1").await.unwrap();
    let beat = Batch {
        first_seq: 3,
        records: vec![encoded(&heartbeat())],
    };
    db.store.deliver(&sender, beat).await.unwrap();
    db.store.count_everything().await.unwrap();
    assert_eq!(
        db.count("SELECT sum(records)::bigint FROM rollups WHERE class = 'telemetry.heartbeat'")
            .await,
        2,
        "both are counted"
    );
    for table in ["triage", "fingerprints", "sightings"] {
        let left = format!("SELECT count(*) FROM {table} WHERE issue = '{OOPS}'");
        assert_eq!(db.count(&left).await, 1, "{table}");
        assert_eq!(
            db.count(&format!("SELECT count(*) FROM {table}")).await,
            1,
            "{table}"
        );
    }
    let itself = format!("SELECT occurrences FROM v_issues WHERE issue = '{OOPS}'");
    assert_eq!(db.count(&itself).await, 4);

    let router = db.router(Anonymous::Viewer, &CancellationToken::new());
    let page = get(&router, &format!("/faults/{}", RECORD.0)).await;
    assert!(page.contains("Heartbeat"), "{page}");
    assert!(
        !page.contains("/issues/"),
        "it leads to an issue that is gone: {page}"
    );
}

#[tokio::test]
async fn exposure_of_an_earlier_database_is_added_up_by_day() {
    let Some(db) = Database::empty("exposure_of_an_earlier_database_is_added_up_by_day").await else {
        return;
    };
    let sql = at(&db, HEARTBEATS).await;
    let agent = sender().agent_id;
    sql.batch_execute(&format!(
        "INSERT INTO exposure VALUES
         ('{agent}', '2026-03-01 00:00Z', 'A', '6.1', 'x', 100),
         ('{agent}', '2026-03-01 23:00Z', 'A', '6.1', 'x', 20),
         ('{agent}', '2026-03-01 23:00Z', 'B', '6.1', 'x', 3),
         ('{agent}', '2026-03-02 00:00Z', 'A', '6.1', 'x', 4)"
    ))
    .await
    .unwrap();
    db.store.migrate().await.unwrap();
    let days = sql
        .query(
            "SELECT to_char(day AT TIME ZONE 'UTC', 'DD HH24:MI') || ' ' || os_build, seconds FROM exposure_daily ORDER BY 1",
            &[],
        )
        .await
        .unwrap();
    let days: Vec<(String, f64)> = days.iter().map(|row| (row.get(0), row.get(1))).collect();
    let day = |name: &str, seconds| (name.to_owned(), seconds);
    assert_eq!(
        days,
        [
            day("01 00:00 A", 120.0),
            day("01 00:00 B", 3.0),
            day("02 00:00 A", 4.0)
        ]
    );
}
