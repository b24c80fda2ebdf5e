use super::*;

fn goal() -> Goal {
    Goal {
        remote: ([10, 0, 2, 2], 6666).into(),
        local_ip: [10, 0, 2, 15].into(),
        device: "eth0".to_owned(),
        mac: "52:55:0A:00:02:02".to_owned(),
        token: "0123456789abcdef".repeat(2),
    }
}

/// A folder as a kernel makes it: with user data (6.9), or as of 5.10.
fn target(has_user_data: bool) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let files = [
        ("enabled", "0"),
        ("extended", "0"),
        ("dev_name", "eth0"),
        ("local_port", "6665"),
        ("local_ip", "0.0.0.0"),
        ("remote_ip", "0.0.0.0"),
        ("remote_port", "6666"),
        ("remote_mac", "ff:ff:ff:ff:ff:ff"),
    ];
    for (file, value) in files {
        fs::write(dir.path().join(file), format!("{value}\n")).unwrap();
    }
    if has_user_data {
        fs::write(dir.path().join("release"), "0\n").unwrap();
        fs::create_dir(dir.path().join("userdata")).unwrap();
    }
    dir
}

fn read(dir: &tempfile::TempDir) -> State {
    State::read(dir.path()).unwrap().expect("a target")
}

/// Does the steps as configfs would: files that hold one value, and a folder of user data that comes with its file.
fn run(dir: &tempfile::TempDir, steps: &[Step]) {
    for step in steps {
        if let Step::Write(file, _) = step {
            fs::write(dir.path().join(file), "").unwrap();
        }
        step.run(dir.path()).unwrap();
        if let Step::Make(name) = step {
            fs::write(dir.path().join(name).join("value"), "\n").unwrap();
        }
    }
}

#[test]
fn a_target_is_set_up_once() {
    for has_user_data in [true, false] {
        let dir = target(has_user_data);
        let steps = read(&dir).steps(&goal());
        assert_eq!(steps.last(), Some(&Step::Write("enabled", "1".to_owned())));
        assert_eq!(steps.contains(&Step::Make("userdata/telemetrics")), has_user_data);
        assert_eq!(
            steps.contains(&Step::Write("release", "1".to_owned())),
            has_user_data
        );
        run(&dir, &steps);
        let state = read(&dir);
        assert!(state.is_enabled());
        assert_eq!(state.files["remote_mac"], "52:55:0a:00:02:02");
        assert_eq!(state.steps(&goal()), [], "there is nothing more to do");
    }
}

#[test]
fn a_target_that_sends_is_stopped_before_it_is_changed() {
    let dir = target(true);
    run(&dir, &read(&dir).steps(&goal()));
    let other = Goal {
        remote: ([10, 0, 2, 3], 6666).into(),
        ..goal()
    };
    let steps = read(&dir).steps(&other);
    assert_eq!(steps[0], Step::Write("enabled", "0".to_owned()));
    assert!(
        !steps.contains(&Step::Make("userdata/telemetrics")),
        "it is there"
    );
    run(&dir, &steps);
    assert_eq!(read(&dir).files["remote_ip"], "10.0.2.3");
}

#[test]
fn what_was_made_is_removed_in_order() {
    let dir = target(true);
    run(&dir, &read(&dir).steps(&goal()));
    assert_eq!(
        read(&dir).removal(),
        [
            Step::Write("enabled", "0".to_owned()),
            Step::Remove("userdata/telemetrics"),
            Step::Remove(""),
        ]
    );
    assert_eq!(State::read(&dir.path().join("none")).unwrap(), None);
}

#[test]
fn a_step_that_fails_is_told_as_a_command() {
    let dir = tempfile::tempdir().unwrap();
    let error = Step::Write("enabled", "1".to_owned())
        .run(dir.path())
        .unwrap_err();
    let expected = format!("cannot echo 1 > {}/enabled", dir.path().display());
    assert_eq!(error.to_string(), expected);
}
