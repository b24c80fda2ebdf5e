//! What people say mends a fault reaches the host that has it: the real agent, collector, PostgreSQL and `telemctl`.

use std::{
    process::{Command, Output},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use system_tests::{
    process::wait_for,
    programs,
    system::{Kept, System},
};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(2);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(300);

#[test]
fn what_mends_a_fault_is_told_on_the_host_that_has_it() {
    let test = "what_mends_a_fault_is_told_on_the_host_that_has_it";
    let Some([telemctl]) = programs(test, ["telemctl"]) else {
        return;
    };
    let Some(mut system) = System::start(test, "") else {
        return;
    };
    let config = system.agent.config();
    let told = |command: &str| -> String {
        let Output { stdout, .. } = Command::new(&telemctl)
            .arg("--config")
            .arg(&config)
            .arg(command)
            .output()
            .expect("telemctl runs");
        String::from_utf8_lossy(&stdout).into_owned()
    };
    let wait = |what: &str, condition: &dyn Fn() -> bool| {
        wait_for(what, PATIENCE, || {
            thread::sleep(LOOK);
            condition()
        })
        .expect("it comes");
    };
    let kept = Kept::default();
    kept.send(&system.agent.socket(), 100).expect("the agent answers");
    system.wait_for_all(&kept);
    assert!(!told("status").contains("known fix"), "nobody has said anything");

    let mut issue = String::new();
    wait_for("the issue to be counted", PATIENCE, || {
        thread::sleep(LOOK);
        let issues = system
            .backend
            .get("/api/v1/issues")
            .expect("the collector answers");
        let issues: Value = serde_json::from_str(&issues.body).expect("JSON");
        issue = issues["issues"][0]["issue"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        !issue.is_empty()
    })
    .expect("it comes");
    let change = json!({ "who": "ann", "known_fix": "update the kernel", "fixed_in": "6.1.120",
                         "fix_url": "https://example.org/1" });
    let answer = system
        .backend
        .post(&format!("/api/v1/issues/{issue}"), &change.to_string())
        .expect("the collector answers");
    assert_eq!(answer.status, 200, "{}", answer.body);

    // With the next record of it, once the collector has looked what people say.
    let advice = "fixed in 6.1.120, update the kernel, https://example.org/1";
    wait("the fix to come with an answer", &|| {
        kept.send(&system.agent.socket(), 100).ok();
        told("status").contains(advice)
    });
    assert!(
        told("journal").contains(&format!("known fix: {advice}")),
        "{}",
        told("journal")
    );

    // And with the answer to the Hello, to an agent that says nothing.
    let file = system.agent.state_dir().join("fixes.json");
    system.agent.process().kill();
    std::fs::remove_file(&file).expect("it was there");
    system.agent.restart().expect("the agent starts again");
    wait("the fix to come with the greeting", &|| {
        told("status").contains(advice)
    });
}
