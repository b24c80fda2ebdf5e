//! Faults by what they are, with numbers, and searches that are kept.

use axum::{
    Router,
    body::Body,
    http::{HeaderName, Request, StatusCode, header},
};
use backend::{
    access::{Anonymous, Role, hash},
    store::{CountedBy, Counts},
};
use proto::v1::{FaultFilter, Heartbeat, Host, Record, Severity, record::Payload};
use tokio_util::sync::CancellationToken;

use crate::support::{Database, ask, assert_says, get, host, record, sender};

const PASSWORD: &str = "a lot of words";

/// Stores so many oopses of a host with this build.
pub(crate) async fn oopses(db: &Database, name: &str, build: &str, count: u64) {
    let sender = sender();
    let told = Host {
        hostname: name.to_owned(),
        os_build: build.to_owned(),
        product: "Example \"Server\"".to_owned(),
        ..host()
    };
    db.store.hello(&sender, &told, "1").await.unwrap();
    let oops = Record {
        class: "kernel.oops".to_owned(),
        severity: Severity::High.into(),
        kernel_release: "6.1.0".to_owned(),
        ..record("")
    };
    let beat = Record {
        class: "telemetry.heartbeat".to_owned(),
        payload: Some(Payload::Heartbeat(Heartbeat::default())),
        ..record("")
    };
    let mut records = vec![beat, record("custom")];
    records.extend((0..count).map(|_| oops.clone()));
    db.deliver(&sender, &records).await;
}

fn asks(query: &str) -> FaultFilter {
    FaultFilter {
        query: query.to_owned(),
        ..FaultFilter::default()
    }
}

fn of(counts: &Counts, by: CountedBy) -> Vec<(&str, u64)> {
    let of_it = counts.values.iter().filter(|(counted_by, ..)| *counted_by == by);
    of_it
        .map(|(_, value, faults)| (value.as_str(), *faults))
        .collect()
}

#[tokio::test]
async fn faults_are_counted_by_what_they_are_as_the_filter_selects_them() {
    let Some(db) = Database::new("faults_are_counted_by_what_they_are_as_the_filter_selects_them").await
    else {
        return;
    };
    oopses(&db, "web-1", "12", 5).await;
    oopses(&db, "web-2", "13", 2).await;
    db.counted().await;
    let counts = async |filter: FaultFilter| db.store.counts(&filter).await.unwrap();

    let all = counts(FaultFilter::default()).await.unwrap();
    assert_eq!(of(&all, CountedBy::Class), [("kernel.oops", 7), ("custom", 2)]);
    assert_eq!(of(&all, CountedBy::Severity), [("3", 7), ("1", 2)]);
    assert_eq!(of(&all, CountedBy::Build), [("12", 6), ("13", 3)]);
    assert_eq!(of(&all, CountedBy::Model), [("Example \"Server\"", 9)]);
    assert_eq!((all.counted_hosts, all.hosts), (2, 2));

    let narrowed = counts(asks("severity:high build:13")).await.unwrap();
    assert_eq!(of(&narrowed, CountedBy::Class), [("kernel.oops", 2)]);
    let of_host = FaultFilter {
        host: "web-1".to_owned(),
        class: "kernel.".to_owned(),
        kernel_release: "6.1.0".to_owned(),
        min_severity: Severity::High.into(),
        ..FaultFilter::default()
    };
    let of_host = counts(of_host).await.unwrap();
    assert_eq!(of(&of_host, CountedBy::Kernel), [("6.1.0", 5)]);
    assert_eq!((of_host.counted_hosts, of_host.hosts), (1, 1));
    let housekeeping = FaultFilter {
        include_housekeeping: true,
        class: "telemetry.heartbeat".to_owned(),
        ..FaultFilter::default()
    };
    let housekeeping = counts(housekeeping).await.unwrap();
    assert_eq!(of(&housekeeping, CountedBy::Class), [("telemetry.heartbeat", 2)]);

    for not_summed in [
        "word",
        "after:-7d",
        "housekeeping:true",
        "-issue:00112233445566778899aabbccddeeff",
    ] {
        assert_eq!(counts(asks(not_summed)).await, None, "{not_summed}");
    }

    // On the page each is a link that narrows the list.
    let router = db.router(Anonymous::Viewer, &CancellationToken::new());
    let page = get(&router, "/faults").await;
    assert_says(
        &page,
        &[
            "/faults?class=kernel.oops",
            "/faults?q=severity%3Ahigh",
            "/faults?q=model%3A%22Example+%5C%22Server%5C%22%22",
            "the last 7 days",
        ],
    );
    let narrowed = get(&router, "/faults?q=build%3A13").await;
    assert!(narrowed.contains("3 faults, newest first"), "{narrowed}");
    assert!(narrowed.contains("aria-current=\"true\""), "{narrowed}");
    assert!(!get(&router, "/faults?q=word").await.contains("What they are"));
}

struct Site {
    router: Router,
}

impl Site {
    async fn keep(&self, cookie: &str, fields: &[(&str, &str)], origin: &str) -> StatusCode {
        let form: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = Request::post("/searches")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::COOKIE, cookie)
            .header(HeaderName::from_static("sec-fetch-site"), origin)
            .body(Body::from(form));
        ask(&self.router, request.unwrap()).await.0
    }

    async fn page(&self, cookie: &str, address: &str) -> String {
        let request = Request::get(address)
            .header(header::COOKIE, cookie)
            .body(Body::empty());
        ask(&self.router, request.unwrap()).await.1
    }
}

async fn signed_in(db: &Database, router: &Router, name: &str, role: Role) -> String {
    use tower::ServiceExt as _;

    let hash = hash(PASSWORD).unwrap();
    db.store.set_person(name, role, &hash).await.unwrap();
    let request = Request::post("/login")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(format!("name={name}&password=a+lot+of+words&next=/")));
    let response = router.clone().oneshot(request.unwrap()).await.unwrap();
    let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn searches_are_kept_shared_and_given_up() {
    let Some(db) = Database::new("searches_are_kept_shared_and_given_up").await else {
        return;
    };
    let router = db.router(Anonymous::None, &CancellationToken::new());
    let ann = signed_in(&db, &router, "ann", Role::Viewer).await;
    let bob = signed_in(&db, &router, "bob", Role::Triager).await;
    let site = Site { router };
    let own = "same-origin";
    let save = |name: &'static str| {
        [
            ("do", "save"),
            ("subject", "faults"),
            ("name", name),
            ("search", "class=kernel.oops&page_token=abc"),
        ]
    };

    // A viewer keeps what is theirs, and shares nothing.
    assert_eq!(
        site.keep(&ann, &save("my <b>oopses</b>"), own).await,
        StatusCode::SEE_OTHER
    );
    let sharing = [save("x").as_slice(), &[("shared", "true")]].concat();
    assert_eq!(site.keep(&ann, &sharing, own).await, StatusCode::FORBIDDEN);
    let page = site.page(&ann, "/faults").await;
    assert!(page.contains("my &#60;b&#62;oopses"), "{page}");
    assert!(
        page.contains("href=\"/faults?class=kernel.oops\""),
        "without its page: {page}"
    );
    assert!(
        !site.page(&bob, "/faults").await.contains("oopses"),
        "it is ann's"
    );

    // A triager shares with everybody; only they give it up.
    let sharing = [save("of the team").as_slice(), &[("shared", "true")]].concat();
    assert_eq!(site.keep(&bob, &sharing, own).await, StatusCode::SEE_OTHER);
    assert!(site.page(&ann, "/faults").await.contains("of the team"));
    let delete = [
        ("do", "delete"),
        ("subject", "faults"),
        ("owner", "bob"),
        ("name", "of the team"),
        ("search", ""),
    ];
    assert_eq!(site.keep(&ann, &delete, own).await, StatusCode::FORBIDDEN);
    assert_eq!(site.keep(&bob, &delete, own).await, StatusCode::SEE_OTHER);
    assert!(!site.page(&ann, "/faults").await.contains("of the team"));

    // Not by another site's page, not without a name, not what is no search.
    assert_eq!(
        site.keep(&ann, &save("y"), "cross-site").await,
        StatusCode::FORBIDDEN
    );
    assert_eq!(site.keep(&ann, &save(" "), own).await, StatusCode::BAD_REQUEST);
    for (subject, nonsense) in [
        ("faults", "severity=worst"),
        ("faults", "q=severity:worst"),
        ("faults", "state=new"),
        ("issues", "state=unheard"),
        ("issues", "q=dimm:A1"),
        ("issues", "class=kernel.oops"),
        ("hosts", "q=severity:high"),
        ("hosts", "state=new"),
        ("builds", ""),
    ] {
        let nonsense = [
            ("do", "save"),
            ("subject", subject),
            ("name", "y"),
            ("search", nonsense),
        ];
        assert_eq!(
            site.keep(&ann, &nonsense, own).await,
            StatusCode::BAD_REQUEST,
            "{nonsense:?}"
        );
    }
    assert_eq!(db.count("SELECT count(*) FROM saved_searches").await, 1);
}

#[tokio::test]
async fn each_list_has_searches_of_its_own() {
    let Some(db) = Database::new("each_list_has_searches_of_its_own").await else {
        return;
    };
    let router = db.router(Anonymous::Triager, &CancellationToken::new());
    let site = Site { router };
    let lists = [
        (
            "faults",
            "class=kernel.oops&q=nvme&page_token=abc",
            "q=nvme&class=kernel.oops",
        ),
        (
            "issues",
            "q=hosts%3E%3D10&state=new&page_token=abc",
            "state=new&q=hosts%3E%3D10",
        ),
        ("hosts", "page_token=abc&q=kernel%3A6.1.*", "q=kernel%3A6.1.*"),
    ];
    for (subject, search, _) in lists {
        let save = [
            ("do", "save"),
            ("subject", subject),
            ("name", "mine"),
            ("search", search),
        ];
        assert_eq!(
            site.keep("", &save, "same-origin").await,
            StatusCode::SEE_OTHER,
            "{subject}"
        );
    }
    for (subject, _, kept) in lists {
        let link = format!("<a href=\"/{subject}?{}\"", kept.replace('&', "&#38;"));
        let page = site.page("", &format!("/{subject}")).await;
        assert!(page.contains(&link), "{link} in {page}");
        assert_eq!(page.matches(">mine</a>").count(), 1, "{page}");
        // It is known for what is shown.
        let page = site.page("", &format!("/{subject}?{kept}")).await;
        assert!(page.contains(&format!("{link} aria-current=\"true\"")), "{page}");
    }
    let delete = [
        ("do", "delete"),
        ("subject", "issues"),
        ("owner", ""),
        ("name", "mine"),
        ("search", ""),
    ];
    assert_eq!(site.keep("", &delete, "same-origin").await, StatusCode::SEE_OTHER);
    for (subject, left) in [("faults", 1), ("issues", 0), ("hosts", 1)] {
        let page = site.page("", &format!("/{subject}")).await;
        assert_eq!(page.matches(">mine</a>").count(), left, "{subject}: {page}");
    }
}

#[tokio::test]
async fn nobody_keeps_searches_without_end() {
    let Some(db) = Database::new("nobody_keeps_searches_without_end").await else {
        return;
    };
    // Who need not sign in keeps them for all who need not.
    let router = db.router(Anonymous::Triager, &CancellationToken::new());
    let site = Site { router };
    for number in 0..=50 {
        let name = number.to_string();
        let save = [
            ("do", "save"),
            ("subject", "issues"),
            ("name", &name),
            ("search", "state=new"),
        ];
        let status = site.keep("", &save, "same-origin").await;
        let expected = if number < 50 {
            StatusCode::SEE_OTHER
        } else {
            StatusCode::BAD_REQUEST
        };
        assert_eq!(status, expected, "{number}");
    }
    // One that is there can be changed.
    let again = [
        ("do", "save"),
        ("subject", "issues"),
        ("name", "0"),
        ("search", "state=resolved"),
    ];
    assert_eq!(site.keep("", &again, "same-origin").await, StatusCode::SEE_OTHER);
    let viewer = db.router(Anonymous::Viewer, &CancellationToken::new());
    let site = Site { router: viewer };
    assert_eq!(site.keep("", &again, "same-origin").await, StatusCode::FORBIDDEN);
    assert!(site.page("", "/issues").await.contains("state=resolved"));
}
