//! Messages of many streams share transactions, and none spoils another's.

use std::{sync::Arc, time::Duration};

use backend::{
    access::Anonymous,
    ingest::{Ingest, Quota},
    metrics::Metrics,
    store::{DeliverError, Message, Rejected, Sender},
};
use bytes::Bytes;
use proto::v1::{Batch, Gap, LossReason, Record, deliver_request::Message as Said};
use tokio::time::timeout;
use tonic::Code;

use crate::support::{Collector, Database, PATIENCE, Stream, batch, encoded, host, record, sender};

/// Introduces senders.
async fn senders(db: &Database, count: usize) -> Vec<Arc<Sender>> {
    let mut senders = Vec::new();
    for _ in 0..count {
        let sender = sender();
        db.store.hello(&sender, &host(), "1").await.unwrap();
        senders.push(Arc::new(sender));
    }
    senders
}

#[tokio::test]
async fn one_transaction_takes_messages_of_many_senders_and_refuses_only_the_wrong_ones() {
    let test = "one_transaction_takes_messages_of_many_senders_and_refuses_only_the_wrong_ones";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let known = senders(&db, 2).await;
    let stranger = Arc::new(sender());
    let gap = Gap {
        first_seq: 4,
        count: 2,
        reason: LossReason::SpoolFull.into(),
        ..Gap::default()
    };
    let messages = [
        Message::batch(&known[0], &batch(1, 3)).unwrap(),
        Message::batch(&stranger, &batch(1, 3)).unwrap(),
        Message::batch(&known[1], &batch(2, 1)).unwrap(),
        Message::gap(&known[0], gap).unwrap(),
        Message::batch(&known[0], &batch(5, 3)).unwrap(),
        Message::batch(&known[1], &batch(1, 4)).unwrap(),
    ];
    let stored = db.store.deliver_all(&messages).await.unwrap();
    // Whoever counts the same again changes nothing.
    for _ in 0..2 {
        db.store.count(&stored.tallies).await.unwrap();
    }
    let outcomes = stored.outcomes;
    let stored: Vec<Option<u64>> = outcomes
        .iter()
        .map(|outcome| outcome.as_ref().ok().map(|delivered| delivered.stored_seq))
        .collect();
    assert_eq!(stored, [Some(3), None, None, Some(5), Some(7), Some(4)]);
    assert!(matches!(outcomes[1], Err(DeliverError::UnknownSender)));
    assert!(matches!(
        outcomes[2],
        Err(DeliverError::Ahead {
            first_seq: 2,
            stored_seq: 0
        })
    ));
    assert_eq!(
        outcomes[4].as_ref().unwrap().duplicates,
        1,
        "5 was given up already"
    );
    assert_eq!(db.count("SELECT count(*) FROM records").await, 3 + 2 + 4);
    assert_eq!(db.count("SELECT sum(records)::bigint FROM rollups").await, 9);
    assert_eq!(
        db.count("SELECT count(*) FROM (SELECT 1 FROM records GROUP BY agent_id, received_at, id) AS ids")
            .await,
        9
    );
    db.assert_balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_many_agents_send_at_once_is_stored_once_each_in_order() {
    let test = "what_many_agents_send_at_once_is_stored_once_each_in_order";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let (ingest, counted) = Ingest::start(&db.store, &Metrics::new());
    let senders = senders(&db, 40).await;
    let mut answers = Vec::new();
    for first_seq in (1..=61).step_by(3) {
        for sender in &senders {
            let message = Message::batch(sender, &batch(first_seq, 3)).unwrap();
            answers.push(ingest.submit(message).await.unwrap());
        }
    }
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
    assert_eq!(db.count("SELECT count(*) FROM records").await, 40 * 63);
    drop(ingest);
    timeout(PATIENCE, counted).await.expect("counting ends").unwrap();
    assert_eq!(
        db.count("SELECT sum(records)::bigint FROM rollups").await,
        40 * 63,
        "it ends when all is counted"
    );
    assert_eq!(
        db.count("SELECT count(*) FROM (SELECT seq, lag(seq) OVER (PARTITION BY agent_id ORDER BY received_at, id) AS before FROM records) AS r WHERE seq <= before").await,
        0,
        "the order of a sender's records is that of its sequences"
    );
    assert!(
        db.count("SELECT count(DISTINCT xmin::text) FROM records").await < 40 * 21,
        "transactions were shared"
    );
    db.assert_balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_database_refuses_spoils_only_itself() {
    let Some(db) = Database::new("a_record_that_the_database_refuses_spoils_only_itself").await else {
        return;
    };
    let poison = Record {
        title: "poison".to_owned(),
        ..record("poison")
    };
    let poison = encoded(&poison);
    db.sql()
        .await
        .batch_execute("ALTER TABLE records ADD CONSTRAINT no_poison CHECK (title <> 'poison')")
        .await
        .unwrap();
    let (ingest, _counted) = Ingest::start(&db.store, &Metrics::new());
    let senders = senders(&db, 6).await;
    let mut answers = Vec::new();
    for (number, sender) in senders.iter().enumerate() {
        let mut sent = batch(1, 50);
        if number == 3 {
            sent.records[0] = poison.clone();
            sent.records[31] = poison.clone();
        }
        answers.push(
            ingest
                .submit(Message::batch(sender, &sent).unwrap())
                .await
                .unwrap(),
        );
    }
    for (number, answer) in answers.into_iter().enumerate() {
        let delivered = answer.await.unwrap().unwrap();
        assert_eq!((delivered.stored_seq, delivered.records), (50, 50));
        let rejected: Vec<u64> = delivered.rejected.iter().map(|rejected| rejected.seq).collect();
        assert_eq!(rejected, if number == 3 { vec![1, 32] } else { vec![] });
    }
    let quarantined = db
        .sql()
        .await
        .query("SELECT seq, reason, sent FROM quarantine ORDER BY seq", &[])
        .await
        .unwrap();
    assert_eq!(quarantined.len(), 2);
    assert_eq!(quarantined[1].get::<_, i64>(0), 32);
    assert!(
        quarantined[1].get::<_, &str>(1).contains("no_poison"),
        "{quarantined:?}"
    );
    assert_eq!(quarantined[1].get::<_, &[u8]>(2), poison);
    db.assert_balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_is_told_what_was_wrong_with_each_record() {
    let Some(db) = Database::new("the_agent_is_told_what_was_wrong_with_each_record").await else {
        return;
    };
    let sender = senders(&db, 1).await.remove(0);
    let mut wrong = record("2");
    wrong.class = "No Class".to_owned();
    let garbage = Bytes::from_static(b"\xff\xff\xff garbage");
    let sent = Batch {
        first_seq: 1,
        records: vec![encoded(&record("1")), encoded(&wrong), garbage.clone()],
    };
    let delivered = db.store.deliver(&sender, sent).await.unwrap();
    let [Rejected { seq: 2, reason }, Rejected { seq: 3, .. }] = &delivered.rejected[..] else {
        panic!("{:?}", delivered.rejected);
    };
    assert!(reason.contains("class"), "{reason}");
    let kept = db
        .sql()
        .await
        .query_one("SELECT sent FROM quarantine WHERE seq = 3", &[])
        .await
        .unwrap();
    assert_eq!(kept.get::<_, &[u8]>(0), garbage);
    db.assert_balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_may_send_on_before_it_is_answered() {
    let Some(db) = Database::new("a_stream_may_send_on_before_it_is_answered").await else {
        return;
    };
    let collector = Collector::start(&db).await;
    let sender = sender();
    let mut stream = Stream::open(collector.channel().await).await;
    stream.hello(&sender).await.unwrap();
    for first_seq in [1, 4, 7] {
        stream.send(Some(Said::Batch(batch(first_seq, 3)))).await;
    }
    // A mistake ends the stream, but only after the answers to what came before it.
    stream.send(None).await;
    for stored_seq in [3, 6, 9] {
        assert_eq!(stream.answer().await.unwrap(), stored_seq);
    }
    assert_eq!(stream.answer().await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(db.count("SELECT count(*) FROM records").await, 9);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_far_over_its_quota_is_told_when_to_come_back() {
    let Some(db) = Database::new("an_agent_far_over_its_quota_is_told_when_to_come_back").await else {
        return;
    };
    let quota = Quota {
        records_per_s: 1,
        burst: 10,
    };
    let collector = Collector::with(&db, quota, Anonymous::Admin).await;
    let (sender, other) = (sender(), sender());
    let mut stream = Stream::open(collector.channel().await).await;
    stream.hello(&sender).await.unwrap();
    assert_eq!(stream.batch(batch(1, 4000)).await.unwrap(), 4000);
    let status = stream.batch(batch(4001, 1)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let pushback = status.metadata().get("grpc-retry-pushback-ms").expect("a delay");
    let pushback = Duration::from_millis(pushback.to_str().unwrap().parse().unwrap());
    assert!(
        pushback > Duration::from_secs(5) && pushback <= Duration::from_secs(4000),
        "{pushback:?}"
    );

    let mut stream = Stream::open(collector.channel().await).await;
    stream.hello(&other).await.unwrap();
    assert_eq!(stream.batch(batch(1, 5)).await.unwrap(), 5, "another agent");
    assert_eq!(db.count("SELECT count(*) FROM records").await, 4005);
    collector.stop().await;
}
