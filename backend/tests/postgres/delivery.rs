//! A record that was acknowledged is stored exactly once, or counted as lost.

use backend::store::{DeliverError, Delivered};
use bytes::Bytes;
use prost::Message as _;
use proto::v1::{Batch, FingerprintLevel, Gap, Loss, LossReason, Record, Severity, record::Payload};

use crate::support::{Collector, Database, Stream, batch, encoded, fingerprint, host, record, sender};

#[tokio::test]
async fn resent_and_overlapping_batches_are_stored_once() {
    let Some(db) = Database::new("resent_and_overlapping_batches_are_stored_once").await else {
        return;
    };
    let sender = sender();
    assert_eq!(db.store.hello(&sender, &host(), "1").await.unwrap(), 0);
    let deliver = async |first, count| db.store.deliver(&sender, batch(first, count)).await.unwrap();
    assert_eq!(
        deliver(1, 10).await,
        Delivered {
            stored_seq: 10,
            records: 10,
            rejected: Vec::new(),
            duplicates: 0
        }
    );
    assert_eq!(
        deliver(1, 10).await,
        Delivered {
            stored_seq: 10,
            records: 0,
            rejected: Vec::new(),
            duplicates: 10
        }
    );
    assert_eq!(
        deliver(5, 10).await,
        Delivered {
            stored_seq: 14,
            records: 4,
            rejected: Vec::new(),
            duplicates: 6
        }
    );
    assert_eq!(deliver(2, 3).await.stored_seq, 14);
    assert_eq!(deliver(15, 1).await.stored_seq, 15);
    assert_eq!(db.store.hello(&sender, &host(), "1").await.unwrap(), 15);

    assert_eq!(db.count("SELECT count(*) FROM records").await, 15);
    assert_eq!(db.count("SELECT count(DISTINCT seq) FROM records").await, 15);
    assert_eq!(db.count("SELECT sum(records)::bigint FROM rollups").await, 15);
    db.assert_balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_streams_of_one_sender_store_each_record_once() {
    let Some(db) = Database::new("concurrent_streams_of_one_sender_store_each_record_once").await else {
        return;
    };
    let sender = sender();
    db.store.hello(&sender, &host(), "1").await.unwrap();
    let mut streams = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (store, sender) = (db.store.clone(), sender.clone());
        streams.spawn(async move {
            let mut next = 1;
            while next <= 500 {
                let count = fastrand::u64(1..40);
                match store.deliver(&sender, batch(next, count)).await {
                    Ok(delivered) => next = delivered.stored_seq + 1,
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    streams.join_all().await;
    assert_eq!(
        db.count("SELECT count(*) FROM records").await,
        db.count("SELECT max(stored_seq) FROM senders").await
    );
    db.assert_balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_senders_with_the_same_faults_do_not_disturb_each_other() {
    let Some(db) = Database::new("many_senders_with_the_same_faults_do_not_disturb_each_other").await else {
        return;
    };
    let agent = sender();
    let mut senders = tokio::task::JoinSet::new();
    for number in 0..12 {
        let store = db.store.clone();
        // Half of them are epochs of one agent: they share rows of fingerprints and rollups.
        let mut sender = sender();
        if number % 2 == 0 {
            sender.agent_id = agent.agent_id;
        }
        senders.spawn(async move {
            store.hello(&sender, &host(), "1").await.unwrap();
            for round in 0..10 {
                let records = (0..20)
                    .map(|_| encoded(&fault(&fastrand::u32(0..30).to_string())))
                    .collect();
                store
                    .deliver(
                        &sender,
                        Batch {
                            first_seq: round * 20 + 1,
                            records,
                        },
                    )
                    .await
                    .unwrap();
            }
        });
    }
    senders.join_all().await;
    assert_eq!(db.count("SELECT count(*) FROM records").await, 12 * 200);
    assert_eq!(
        db.count("SELECT sum(occurrences)::bigint FROM issues").await,
        12 * 200
    );
    assert_eq!(db.count("SELECT max(hosts) FROM issues").await, 7);
    db.assert_balanced().await;
}

#[tokio::test]
async fn batches_past_the_next_sequence_are_refused_and_store_nothing() {
    let Some(db) = Database::new("batches_past_the_next_sequence_are_refused_and_store_nothing").await else {
        return;
    };
    let sender = sender();
    let refused = db.store.deliver(&sender, batch(1, 1)).await;
    assert!(matches!(refused, Err(DeliverError::UnknownSender)), "{refused:?}");
    db.store.hello(&sender, &host(), "1").await.unwrap();
    db.store.deliver(&sender, batch(1, 3)).await.unwrap();
    let refused = db.store.deliver(&sender, batch(5, 3)).await;
    assert!(
        matches!(
            refused,
            Err(DeliverError::Ahead {
                first_seq: 5,
                stored_seq: 3
            })
        ),
        "{refused:?}"
    );
    let gap = Gap {
        first_seq: 6,
        count: 1,
        reason: LossReason::SpoolFull.into(),
        ..Gap::default()
    };
    let refused = db.store.deliver_gap(&sender, &gap).await;
    assert!(
        matches!(
            refused,
            Err(DeliverError::Ahead {
                first_seq: 6,
                stored_seq: 3
            })
        ),
        "{refused:?}"
    );
    assert_eq!(db.count("SELECT count(*) FROM records").await, 3);
    db.assert_balanced().await;
}

#[tokio::test]
async fn gaps_move_the_mark_and_are_losses() {
    let Some(db) = Database::new("gaps_move_the_mark_and_are_losses").await else {
        return;
    };
    let sender = sender();
    db.store.hello(&sender, &host(), "1").await.unwrap();
    db.store.deliver(&sender, batch(1, 3)).await.unwrap();
    let gap = |first_seq, count, reason: LossReason| Gap {
        first_seq,
        count,
        reason: reason.into(),
        ..Gap::default()
    };
    let say = async |gap: Gap| db.store.deliver_gap(&sender, &gap).await.unwrap().stored_seq;
    assert_eq!(say(gap(4, 7, LossReason::SpoolFull)).await, 10);
    assert_eq!(say(gap(4, 7, LossReason::SpoolFull)).await, 10, "resent");
    assert_eq!(
        say(gap(8, 5, LossReason::SpoolUnreadable)).await,
        12,
        "overlapping: only 11 and 12 are new"
    );
    db.store.deliver(&sender, batch(13, 1)).await.unwrap();
    let of_class = Gap {
        class: "loss".into(),
        events: 70,
        ..gap(14, 2, LossReason::SpoolFull)
    };
    assert_eq!(say(of_class.clone()).await, 15);
    assert_eq!(say(of_class).await, 15, "resent");

    let books = "SELECT produced::text, stored, lost::text, lost_by_reason::text FROM books";
    let row = db.sql().await.query_one(books, &[]).await.unwrap();
    let (produced, stored, lost, reasons): (String, i64, String, String) =
        (row.get(0), row.get(1), row.get(2), row.get(3));
    assert_eq!((produced.as_str(), stored, lost.as_str()), ("83", 4, "79"));
    assert_eq!(reasons, r#"{"SPOOL_FULL": 77, "SPOOL_UNREADABLE": 2}"#);
    let of_class = "SELECT events FROM losses WHERE class = 'loss' AND seq = 14 AND sequences = 2";
    assert_eq!(db.count(of_class).await, 70);
    db.assert_balanced().await;
}

#[tokio::test]
async fn loss_records_are_in_the_books() {
    let Some(db) = Database::new("loss_records_are_in_the_books").await else {
        return;
    };
    let sender = sender();
    db.store.hello(&sender, &host(), "1").await.unwrap();
    let loss = Loss {
        reason: LossReason::Storm.into(),
        count: 40,
        title: "WARN\0ING".to_owned(),
        ..Loss::default()
    };
    let loss = Record {
        class: "telemetry.loss".to_owned(),
        payload: Some(Payload::Loss(loss)),
        ..record("")
    };
    let records = vec![encoded(&record("1")), encoded(&loss), encoded(&loss)];
    db.store
        .deliver(
            &sender,
            Batch {
                first_seq: 1,
                records,
            },
        )
        .await
        .unwrap();
    db.store
        .deliver_gap(
            &sender,
            &Gap {
                first_seq: 4,
                count: 2,
                reason: LossReason::Storm.into(),
                ..Gap::default()
            },
        )
        .await
        .unwrap();
    assert_eq!(db.count("SELECT produced::bigint FROM books").await, 3 + 80 + 2);
    assert_eq!(
        db.count("SELECT (lost_by_reason->>'STORM')::bigint FROM books")
            .await,
        82
    );
    assert_eq!(
        db.count("SELECT count(*) FROM losses WHERE title = 'WARN\u{fffd}ING'")
            .await,
        2
    );
    db.assert_balanced().await;

    db.sql()
        .await
        .execute("DELETE FROM records WHERE seq = 1", &[])
        .await
        .unwrap();
    assert_eq!(
        db.count("SELECT count(*) FROM audit WHERE NOT balanced").await,
        1,
        "an audit notices"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_records_are_stored_as_undecodable_and_spoil_no_batch() {
    let Some(db) = Database::new("garbage_records_are_stored_as_undecodable_and_spoil_no_batch").await else {
        return;
    };
    let collector = Collector::start(&db).await;
    let mut stream = Stream::open(collector.channel().await).await;
    let sender = sender();
    stream.hello(&sender).await.unwrap();
    let mut nul = record("with \0 in it");
    nul.title = "a title\0with NUL".to_owned();
    let garbage = Bytes::from_static(b"\xff\xff\xff garbage \0");
    let too_large = Bytes::from(vec![7; proto::limits::RECORD_BYTES + 1]);
    let records = vec![
        encoded(&record("good")),
        garbage.clone(),
        Bytes::new(),
        encoded(&nul),
        too_large,
    ];
    assert_eq!(
        stream
            .batch(Batch {
                first_seq: 1,
                records
            })
            .await
            .unwrap(),
        5
    );

    let rows = db
        .sql()
        .await
        .query("SELECT class, title, record FROM records ORDER BY seq", &[])
        .await
        .unwrap();
    let classes: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    let undecodable = "telemetry.undecodable";
    assert_eq!(
        classes,
        ["custom", undecodable, undecodable, "custom", undecodable]
    );
    assert_eq!(rows[3].get::<_, &str>(1), "a title\u{fffd}with NUL");
    assert_eq!(
        Record::decode(rows[3].get::<_, &[u8]>(2)).unwrap(),
        nul,
        "the record itself is kept as it was"
    );
    let Some(Payload::Undecodable(kept)) = Record::decode(rows[1].get::<_, &[u8]>(2)).unwrap().payload else {
        panic!("not an Undecodable");
    };
    assert_eq!(kept.bytes, garbage);
    db.assert_balanced().await;
    collector.stop().await;
}

/// A fault with fingerprints of two levels, made from a name.
fn fault(name: &str) -> Record {
    Record {
        class: "kernel.oops".to_owned(),
        severity: Severity::High.into(),
        title: format!("oops {name}"),
        fingerprints: vec![
            fingerprint(FingerprintLevel::Title, &format!("{name:0>32}")),
            fingerprint(FingerprintLevel::TopFrames, &format!("{name:a>32}")),
        ],
        ..record(name)
    }
}
