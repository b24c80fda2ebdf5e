//! Whatever breaks the rules of the gRPC port gets a clear status and stores nothing.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use backend::{
    admission::{Admission, Agents, Peer},
    authority::sha256,
};
use bytes::Bytes;
use proto::v1::{
    Batch, FaultFilter, Gap, GetFaultRequest, Hello, Host, ListFaultsRequest, deliver_request::Message,
};
use tonic::Code;

use crate::support::{Collector, Database, PATIENCE, Stream, batch, fetch::fetch, hello, sender};

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_break_the_rules_end_the_stream_with_a_reason() {
    let Some(db) = Database::new("messages_that_break_the_rules_end_the_stream_with_a_reason").await else {
        return;
    };
    let collector = Collector::start(&db).await;
    let sender = sender();
    let gap = |first_seq, count| {
        Some(Message::Gap(Gap {
            first_seq,
            count,
            reason: 1,
            ..Gap::default()
        }))
    };
    let batch_of = |first_seq, records| Some(Message::Batch(Batch { first_seq, records }));
    let empty = Bytes::new;
    let cases = [
        (
            "a second Hello",
            Some(Message::Hello(hello(&sender))),
            Code::InvalidArgument,
        ),
        ("an empty message", None, Code::InvalidArgument),
        ("an empty batch", batch_of(1, vec![]), Code::InvalidArgument),
        (
            "too many records",
            batch_of(1, vec![empty(); 4097]),
            Code::InvalidArgument,
        ),
        ("sequence 0", batch_of(0, vec![empty()]), Code::InvalidArgument),
        (
            "a sequence beyond all",
            batch_of(u64::MAX, vec![empty(); 2]),
            Code::InvalidArgument,
        ),
        ("an empty gap", gap(1, 0), Code::InvalidArgument),
        ("a gap beyond all", gap(1, u64::MAX), Code::InvalidArgument),
        (
            "a message beyond 8 MiB",
            batch_of(1, vec![Bytes::from(vec![1; 9 << 20])]),
            Code::InvalidArgument,
        ),
        (
            "a batch that is ahead",
            Some(Message::Batch(batch(2, 1))),
            Code::FailedPrecondition,
        ),
        ("a gap that is ahead", gap(2, 1), Code::FailedPrecondition),
    ];
    for (what, message, code) in cases {
        let mut stream = Stream::open(collector.channel().await).await;
        assert_eq!(stream.hello(&sender).await.unwrap(), 0);
        let status = stream.say(message).await.unwrap_err();
        assert_eq!(status.code(), code, "{what}: {status:?}");
        assert!(!status.message().is_empty(), "{what}");
    }
    assert_eq!(db.count("SELECT count(*) FROM records").await, 0);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hellos_that_break_the_rules_are_refused() {
    let Some(db) = Database::new("hellos_that_break_the_rules_are_refused").await else {
        return;
    };
    let collector = Collector::start(&db).await;
    let good = || hello(&sender());
    let long = Host {
        hostname: "x".repeat(257),
        ..Host::default()
    };
    let cases = [
        (
            "short id",
            Hello {
                agent_id: Bytes::from_static(b"short"),
                ..good()
            },
        ),
        (
            "nil epoch",
            Hello {
                epoch: vec![0; 16].into(),
                ..good()
            },
        ),
        (
            "long host name",
            Hello {
                host: Some(long),
                ..good()
            },
        ),
        (
            "long version",
            Hello {
                agent_version: "x".repeat(65),
                ..good()
            },
        ),
    ];
    for (what, hello) in cases {
        let mut stream = Stream::open(collector.channel().await).await;
        let status = stream.say(Some(Message::Hello(hello))).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{what}: {status:?}");
    }
    let mut stream = Stream::open(collector.channel().await).await;
    let status = stream.batch(batch(1, 1)).await.unwrap_err();
    assert_eq!(
        status.code(),
        Code::FailedPrecondition,
        "a batch before the Hello: {status:?}"
    );
    assert_eq!(db.count("SELECT count(*) FROM senders").await, 0);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_that_break_the_rules_are_refused() {
    let Some(db) = Database::new("questions_that_break_the_rules_are_refused").await else {
        return;
    };
    let collector = Collector::start(&db).await;
    let mut query = collector.query().await;
    let filter = |filter| ListFaultsRequest {
        filter: Some(filter),
        ..ListFaultsRequest::default()
    };
    let cases = [
        ListFaultsRequest {
            page_size: 501,
            ..ListFaultsRequest::default()
        },
        ListFaultsRequest {
            page_token: "not ours".to_owned(),
            ..ListFaultsRequest::default()
        },
        filter(FaultFilter {
            class: "x".repeat(65),
            ..FaultFilter::default()
        }),
        filter(FaultFilter {
            min_severity: 77,
            ..FaultFilter::default()
        }),
        filter(FaultFilter {
            host: "a\0b".to_owned(),
            ..FaultFilter::default()
        }),
        filter(FaultFilter {
            fingerprint: "no hex".to_owned(),
            ..FaultFilter::default()
        }),
    ];
    for request in cases {
        let status = query.list_faults(request.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{request:?}: {status:?}");
    }
    let mut get = async |id: &str| {
        query
            .get_fault(GetFaultRequest {
                id: id.to_owned(),
                read_mask: None,
            })
            .await
            .unwrap_err()
            .code()
    };
    assert_eq!(get("nonsense").await, Code::InvalidArgument);
    assert_eq!(get("00000000-0000-4000-8000-000000000000").await, Code::NotFound);
    assert_eq!(get("019aa000-0000-7000-8000-000000000000").await, Code::NotFound);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_the_grpc_port_does_no_harm() {
    let Some(db) = Database::new("garbage_on_the_grpc_port_does_no_harm").await else {
        return;
    };
    let collector = Collector::start(&db).await;
    let grpc = collector.grpc;
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 5000],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xffgarbage",
    ] {
        let ended = tokio::task::spawn_blocking(move || {
            let mut socket = std::net::TcpStream::connect(grpc).expect("it listens");
            socket
                .set_read_timeout(Some(std::time::Duration::from_secs(20)))
                .expect("a time-out");
            // The collector may hang up before it has heard everything.
            socket.write_all(garbage).ok();
            let mut answer = Vec::new();
            let ended = socket.read_to_end(&mut answer);
            !matches!(ended, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
        });
        assert!(ended.await.unwrap(), "the collector hangs up");
    }
    let mut stream = Stream::open(collector.channel().await).await;
    stream.hello(&sender()).await.unwrap();
    assert_eq!(stream.batch(batch(1, 1)).await.unwrap(), 1);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_gone_was_not_refused() {
    let Some(db) = Database::new("an_agent_that_is_gone_was_not_refused").await else {
        return;
    };
    let collector = Collector::start(&db).await;
    let server = collector.grpc;
    // All of its connections break with its runtime, as they do when a host dies.
    let gone = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let channel = tonic::transport::Channel::from_shared(format!("http://{server}")).unwrap();
            let mut stream = Stream::open(channel.connect().await.unwrap()).await;
            stream.hello(&sender()).await.unwrap();
        });
    });
    gone.join().unwrap();
    let metrics = async || fetch(collector.http, "/metrics").await.unwrap();
    tokio::time::timeout(PATIENCE, async {
        while !metrics().await.contains("telemetrics_streams 0") {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("its stream ends");
    let told = metrics().await;
    assert!(!told.contains("telemetrics_messages_refused_total{"), "{told}");
    collector.stop().await;
}

#[tokio::test]
async fn an_enrolled_agent_in_clear_is_taken_from_this_machine_only() {
    let Some(db) = Database::new("an_enrolled_agent_in_clear_is_taken_from_this_machine_only").await else {
        return;
    };
    let (enrolled, other) = (sender().agent_id, sender().agent_id);
    let token = sha256(b"token");
    let life = Duration::from_hours(1);
    db.store.create_token(&token, None, 1, life, "").await.unwrap();
    db.store
        .enrol(&token, enrolled, u64::from(u32::MAX))
        .await
        .unwrap();
    let admission = Admission::new(db.store.clone(), Agents::Any);
    let from = |address: &str, is_tls| Peer {
        address: Some(address.parse().unwrap()),
        is_tls,
        certificate: None,
    };
    for (peer, agent, is_taken) in [
        (from("127.0.0.1:1", false), enrolled, true),
        (from("[::ffff:127.0.0.1]:1", false), enrolled, true),
        (from("192.0.2.1:1", false), enrolled, false),
        (from("127.0.0.1:1", true), enrolled, false),
        (from("192.0.2.1:1", false), other, true),
    ] {
        let admitted = admission.admit(&peer, agent).await;
        let expected = if is_taken {
            None
        } else {
            Some(Code::Unauthenticated)
        };
        assert_eq!(admitted.err().map(|status| status.code()), expected, "{peer:?}");
    }
}
