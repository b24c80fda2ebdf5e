//! A release pipeline asks whether it may go on: the real `telemctl`, collector and PostgreSQL.

#![expect(clippy::expect_used, reason = "a test that cannot go on panics")]

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use serde_json::Value;
use system_tests::{database::Database, or_skip, process::Backend, programs};

/// 80 hosts of each of three builds, watched for ten days. A third of builds 41 and 43 have an issue, almost all of 42.
const FLEET: [&str; 6] = [
    "CREATE UNLOGGED TABLE fleet AS
     SELECT ('00000000-0000-4000-8000-' || lpad((build * 1000 + host)::text, 12, '0'))::uuid AS agent_id, build::text AS build,
            host < CASE build WHEN 42 THEN 75 ELSE 27 END AS affected,
            date_trunc('day', now(), 'UTC') - interval '10 days' AS start
     FROM generate_series(41, 43) AS build, generate_series(0, 79) AS host",
    "INSERT INTO hosts (agent_id, hostname, os_id, os_build, kernel_release, kernel_version, arch, cpu_model, cpus,
                        memory_bytes, product, board, bios, boot_id, agent_version)
     SELECT agent_id, '', '', build, '', '', '', '', 1, 1, 'model', '', '', '', '' FROM fleet",
    "INSERT INTO exposure_daily SELECT agent_id, start + day * interval '1 day', build, '', 'model', 86400
     FROM fleet, generate_series(0, 9) AS day",
    "INSERT INTO fingerprints (agent_id, fingerprint, level, version, issue, class, title, severity, first_seen, last_seen,
                               occurrences)
     SELECT agent_id, md5('x')::uuid, 1, 1, md5('x')::uuid, 'kernel.oops', 'an oops', 3, start + interval '5 days', now(), 1
     FROM fleet WHERE affected",
    "INSERT INTO triage (issue, class, title, severity) VALUES (md5('x')::uuid, 'kernel.oops', 'an oops', 3)",
    "INSERT INTO sightings (agent_id, day, issue, os_build, kernel_release, product, first_at, records)
     SELECT agent_id, start + interval '5 days', md5('x')::uuid, build, '', 'model', start + interval '5 days', 1
     FROM fleet WHERE affected",
];

struct Pipeline {
    telemctl: PathBuf,
    config: PathBuf,
    server: String,
}

impl Pipeline {
    fn gate(&self, arguments: &[&str]) -> Output {
        Command::new(&self.telemctl)
            .arg("--config")
            .arg(&self.config)
            .args(["gate", "--server", &self.server])
            .args(arguments)
            .output()
            .expect("telemctl runs")
    }
}

#[test]
fn a_pipeline_stops_at_a_build_that_is_worse() {
    let test = "a_pipeline_stops_at_a_build_that_is_worse";
    let Some([backend, telemctl]) = programs(test, ["backend", "telemctl"]) else {
        return;
    };
    let Some(database) = or_skip(test, Database::start()) else {
        return;
    };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let backend = Backend::start(backend, database.url(), dir.path()).expect("the collector starts");
    for statement in FLEET {
        database.query(statement).expect("the fleet is stored");
    }
    let config = dir.path().join("telemetrics.toml");
    fs::write(&config, "").expect("a configuration");
    let pipeline = Pipeline {
        telemctl,
        config,
        server: format!("http://{}", backend.addresses().grpc),
    };

    let worse = pipeline.gate(&["--from", "41", "--to", "42"]);
    let told = String::from_utf8_lossy(&worse.stdout).into_owned();
    assert_eq!(worse.status.code(), Some(1), "{worse:?}");
    assert!(told.starts_with("worse: 42 is worse than 41"), "{told}");
    assert!(
        told.contains("an oops\n") && told.contains("75 hosts had it first with 42, 27 with 41"),
        "{told}"
    );

    let fine = pipeline.gate(&["--from", "41", "--to", "43", "--max-ratio", "2"]);
    assert_eq!(fine.status.code(), Some(0), "{fine:?}");
    let slip = pipeline.gate(&["--from", "41", "--to", "44"]);
    let told = String::from_utf8_lossy(&slip.stderr).into_owned();
    assert_eq!(
        slip.status.code(),
        Some(2),
        "a slip is not too little data: {slip:?}"
    );
    assert!(
        told.contains("there is no build \"44\"") && told.contains("43, 42, 41"),
        "{told}"
    );
    let new =
        "UPDATE hosts SET os_build = '44' WHERE agent_id = (SELECT min(agent_id::text)::uuid FROM hosts)";
    database.query(new).expect("a host tells a new build");
    let unsure = pipeline.gate(&["--from", "41", "--to", "44", "--json"]);
    assert_eq!(unsure.status.code(), Some(3), "{unsure:?}");
    let object: Value = serde_json::from_slice(&unsure.stdout).expect("JSON");
    assert_eq!(
        (&object["verdict"], &object["from"]["hosts"]),
        (&"unsure".into(), &80.into())
    );

    for wrong in [
        ["--max-ratio", "0"],
        ["--confidence", "95"],
        ["--days", "0"],
        ["--by", "colour"],
        ["--to", ""],
    ] {
        let refused = pipeline.gate(&[&["--from", "41", "--to", "42"], wrong.as_slice()].concat());
        assert_eq!(refused.status.code(), Some(64), "{refused:?}");
    }
    let nobody = Pipeline {
        server: "http://127.0.0.1:1".to_owned(),
        ..pipeline
    };
    let away = nobody.gate(&["--from", "41", "--to", "42"]);
    assert_eq!(away.status.code(), Some(2), "{away:?}");
}
