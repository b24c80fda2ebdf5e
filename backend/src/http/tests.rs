//! The pages, rendered from values, and the routes; with a real store they are tested in `backend/tests/http.rs`.

mod description;
mod first_host;
mod routes;

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use askama::Template as _;
use filter::Subject;
use jiff::Timestamp;
use proptest::prelude::*;
use proto::v1::{
    Fault, FaultFilter, FingerprintLevel, ListFaultsRequest, ListFaultsResponse, Severity, record::Payload,
};

use super::Started;
use super::access::Frame;
use super::samples;
use super::view::{FaultPage, FirstHost, ListInput, ListPage, Problem, Row, RowTemplate};
use crate::access::{Caller, Role};
use crate::store::{CountedBy, Counts, Facets, FingerprintFacts, HostCount, SavedSearch};

fn now() -> Timestamp {
    Timestamp::from_nanosecond((samples::THEN_NS + 180_000_000_000).into()).unwrap()
}

fn facets() -> Facets {
    Facets {
        classes: [
            "custom",
            "hardware.machine_check",
            "kernel.oops",
            "telemetry.loss",
        ]
        .map(Into::into)
        .into(),
        hosts: vec!["web-07".into()],
        kernel_releases: vec!["6.1.0-35-amd64".into()],
    }
}

fn counts() -> Counts {
    Counts {
        values: vec![
            (CountedBy::Class, "kernel.oops".to_owned(), 1200),
            (CountedBy::Class, "custom".to_owned(), 34),
            (CountedBy::Build, "12".to_owned(), 1234),
        ],
        counted_hosts: 40,
        hosts: 40,
    }
}

fn known(fault: &Fault) -> Vec<FingerprintFacts> {
    let then = SystemTime::UNIX_EPOCH + Duration::from_nanos(samples::THEN_NS);
    let record = fault.record.as_ref().unwrap();
    let facts = record.fingerprints.iter().map(|fingerprint| FingerprintFacts {
        fingerprint: fingerprint.value.clone(),
        level: fingerprint.level(),
        class: record.class.clone(),
        title: record.title.clone(),
        severity: record.severity(),
        first_seen: then - Duration::from_secs(200_000),
        last_seen: then,
        count: 1234,
        host_count: 7,
        hosts: vec![
            HostCount {
                host: "web-07".into(),
                count: 1000,
            },
            HostCount {
                host: "db-1".into(),
                count: 200,
            },
        ],
    });
    facts.collect()
}

fn list_page(filter: &FaultFilter, page_token: &str, list: &ListFaultsResponse) -> String {
    let request = ListFaultsRequest {
        filter: Some(filter.clone()),
        page_token: page_token.into(),
        ..ListFaultsRequest::default()
    };
    let input = ListInput {
        counts: Some(counts()),
        searches: vec![SavedSearch {
            owner: "ann".to_owned(),
            subject: Subject::Faults,
            name: "oopses".to_owned(),
            search: "class=kernel.oops".to_owned(),
            shared: true,
        }],
        ..list_input(&request, list)
    };
    ListPage::new(input).render().unwrap()
}

/// What a viewer is shown who keeps nothing.
fn list_input<'a>(request: &'a ListFaultsRequest, list: &'a ListFaultsResponse) -> ListInput<'a> {
    static BOB: LazyLock<Caller> = LazyLock::new(|| Caller {
        name: Some("bob".to_owned()),
        role: Role::Viewer,
    });
    static NO_PROBLEM: Problem = Problem {
        words: String::new(),
        place: String::new(),
    };
    ListInput {
        request,
        problem: &NO_PROBLEM,
        list,
        facets: facets(),
        counts: None,
        searches: Vec::new(),
        caller: &BOB,
        same: None,
        first_host: FirstHost::new(&Started::default(), "localhost"),
        now: now(),
        frame: Frame::default(),
    }
}

fn fault_page(fault: &Fault) -> String {
    FaultPage::new(fault, &known(fault), true, now(), Frame::default())
        .render()
        .unwrap()
}

#[test]
fn the_list() {
    let list = ListFaultsResponse {
        faults: samples::all(),
        next_page_token: "next".into(),
    };
    insta::assert_snapshot!(list_page(&FaultFilter::default(), "", &list));
}

#[test]
fn a_filtered_later_page() {
    let filter = FaultFilter {
        class: "kernel.".into(),
        min_severity: Severity::High.into(),
        host: "web-07".into(),
        ..FaultFilter::default()
    };
    let list = ListFaultsResponse {
        faults: vec![samples::oops()],
        next_page_token: String::new(),
    };
    let page = list_page(&filter, "token", &list);
    assert!(page.contains(r#"<option value="kernel." selected>kernel.*</option>"#));
    assert!(page.contains(r#"<option value="high" selected>high and above</option>"#));
    assert!(page.contains("1 fault, newest first"));
    assert!(!page.contains("data-live="), "a later page is not live");
    assert!(!page.contains(r#"rel="next""#), "it is the last");
}

#[test]
fn an_empty_list_says_what_to_do() {
    let nothing = ListFaultsResponse::default();
    let page = list_page(&FaultFilter::default(), "", &nothing);
    assert!(page.contains("No faults yet"));
    assert!(page.contains("telemctl opt-in"));
    let filter = FaultFilter {
        host: "nobody".into(),
        ..FaultFilter::default()
    };
    assert!(list_page(&filter, "", &nothing).contains("No fault matches"));
    assert!(list_page(&FaultFilter::default(), "token", &nothing).contains("No older faults"));
}

#[test]
fn a_clock_that_is_ahead_is_told_of() {
    let mut fault = samples::oops();
    let ahead = |fault: &mut Fault, seconds: u64| {
        let record = fault.record.as_mut().unwrap();
        record.occurred_at_unix_ns = fault.received_at_unix_ns + seconds * 1_000_000_000;
    };
    ahead(&mut fault, 400 * 86_400);
    let page = fault_page(&fault);
    assert!(page.contains("the clock of the host was 400 d ahead"), "{page}");
    assert!(
        page.contains(">in 399 d<") || page.contains(">in 400 d<"),
        "{page}"
    );
    ahead(&mut fault, 59);
    assert!(!fault_page(&fault).contains("the clock of the host"));
}

#[test]
fn a_page_narrowed_to_one_fault_names_it() {
    let oops = samples::oops();
    let same = known(&oops)
        .into_iter()
        .find(|facts| facts.level == FingerprintLevel::Title);
    let filter = FaultFilter {
        fingerprint: "01".repeat(16),
        host: "web-07".into(),
        ..FaultFilter::default()
    };
    let list = ListFaultsResponse {
        faults: vec![oops],
        next_page_token: String::new(),
    };
    let request = ListFaultsRequest {
        filter: Some(filter),
        ..ListFaultsRequest::default()
    };
    let input = ListInput {
        same,
        ..list_input(&request, &list)
    };
    let page = ListPage::new(input).render().unwrap();
    assert!(page.contains("1,234 records on 7 hosts"));
    assert!(page.contains(r#"<a href="/faults?host=web-07">Show all faults</a>"#));
    assert!(page.contains(&format!(r#"name="fingerprint" value="{}""#, "01".repeat(16))));
}

#[test]
fn the_page_of_an_oops() {
    insta::assert_snapshot!(fault_page(&samples::oops()));
}

#[test]
fn the_page_of_a_machine_check() {
    insta::assert_snapshot!(fault_page(&samples::machine_check()));
}

#[test]
fn every_payload_has_its_page() {
    let expected = [
        (
            samples::oom_kill(),
            [
                "1.5 GiB",
                "the limit of a cgroup",
                "/system.slice/postgresql.service",
            ],
        ),
        (
            samples::program_crash(),
            ["SEGV_MAPERR", "demo::read", "/usr/bin/demo-crash"],
        ),
        (samples::loss(), ["12,345", "storm", "only their count is kept"]),
        (
            samples::heartbeat(),
            ["1 of 2 attached", "1,085 ns", "no tracepoint mce:mce_record"],
        ),
        (
            samples::custom(),
            [
                "org.example/maintenance/disk",
                "by hand",
                "00112233445566778899aabbccddeeff",
            ],
        ),
        (
            samples::undecodable(),
            ["hook number 77", "00000020  20 21", "40 B"],
        ),
        (
            samples::kernel_event(),
            ["block:block_rq_error", "0xffffffffffff", "-5"],
        ),
        (
            samples::hardware_error(),
            ["multi-bit ECC", "Replace the module.", "00000010  10 11"],
        ),
        (
            samples::obituary(),
            ["certain", "ends without a shutdown", "1 d 2 h"],
        ),
    ];
    for (fault, words) in expected {
        let page = fault_page(&fault);
        for word in words {
            assert!(page.contains(word), "{word:?} is missing in:\n{page}");
        }
    }
}

#[test]
fn a_fault_without_a_record_or_a_host_still_has_a_page() {
    let bare = Fault {
        id: samples::oops().id,
        ..Fault::default()
    };
    assert!(
        FaultPage::new(&bare, &[], false, now(), Frame::default())
            .render()
            .unwrap()
            .contains("untitled")
    );
    assert!(
        RowTemplate {
            row: Row::new(&bare, now())
        }
        .render()
        .unwrap()
        .contains("unspecified")
    );
}

#[test]
fn nothing_hostile_gets_out_of_its_place() {
    let fault = samples::hostile();
    let list = ListFaultsResponse {
        faults: vec![fault.clone()],
        next_page_token: "\"><script>".into(),
    };
    let evil = "\"><script>alert('x')</script>";
    let filter = FaultFilter {
        class: evil.into(),
        host: evil.into(),
        kernel_release: evil.into(),
        fingerprint: evil.into(),
        ..FaultFilter::default()
    };
    let row = RowTemplate {
        row: Row::new(&fault, now()),
    }
    .render()
    .unwrap();
    for page in [list_page(&filter, "", &list), fault_page(&fault), row] {
        for hole in ["<script>", "<img", "</pre>&", "'x'", "\"&gt;"] {
            assert!(!page.contains(hole), "{hole:?} got through in:\n{page}");
        }
    }
}

/// The oops with the same text in every place, as its page and its row in the list.
fn pages_with(text: &str) -> String {
    let mut fault = samples::oops();
    if let Some(host) = &mut fault.host {
        host.hostname = text.into();
        host.product = text.into();
    }
    if let Some(record) = &mut fault.record {
        record.title = text.into();
        record.class = text.into();
        record.kernel_release = text.into();
        if let Some(Payload::KernelReport(report)) = &mut record.payload {
            report.function = text.into();
            report.comm = text.into();
            report.taint = text.into();
            report.traces[0].frames[3].function = text.into();
            report.registers[0].value = text.into();
            report.modules = vec![text.into()];
        }
    }
    fault_page(&fault)
        + &RowTemplate {
            row: Row::new(&fault, now()),
        }
        .render()
        .unwrap()
}

proptest! {
    /// Text can change what a page says, not how it is built.
    #[test]
    fn text_stays_text(text in r#"[<>&"'/=;x -]{1,40}x"#) {
        let marks = |page: &str| page.chars().filter(|letter| "<>\"".contains(*letter)).count();
        prop_assert_eq!(marks(&pages_with(&text)), marks(&pages_with("x")));
    }
}
