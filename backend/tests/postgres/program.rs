//! The program `backend` itself, with its private PostgreSQL.

use std::{
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use backend::store::Store;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{PATIENCE, batch, host, postgres_is_installed, sender};

const BACKEND: &str = env!("CARGO_BIN_EXE_backend");

fn serve(dir: &Path) -> Child {
    let file = dir.join("addresses.json");
    if file.exists() {
        std::fs::remove_file(&file).expect("remove the old file");
    }
    let mut child = start(dir);
    for _ in 0..PATIENCE.as_millis() / 20 {
        if file.exists() {
            return child;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().expect("a child of ours");
    panic!("it does not listen: {:?}", child.wait_with_output());
}

fn start(dir: &Path) -> Child {
    Command::new(BACKEND)
        .args([
            "serve",
            "--grpc",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
            "--data-dir",
        ])
        .arg(dir)
        .arg("--address-file")
        .arg(dir.join("addresses.json"))
        .env_remove("BACKEND_DATABASE_URL")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts")
}

/// What it said, once it has ended.
fn end(mut child: Child) -> Output {
    for _ in 0..PATIENCE.as_millis() / 20 {
        if child.try_wait().expect("a child of ours").is_some() {
            return child.wait_with_output().expect("it has ended");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().expect("a child of ours");
    panic!("it does not end: {:?}", child.wait_with_output());
}

fn store(dir: &Path) -> Store {
    let socket = dir.join("postgres/socket");
    Store::new(&format!(
        "host='{}' user=postgres dbname=postgres",
        socket.display()
    ))
    .expect("a URL")
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).expect("open the folder");
    dir
}

#[tokio::test]
async fn kill_9_leaves_nothing_that_blocks_the_next_start() {
    if !postgres_is_installed("kill_9_leaves_nothing_that_blocks_the_next_start").await {
        return;
    }
    let dir = folder();
    let sender = sender();
    for round in 0..3 {
        let mut child = serve(dir.path());
        let store = store(dir.path());
        assert_eq!(
            store.hello(&sender, &host(), "1").await.expect("it answers"),
            round
        );
        store
            .deliver(&sender, batch(round + 1, 1))
            .await
            .expect("it stores");

        let second = end(start(dir.path()));
        assert_eq!(second.status.code(), Some(1));
        let said = String::from_utf8_lossy(&second.stderr);
        assert!(said.contains("in use by another backend"), "{said}");

        if round == 1 {
            // A server that does not hear of the death of its backend: stopped in the debugger's sense.
            let text =
                std::fs::read_to_string(dir.path().join("postgres/data/postmaster.pid")).expect("a pid file");
            let pid = text
                .lines()
                .next()
                .and_then(|pid| pid.parse().ok())
                .and_then(Pid::from_raw)
                .expect("a pid");
            kill_process(pid, Signal::STOP).expect("it runs");
            child.kill().expect("it runs");
            child.wait().expect("it ends");
            kill_process(pid, Signal::CONT).expect("it runs");
        } else {
            child.kill().expect("it runs");
            child.wait().expect("it ends");
        }
    }
    let child = serve(dir.path());
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it runs");
    let ended = end(child);
    assert_eq!(
        ended.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    assert!(
        !dir.path().join("postgres/data/postmaster.pid").exists(),
        "PostgreSQL was stopped in order"
    );
}

#[tokio::test]
async fn a_folder_that_postgresql_cannot_enter_is_named() {
    let test = "a_folder_that_postgresql_cannot_enter_is_named";
    if !postgres_is_installed(test).await {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        testing::skip(test, "only root's PostgreSQL runs as another user");
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).expect("close the folder");
    let output = start(&dir.path().join("data"))
        .wait_with_output()
        .expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains(&format!("chmod o+x {}", dir.path().display())),
        "{said}"
    );
}

#[test]
fn a_certificate_that_is_not_there_is_told_before_a_database_is_made() {
    let dir = folder();
    let data = dir.path().join("data");
    let missing = dir.path().join("missing.pem");
    let output = Command::new(BACKEND)
        .args(["serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"])
        .arg("--tls-cert")
        .arg(&missing)
        .arg("--tls-key")
        .arg(&missing)
        .arg("--data-dir")
        .arg(&data)
        .env_remove("BACKEND_DATABASE_URL")
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains(&format!("cannot read {}", missing.display())),
        "{said}"
    );
    assert!(!data.exists());
}

#[test]
fn wrong_command_lines_exit_with_64_and_help_with_0() {
    let run = |args: &[&str]| Command::new(BACKEND).args(args).output().expect("it runs");
    for args in [
        &[][..],
        &["serve", "--grpc", "nowhere"],
        &["serve", "--unknown"],
        &["migrate"],
        &["frobnicate"],
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    insta::assert_snapshot!("help", String::from_utf8_lossy(&help.stdout));
    insta::assert_snapshot!(
        "help_of_serve",
        String::from_utf8_lossy(&run(&["serve", "--help"]).stdout)
    );
}

#[test]
fn commands_that_need_a_database_make_none_and_say_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("typo");
    let backup = folder.path().join("backup");
    for args in [
        &["people", "list"][..],
        &["check"],
        &["backup", backup.to_str().expect("UTF-8")],
        &["hardware"],
        &["audit"],
        &["token", "list"],
        &["token", "create"],
        &["api-token", "create", "--note", "grafana"],
        &["ca", "show"],
        &["alert", "list"],
        &["export"],
        &["regroup"],
    ] {
        let output = on_private(&dir, args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = format!("backend: there is no database in {}", dir.display());
        assert!(said.starts_with(&expected), "{args:?}: {said}");
        assert!(!dir.exists() && !backup.exists(), "{args:?}");
    }
    let rules = folder.path().join("alerts.toml");
    std::fs::write(&rules, "").expect("write it");
    let output = on_private(&dir, &["alert", "check", rules.to_str().expect("UTF-8")]);
    assert!(output.status.success() && !dir.exists(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with("there are no rules in the file"), "{said}");
}

#[tokio::test]
async fn commands_on_a_private_database_say_what_they_were_asked_and_nothing_else() {
    let test = "commands_on_a_private_database_say_what_they_were_asked_and_nothing_else";
    if !postgres_is_installed(test).await {
        return;
    }
    let dir = folder();
    let made = on_private(dir.path(), &["ca", "init"]);
    assert!(made.status.success(), "{made:?}");
    let said = String::from_utf8_lossy(&made.stderr);
    let expected = format!("made a new database in {}", dir.path().display());
    assert!(said.contains(&expected), "{said}");
    for args in [&["check"][..], &["ca", "show"], &["people", "list"]] {
        let output = on_private(dir.path(), args);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
    for (args, said) in [
        (
            &["export", "kernl:1"][..],
            "backend: filter: query, column 1: there is no key kernl",
        ),
        (&["hardware", "--kind", "foo"], "backend: filter: kind is dimm,"),
        (
            &["hardware", "--min-score", "101"],
            "backend: filter: min_score is a number from 0 to 100",
        ),
    ] {
        let output = on_private(dir.path(), args);
        assert_eq!(output.status.code(), Some(64), "{output:?}");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.starts_with(said), "{told}");
    }
}

/// A command that runs once, on the private database of a folder.
fn on_private(dir: &Path, args: &[&str]) -> Output {
    Command::new(BACKEND)
        .args(args)
        .arg("--data-dir")
        .arg(dir)
        .env_remove("BACKEND_DATABASE_URL")
        .output()
        .expect("it runs")
}

#[test]
fn a_collector_that_packages_installed_calls_itself_by_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |args: &[&str]| {
        let output = Command::new(BACKEND)
            .arg0("/usr/bin/telemetrics-backend")
            .args(args)
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let help = run(&["serve", "--help"]);
    assert!(
        help.contains("Usage: telemetrics-backend serve")
            && help.contains("  telemetrics-backend migrate --database"),
        "{help}"
    );
    let script = run(&["completions", "bash"]);
    let completes = |line: &str| line.contains("complete -F ") && line.ends_with(" telemetrics-backend");
    assert!(script.lines().any(completes), "{script}");
    let pages = folder.path().to_str().expect("UTF-8");
    run(&["--manual-pages", pages]);
    let page = std::fs::read_to_string(folder.path().join("telemetrics-backend-serve.8"));
    assert!(page.is_ok_and(|page| page.contains(".SH \"EXIT STATUS\"")));
}

#[test]
fn a_wrong_database_is_said_clearly_and_keeps_its_password() {
    let any_ports = ["serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"];
    for command in [&["migrate"], any_ports.as_slice()] {
        let output = Command::new(BACKEND)
            .args(command)
            .args(["--database", "postgres://user:sesame@/?host=/tmp&unknown=1"])
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(64), "{command:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains("database URL") && !said.contains("sesame"),
            "{command:?}: {said}"
        );
    }
}
