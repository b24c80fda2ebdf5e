//! Who may ask: people with sessions, programs with tokens, strangers.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use backend::access::{Anonymous, Role, hash, secret};
use backend::authority::sha256;
use backend::ingest::Quota;
use proto::v1::{ListFaultsRequest, Record};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tower::ServiceExt as _;

use crate::support::{Collector, Database, of_issue, record};

const ISSUE: &str = "00112233445566778899aabbccddee0c";
const PASSWORD: &str = "a lot of words";

struct Site {
    router: Router,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Site {
    fn new(db: &Database, anonymous: Anonymous) -> Self {
        Self {
            router: db.router(anonymous, &CancellationToken::new()),
        }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap().to_vec();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body).unwrap(),
        }
    }

    async fn get(&self, address: &str, who: (header::HeaderName, &str)) -> Answer {
        let request = Request::get(address).header(who.0, who.1);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn sign_in(&self, name: &str, password: &str) -> Answer {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("name", name), ("password", password), ("next", "/?host=web-07")])
            .finish();
        let request =
            Request::post("/login").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form)).unwrap()).await
    }

    /// The cookie of somebody who is known.
    async fn cookie(&self, name: &str) -> String {
        let answer = self.sign_in(name, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(answer.header(header::LOCATION), "/?host=web-07");
        let cookie = answer.header(header::SET_COOKIE);
        assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
        cookie.split(';').next().unwrap().to_owned()
    }

    async fn resolve(&self, headers: &[(header::HeaderName, &str)]) -> Answer {
        let mut request =
            Request::post(format!("/api/v1/issues/{ISSUE}")).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let change = r#"{"who":"somebody else","state":"resolved"}"#;
        self.send(request.body(Body::from(change)).unwrap()).await
    }
}

/// A stranger shows nothing that says who they are.
const STRANGER: (header::HeaderName, &str) = (header::ACCEPT, "*/*");

async fn add(db: &Database, name: &str, role: Role) {
    let hash = hash(PASSWORD).unwrap();
    db.store.set_person(name, role, &hash).await.unwrap();
}

async fn tell_of_an_issue(db: &Database) {
    let oops = Record {
        class: "kernel.oops".to_owned(),
        title: "BUG: unable to handle page fault in example".to_owned(),
        fingerprints: of_issue(ISSUE),
        ..record("")
    };
    db.tell(&[oops]).await;
}

#[tokio::test]
async fn strangers_are_led_to_sign_in_and_told_nothing() {
    let Some(db) = Database::new("strangers_are_led_to_sign_in_and_told_nothing").await else {
        return;
    };
    let site = Site::new(&db, Anonymous::None);
    for page in ["/?host=web-07", "/faults", "/nowhere"] {
        let answer = site.get(page, STRANGER).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{page}");
        assert!(
            answer.header(header::LOCATION).starts_with("/login?next="),
            "{page}"
        );
        assert_eq!(answer.body, "");
    }
    for program in ["/api/v1/faults", "/live", "/metrics"] {
        let answer = site.get(program, STRANGER).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{program}");
        assert_eq!(answer.header(header::WWW_AUTHENTICATE), "Bearer");
        let problem = answer.header(header::CONTENT_TYPE);
        assert_eq!(problem, "application/problem+json", "{program}");
    }
    assert_eq!(site.resolve(&[]).await.status, StatusCode::UNAUTHORIZED);
    for open in ["/healthz", "/readyz", "/login?next=/x", "/static/app.css"] {
        assert_eq!(site.get(open, STRANGER).await.status, StatusCode::OK, "{open}");
    }
    let wrong = (header::AUTHORIZATION, "Bearer tla_0");
    assert_eq!(
        site.get("/api/v1/faults", wrong).await.status,
        StatusCode::UNAUTHORIZED
    );
    // Whoever shows a token means to be known by it, also where strangers may look.
    let open = Site::new(&db, Anonymous::Viewer);
    let wrong = (header::AUTHORIZATION, "Bearer tla_0");
    assert_eq!(
        open.get("/api/v1/faults", wrong).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(open.get("/", STRANGER).await.status, StatusCode::OK);
    assert_eq!(open.resolve(&[]).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn people_sign_in_and_do_what_their_role_allows() {
    let Some(db) = Database::new("people_sign_in_and_do_what_their_role_allows").await else {
        return;
    };
    tell_of_an_issue(&db).await;
    let site = Site::new(&db, Anonymous::None);
    add(&db, "vera", Role::Viewer).await;
    add(&db, "tom", Role::Triager).await;

    let vera = site.cookie("vera").await;
    let page = site.get("/", (header::COOKIE, &vera)).await;
    assert!(
        page.status.is_success() && page.body.contains("vera"),
        "{}",
        page.body
    );
    assert_eq!(
        site.resolve(&[(header::COOKIE, &vera)]).await.status,
        StatusCode::FORBIDDEN
    );

    let tom = site.cookie("tom").await;
    let from_elsewhere = [
        (header::COOKIE, tom.as_str()),
        (header::ORIGIN, "https://evil.example"),
    ];
    assert_eq!(site.resolve(&from_elsewhere).await.status, StatusCode::FORBIDDEN);
    let changed = site.resolve(&[(header::COOKIE, &tom)]).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    let issue: Value = serde_json::from_str(&changed.body).unwrap();
    assert_eq!(issue["history"][0]["who"], "tom", "{issue}");

    db.store.set_role("tom", Role::Viewer).await.unwrap();
    assert_eq!(
        site.resolve(&[(header::COOKIE, &tom)]).await.status,
        StatusCode::FORBIDDEN
    );
    let out = Request::post("/logout").header(header::COOKIE, &tom);
    assert_eq!(
        site.send(out.body(Body::empty()).unwrap()).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(
        site.get("/", (header::COOKIE, &tom)).await.status,
        StatusCode::SEE_OTHER
    );
    assert!(db.store.remove_person("vera").await.unwrap());
    assert_eq!(
        site.get("/", (header::COOKIE, &vera)).await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn whoever_guesses_passwords_has_to_wait_and_is_written_down() {
    let Some(db) = Database::new("whoever_guesses_passwords_has_to_wait_and_is_written_down").await else {
        return;
    };
    let site = Site::new(&db, Anonymous::None);
    add(&db, "ada", Role::Admin).await;
    for name in ["ada", "nobody", "\0' OR 1=1"] {
        let answer = site.sign_in(name, "wrong").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.body.contains("do not belong together"), "{}", answer.body);
        assert!(!answer.headers.contains_key(header::SET_COOKIE));
    }
    let mut status = StatusCode::FORBIDDEN;
    for _ in 0..10 {
        status = site.sign_in("ada", "wrong").await.status;
    }
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    let right = site.sign_in("ada", PASSWORD).await;
    assert_eq!(right.status, StatusCode::TOO_MANY_REQUESTS, "it has to wait too");
    let log = db.store.audit_log().await.unwrap();
    assert!(
        log.iter()
            .any(|entry| entry.who == "ada" && entry.action == "sign-in-refused")
    );
}

#[tokio::test]
async fn a_program_asks_with_a_token_until_it_is_taken_back() {
    let Some(db) = Database::new("a_program_asks_with_a_token_until_it_is_taken_back").await else {
        return;
    };
    let collector = Collector::with(&db, Quota::default(), Anonymous::None).await;
    let mut query = collector.query().await;
    let refused = query.list_faults(ListFaultsRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");

    let token = secret("tla_").unwrap();
    let hash = sha256(token.as_bytes());
    let life = Duration::from_hours(1);
    db.store
        .create_api_token(&hash, Role::Viewer, life, "grafana")
        .await
        .unwrap();
    let request = || {
        let mut request = tonic::Request::new(ListFaultsRequest::default());
        let value = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        request
    };
    query.list_faults(request()).await.unwrap();

    let id = db.store.api_tokens().await.unwrap()[0].id.clone();
    assert!(db.store.revoke_api_token(&id).await.unwrap());
    let refused = query.list_faults(request()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
    // Agents are asked something else.
    tell_of_an_issue(&db).await;
    collector.stop().await;
}

#[tokio::test]
async fn this_machine_itself_may_ask_and_whoever_comes_through_a_proxy_may_not() {
    let test = "this_machine_itself_may_ask_and_whoever_comes_through_a_proxy_may_not";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let collector = Collector::with(&db, Quota::default(), Anonymous::Local).await;
    let http = collector.http;
    let ask = async |headers: &str| {
        let mut stream = TcpStream::connect(http).await.unwrap();
        let request = format!("GET / HTTP/1.1\r\n{headers}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer)
            .split(' ')
            .nth(1)
            .unwrap()
            .to_owned()
    };
    assert_eq!(ask("Host: 127.0.0.1").await, "200");
    assert_eq!(ask("Host: rebound.example").await, "303");
    assert_eq!(ask("Host: 127.0.0.1\r\nX-Forwarded-For: 192.0.2.1").await, "303");
    let mut query = collector.query().await;
    query.list_faults(ListFaultsRequest::default()).await.unwrap();
    collector.stop().await;
}

fn backend(db: &Database, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_backend"))
        .args(arguments)
        .env("BACKEND_DATABASE_URL", &db.url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that asks for nothing may have ended.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    child.wait_with_output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn people_and_tokens_are_kept_from_the_command_line() {
    let Some(db) = Database::new("people_and_tokens_are_kept_from_the_command_line").await else {
        return;
    };
    let said = |arguments: &[&str], input: &str| {
        let output = backend(&db, arguments, input);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    said(&["people", "add", "ada", "--role", "admin"], "a lot of words\n");
    assert!(said(&["people", "list"], "").starts_with("ada  "));
    let site = Site::new(&db, Anonymous::None);
    site.cookie("ada").await;
    said(&["people", "role", "ada", "viewer"], "");
    let listed: Value = serde_json::from_str(&said(&["people", "list", "--json"], "")).unwrap();
    assert_eq!(
        (&listed["role"], &listed["sessions"]),
        (&"viewer".into(), &1.into())
    );

    let token = said(&["api-token", "create", "--note", "grafana"], "");
    let bearer = format!("Bearer {}", token.trim());
    let answer = site.get("/api/v1/faults", (header::AUTHORIZATION, &bearer)).await;
    assert_eq!(answer.status, StatusCode::OK);
    let id = said(&["api-token", "list"], "")[..16].to_owned();
    said(&["api-token", "revoke", &id], "");
    let answer = site.get("/api/v1/faults", (header::AUTHORIZATION, &bearer)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);

    let log = said(&["audit"], "");
    for action in [
        "people.add",
        "people.role",
        "sign-in",
        "api-token.create",
        "api-token.revoke",
    ] {
        assert!(log.contains(action), "{action} in {log}");
    }
    for (wrong, input) in [
        (&["people", "add", "Ada B"][..], ""),
        (&["people", "add", "bob"], "short\n"),
        (&["people", "remove", "bob"], ""),
        (&["api-token", "revoke", "0"], ""),
    ] {
        let output = backend(&db, wrong, input);
        assert!(!output.status.success() && !output.stderr.is_empty(), "{wrong:?}");
    }
}
