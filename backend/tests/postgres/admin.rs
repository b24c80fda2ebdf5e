//! Administration by forms, as a browser without scripts sends them.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use backend::access::Anonymous;
use backend::alerts::{File, Rules};
use backend::http::Started;
use backend::store::Store;
use proto::v1::Host;
use tokio_util::sync::CancellationToken;

use crate::support::{Database, ask, assert_says, get, host, sender};

fn router(db: &Database, strangers: Anonymous) -> Router {
    db.router(strangers, &CancellationToken::new())
}

/// Sends a form of the page.
async fn send(router: &Router, fields: &[(&str, &str)]) -> (StatusCode, String) {
    let form: String = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let request = Request::post("/admin")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form));
    ask(router, request.unwrap()).await
}

async fn done(router: &Router, fields: &[(&str, &str)]) {
    let (status, text) = send(router, fields).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{fields:?}: {text}");
}

async fn token_is_shown_once_and_revoked(db: &Database, router: &Router) {
    let made = [
        ("do", "create-token"),
        ("uses", "3"),
        ("expires", "12h"),
        ("note", "rack <b>7</b>"),
    ];
    let (status, page) = send(router, &made).await;
    assert_eq!(status, StatusCode::OK);
    let token = page
        .split("<code>tlm_")
        .nth(1)
        .expect("the token")
        .split('<')
        .next();
    assert_eq!(token.unwrap().len(), 64, "256 bits");
    assert!(page.contains("rack &#60;b&#62;7") && page.contains("0 of 3"));
    let again = get(router, "/admin").await;
    assert!(!again.contains("<code>tlm_"), "it is shown once");
    let id = db.store.tokens().await.unwrap().remove(0).id;
    done(router, &[("do", "revoke-token"), ("id", &id)]).await;
    assert!(db.store.tokens().await.unwrap()[0].revoked);
}

async fn person_comes_and_goes(db: &Database, router: &Router) {
    let person = [
        ("do", "set-person"),
        ("name", "ann"),
        ("role", "viewer"),
        ("password", "correct horse"),
    ];
    done(router, &person).await;
    done(
        router,
        &[("do", "set-role"), ("name", "ann"), ("role", "triager")],
    )
    .await;
    assert_eq!(db.store.people().await.unwrap()[0].role, "triager");
    done(router, &[("do", "remove-person"), ("name", "ann")]).await;
    assert_eq!(db.store.people().await.unwrap(), []);
}

async fn retention_comes_and_goes(db: &Database, router: &Router) {
    let rule = [
        ("do", "add-retention"),
        ("position", "10"),
        ("class", "program."),
        ("max_severity", "low"),
        ("agent_id", ""),
        ("keep_days", "35"),
    ];
    done(router, &rule).await;
    let (status, text) = send(router, &rule).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "the position is taken: {text}");
    let page = get(router, "/admin").await;
    assert!(page.contains("program.*") && page.contains("35 days"), "{page}");
    done(router, &[("do", "remove-retention"), ("position", "10")]).await;
    assert_eq!(db.store.retention().await.unwrap(), []);
}

async fn silence_comes_and_goes(db: &Database, router: &Router) {
    let silence = [
        ("do", "silence"),
        ("rule", "spread"),
        ("object", ""),
        ("time", "1d"),
        ("note", "known"),
    ];
    done(router, &silence).await;
    assert_eq!(db.store.silences().await.unwrap()[0].rule, "spread");
    done(router, &[("do", "unsilence"), ("rule", "spread"), ("object", "")]).await;
    assert_eq!(db.store.silences().await.unwrap(), []);
}

#[tokio::test]
async fn tokens_people_retention_and_silences_are_looked_after_by_forms() {
    let test = "tokens_people_retention_and_silences_are_looked_after_by_forms";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let router = router(&db, Anonymous::Admin);
    let page = get(&router, "/admin").await;
    assert_says(
        &page,
        &[
            "None was made yet",
            "nothing is given up",
            "This collector has no rules",
            "No host says",
        ],
    );
    let careful = Host {
        privacy: vec!["ip hash".to_owned(), "<b> mask".to_owned()],
        ..host()
    };
    for host in [careful, host()] {
        db.store.hello(&sender(), &host, "1").await.unwrap();
    }
    let page = get(&router, "/admin").await;
    assert_says(&page, &["&#60;b&#62;</td><td>mask", "1 of 2"]);

    token_is_shown_once_and_revoked(&db, &router).await;
    person_comes_and_goes(&db, &router).await;
    retention_comes_and_goes(&db, &router).await;
    silence_comes_and_goes(&db, &router).await;

    let page = get(&router, "/admin").await;
    for action in [
        "token.create",
        "token.revoke",
        "people.add",
        "people.role",
        "people.remove",
        "retention.add",
        "retention.remove",
        "alert.silence",
        "alert.unsilence",
    ] {
        assert!(page.contains(action), "{action:?} is missing in:\n{page}");
    }
}

#[tokio::test]
async fn a_rule_that_is_not_in_the_alerts_file_is_not_silenced() {
    let test = "a_rule_that_is_not_in_the_alerts_file_is_not_silenced";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let rules = "[[rule]]
        name = \"spread\"
        when = { regression = {} }
        targets = []
        [[rule]]
        name = \"a < b\"
        when = { regression = {} }
        targets = []";
    let rules = Rules::parse(rules).unwrap();
    let started = Started {
        alerts: Some(File::of(Path::new("/nonexistent"), rules)),
        ..Started::default()
    };
    let router = db.router_with(started, Anonymous::Admin, &CancellationToken::new());
    let page = get(&router, "/admin").await;
    assert_says(
        &page,
        &[
            r#"<option value="spread">spread</option>"#,
            r#"<option value="a &#60; b">a &#60; b</option>"#,
            "Nothing is open. The rules are spread, a &#60; b.",
        ],
    );
    let silence = |rule| {
        [
            ("do", "silence"),
            ("rule", rule),
            ("object", ""),
            ("time", "1d"),
            ("note", ""),
        ]
    };
    let (status, text) = send(&router, &silence("spraed")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
    assert_says(&text, &["a rule of the alerts file"]);
    assert_eq!(db.store.silences().await.unwrap(), []);
    done(&router, &silence("spread")).await;
}

/// A database as users with one of its roles have it.
async fn as_role(db: &Database, role: &str) -> Database {
    db.store.make_roles().await.unwrap();
    let url = format!("{} options='-c role={role}'", db.url);
    Database {
        store: Store::new(&url).unwrap(),
        url,
        postgres: Arc::clone(&db.postgres),
    }
}

#[tokio::test]
async fn the_role_for_pages_is_enough_for_admins_and_another_is_told_which_to_have() {
    let test = "the_role_for_pages_is_enough_for_admins_and_another_is_told_which_to_have";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let pages = as_role(&db, "telemetrics_pages").await;
    let by_pages = router(&pages, Anonymous::Admin);
    token_is_shown_once_and_revoked(&pages, &by_pages).await;
    person_comes_and_goes(&pages, &by_pages).await;
    retention_comes_and_goes(&pages, &by_pages).await;
    silence_comes_and_goes(&pages, &by_pages).await;

    let query = as_role(&db, "telemetrics_query").await;
    let look = Request::get("/admin").body(Body::empty()).unwrap();
    let (status, page) = ask(&router(&query, Anonymous::Admin), look).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_says(&page, &["telemetrics_pages"]);
}

#[tokio::test]
async fn a_form_that_is_wrong_changes_nothing_and_says_what_is_right() {
    let test = "a_form_that_is_wrong_changes_nothing_and_says_what_is_right";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let router = router(&db, Anonymous::Admin);
    for (fields, why) in [
        (vec![("do", "make-tea")], "`make-tea` is none of "),
        (
            vec![
                ("do", "create-token"),
                ("uses", "0"),
                ("expires", "1d"),
                ("note", ""),
            ],
            "from 1 to 1000000",
        ),
        (
            vec![
                ("do", "create-token"),
                ("uses", "1"),
                ("expires", "2y"),
                ("note", ""),
            ],
            "30m, 12h or 1d",
        ),
        (
            vec![
                ("do", "set-person"),
                ("name", "Ann"),
                ("role", "viewer"),
                ("password", "correct horse"),
            ],
            "lower-case letters",
        ),
        (
            vec![
                ("do", "set-person"),
                ("name", "ann"),
                ("role", "viewer"),
                ("password", "short"),
            ],
            "10 to 256 bytes",
        ),
        (
            vec![("do", "set-role"), ("name", "nobody"), ("role", "admin")],
            "nobody has this name",
        ),
        (vec![("do", "revoke-token"), ("id", "0000")], "no such token"),
    ] {
        let (status, text) = send(&router, &fields).await;
        assert!(status.is_client_error(), "{fields:?}: {status}");
        assert!(text.contains(why), "{why:?} is missing in:\n{text}");
    }
    assert_eq!(db.store.audit_log().await.unwrap(), []);

    // What was written stays, but for a password.
    let rule = [
        ("do", "add-retention"),
        ("position", "30"),
        ("class", "program.*"),
        ("max_severity", "low"),
        ("agent_id", "somebody"),
        ("keep_days", "9"),
    ];
    let (_, page) = send(&router, &rule).await;
    assert_says(
        &page,
        &[
            "the id of an agent is a UUID",
            r#"name="position" value="30""#,
            r#"name="class" value="program.*""#,
            r#"<option value="low" selected>"#,
            r#"name="agent_id" value="somebody""#,
            r#"name="keep_days" value="9""#,
        ],
    );
    let person = [
        ("do", "set-person"),
        ("name", "Ann"),
        ("role", "triager"),
        ("password", "correct horse"),
    ];
    let (_, page) = send(&router, &person).await;
    assert_says(
        &page,
        &[
            r#"name="name" value="Ann""#,
            r#"<option value="triager" selected>"#,
        ],
    );
    assert!(!page.contains("correct horse"), "{page}");
}

#[tokio::test]
async fn only_admins_are_shown_administration() {
    let Some(db) = Database::new("only_admins_are_shown_administration").await else {
        return;
    };
    let triager = router(&db, Anonymous::Triager);
    assert!(!get(&triager, "/issues").await.contains("href=\"/admin\""));
    let look = Request::get("/admin").body(Body::empty()).unwrap();
    assert_eq!(ask(&triager, look).await.0, StatusCode::FORBIDDEN);
    for form in [
        &[("do", "revoke-token"), ("id", "0000")][..],
        &[("do", "nonsense")],
    ] {
        assert_eq!(send(&triager, form).await.0, StatusCode::FORBIDDEN, "{form:?}");
    }
    for (by_another_name, status) in [
        ("/%61dmin", StatusCode::NOT_FOUND),
        ("/admin/", StatusCode::FORBIDDEN),
        ("//admin", StatusCode::NOT_FOUND),
        ("/./admin", StatusCode::NOT_FOUND),
    ] {
        let look = Request::get(by_another_name).body(Body::empty()).unwrap();
        assert_eq!(ask(&triager, look).await.0, status, "{by_another_name}");
    }

    // Another site cannot have the browser of an admin do something.
    let admin = router(&db, Anonymous::Admin);
    assert!(get(&admin, "/issues").await.contains("href=\"/admin\""));
    let from_elsewhere = Request::post("/admin")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "cross-site")
        .body(Body::from("do=remove-retention&position=10"));
    let (status, _) = ask(&admin, from_elsewhere.unwrap()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}
