//! The agent under a service manager: what it is told, and when.

mod common;

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use common::Host;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Receives messages until one has the line.
fn wait_for(line: &str, manager: &UnixDatagram) {
    let mut heard = Vec::new();
    loop {
        let mut bytes = [0; 4096];
        let length = manager
            .recv(&mut bytes)
            .unwrap_or_else(|error| panic!("{line} does not come ({error}): {heard:?}"));
        let message = String::from_utf8_lossy(&bytes[..length]).into_owned();
        if message.lines().any(|found| found == line) {
            return;
        }
        heard.push(message);
    }
}

#[test]
fn the_service_manager_is_told_how_the_agent_is_and_that_it_lives() {
    let mut host = Host::new("");
    host.open_to_all();
    let path = host.path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let for_all = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(&path, for_all).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut telemd = host.telemd();
    telemd.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "500000");
    host.start_by(telemd);
    wait_for("STATUS=waiting for opt-in", &manager);
    for _ in 0..3 {
        wait_for("WATCHDOG=1", &manager);
    }
    assert!(host.telemctl(&["opt-in"]).status.success());
    wait_for("STATUS=watching", &manager);
    assert_eq!(host.stop(), Some(0));
    wait_for("STOPPING=1", &manager);
}
