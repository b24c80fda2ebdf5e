use super::*;

const SHORT: Duration = Duration::from_millis(400);

/// A machine made of a shell script, which gets the console's path as `$0`.
fn machine(dir: &Path, script: &str) -> Machine {
    let console = dir.join("console.log");
    fs::write(&console, "[ 1.0] Linux version\n").unwrap();
    let monitor = dir.join("monitor");
    Machine::start(
        Command::new("sh").arg("-c").arg(script).arg(&console),
        &console,
        &monitor,
    )
    .unwrap()
}

fn failure(script: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    machine(dir.path(), script)
        .wait_for("ready", "", SHORT)
        .unwrap_err()
        .to_string()
}

#[test]
fn words_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let script = "echo noise; echo ready 6.1; while read -r number word; do echo done $word; done";
    let mut machine = machine(dir.path(), script);
    machine.wait_for("ready", "", MONITOR_PATIENCE).unwrap();
    machine.tell("oops").unwrap();
    machine.wait_for("done", "oops", MONITOR_PATIENCE).unwrap();
}

#[test]
fn a_word_that_was_not_heard_is_told_again() {
    let dir = tempfile::tempdir().unwrap();
    // The first try is lost, its blank line and all.
    let script = "read -r lost; read -r lost; read -r nothing; read -r number word; \
                  echo heard $number; echo done $word $number; exec sleep 60";
    let mut machine = machine(dir.path(), script);
    machine.repeat_after = SHORT;
    machine.tell("oops").unwrap();
    machine.wait_for("done", "oops 1", MONITOR_PATIENCE).unwrap();
    assert!(machine.unheard.is_none());
}

#[test]
fn a_word_that_was_heard_is_not_told_again() {
    let dir = tempfile::tempdir().unwrap();
    let script = "read -r nothing; read -r number word; echo heard $number; echo done $word; exec sleep 60";
    let mut machine = machine(dir.path(), script);
    machine.repeat_after = Duration::from_hours(1);
    machine.tell("oops").unwrap();
    machine.wait_for("done", "oops", MONITOR_PATIENCE).unwrap();
    machine.repeat_after = Duration::ZERO;
    assert_eq!(machine.repeat().unwrap(), None);
}

#[test]
fn what_a_kernel_cannot_do_is_told_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let script = "read -r nothing; read -r number word; echo done warn; echo cannot $word no such module";
    let mut machine = machine(dir.path(), script);
    machine.tell("oops").unwrap();
    let answer = machine.wait_for("done", "oops", MONITOR_PATIENCE).unwrap();
    assert_eq!(answer, Answer::Cannot("no such module".to_owned()));
}

#[test]
fn a_dead_guest_is_told_with_its_console() {
    let message = failure("echo 'Kernel panic - not syncing' >> $0; echo no memory >&2; exit 3");
    assert!(message.contains("dead"), "{message}");
    assert!(message.contains("exit status: 3"), "{message}");
    assert!(message.contains("no memory"), "{message}");
    assert!(message.contains("Kernel panic"), "{message}");
}

#[test]
fn a_hanging_guest_is_told_with_its_console() {
    let dir = tempfile::tempdir().unwrap();
    let mut machine = machine(dir.path(), "exec sleep 60");
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    File::options()
        .write(true)
        .open(&machine.console)
        .and_then(|file| file.set_modified(long_ago))
        .unwrap();
    let message = machine.wait_for("ready", "", SHORT).unwrap_err().to_string();
    assert!(message.contains("hangs"), "{message}");
    assert!(message.contains("Linux version"), "{message}");
}

#[test]
fn a_busy_guest_runs_into_the_time_out() {
    let message = failure("while sleep 0.05; do echo busy >> $0; done");
    assert!(message.contains("time-out"), "{message}");
    assert!(message.contains("\nbusy"), "{message}");
}

#[test]
fn what_the_guest_failed_to_do_is_told() {
    let message = failure("echo failed to load module ext4; sleep 60");
    assert!(
        message.contains("the guest failed to load module ext4"),
        "{message}"
    );
}
