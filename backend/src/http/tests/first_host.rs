//! What an empty list says to do.

use askama::Template as _;
use proto::v1::{ListFaultsRequest, ListFaultsResponse};

use super::list_input;
use crate::http::view::{FirstHost, ListInput, ListPage};
use crate::http::{Delivery, Reached, Started};

/// The list of a collector that was started so, as somebody sees it who calls it by this name.
fn steps(started: &Started, seen_as: &str) -> String {
    let (request, nothing) = (ListFaultsRequest::default(), ListFaultsResponse::default());
    let input = ListInput {
        first_host: FirstHost::new(started, seen_as),
        ..list_input(&request, &nothing)
    };
    ListPage::new(input).render().unwrap()
}

fn started(grpc: &str, delivery: Delivery) -> Started {
    Started {
        grpc: grpc.parse().unwrap(),
        delivery,
        host_name: "monitor".to_owned(),
        ..Started::default()
    }
}

#[test]
fn the_first_steps_are_those_of_how_the_collector_was_started() {
    let steps = |grpc: &str, delivery: Delivery| steps(&started(grpc, delivery), "metrics.example");
    let here = steps("127.0.0.1:7140", Delivery::Clear);
    assert!(here.contains("url = \"http://127.0.0.1:7140\""), "{here}");
    assert!(
        here.contains("backend ca init</code>")
            && here.contains("backend serve --grpc 0.0.0.0:7140 --tls-name monitor<"),
        "{here}"
    );
    assert!(!here.contains("insecure") && !here.contains("enroll"), "{here}");

    let clear = steps("0.0.0.0:7130", Delivery::Clear);
    assert!(
        clear.contains("url = \"http://metrics.example:7130\"\ninsecure = true"),
        "{clear}"
    );
    assert!(
        clear.contains("backend serve --grpc 0.0.0.0:7130 --tls-name metrics.example<"),
        "{clear}"
    );

    let name = "collector.example".to_owned();
    let own = steps("[::]:7130", Delivery::OwnAuthority { name });
    for said in [
        "backend token create --uses",
        "backend ca show<",
        "--server https://collector.example:7130 --ca-fingerprint sha256:",
    ] {
        assert!(own.contains(said), "{said} in {own}");
    }
    let other = steps("192.0.2.7:443", Delivery::OtherAuthority);
    assert!(
        other.contains("--server https://metrics.example:443 --token -"),
        "{other}"
    );
    assert!(!other.contains("backend ca"), "{other}");
}

#[test]
fn the_address_works_from_other_hosts_also_where_the_page_is_seen_on_this_one() {
    let clear = started("0.0.0.0:7130", Delivery::Clear);
    for here in ["localhost", "127.0.0.1", "[::1]", ""] {
        let page = steps(&clear, here);
        assert!(page.contains("url = \"http://monitor:7130\""), "{here}: {page}");
        assert!(page.contains("--tls-name monitor<"), "{here}: {page}");
        let other = steps(&started("[::]:443", Delivery::OtherAuthority), here);
        assert!(other.contains("--server https://monitor:443 "), "{here}: {other}");
    }
    let nameless = Started {
        host_name: "localhost".to_owned(),
        ..clear
    };
    assert!(steps(&nameless, "localhost").contains("url = \"http://collector.example:7130\""));
}

#[test]
fn the_commands_reach_the_database_of_this_collector() {
    let name = "collector.example".to_owned();
    let page = |database| {
        let started = Started {
            database,
            ..started("[::]:7130", Delivery::OwnAuthority { name: name.clone() })
        };
        steps(&started, "metrics.example")
    };
    let elsewhere = page(Reached::In("/srv/the faults".into()));
    for said in [
        "backend token create --data-dir &#39;/srv/the faults&#39; --uses",
        "backend ca show --data-dir &#39;/srv/the faults&#39;<",
    ] {
        assert!(elsewhere.contains(said), "{said} in {elsewhere}");
    }
    let by_url = page(Reached::ByUrl);
    for said in [
        "backend token create --database URL --uses",
        "<p>URL is that of the database",
    ] {
        assert!(by_url.contains(said), "{said} in {by_url}");
    }
}
