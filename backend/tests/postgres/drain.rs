//! A collector that is told to end while agents send: what it answered is stored, what it did not is stored once by the next.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::support::{Collector, Database, PATIENCE, Stream, batch, fetch::fetch, sender};

/// Agents that send at the same time.
const AGENTS: usize = 6;
/// Batches that have to be answered before the collector is told to end.
const ANSWERED: usize = 60;
/// Records of a batch.
const RECORDS: u64 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_ends_under_load_loses_and_duplicates_nothing() {
    let test = "a_collector_that_ends_under_load_loses_and_duplicates_nothing";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let collector = Collector::start(&db).await;
    let (answered, mut answers) = mpsc::unbounded_channel();
    let mut agents = JoinSet::new();
    for _ in 0..AGENTS {
        let (channel, answered) = (collector.channel().await, answered.clone());
        agents.spawn(async move {
            let sender = sender();
            let mut stream = Stream::open(channel).await;
            let mut stored = stream.hello(&sender).await.expect("it takes records");
            loop {
                match stream.batch(batch(stored + 1, RECORDS)).await {
                    Ok(up_to) => stored = up_to,
                    Err(status) => return (sender, stored, status.code()),
                }
                answered.send(()).ok();
            }
        });
    }
    for _ in 0..ANSWERED {
        timeout(PATIENCE, answers.recv())
            .await
            .expect("agents are answered");
    }
    collector.stop().await;
    let ended = timeout(PATIENCE, agents.join_all()).await.expect("streams end");
    let next = Collector::start(&db).await;
    let mut produced = 0;
    for (sender, answered, code) in ended {
        // Sent elsewhere, or cut off with its connection.
        assert!(matches!(code, Code::Unavailable | Code::Unknown), "{code:?}");
        let mut stream = Stream::open(next.channel().await).await;
        let stored = stream.hello(&sender).await.expect("it takes records");
        assert!(stored >= answered, "{stored} of {answered} are stored");
        // As an agent that heard no more answers.
        let up_to = stream
            .batch(batch(answered + 1, RECORDS))
            .await
            .expect("it takes records");
        assert_eq!(up_to, stored.max(answered + RECORDS));
        produced += up_to;
    }
    db.counted().await;
    let produced = i64::try_from(produced).expect("a number of records");
    assert_eq!(db.count("SELECT count(*) FROM records").await, produced);
    assert_eq!(
        db.count("SELECT sum(records)::bigint FROM rollups").await,
        produced
    );
    db.assert_balanced().await;
    next.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_ends_says_so_on_connections_that_are_open() {
    let test = "a_collector_that_ends_says_so_on_connections_that_are_open";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let collector = Collector::start(&db).await;
    let mut health = HealthClient::new(collector.channel().await);
    let mut watches = Vec::new();
    for service in ["", "telemetry.v1.Collector"] {
        let service = service.to_owned();
        let watch = health.watch(HealthCheckRequest { service });
        let mut states = watch.await.expect("it serves").into_inner();
        let state = states.message().await.expect("it serves").expect("a state");
        assert_eq!(state.status(), ServingStatus::Serving);
        watches.push(states);
    }
    // A request of which it has heard the beginning.
    let mut open = TcpStream::connect(collector.http).await.expect("it listens");
    let begin = open.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n");
    begin.await.expect("it listens");
    let ready = fetch(collector.http, "/readyz").await.expect("it is ready");
    assert!(ready.contains("\"ready\""), "{ready}");

    collector.end();
    for states in &mut watches {
        let state = timeout(PATIENCE, states.message()).await.expect("it is told");
        let state = state.expect("the watch goes on").expect("a state");
        assert_eq!(state.status(), ServingStatus::NotServing);
    }
    open.write_all(b"\r\n").await.expect("the connection is open");
    let mut answer = String::new();
    let read = timeout(PATIENCE, open.read_to_string(&mut answer));
    read.await.expect("an answer in time").expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("the collector is shutting down"), "{answer}");
    drop((watches, health));
    collector.stop().await;
}
