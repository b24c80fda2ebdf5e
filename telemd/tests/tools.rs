//! What `telemctl` does with a running agent, and without one.

mod common;

use common::collector::Running;
use common::{Host, said};
use proto::v1::record::Payload;

#[test]
fn a_test_record_shows_the_way_to_the_collector() {
    let collector = Running::start();
    let mut host = Host::new_with(&collector.address.to_string(), "probes.enabled = false", "");
    assert_eq!(host.telemctl(&["test-record"]).status.code(), Some(1));
    host.telemctl(&["opt-in"]);
    host.start();
    let output = host.telemctl(&["test-record", "--stored"]);
    let told = said(&host, &output);
    assert!(
        told.starts_with("exit 0") && told.contains("the collector has stored it"),
        "{told}"
    );
    let output = host.telemctl(&["test-record", "--stored", "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["kept"], &told["stored"]), (&true.into(), &true.into()));
    assert!(collector.store.lock().sender().stored_seq >= told["seq"].as_u64().unwrap());
}

#[test]
fn what_the_collector_is_told_about_this_host_is_shown() {
    let mut host = Host::new("");
    assert_eq!(host.telemctl(&["host"]).status.code(), Some(1), "nobody answers");
    host.start();
    let told = said(&host, &host.telemctl(&["host"]));
    assert!(told.starts_with("exit 1") && told.contains("opt-in"), "{told}");
    host.telemctl(&["opt-in"]);
    host.wait("the agent to know its host", |host| {
        host.telemctl(&["host"]).status.success()
    });
    let told = said(&host, &host.telemctl(&["host"]));
    assert!(told.contains("\nkernel ") && told.contains("\nmemory "), "{told}");
    let output = host.telemctl(&["host", "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["hostname"], "under-test");
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(told["kernelRelease"], release.trim());
}

#[test]
fn metrics_are_what_prometheus_reads() {
    let mut host = Host::new("");
    host.telemctl(&["opt-in"]);
    host.start();
    assert!(host.send("a/b/c", "x").starts_with("ok "));
    let output = host.telemctl(&["metrics"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    // Each line is a comment or a name, perhaps labels, and a number; each name is told once what it is.
    let mut typed = std::collections::BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert!(typed.insert(rest.split(' ').next().unwrap().to_owned()), "{line}");
        } else if !line.starts_with("# HELP ") {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<u64>().is_ok(), "{line}");
            assert!(typed.contains(name.split('{').next().unwrap()), "{line}");
        }
    }
    for part in [
        "\ntelemetrics_opted_in 1\n",
        "\ntelemetrics_collector_connected 0\n",
        "\ntelemetrics_hook_attached{hook=\"printk_console\"} 0\n",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert!(!text.contains("telemetrics_records_durable_total 0\n"), "{text}");
    // Whoever asks the socket gets the same.
    assert!(
        host.exchange("control", b"metrics")
            .contains("\ntelemetrics_opted_in 1\n")
    );
}

#[test]
fn whether_the_agent_runs_is_told_and_nothing_is_started_before_opt_in() {
    let mut host = Host::new("");
    for verb in ["start", "restart"] {
        let output = host.telemctl(&[verb]);
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&host, &output).contains("has not opted in"), "{output:?}");
    }
    if std::path::Path::new("/run/systemd/system").exists() {
        testing::skip(
            "whether_the_agent_runs_is_told_and_nothing_is_started_before_opt_in",
            "is-active tells of this host's own service where systemd runs",
        );
        return;
    }
    let output = host.telemctl(&["is-active"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&host, &output).contains("telemd : inactive"), "{output:?}");
    host.start();
    let output = host.telemctl(&["is-active"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(said(&host, &output).contains("telemd : active"), "{output:?}");
    host.telemctl(&["opt-in"]);
    let output = host.telemctl(&["stop"]);
    assert!(
        said(&host, &output).contains("systemd does not manage"),
        "{output:?}"
    );
}

#[test]
fn updates_are_told_once_and_none_from_before_opt_in() {
    let collector = Running::start();
    let mut host = Host::new_with(&collector.address.to_string(), "probes.enabled = false", "");
    host.telemctl(&["opt-in"]);
    host.start();
    let log = host.path("root/var/log/apt");
    std::fs::create_dir_all(&log).unwrap();
    let log = log.join("history.log");
    let update = |year: u32, package: &str| {
        format!(
            "\nStart-Date: {year}-01-02  03:04:05\nUpgrade: {package}:amd64 (1, 2)\nEnd-Date: {year}-01-02  03:04:15\n"
        )
    };
    std::fs::write(&log, update(2020, "before") + &update(2100, "after")).unwrap();
    let args = ["updates", "--root", host.path("root").to_str().unwrap()].map(str::to_owned);
    let tell = |host: &Host| {
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let output = host.telemctl(&args);
        assert!(output.status.success(), "{output:?}");
        assert!(host.telemctl(&["flush"]).status.success());
        let sender = collector.store.lock().sender();
        let told = sender
            .records
            .iter()
            .filter_map(|(_, record)| match &record.payload {
                Some(Payload::Custom(custom)) => Some((custom.payload.clone(), custom.fields.len())),
                _ => None,
            });
        told.collect::<Vec<_>>()
    };
    let after = vec![("upgraded after:amd64 1 -> 2\n".to_owned(), 7)];
    assert_eq!(tell(&host), after);
    assert_eq!(tell(&host), after);
    std::fs::write(
        &log,
        update(2100, "after") + &update(2100, "same-time") + &update(2101, "later"),
    )
    .unwrap();
    let told = tell(&host);
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(host.telemctl(&["opt-out"]).status.success());
    assert!(!host.path("state/updates.json").exists());
}

#[test]
fn an_old_configuration_is_migrated_and_nothing_is_written_over() {
    let host = Host::new("");
    let old = host.path("telemetrics.conf");
    std::fs::write(
        &old,
        "[settings]\nserver=https://x/v3/collector\nrecord_expiry=1200\n",
    )
    .unwrap();
    let new = host.path("new.toml");
    let args = [
        "config",
        "migrate",
        old.to_str().unwrap(),
        "--output",
        new.to_str().unwrap(),
    ];
    let output = host.telemctl(&args);
    assert!(output.status.success(), "{output:?}");
    assert!(said(&host, &output).contains("collector.url"), "{output:?}");
    let check = host.telemctl(&["config", "check", new.to_str().unwrap()]);
    assert!(check.status.success(), "{check:?}");
    assert!(
        std::fs::read_to_string(&new)
            .unwrap()
            .contains("max_age_s = 72000")
    );
    assert_eq!(host.telemctl(&args).status.code(), Some(1));
    let output = host.telemctl(&["config", "migrate", "/nonexistent"]);
    assert_eq!(output.status.code(), Some(1));
}
