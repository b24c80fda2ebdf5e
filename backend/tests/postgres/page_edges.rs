//! Pages at their edges: records at every limit, issues without a title, text that turns around, searches with a mistake.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use backend::access::Anonymous;
use proto::v1::{
    CallTrace, CrashThread, Custom, EventField, Frame, Heartbeat, HookState, Host, KernelReport, Precursor,
    ProgramCrash, Record, Register, Severity, UserFrame, event_field::Value, record::Payload,
};

use crate::pages::{ISSUE, PAGE_BYTES, oops, router};
use crate::support::{Database, ask, assert_says, get, host, of_issue, record, sender};

/// A text of so many bytes, each of which takes five of a page.
fn long(bytes: usize) -> String {
    "<".repeat(bytes)
}

fn kernel_report() -> Payload {
    let frame = Frame {
        function: long(32),
        ..Frame::default()
    };
    let trace = CallTrace {
        heading: long(128),
        frames: vec![frame; 256],
    };
    Payload::KernelReport(KernelReport {
        text: long(100_000),
        function: long(128),
        hardware: long(256),
        alt_titles: vec![long(256); 8],
        traces: vec![trace; 8],
        modules: vec![long(10); 1024],
        registers: vec![
            Register {
                name: long(16),
                value: long(64)
            };
            128
        ],
        ..KernelReport::default()
    })
}

fn crash() -> Payload {
    let frame = UserFrame {
        file: long(100),
        function: long(150),
        ..UserFrame::default()
    };
    let thread = CrashThread {
        tid: 7,
        frames: vec![frame.clone(); 16],
    };
    Payload::ProgramCrash(ProgramCrash {
        signal: 11,
        executable: long(12_288),
        frames: vec![frame; 64],
        threads: vec![thread; 32],
        ..ProgramCrash::default()
    })
}

fn heartbeat() -> Payload {
    let hook = HookState {
        name: long(64),
        reason: long(512),
        ..HookState::default()
    };
    Payload::Heartbeat(Heartbeat {
        hooks: vec![hook; 256],
        ..Heartbeat::default()
    })
}

fn custom() -> Payload {
    let field = EventField {
        name: long(64),
        value: Some(Value::Text(long(3072))),
    };
    Payload::Custom(Custom {
        payload: long(40_000),
        fields: vec![field; 60],
        ..Custom::default()
    })
}

/// Stores records at their limits, one of each kind, of each of `hosts` hosts at their limits.
async fn tell_at_limits(db: &Database, hosts: usize) {
    let told = Host {
        hostname: long(256),
        os_id: long(256),
        os_build: long(256),
        product: long(256),
        command_line: long(2048),
        ..host()
    };
    let precursor = Precursor {
        text: long(256),
        ..Precursor::default()
    };
    let record = |number: usize, payload| Record {
        class: format!("kernel.{}", "x".repeat(57)),
        severity: Severity::High.into(),
        title: long(256),
        kernel_release: long(128),
        fingerprints: of_issue(&format!("{number:032x}")),
        precursors: vec![precursor.clone(); 256 * usize::from(number == 1)],
        payload: Some(payload),
        ..record("")
    };
    let kinds = [kernel_report(), crash(), heartbeat(), custom()];
    let kinds = kinds.into_iter().enumerate();
    let records: Vec<Record> = kinds.map(|(number, payload)| record(number, payload)).collect();
    for _ in 0..hosts {
        let sender = sender();
        db.store.hello(&sender, &told, "1").await.unwrap();
        db.deliver(&sender, &records).await;
    }
    db.counted().await;
}

/// The addresses of the faults of a list.
fn faults_of(list: &str) -> Vec<&str> {
    let links = list.split("<a class=\"title\" href=\"").skip(1);
    links.filter_map(|rest| rest.split('"').next()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_record_says_its_pages_are_short_and_lead_to_all_of_it() {
    let test = "whatever_a_record_says_its_pages_are_short_and_lead_to_all_of_it";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let router = router(&db, Anonymous::Admin);
    tell_at_limits(&db, 13).await;
    let list = get(&router, "/faults?include_housekeeping=true&page_size=500").await;
    let faults = faults_of(&list);
    assert_eq!(faults.len(), 50, "more are on the next page");
    let mut pages = vec![
        "/faults?include_housekeeping=true&page_size=500".to_owned(),
        "/issues".to_owned(),
        "/".to_owned(),
    ];
    for fault in &faults[..4] {
        let page = get(&router, fault).await;
        assert!(
            page.contains(&format!("href=\"/api/v1{fault}\">all of it as JSON")),
            "{page}"
        );
        pages.push((*fault).to_owned());
    }
    // Heartbeats are of no issue.
    pages.extend([0, 1, 3].map(|number| format!("/issues/{number:032x}")));
    for path in pages {
        let bytes = get(&router, &path).await.len();
        assert!(bytes < PAGE_BYTES, "{path} has {bytes} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_without_a_title_is_called_by_its_class() {
    let Some(db) = Database::new("an_issue_without_a_title_is_called_by_its_class").await else {
        return;
    };
    let router = router(&db, Anonymous::Viewer);
    let untitled = Record {
        title: String::new(),
        ..oops()
    };
    let sender = db.tell(&[untitled]).await;
    db.counted().await;
    let named = format!("href=\"/issues/{ISSUE}\">kernel.oops</a>");
    for page in ["/", "/issues", &format!("/hosts/{}", sender.agent_id)] {
        assert_says(&get(&router, page).await, &[&named]);
    }
    let page = get(&router, &format!("/issues/{ISSUE}")).await;
    assert_says(&page, &["<h1>kernel.oops</h1>", "Subject: kernel.oops"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_title_turns_what_is_read_around() {
    let Some(db) = Database::new("no_title_turns_what_is_read_around").await else {
        return;
    };
    let router = router(&db, Anonymous::Admin);
    let turned = "safe \u{202e}gnp.exe\u{2066} \u{1b}[31m";
    db.tell(&[Record {
        title: turned.to_owned(),
        ..oops()
    }])
    .await;
    db.counted().await;
    let list = get(&router, "/faults").await;
    for path in [
        "/",
        "/issues",
        &format!("/issues/{ISSUE}"),
        "/faults",
        faults_of(&list)[0],
    ] {
        let page = get(&router, path).await;
        assert_says(&page, &["safe [U+202E]gnp.exe[U+2066] [U+001B][31m"]);
        let turns = |character| matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        assert!(!page.contains(turns), "{page}");
    }
    // What a form sends back is what was stored.
    let owner = "\u{202e}ann";
    let form = [("who", "bob"), ("owner", owner), ("state", "ongoing")];
    assert_eq!(decided(&router, &form).await, StatusCode::SEE_OTHER);
    let page = get(&router, &format!("/issues/{ISSUE}")).await;
    assert_says(
        &page,
        &["name=\"owner\" value=\"\u{202e}ann\"", "owner: [U+202E]ann"],
    );
}

/// Sends the form of the issue.
async fn decided(router: &Router, fields: &[(&str, &str)]) -> StatusCode {
    let mut form = form_urlencoded::Serializer::new(String::new());
    let body = form.extend_pairs(fields).finish();
    let request = Request::post(format!("/issues/{ISSUE}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(body));
    ask(router, request.unwrap()).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_have_so_many_characters_in_any_script() {
    let Some(db) = Database::new("texts_have_so_many_characters_in_any_script").await else {
        return;
    };
    let router = router(&db, Anonymous::Admin);
    db.tell(&[oops()]).await;
    db.counted().await;
    for letter in ["я", "語", "🦀"] {
        let text = letter.repeat(1000);
        let address = format!("https://{text}");
        let lines = "a\r\n".repeat(500);
        let form = [
            ("who", "ann"),
            ("owner", &text[..128 * letter.len()]),
            ("known_fix", &text),
            ("fixed_in", &text[..128 * letter.len()]),
            ("fix_url", &address),
            ("note", &lines),
        ];
        assert_eq!(decided(&router, &form).await, StatusCode::SEE_OTHER, "{letter}");
        let told = db.store.known_fixes().await.unwrap();
        let told = told.values().next().expect("hosts are told the fix");
        assert_eq!((&told.text, &told.url), (&text, &address));
        assert_eq!(
            decided(&router, &[("who", "ann"), ("note", &text)]).await,
            StatusCode::SEE_OTHER
        );
        let more = letter.repeat(1025);
        assert_eq!(
            decided(&router, &[("who", "ann"), ("note", &more)]).await,
            StatusCode::BAD_REQUEST
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_a_search_is_shown_where_it_is_and_the_search_stays() {
    let test = "a_mistake_in_a_search_is_shown_where_it_is_and_the_search_stays";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let router = router(&db, Anonymous::Admin);
    let of = async |path: &str| ask(&router, Request::get(path).body(Body::empty()).unwrap()).await;
    for path in [
        "/faults?q=%28%28%28",
        "/issues?state=new&q=%28%28%28",
        "/hosts?q=%28%28%28",
    ] {
        let (status, page) = of(path).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        assert_says(
            &page,
            &[
                "value=\"(((\"",
                "class=\"problem\"",
                "a condition is missing here",
                "(((\n   ^",
            ],
        );
        assert!(!page.contains("data-live") && !page.contains("matches"), "{page}");
    }
    // An open stream cannot say it any more.
    assert_eq!(of("/live?q=%28%28%28").await.0, StatusCode::BAD_REQUEST);
    for (path, words) in [
        ("/builds?days=abc", "days: a whole number, please"),
        ("/builds?by=zzz", "`zzz` is none of `build`"),
        ("/updates?days=99999999999", "days: that number is too large"),
    ] {
        let (status, page) = of(path).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        let own = path.split('?').next().unwrap();
        let back = format!("class=\"button\" href=\"{own}\"");
        assert_says(&page, &[words, &back, "href=\"/admin\""]);
    }
    let (status, page) = of("/?utm_source=newsletter").await;
    assert_eq!(status, StatusCode::OK);
    assert_says(&page, &["<h1>Overview"]);
}
