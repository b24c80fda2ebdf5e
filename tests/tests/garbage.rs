//! Whatever arrives on a socket or a port: a clear error, and the programs go on.

#![expect(clippy::expect_used, reason = "a test that cannot go on panics")]

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use proto::v1::{
    Batch, Custom, DeliverRequest, DeliverResponse, Gap, Hello, Record, collector_client::CollectorClient,
    deliver_request::Message, record::Payload,
};
use system_tests::{
    process::wait_for,
    sender,
    system::{Kept, System},
};
use tonic::{
    Code, Request, Status,
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;

/// How long a program may take to turn garbage down.
const TURNED_DOWN: Duration = Duration::from_secs(30);

/// The agent takes a record and the collector stores it.
fn assert_works(system: &System) {
    let kept = Kept::default();
    kept.send(&system.agent.socket(), 0).expect("a record is kept");
    // Each call is on a system of its own, or the payload is stored already, which is just as good.
    system.wait_for_all(&kept);
}

#[test]
fn the_agents_socket_says_what_is_wrong_with_a_frame_and_goes_on() {
    let test = "the_agents_socket_says_what_is_wrong_with_a_frame_and_goes_on";
    let Some(mut system) = System::start(test, "") else {
        return;
    };
    let good = sender::frame("payload");
    let changed = |at: usize, byte: u8| {
        let mut frame = good.clone();
        frame[at] = byte;
        frame
    };
    let replaced = |from: &str, to: &str| {
        let text = String::from_utf8_lossy(&good[8..good.len() - 1]).replace(from, to);
        let headers = text.find("payload\u{0}").unwrap_or(text.len() - "payload".len());
        let size = |bytes: usize| u32::try_from(bytes).expect("a small frame").to_ne_bytes();
        [
            &size(8 + text.len() + 1)[..],
            &size(headers),
            text.as_bytes(),
            &[0],
        ]
        .concat()
    };
    let frames: [(Vec<u8>, &str); 9] = [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "size"),
        (u32::MAX.to_ne_bytes().to_vec(), "size"),
        (good[..2].to_vec(), "ends early"),
        (good[..good.len() - 3].to_vec(), "ends early"),
        (changed(4, 0xff), "header"),
        (changed(8, b'X'), "record_format_version"),
        (changed(good.len() - 1, b'x'), "NUL"),
        (replaced("severity: 1", "severity: 9"), "severity"),
        (replaced(sender::CLASSIFICATION, "no slashes"), "classification"),
    ];
    for (frame, names) in &frames {
        let answer = sender::exchange(&system.agent.socket(), frame).expect("an answer");
        assert!(
            answer.starts_with("error: ") && answer.contains(names),
            "{names}: {answer:?}"
        );
    }
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..200 {
        let mut noise = vec![0; random.usize(1..600)];
        random.fill(&mut noise);
        // Sizes that are believed, so that what follows is looked at.
        if noise.len() > 20 {
            let size = u32::try_from(noise.len()).expect("a small frame");
            noise[..4].copy_from_slice(&size.to_ne_bytes());
        }
        let answer = sender::exchange(&system.agent.socket(), &noise).expect("an answer");
        assert!(answer.starts_with("error: "), "{answer:?}");
    }
    assert!(system.agent.process().is_running());
    assert_works(&system);
    // Refusals are losses, and told.
    let refused = 200 + i64::try_from(frames.len()).expect("few frames");
    let rejected = || {
        let sql = "SELECT coalesce(sum(events), 0)::bigint FROM losses WHERE reason = 'REJECTED'";
        system.database.number(sql).expect("read the losses")
    };
    let told = wait_for("the refusals to be told", TURNED_DOWN, || rejected() >= refused);
    told.unwrap_or_else(|error| panic!("{error}: {} of {refused}", rejected()));
    assert_eq!(rejected(), refused);
    system.database.assert_books_balance();
}

/// Sends bytes to a port and reads until the other side closes.
fn exchange_tcp(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("connect");
    stream.set_read_timeout(Some(TURNED_DOWN)).expect("a time-out");
    // It may close before it has read all.
    let sent = stream.write_all(bytes);
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert!(
            sent.is_err() || error.kind() == std::io::ErrorKind::ConnectionReset,
            "the connection stays open: {error}"
        );
    }
    answer
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    fastrand::Rng::with_seed(9).fill(&mut noise);
    noise
}

fn hello() -> DeliverRequest {
    DeliverRequest {
        message: Some(Message::Hello(Hello {
            agent_id: vec![1; 16].into(),
            epoch: vec![2; 16].into(),
            ..Hello::default()
        })),
    }
}

fn batch(first_seq: u64, records: Vec<Vec<u8>>) -> DeliverRequest {
    let records = records.into_iter().map(Into::into).collect();
    DeliverRequest {
        message: Some(Message::Batch(Batch { first_seq, records })),
    }
}

fn gap(first_seq: u64, count: u64) -> DeliverRequest {
    DeliverRequest {
        message: Some(Message::Gap(Gap {
            first_seq,
            count,
            ..Gap::default()
        })),
    }
}

/// Opens a stream with these messages; the last stored sequence, or the status that ended it.
async fn deliver(channel: &Channel, messages: Vec<DeliverRequest>) -> Result<u64, Status> {
    let mut client = CollectorClient::new(channel.clone()).max_encoding_message_size(usize::MAX);
    let mut answers = client.deliver(tokio_stream::iter(messages)).await?.into_inner();
    let mut stored = 0;
    while let Some(answer) = answers.message().await? {
        stored = answer.stored_seq;
    }
    Ok(stored)
}

/// Calls Deliver with messages of a type that it does not take.
async fn deliver_nonsense(channel: &Channel) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client
        .ready()
        .await
        .map_err(|error| Status::from_error(error.into()))?;
    let nonsense = Custom {
        classification: "not a Hello, a string".into(),
        ..Custom::default()
    };
    let codec: ProstCodec<Custom, DeliverResponse> = ProstCodec::default();
    let path = PathAndQuery::from_static("/telemetry.v1.Collector/Deliver");
    let request = Request::new(tokio_stream::iter([nonsense]));
    let mut answers = client.streaming(request, path, codec).await?.into_inner();
    while answers.message().await?.is_some() {}
    Ok(())
}

/// Streams that break the rules: what, the messages, and how they may be refused.
fn broken_streams() -> Vec<(&'static str, Vec<DeliverRequest>, &'static [Code])> {
    let one = vec![Vec::new()];
    let bad_hello = DeliverRequest {
        message: Some(Message::Hello(Hello::default())),
    };
    let empty = DeliverRequest { message: None };
    vec![
        (
            "a batch before the hello",
            vec![batch(1, one.clone())],
            &[Code::FailedPrecondition],
        ),
        (
            "a batch past the next sequence",
            vec![hello(), batch(5, one.clone())],
            &[Code::FailedPrecondition],
        ),
        (
            "a gap past the next sequence",
            vec![hello(), gap(5, 1)],
            &[Code::FailedPrecondition],
        ),
        ("a hello without ids", vec![bad_hello], &[Code::InvalidArgument]),
        (
            "two hellos",
            vec![hello(), hello()],
            &[Code::InvalidArgument, Code::FailedPrecondition],
        ),
        (
            "no message",
            vec![empty],
            &[Code::InvalidArgument, Code::FailedPrecondition],
        ),
        (
            "sequence 0",
            vec![hello(), batch(0, one.clone())],
            &[Code::InvalidArgument],
        ),
        (
            "no records",
            vec![hello(), batch(1, Vec::new())],
            &[Code::InvalidArgument],
        ),
        (
            "too many records",
            vec![hello(), batch(1, vec![Vec::new(); 4097])],
            &[Code::InvalidArgument],
        ),
        ("an empty gap", vec![hello(), gap(1, 0)], &[Code::InvalidArgument]),
        (
            "a gap past all numbers",
            vec![hello(), gap(1, u64::MAX)],
            &[Code::InvalidArgument],
        ),
        (
            "a message over 8 MiB",
            vec![hello(), batch(1, vec![vec![0; 9 << 20]])],
            &[Code::InvalidArgument, Code::OutOfRange, Code::ResourceExhausted],
        ),
    ]
}

#[test]
fn the_grpc_port_refuses_what_breaks_the_rules_and_goes_on() {
    let test = "the_grpc_port_refuses_what_breaks_the_rules_and_goes_on";
    let Some(mut system) = System::start(test, "") else {
        return;
    };
    let address = system.backend.addresses().grpc;
    for bytes in [
        noise(5000),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), noise(5000)].concat(),
    ] {
        exchange_tcp(address, &bytes);
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
        let channel = endpoint.timeout(TURNED_DOWN).connect().await.expect("connect");
        for (what, messages, codes) in broken_streams() {
            let status = deliver(&channel, messages).await.expect_err(what);
            assert!(codes.contains(&status.code()), "{what}: {status:?}");
            assert!(!status.message().is_empty(), "{what}: no message");
        }
        let status = deliver_nonsense(&channel).await.expect_err("nonsense");
        assert!(!status.message().is_empty(), "nonsense: no message");
        // One record that is none does not spoil its batch: it is stored as undecodable.
        let record = Record {
            class: "custom".into(),
            title: "good".into(),
            severity: 1,
            payload: Some(Payload::Custom(Custom {
                classification: sender::CLASSIFICATION.into(),
                payload: "good".into(),
                ..Custom::default()
            })),
            ..Record::default()
        };
        let record = prost::Message::encode_to_vec(&record);
        let stored = deliver(&channel, vec![hello(), batch(1, vec![noise(100), record])]).await;
        assert_eq!(stored.expect("a batch is stored"), 2);
    });
    assert_eq!(
        system
            .database
            .number("SELECT count(*) FROM records WHERE title = 'good'")
            .expect("a count"),
        1
    );
    assert!(system.backend.process().is_running());
    assert_works(&system);
    system.database.assert_books_balance();
}

#[test]
fn the_http_port_says_what_is_wrong_with_a_request_and_goes_on() {
    let test = "the_http_port_says_what_is_wrong_with_a_request_and_goes_on";
    let Some(mut system) = System::start(test, "") else {
        return;
    };
    for (path, status, names) in [
        ("/api/v1/faults?page_size=0x10", 400, "page_size"),
        ("/api/v1/faults?page_token=%FF%FF", 400, "page_token"),
        ("/api/v1/faults?min_severity=terrible", 400, "min_severity"),
        ("/api/v1/faults?no_such=1", 400, "no_such"),
        ("/api/v1/faults/not-a-uuid", 400, "UUID"),
        (
            "/api/v1/faults/00000000-0000-0000-0000-000000000000",
            404,
            "no fault",
        ),
        ("/no/such/page", 404, "nothing"),
        ("/faults/%00", 400, "UUID"),
        ("/faults?min_severity=terrible", 400, "min_severity"),
    ] {
        let answer = system.backend.get(path).expect("an answer");
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(
            answer.body.contains(names),
            "{path} does not name {names}: {}",
            answer.body
        );
    }
    let address = system.backend.addresses().http;
    let many_headers = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(100_000));
    for (bytes, status) in [
        (noise(5000), "400"),
        (b"GARBAGE\r\n\r\n".to_vec(), "400"),
        (many_headers.into_bytes(), "431"),
        (
            b"DELETE /api/v1/faults HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_vec(),
            "405",
        ),
    ] {
        let answer = exchange_tcp(address, &bytes);
        let answer = String::from_utf8_lossy(&answer);
        // A reset may swallow the answer to a request that was not read to its end.
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")) || (status == "431" && answer.is_empty()),
            "{status}: {answer}"
        );
    }
    assert!(system.backend.process().is_running());
    let health = system.backend.get("/healthz").expect("an answer");
    assert_eq!(health.status, 200, "{}", health.body);
    assert_works(&system);
    let list = system.backend.get("/api/v1/faults").expect("the list");
    assert_eq!(list.status, 200, "{}", list.body);
}
