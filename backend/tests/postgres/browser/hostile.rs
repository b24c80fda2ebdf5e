//! A fleet with something on every page, much of it written by strangers who mean harm.

use std::time::Duration;

use backend::analysis;
use proto::v1::{
    CallTrace, Frame, Heartbeat, HookState, Host, KernelReport, ProgramCrash, Record, Severity,
    record::Payload,
};

use crate::hardware::failing;
use crate::population::runs;
use crate::statistics::fleet;
use crate::support::{Database, host, of_issue, record, sender};

/// Markup, and a character that turns what follows it around.
const HOSTILE: &str =
    "\"'><img src=x onerror=\"hostile=true\"><script>hostile=true</script>\u{202e}</td></table>";
/// The issue of which everything is hostile.
pub(super) const ISSUE: &str = "00112233445566778899aabbccddeeff";

pub(super) async fn fill(db: &Database) {
    fleet(db).await;
    failing(db).await;
    host_and_records(db).await;
    let mover = sender();
    for build in ["41", HOSTILE, "41"] {
        runs(db, &mover, build).await;
    }
    db.store.score_parts(analysis::score).await.unwrap();
    db.store.count_population().await.unwrap();
    db.counted().await;
    let hour = Duration::from_hours(1);
    let store = &db.store;
    store
        .create_token(&[7; 32], None, 3, hour, HOSTILE)
        .await
        .unwrap();
    store.audit(HOSTILE, "test", HOSTILE).await.unwrap();
    store
        .silence("rule", HOSTILE, hour, HOSTILE, HOSTILE)
        .await
        .unwrap();
}

fn hostile(class: &str, title: &str, payload: Payload) -> Record {
    Record {
        class: class.to_owned(),
        severity: Severity::High.into(),
        title: title.to_owned(),
        kernel_release: HOSTILE.to_owned(),
        boot_id: "a boot".to_owned(),
        payload: Some(payload),
        ..record("")
    }
}

/// A host whose every text is hostile, with records of each kind that pages tell of.
async fn host_and_records(db: &Database) {
    let sender = sender();
    let told = Host {
        hostname: format!("{HOSTILE}{}", "a".repeat(110)),
        os_id: HOSTILE.to_owned(),
        kernel_release: HOSTILE.to_owned(),
        product: HOSTILE.to_owned(),
        cpu_model: HOSTILE.to_owned(),
        bios: HOSTILE.to_owned(),
        command_line: HOSTILE.to_owned(),
        ..host()
    };
    db.store.hello(&sender, &told, HOSTILE).await.unwrap();
    // As many frames as there may be, and a text as long as the record then has room for.
    let trace = CallTrace {
        frames: vec![
            Frame {
                function: HOSTILE[..64].to_owned(),
                ..Frame::default()
            };
            256
        ],
        ..CallTrace::default()
    };
    let report = Payload::KernelReport(KernelReport {
        text: format!("{HOSTILE}\n{}", HOSTILE.repeat(1000)),
        traces: vec![trace; 8],
        function: HOSTILE.to_owned(),
        comm: "x".to_owned(),
        ..KernelReport::default()
    });
    let crash = Payload::ProgramCrash(ProgramCrash {
        signal: 11,
        executable: format!("/usr/bin/{HOSTILE}"),
        build_id: "0123456789abcdef".to_owned(),
        ..ProgramCrash::default()
    });
    let beat = Payload::Heartbeat(Heartbeat {
        hooks: vec![HookState {
            name: "<script>hostile=true</script>".to_owned(),
            reason: HOSTILE.to_owned(),
            ..HookState::default()
        }],
        ..Heartbeat::default()
    });
    let records = [
        Record {
            fingerprints: of_issue(ISSUE),
            ..hostile("kernel.oops", HOSTILE, report)
        },
        Record {
            fingerprints: of_issue("00112233445566778899aabbccddee00"),
            ..hostile("program.crash", HOSTILE, crash)
        },
        hostile("telemetry.heartbeat", "heartbeat", beat),
    ];
    db.deliver(&sender, &records).await;
}
