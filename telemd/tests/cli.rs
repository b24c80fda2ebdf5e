//! What the programs say on the command line, without an agent.

mod common;

use std::process::Command;

use common::{Host, said};

#[test]
fn every_program_has_help_with_examples() {
    let host = Host::new("");
    for (name, program) in [
        ("telemd", env!("CARGO_BIN_EXE_telemd")),
        ("telemctl", env!("CARGO_BIN_EXE_telemctl")),
        ("telem-record-gen", env!("CARGO_BIN_EXE_telem-record-gen")),
        ("telem_journal", env!("CARGO_BIN_EXE_telem_journal")),
    ] {
        insta::assert_snapshot!(
            format!("help_{name}"),
            said(&host, &host.run(program, &["--help"]))
        );
        assert_eq!(host.run(program, &["--version"]).status.code(), Some(0));
    }
}

#[test]
fn every_program_writes_its_manual_pages() {
    let host = Host::new("");
    let folder = host.path("pages");
    std::fs::create_dir(&folder).unwrap();
    for (page, program) in [
        ("telemd.8", env!("CARGO_BIN_EXE_telemd")),
        ("telemd-crash.8", env!("CARGO_BIN_EXE_telemd-crash")),
        ("telemd-probes.8", env!("CARGO_BIN_EXE_telemd-probes")),
        ("telemctl.1", env!("CARGO_BIN_EXE_telemctl")),
        ("telem-record-gen.1", env!("CARGO_BIN_EXE_telem-record-gen")),
        ("telem_journal.1", env!("CARGO_BIN_EXE_telem_journal")),
    ] {
        let output = Command::new(program)
            .arg("--manual-pages")
            .arg(&folder)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let text = std::fs::read_to_string(folder.join(page)).unwrap();
        assert!(
            text.contains(".SH \"EXIT STATUS\"") && text.contains("(8)"),
            "{text}"
        );
    }
    assert!(folder.join("telemctl-probes-show.1").exists());
}

#[test]
fn every_program_that_people_call_prints_completions() {
    let host = Host::new("");
    for (program, args) in [
        (env!("CARGO_BIN_EXE_telemd"), ["--completions", "bash"]),
        (env!("CARGO_BIN_EXE_telemctl"), ["completions", "bash"]),
        (env!("CARGO_BIN_EXE_telem-record-gen"), ["--completions", "bash"]),
        (env!("CARGO_BIN_EXE_telem_journal"), ["--completions", "bash"]),
    ] {
        let output = host.run(program, &args);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("complete -F"),
            "{program}"
        );
    }
}

#[test]
fn commands_with_options_have_help() {
    let host = Host::new("");
    for command in [
        &["doctor"][..],
        &["probes"],
        &["probes", "show"],
        &["probes", "check"],
        &["explain"],
        &["decode"],
        &["decode", "mce"],
        &["decode", "cper"],
        &["decode", "bert"],
        &["decode", "aer"],
        &["journal"],
        &["netconsole"],
        &["netconsole", "setup"],
        &["config"],
        &["config", "migrate"],
        &["flush"],
        &["test-record"],
        &["updates"],
        &["enroll"],
        &["gate"],
        &["symbols"],
        &["symbols", "upload"],
        &["preview"],
        &["ledger"],
        &["failures"],
        &["crashes"],
        &["crashes", "enable"],
    ] {
        let name = format!("help_{}", command.join("_"));
        insta::assert_snapshot!(
            name,
            said(&host, &host.telemctl(&[command, &["--help"]].concat()))
        );
    }
}

#[test]
fn a_wrong_command_line_is_64_everywhere() {
    let host = Host::new("");
    for (program, args) in [
        (env!("CARGO_BIN_EXE_telemd"), &["--nonsense"][..]),
        (env!("CARGO_BIN_EXE_telemctl"), &[]),
        (env!("CARGO_BIN_EXE_telemctl"), &["reboot"]),
        (env!("CARGO_BIN_EXE_telem-record-gen"), &[]),
        (
            env!("CARGO_BIN_EXE_telem-record-gen"),
            &["-c", "a/b/c", "-s", "5"],
        ),
        (env!("CARGO_BIN_EXE_telem-record-gen"), &["-c", "a/b", "-p", "x"]),
        (
            env!("CARGO_BIN_EXE_telem-record-gen"),
            &["-c", "a/b/c", "-p", "x", "-e", "ABC"],
        ),
        (
            env!("CARGO_BIN_EXE_telem-record-gen"),
            &["-c", "a/b/c", "-p", "x", "-P", "y"],
        ),
    ] {
        let output = host.run(program, args);
        assert_eq!(output.status.code(), Some(64), "{args:?}: {output:?}");
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn a_wrong_configuration_is_64_before_anything_is_touched() {
    let host = Host::new("[storm]\nfirts = 3");
    for output in [
        host.telemd().output().unwrap(),
        host.telemctl(&["status"]),
        host.record_gen(&["-c", "a/b/c", "-p", "x"]),
    ] {
        let said = said(&host, &output);
        assert!(said.starts_with("exit 64"), "{said}");
        assert!(said.contains("DIR/telemd.toml:10: firts"), "{said}");
    }
    assert!(!host.path("state").exists() && !host.path("socket").exists());

    let host = Host::new("log = \"telemd=loud\"");
    let output = host.telemd().output().unwrap();
    assert!(
        said(&host, &output).contains("log = \"telemd=loud\""),
        "{output:?}"
    );
    assert_eq!(output.status.code(), Some(64));
}

#[test]
fn without_a_running_agent_every_program_says_what_to_do() {
    let host = Host::new("");
    let all = [
        said(&host, &host.telemctl(&["status"])),
        said(&host, &host.record_gen(&["-c", "a/b/c", "-p", "x"])),
        said(&host, &host.telemctl(&["opt-in"])),
        said(&host, &host.record_gen(&["-c", "a/b/c", "-p", "x"])),
        said(&host, &host.telemctl(&["opt-out"])),
    ];
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn the_doctor_works_without_the_agent_and_finds_what_is_wrong() {
    let host = Host::new("");
    let output = host.telemctl(&["doctor"]);
    assert_eq!(output.status.code(), Some(1));
    let said = said(&host, &output);
    for part in [
        "PROBLEM  opt-in",
        "`telemctl opt-in`",
        "PROBLEM  telemd",
        "start it as root: `systemctl start telemd`",
        "PROBLEM  collector",
        "3 problems found",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let output = host.telemctl(&["doctor", "--json"]);
    let checks: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        checks
            .as_array()
            .unwrap()
            .iter()
            .any(|check| check["state"] == "problem")
    );
}

#[test]
fn a_record_can_be_looked_at_without_being_sent() {
    let host = Host::new("");
    let args = [
        "-n",
        "-o",
        "-c",
        "org.example/test/test",
        "-s",
        "3",
        "-R",
        "2",
        "-p",
        "hello",
    ];
    let output = host.record_gen(&args);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 16);
    assert_eq!(lines[1], "classification: org.example/test/test");
    assert_eq!(lines[2], "severity: 3");
    assert_eq!(lines[9], "payload_format_version: 2");
    assert_eq!(lines[15], "hello");
}

#[test]
fn a_record_with_fields_can_be_told_in_json() {
    let host = Host::new("");
    let args = [
        "-n",
        "-o",
        "--json",
        "-c",
        "a/b/c",
        "-p",
        "x",
        "--field",
        "slot=3",
        "--field",
        "delta=-1",
        "--field",
        "serial=W=1",
    ];
    let output = host.record_gen(&args);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let record: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        record["fields"],
        serde_json::json!({"slot": 3, "delta": -1, "serial": "W=1"})
    );
    assert_eq!(record["event_id"].as_str().unwrap().len(), 32);
    let output = host.record_gen(&["--json", "-c", "a/b/c", "-p", "x"]);
    assert_eq!(output.status.code(), Some(1));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["outcome"], &told["reason"]),
        (&"refused".into(), &"not_opted_in".into())
    );
    let output = host.record_gen(&["--completions", "bash"]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("--field"));
}

#[test]
fn completions_name_every_command() {
    let host = Host::new("");
    let output = host.telemctl(&["completions", "bash"]);
    let script = String::from_utf8(output.stdout).unwrap();
    for command in [
        "doctor",
        "probes",
        "status",
        "opt-in",
        "opt-out",
        "completions",
        "explain",
        "--symbols",
        "decode",
        "bert",
        "--uncorrectable",
    ] {
        assert!(script.contains(command));
    }
}
