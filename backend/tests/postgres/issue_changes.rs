//! What people change about issues: merging, and what is refused.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use serde_json::{Value, json};

use crate::issues::{A, B, Teller, ask, change, get, router};
use crate::support::{self, Database, assert_says};

#[tokio::test]
async fn merged_issues_count_together_until_they_are_taken_apart() {
    let Some(db) = Database::new("merged_issues_count_together_until_they_are_taken_apart").await else {
        return;
    };
    let (router, mut teller) = (router(&db), Teller::new(&db).await);
    for issue in [A, B, B] {
        teller.tell(issue, "6.1").await;
    }
    let (_, first) = get(&router, "/api/v1/issues?class=kernel.&page_size=1").await;
    assert_eq!(first["issues"][0]["issue"], B, "the latest first");
    let token = first["next_page_token"].as_str().unwrap();
    // B has another record meanwhile and is not repeated.
    teller.tell(B, "6.1").await;
    let (_, next) = get(
        &router,
        &format!("/api/v1/issues?class=kernel.&page_size=1&page_token={token}"),
    )
    .await;
    assert_eq!(next["issues"][0]["issue"], A);
    assert_eq!(next["next_page_token"], "");

    let (_, into) = change(&router, A, &json!({ "who": "ann", "merged_into": B })).await;
    assert_eq!(
        (&into["issue"], &into["occurrences"], &into["hosts"]),
        (&json!(B), &json!(4), &json!(1))
    );
    let (status, refused) = change(&router, B, &json!({ "who": "ann", "merged_into": A })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "no circles: {refused}");
    let records = async |query: &str| {
        let (_, list) = get(&router, &format!("/api/v1/faults?q={query}")).await;
        list["faults"].as_array().unwrap().len()
    };
    for issue in [A, B] {
        assert_eq!(records(&format!("issue:{issue}")).await, 4, "either leads to all");
        assert_eq!(records(&format!("-issue:{issue}")).await, 0);
        assert_eq!(records(&format!("class:custom+or+issue:{issue}")).await, 4);
    }
    let (_, apart) = change(&router, A, &json!({ "who": "ann", "merged_into": "" })).await;
    assert_eq!((&apart["issue"], &apart["occurrences"]), (&json!(A), &json!(1)));
    assert_eq!(records(&format!("issue:{A}")).await, 1);
}

#[tokio::test]
async fn two_that_are_merged_into_each_other_at_once_are_not_both_gone() {
    let test = "two_that_are_merged_into_each_other_at_once_are_not_both_gone";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let (router, mut teller) = (router(&db), Teller::new(&db).await);
    for issue in [A, B] {
        teller.tell(issue, "6.1").await;
    }
    for _ in 0..20 {
        let merge = async |issue, into| {
            change(&router, issue, &json!({ "who": "ann", "merged_into": into }))
                .await
                .0
        };
        let (one, other) = tokio::join!(merge(A, B), merge(B, A));
        let mut answers = [one, other];
        answers.sort_unstable();
        assert_eq!(answers, [StatusCode::OK, StatusCode::BAD_REQUEST]);
        let merged = if one == StatusCode::OK { A } else { B };
        let (status, _) = change(&router, merged, &json!({ "who": "ann", "merged_into": "" })).await;
        assert_eq!(status, StatusCode::OK);
    }
}

#[tokio::test]
async fn the_address_of_a_merged_issue_leads_to_the_one_that_it_counts_for() {
    let test = "the_address_of_a_merged_issue_leads_to_the_one_that_it_counts_for";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let (router, mut teller) = (router(&db), Teller::new(&db).await);
    for issue in [A, B] {
        teller.tell(issue, "6.1").await;
    }
    change(
        &router,
        A,
        &json!({ "who": "ann", "merged_into": B, "note": "same bug" }),
    )
    .await;
    let (status, led) = get(&router, &format!("/api/v1/issues/{A}")).await;
    assert_eq!((status, &led["issue"]), (StatusCode::OK, &json!(B)), "{led}");
    let event = &led["history"][0];
    assert_eq!(
        (&event["merged"], &event["change"]["note"]),
        (&json!(A), &json!("same bug"))
    );
    let (_, found) = get(&router, &format!("/api/v1/issues?q=issue:{A}")).await;
    assert_eq!(found["issues"][0]["issue"], B, "{found}");
    let (_, faults) = get(&router, &format!("/api/v1/faults?fingerprint={A}")).await;
    let fault = &faults["faults"][0];
    assert_eq!(fault["issue"], B, "a record counts for the other too: {fault}");
    let page = support::get(&router, &format!("/faults/{}", fault["id"].as_str().unwrap())).await;
    assert_says(&page, &[&format!("href=\"/issues/{B}\"")]);

    // What is decided there is decided about the one that is shown.
    let (_, owned) = change(&router, A, &json!({ "who": "bob", "owner": "bob" })).await;
    assert_eq!((&owned["issue"], &owned["owner"]), (&json!(B), &json!("bob")));
    let (_, apart) = change(
        &router,
        A,
        &json!({ "who": "ann", "merged_into": "", "note": "no" }),
    )
    .await;
    assert_eq!((&apart["issue"], &apart["owner"]), (&json!(A), &json!("")));
    let (_, faults) = get(&router, &format!("/api/v1/faults?fingerprint={A}")).await;
    assert_eq!(faults["faults"][0]["issue"], A, "for itself again");
    let (_, other) = get(&router, &format!("/api/v1/issues/{B}")).await;
    let said = |event: &Value| (event["merged"].clone(), event["parted"].clone());
    let history: Vec<_> = other["history"].as_array().unwrap().iter().map(said).collect();
    assert_eq!(
        history,
        [
            (Value::Null, json!(A)),
            (Value::Null, Value::Null),
            (json!(A), Value::Null)
        ]
    );
    assert_eq!(other["occurrences"], 1);
}

#[tokio::test]
async fn changes_that_make_no_sense_are_refused_with_a_reason() {
    let Some(db) = Database::new("changes_that_make_no_sense_are_refused_with_a_reason").await else {
        return;
    };
    let (router, mut teller) = (router(&db), Teller::new(&db).await);
    teller.tell(A, "6.1").await;
    let ignored = |limit: &str, number: u32| json!({ "who": "ann", "state": "ignored", limit: number });
    let cases = [
        (A, json!({ "state": "resolved" }), StatusCode::BAD_REQUEST),
        (
            A,
            json!({ "who": "ann", "state": "regressed" }),
            StatusCode::BAD_REQUEST,
        ),
        (
            A,
            json!({ "who": "ann", "ignore_days": 1 }),
            StatusCode::BAD_REQUEST,
        ),
        (
            A,
            json!({ "who": "ann", "resolved_in": "6.1" }),
            StatusCode::BAD_REQUEST,
        ),
        (
            A,
            json!({ "who": "ann", "state": "resolved", "resolved_in": "   " }),
            StatusCode::BAD_REQUEST,
        ),
        (
            A,
            json!({ "who": "ann", "state": "resolved", "resolved_in_build": "trixie " }),
            StatusCode::BAD_REQUEST,
        ),
        (
            A,
            json!({ "who": "ann", "merged_into": A }),
            StatusCode::BAD_REQUEST,
        ),
        (
            A,
            json!({ "who": "ann", "merged_into": "nonsense" }),
            StatusCode::BAD_REQUEST,
        ),
        (
            A,
            json!({ "who": "ann", "merged_into": "" }),
            StatusCode::BAD_REQUEST,
        ),
        (A, json!({ "who": "ann" }), StatusCode::BAD_REQUEST),
        (A, json!({ "who": "ann", "note": "" }), StatusCode::BAD_REQUEST),
        (A, ignored("ignore_days", 0), StatusCode::BAD_REQUEST),
        (A, ignored("ignore_days", 200_000_000), StatusCode::BAD_REQUEST),
        (A, ignored("ignore_hosts", 1), StatusCode::BAD_REQUEST),
        (A, ignored("ignore_occurrences", 1), StatusCode::BAD_REQUEST),
        (
            A,
            json!({ "who": "ann", "fix_url": "javascript:alert(1)" }),
            StatusCode::BAD_REQUEST,
        ),
        (
            A,
            json!({ "who": "ann", "known_fix": "ä".repeat(1025) }),
            StatusCode::BAD_REQUEST,
        ),
        (A, json!({ "who": "a\0n" }), StatusCode::BAD_REQUEST),
        (
            A,
            json!({ "who": "ann", "note": "x".repeat(1025) }),
            StatusCode::BAD_REQUEST,
        ),
        (A, json!({ "who": "ann", "nonsense": 1 }), StatusCode::BAD_REQUEST),
        (B, json!({ "who": "ann", "owner": "ann" }), StatusCode::NOT_FOUND),
        ("nonsense", json!({ "who": "ann" }), StatusCode::BAD_REQUEST),
    ];
    for (issue, what, status) in cases {
        let (answered, error) = change(&router, issue, &what).await;
        assert_eq!(answered, status, "{what}: {error}");
        assert!(
            error["detail"].as_str().is_some_and(|text| !text.is_empty()),
            "{error}"
        );
    }
    let form = Request::post(format!("/api/v1/issues/{A}"))
        .header(header::CONTENT_TYPE, "text/plain")
        .body(Body::from(r#"{"who":"another site"}"#));
    assert_eq!(ask(&router, form.unwrap()).await.0, StatusCode::BAD_REQUEST);
    for address in [
        "/api/v1/issues?page_size=501",
        "/api/v1/issues?page_token=x",
        "/api/v1/issues?state=odd",
        "/api/v1/issues?nonsense=1",
    ] {
        assert_eq!(
            get(&router, address).await.0,
            StatusCode::BAD_REQUEST,
            "{address}"
        );
    }
    assert_eq!(db.count("SELECT count(*) FROM triage_history").await, 0);
}
