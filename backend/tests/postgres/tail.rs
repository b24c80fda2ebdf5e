//! A tail gives each record once, however its transaction was interleaved with others.

use std::collections::BTreeMap;
use std::time::Duration;

use backend::access::{Anonymous, Role, secret};
use backend::authority::sha256;
use backend::ingest::Quota;
use proto::v1::{Fault, FaultFilter, TailFaultsRequest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::Code;

use crate::support::{Collector, Database, PATIENCE, batch, host, sender};

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_gives_each_record_once_under_concurrent_writers() {
    let Some(db) = Database::new("a_tail_gives_each_record_once_under_concurrent_writers").await else {
        return;
    };
    let before = sender();
    db.store.hello(&before, &host(), "1").await.unwrap();
    db.store.deliver(&before, batch(1, 20)).await.unwrap();

    let mut cursor = db.store.tail().await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..6 {
        let store = db.store.clone();
        let sender = if number == 0 { before.clone() } else { sender() };
        writers.spawn(async move {
            let stored = store.hello(&sender, &host(), "1").await.unwrap();
            for round in 0..40 {
                store
                    .deliver(&sender, batch(stored + round * 5 + 1, 5))
                    .await
                    .unwrap();
            }
        });
    }
    let mut seen: BTreeMap<Vec<u8>, Vec<u64>> = BTreeMap::new();
    let mut total = 0;
    let filter = FaultFilter::default();
    tokio::time::timeout(PATIENCE, async {
        while total < 6 * 200 {
            // A limit below what arrives, so that pages are cut in the middle of batches.
            for fault in db.store.faults_after(&mut cursor, &filter, 17).await.unwrap() {
                seen.entry(fault.agent_id.to_vec()).or_default().push(fault.seq);
                total += 1;
            }
        }
    })
    .await
    .expect("all records in time");
    writers.join_all().await;
    assert_eq!(seen.len(), 6);
    for (agent, sequences) in seen {
        let first = if agent == before.agent_id.as_bytes() {
            21
        } else {
            1
        };
        assert_eq!(
            sequences,
            (first..first + 200).collect::<Vec<u64>>(),
            "each once, in order"
        );
    }
    assert_eq!(db.store.faults_after(&mut cursor, &filter, 17).await.unwrap(), []);
}

#[tokio::test]
async fn a_transaction_that_commits_late_is_not_missed() {
    let Some(db) = Database::new("a_transaction_that_commits_late_is_not_missed").await else {
        return;
    };
    let (late, other) = (sender(), sender());
    for sender in [&late, &other] {
        db.store.hello(sender, &host(), "1").await.unwrap();
        db.store.deliver(sender, batch(1, 1)).await.unwrap();
    }
    let mut cursor = db.store.tail().await.unwrap();

    // What a collector does that is slow to commit.
    let slow = db.sql().await;
    slow.batch_execute(&format!(
        "BEGIN;
         SELECT 1 FROM senders WHERE agent_id = '{agent}' FOR UPDATE;
         CREATE TEMP TABLE late AS SELECT clock_timestamp() AS at;
         INSERT INTO records SELECT gen_random_uuid(), (SELECT at FROM late), agent_id, epoch, 2, occurred_at, class,
                severity, housekeeping, title, kernel_release, issue, fingerprints, record
         FROM records WHERE agent_id = '{agent}';
         UPDATE senders SET stored_seq = 2, stored_at = (SELECT at FROM late) WHERE agent_id = '{agent}'",
        agent = late.agent_id
    ))
    .await
    .unwrap();
    let filter = FaultFilter::default();
    let mut after = async || db.store.faults_after(&mut cursor, &filter, 100).await.unwrap();
    let agents = |faults: &[Fault]| {
        faults
            .iter()
            .map(|fault| fault.agent_id.to_vec())
            .collect::<Vec<_>>()
    };

    db.store.deliver(&other, batch(2, 1)).await.unwrap();
    assert_eq!(agents(&after().await), [other.agent_id.as_bytes().to_vec()]);
    assert_eq!(agents(&after().await), Vec::<Vec<u8>>::new());
    slow.batch_execute("COMMIT").await.unwrap();
    assert_eq!(
        agents(&after().await),
        [late.agent_id.as_bytes().to_vec()],
        "older than the other one, and seen"
    );
    assert_eq!(agents(&after().await), Vec::<Vec<u8>>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_streams_what_arrives_and_ends_on_shutdown() {
    let Some(db) = Database::new("the_service_streams_what_arrives_and_ends_on_shutdown").await else {
        return;
    };
    let collector = Collector::start(&db).await;
    let mut query = collector.query().await;
    let filter = Some(FaultFilter {
        class: "custom".to_owned(),
        ..FaultFilter::default()
    });
    let mut tail = query
        .tail_faults(TailFaultsRequest {
            filter,
            read_mask: None,
        })
        .await
        .unwrap()
        .into_inner();
    let sender = sender();
    db.store.hello(&sender, &host(), "1").await.unwrap();
    // The tail starts at the moment of the call, which takes a moment: write until the first one comes.
    let store = db.store.clone();
    let writing = tokio::spawn(async move {
        for seq in 1.. {
            store.deliver(&sender, batch(seq, 1)).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    });
    let first = tokio::time::timeout(PATIENCE, tail.message())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let second = tokio::time::timeout(PATIENCE, tail.message())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(second.seq, first.seq + 1);
    writing.abort();
    collector.stop().await;
    let ended = async { while let Ok(Some(_)) = tail.message().await {} };
    tokio::time::timeout(PATIENCE, ended)
        .await
        .expect("the stream ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_taken_back_ends_what_is_read_with_it() {
    let Some(db) = Database::new("a_token_that_is_taken_back_ends_what_is_read_with_it").await else {
        return;
    };
    let collector = Collector::with(&db, Quota::default(), Anonymous::None).await;
    let token = secret("tla_").unwrap();
    let life = Duration::from_hours(1);
    db.store
        .create_api_token(&sha256(token.as_bytes()), Role::Viewer, life, "")
        .await
        .unwrap();
    let mut request = tonic::Request::new(TailFaultsRequest::default());
    let bearer = format!("Bearer {token}");
    request
        .metadata_mut()
        .insert("authorization", bearer.parse().unwrap());
    let tail = collector.query().await.tail_faults(request).await;
    let mut tail = tail.unwrap().into_inner();
    let mut live = TcpStream::connect(collector.http).await.unwrap();
    let head =
        format!("GET /live HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\nConnection: close\r\n\r\n");
    live.write_all(head.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    live.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");

    let id = db.store.api_tokens().await.unwrap()[0].id.clone();
    assert!(db.store.revoke_api_token(&id).await.unwrap());
    let ended = timeout(PATIENCE, tail.message()).await.expect("it ends");
    assert_eq!(ended.unwrap_err().code(), Code::Unauthenticated);
    let mut rest = Vec::new();
    timeout(PATIENCE, live.read_to_end(&mut rest))
        .await
        .expect("it ends")
        .unwrap();
    collector.stop().await;
}
