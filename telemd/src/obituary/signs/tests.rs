use probe_user::past::{journal::Entry, watchdog::Watchdog};
use probe_user::pstore::BinaryRecord;
use proptest::prelude::*;
use proto::v1::Confidence;

use super::*;
use crate::obituary::judge;

const NOW_NS: u64 = 1_790_000_000_000_000_000;
const NOW_S: u64 = 1_790_000_000;

fn conclusion(past: &Past, known: Known<'_>) -> (Option<End>, Confidence) {
    let verdict = judge(of(past, known), past.keeps_dumps);
    (verdict.end, verdict.confidence)
}

fn nothing() -> Known<'static> {
    Known {
        alive: None,
        booted_at_unix_ns: NOW_NS,
        reset_reason: "",
    }
}

fn alive(stopped: bool) -> Alive {
    Alive {
        boot_id: "then".into(),
        kernel_release: "6.1.0".into(),
        booted_at_unix_ns: NOW_NS - 1_000_000_000_000,
        at_unix_ns: NOW_NS - 1_000_000_000,
        stopped,
    }
}

fn dump(words: &str, origin: Origin) -> Dump {
    Dump {
        origin,
        reason: DumpReason::Panic,
        number: Some(1),
        text: format!("<0>[   60.3][    T1] Kernel panic - not syncing: {words}\n"),
        written_unix_ns: NOW_NS - 60_000_000_000,
        files: Vec::new(),
    }
}

fn entry(message: &str) -> Entry {
    Entry {
        at_unix_us: NOW_S * 1_000_000,
        of_kernel: true,
        message: message.into(),
        ..Entry::default()
    }
}

fn named(message_id: &str) -> Entry {
    Entry {
        at_unix_us: NOW_S * 1_000_000,
        message_id: message_id.into(),
        ..Entry::default()
    }
}

fn with_journal(entries: Vec<Entry>) -> Past {
    Past {
        journal: entries,
        ..Past::default()
    }
}

#[test]
fn a_panic_is_one_of_the_memory_or_the_hardware_when_it_says_so() {
    for (words, end) in [
        ("sysrq triggered crash", End::Panic),
        (
            "Out of memory: compulsory panic_on_oom is enabled",
            End::OomLivelock,
        ),
        ("System is deadlocked on memory", End::OomLivelock),
        ("Fatal machine check", End::HardwareError),
        ("Fatal hardware error!", End::HardwareError),
    ] {
        for origin in [Origin::Pstore, Origin::Copy, Origin::Kdump] {
            let past = Past {
                dumps: vec![dump(words, origin)],
                ..Past::default()
            };
            assert_eq!(
                conclusion(&past, nothing()),
                (Some(end), Confidence::High),
                "{words}"
            );
        }
    }
}

#[test]
fn a_dump_of_a_boot_before_says_nothing_about_the_last() {
    let mut old = dump("x", Origin::Pstore);
    old.written_unix_ns = NOW_NS - 2_000_000_000_000;
    let past = Past {
        dumps: vec![old.clone()],
        ..Past::default()
    };
    let alive = alive(true);
    let known = Known {
        alive: Some(&alive),
        ..nothing()
    };
    assert_eq!(conclusion(&past, known), (Some(End::Clean), Confidence::Medium));
    old.origin = Origin::Kdump;
    old.written_unix_ns = NOW_NS - 2 * COPYING_NS;
    let past = Past {
        dumps: vec![old],
        ..Past::default()
    };
    assert_eq!(of(&past, nothing()), []);
}

#[test]
fn fatal_errors_of_the_hardware_are_seen_in_what_the_firmware_and_erst_keep() {
    let mut bert = vec![0; 20 + 64 + 80];
    bert[12] = 64 + 80;
    bert[16] = 1;
    bert[20..36].copy_from_slice(&faults::cper::guids::MEMORY.bytes());
    bert[36] = 1;
    bert[44] = 80;
    let fatal = Past {
        bert: bert.clone(),
        ..Past::default()
    };
    assert_eq!(
        conclusion(&fatal, nothing()),
        (Some(End::HardwareError), Confidence::High)
    );
    // A corrected one.
    bert[36] = 2;
    let corrected = Past {
        bert,
        ..Past::default()
    };
    assert_eq!(of(&corrected, nothing()), []);

    let mut bytes = vec![0; 128];
    bytes[..8].copy_from_slice(&0xbe00_0000_0080_0400_u64.to_le_bytes());
    bytes[24] = 5;
    let past = Past {
        machine_checks: vec![BinaryRecord {
            origin: Origin::Pstore,
            bytes,
            written_unix_ns: NOW_NS,
            file: "mce-erst-1".into(),
        }],
        ..Past::default()
    };
    assert_eq!(
        conclusion(&past, nothing()),
        (Some(End::HardwareError), Confidence::High)
    );
}

#[test]
fn watchdogs_tell_by_their_boot_status() {
    use watchdog::flag::{CARD_RESET, FAN_FAULT, OVERHEAT, POWER_UNDER};
    for (boot_status, end) in [
        (CARD_RESET, Some(End::HardHang)),
        (OVERHEAT, Some(End::Thermal)),
        (POWER_UNDER, Some(End::PowerLoss)),
        (FAN_FAULT, None),
        (0, None),
    ] {
        let past = Past {
            watchdogs: vec![Watchdog {
                name: "watchdog0".into(),
                identity: "iTCO_wdt".into(),
                boot_status,
            }],
            ..Past::default()
        };
        assert_eq!(conclusion(&past, nothing()).0, end, "{boot_status:#x}");
    }
}

#[test]
fn the_journals_end_tells_whether_there_was_order() {
    let stuck = "watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [dd:77]";
    let hot = "thermal thermal_zone0: x86_pkg_temp: critical temperature reached";
    for (entries, end, confidence) in [
        (
            vec![named(SHUTDOWN), named(JOURNAL_STOP)],
            Some(End::Clean),
            Confidence::High,
        ),
        (vec![named(JOURNAL_STOP)], Some(End::Clean), Confidence::Medium),
        // It was only restarted.
        (
            vec![named(JOURNAL_STOP), named(JOURNAL_START)],
            None,
            Confidence::Low,
        ),
        (vec![named(SHUTDOWN)], Some(End::Clean), Confidence::Low),
        (vec![named(SLEEP_START)], Some(End::PowerLoss), Confidence::Medium),
        (vec![named(SLEEP_START), named(SLEEP_STOP)], None, Confidence::Low),
        (vec![entry("eth0: link up")], None, Confidence::Low),
        (
            vec![entry(stuck), entry("CPU: 1 PID: 77 Comm: dd")],
            Some(End::HardHang),
            Confidence::Medium,
        ),
        (
            vec![entry(hot), named(SHUTDOWN), named(JOURNAL_STOP)],
            Some(End::Thermal),
            Confidence::High,
        ),
    ] {
        let past = with_journal(entries);
        assert_eq!(conclusion(&past, nothing()), (end, confidence), "{past:#?}");
    }
}

#[test]
fn kills_for_memory_up_to_the_end_are_a_livelock() {
    let kill = |pid| {
        entry(&format!(
            "Out of memory: Killed process {pid} (hog) total-vm:1kB, anon-rss:1kB, file-rss:0kB"
        ))
    };
    let kills: Vec<_> = (1..=LIVELOCK_KILLS).map(kill).collect();
    assert_eq!(
        conclusion(&with_journal(kills.clone()), nothing()),
        (Some(End::OomLivelock), Confidence::Medium)
    );
    assert_eq!(conclusion(&with_journal(kills[1..].to_vec()), nothing()).0, None);
    // Long before the end.
    let mut late = kills;
    late.push(Entry {
        at_unix_us: NOW_S * 1_000_000 + LAST_MINUTES_US + 1,
        ..entry("eth0: link up")
    });
    assert_eq!(conclusion(&with_journal(late), nothing()).0, None);
}

#[test]
fn syslog_tells_what_the_kernel_said_last() {
    let past = Past {
        syslog: b"Nov 27 09:00:00 h kernel: [   12.5] INFO: rcu_sched self-detected stall on CPU\n\
            Nov 27 09:10:00 h kernel: [    0.0] Linux version 6.1.0\n"
            .to_vec(),
        ..Past::default()
    };
    assert_eq!(
        conclusion(&past, nothing()),
        (Some(End::HardHang), Confidence::Medium)
    );
}

#[test]
fn wtmp_tells_whether_a_shutdown_came_before_this_boot() {
    let boot = |at_unix_s| wtmp::Event::Boot { at_unix_s };
    let shutdown = |at_unix_s| wtmp::Event::Shutdown { at_unix_s };
    let (long_ago, before, last) = (NOW_S - 9_900, NOW_S - 9_000, NOW_S - 100);
    for (events, says) in [
        (
            vec![boot(before), shutdown(last), boot(NOW_S)],
            Some(Says::Ended(End::Clean)),
        ),
        // This boot is not noted yet.
        (vec![boot(before), shutdown(last)], Some(Says::Ended(End::Clean))),
        (
            vec![shutdown(long_ago), boot(before), boot(NOW_S + 5)],
            Some(Says::Abruptly),
        ),
        (vec![boot(NOW_S)], None),
        (vec![], None),
    ] {
        let sign = of_wtmp(&events, nothing());
        assert_eq!(sign.map(|sign| sign.says), says, "{events:?}");
    }
}

#[test]
fn the_agents_last_sign_of_life_tells_the_boots_of_wtmp_apart() {
    let boot = |at_unix_s| wtmp::Event::Boot { at_unix_s };
    let shutdown = |at_unix_s| wtmp::Event::Shutdown { at_unix_s };
    let alive = alive(false);
    let known = Known {
        alive: Some(&alive),
        ..nothing()
    };
    let began = NOW_S - 1_000;
    for (events, says) in [
        // A host without a clock: it comes up with the time at which it was shut down.
        (
            vec![boot(began), shutdown(NOW_S), boot(NOW_S + 2)],
            Some(Says::Ended(End::Clean)),
        ),
        // It crashes soon after it has come up.
        (
            vec![shutdown(began - 5), boot(began), boot(NOW_S)],
            Some(Says::Abruptly),
        ),
        // Nobody writes it any more.
        (vec![boot(began - 9_000), shutdown(began - 5_000)], None),
    ] {
        let sign = of_wtmp(&events, known);
        assert_eq!(sign.map(|sign| sign.says), says, "{events:?}");
    }
}

#[test]
fn the_agents_own_traces_are_the_last_resort() {
    for (stopped, keeps_dumps, end) in [
        (true, false, Some(End::Clean)),
        (false, true, Some(End::PowerLoss)),
        (false, false, None),
    ] {
        let alive = alive(stopped);
        let past = Past {
            keeps_dumps,
            ..Past::default()
        };
        let known = Known {
            alive: Some(&alive),
            ..nothing()
        };
        assert_eq!(conclusion(&past, known).0, end);
    }
}

#[test]
fn the_processors_reason_is_believed_where_software_did_not_ask_for_the_reset() {
    for (reason, end) in [
        (
            "[0x00000001]: thermal pin BP_THERMTRIP_L was tripped",
            Some(End::Thermal),
        ),
        (
            "[0x08000800]: an uncorrected error caused a data fabric sync flood event",
            Some(End::HardwareError),
        ),
        (
            "[0x02000800]: hardware watchdog timer expired",
            Some(End::HardHang),
        ),
        (
            "[0x00000802]: power button was pressed for 4 seconds",
            Some(End::PowerLoss),
        ),
        (
            "[0x00080800]: software wrote 0x6 to reset control register 0xCF9",
            None,
        ),
    ] {
        let known = Known {
            reset_reason: reason,
            ..nothing()
        };
        assert_eq!(conclusion(&Past::default(), known).0, end, "{reason}");
    }
}

proptest! {
    #[test]
    fn anything_that_is_left_is_weighed_without_a_panic(
        text in "(Kernel panic - not syncing: )?.{0,80}",
        bert in prop::collection::vec(any::<u8>(), 0..200),
        machine_check in prop::collection::vec(any::<u8>(), 0..140),
        times in prop::collection::vec(any::<u64>(), 4),
        boot_status: u32,
    ) {
        let mut dump = dump(&text, Origin::Copy);
        dump.written_unix_ns = times[0];
        let past = Past {
            dumps: vec![dump],
            machine_checks: vec![BinaryRecord {
                origin: Origin::Pstore,
                bytes: machine_check,
                written_unix_ns: times[1],
                file: "x".into(),
            }],
            bert,
            watchdogs: vec![Watchdog { name: "w".into(), identity: text.clone(), boot_status }],
            journal: vec![Entry { at_unix_us: times[2], ..entry(&text) }],
            syslog: text.clone().into_bytes(),
            wtmp: vec![wtmp::Event::Boot { at_unix_s: times[3] }, wtmp::Event::Shutdown { at_unix_s: times[0] }],
            ..Past::default()
        };
        let known = Known { alive: None, booted_at_unix_ns: times[1], reset_reason: &text };
        judge(of(&past, known), true);
    }
}
