//! Clients that hold connections and say little.

use std::{net::SocketAddr, time::Duration};

use futures::future::join_all;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::support::{
    Collector, Database, PATIENCE, Stream, batch,
    fetch::fetch,
    program::{Program, until},
    sender,
};

/// No client is given less.
const LEAST: Duration = Duration::from_secs(5);
/// Descriptors of a collector that is told to do with few.
const DESCRIPTORS: u32 = 256;
/// Connections that it is to suffer.
const IDLE: usize = 2000;

async fn begun(address: SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream
}

/// Reads until there are these words.
async fn read_until(stream: &mut TcpStream, words: &str) {
    let mut text = String::new();
    let reading = async {
        while !text.contains(words) {
            let mut bytes = [0; 4096];
            let read = stream.read(&mut bytes).await.unwrap();
            assert_ne!(read, 0, "it ended without {words:?}: {text}");
            text.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
    };
    timeout(PATIENCE, reading).await.expect("the words in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_go_on_is_closed_and_streams_stay() {
    let Some(db) = Database::new("who_does_not_go_on_is_closed_and_streams_stay").await else {
        return;
    };
    let collector = Collector::start(&db).await;
    let mut live = begun(collector.http, "GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await;
    read_until(&mut live, "200 OK").await;
    let mut agent = Stream::open(collector.channel().await).await;
    agent.hello(&sender()).await.unwrap();

    let since = Instant::now();
    let late = [
        (collector.http, ""),
        (collector.http, "GET /healthz HTTP/1.1\r\nHost: 127"),
        (collector.http, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
        (collector.grpc, ""),
        (collector.grpc, "PRI * HTTP/2.0\r\n"),
    ];
    let closed = late.map(async |(address, bytes)| {
        let mut stream = begun(address, bytes).await;
        let mut rest = Vec::new();
        let end = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(end.is_ok(), "{address} {bytes:?} stays open");
        assert!(since.elapsed() > LEAST, "{address} {bytes:?} is closed at once");
    });
    join_all(closed).await;

    agent.batch(batch(1, 1)).await.unwrap();
    read_until(&mut live, "event: fault").await;
    drop((live, agent));
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_keep_no_agent_out() {
    let Some(db) = Database::new("idle_connections_keep_no_agent_out").await else {
        return;
    };
    let collector = Program::within(&db, DESCRIPTORS, &[]);
    let (_grpc, http) = collector.addresses().await;
    let idle = join_all((0..IDLE).map(|_| TcpStream::connect(http))).await;
    assert_eq!(idle.iter().filter(|stream| stream.is_ok()).count(), IDLE);

    let mut agent = Stream::open(collector.channel().await).await;
    agent.hello(&sender()).await.unwrap();
    assert_eq!(agent.batch(batch(1, 3)).await.unwrap(), 3);
    drop(idle);
    let metrics = until("room for who asks", async || fetch(http, "/metrics").await).await;
    assert!(
        metrics.contains("telemetrics_connections_refused_total{port=\"http\"}"),
        "{metrics}"
    );
    drop(agent);
    assert!(collector.stop().await);
}
