//! Answers that need no database, and the answers when there is none.

use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::access::{Access, Anonymous};
use crate::http::{Started, router};
use crate::metrics::Metrics;
use crate::store::Store;
use crate::symbols::Symbols;

/// Nothing listens there.
const AWAY: &str = "postgres://nobody@127.0.0.1:1/nothing";

pub(super) struct Answer {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    fn error(&self) -> (String, String) {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(json["status"], self.status.as_u16());
        let word = |key: &str| json[key].as_str().unwrap().to_owned();
        (word("code"), word("detail"))
    }
}

pub(super) async fn send(request: Request<Body>) -> Answer {
    let store = Store::new(AWAY).unwrap();
    let router = router(
        store.clone(),
        Symbols::none(store.clone()),
        Access::new(store, Anonymous::Admin),
        Metrics::new(),
        Started::default(),
        CancellationToken::new(),
    );
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap().to_vec();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

pub(super) async fn get(address: &str) -> Answer {
    send(Request::get(address).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn garbage_is_refused_with_the_parameter_named() {
    for (query, message) in [
        (
            "sort=asc",
            "unknown parameter \"sort\"; there are q, class, min_severity, host, kernel_release, fingerprint, \
             include_housekeeping, page_size, page_token",
        ),
        ("page_size=none", "page_size must be a number from 1 to 500"),
        (
            "min_severity=awful",
            "min_severity must be low, medium, high, critical, or 1 to 4",
        ),
        ("fingerprint=xyz", "fingerprint must be 32 hexadecimal digits"),
        (
            "host=%00",
            "host must be a host name or an agent id, at most 256 bytes",
        ),
        ("class=a&class=b", "class is given more than once"),
    ] {
        let api = get(&format!("/api/v1/faults?{query}")).await;
        assert_eq!(api.status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(api.error(), ("invalid_argument".into(), message.into()));
        for page in ["/faults", "/live"] {
            let page = get(&format!("{page}?{query}")).await;
            assert_eq!(page.status, StatusCode::BAD_REQUEST, "{query}");
            assert!(page.text().contains("This request cannot be read"), "{query}");
        }
    }
    let long = get(&format!("/api/v1/faults?host={}", "x".repeat(12_289))).await;
    assert_eq!(long.status, StatusCode::URI_TOO_LONG);
    assert_eq!(get("/live?after=1").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn ids_that_are_none_are_refused() {
    for id in [
        "1",
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "%ff",
        "0193a5c0000070008000000000000001",
    ] {
        let api = get(&format!("/api/v1/faults/{id}")).await;
        assert_eq!(api.status, StatusCode::BAD_REQUEST, "{id}");
        assert_eq!(
            get(&format!("/faults/{id}")).await.status,
            StatusCode::BAD_REQUEST,
            "{id}"
        );
    }
    let (_, detail) = get("/api/v1/issues/6").await.error();
    assert_eq!(detail, "the id of an issue has 32 hexadecimal digits");
    for score in ["101", "-1", "NaN"] {
        let (code, detail) = get(&format!("/api/v1/hardware?min_score={score}")).await.error();
        assert_eq!(code, "invalid_argument", "{score}");
        assert!(detail.contains("0 to 100"), "{score}: {detail}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_right_form() {
    let page = get("/nothing%3Cscript%3E").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.text().contains("there is nothing at this address"));
    assert!(!page.text().contains("<script>"));
    let api = get("/api/v1/nothing").await;
    assert_eq!(api.status, StatusCode::NOT_FOUND);
    assert_eq!(api.error().0, "not_found");
    assert_eq!(get("/static/..%2fCargo.toml").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn nothing_can_be_written() {
    for (address, method) in [
        ("/", Method::POST),
        ("/api/v1/faults", Method::DELETE),
        ("/healthz", Method::PUT),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(address)
            .body(Body::empty())
            .unwrap();
        assert_eq!(
            send(request).await.status,
            StatusCode::METHOD_NOT_ALLOWED,
            "{address}"
        );
    }
    let large = Request::get("/")
        .header(header::CONTENT_LENGTH, "1000000")
        .body(Body::empty())
        .unwrap();
    assert_eq!(send(large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_body_that_is_too_long_gets_a_problem_however_it_comes() {
    let issue = "/api/v1/issues/00112233445566778899aabbccddeeff";
    let change = || Request::post(issue).header(header::CONTENT_TYPE, "application/json");
    let announced = change()
        .header(header::CONTENT_LENGTH, "1000000")
        .body(Body::empty());
    let long = format!("{{\"note\":\"{}\"}}", "x".repeat(100_000));
    let in_pieces = change().body(Body::from_stream(tokio_stream::once(Ok::<_, std::io::Error>(
        long,
    ))));
    for request in [announced, in_pieces] {
        let answer = send(request.unwrap()).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        let (code, detail) = answer.error();
        assert_eq!(code, "invalid_argument");
        assert!(detail.contains("65536 bytes"), "{detail}");
    }
}

#[tokio::test]
async fn without_a_database_everything_says_so() {
    let page = get("/").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.text().contains("the database is not available"));
    assert_eq!(page.headers[header::RETRY_AFTER], "5");

    let api = get("/api/v1/faults/0193a5c0-0000-7000-8000-000000000001").await;
    assert_eq!(api.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(api.error().0, "unavailable");
    assert_eq!(get("/live").await.status, StatusCode::SERVICE_UNAVAILABLE);

    let health = get("/healthz").await;
    assert_eq!(health.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        health.text().contains("the database is not available: "),
        "{}",
        health.text()
    );

    let metrics = get("/metrics").await;
    assert_eq!(metrics.status, StatusCode::OK);
    assert!(metrics.text().ends_with("# EOF\n"));
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    for address in [
        "/",
        "/nothing",
        "/api/v1/faults?x=1",
        "/static/app.js",
        "/metrics",
        "/faults/1",
        "/issues",
        "/hosts",
        "/builds",
    ] {
        let headers = get(address).await.headers;
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'self'; "), "{address}");
        assert!(!policy.contains("unsafe"), "{address}");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{address}");
        assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY", "{address}");
    }
}

/// The content security policy refuses inline scripts and styles, so a page that had some would be broken.
#[test]
fn templates_have_nothing_inline() {
    for template in [
        include_str!("../../../templates/admin.html"),
        include_str!("../../../templates/bars.html"),
        include_str!("../../../templates/base.html"),
        include_str!("../../../templates/builds.html"),
        include_str!("../../../templates/error.html"),
        include_str!("../../../templates/fact.html"),
        include_str!("../../../templates/hardware_events.html"),
        include_str!("../../../templates/host.html"),
        include_str!("../../../templates/hosts.html"),
        include_str!("../../../templates/issue.html"),
        include_str!("../../../templates/issue_row.html"),
        include_str!("../../../templates/issues.html"),
        include_str!("../../../templates/overview.html"),
        include_str!("../../../templates/range.html"),
        include_str!("../../../templates/sections.html"),
        include_str!("../../../templates/fault.html"),
        include_str!("../../../templates/first_host.html"),
        include_str!("../../../templates/list.html"),
        include_str!("../../../templates/row.html"),
        include_str!("../../../templates/searches.html"),
    ] {
        for inline in [
            "<style", "style=", "onclick", "<script>", "|safe", "http://", "https://",
        ] {
            assert!(!template.contains(inline), "{inline} in {template}");
        }
        let values = template.split("value=\"{{").skip(1);
        for value in values.filter_map(|rest| rest.split("}}").next()) {
            assert!(
                value.contains("|escape(\"value\")"),
                "{value} is to be sent back as it is"
            );
        }
    }
}

#[tokio::test]
async fn files_are_sent_once() {
    let file = get("/static/app.css").await;
    assert_eq!(file.status, StatusCode::OK);
    assert_eq!(file.headers[header::CONTENT_TYPE], "text/css; charset=utf-8");
    let tag = &file.headers[header::ETAG];
    let again = Request::get("/static/app.css")
        .header(header::IF_NONE_MATCH, tag)
        .body(Body::empty())
        .unwrap();
    let again = send(again).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    assert!(again.body.is_empty());
}

#[tokio::test]
async fn answers_are_compressed_for_those_who_ask() {
    let request = Request::get("/static/app.css")
        .header(header::ACCEPT_ENCODING, "gzip")
        .body(Body::empty())
        .unwrap();
    let answer = send(request).await;
    assert_eq!(answer.headers[header::CONTENT_ENCODING], "gzip");
    assert!(answer.body.starts_with(&[0x1f, 0x8b]));
}

/// What the server answers to these bytes.
async fn answer_to(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may have refused and closed before it has read all.
    drop(stream.write_all(bytes).await);
    let mut answer = [0; 64];
    let length = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test]
async fn bytes_that_are_no_request_get_an_answer() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let store = Store::new(AWAY).unwrap();
    let router = router(
        store.clone(),
        Symbols::none(store.clone()),
        Access::new(store, Anonymous::Admin),
        Metrics::new(),
        Started::default(),
        CancellationToken::new(),
    );
    tokio::spawn(async { axum::serve(listener, router).await });
    let long_address = format!("GET /?{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(70_000));
    for (bytes, status) in [
        (b"\0\x01\xff garbage\r\n\r\n".as_slice(), "HTTP/1.1 400 "),
        (b"GET / HTTP/9.9\r\n\r\n", "HTTP/1.1 400 "),
        (b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n", "HTTP/1.1 400 "),
        (
            b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9999999\r\n\r\n",
            "HTTP/1.1 413 ",
        ),
        (long_address.as_bytes(), "HTTP/1.1 414 "),
    ] {
        let answer = answer_to(address, bytes).await;
        assert!(answer.starts_with(status), "{answer}");
    }
    let still_there = answer_to(address, b"GET /static/app.js HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(still_there.starts_with("HTTP/1.1 200 "), "{still_there}");
}
