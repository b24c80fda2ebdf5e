//! Records count once, whoever counts them and whatever became of those who should have.

use std::sync::Arc;

use backend::store::{DeliverError, Message, Sender, Stored};
use proto::v1::{Batch, FingerprintLevel, Gap, LossReason, Record, Severity};

use crate::support::{Database, encoded, fingerprint, host, record, sender};

/// Fingerprints of the title, the top frames and the whole stack.
const OOPS: [(FingerprintLevel, &str); 3] = [
    (FingerprintLevel::Title, "0000000000000000000000000000000a"),
    (FingerprintLevel::TopFrames, "000000000000000000000000000000a1"),
    (FingerprintLevel::Stack, "000000000000000000000000000000a2"),
];

/// All that is counted, without moments.
const COUNTS: &str = "
    SELECT jsonb_build_object(
        'fingerprints', (SELECT jsonb_agg(jsonb_build_array(fingerprint, level, version, issue, class, title, severity,
                                                            occurrences) ORDER BY fingerprint) FROM fingerprints),
        'rollups', (SELECT jsonb_agg(jsonb_build_array(class, kernel_release, severity, records)
                                     ORDER BY class, kernel_release, severity) FROM rollups),
        'daily', (SELECT jsonb_agg(jsonb_build_array(class, kernel_release, severity, records)
                                   ORDER BY class, kernel_release, severity) FROM rollups_daily),
        'sightings', (SELECT jsonb_agg(jsonb_build_array(issue, kernel_release, records)
                                       ORDER BY issue, kernel_release) FROM sightings),
        'issues', (SELECT jsonb_agg(jsonb_build_array(issue, class, title, severity, occurrences, hosts)
                                    ORDER BY issue) FROM triage))::text";

/// Three faults of two kernels, and a record that is none.
fn batch(first_seq: u64) -> Batch {
    let oops = |kernel_release: &str| {
        let fingerprints = OOPS.map(|(level, value)| fingerprint(level, value));
        encoded(&Record {
            class: "kernel.oops".to_owned(),
            severity: Severity::High.into(),
            title: "an oops".to_owned(),
            kernel_release: kernel_release.to_owned(),
            fingerprints: fingerprints.to_vec(),
            ..record("")
        })
    };
    Batch {
        first_seq,
        records: vec![oops("6.1.1"), oops(""), encoded(&record("")), oops("6.1.1")],
    }
}

async fn store(db: &Database, sender: &Arc<Sender>, first_seq: u64) -> Stored {
    let message = Message::batch(sender, &batch(first_seq)).expect("it keeps all limits");
    let stored = db
        .store
        .deliver_all(&[message])
        .await
        .expect("the database answers");
    assert!(stored.outcomes.iter().all(Result::is_ok), "{:?}", stored.outcomes);
    stored
}

async fn known(db: &Database) -> Arc<Sender> {
    let sender = sender();
    db.store
        .hello(&sender, &host(), "0.1.0")
        .await
        .expect("the database answers");
    Arc::new(sender)
}

async fn counts(db: &Database) -> String {
    let row = db.sql().await.query_one(COUNTS, &[]).await;
    row.expect("a row").get(0)
}

/// What is counted for batches of one sender that nothing happened to.
async fn expected(test: &str, batches: u64) -> Option<String> {
    let db = Database::new(test).await?;
    let sender = known(&db).await;
    for number in 0..batches {
        let batch = batch(number * 4 + 1);
        db.store
            .deliver(&sender, batch)
            .await
            .expect("the database answers");
    }
    Some(counts(&db).await)
}

#[tokio::test]
async fn records_whose_tallies_are_lost_count_all_the_same() {
    let test = "records_whose_tallies_are_lost_count_all_the_same";
    let Some(expected) = expected(test, 4).await else {
        return;
    };
    let Some(db) = Database::new(test).await else {
        return;
    };
    let sender = known(&db).await;
    let tallies = store(&db, &sender, 1).await.tallies;
    db.store.count(&tallies).await.unwrap();
    store(&db, &sender, 5).await;
    let tallies = store(&db, &sender, 9).await.tallies;
    db.store.count(&tallies).await.unwrap();
    store(&db, &sender, 13).await;
    db.store.count_everything().await.unwrap();
    assert_eq!(counts(&db).await, expected);
    db.store.count_everything().await.unwrap();
    db.store.count(&tallies).await.unwrap();
    assert_eq!(
        counts(&db).await,
        expected,
        "what is counted is not counted again"
    );
}

#[tokio::test]
async fn a_gap_does_not_keep_what_follows_from_being_counted() {
    let test = "a_gap_does_not_keep_what_follows_from_being_counted";
    let Some(expected) = expected(test, 2).await else {
        return;
    };
    let Some(db) = Database::new(test).await else {
        return;
    };
    let sender = known(&db).await;
    store(&db, &sender, 1).await;
    let gap = Gap {
        first_seq: 5,
        count: 1000,
        reason: LossReason::SpoolFull.into(),
        ..Gap::default()
    };
    db.store.deliver_gap(&sender, &gap).await.unwrap();
    let tallies = store(&db, &sender, 1005).await.tallies;
    db.store.count(&tallies).await.unwrap();
    assert_eq!(counts(&db).await, expected);
    let behind =
        "SELECT count(*) FROM senders s JOIN counted c USING (agent_id, epoch) WHERE c.seq < s.stored_seq";
    assert_eq!(db.count(behind).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn collectors_that_count_the_same_sender_at_the_same_time_count_it_once() {
    let test = "collectors_that_count_the_same_sender_at_the_same_time_count_it_once";
    let Some(expected) = expected(test, 6).await else {
        return;
    };
    let Some(db) = Database::new(test).await else {
        return;
    };
    let sender = known(&db).await;
    let mut tallies = Vec::new();
    for number in 0..6 {
        tallies.push(store(&db, &sender, number * 4 + 1).await.tallies);
    }
    let one = async {
        for tally in &tallies {
            db.store.count(tally).await.unwrap();
        }
    };
    let other = async { db.store.count_everything().await.unwrap() };
    let third = async {
        for tally in tallies.iter().rev() {
            db.store.count(tally).await.unwrap();
        }
    };
    futures::join!(one, other, third);
    assert_eq!(counts(&db).await, expected);
}

#[tokio::test]
async fn records_that_were_just_stored_are_left_to_their_collector() {
    let Some(db) = Database::new("records_that_were_just_stored_are_left_to_their_collector").await else {
        return;
    };
    let sender = known(&db).await;
    store(&db, &sender, 1).await;
    db.store.count_abandoned().await.unwrap();
    assert_eq!(db.count("SELECT count(*) FROM rollups").await, 0);
    let aged = "UPDATE senders SET stored_at = stored_at - interval '1 minute'";
    db.sql().await.execute(aged, &[]).await.unwrap();
    db.store.count_abandoned().await.unwrap();
    assert_eq!(db.count("SELECT sum(records)::bigint FROM rollups").await, 4);
    let refused = Message::batch(&Arc::new(crate::support::sender()), &batch(1)).unwrap();
    let stored = db.store.deliver_all(&[refused]).await.unwrap();
    assert!(matches!(stored.outcomes[..], [Err(DeliverError::UnknownSender)]));
    assert!(stored.tallies.is_empty(), "nothing was stored");
}
