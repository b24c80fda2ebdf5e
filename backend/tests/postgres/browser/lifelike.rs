//! A fleet that looks like one: what `backend simulate` makes up, and hosts among it whose records real kernels made.

use std::path::Path;
use std::time::Duration;

use backend::alerts::{Rules, look};
use backend::analysis;
use backend::simulation::{self, Plan, Story, WORSE_IN_B};
use backend::store::{IssueChange, SavedSearch, Sender};
use filter::Subject;
use proto::v1::{
    Confidence, Context, Demise, Evidence, Heartbeat, Hook, HookState, Host, Obituary, ProgramCrash, Record,
    Severity, UserFrame, record::Payload,
};
use uuid::Uuid;

use crate::support::{Database, record};

/// The fleet; the same each time.
const PLAN: Plan = Plan {
    hosts: 1200,
    days: 30,
    seed: 1,
    story: Story::Release,
};
/// Hosts: name, model, build, kernel, and logs of such kernels among `crates/faults/tests/samples`.
const HOSTS: [(&str, &str, &str, &str, &[&str]); 4] = [
    (
        "web-03",
        "Dell Inc. PowerEdge R650",
        "13",
        "6.12.118+deb13-amd64",
        &["6.12-warn", "6.12-hung-task", "6.12-module-null"],
    ),
    (
        "db-02",
        "HPE ProLiant DL380 Gen10",
        "12",
        "6.1.0-56-amd64",
        &["6.1-mce", "6.1-hwpoison", "6.1-oom"],
    ),
    (
        "build-7",
        "Supermicro SYS-1029P-WTR",
        "13",
        "6.12.118+deb13-amd64",
        &["6.12-module-soft-lockup", "6.12-kfence", "6.12-alloc"],
    ),
    (
        "edge-12",
        "LENOVO ThinkCentre M90q",
        "12",
        "6.1.0-56-amd64",
        &["6.1-ext4", "6.1-disk", "6.1-module-gpf"],
    ),
];
/// Days for which the hosts have been running: longer than build A.
const DAYS: u64 = 40;
/// What people want to be told.
const RULES: &str =
    "[[rule]]\nname = 'worse build'\nwhen = { worse_build = { max_ratio = 1.5 } }\ntargets = []";
const DAY_NS: u64 = 86_400_000_000_000;
/// Between two records of a host.
const APART_NS: u64 = 7 * 60 * 1_000_000_000;

/// The issue that is worse since the release.
pub(super) fn issue() -> String {
    simulation::fingerprint(WORSE_IN_B)
}

pub(super) async fn fill(db: &Database) {
    let store = &db.store;
    assert!(store.write_fleet(&PLAN.fleet_until_now().tables).await.unwrap());
    for host in HOSTS {
        deliver(db, host).await;
    }
    db.counted().await;
    store.score_parts(analysis::score).await.unwrap();
    store.count_population().await.unwrap();
    look(store, &Rules::parse(RULES).unwrap()).await.unwrap();
    decide(db).await;
}

/// What people have done.
async fn decide(db: &Database) {
    let store = &db.store;
    let week = Duration::from_hours(7 * 24);
    let note = "Began with build B: the driver was updated there. Going back to A helps.";
    let change = IssueChange {
        who: "ada".to_owned(),
        owner: Some("wireless".to_owned()),
        note: Some(note.to_owned()),
        ..IssueChange::default()
    };
    store.change_issue(&issue(), &change).await.unwrap();
    let search = SavedSearch {
        owner: String::new(),
        subject: Subject::Faults,
        name: "Worse than usual".to_owned(),
        search: "min_severity=high".to_owned(),
        shared: true,
    };
    assert!(store.save_search(&search).await.unwrap());
    store
        .create_token(&[7; 32], None, 20, week, "rack 12")
        .await
        .unwrap();
    store
        .audit("ada", "token.create", "0707070707070707")
        .await
        .unwrap();
    store
        .silence("regression", &issue(), week, "ada", "the vendor has it")
        .await
        .unwrap();
    store.audit("ada", "alert.silence", "regression").await.unwrap();
}

/// Stores the heartbeats of a host, and what it had today, the last of it just now.
async fn deliver(db: &Database, (name, product, build, kernel, logs): (&str, &str, &str, &str, &[&str])) {
    let told = Host {
        hostname: name.to_owned(),
        os_id: "debian".to_owned(),
        os_build: build.to_owned(),
        kernel_release: kernel.to_owned(),
        arch: "x86_64".to_owned(),
        cpu_model: "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz".to_owned(),
        cpus: 32,
        memory_bytes: 128 << 30,
        product: product.to_owned(),
        bios: "1.10.2".to_owned(),
        boot_id: "3c6e1f0a-9d5b-4a53-8f55-0e7a4dcb1b11".to_owned(),
        ..Host::default()
    };
    let sender = Sender::new(Uuid::new_v4(), Uuid::new_v4(), kernel);
    db.store.hello(&sender, &told, "0.1.0").await.unwrap();
    let now = u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap();
    let beats = (0..DAYS).rev().map(|day| (day * DAY_NS, heartbeat(DAYS - day)));
    let mut happened: Vec<Record> = logs.iter().flat_map(|log| of_log(log)).collect();
    happened.extend([crash(name), end()]);
    let ages = (0..happened.len() as u64).rev().map(|place| place * APART_NS);
    let records = beats.chain(ages.zip(happened)).map(|(age, record)| Record {
        occurred_at_unix_ns: now - age,
        boot_id: told.boot_id.clone(),
        kernel_release: kernel.to_owned(),
        ..record
    });
    db.deliver(&sender, &records.collect::<Vec<_>>()).await;
}

/// What a log reports.
fn of_log(name: &str) -> Vec<Record> {
    let file = format!("../crates/faults/tests/samples/{name}.txt");
    let log = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect(name);
    let reports = faults::reports(&log);
    assert!(!reports.is_empty(), "{name}");
    let records = reports.iter().map(|found| {
        let report = &found.report;
        Record {
            since_boot_ns: found.first_at_us.unwrap_or_default() * 1000,
            hook: Some(hook("printk_console")),
            context: Some(Context {
                cpu: report.cpu.unwrap_or_default(),
                pid: report.pid.unwrap_or_default(),
                comm: report.comm.clone().unwrap_or_default(),
                ..Context::default()
            }),
            ..wire::kernel_report(report, &found.text, found.truncated)
        }
    });
    records.collect()
}

fn hook(name: &str) -> Hook {
    Hook {
        name: name.to_owned(),
        attach: "tp_btf".to_owned(),
    }
}

fn crash(host: &str) -> Record {
    let program = if host.starts_with("db") {
        "postgres"
    } else {
        "nginx"
    };
    let executable = format!("/usr/sbin/{program}");
    let frame = |offset, function: &str| UserFrame {
        build_id: "6f1d".repeat(10),
        offset,
        file: executable.clone(),
        function: function.to_owned(),
    };
    let crash = ProgramCrash {
        signal: 11,
        code: 1,
        address: Some(0x18),
        build_id: "6f1d".repeat(10),
        frames: vec![
            frame(0x4_1149, "read_request"),
            frame(0x3_724a, "serve"),
            frame(0x2_9d90, "main"),
        ],
        core_dumped: Some(true),
        executable: executable.clone(),
        ..ProgramCrash::default()
    };
    Record {
        class: "program.crash".to_owned(),
        severity: Severity::Medium.into(),
        title: format!("SIGSEGV in {program}"),
        hook: Some(hook("signal_generate")),
        fingerprints: wire::crash_fingerprints(&crash, program),
        payload: Some(Payload::ProgramCrash(crash)),
        ..record("")
    }
}

/// How the boot before this one ended.
fn end() -> Record {
    let evidence = |source: &str, text: &str| Evidence {
        source: source.to_owned(),
        text: text.to_owned(),
        at_unix_ns: 0,
    };
    let end = Obituary {
        demise: Demise::Panic.into(),
        confidence: Confidence::High.into(),
        evidence: vec![
            evidence(
                "pstore",
                "Kernel panic - not syncing: Fatal exception in interrupt",
            ),
            evidence("journal", "ends without a shutdown"),
        ],
        ..Obituary::default()
    };
    Record {
        class: "boot.end".to_owned(),
        severity: Severity::Critical.into(),
        title: "the boot ended by a panic".to_owned(),
        payload: Some(Payload::Obituary(end)),
        ..record("")
    }
}

/// Of an agent that has been running for so many days.
fn heartbeat(days: u64) -> Record {
    let hook = |name: &str, attach: &str, reason: &str, events| HookState {
        name: name.to_owned(),
        attach: attach.to_owned(),
        reason: reason.to_owned(),
        events,
        ns_per_event: if attach.is_empty() { 0 } else { 1085 },
        ..HookState::default()
    };
    let beat = Heartbeat {
        agent_uptime_s: days * 86_400,
        hooks: vec![
            hook("printk_console", "tp_btf", "", 1234),
            hook("signal_generate", "tp_btf", "", 17),
            hook("oom_mark_victim", "raw_tp", "", 1),
            hook("block_rq_error", "tracepoint", "", 3),
            hook(
                "mce_record",
                "",
                "this kernel has no tracepoint mce:mce_record",
                0,
            ),
        ],
        ..Heartbeat::default()
    };
    Record {
        class: "telemetry.heartbeat".to_owned(),
        title: "heartbeat".to_owned(),
        payload: Some(Payload::Heartbeat(beat)),
        ..record("")
    }
}
