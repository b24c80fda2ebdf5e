//! A host that has not opted in records nothing.

#![expect(clippy::expect_used, reason = "a test that cannot go on panics")]

use std::{path::Path, process::Command, thread, time::Duration};

use system_tests::{
    process::wait_for,
    programs, sender,
    system::{Kept, System},
};

fn telemctl(program: &Path, config: &Path, command: &str) {
    let output = Command::new(program)
        .arg("--config")
        .arg(config)
        .arg(command)
        .output()
        .expect("telemctl runs");
    assert!(output.status.success(), "telemctl {command}: {output:?}");
}

#[test]
fn without_consent_nothing_is_recorded_and_withdrawing_it_deletes_what_is_kept() {
    let test = "without_consent_nothing_is_recorded_and_withdrawing_it_deletes_what_is_kept";
    let Some([control]) = programs(test, ["telemctl"]) else {
        return;
    };
    let Some(mut system) = System::start(test, "") else {
        return;
    };
    let (kept, socket, config) = (Kept::default(), system.agent.socket(), system.agent.config());
    kept.send(&socket, 0).expect("a record is kept");
    system.wait_for_all(&kept);
    // Nobody takes this one, so it stays on the agent's disk.
    system.backend.process().kill();
    kept.send(&socket, 0).expect("a record is kept");
    let spool = system.agent.state_dir().join("spool");
    assert!(spool.exists());

    telemctl(&control, &config, "opt-out");
    assert!(!system.agent.opt_in_file().exists());
    let refused = sender::send(&socket, "after opting out").expect_err("nothing is recorded");
    assert!(refused.to_string().contains("opted in"), "{refused}");
    wait_for("what was kept to be deleted", Duration::from_secs(10), || {
        !spool.exists()
    })
    .expect("it is deleted");

    // Neither after a restart, nor once the collector is back.
    let status = system
        .agent
        .process()
        .terminate()
        .expect("the agent ends in time");
    assert_eq!(status.code(), Some(0), "{}", system.agent.log_tail());
    system.agent.restart().expect("the agent starts again");
    let refused = sender::send(&socket, "after the restart").expect_err("nothing is recorded");
    assert!(refused.to_string().contains("opted in"), "{refused}");
    system.backend.restart().expect("the collector starts again");
    thread::sleep(Duration::from_secs(3));
    assert!(!spool.exists());
    assert_eq!(
        system.database.stored_payloads().expect("read the records").len(),
        1
    );

    telemctl(&control, &config, "opt-in");
    let again = Kept::default();
    again.send(&socket, 10).expect("a record is kept again");
    system.wait_for_all(&again);
    assert_eq!(
        system.database.stored_payloads().expect("read the records").len(),
        2
    );
    system.database.assert_books_balance();
}
