//! What people are told, by real servers that take it or not.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use backend::alerts::{self, File, Rules};
use backend::metrics::Metrics;
use backend::text::hex_digits;
use proto::v1::{Record, Severity};
use ring::hmac;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::{Database, PATIENCE, host, of_issue, record, sender};

pub(crate) const ISSUE: &str = "00112233445566778899aabbccddee0d";
const SECRET: &str = "sixteen bytes !!";

/// What a server was sent: its headers and its body.
#[derive(Clone, Default)]
pub(crate) struct Inbox {
    pub(crate) messages: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    /// Messages that it refuses before it takes any.
    refuses: Arc<Mutex<u32>>,
}

impl Inbox {
    pub(crate) fn len(&self) -> usize {
        self.messages.lock().unwrap().len()
    }

    pub(crate) fn json(&self, at: usize) -> Value {
        serde_json::from_str(&self.messages.lock().unwrap()[at].1).unwrap()
    }

    pub(crate) async fn wait_for(&self, messages: usize) {
        for _ in 0..PATIENCE.as_millis() / 50 {
            if self.len() >= messages {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("{} of {messages} messages came", self.len());
    }
}

async fn take(State(inbox): State<Inbox>, headers: HeaderMap, body: Bytes) -> StatusCode {
    {
        let mut refuses = inbox.refuses.lock().unwrap();
        if *refuses > 0 {
            *refuses -= 1;
            return StatusCode::SERVICE_UNAVAILABLE;
        }
    }
    let body = String::from_utf8(body.to_vec()).unwrap();
    inbox.messages.lock().unwrap().push((headers, body));
    StatusCode::OK
}

pub(crate) async fn http_server(path: &str) -> (SocketAddr, Inbox) {
    let inbox = Inbox::default();
    let router = Router::new().route(path, post(take)).with_state(inbox.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, inbox)
}

/// As much of RFC 5321 as a client needs that has one mail.
pub(crate) async fn mail_server() -> (SocketAddr, Inbox) {
    let inbox = Inbox::default();
    let kept = inbox.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            stream.write_all(b"220 mail.example\r\n").await.unwrap();
            let (mut mail, mut in_data, mut line) = (String::new(), false, String::new());
            while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
                if in_data && line != ".\r\n" {
                    mail.push_str(&line);
                } else {
                    let answer = match line.get(..4).unwrap_or_default() {
                        "DATA" => "354 go on\r\n",
                        "QUIT" => "221 bye\r\n",
                        _ => "250 ok\r\n",
                    };
                    in_data = line.starts_with("DATA");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
                line.clear();
            }
            if !mail.is_empty() {
                kept.messages.lock().unwrap().push((HeaderMap::new(), mail));
            }
        }
    });
    (address, inbox)
}

/// Tells of an issue on so many hosts.
pub(crate) async fn spread(db: &Database, hosts: usize) {
    for _ in 0..hosts {
        let oops = Record {
            class: "kernel.oops".to_owned(),
            severity: Severity::High.into(),
            title: "BUG: unable to handle page fault in\r\nexample".to_owned(),
            fingerprints: of_issue(ISSUE),
            ..record("")
        };
        db.tell(&[oops]).await;
    }
}

/// What runs until it is dropped.
pub(crate) struct Running(CancellationToken);

impl Running {
    pub(crate) fn start(db: &Database, rules: &Rules) -> Self {
        let shutdown = CancellationToken::new();
        tokio::spawn(alerts::run(
            db.store.clone(),
            File::of(Path::new("/nonexistent"), rules.clone()),
            Metrics::new(),
            shutdown.clone(),
        ));
        Self(shutdown)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

#[tokio::test]
async fn a_fault_that_spreads_is_told_signed_until_it_is_taken_and_again_when_it_ends() {
    let test = "a_fault_that_spreads_is_told_signed_until_it_is_taken_and_again_when_it_ends";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let (ops, inbox) = http_server("/hook").await;
    *inbox.refuses.lock().unwrap() = 1;
    let rules = Rules::parse(&format!(
        "pages = \"https://telemetry.example/\"
         [[target]]
         name = \"ops\"
         by = {{ webhook = {{ url = \"http://{ops}/hook\", secret_file = \"{}\" }} }}
         [[rule]]
         name = \"spreads\"
         when = {{ new_issue = {{ hosts = 3, within = \"1d\", class = \"kernel.\" }} }}
         targets = [\"ops\"]",
        secret.display()
    ))
    .unwrap();
    spread(&db, 2).await;
    alerts::look(&db.store, &rules).await.unwrap();
    assert!(
        db.store.open_alerts_listed().await.unwrap().is_empty(),
        "two are not three"
    );

    spread(&db, 1).await;
    // Both collectors of a database run; one of them looks, and one sends.
    let running = (Running::start(&db, &rules), Running::start(&db, &rules));
    inbox.wait_for(1).await;
    let told = inbox.json(0);
    assert_eq!(told["state"], "firing");
    assert_eq!(
        (&told["rule"], &told["object"]),
        (&"spreads".into(), &ISSUE.into())
    );
    assert_eq!(told["severity"], "high");
    assert_eq!(told["url"], format!("https://telemetry.example/issues/{ISSUE}"));
    let (headers, body) = inbox.messages.lock().unwrap()[0].clone();
    let signature = headers["x-telemetrics-signature"].to_str().unwrap();
    let (at, tag) = signature.trim_start_matches("t=").split_once(",v1=").unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let right = hmac::sign(&key, format!("{at}.{body}").as_bytes());
    assert_eq!(tag, hex_digits(right.as_ref()));
    assert_eq!(headers["x-telemetrics-id"].to_str().unwrap(), told["id"]);

    // Somebody looks after it: it is no longer new.
    let change = backend::store::IssueChange {
        who: "tom".to_owned(),
        state: Some(backend::store::IssueState::Ongoing),
        ..Default::default()
    };
    assert!(db.store.change_issue(ISSUE, &change).await.unwrap().is_some());
    alerts::look(&db.store, &rules).await.unwrap();
    inbox.wait_for(2).await;
    assert_eq!(inbox.json(1)["state"], "resolved");
    alerts::look(&db.store, &rules).await.unwrap();
    let sent = "SELECT count(*) FROM alert_messages WHERE done_at IS NOT NULL AND error = ''";
    for _ in 0..PATIENCE.as_millis() / 50 {
        if db.count(sent).await == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(db.count(sent).await, 2);
    assert_eq!(db.count("SELECT count(*) FROM alert_messages").await, 2);
    assert_eq!(inbox.len(), 2, "nothing is told twice");
    drop(running);
}

#[tokio::test]
async fn alertmanager_and_mail_are_told_as_they_understand_it() {
    let Some(db) = Database::new("alertmanager_and_mail_are_told_as_they_understand_it").await else {
        return;
    };
    let (alertmanager, alerts_inbox) = http_server("/api/v2/alerts").await;
    let (mail, mails) = mail_server().await;
    let rules = Rules::parse(&format!(
        "[[target]]
         name = \"am\"
         by = {{ alertmanager = {{ url = \"http://{alertmanager}/\" }} }}
         [[target]]
         name = \"mail\"
         [target.by.mail]
         server = \"smtp://{mail}\"
         from = \"telemetrics@example.org\"
         to = [\"kernel@example.org\", \"Ada <ada@example.org>\"]
         [[rule]]
         name = \"spreads\"
         when = {{ new_issue = {{ hosts = 1, within = \"1d\" }} }}
         targets = [\"am\", \"mail\"]"
    ))
    .unwrap();
    spread(&db, 1).await;
    let running = Running::start(&db, &rules);
    alerts_inbox.wait_for(1).await;
    mails.wait_for(1).await;
    drop(running);
    let alert = &alerts_inbox.json(0)[0];
    assert_eq!(alert["labels"]["alertname"], "spreads");
    assert_eq!(alert["labels"]["object"], ISSUE);
    let time = |key: &str| alert[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(time("endsAt") > time("startsAt"), "{alert}");
    let mail = mails.messages.lock().unwrap()[0].1.clone();
    let subject = mail.lines().find(|line| line.starts_with("Subject: ")).unwrap();
    assert!(
        subject.starts_with("Subject: [spreads] new on 1 host: BUG: unable to handle"),
        "{mail}"
    );
    assert!(
        mail.contains("\r\nTo: kernel@example.org, Ada <ada@example.org>\r\n"),
        "{mail}"
    );
    assert!(mail.contains(ISSUE), "{mail}");
}

#[tokio::test]
async fn what_is_silenced_is_told_when_the_silence_ends() {
    let Some(db) = Database::new("what_is_silenced_is_told_when_the_silence_ends").await else {
        return;
    };
    let rules = Rules::parse(
        "[[target]]
         name = \"nobody\"
         by = { webhook = { url = \"http://127.0.0.1:1/\" } }
         [[rule]]
         name = \"silent\"
         when = { silence = { longer_than = \"2h\" } }
         targets = [\"nobody\"]",
    )
    .unwrap();
    let sender = sender();
    db.store.hello(&sender, &host(), "1").await.unwrap();
    let sql = db.sql().await;
    sql.batch_execute("UPDATE hosts SET last_seen = now() - interval '3 hours'")
        .await
        .unwrap();
    let hour = std::time::Duration::from_hours(1);
    db.store
        .silence("silent", &sender.agent_id.to_string(), hour, "ada", "moving")
        .await
        .unwrap();
    alerts::look(&db.store, &rules).await.unwrap();
    let open = db.store.open_alerts_listed().await.unwrap();
    assert_eq!(
        (&open[0]["silenced"], &open[0]["told"]),
        (&true.into(), &Value::Null),
        "{open:?}"
    );
    let messages = "SELECT count(*) FROM alert_messages";
    assert_eq!(db.count(messages).await, 0);

    sql.batch_execute("UPDATE alert_silences SET until = now()")
        .await
        .unwrap();
    alerts::look(&db.store, &rules).await.unwrap();
    assert_eq!(db.count(messages).await, 1);
    alerts::look(&db.store, &rules).await.unwrap();
    assert_eq!(db.count(messages).await, 1, "it is told once");
    // The host is forgotten: nobody has to hear that it is back.
    sql.batch_execute("UPDATE hosts SET last_seen = now() - interval '20 days'")
        .await
        .unwrap();
    alerts::look(&db.store, &rules).await.unwrap();
    assert!(db.store.open_alerts_listed().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_rule_that_fails_leaves_the_others_alone_and_its_own_alerts_open() {
    let test = "a_rule_that_fails_leaves_the_others_alone_and_its_own_alerts_open";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let rules = Rules::parse(
        "[[target]]
         name = \"nobody\"
         by = { webhook = { url = \"http://127.0.0.1:1/\" } }
         [[rule]]
         name = \"spreads\"
         when = { new_issue = { hosts = 1, within = \"1d\" } }
         targets = [\"nobody\"]
         [[rule]]
         name = \"silent\"
         when = { silence = { longer_than = \"2h\" } }
         targets = [\"nobody\"]",
    )
    .unwrap();
    spread(&db, 1).await;
    db.counted().await;
    alerts::look(&db.store, &rules).await.unwrap();
    let open = db.store.open_alerts_listed().await.unwrap();
    assert_eq!(open.len(), 1, "{open:?}");

    let sql = db.sql().await;
    sql.batch_execute(
        "UPDATE hosts SET last_seen = now() - interval '3 hours';
         ALTER VIEW v_issues RENAME COLUMN state TO gone",
    )
    .await
    .unwrap();
    let fails = alerts::find(&db.store, &rules.rules()[0].when, &[]).await;
    assert!(fails.is_err(), "{fails:?}");
    alerts::look(&db.store, &rules).await.unwrap();
    let open = db.store.open_alerts_listed().await.unwrap();
    let open: Vec<_> = open.iter().map(|alert| alert["rule"].as_str().unwrap()).collect();
    assert_eq!(open, ["spreads", "silent"], "the worst first");
}
