//! Lists of hosts and of the builds that they run.

use backend::store::Sender;
use proto::v1::{Build, HostFilter, ListBuildsRequest, ListHostsRequest, hosts_client::HostsClient};

use crate::support::{Collector, Database, host, mask, sender};

/// Three hosts of two builds.
async fn tell_of_hosts(db: &Database) -> Vec<Sender> {
    let mut senders = Vec::new();
    for (hostname, build, model) in [("b", "41", "X1"), ("a", "42", "X1"), ("c", "42", "X2")] {
        let told = proto::v1::Host {
            hostname: hostname.to_owned(),
            os_id: "debian".to_owned(),
            os_build: build.to_owned(),
            product: model.to_owned(),
            ..host()
        };
        let sender = sender();
        db.store.hello(&sender, &told, "1").await.unwrap();
        senders.push(sender);
    }
    senders
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_and_builds_are_listed_by_pages() {
    let Some(db) = Database::new("hosts_and_builds_are_listed_by_pages").await else {
        return;
    };
    let senders = tell_of_hosts(&db).await;
    let collector = Collector::start(&db).await;
    let mut hosts = HostsClient::new(collector.channel().await);
    let mut names = async |query: &str| {
        let (mut names, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListHostsRequest {
                filter: Some(HostFilter {
                    query: query.to_owned(),
                }),
                page_size: 1,
                page_token,
                read_mask: None,
            };
            let page = hosts.list_hosts(request).await?.into_inner();
            names.extend(page.hosts.into_iter().map(|known| known.host.unwrap().hostname));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok::<_, tonic::Status>(names);
            }
        }
    };
    let agent = format!("host:{}", senders[0].agent_id);
    for (query, expected) in [
        ("", vec!["a", "b", "c"]),
        ("build:42", vec!["a", "c"]),
        ("model:X* -host:a", vec!["b", "c"]),
        ("host:b or (build:42 and model:X2)", vec!["b", "c"]),
        (&agent, vec!["b"]),
        ("kernel:6.1.0-test os:debian", vec!["a", "b", "c"]),
        ("kernel:5.*", vec![]),
    ] {
        assert_eq!(names(query).await.unwrap(), expected, "{query}");
    }
    for query in ["class:kernel.*", "severity>=high", "state:new"] {
        let refused = names(query).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{query}");
        assert!(
            refused.message().contains("hosts cannot be asked for by"),
            "{refused}"
        );
    }
    // Another host was watched with it once.
    let watched = "INSERT INTO exposure_daily SELECT gen_random_uuid(), day, '41', '', '', 60
                   FROM unnest('{2026-01-09 00:00Z,2026-01-08 00:00Z}'::timestamptz[]) day";
    db.sql().await.batch_execute(watched).await.unwrap();
    let (mut builds, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListBuildsRequest {
            page_size: 1,
            page_token,
            read_mask: Some(mask("os_build,hosts,first_seen_unix_ns")),
        };
        let page = hosts.list_builds(request).await.unwrap().into_inner();
        assert_eq!(page.builds[0].last_seen_unix_ns, 0, "nobody asked for it");
        let build = |build: Build| {
            (
                build.os_build,
                build.hosts,
                build.first_seen_unix_ns / 1_000_000_000,
            )
        };
        builds.extend(page.builds.into_iter().map(build));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(
        builds,
        [("41".to_owned(), 1, 1_767_830_400), ("42".to_owned(), 2, 0)]
    );
    collector.stop().await;
}
