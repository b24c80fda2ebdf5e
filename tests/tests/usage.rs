//! A wrong file or command line: a clear error, and nothing starts.

#![expect(clippy::expect_used, reason = "a test that cannot go on panics")]

use std::{
    fs,
    process::{Command, Output},
};

use system_tests::programs;

/// Exit code for a wrong configuration or command line.
const EXIT_USAGE: i32 = 64;

/// Runs a program that must not start, and returns what it says on stderr.
fn refused(what: &str, command: &mut Command) -> String {
    let Output {
        status,
        stderr,
        stdout,
    } = command.output().expect("the program runs");
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(
        status.code(),
        Some(EXIT_USAGE),
        "{what}: {said}{}",
        String::from_utf8_lossy(&stdout)
    );
    said
}

#[test]
fn a_wrong_configuration_is_named_by_key_and_line_and_ends_with_64() {
    let test = "a_wrong_configuration_is_named_by_key_and_line_and_ends_with_64";
    let Some([telemd]) = programs(test, ["telemd"]) else {
        return;
    };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("telemd.toml");
    for (text, names) in [
        ("log = \"info\"\nno_such_key = 1\n", &[":2: no_such_key"][..]),
        ("[storm]\nfirst = 1\n\n[collector]\nurll = \"x\"\n", &[":5: urll"]),
        ("[storm]\nfirst = \"many\"\n", &[":2: ", "first"]),
        ("[storm]\nfirst = 0\n", &["storm.first", "0"]),
        ("[collector]\nurl = \"not a url\"\n", &["collector.url"]),
        (
            "[probes]\ndisable = [\"no_such_hook\"]\n",
            &["probes.disable", "no_such_hook"],
        ),
        ("this is not TOML", &[":1: "]),
        ("log = \"\u{0}\"", &[":1: "]),
    ] {
        fs::write(&file, text).expect("write the configuration");
        let said = refused(text, Command::new(&telemd).arg("--config").arg(&file));
        for name in names.iter().chain(&["telemd.toml"]) {
            assert!(said.contains(name), "{text:?}: {name} is not named in {said}");
        }
    }
    fs::write(&file, [0xff, 0xfe, 0x00]).expect("write the configuration");
    refused("no UTF-8", Command::new(&telemd).arg("--config").arg(&file));
    let said = refused(
        "no file",
        Command::new(&telemd)
            .arg("--config")
            .arg(dir.path().join("absent.toml")),
    );
    assert!(said.contains("absent.toml"), "{said}");
    let said = refused("no such option", Command::new(&telemd).arg("--no-such-option"));
    assert!(said.contains("--no-such-option"), "{said}");
}

#[test]
fn a_wrong_command_line_of_the_collector_is_named_and_ends_with_64() {
    let test = "a_wrong_command_line_of_the_collector_is_named_and_ends_with_64";
    let Some([backend]) = programs(test, ["backend"]) else {
        return;
    };
    for (arguments, names) in [
        (&["serve", "--grpc", "nonsense"][..], "nonsense"),
        (&["serve", "--no-such-option"], "--no-such-option"),
        (&["migrate"], "--database"),
        (&["no-such-command"], "no-such-command"),
    ] {
        let said = refused(&arguments.join(" "), Command::new(&backend).args(arguments));
        assert!(said.contains(names), "{arguments:?}: {said}");
    }
}
