//! The pages of the fleet, its hosts and builds, from what a real store holds, as a browser without scripts uses them.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::{Router, response::Response};
use backend::access::Anonymous;
use backend::alerts::{Rules, look};
use proto::v1::{Heartbeat, HookState, KernelReport, Obituary, Record, Severity, record::Payload};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::statistics::fleet;
use crate::support::{Database, assert_says, get, host, of_issue, record, sender};

/// What [`oops`] is grouped by.
pub(crate) const ISSUE: &str = "00112233445566778899aabbccddeeff";
/// No page is larger.
pub(crate) const PAGE_BYTES: usize = 200_000;

pub(crate) fn router(db: &Database, strangers: Anonymous) -> Router {
    db.router(strangers, &CancellationToken::new())
}

pub(crate) async fn text(response: Response) -> String {
    let body = to_bytes(response.into_body(), 1 << 24).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

/// An oops whose every text is hostile.
pub(crate) fn oops() -> Record {
    Record {
        class: "kernel.oops".to_owned(),
        severity: Severity::High.into(),
        title: "BUG: unable to handle <script>alert('x')</script> in example".to_owned(),
        kernel_release: "6.1.0-35-amd64".to_owned(),
        fingerprints: of_issue(ISSUE),
        payload: Some(Payload::KernelReport(KernelReport {
            text: "BUG: the text <script>of</script> the report".to_owned(),
            function: "example".to_owned(),
            ..KernelReport::default()
        })),
        ..record("")
    }
}

/// Stores the oops from so many hosts.
pub(crate) async fn tell(db: &Database, hosts: usize) {
    for _ in 0..hosts {
        db.tell(&[oops()]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_tells_how_the_fleet_is() {
    let Some(db) = Database::new("the_overview_tells_how_the_fleet_is").await else {
        return;
    };
    let router = router(&db, Anonymous::Admin);
    assert!(get(&router, "/").await.contains("No host was heard yet"));
    tell(&db, 2).await;
    let milder = format!("{:032x}", 7);
    let later = Record {
        severity: Severity::Medium.into(),
        fingerprints: of_issue(&milder),
        ..oops()
    };
    db.tell(&[later]).await;
    db.counted().await;
    fleet(&db).await;
    let page = get(&router, "/").await;
    assert_says(
        &page,
        &[
            "Hosts heard",
            "nothing lost in 7 days",
            "balanced",
            "kernel.oops",
            "2 hosts",
            "is not worse than",
            r#"class="mono">42<"#,
        ],
    );
    let places = [ISSUE, &milder].map(|issue| page.find(&format!(r#"href="/issues/{issue}""#)));
    assert!(places[0].is_some(), "a new issue asks to be looked at");
    assert!(places[0] < places[1], "the most severe first");
    assert!(page.contains(" in 1,000 host-hours ("), "days have words");
    assert!(
        page.contains("from=41&#38;to=42") || page.contains("from=42&#38;to=41"),
        "{page}"
    );

    // What the rules of alerts find is there until it is silenced.
    let rules = "[[rule]]\nname = 'new'\nwhen = { new_issue = { hosts = 1, within = '1d' } }\ntargets = []";
    assert!(!page.contains("rules of the alerts file"), "{page}");
    look(&db.store, &Rules::parse(rules).unwrap()).await.unwrap();
    let page = get(&router, "/").await;
    assert!(page.contains("rules of the alerts file"), "{page}");
    let hour = Duration::from_hours(1);
    db.store.silence("new", "", hour, "ann", "").await.unwrap();
    assert!(!get(&router, "/").await.contains("rules of the alerts file"));

    // However many fell silent since, what is worse is told, and how many there are.
    let many = "INSERT INTO alerts (rule, object, severity, summary, path, since) VALUES
                    ('parts', 'old', 4, 'the module fails', '/hardware', now() - interval '3 days'),
                    ('silent', 'worse', 3, 'the gateway is silent', '/hosts', now() - interval '2 days');
                INSERT INTO alerts (rule, object, severity, summary, path)
                SELECT 'silent', n, 2, 'one of many is silent', '/hosts' FROM generate_series(1, 1201) AS n;
                INSERT INTO alert_silences (rule, object, until, who) VALUES ('silent', '1', now() + interval '1 hour', 'ann')";
    db.sql().await.batch_execute(many).await.unwrap();
    let page = get(&router, "/").await;
    let places = ["the module fails", "the gateway is silent", "and 1,200 more"].map(|text| page.find(text));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{page}");
    assert!(!page.contains("one of many"), "one of each rule: {page}");
    let admin = get(&router, "/admin").await;
    assert!(admin.contains("the module fails"), "{admin}");

    // The list of faults was here once.
    let request = Request::get("/?host=web-07").body(Body::empty()).unwrap();
    let moved = router.clone().oneshot(request).await.unwrap();
    assert_eq!(moved.headers()[header::LOCATION], "/faults?host=web-07");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_has_a_page_with_its_faults_boots_and_books() {
    let Some(db) = Database::new("a_host_has_a_page_with_its_faults_boots_and_books").await else {
        return;
    };
    let router = router(&db, Anonymous::Admin);
    assert!(get(&router, "/hosts").await.contains("No hosts yet"));
    let sender = sender();
    db.store.hello(&sender, &host(), "1").await.unwrap();
    let end = Record {
        class: "boot.end".to_owned(),
        severity: Severity::High.into(),
        title: "panic: <b>example</b>".to_owned(),
        boot_id: "the boot before".to_owned(),
        payload: Some(Payload::Obituary(Obituary::default())),
        ..record("")
    };
    let beat = |boot_id: &str| Record {
        class: "telemetry.heartbeat".to_owned(),
        boot_id: boot_id.to_owned(),
        kernel_release: "6.1.0-35-amd64".to_owned(),
        payload: Some(Payload::Heartbeat(Heartbeat {
            hooks: vec![HookState {
                name: "console".to_owned(),
                attach: "tp_btf".to_owned(),
                ..HookState::default()
            }],
            host_uptime_s: 5_400,
            ..Heartbeat::default()
        })),
        ..record("")
    };
    let now = u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap();
    let records = [beat("the boot before"), oops(), end, beat("this boot")].map(|record| Record {
        occurred_at_unix_ns: now,
        ..record
    });
    db.deliver(&sender, &records).await;

    let address = format!("/hosts/{}", sender.agent_id);
    assert!(get(&router, "/hosts").await.contains(&address));
    assert!(get(&router, "/hosts?q=-arch:none").await.contains(&address));
    assert!(
        get(&router, "/hosts?q=arch:none")
            .await
            .contains("No host matches")
    );
    let page = get(&router, &address).await;
    assert_says(
        &page,
        &[
            "Latest faults",
            &format!("/issues/{ISSUE}"),
            r#"class="timeline""#,
            "2 boots, 0 events of hardware and 1 event of software",
            "panic: &#60;b&#62;example",
            "not told",
            "1 h 30 min",
            "console",
            "balanced",
        ],
    );
    assert!(!page.contains("<script>") && !page.contains("<b>example"));
    for (address, status) in [
        ("/hosts/nobody", StatusCode::BAD_REQUEST),
        (
            "/hosts/00000000-0000-4000-8000-000000000000",
            StatusCode::NOT_FOUND,
        ),
        ("/hosts?q=colour:red", StatusCode::BAD_REQUEST),
        ("/hosts?page_token=none-of-ours", StatusCode::BAD_REQUEST),
    ] {
        let request = Request::get(address).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), status, "{address}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn builds_are_compared_on_a_page() {
    let Some(db) = Database::new("builds_are_compared_on_a_page").await else {
        return;
    };
    fleet(&db).await;
    let router = router(&db, Anonymous::Admin);
    let page = get(&router, "/builds").await;
    assert!(page.contains(r#"<td class="mono">41</td>"#) && page.contains(r#"<td class="mono">42</td>"#));
    assert!(!page.contains("verdict-"), "nothing was compared");
    let page = get(&router, "/builds?by=build&days=10&from=41&to=42").await;
    assert!(page.contains("verdict-worse"), "{page}");
    assert!(
        page.contains("/issues/000000000000000000000000000000b1"),
        "the issue that came with it"
    );
    let page = get(&router, "/builds?by=model&from=A&to=B").await;
    assert!(page.contains("verdict-"), "{page}");
    let request = Request::get("/builds?by=colour").body(Body::empty()).unwrap();
    let refused = router.clone().oneshot(request).await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn however_long_a_text_is_its_page_is_short_and_leads_to_the_whole() {
    let test = "however_long_a_text_is_its_page_is_short_and_leads_to_the_whole";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let router = router(&db, Anonymous::Viewer);
    let whole = "<".repeat(128 << 10);
    let mut long = oops();
    if let Some(Payload::KernelReport(report)) = &mut long.payload {
        report.text.clone_from(&whole);
    }
    db.tell(&[long, record(&whole[..60_000])]).await;
    db.counted().await;

    let list = get(&router, "/faults").await;
    let faults: Vec<&str> = list
        .split("<a class=\"title\" href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(faults.len(), 2, "{list}");
    for page in [faults[0], faults[1], &format!("/issues/{ISSUE}")] {
        let page = get(&router, page).await;
        assert!(page.len() < PAGE_BYTES, "{} bytes", page.len());
        assert!(page.contains("This is the first "), "{page}");
    }
    let mut sizes = Vec::new();
    for fault in faults {
        let request = Request::get(format!("{fault}/text")).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "text/plain; charset=utf-8"
        );
        assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        sizes.push(text(response).await.len());
    }
    sizes.sort_unstable();
    assert_eq!(sizes, [60_000, whole.len()]);
}
