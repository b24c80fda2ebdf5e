//! The local socket as programs of several users meet it.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests panic")]

mod common;

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output};

use common::{Host, frame_bytes};
use local::framed;
use local::{Outcome, Receipt, RefusalReason, Submission};
use proto::v1::{EventField, event_field::Value};

/// A user without rights; any that is neither root nor telemd's.
const OTHER: u32 = 65_533;

fn submission() -> Submission {
    Submission {
        classification: "a/b/c".into(),
        severity: 3,
        payload: "x".into(),
        fields: vec![EventField {
            name: "disk".into(),
            value: Some(Value::Text("sda".into())),
        }],
        ..Submission::default()
    }
}

fn receipt(host: &Host, bytes: &[u8]) -> Outcome {
    let mut stream = UnixStream::connect(host.path("socket")).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let (length, body) = answer.split_first_chunk().expect("an answer");
    assert_eq!(framed::receipt_bytes(*length), Ok(body.len()));
    let Receipt { outcome } = framed::read_receipt(body).unwrap();
    outcome.expect("it was checked")
}

/// A connection whose record does not come.
fn stalled(host: &Host) -> UnixStream {
    let mut stream = UnixStream::connect(host.path("socket")).unwrap();
    stream.write_all(b"\x20\x00").unwrap();
    stream
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs `telem-record-gen` as another user, who can reach the host's files.
fn record_gen_as(host: &Host, uid: u32, args: &[&str]) -> Output {
    std::fs::set_permissions(host.dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    // Where the programs are built need not be a place that others can enter.
    let program = host.path("record-gen");
    testing::write_program(
        &program,
        &std::fs::read(env!("CARGO_BIN_EXE_telem-record-gen")).unwrap(),
    );
    Command::new(&program)
        .arg("--config")
        .arg(host.path("telemd.toml"))
        .args(args)
        .uid(uid)
        .gid(uid)
        .output()
        .unwrap()
}

#[test]
fn a_submission_is_answered_with_a_receipt() {
    let mut host = Host::new("[heartbeat]\ninterval_s = 86400");
    host.start();
    let bytes = framed::write_submission(&submission()).unwrap();
    let Outcome::Refused(refused) = receipt(&host, &bytes) else {
        panic!("nothing is kept before opt-in");
    };
    assert_eq!(refused.reason(), RefusalReason::NotOptedIn);
    assert!(host.telemctl(&["opt-in"]).status.success());
    let Outcome::KeptSeq(seq) = receipt(&host, &bytes) else {
        panic!("it is kept");
    };
    assert!(host.status().session.unwrap().spool.durable_seq >= seq);

    let mut broken = bytes.clone();
    *broken.last_mut().unwrap() = 0xff;
    let Outcome::Refused(refused) = receipt(&host, &broken) else {
        panic!("it is no message");
    };
    assert_eq!(refused.reason(), RefusalReason::Invalid);
    assert_eq!(host.status().session.unwrap().rejected, 1);
}

#[test]
fn a_configuration_file_is_taken_from_root_only() {
    let mut host = Host::new("");
    host.telemctl(&["opt-in"]);
    host.start();
    let plain = frame_bytes("a/b/c", "x");
    let config = b"CFG:/etc/telemetrics/other.conf\0";
    let size = u32::try_from(plain.len() + config.len()).unwrap();
    let bytes = [&size.to_ne_bytes()[..], config, &plain[4..]].concat();
    let answer = host.exchange("socket", &bytes);
    if is_root() {
        assert!(answer.starts_with("ok "), "{answer}");
    } else {
        assert!(answer.contains("from root only"), "{answer}");
    }
}

#[test]
fn a_user_who_sends_too_much_is_refused_and_others_are_not() {
    if !is_root() {
        testing::skip(
            "a_user_who_sends_too_much_is_refused_and_others_are_not",
            "only root can send as several users",
        );
        return;
    }
    let mut host = Host::new("[quota]\nrecords = 2\nwindow_s = 86400");
    host.telemctl(&["opt-in"]);
    host.start();
    let args = ["-c", "a/b/c", "-p", "x"];
    for _ in 0..2 {
        let sent = record_gen_as(&host, OTHER, &args);
        assert!(sent.status.success(), "{sent:?}");
    }
    let refused = record_gen_as(&host, OTHER, &args);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("user 65533 has sent as much") && said.contains("try again in"),
        "{said}"
    );
    let another = record_gen_as(&host, OTHER - 1, &args);
    assert!(another.status.success(), "{another:?}");
    for _ in 0..3 {
        assert!(host.send("a/b/c", "x").starts_with("ok "), "root has no quota");
    }
}

#[test]
fn one_user_cannot_take_all_connections() {
    if !is_root() {
        testing::skip(
            "one_user_cannot_take_all_connections",
            "only root can hold connections as another user",
        );
        return;
    }
    let mut host = Host::new("");
    host.telemctl(&["opt-in"]);
    host.start();
    // This process is one user: it holds as many as one may and is refused one more. They are cut off after a while,
    // which on a slow machine may be before the one more comes: then again.
    let mut held = Vec::new();
    host.wait("a connection too many to be refused", |host| {
        held = (0..16).map(|_| stalled(host)).collect();
        host.send("a/b/c", "x").contains("more than 16 connections")
    });
    let other = record_gen_as(&host, OTHER, &["-c", "a/b/c", "-p", "x"]);
    assert!(other.status.success(), "{other:?}");
    drop(held);
    host.wait("the connections to be forgotten", |host| {
        host.send("a/b/c", "x").starts_with("ok ")
    });
}
