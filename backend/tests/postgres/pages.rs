//! The pages of the fleet, its issues and builds, from what a real store holds, as a browser without scripts uses them.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::{Router, response::Response};
use backend::access::Anonymous;
use proto::v1::{Batch, Fingerprint, FingerprintLevel, KernelReport, Record, Severity, record::Payload};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::statistics::fleet;
use crate::support::{Database, encoded, host, record, sender};

const ISSUE: &str = "00112233445566778899aabbccddeeff";

fn router(db: &Database, strangers: Anonymous) -> Router {
    db.router(strangers, &CancellationToken::new())
}

async fn text(response: Response) -> String {
    let body = to_bytes(response.into_body(), 1 << 24).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

async fn get(router: &Router, address: &str) -> String {
    let request = Request::get(address).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{address}");
    text(response).await
}

/// Sends the form of an issue's page.
async fn decide(router: &Router, issue: &str, fields: &[(&str, &str)]) -> Response {
    let form: String = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let request = Request::post(format!("/issues/{issue}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form));
    router.clone().oneshot(request.unwrap()).await.unwrap()
}

/// An oops whose every text is hostile.
fn oops() -> Record {
    Record {
        class: "kernel.oops".to_owned(),
        severity: Severity::High.into(),
        title: "BUG: unable to handle <script>alert('x')</script> in example".to_owned(),
        kernel_release: "6.1.0-35-amd64".to_owned(),
        fingerprints: vec![Fingerprint {
            version: 1,
            level: FingerprintLevel::Title.into(),
            value: ISSUE.to_owned(),
        }],
        payload: Some(Payload::KernelReport(KernelReport {
            text: "BUG: the text <script>of</script> the report".to_owned(),
            function: "example".to_owned(),
            ..KernelReport::default()
        })),
        ..record("")
    }
}

/// Stores the oops from so many hosts.
async fn tell(db: &Database, hosts: usize) {
    for _ in 0..hosts {
        let sender = sender();
        db.store.hello(&sender, &host(), "1").await.unwrap();
        let batch = Batch {
            first_seq: 1,
            records: vec![encoded(&oops())],
        };
        db.store.deliver(&sender, batch).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_is_found_looked_at_and_decided_about_without_scripts() {
    let test = "an_issue_is_found_looked_at_and_decided_about_without_scripts";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let router = router(&db, Anonymous::Admin);
    assert!(get(&router, "/issues").await.contains("No issues yet"));
    tell(&db, 3).await;

    let list = get(&router, "/issues?state=new&class=kernel.").await;
    assert!(list.contains(&format!(r#"href="/issues/{ISSUE}""#)), "{list}");
    assert!(list.contains("<rect"), "three hosts today are a bar:\n{list}");
    assert!(
        get(&router, "/issues?state=resolved")
            .await
            .contains("No issue matches")
    );

    let page = get(&router, &format!("/issues/{ISSUE}")).await;
    for words in [
        "3 records on 3 hosts",
        "host\u{fffd}with-nul",
        "The newest record",
        "Nobody has decided",
    ] {
        assert!(page.contains(words), "{words:?} is missing in:\n{page}");
    }
    assert!(!page.contains("<script>"), "text of strangers is no markup");

    let done = decide(
        &router,
        ISSUE,
        &[
            ("who", "ann"),
            ("state", "resolved"),
            ("resolved_in", "6.1.120"),
            ("owner", "ann"),
            ("fix_url", ""),
            ("note", "mended <b>upstream</b>"),
        ],
    )
    .await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    assert_eq!(done.headers()[header::LOCATION], format!("/issues/{ISSUE}"));
    let page = get(&router, &format!("/issues/{ISSUE}")).await;
    for words in [
        "resolved from kernel 6.1.120 on",
        "owner: ann",
        "mended &#60;b&#62;upstream",
    ] {
        assert!(page.contains(words), "{words:?} is missing in:\n{page}");
    }
    assert!(!page.contains("fix url: none"), "what did not change is not told");

    for (fields, why) in [
        (vec![("state", "resolved")], "say who changes it"),
        (
            vec![("who", "ann"), ("state", "gone")],
            "new, ongoing, resolved or ignored",
        ),
        (
            vec![("who", "ann"), ("state", "ignored"), ("ignore_days", "x")],
            "a number",
        ),
        (
            vec![("who", "ann"), ("resolved_in", "6.2")],
            "with the state resolved",
        ),
    ] {
        let refused = decide(&router, ISSUE, &fields).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{fields:?}");
        let page = text(refused).await;
        assert!(page.contains(why), "{why:?} is missing in:\n{page}");
    }
    let nobody = "ffffffffffffffffffffffffffffffff";
    assert_eq!(
        decide(&router, nobody, &[("who", "ann")]).await.status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_look_is_shown_no_form() {
    let Some(db) = Database::new("who_may_only_look_is_shown_no_form").await else {
        return;
    };
    tell(&db, 1).await;
    let router = router(&db, Anonymous::Viewer);
    let page = get(&router, &format!("/issues/{ISSUE}")).await;
    assert!(!page.contains(r#"class="decide""#));
    let refused = decide(&router, ISSUE, &[("who", "ann"), ("state", "ongoing")]).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_tells_how_the_fleet_is() {
    let Some(db) = Database::new("the_overview_tells_how_the_fleet_is").await else {
        return;
    };
    let router = router(&db, Anonymous::Admin);
    assert!(get(&router, "/").await.contains("No host was heard yet"));
    tell(&db, 2).await;
    fleet(&db).await;
    let page = get(&router, "/").await;
    for words in [
        "Hosts heard",
        "nothing lost in 7 days",
        "balanced",
        "kernel.oops",
        "2 hosts",
        r#"class="mono">42<"#,
    ] {
        assert!(page.contains(words), "{words:?} is missing in:\n{page}");
    }
    assert!(
        page.contains(&format!(r#"href="/issues/{ISSUE}""#)),
        "a new issue asks to be looked at"
    );
    assert!(page.contains("host-hours, "), "days have words");

    // The list of faults was here once.
    let request = Request::get("/?host=web-07").body(Body::empty()).unwrap();
    let moved = router.clone().oneshot(request).await.unwrap();
    assert_eq!(moved.headers()[header::LOCATION], "/faults?host=web-07");
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
    let page = get(&router, "/builds?by=model&from=A&to=A").await;
    assert!(page.contains("verdict-"), "{page}");
    let request = Request::get("/builds?by=colour").body(Body::empty()).unwrap();
    let refused = router.clone().oneshot(request).await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
}
