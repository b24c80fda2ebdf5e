//! The pages of issues, from what a real store holds, as a browser without scripts uses them.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::{Router, response::Response};
use backend::{access::Anonymous, store::IssueChange};
use proto::v1::{FingerprintLevel, Host, Record};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::pages::{ISSUE, oops, router, tell, text};
use crate::support::{Database, assert_says, get, host, of_issue, sender};

/// Stores a record of another issue, and gives its digits.
pub(crate) async fn tell_another(db: &Database) -> &'static str {
    let other = "000000000000000000000000000000b1";
    let mut another = oops();
    other.clone_into(&mut another.fingerprints[0].value);
    db.tell(&[another]).await;
    db.counted().await;
    other
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

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_is_found_looked_at_and_decided_about_without_scripts() {
    let test = "an_issue_is_found_looked_at_and_decided_about_without_scripts";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let router = router(&db, Anonymous::Admin);
    assert!(get(&router, "/issues").await.contains("No issues yet"));
    tell(&db, 3).await;

    let list = get(&router, "/issues?state=new&q=class:kernel.*+hosts%3E=3").await;
    assert!(list.contains(&format!(r#"href="/issues/{ISSUE}""#)), "{list}");
    assert!(list.contains("<rect"), "three hosts today are a bar:\n{list}");
    assert!(
        get(&router, "/issues?state=resolved")
            .await
            .contains("No issue matches")
    );

    let page = get(&router, &format!("/issues/{ISSUE}")).await;
    assert_says(
        &page,
        &[
            "3 records on 3 hosts",
            "host\u{fffd}with-nul",
            "The newest record",
            "Nobody has decided",
        ],
    );
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
    assert_says(
        &page,
        &[
            "resolved from kernel 6.1.120 on",
            "owner: ann",
            "mended &#60;b&#62;upstream",
        ],
    );
    assert!(!page.contains("fix url: none"), "what did not change is not told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merged_issue_is_found_at_its_address_and_taken_apart_without_scripts() {
    let test = "a_merged_issue_is_found_at_its_address_and_taken_apart_without_scripts";
    let Some(db) = Database::new(test).await else {
        return;
    };
    tell(&db, 1).await;
    let other = tell_another(&db).await;
    let router = router(&db, Anonymous::Admin);
    let merge = IssueChange {
        who: "ann".to_owned(),
        merged_into: Some(ISSUE.to_owned()),
        note: Some("one bug".to_owned()),
        ..IssueChange::default()
    };
    db.store.change_issue(other, &merge).await.unwrap().unwrap();

    let request = Request::get(format!("/issues/{other}")).body(Body::empty());
    let led = router.clone().oneshot(request.unwrap()).await.unwrap();
    assert_eq!(led.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(led.headers()[header::LOCATION], format!("/issues/{ISSUE}"));
    let page = get(&router, &format!("/issues/{ISSUE}")).await;
    let merged = format!("merged: {other}");
    assert_says(
        &page,
        &[
            "Merged into this issue",
            &merged,
            "one bug",
            "2 records on 2 hosts",
        ],
    );
    let viewed = get(
        &db.router(Anonymous::Viewer, &CancellationToken::new()),
        &format!("/issues/{ISSUE}"),
    )
    .await;
    assert!(
        viewed.contains("Merged into this issue") && !viewed.contains("Take apart"),
        "{viewed}"
    );

    let done = decide(&router, ISSUE, &[("who", "ann"), ("apart", other)]).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    let page = get(&router, &format!("/issues/{ISSUE}")).await;
    assert_says(&page, &["1 record on 1 host", &format!("taken apart: {other}")]);
    assert!(!page.contains("Merged into this issue"), "{page}");
    get(&router, &format!("/issues/{other}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_that_make_no_sense_are_refused_with_what_is_wrong() {
    let test = "decisions_that_make_no_sense_are_refused_with_what_is_wrong";
    let Some(db) = Database::new(test).await else {
        return;
    };
    tell(&db, 1).await;
    let router = router(&db, Anonymous::Admin);
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
        assert_says(&text(refused).await, &[why]);
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
async fn several_issues_are_decided_about_at_once() {
    let Some(db) = Database::new("several_issues_are_decided_about_at_once").await else {
        return;
    };
    tell(&db, 1).await;
    let other = tell_another(&db).await;
    let list = "/issues?state=new&q=firmware";
    let send = async |router: &Router, list: &str, fields: &[(&str, &str)]| {
        let form: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = Request::post(list).body(Body::from(form)).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let leads_to = response.headers().get(header::LOCATION).cloned();
        (response.status(), leads_to, text(response).await)
    };
    let router = router(&db, Anonymous::Admin);
    let both = [
        ("issue", ISSUE),
        ("issue", other),
        ("who", "ann"),
        ("state", "ignored"),
        ("owner", ""),
        ("note", "both are the same firmware"),
    ];
    let (status, leads_to, said) = send(&router, list, &both).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{said}");
    assert_eq!(
        leads_to.unwrap(),
        "/issues?state=new&q=firmware&changed=2",
        "the list that they were chosen from"
    );
    for issue in [ISSUE, other] {
        let page = get(&router, &format!("/issues/{issue}")).await;
        assert!(page.contains("both are the same firmware"), "{page}");
        assert!(page.contains("state-ignored"), "{page}");
    }
    // One that is not there: nothing is changed.
    let nobody = "ffffffffffffffffffffffffffffffff";
    let (status, ..) = send(
        &router,
        list,
        &[
            ("issue", ISSUE),
            ("issue", nobody),
            ("who", "ann"),
            ("state", "new"),
        ],
    )
    .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let page = get(&router, &format!("/issues/{ISSUE}")).await;
    assert!(page.contains("state-ignored"), "{page}");
    let page = get(&router, "/issues?changed=2").await;
    assert!(page.contains("2 issues changed"), "{page}");

    // What is wrong is said by the list, which keeps what was written.
    let wrong = [("who", "ann & co"), ("state", "resolved"), ("note", "a < b")];
    let (status, _, said) = send(&router, "/issues?state=ignored&q=class%3Akernel.*", &wrong).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_says(
        &said,
        &[
            "choose 1 to 50 issues",
            r#"value="class:kernel.*""#,
            r#"value="ann &#38; co""#,
            r#"value="a &#60; b""#,
            r#"<option value="resolved" selected>"#,
        ],
    );
    let (status, _, said) = send(&router, "/issues", &[("issue", other), ("who", "ann")]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let chosen = format!(r#"value="{other}" form="triage" checked"#);
    assert_says(&said, &["say what is to be changed", &chosen]);
    assert_eq!(said.matches(" checked").count(), 1, "{said}");

    let viewer = db.router(Anonymous::Viewer, &CancellationToken::new());
    assert!(!get(&viewer, "/issues").await.contains("type=\"checkbox\""));
    assert_eq!(send(&viewer, list, &both).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_not_stored_any_more_are_told_of_where_they_are_missed() {
    let test = "records_that_are_not_stored_any_more_are_told_of_where_they_are_missed";
    let Some(db) = Database::new(test).await else {
        return;
    };
    tell(&db, 3).await;
    db.counted().await;
    let router = router(&db, Anonymous::Viewer);
    let (list, page) = (format!("/faults?fingerprint={ISSUE}"), format!("/issues/{ISSUE}"));
    assert_says(&get(&router, &list).await, &["3 records on 3 hosts<"]);
    let kept =
        "INSERT INTO retention (position, class, max_severity, keep_days) VALUES (1, 'kernel.', 4, 35)";
    db.sql().await.batch_execute(kept).await.unwrap();
    assert!(!get(&router, &page).await.contains("counts and rates stay"));

    let one = "DELETE FROM records WHERE agent_id = (SELECT min(agent_id::text)::uuid FROM records);
               UPDATE triage SET first_seen = now() - interval '40 days'";
    db.sql().await.batch_execute(one).await.unwrap();
    assert_says(
        &get(&router, &list).await,
        &["3 records on 3 hosts, of which 2 are still stored"],
    );
    assert_says(
        &get(&router, &page).await,
        &["Records like it are kept for 35 days; its counts and rates stay."],
    );

    db.sql().await.batch_execute("DELETE FROM records").await.unwrap();
    assert_says(
        &get(&router, &list).await,
        &["No record of it is stored any more"],
    );
    assert_says(
        &get(&router, &page).await,
        &["No record of it is stored any more"],
    );
    let narrower = get(&router, &format!("{list}&host=nobody")).await;
    assert_says(&narrower, &["No fault matches"]);
    // Where the page of the issue leads.
    let of_issue = get(&router, &format!("/faults?q=issue%3A{ISSUE}")).await;
    assert_says(&of_issue, &["what retention gave up is in counts alone"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn issues_of_the_same_function_are_similar() {
    let test = "issues_of_the_same_function_are_similar";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let router = router(&db, Anonymous::Viewer);
    let titled = |title: &str, issue: u8| Record {
        title: title.to_owned(),
        fingerprints: of_issue(&format!("{issue:032x}")),
        ..oops()
    };
    let records = [
        titled("KASAN: use-after-free Read in of_both", 1),
        titled("general protection fault in of_both", 2),
        titled("general protection fault in of_another", 3),
        titled("BUG: no function", 4),
    ];
    db.tell(&records).await;
    db.counted().await;

    let page = get(&router, &format!("/issues/{:032x}", 1)).await;
    assert!(page.contains("Similar issues"), "{page}");
    assert!(page.contains(&format!("href=\"/issues/{:032x}\"", 2)), "{page}");
    assert!(!page.contains(&format!("href=\"/issues/{:032x}\"", 3)), "{page}");
    for alone in [3, 4] {
        let page = get(&router, &format!("/issues/{alone:032x}")).await;
        assert!(!page.contains("Similar issues"), "{page}");
    }
}

/// Stores two variants of an issue: one in builds 41 and 42, another in build 42, each of a host of its own.
pub(crate) async fn two_variants(db: &Database) -> [Record; 2] {
    let called_by = |caller: &str| {
        let text = format!(
            "BUG: kernel NULL pointer dereference, address: 0000000000000008\n\
             RIP: 0010:example_poll.isra.0+0x5/0x20 [example]\nCall Trace:\n {caller}+0x1/0x2\n example_main+0x1/0x2\n"
        );
        wire::kernel_report(&faults::parse(&text).unwrap(), &text, false)
    };
    let (often, once) = (called_by("example_ioctl"), called_by("example_ring"));
    assert_eq!(often.title, once.title);
    for (build, record) in [("41", &often), ("42", &often), ("42", &once)] {
        let sender = sender();
        let told = Host {
            os_build: build.to_owned(),
            ..host()
        };
        db.store.hello(&sender, &told, "1").await.unwrap();
        db.deliver(&sender, std::slice::from_ref(record)).await;
    }
    db.counted().await;
    [often, once]
}

/// The fingerprint of a record at a level.
pub(crate) fn of(record: &Record, level: FingerprintLevel) -> String {
    let mut prints = record.fingerprints.iter();
    prints.find(|print| print.level() == level).unwrap().value.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_says_why_it_is_one_which_variants_it_has_and_how_builds_fare() {
    let test = "an_issue_says_why_it_is_one_which_variants_it_has_and_how_builds_fare";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let router = router(&db, Anonymous::Viewer);
    let [often, once] = two_variants(&db).await;
    let issue = of(&often, FingerprintLevel::Title);
    let page = get(&router, &format!("/issues/{issue}")).await;
    assert_says(
        &page,
        &[
            "Why these are one issue",
            "Their class and their title are the same.",
            "the compiler&#39;s suffix was taken off (.isra.0)",
            "2 by their top frames, 2 by their whole stack",
        ],
    );
    for (record, caller) in [(&often, "ioctl"), (&once, "ring")] {
        let print = of(record, FingerprintLevel::TopFrames);
        let words = format!("example_poll &#60; example_{caller} &#60; example_main");
        assert_says(
            &page,
            &[&format!("<a href=\"/faults?fingerprint={print}\">{words}</a>")],
        );
        let stack = of(record, FingerprintLevel::Stack);
        assert_says(&page, &[&format!("<a href=\"/faults?fingerprint={stack}\">")]);
    }
    let places = ["example_ioctl &#60;", "example_ring &#60;"].map(|words| page.find(words));
    assert!(places.is_sorted(), "those with the most records first");
    let builds = ["build 42 by day", "build 41 by day"].map(|words| page.find(words));
    assert!(
        builds[0].is_some() && builds.is_sorted(),
        "the newest build first: {page}"
    );

    // Of what was split off, it says so.
    let change = IssueChange {
        who: "ann".to_owned(),
        split: Some(true),
        ..IssueChange::default()
    };
    db.store.change_issue(&issue, &change).await.unwrap();
    db.store.regroup().await.unwrap();
    let finer = of(&often, FingerprintLevel::TopFrames);
    let page = get(&router, &format!("/issues/{finer}")).await;
    assert_says(&page, &["People split them from a larger issue.", "Top frames"]);
    let list = get(&router, "/issues").await;
    assert_says(
        &list,
        &["<div class=\"mono\">42</div><div class=\"mono\">41</div>"],
    );
}
