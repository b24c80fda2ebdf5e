//! Real agents and collectors that know each other by certificates, with what is in between.

#![expect(clippy::expect_used, reason = "a test that cannot go on panics")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::Value;
use system_tests::site::{Site, said, url};

#[test]
fn an_enrolled_agent_delivers_over_tls_and_others_are_told_to_enrol() {
    let Some(site) = Site::new("an_enrolled_agent_delivers_over_tls_and_others_are_told_to_enrol") else {
        return;
    };
    let collector = site.collector("collector", &[]);
    let ca = site.dir().join("ca.pem");
    fs::write(&ca, site.admin(&["ca", "show", "--pem"])).expect("write");
    let mut stranger = site.agent(
        "stranger",
        &format!("url = {:?}\nca_file = {ca:?}", url(&collector)),
    );
    stranger.agent.restart().expect("it starts");
    stranger.wait_for_link("refusal", "not_enrolled");

    let mut host = site.agent("host", "");
    let token = site.token();
    let output = host.enroll(&url(&collector), &token);
    assert!(output.status.success(), "{output:?}");
    host.agent.restart().expect("it starts");
    host.deliver("known");
    assert!(
        host.link()["certificate_until_unix_s"]
            .as_i64()
            .expect("a moment")
            > 0
    );
    let key = fs::metadata(host.agent.state_dir().join("enrolment.json")).expect("the enrolment");
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&key.permissions()) & 0o777,
        0o600
    );

    // A token is for one host, and a host that was told so goes on as before.
    let output = stranger.enroll(&url(&collector), &token);
    assert!(said(&output).contains("backend token create"), "{output:?}");
    let fresh = stranger.enroll(&url(&collector), &site.token());
    assert!(fresh.status.success(), "{fresh:?}");
    stranger.deliver("no stranger any more");
    // Nobody enrols as somebody who is known.
    let again = stranger.enroll(&url(&collector), &site.token());
    assert!(said(&again).contains("--agent ID"), "{again:?}");
    let its_own = site.admin(&["token", "create", "--agent", &stranger.agent_id()]);
    assert!(stranger.enroll(&url(&collector), &its_own).status.success());
    site.database.assert_books_balance();
}

#[test]
fn an_agent_that_is_shut_out_is_told_so_and_comes_back_when_it_is_let_in() {
    let Some(site) = Site::new("an_agent_that_is_shut_out_is_told_so_and_comes_back_when_it_is_let_in")
    else {
        return;
    };
    let collector = site.collector("collector", &[]);
    let mut host = site.agent("host", "");
    host.enrolled(&url(&collector));
    host.agent.restart().expect("it starts");
    host.deliver("before");
    site.admin(&["agent", "revoke", &host.agent_id()]);
    host.wait_for_link("refusal", "revoked");
    let status = host.telemctl(&["status"]);
    assert!(
        String::from_utf8_lossy(&status.stdout).contains("REVOKED"),
        "{status:?}"
    );
    host.keep("while it is shut out");
    assert!(
        !site
            .stored()
            .iter()
            .any(|payload| payload == "while it is shut out")
    );
    site.admin(&["agent", "allow", &host.agent_id()]);
    assert!(host.telemctl(&["flush", "--timeout", "60"]).status.success());
    host.wait("what was kept to arrive", || {
        site.stored()
            .iter()
            .any(|payload| payload == "while it is shut out")
    });
}

#[test]
fn a_server_that_is_not_believed_gets_nothing() {
    let Some(site) = Site::new("a_server_that_is_not_believed_gets_nothing") else {
        return;
    };
    let collector = site.collector("collector", &[]);
    // The system's authorities do not know it.
    let mut host = site.agent("host", &format!("url = {:?}", url(&collector)));
    host.agent.restart().expect("it starts");
    host.wait_for_link("refusal", "untrusted");
    let ledger = host.telemctl(&["ledger"]);
    assert!(ledger.status.success() && ledger.stdout.is_empty(), "{ledger:?}");
    // Nor does a fingerprint of another.
    let other = format!("sha256:{}", "0f".repeat(32));
    let args = [
        "enroll",
        "--server",
        &url(&collector),
        "--token",
        "tlm_x",
        "--ca-fingerprint",
        &other,
    ];
    let output = host.telemctl(&args);
    assert!(said(&output).contains("--ca-fingerprint"), "{output:?}");
}

#[test]
fn a_pipeline_asks_the_collector_that_its_host_is_enrolled_at() {
    let Some(site) = Site::new("a_pipeline_asks_the_collector_that_its_host_is_enrolled_at") else {
        return;
    };
    let collector = site.collector("collector", &[]);
    let server = url(&collector);
    let gate = ["gate", "--from", "41", "--to", "42"];
    let host = site.agent("host", "");
    host.enrolled(&server);
    for named in [&[][..], &["--server", &server]] {
        let output = host.telemctl(&[&gate[..], named].concat());
        assert!(said(&output).contains("there is no build"), "{output:?}");
    }

    let stranger = site.agent("stranger", "");
    let output = stranger.telemctl(&[&gate[..], &["--server", &server]].concat());
    assert!(said(&output).contains("UnknownIssuer"), "{output:?}");
    let ca = site.dir().join("ca.pem");
    fs::write(&ca, site.admin(&["ca", "show", "--pem"])).expect("write");
    let ca = ca.to_str().expect("a path of UTF-8");
    let output = stranger.telemctl(&[&gate[..], &["--server", &server, "--ca-file", ca]].concat());
    assert!(said(&output).contains("there is no build"), "{output:?}");
}

#[test]
fn a_certificate_renews_itself_and_one_that_is_over_comes_back() {
    let Some(site) = Site::new("a_certificate_renews_itself_and_one_that_is_over_comes_back") else {
        return;
    };
    let collector = site.collector("collector", &["--certificate-life-s", "60"]);
    let mut host = site.agent("host", "");
    host.enrolled(&url(&collector));
    host.agent.restart().expect("it starts");
    host.deliver("first");
    let file = host.agent.state_dir().join("enrolment.json");
    let until = || {
        let enrolment: Value =
            serde_json::from_slice(&fs::read(&file).unwrap_or_default()).unwrap_or_default();
        enrolment["not_after_unix_s"].as_i64().unwrap_or(0)
    };
    let first = until();
    host.wait("another certificate", || until() > first);
    // It is off for longer than its certificate is good.
    assert!(host.agent.process().terminate().expect("it ends").success());
    let over = format!(
        "SELECT (extract(epoch FROM now()) > {} + 1)::int::bigint",
        until()
    );
    host.wait("the certificate to be over", || {
        site.database.number(&over).unwrap_or(0) == 1
    });
    let before = until();
    host.agent.restart().expect("it starts");
    host.deliver("after it was over");
    assert!(until() > before);
}

#[test]
fn the_second_collector_takes_over_and_the_first_is_gone_back_to() {
    let Some(site) = Site::new("the_second_collector_takes_over_and_the_first_is_gone_back_to") else {
        return;
    };
    let (mut first, second) = (site.collector("first", &[]), site.collector("second", &[]));
    let urls = format!("url = [{:?}, {:?}]", url(&first), url(&second));
    let mut host = site.agent("host", &urls);
    host.enrolled(&url(&first));
    host.agent.restart().expect("it starts");
    host.deliver("by the first");
    assert_eq!(host.link()["server"], url(&first));
    first.process().kill();
    host.deliver("by the second");
    assert_eq!(host.link()["server"], url(&second));
    first.restart().expect("it starts");
    host.wait("the first to be back", || {
        let link = host.link();
        link["server"] == url(&first) && link["state"] == "connected"
    });
    host.deliver("by the first again");
    site.database.assert_books_balance();
}

#[test]
fn a_proxy_of_the_environment_is_asked_to_connect() {
    let Some(site) = Site::new("a_proxy_of_the_environment_is_asked_to_connect") else {
        return;
    };
    let collector = site.collector("collector", &[]);
    let proxy = Proxy::start(collector.addresses().grpc);
    // Only the proxy knows where that is.
    let through = "https://collector.test:7130";
    let mut host = site.agent("host", &format!("url = {through:?}"));
    host.enrolled(&url(&collector));
    host.agent
        .set("HTTPS_PROXY", &format!("http://user:word@{}", proxy.address));
    host.agent.restart().expect("it starts");
    host.deliver("through the proxy");
    assert!(proxy.asked.load(Ordering::SeqCst) > 0);
}

#[test]
fn a_ledger_that_was_tampered_with_is_told_where() {
    let Some(site) = Site::new("a_ledger_that_was_tampered_with_is_told_where") else {
        return;
    };
    let collector = site.collector("collector", &[]);
    let mut host = site.agent("host", "");
    host.enrolled(&url(&collector));
    host.agent.restart().expect("it starts");
    host.deliver("one");
    host.deliver("two");
    assert!(host.agent.process().terminate().expect("it ends").success());
    let verified = host.telemctl(&["ledger", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
    let listed = host.telemctl(&["ledger", "--json"]);
    let lines: Vec<Value> = String::from_utf8_lossy(&listed.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines[0]["entry"]["kind"], "hello");
    assert_eq!(lines[0]["entry"]["server"], url(&collector));
    let told: u64 = lines
        .iter()
        .filter_map(|line| line["entry"]["classes"]["custom"].as_u64())
        .sum();
    assert_eq!(told, 2);

    let file = host.agent.state_dir().join("ledger.jsonl");
    let text = fs::read_to_string(&file).expect("the ledger");
    fs::write(&file, text.replacen("\"custom\":1", "\"custom\":9", 1)).expect("write");
    let broken = host.telemctl(&["ledger", "verify"]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&broken.stdout).contains("it was altered"),
        "{broken:?}"
    );
}

#[test]
fn what_is_kept_on_this_host_only_is_shown_as_it_would_leave() {
    let Some(site) = Site::new("what_is_kept_on_this_host_only_is_shown_as_it_would_leave") else {
        return;
    };
    let mut host = site.agent("host", "enabled = false");
    host.agent.restart().expect("it starts");
    host.keep("at home");
    host.wait_for_link("state", "off");
    let shown = host.telemctl(&["preview", "--json"]);
    let messages: Vec<Value> = String::from_utf8_lossy(&shown.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(messages[0]["kind"], "hello");
    assert_eq!(messages[0]["message"]["host"]["hostname"], "under-test");
    let custom = messages
        .iter()
        .filter_map(|message| message["records"].as_array())
        .flatten()
        .find(|record| record["custom"]["payload"] == "at home");
    assert!(custom.is_some(), "{shown:?}");
    // The bytes are those of the messages, each after its length.
    let raw = host.telemctl(&["preview", "--raw"]).stdout;
    let mut rest = raw.as_slice();
    let mut decoded = 0;
    while !rest.is_empty() {
        let message: proto::v1::DeliverRequest =
            prost::Message::decode_length_delimited(&mut rest).expect("a message");
        assert!(message.message.is_some());
        decoded += 1;
    }
    assert!(decoded >= messages.len());
    let ledger = host.telemctl(&["ledger"]);
    assert!(ledger.status.success() && ledger.stdout.is_empty(), "{ledger:?}");
}

/// A proxy that knows CONNECT and one host.
struct Proxy {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Proxy {
    fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let counted = Arc::clone(&counted);
                thread::spawn(move || serve(client, to, &counted));
            }
        });
        Self { address, asked }
    }
}

fn serve(mut client: TcpStream, to: SocketAddr, asked: &AtomicUsize) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && client.read_exact(&mut byte).is_ok() {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    // `printf user:word | base64`
    let is_right = head.starts_with("connect collector.test:7130 ")
        && head.contains("proxy-authorization: basic dxnlcjp3b3jk\r\n");
    let Ok(server) = TcpStream::connect(to) else {
        return;
    };
    if !is_right {
        client.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").ok();
        return;
    }
    asked.fetch_add(1, Ordering::SeqCst);
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok();
    let (mut up, mut down) = (
        client.try_clone().expect("a copy"),
        server.try_clone().expect("a copy"),
    );
    let mut server = server;
    let back = thread::spawn(move || std::io::copy(&mut down, &mut client).ok());
    std::io::copy(&mut up, &mut server).ok();
    server.shutdown(std::net::Shutdown::Write).ok();
    back.join().ok();
}
