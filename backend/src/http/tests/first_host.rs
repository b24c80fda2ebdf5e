//! What an empty list says to do.

use askama::Template as _;
use proto::v1::{ListFaultsRequest, ListFaultsResponse};

use super::list_input;
use crate::http::view::{FirstHost, ListInput, ListPage};
use crate::http::{Delivery, Started};

#[test]
fn the_first_steps_are_those_of_how_the_collector_was_started() {
    let steps = |grpc: &str, delivery: Delivery| {
        let started = Started {
            grpc: grpc.parse().unwrap(),
            delivery,
            ..Started::default()
        };
        let (request, nothing) = (ListFaultsRequest::default(), ListFaultsResponse::default());
        let input = ListInput {
            first_host: FirstHost::new(&started, "metrics.example"),
            ..list_input(&request, &nothing)
        };
        ListPage::new(input).render().unwrap()
    };
    let here = steps("127.0.0.1:7140", Delivery::Clear);
    assert!(here.contains("url = \"http://127.0.0.1:7140\""), "{here}");
    assert!(
        here.contains("--grpc 0.0.0.0:7140 --tls-name collector.example"),
        "{here}"
    );
    assert!(!here.contains("insecure") && !here.contains("enroll"), "{here}");

    let clear = steps("0.0.0.0:7130", Delivery::Clear);
    assert!(
        clear.contains("url = \"http://metrics.example:7130\"\ninsecure = true"),
        "{clear}"
    );
    assert!(clear.contains("--tls-name metrics.example"), "{clear}");

    let name = "collector.example".to_owned();
    let own = steps("[::]:7130", Delivery::OwnAuthority { name });
    for said in [
        "backend token create",
        "backend ca show",
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
