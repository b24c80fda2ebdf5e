//! The real agent: consent, its sockets, and its end. Delivery is tested with a real collector in `tests/`.

mod common;

use std::time::{Duration, Instant};

use common::{Host, frame_bytes, said};

#[test]
fn nothing_is_recorded_before_opt_in_and_nothing_is_left_after_opt_out() {
    let mut host = Host::new("");
    host.start();
    let refused = host.send("a/b/c", "x");
    assert!(refused.contains("not opted in"), "{refused}");
    assert!(host.status().session.is_none());
    let files = std::fs::read_dir(host.path("state")).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["lock"]);

    let output = host.telemctl(&["opt-in"]);
    assert!(output.status.success(), "{output:?}");
    let first = host.status().session.expect("opt-in takes effect at once");
    let sent = host.record_gen(&["-c", "a/b/c", "-p", "x"]);
    assert!(sent.status.success(), "{sent:?}");
    assert!(host.status().session.unwrap().spool.durable_seq >= 1);

    let output = host.telemctl(&["opt-out"]);
    assert!(output.status.success(), "{output:?}");
    assert!(host.status().session.is_none());
    let files = std::fs::read_dir(host.path("state")).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["lock"]);

    assert!(host.telemctl(&["opt-in"]).status.success());
    let second = host.status().session.unwrap();
    assert_ne!(first.agent_id, second.agent_id);
    assert_ne!(first.epoch, second.epoch);
}

#[test]
fn consent_taken_away_by_hand_is_noticed() {
    let mut host = Host::new("");
    host.telemctl(&["opt-in"]);
    host.start();
    assert!(host.status().session.is_some());
    std::fs::remove_file(host.path("opt-in")).unwrap();
    let refused = host.send("a/b/c", "x");
    assert!(refused.contains("not opted in"), "{refused}");
    host.wait("the session to end", |host| host.status().session.is_none());
    assert!(!host.path("state/spool").exists());
}

#[test]
fn consent_taken_away_while_no_agent_runs_is_noticed_at_the_next_start() {
    let mut host = Host::new("");
    host.telemctl(&["opt-in"]);
    host.start();
    assert!(host.send("a/b/c", "x").starts_with("ok "));
    host.kill();
    std::fs::remove_file(host.path("opt-in")).unwrap();
    host.start();
    let files = std::fs::read_dir(host.path("state")).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["lock"]);
}

#[test]
fn consent_taken_away_just_before_the_agent_stops_is_honoured() {
    let mut host = Host::new("");
    host.telemctl(&["opt-in"]);
    host.start();
    assert!(host.send("a/b/c", "x").starts_with("ok "));
    std::fs::remove_file(host.path("opt-in")).unwrap();
    assert_eq!(host.stop(), Some(0));
    let files = std::fs::read_dir(host.path("state")).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["lock"]);
}

#[test]
fn garbage_on_the_socket_gets_an_answer_each_is_counted_and_harms_nobody() {
    let mut host = Host::new("");
    host.telemctl(&["opt-in"]);
    host.start();
    let good = frame_bytes("a/b/c", "x");
    let mut bad_class = good.clone();
    let at = good.windows(5).position(|part| part == b"a/b/c").unwrap();
    bad_class[at + 1] = b'b';
    let mut no_nul = good.clone();
    *no_nul.last_mut().unwrap() = b'x';
    let cases: [(&str, &[u8]); 6] = [
        ("not in 13..=16397", b"GET / HTTP/1.1\r\n\r\n"),
        ("not in 13..=16397", &[0; 4096]),
        ("the frame ends early", &good[..good.len() - 1]),
        ("the frame ends early", b"\x20\x00"),
        ("classification must be", &bad_class),
        ("only NUL", &no_nul),
    ];
    for (reason, bytes) in cases {
        let answer = host.exchange("socket", bytes);
        assert!(
            answer.starts_with("error: ") && answer.contains(reason),
            "{answer:?} for {reason}"
        );
    }
    // Somebody who only looks whether the agent listens broke no rule.
    assert_eq!(host.exchange("socket", b""), "");
    assert!(host.exchange("socket", &good).starts_with("ok "));
    assert_eq!(host.status().session.unwrap().rejected, 6);

    let answer = host.exchange("control", &[0xff; 300]);
    assert!(answer.contains("the questions are"), "{answer}");
    assert_eq!(host.status().session.unwrap().rejected, 6);
}

#[test]
fn a_sender_that_stalls_is_cut_off_and_keeps_nobody_waiting() {
    use std::io::{Read as _, Write as _};
    let mut host = Host::new("");
    host.telemctl(&["opt-in"]);
    host.start();
    let mut stalled = std::os::unix::net::UnixStream::connect(host.path("socket")).unwrap();
    stalled.write_all(b"\x20\x00").unwrap();
    assert!(host.send("a/b/c", "x").starts_with("ok "));
    let mut answer = String::new();
    stalled.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("no whole frame within 5 s"), "{answer}");
}

#[test]
fn what_was_answered_with_ok_survives_kill_9() {
    let mut host = Host::new("[heartbeat]\ninterval_s = 86400");
    host.telemctl(&["opt-in"]);
    host.start();
    for n in 1..=5 {
        let answer = host.send(&format!("a/b/{n}"), "x");
        assert!(answer.starts_with("ok "), "{answer}");
    }
    let before = host.status().session.unwrap();
    host.kill();
    host.start();
    let after = host.status().session.unwrap();
    assert_eq!((after.agent_id, after.epoch), (before.agent_id, before.epoch));
    assert!(after.spool.durable_seq >= before.spool.durable_seq);
    assert!(after.spool.backlog >= 5);
}

#[test]
fn repeats_are_counted_and_the_count_is_kept_when_the_agent_stops() {
    let mut host = Host::new("[storm]\nfirst = 2\nwindow_s = 3600\n[heartbeat]\ninterval_s = 86400");
    host.telemctl(&["opt-in"]);
    host.start();
    host.wait("the first heartbeat", |host| {
        host.status().session.unwrap().spool.durable_seq == 1
    });
    let answers: Vec<_> = (0..5).map(|_| host.send("a/b/c", "x")).collect();
    assert_eq!(answers[..2], ["ok 2\n", "ok 3\n"]);
    assert!(
        answers[2..].iter().all(|answer| answer.starts_with("counted: ")),
        "{answers:?}"
    );
    assert_eq!(host.status().session.unwrap().counted, 3);
    assert_eq!(host.stop(), Some(0));

    host.start();
    // The count of the three, and the heartbeat of the new start.
    host.wait("the second heartbeat", |host| {
        host.status().session.unwrap().spool.durable_seq == 5
    });
}

#[test]
fn sigterm_ends_the_agent_in_time_and_removes_its_sockets() {
    let mut host = Host::new("");
    host.telemctl(&["opt-in"]);
    host.start();
    let answer = host.send("a/b/c", "x");
    assert!(answer.starts_with("ok "), "{answer}");
    let started = now();
    assert_eq!(host.stop(), Some(0));
    assert!(now() - started < Duration::from_secs(5));
    assert!(!host.path("socket").exists() && !host.path("control").exists());
    for line in host.log().lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("the log is JSON off a terminal");
        assert_ne!(line["level"], "ERROR", "{line}");
    }
}

#[test]
fn sigterm_ends_an_agent_whose_disk_is_stuck_while_it_opens_the_spool() {
    let mut host = Host::new("");
    host.start();
    // Opening a pipe that nobody writes to takes as long as reading a disk that does not answer.
    let spool = host.path("state/spool");
    std::fs::create_dir(&spool).unwrap();
    let pipe = spool.join("identity");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    std::fs::write(host.path("opt-in"), "").unwrap();
    let waits_in = format!("/proc/{}/wchan", host.pid());
    if std::fs::read_to_string(&waits_in).is_ok_and(|function| function == "0") {
        testing::skip(
            "sigterm_ends_an_agent_whose_disk_is_stuck_while_it_opens_the_spool",
            "this kernel does not say what a process waits for",
        );
        return;
    }
    host.wait("the agent to open its spool", |_| {
        std::fs::read_to_string(&waits_in).is_ok_and(|function| function == "wait_for_partner")
    });
    assert_eq!(host.stop(), Some(1), "{}", host.log());
    assert!(host.log().contains("did not stop in time"), "{}", host.log());
}

#[test]
fn a_second_agent_refuses_the_same_state_directory() {
    let mut host = Host::new("");
    host.start();
    let output = host.telemd().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("another telemd uses"),
        "{output:?}"
    );
    assert!(host.telemctl(&["status"]).status.success());
}

#[test]
fn the_doctor_tells_what_a_running_agent_knows() {
    let mut host = Host::new("");
    host.telemctl(&["opt-in"]);
    host.start();
    host.wait("the first try to connect", |host| {
        !host.status().session.unwrap().link.last_error.is_empty()
    });
    let output = host.telemctl(&["doctor"]);
    assert_eq!(output.status.code(), Some(1));
    let said = said(&host, &output);
    for part in [
        "ok       opt-in",
        "ok       telemd",
        "note     hook printk_console",
        "probes.enabled is false",
        "PROBLEM  hooks",
        "PROBLEM  collector",
        "ok       local socket",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
}

#[expect(clippy::disallowed_methods, reason = "a test measures real time")]
fn now() -> Instant {
    Instant::now()
}
