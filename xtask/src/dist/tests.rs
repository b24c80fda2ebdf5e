//! Packages of programs that are built already: what is in them, and what lintian says.

use std::process::Command;

use super::{Packages, build::Built, checksum, deb, pack};
use crate::paths;

/// What each package has to have, among other things.
const CONTENTS: [(&str, &[&str]); 4] = [
    (
        "telemetrics-agent",
        &[
            "./usr/bin/telemd",
            "./usr/bin/telemd-crash",
            "./usr/bin/telemd-probes",
            "./usr/bin/telemctl",
            "./usr/bin/telem-record-gen",
            "./usr/bin/telem_journal",
            "/systemd/system/telemd.service",
            "/systemd/system/telemd.socket",
            "/systemd/system/telemd-probes.socket",
            "/systemd/system/telemd-probes@.service",
            "/systemd/system/telemetrics-updates.service",
            "/systemd/system/telemetrics-updates.timer",
            "/systemd/system/telemetrics-failures.service",
            "/systemd/system/telemetrics-failures.timer",
            "./usr/lib/sysusers.d/telemetrics.conf",
            "./usr/lib/tmpfiles.d/telemetrics.conf",
            "./usr/lib/systemd/system-preset/80-telemetrics.preset",
            "./usr/share/polkit-1/actions/org.telemetrics.telemctl.policy",
            "./usr/share/man/man1/telemctl-doctor.1.gz",
            "./usr/share/man/man5/telemetrics.toml.5.gz",
            "./usr/share/man/man8/telemd.8.gz",
            "./usr/share/man/man8/telemd-crash.8.gz",
            "./usr/share/bash-completion/completions/telem_journal",
            "./usr/share/zsh/vendor-completions/_telemd",
            "./usr/share/fish/vendor_completions.d/telemctl.fish",
        ],
    ),
    (
        "telemetrics-backend",
        &[
            "./usr/bin/telemetrics-backend",
            "/systemd/system/telemetrics-backend.service",
            "./usr/lib/sysusers.d/telemetrics-backend.conf",
            "./usr/lib/tmpfiles.d/telemetrics-backend.conf",
            "./etc/default/telemetrics-backend",
            "./usr/share/man/man8/telemetrics-backend-serve.8.gz",
            "./usr/share/bash-completion/completions/telemetrics-backend",
        ],
    ),
    ("libtelemetry4", &["/libtelemetry.so.4"]),
    (
        "libtelemetry-dev",
        &["/libtelemetry.so", "/telemetry.h", "/pkgconfig/libtelemetry.pc"],
    ),
];

/// What `cargo xtask test` has built, or why it cannot be packed here.
fn built() -> Result<Built, String> {
    let programs = testing::programs()?;
    for (program, package) in [
        ("dh", "debhelper"),
        ("dpkg-buildpackage", "dpkg-dev"),
        ("lintian", "lintian"),
        ("rpmbuild", "rpm"),
    ] {
        crate::packages::ensure_program(program, package).map_err(|error| error.to_string())?;
    }
    let ebpf = paths::ebpf_object();
    Ok(Built {
        library: programs.join("libtelemetry"),
        programs,
        ebpf: ebpf.exists().then_some(ebpf),
    })
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn checksums(packages: &Packages) -> Vec<String> {
    let files = packages.deb.iter().chain(&packages.rpm);
    files.map(|file| checksum(file).unwrap()).collect()
}

#[test]
fn packages_have_what_they_should_and_lintian_agrees() {
    let built = match built() {
        Ok(built) => built,
        Err(reason) => return testing::skip("packages_have_what_they_should_and_lintian_agrees", &reason),
    };
    let out = tempfile::tempdir().unwrap();
    let [packages, again] = ["out", "again"].map(|name| pack(&built, &out.path().join(name)).unwrap());
    assert_eq!(
        checksums(&packages),
        checksums(&again),
        "the same sources give the same packages"
    );
    assert_eq!(packages.deb.len(), CONTENTS.len(), "{packages:?}");
    assert_eq!(packages.rpm.len(), CONTENTS.len(), "{packages:?}");
    for (name, files) in CONTENTS {
        let deb = packages
            .deb
            .iter()
            .find(|file| file.to_string_lossy().contains(&format!("/{name}_")))
            .unwrap();
        let listed = said(Command::new("dpkg-deb").arg("--contents").arg(deb));
        for file in files {
            assert!(
                listed
                    .lines()
                    .any(|line| line.split(" -> ").next().is_some_and(|line| line.ends_with(file))),
                "{name} has no {file}:\n{listed}"
            );
        }
    }
    deb::judge(&packages.deb).unwrap();
}
