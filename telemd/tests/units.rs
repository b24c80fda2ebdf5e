//! The units of `deploy/systemd` against systemd's own judgement, and against what the programs give up by themselves.

use std::path::Path;
use std::process::Command;

use telemd::privileged::{KEPT, KEPT_WHERE_PARANOID};

/// What `systemd-analyze` calls tenths of exposure: 1.5 for the half that talks to the network.
const NETWORKED: u32 = 15;
/// The half that attaches probes needs capabilities, root and the kernel's log.
const PRIVILEGED: u32 = 30;

fn unit(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/systemd");
    folder.join(name).display().to_string()
}

#[test]
fn units_are_as_closed_as_their_process_allows() {
    let test = "units_are_as_closed_as_their_process_allows";
    for (name, threshold) in [
        ("telemd.service", NETWORKED),
        ("telemd-probes@.service", PRIVILEGED),
        ("telemetrics-updates.service", NETWORKED),
        ("telemetrics-failures.service", NETWORKED),
        ("telemetrics-backend.service", NETWORKED),
    ] {
        let analyzed = Command::new("systemd-analyze")
            .args(["security", "--offline=yes", "--no-pager"])
            .args([format!("--threshold={threshold}"), unit(name)])
            .output();
        let output = match analyzed {
            Ok(output) => output,
            Err(error) => {
                return testing::skip(test, &format!("systemd-analyze of the package systemd: {error}"));
            }
        };
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        if said.is_empty() && complaint.contains("offline") {
            return testing::skip(test, "systemd-analyze judges files since version 250");
        }
        assert!(output.status.success(), "{name}:\n{said}{complaint}");
        assert!(!complaint.contains("ignoring"), "{name}: {complaint}");
    }
}

#[test]
fn the_unit_of_the_privileged_half_has_what_the_program_keeps() {
    let text = std::fs::read_to_string(unit("telemd-probes@.service")).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("CapabilityBoundingSet="));
    let mut named: Vec<_> = line.unwrap().split_ascii_whitespace().collect();
    named.sort_unstable();
    let standing = privilege::standing::Standing {
        capabilities: KEPT.union(KEPT_WHERE_PARANOID).bits(),
        ..Default::default()
    };
    let mut kept = standing.capability_names();
    kept.sort_unstable();
    assert_eq!(named, kept);
}
