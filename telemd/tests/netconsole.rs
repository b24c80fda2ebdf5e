//! `telemctl netconsole` without touching a kernel, and the token on its way to the collector.
#![expect(clippy::unwrap_used, reason = "tests panic")]

mod common;

use std::net::UdpSocket;

use common::Host;
use common::collector::Running;

/// An address that nobody has (RFC 5737), so that the route to it is the default one.
const COLLECTOR: &str = "192.0.2.7:6666";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const AGENT_ID: &str = "00112233-4455-4677-8899-aabbccddeeff";

/// A host whose agent has run.
fn host() -> Host {
    let host = Host::new("");
    std::fs::create_dir(host.path("state")).unwrap();
    std::fs::write(host.path("state/agent_id"), AGENT_ID).unwrap();
    host
}

#[test]
fn a_dry_run_prints_each_step_and_does_nothing() {
    let test = "a_dry_run_prints_each_step_and_does_nothing";
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    if let Err(error) = socket.connect(COLLECTOR) {
        return testing::skip(test, &format!("no route to {COLLECTOR}: {error}"));
    }
    let host = host();
    let arguments = ["netconsole", "setup", "--to", COLLECTOR, "--dry-run"];
    let way = ["--device", "eth7", "--mac", "52:55:0A:00:02:02"];
    let output = host.telemctl(&[&arguments[..], &way[..]].concat());
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let folder = "/sys/kernel/config/netconsole/telemetrics";
    for step in [
        format!("echo eth7 > {folder}/dev_name"),
        format!("echo 192.0.2.7 > {folder}/remote_ip"),
        format!("echo 52:55:0a:00:02:02 > {folder}/remote_mac"),
        format!("echo 1 > {folder}/enabled"),
    ] {
        assert!(
            said.lines().any(|line| line == step),
            "{step:?} is missing in:\n{said}"
        );
    }
    assert!(said.contains(&our_token(AGENT_ID)), "{said}");
}

/// The token of this boot.
fn our_token(agent_id: &str) -> String {
    let boot_id = std::fs::read_to_string(BOOT_ID).unwrap();
    telemd::netconsole::token(agent_id.trim().parse().unwrap(), boot_id.trim())
}

#[test]
fn mistakes_are_told_with_what_to_do() {
    let host = host();
    for (arguments, remedy) in [
        (&["--to", "127.0.0.1:6666"][..], "cannot send to itself"),
        (&["--to", "nonsense"], "give an address with --to"),
        (&["--to", "[2001:db8::1]:6666", "--device", "eth0"], ""),
    ] {
        let output = host.telemctl(&[&["netconsole", "setup"], arguments].concat());
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with("telemctl: ") && said.contains(remedy), "{said}");
    }
}

#[test]
fn the_collector_is_told_the_token_of_this_boot() {
    let collector = Running::start();
    let mut host = Host::new_with(&collector.address.to_string(), "probes.enabled = false", "");
    host.telemctl(&["opt-in"]);
    host.start();
    let told = || {
        let store = collector.store.lock();
        let host = store.hellos.first()?.host.as_ref()?;
        Some(host.netconsole_token.clone())
    };
    host.wait("the first Hello", |_| told().is_some());
    let agent_id = std::fs::read_to_string(host.path("state/agent_id")).unwrap();
    assert_eq!(told(), Some(our_token(&agent_id)));
}
