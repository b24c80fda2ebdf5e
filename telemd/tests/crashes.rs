//! Core dumps of programs that really crashed, given to the helper as the kernel gives them.

#![expect(clippy::unwrap_used, reason = "tests panic")]

mod common;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use common::Host;
use common::collector::Running;
use common::crash::{copied, name_of};
use proto::v1::record::Payload;
use proto::v1::{ProgramCrash, Record};

/// A program that crashed in a folder of its own, its process id and its dump; or why there is none.
fn dump(host: &Host) -> Result<(PathBuf, u32, PathBuf), &'static str> {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    if pattern.trim() != "core" {
        return Err("this host's core dumps do not go to the folder of the program (kernel.core_pattern)");
    }
    let perl = std::path::Path::new("/usr/bin/perl");
    if !perl.exists() {
        return Err("there is no /usr/bin/perl to crash");
    }
    let program = copied(perl, host, "dumped");
    let folder = host.path("dumps");
    fs::create_dir(&folder).unwrap();
    let mut child = Command::new("sh")
        .args([
            "-c",
            r#"ulimit -c unlimited && exec "$0" -e 'print unpack("p", pack("J", 16))'"#,
        ])
        .arg(&program)
        .current_dir(&folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = child.id();
    child.wait().unwrap();
    let written = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .next();
    Ok((
        program,
        pid,
        written.ok_or("this host writes no core dumps (ulimit -Hc)")?,
    ))
}

/// Gives a dump to the helper, which passes it on into `copy`.
fn helper(host: &Host, pid: u32, core: &PathBuf, copy: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_telemd-crash"))
        .arg("--config")
        .arg(host.path("telemd.toml"))
        .args([&pid.to_string(), "11", "1", "program", "sh", "-c", "cat > \"$0\""])
        .arg(host.path(copy))
        .stdin(File::open(core).unwrap())
        .output()
        .unwrap()
}

fn crashes(collector: &Running, program: &str) -> Vec<(Record, ProgramCrash)> {
    let sender = collector.store.lock().sender();
    let records = sender
        .records
        .into_iter()
        .filter_map(|(_, record)| match &record.payload {
            Some(Payload::ProgramCrash(crash)) => Some((record.clone(), crash.clone())),
            _ => None,
        });
    records
        .filter(|(record, _)| record.title.ends_with(program))
        .collect()
}

#[test]
fn a_core_dump_is_told_once_and_every_byte_of_it_goes_on() {
    let collector = Running::start();
    let mut host = Host::new_with(&collector.address.to_string(), "probes.enabled = false", "");
    host.open_to_all();
    let (program, pid, core) = match dump(&host) {
        Ok(dump) => dump,
        Err(reason) => {
            return testing::skip("a_core_dump_is_told_once_and_every_byte_of_it_goes_on", reason);
        }
    };
    let name: String = name_of(&program).chars().take(15).collect();
    // Nobody has agreed, and nobody listens: the dump goes on all the same.
    let output = helper(&host, pid, &core, "before");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(fs::read(host.path("before")).unwrap(), fs::read(&core).unwrap());
    host.telemctl(&["opt-in"]);
    let output = helper(&host, pid, &core, "without");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(fs::read(host.path("without")).unwrap(), fs::read(&core).unwrap());

    host.start();
    // Told by a journal as well, or by a hook that is late, it would come again.
    for copy in ["first", "second"] {
        let output = helper(&host, pid, &core, copy);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(fs::read(host.path(copy)).unwrap(), fs::read(&core).unwrap());
    }
    assert!(host.telemctl(&["flush"]).status.success());
    let crashes = crashes(&collector, &name);
    let [(record, crash)] = crashes.as_slice() else {
        panic!("{crashes:#?}");
    };
    assert_eq!(record.hook.as_ref().unwrap().name, "core_pattern");
    assert_eq!(record.context.as_ref().unwrap().tgid, pid);
    assert_eq!((crash.signal, crash.code, crash.address), (11, 1, Some(16)));
    assert_eq!(crash.executable, program.display().to_string());
    assert!(!crash.core_truncated && crash.core_dumped == Some(true));
    let place = crash.frames.first().unwrap();
    assert!(!place.build_id.is_empty() && !place.file.is_empty(), "{crash:#?}");
    assert_eq!(record.fingerprints.len(), 3);
}

#[test]
fn a_dump_that_ends_early_is_told_as_such() {
    let collector = Running::start();
    let mut host = Host::new_with(&collector.address.to_string(), "probes.enabled = false", "");
    host.open_to_all();
    host.telemctl(&["opt-in"]);
    host.start();
    // The process is none that lives.
    let pid = u32::MAX;
    fs::write(host.path("core"), "\x7fELF").unwrap();
    let output = helper(&host, pid, &host.path("core"), "copy");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(fs::read(host.path("copy")).unwrap(), b"\x7fELF");
    assert!(host.telemctl(&["flush"]).status.success());
    let crashes = crashes(&collector, "");
    let [(record, crash)] = crashes.as_slice() else {
        panic!("{crashes:#?}");
    };
    assert!(record.title.starts_with("SIGSEGV"), "{}", record.title);
    assert!(crash.core_truncated && crash.frames.is_empty());
}

#[test]
fn dumps_are_read_by_command_and_go_where_they_went_by_another() {
    let host = Host::new("");
    let root = host.path("root");
    for folder in ["proc/sys/kernel", "usr/bin"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    let pattern = root.join("proc/sys/kernel/core_pattern");
    let systemd = "|/usr/lib/systemd/systemd-coredump %P %u %g %s %t %c %h\n";
    fs::write(&pattern, systemd).unwrap();
    fs::write(root.join("proc/sys/kernel/core_pipe_limit"), "16\n").unwrap();
    let root = root.display().to_string();
    let telemctl = |args: &[&str]| {
        let all = [&["crashes", "--root", &root], args].concat();
        let output = Command::new(env!("CARGO_BIN_EXE_telemctl"))
            .args(all)
            .output()
            .unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    assert_eq!(telemctl(&["status"]).0, 3);
    assert_eq!(telemctl(&["enable"]).0, 1, "the helper is not installed");
    fs::write(format!("{root}/usr/bin/telemd-crash"), "").unwrap();
    let (code, said) = telemctl(&["enable"]);
    assert!(code == 0 && said.contains("systemd-coredump"), "{said}");
    let set = fs::read_to_string(&pattern).unwrap();
    assert!(
        set.starts_with("|/usr/bin/telemd-crash %P %s %d program /usr/lib/systemd/"),
        "{set}"
    );
    let (code, said) = telemctl(&["status", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (code, &told["enabled"], &told["problem"]),
        (0, &true.into(), &serde_json::Value::Null)
    );
    fs::remove_file(format!("{root}/usr/bin/telemd-crash")).unwrap();
    assert_eq!(telemctl(&["status"]).0, 1, "every dump is lost");
    assert_eq!(telemctl(&["disable"]).0, 0);
    assert_eq!(fs::read_to_string(&pattern).unwrap(), systemd);
}
