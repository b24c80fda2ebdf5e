//! The configuration of real programs: its files, what is told about it, and its change while the agent runs.

mod common;

use common::{Host, said};
use rustix::process::{Signal, kill_process};

fn reload(host: &Host) -> serde_json::Value {
    let output = host.telemctl(&["reload", "--json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn what_is_in_effect_is_told_with_its_place() {
    let host = Host::new("storm.first = 3");
    host.add_config("10-site.toml", "[storm]\nwindow_s = 5");
    let output = host.telemctl(&["config", "show", "storm"]);
    assert!(output.status.success(), "{output:?}");
    insta::assert_snapshot!(said(&host, &output));
    let output = host.telemctl(&["config", "show", "--json"]);
    let values: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |key: &str| {
        values
            .as_array()
            .unwrap()
            .iter()
            .find(|value| value["key"] == key)
            .unwrap()
    };
    assert_eq!(of("storm.window_s")["origin"]["line"], 2);
    assert_eq!(of("heartbeat.interval_s")["origin"], serde_json::Value::Null);
    assert_eq!(host.telemctl(&["config", "show", "strom"]).status.code(), Some(1));
}

#[test]
fn a_mistake_is_found_before_the_agent_starts() {
    let host = Host::new("");
    assert!(host.telemctl(&["config", "check"]).status.success());
    host.add_config("20.toml", "[quota]\nrecord = 5");
    let output = host.telemctl(&["config", "check"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(said(&host, &output));
    let output = host.telemctl(&["config", "check", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["mistake"]["line"], 2);
    assert_eq!(
        report["mistake"]["remedy"],
        "did you mean records? Correct or remove that line"
    );
    assert_eq!(host.telemd().output().unwrap().status.code(), Some(64));
    // Another file is not this host's matter.
    let other = host.path("other.toml");
    std::fs::create_dir(host.path("elsewhere")).unwrap();
    let other = other.with_file_name("elsewhere").join("t.toml");
    std::fs::write(&other, "log = \"telemd=loud\"").unwrap();
    let output = host.telemctl(&["config", "check", other.to_str().unwrap()]);
    assert!(
        said(&host, &output).contains("t.toml:1: log = \"telemd=loud\""),
        "{output:?}"
    );
}

#[test]
fn what_can_be_changed_takes_effect_without_a_restart() {
    let mut host = Host::new("[storm]\nfirst = 1\nwindow_s = 3600\n[heartbeat]\ninterval_s = 86400");
    host.telemctl(&["opt-in"]);
    host.start();
    let pid = host.status().pid;
    assert!(host.send("a/b/c", "x").starts_with("ok "));
    assert!(host.send("a/b/c", "x").starts_with("counted"));
    host.add_config(
        "10.toml",
        "storm.first = 3\nhostname = \"other\"\nprivacy.email = \"replace\"",
    );
    let told = reload(&host);
    assert_eq!(
        told["applied"],
        serde_json::json!(["privacy.email", "storm.first"])
    );
    assert_eq!(told["restart"], serde_json::json!(["hostname"]));
    let answers: Vec<_> = (0..4).map(|_| host.send("a/b/d", "x")).collect();
    let kept = answers.iter().filter(|answer| answer.starts_with("ok ")).count();
    assert_eq!(kept, 3, "{answers:?}");

    host.add_config("10.toml", "storm.first = 0");
    let output = host.telemctl(&["reload"]);
    assert_eq!(output.status.code(), Some(64));
    let said = said(&host, &output);
    assert!(said.contains("storm.first = 0: out of range"), "{said}");
    kill_process(host.pid(), Signal::HUP).unwrap();
    host.wait("the mistake to be told", |host| {
        host.log().contains("the one before stays in effect")
    });
    std::fs::remove_file(host.path("conf.d/10.toml")).unwrap();
    assert!(host.send("a/b/e", "x").starts_with("ok "));
    assert_eq!(host.status().pid, pid);
}

#[test]
fn a_hangup_reads_the_configuration_again() {
    let mut host = Host::new("");
    host.start();
    assert!(!host.log().contains("\"level\":\"DEBUG\""));
    host.add_config("10.toml", "log = \"debug\"");
    kill_process(host.pid(), Signal::HUP).unwrap();
    host.wait("the configuration to be read", |host| {
        host.log().contains("the configuration was read again")
    });
    assert!(host.log().contains("[\\\"log\\\"]"), "{}", host.log());
    // It works on, and now says more.
    std::fs::remove_file(host.path("conf.d/10.toml")).unwrap();
    kill_process(host.pid(), Signal::HUP).unwrap();
    host.wait("it to be read again", |host| {
        host.log().matches("the configuration was read again").count() == 2
    });
    assert!(host.telemctl(&["status"]).status.success());
}

#[test]
fn a_flush_without_a_collector_says_what_waits() {
    let mut host = Host::new("");
    host.telemctl(&["opt-in"]);
    host.start();
    assert!(host.send("a/b/c", "x").starts_with("ok "));
    let output = host.telemctl(&["flush", "--timeout", "1"]);
    assert_eq!(output.status.code(), Some(1));
    let said = said(&host, &output);
    assert!(
        said.contains("still wait after 1 s") && said.contains("doctor"),
        "{said}"
    );
}
