//! What is done in the background, once.

use backend::analysis;

use crate::{hardware::failing, statistics::fleet, support::Database};

/// Of each pair one is forgotten.
const OLD_ALERTS: &str = "
    INSERT INTO alerts (rule, object, severity, summary, path, ended_at) VALUES
        ('r', 'ended long ago', 1, '', '', now() - interval '31 days'),
        ('r', 'ended', 1, '', '', now() - interval '29 days'),
        ('r', 'open', 1, '', '', NULL);
    UPDATE alerts SET since = now() - interval '400 days';
    INSERT INTO alert_messages (target, message, created_at) VALUES
        ('t', '{}', now() - interval '31 days'), ('t', '{}', now() - interval '29 days');
    INSERT INTO alert_silences (rule, until, who) VALUES
        ('r', now() - interval '1 minute', 'ada'), ('r', now() + interval '1 hour', 'ada')";

#[tokio::test]
async fn old_alerts_are_forgotten_by_the_hour() {
    let Some(db) = Database::new("old_alerts_are_forgotten_by_the_hour").await else {
        return;
    };
    db.sql().await.batch_execute(OLD_ALERTS).await.unwrap();
    let kept = async || {
        let count = |table: &str| format!("SELECT count(*) FROM {table}");
        let (alerts, messages) = (count("alerts"), count("alert_messages"));
        let silences = count("alert_silences");
        (
            db.count(&alerts).await,
            db.count(&messages).await,
            db.count(&silences).await,
        )
    };
    analysis::keep_up_once(&db.store, 59).await;
    assert_eq!(kept().await, (3, 2, 2), "not each minute");
    analysis::keep_up_once(&db.store, 60).await;
    assert_eq!(kept().await, (2, 1, 1));
    let left = "SELECT count(*) FROM alerts WHERE object IN ('ended', 'open')";
    assert_eq!(db.count(left).await, 2);
}

#[tokio::test]
async fn sums_by_the_hour_are_given_up_and_their_days_stay() {
    let Some(db) = Database::new("sums_by_the_hour_are_given_up_and_their_days_stay").await else {
        return;
    };
    let told = "
        INSERT INTO exposure
        SELECT gen_random_uuid(), now() - make_interval(days => day), '42', CASE day WHEN 400 THEN '6.1' ELSE '6.12' END, 'A', 3600
        FROM unnest(ARRAY[0, 99, 101, 400]) AS day, generate_series(1, 6000);
        INSERT INTO rollups SELECT agent_id, hour, 'of ' || kernel_release, kernel_release, 3, 1 FROM exposure;
        INSERT INTO exposure_daily SELECT * FROM exposure;
        INSERT INTO rollups_daily SELECT * FROM rollups";
    db.sql().await.batch_execute(told).await.unwrap();
    db.store.upkeep().await.unwrap();
    for table in ["exposure", "rollups"] {
        let kept = db.count(&format!("SELECT count(*) FROM {table}")).await;
        let daily = db.count(&format!("SELECT count(*) FROM {table}_daily")).await;
        assert_eq!((kept, daily), (12_000, 24_000), "{table}");
    }
    // What can be asked for is what was ever there.
    let facets = db.store.facets().await.unwrap();
    assert_eq!(facets.classes, ["of 6.1", "of 6.12"]);
    assert_eq!(facets.kernel_releases, ["6.1", "6.12"]);
}

#[tokio::test]
async fn hours_of_years_are_given_up_over_many_turns() {
    let Some(db) = Database::new("hours_of_years_are_given_up_over_many_turns").await else {
        return;
    };
    let told = "
        INSERT INTO exposure SELECT '00000000-0000-0000-0000-000000000001', now() - interval '101 days' - make_interval(secs => n),
                                    '42', '6.12', 'A', 1
        FROM generate_series(1, 1000500) AS n";
    db.sql().await.batch_execute(told).await.unwrap();
    for left in [500, 0] {
        db.store.upkeep().await.unwrap();
        assert_eq!(db.count("SELECT count(*) FROM exposure").await, left);
        let older = "SELECT count(*) FROM exposure WHERE hour <= (SELECT max(hour) FROM exposure) - interval '500 seconds'";
        assert_eq!(db.count(older).await, 0, "the oldest go first");
    }
}

#[tokio::test]
async fn what_fails_in_the_background_keeps_nothing_else_from_being_done() {
    let test = "what_fails_in_the_background_keeps_nothing_else_from_being_done";
    let Some(db) = Database::new(test).await else {
        return;
    };
    failing(&db).await;
    fleet(&db).await;
    db.sql().await.batch_execute(OLD_ALERTS).await.unwrap();
    // Reading earlier records fails, and so does counting who runs what.
    let broken =
        "ALTER TABLE part_work RENAME counted_from TO elsewhere; ALTER TABLE population RENAME TO nowhere";
    db.sql().await.batch_execute(broken).await.unwrap();
    db.store.count_earlier_parts().await.unwrap_err();
    db.store.count_population().await.unwrap_err();
    analysis::keep_up_once(&db.store, 0).await;
    assert_eq!(db.count("SELECT count(*) FROM parts WHERE score > 0").await, 3);
    assert_eq!(db.count("SELECT count(*) FROM alerts").await, 2);

    let mended =
        "ALTER TABLE part_work RENAME elsewhere TO counted_from; ALTER TABLE nowhere RENAME TO population";
    db.sql().await.batch_execute(mended).await.unwrap();
    analysis::keep_up_once(&db.store, 0).await;
    assert_eq!(db.count("SELECT count(DISTINCT day) FROM population").await, 10);
    assert_eq!(
        db.count("SELECT count(*) FROM part_work WHERE isfinite(counted_from)")
            .await,
        0
    );
}
