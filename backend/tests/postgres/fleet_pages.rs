//! The pages of hardware, population, updates, probes and crashes, from what a real store holds.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use backend::{
    access::Anonymous,
    alerts::{self, Rules},
    analysis,
    simulation::{Plan, Story},
};
use proto::v1::{Heartbeat, HookState, Host, ProgramCrash, Record, Severity, record::Payload};
use tokio_util::sync::CancellationToken;

use crate::hardware::failing;
use crate::population::runs;
use crate::statistics::fleet;
use crate::support::{Database, ask, assert_says, get, host, of_issue, record, sender};

fn router(db: &Database) -> axum::Router {
    db.router(Anonymous::Admin, &CancellationToken::new())
}

async fn refused(router: &axum::Router, address: &str, status: StatusCode) {
    let request = Request::get(address).body(Body::empty()).unwrap();
    let (answered, text) = ask(router, request).await;
    assert_eq!(answered, status, "{address}: {text}");
}

#[tokio::test]
async fn parts_are_shown_by_health_with_their_evidence_and_their_host() {
    let test = "parts_are_shown_by_health_with_their_evidence_and_their_host";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let router = router(&db);
    assert_says(&get(&router, "/hardware").await, &["No part had an error"]);
    assert_says(
        &get(&router, "/hardware/events").await,
        &["Hardware told nothing"],
    );
    let sender = failing(&db).await;
    db.store.score_parts(analysis::score).await.unwrap();

    let list = get(&router, "/hardware").await;
    let host = format!("/hosts/{}", sender.agent_id);
    assert_says(&list, &["failing", "A1", "B1", "M393A", &host]);
    let places = ["A1</a>", "C1</a>"].map(|part| list.find(part).unwrap());
    assert!(places[0] < places[1], "the worst first:\n{list}");
    assert_says(&get(&router, "/hardware?kind=disk").await, &["No part matches"]);
    assert_says(&get(&router, "/hardware?kind=dimm&host=db-1").await, &["A1"]);

    db.counted().await;
    let events = get(&router, "/hardware/events").await;
    assert_says(
        &events,
        &[
            "/faults?class=hardware.memory_error\"",
            "/issues?q=class%3Ahardware.memory_error\"",
            "/builds?class=hardware.memory_error&#38;min_severity=low\"",
            ": 8 records",
            &format!("<a href=\"{host}\">db-1</a>"),
            &format!(
                "/faults?q=after%3A-28d&#38;class=hardware.&#38;host={}\">8</a>",
                sender.agent_id
            ),
        ],
    );

    let id = list.split("/hardware/").nth(1).unwrap();
    let part = get(&router, &format!("/hardware/{}", &id[..36])).await;
    assert_says(
        &part,
        &[
            "What speaks for it",
            "Errors by day",
            "<rect",
            "Where in it",
            &host,
        ],
    );
    let of_host = get(&router, &host).await;
    assert_says(&of_host, &["Parts with errors", "/hardware/"]);

    refused(&router, "/hardware?kind=toaster", StatusCode::BAD_REQUEST).await;
    refused(&router, "/hardware?colour=red", StatusCode::BAD_REQUEST).await;
    refused(&router, "/hardware/none", StatusCode::NOT_FOUND).await;
    let nobody = "/hardware/00000000-0000-4000-8000-000000000000";
    refused(&router, nobody, StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn who_runs_what_is_shown_by_day() {
    let Some(db) = Database::new("who_runs_what_is_shown_by_day").await else {
        return;
    };
    let router = router(&db);
    assert_says(&get(&router, "/population").await, &["No host was counted"]);
    fleet(&db).await;
    db.store.count_population().await.unwrap();
    let builds = get(&router, "/population").await;
    assert_says(&builds, &["By build", ">41<", ">42<", "50.0 %", "120 hosts"]);
    let models = get(&router, "/population?by=model&days=3").await;
    assert_says(&models, &["By model", ">A<", ">B<"]);
    refused(&router, "/population?by=colour", StatusCode::BAD_REQUEST).await;
    refused(&router, "/population?days=0", StatusCode::BAD_REQUEST).await;
}

#[tokio::test]
async fn what_cannot_be_compared_is_said() {
    let Some(db) = Database::new("what_cannot_be_compared_is_said").await else {
        return;
    };
    let router = router(&db);
    fleet(&db).await;
    for (asked, says) in [
        ("from=41&to=41", "cannot be compared with itself"),
        ("from=41&to=", "choose two."),
        ("from=41&to=43", "there is no build"),
    ] {
        let page = get(&router, &format!("/builds?by=build&{asked}")).await;
        assert_says(&page, &[says]);
        assert!(!page.contains("Hosts, 41"), "{asked} compares nothing: {page}");
    }
    let compared = get(&router, "/builds?by=build&from=41&to=42").await;
    assert_says(&compared, &["Hosts, 41", "42 against 41"]);
    assert!(!compared.contains("To compare"), "{compared}");
    let asked = get(&router, "/builds?from=41&to=42&class=kernel.&max_ratio=20&days=9").await;
    let fields = [r#"value="kernel.""#, r#"value="20""#, r#"value="9""#];
    assert_says(&asked, &fields);
    assert_says(&asked, &["verdict-fine"]);
}

#[tokio::test]
async fn fields_that_were_left_empty_are_not_asked_and_others_are_refused_in_words() {
    let test = "fields_that_were_left_empty_are_not_asked_and_others_are_refused_in_words";
    let Some(db) = Database::new(test).await else {
        return;
    };
    let router = router(&db);
    for address in ["/builds", "/population", "/updates"] {
        let page = get(&router, &format!("{address}?days=")).await;
        assert_says(&page, &["name=\"days\" value=\"30\""]);
        let request = Request::get(format!("{address}?days=many")).body(Body::empty());
        let (status, page) = ask(&router, request.unwrap()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_says(&page, &["<p>days: "]);
    }
    for address in ["/hardware?host=%00", "/hosts?q=%00", "/builds?from=a&to=%00"] {
        refused(&router, address, StatusCode::BAD_REQUEST).await;
    }
}

#[tokio::test]
async fn updates_are_a_matrix_by_how_they_went() {
    let Some(db) = Database::new("updates_are_a_matrix_by_how_they_went").await else {
        return;
    };
    let router = router(&db);
    assert_says(&get(&router, "/updates").await, &["No host went"]);
    let hosts = [sender(), sender()];
    for host in &hosts {
        runs(&db, host, "41").await;
        runs(&db, host, "<i>42").await;
    }
    runs(&db, &hosts[1], "41").await;
    let matrix = get(&router, "/updates").await;
    assert_says(
        &matrix,
        &[
            "class=\"heat-4\"",
            "50 %",
            "2 hosts tried: 2 came to run it, 0 failed, 1 went back",
            "/builds?by=build&#38;from=41&#38;to=%3Ci%3E42",
        ],
    );
    assert!(!matrix.contains("<i>42"), "text of strangers is no markup");
    refused(&router, "/updates?days=367", StatusCode::BAD_REQUEST).await;
}

#[tokio::test]
async fn what_the_fleet_watches_is_shown_by_hook() {
    let Some(db) = Database::new("what_the_fleet_watches_is_shown_by_hook").await else {
        return;
    };
    let router = router(&db);
    assert_says(&get(&router, "/probes").await, &["No heartbeat came"]);
    for (number, attach) in ["tp_btf", ""].into_iter().enumerate() {
        let sender = sender();
        let told = Host {
            hostname: format!("watched-{number}"),
            ..host()
        };
        db.store.hello(&sender, &told, "1").await.unwrap();
        let hook = |name: &str, attach: &str| HookState {
            name: name.to_owned(),
            attach: attach.to_owned(),
            reason: "this kernel has <b>no</b> such tracepoint".to_owned(),
            ..HookState::default()
        };
        // The second is newer than the first, and counts.
        let beat = |attach: &str| Record {
            class: "telemetry.heartbeat".to_owned(),
            payload: Some(Payload::Heartbeat(Heartbeat {
                hooks: vec![hook("mce", attach), hook("console", "tp_btf")],
                ..Heartbeat::default()
            })),
            ..record("")
        };
        db.deliver(&sender, &[beat(""), beat(attach)]).await;
    }
    let probes = get(&router, "/probes").await;
    assert_says(
        &probes,
        &[
            "2 hosts; on 1 of them every hook is attached",
            "1 of 2",
            "2 of 2",
            "this kernel has &#60;b&#62;no",
            "watched-1",
        ],
    );
    assert!(!probes.contains("watched-0"), "it watches both:\n{probes}");
}

#[tokio::test]
async fn crashes_are_shown_by_program_signal_and_build() {
    let Some(db) = Database::new("crashes_are_shown_by_program_signal_and_build").await else {
        return;
    };
    let router = router(&db);
    assert_says(&get(&router, "/crashes").await, &["No program crashed"]);
    let crash = |number: u32, signal| Record {
        class: "program.crash".to_owned(),
        severity: Severity::Medium.into(),
        title: format!("crash {number} in <b>f</b>"),
        fingerprints: of_issue(&format!("{number:032x}")),
        payload: Some(Payload::ProgramCrash(ProgramCrash {
            executable: "/usr/bin/example".to_owned(),
            build_id: "0123456789abcdef0123456789abcdef01234567".to_owned(),
            signal,
            ..ProgramCrash::default()
        })),
        ..record("")
    };
    db.tell(&[crash(1, 11), crash(1, 11), crash(2, 6)]).await;
    db.counted().await;
    let crashes = get(&router, "/crashes").await;
    assert_says(
        &crashes,
        &[
            "/usr/bin/example",
            "3 records",
            "SIGSEGV",
            "SIGABRT",
            ">0123456789ab<",
            "/issues/00000000000000000000000000000001",
            "crash 2 in &#60;b&#62;f",
        ],
    );
    assert_eq!(crashes.matches("class=\"group\"").count(), 1, "one program");
}

/// One rule for each thing that an alert can be about, but issues.
const RULES: &str = "
    [[rule]]
    name = 'silent'
    when = { silence = { longer_than = '1h' } }
    targets = []
    [[rule]]
    name = 'part'
    when = { bad_part = {} }
    targets = []
    [[rule]]
    name = 'hook'
    when = { missing_hook = { hosts = 2, by = 'kernel' } }
    targets = []
    [[rule]]
    name = 'build'
    when = { worse_build = { max_ratio = 1.0 } }
    targets = []";

#[tokio::test]
async fn an_alert_leads_to_what_it_is_about() {
    let Some(db) = Database::new("an_alert_leads_to_what_it_is_about").await else {
        return;
    };
    let plan = Plan {
        hosts: 1000,
        days: 20,
        seed: 1,
        story: Story::Release,
    };
    assert!(
        db.store
            .write_fleet(&plan.fleet_until_now().tables)
            .await
            .unwrap()
    );
    db.store.score_parts(analysis::score).await.unwrap();
    alerts::look(&db.store, &Rules::parse(RULES).unwrap())
        .await
        .unwrap();
    let router = router(&db);
    let (overview, admin) = (get(&router, "/").await, get(&router, "/admin").await);
    for (rule, leads_to) in [
        ("silent", "/hosts/"),
        ("part", "/hardware/"),
        ("hook", "/probes"),
        ("build", "/builds?by=build&#38;from=A&#38;to=B"),
    ] {
        let open = db.store.open_alerts_listed().await.unwrap();
        let of_rule = open.iter().find(|alert| alert["rule"] == rule).expect(rule);
        let path = of_rule["path"].as_str().unwrap();
        get(&router, path).await;
        let link = format!("href=\"{leads_to}");
        let row = admin
            .split("<tr")
            .find(|row| row.contains(&format!(">{rule}</td>")) && row.contains(&link));
        assert!(row.is_some(), "{rule} does not lead to {leads_to}: {admin}");
    }
    let listed = overview.split("id=\"alerts\"").nth(1).unwrap();
    let listed = listed.split("</section>").next().unwrap();
    assert_eq!(
        listed.matches("<tr class=").count(),
        4,
        "one of each rule: {listed}"
    );
    assert_says(listed, &["and ", " more</div>", "href=\"/admin#alerts\""]);
    let links = listed.split("<tbody>").nth(1).unwrap();
    assert_eq!(links.matches("<a href=\"/").count(), 4, "{listed}");
}
