//! What the real agent's processes may do, as the kernel sees it; and what is left where the kernel refuses everything.
#![expect(clippy::unwrap_used, reason = "tests panic")]

mod common;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use common::collector::{Running, records};
use common::crash::{about, crash, hook, name_of, start};
use common::past;
use libc::c_long;
use probe_user::hook::SIGNAL_DELIVER;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use telemd::privileged::KEPT;

/// A user that every Linux has.
const USER: &str = "user = \"nobody\"";
const NOBODY: u32 = 65_534;

/// The lines of a file below /proc/PID, by what stands before the colon.
fn lines_of(path: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

fn is_root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        testing::skip(test, "it takes root to have privileges that can be given up");
    }
    root
}

/// Every thread of the process is without privileges, and runs as that user.
fn assert_holds_nothing(pid: u32, uid: u32) {
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        let status = lines_of(&task.unwrap().path().join("status"));
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(status[set], "0000000000000000", "{set} of {status:#?}");
        }
        let uids = vec![uid.to_string(); 4].join("\t");
        assert_eq!(status["Uid"], uids, "{status:#?}");
        assert_eq!(status["NoNewPrivs"], "1", "{status:#?}");
        assert_eq!(status["Seccomp"], "2", "{status:#?}");
    }
}

#[test]
fn the_process_that_talks_to_the_network_holds_no_privilege_while_hooks_are_attached() {
    let test = "the_process_that_talks_to_the_network_holds_no_privilege_while_hooks_are_attached";
    if !is_root(test) {
        return;
    }
    let Some((mut host, collector)) = start(test, SIGNAL_DELIVER, USER) else {
        return;
    };
    let status = host.status();
    assert_holds_nothing(status.pid, NOBODY);
    assert_eq!(status.confinement.user, "nobody");
    let own = std::fs::metadata(host.path("state")).unwrap();
    assert_eq!(own.uid(), NOBODY);

    let half = status.privileged.standing.unwrap();
    assert_ne!(half.pid, status.pid);
    assert!(half.no_new_privs && half.seccomp == Some(2), "{half:?}");
    assert_eq!(half.bounding, half.capabilities);
    for power in [
        "CAP_SYS_ADMIN",
        "CAP_NET_ADMIN",
        "CAP_NET_RAW",
        "CAP_SYS_MODULE",
        "CAP_SETUID",
    ] {
        assert!(!half.capability_names().contains(&power.to_owned()), "{half:?}");
    }

    let paranoid = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap();
    if paranoid.trim().parse::<i32>().unwrap() <= 2 {
        assert_eq!(half.capabilities & !KEPT.bits(), 0, "{half:?}");
    }

    let program = match crash(&host, "unprivileged") {
        Ok(program) => program,
        Err(reason) => return testing::skip(test, reason),
    };
    let name = name_of(&program);
    host.wait("the record", |_| !about(&collector, &name).is_empty());
    assert_eq!(host.stop(), Some(0));
}

#[test]
fn the_process_that_attaches_probes_has_no_network_and_ends_with_the_other() {
    let test = "the_process_that_attaches_probes_has_no_network_and_ends_with_the_other";
    if !is_root(test) {
        return;
    }
    let Some((mut host, _collector)) = start(test, SIGNAL_DELIVER, USER) else {
        return;
    };
    let proc = Path::new("/proc").join(host.status().privileged.standing.unwrap().pid.to_string());
    let namespace = |proc: &Path| std::fs::read_link(proc.join("ns/net")).unwrap();
    assert_ne!(namespace(&proc), namespace(Path::new("/proc/self")));
    let devices = std::fs::read_to_string(proc.join("net/dev")).unwrap();
    let devices: Vec<_> = devices.lines().filter_map(|line| line.split_once(':')).collect();
    assert_eq!(devices.len(), 1, "{devices:?}");
    assert_eq!(devices[0].0.trim(), "lo");
    // Where IPv6 is switched off there is no such file. A loopback that is up has an address in it.
    let addresses = std::fs::read_to_string(proc.join("net/if_inet6")).unwrap_or_default();
    assert_eq!(addresses, "");
    host.kill();
    host.wait("telemd-probes to end", |_| !proc.exists());
}

#[test]
fn probes_are_attached_again_after_the_process_that_attached_them_was_killed() {
    let test = "probes_are_attached_again_after_the_process_that_attached_them_was_killed";
    if !is_root(test) {
        return;
    }
    let Some((mut host, collector)) = start(test, SIGNAL_DELIVER, USER) else {
        return;
    };
    let half = host.status().privileged.standing.unwrap().pid;
    let pid = rustix::process::Pid::from_raw(half.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    host.wait("another one", |host| {
        let privileged = host.status().privileged;
        privileged.restarts == 1 && privileged.standing.is_some_and(|standing| standing.pid != half)
    });
    host.wait("the hooks", |host| !hook(host, SIGNAL_DELIVER).attach.is_empty());
    let program = match crash(&host, "again") {
        Ok(program) => program,
        Err(reason) => return testing::skip(test, reason),
    };
    let name = name_of(&program);
    host.wait("the record", |_| !about(&collector, &name).is_empty());
    assert!(host.log().contains("it ended by signal 9"), "{}", host.log());
    let doctor = host.telemctl(&["doctor"]);
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert!(said.contains("started again once"), "{said}");
    assert_eq!(host.stop(), Some(0));
}

/// Restricts the calling thread, and what it starts, as a host does that refuses everything: no programs for the kernel,
/// no mounts and namespaces, no Landlock, no filter of system calls.
fn refuse_everything() {
    let calls: [c_long; 12] = [
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_mount,
        libc::SYS_mount_setattr,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_landlock_create_ruleset,
        libc::SYS_landlock_add_rule,
        libc::SYS_landlock_restrict_self,
        libc::SYS_seccomp,
        libc::SYS_syslog,
        libc::SYS_ptrace,
    ];
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> =
        calls.into_iter().map(|call| (call, Vec::new())).collect();
    let filter = u64::from(libc::PR_SET_SECCOMP.cast_unsigned());
    let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, filter).unwrap();
    rules.insert(libc::SYS_prctl, vec![SeccompRule::new(vec![condition]).unwrap()]);
    let refused = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let target = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refused, target).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
}

#[test]
fn a_host_that_refuses_everything_is_told_and_what_it_does_not_refuse_is_collected() {
    let collector = Running::start();
    let (mut host, mut log) = past::host_with(&collector, "");
    past::keep_fatal_error(&host);
    std::fs::create_dir(host.path("pstore")).unwrap();
    let panic = "Panic#1 Part1\n<0>[   60.3][    T1] Kernel panic - not syncing: sysrq triggered crash\n";
    std::fs::write(host.path("pstore/dmesg-ramoops-0"), panic).unwrap();
    log.report(1, 1);
    std::thread::scope(|scope| {
        // A thread's filter is its children's too.
        let thread = scope.spawn(|| {
            refuse_everything();
            host.start();
        });
        thread.join().unwrap();
    });

    assert!(host.send("a/b/c", "x").starts_with("ok "));
    log.report(2, 2);
    for class in ["kernel.bug", "kernel.panic", "hardware.memory_error"] {
        host.wait(class, |_| !records(&collector, class).is_empty());
    }
    host.wait("what was printed later", |_| {
        records(&collector, "kernel.bug").len() == 2
    });
    assert_eq!(about(&collector, "a/b/c").len(), 1);

    let status = host.telemctl(&["status"]);
    assert!(status.status.success(), "{status:?}");
    let doctor = host.telemctl(&["doctor"]);
    let said = String::from_utf8_lossy(&doctor.stdout);
    let said = said.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "note networked half without Landlock",
        "note networked half without seccomp",
        "note privileged half without a read-only view of files",
        "note privileged half without seccomp",
        "ok hook printk_console kmsg",
        "note hook signal_deliver not watched",
        "CAP_BPF",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert_eq!(host.stop(), Some(0));
}
