//! Signs of how a boot ended, from everything that is left of it.

use faults::cper::ErrorSeverity;
use faults::mce::{MachineCheck, Outcome};
use faults::{Class, KernelReport, ReportKind};
use probe_user::past::{Past, journal, syslog, watchdog, wtmp};
use probe_user::pstore::{Dump, DumpReason, Origin};

use super::{End, Says, Sign, Weight};
use crate::alive::Alive;

#[cfg(test)]
mod tests;

/// `SD_MESSAGE_JOURNAL_STOP` of systemd's `sd-messages.h`: the last word of a journal that is closed in order.
const JOURNAL_STOP: &str = "d93fb3c9c24d451a97cea615ce59c00b";
/// `SD_MESSAGE_JOURNAL_START`: a journal that was only restarted goes on with it.
const JOURNAL_START: &str = "f77379a8490b408bbe5f6940505a777b";
/// `SD_MESSAGE_SHUTDOWN`: logind begins to shut down.
const SHUTDOWN: &str = "98268866d1d54a499c4e98921d93bc40";
/// `SD_MESSAGE_SLEEP_START`: the host is put to sleep.
const SLEEP_START: &str = "6bbd95ee977941e497c48be27c254128";
/// `SD_MESSAGE_SLEEP_STOP`: it woke up.
const SLEEP_STOP: &str = "8811e6df2a8e40f58a94cea26f8ebf14";

/// What is printed of each kill for the memory of the whole machine (`mm/oom_kill.c`: `__oom_kill_process`); one for a
/// cgroup's begins otherwise.
const KILLED: &str = "Out of memory: Killed process ";
/// Out-of-memory kills in the last minutes of a boot that make a livelock rather than an incident.
const LIVELOCK_KILLS: usize = 3;
/// How close to the end a stall or a kill has to be to have to do with it, microseconds.
const LAST_MINUTES_US: u64 = 5 * 60 * 1_000_000;
/// A copy of a dump is made while the next boot comes up: so much before the agent's start it may have been,
/// nanoseconds.
const COPYING_NS: u64 = 3_600_000_000_000;

/// How far the clock may be set while a host comes up, nanoseconds.
const CLOCK_SET_NS: u64 = 600_000_000_000;

/// What the agent knows by itself.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Its last sign of life in the boot before.
    pub alive: Option<&'a Alive>,
    /// When this boot began, nanoseconds since 1970.
    pub booted_at_unix_ns: u64,
    /// What the processor says of the last reset, as this boot's kernel printed it; empty when it did not.
    pub reset_reason: &'a str,
}

/// All signs in what is left of the boot before.
pub fn of(past: &Past, known: Known<'_>) -> Vec<Sign> {
    let mut signs = Vec::new();
    let began_ns = known.alive.map(|alive| alive.booted_at_unix_ns);
    let is_recent = |written_ns: u64, origin: Origin| match (began_ns, origin) {
        (Some(began), _) => written_ns >= began,
        (None, Origin::Pstore) => true,
        (None, Origin::Copy | Origin::Kdump) => {
            written_ns.saturating_add(COPYING_NS) >= known.booted_at_unix_ns
        }
    };
    for dump in past
        .dumps
        .iter()
        .filter(|dump| is_recent(dump.written_unix_ns, dump.origin))
    {
        signs.extend(of_dump(dump));
    }
    for record in &past.machine_checks {
        if is_recent(record.written_unix_ns, record.origin)
            && let Ok(check) = MachineCheck::from_record(&record.bytes)
        {
            signs.extend(of_machine_check(&check, record.written_unix_ns));
        }
    }
    signs.extend(of_bert(&past.bert));
    signs.extend(past.watchdogs.iter().flat_map(of_watchdog));
    of_journal(&past.journal, &mut signs);
    of_syslog(&past.syslog, &mut signs);
    signs.extend(of_wtmp(&past.wtmp, known));
    signs.extend(known.alive.map(of_alive));
    signs.extend(of_reset_reason(known.reset_reason));
    signs
}

fn sign(says: Says, weight: Weight, source: &'static str, text: impl Into<String>, at_unix_ns: u64) -> Sign {
    Sign {
        says,
        weight,
        source,
        text: text.into(),
        at_unix_ns,
    }
}

/// A panic says that the kernel ended, and its words why.
fn of_dump(dump: &Dump) -> Option<Sign> {
    if dump.reason != DumpReason::Panic {
        return None;
    }
    let reports = faults::reports(dump.text.as_bytes());
    let last = reports
        .iter()
        .max_by_key(|found| found.last_at_us)
        .map(|found| &found.report);
    let title = last.map_or("a panic, its report was not found", |report| &report.title);
    let end = end_of_panic(&dump.text, last);
    let source = dump.origin.as_str();
    Some(sign(
        Says::Ended(end),
        Weight::Cause,
        source,
        title,
        dump.written_unix_ns,
    ))
}

/// What is behind a panic, where the kernel says it as it panics (`mm/oom_kill.c`, `arch/x86/kernel/cpu/mce/core.c`,
/// `drivers/acpi/apei/ghes.c`).
fn end_of_panic(text: &str, report: Option<&KernelReport>) -> End {
    let words = text
        .rsplit_once("Kernel panic - not syncing: ")
        .map_or("", |(_, behind)| behind.lines().next().unwrap_or_default());
    let begins = |heads: &[&str]| heads.iter().any(|head| words.starts_with(head));
    if begins(&["Out of memory", "System is deadlocked on memory", "out of memory"]) {
        End::OomLivelock
    } else if begins(&[
        "Fatal machine check",
        "Fatal hardware error",
        "Fatal local machine check",
    ]) || report.is_some_and(|report| report.kind == ReportKind::MachineCheck)
    {
        End::HardwareError
    } else {
        End::Panic
    }
}

/// ERST keeps a machine check when it is why the kernel panics.
fn of_machine_check(check: &MachineCheck, at_unix_ns: u64) -> Option<Sign> {
    let decoded = check.decode();
    (decoded.outcome == Outcome::Fatal).then(|| {
        let end = Says::Ended(End::HardwareError);
        sign(end, Weight::Cause, "pstore", decoded.title, at_unix_ns)
    })
}

/// What the firmware saw itself. Its other errors say nothing about the end.
fn of_bert(region: &[u8]) -> Option<Sign> {
    let read = faults::cper::region(region);
    let fatal = read
        .sections()
        .find(|section| section.severity == ErrorSeverity::Fatal)?;
    let title = fatal.hardware_error().title;
    Some(sign(
        Says::Ended(End::HardwareError),
        Weight::Cause,
        "BERT",
        title,
        0,
    ))
}

fn of_watchdog(dog: &watchdog::Watchdog) -> Vec<Sign> {
    use watchdog::flag::{CARD_RESET, OVERHEAT, POWER_OVER, POWER_UNDER};
    let meanings = [
        (CARD_RESET, End::HardHang, "reset the machine"),
        (OVERHEAT, End::Thermal, "saw it too hot"),
        (POWER_UNDER, End::PowerLoss, "saw the power under its limit"),
        (POWER_OVER, End::PowerLoss, "saw the power over its limit"),
    ];
    meanings
        .into_iter()
        .filter(|(flag, ..)| dog.boot_status & flag != 0)
        .map(|(_, end, what)| {
            let text = format!("{} ({}) {what}", dog.name, dog.identity);
            sign(Says::Ended(end), Weight::Fits, "watchdog", text, 0)
        })
        .collect()
}

fn of_journal(entries: &[journal::Entry], signs: &mut Vec<Sign>) {
    let Some(last) = entries.last() else { return };
    let at_unix_ns = last.at_unix_us.saturating_mul(1_000);
    let newest = |ids: [&str; 2]| {
        entries
            .iter()
            .rev()
            .find(|entry| ids.contains(&entry.message_id.as_str()))
    };
    let is = |entry: Option<&journal::Entry>, id| entry.is_some_and(|entry| entry.message_id == id);
    let stopped = is(newest([JOURNAL_STOP, JOURNAL_START]), JOURNAL_STOP);
    let shut_down = entries
        .iter()
        .any(|entry| entry.message_id == SHUTDOWN || entry.identifier == "systemd-shutdown");
    let (says, weight, text) = match (stopped, shut_down) {
        (true, true) => (
            Says::Ended(End::Clean),
            Weight::Cause,
            "was shut down, and the journal closed",
        ),
        (true, false) => (
            Says::Ended(End::Clean),
            Weight::Fits,
            "the journal was closed in order",
        ),
        (false, true) => (
            Says::Ended(End::Clean),
            Weight::Weak,
            "a shutdown began; the journal does not show its end",
        ),
        (false, false) if is(newest([SLEEP_START, SLEEP_STOP]), SLEEP_START) => (
            Says::Ended(End::PowerLoss),
            Weight::Fits,
            "was put to sleep and did not wake up",
        ),
        (false, false) => (
            Says::Abruptly,
            Weight::Fits,
            "the journal ends in the middle of work",
        ),
    };
    signs.push(sign(says, weight, "journal", text, at_unix_ns));
    let is_late = |entry: &&journal::Entry| {
        entry.of_kernel && entry.at_unix_us.saturating_add(LAST_MINUTES_US) >= last.at_unix_us
    };
    let lines = entries.iter().filter(is_late).map(|entry| entry.message.as_str());
    let log = lines.collect::<Vec<_>>().join(
        "
",
    );
    of_kernel_log(&log, says == Says::Abruptly, "journal", at_unix_ns, signs);
}

fn of_syslog(log: &[u8], signs: &mut Vec<Sign>) {
    let before = syslog::boot_before(log);
    if !before.is_empty() {
        // Nothing in it tells whether the end was in order.
        of_kernel_log(&String::from_utf8_lossy(before), true, "syslog", 0, signs);
    }
}

/// What the last lines of a kernel tell: the words of a thermal shutdown, panics that were still written down, and what
/// makes a host stand still when nothing else ended it.
fn of_kernel_log(log: &str, abrupt: bool, source: &'static str, at_unix_ns: u64, signs: &mut Vec<Sign>) {
    // `drivers/thermal/thermal_core.c`: thermal_zone_device_critical; `kernel/reboot.c`: __hw_protection_trigger.
    let hot =
        |line: &&str| line.contains("critical temperature reached") || line.contains("Temperature too high");
    if let Some(line) = log.lines().find(hot) {
        signs.push(sign(
            Says::Ended(End::Thermal),
            Weight::Cause,
            source,
            line,
            at_unix_ns,
        ));
    }
    if !abrupt {
        return;
    }
    let reports = faults::reports(log.as_bytes());
    let kills = log.lines().filter(|line| line.contains(KILLED)).count();
    if kills >= LIVELOCK_KILLS {
        let text = format!("{kills} out-of-memory kills in the last minutes");
        signs.push(sign(
            Says::Ended(End::OomLivelock),
            Weight::Fits,
            source,
            text,
            at_unix_ns,
        ));
    }
    let (mut panic, mut stall) = (None, None);
    for found in &reports {
        match found.report.class {
            Class::KernelPanic => panic = Some(&found.report),
            Class::KernelLockup | Class::KernelRcuStall | Class::KernelHungTask => {
                stall = Some(&found.report);
            }
            _ => {}
        }
    }
    if let Some(report) = panic {
        let end = end_of_panic(log, Some(report));
        signs.push(sign(
            Says::Ended(end),
            Weight::Cause,
            source,
            &report.title,
            at_unix_ns,
        ));
    }
    if let Some(report) = stall {
        let end = Says::Ended(End::HardHang);
        signs.push(sign(end, Weight::Fits, source, &report.title, at_unix_ns));
    }
}

/// The last boot that is not this one, and whether a shutdown follows it.
fn of_wtmp(events: &[wtmp::Event], known: Known<'_>) -> Option<Sign> {
    // This boot's own entry may be there or not, and clocks are set while it comes up.
    let is_this_boot = |at_ns: u64| match known.alive {
        Some(alive) => at_ns > alive.at_unix_ns,
        None => at_ns.abs_diff(known.booted_at_unix_ns) <= CLOCK_SET_NS,
    };
    let is_earlier = |event: &&wtmp::Event| match event {
        wtmp::Event::Boot { .. } => !is_this_boot(unix_ns(**event)),
        wtmp::Event::Shutdown { .. } => true,
    };
    let before = *events.iter().rev().find(is_earlier)?;
    let at_unix_ns = unix_ns(before);
    match before {
        // A file that nobody writes any more.
        _ if known
            .alive
            .is_some_and(|alive| at_unix_ns.saturating_add(CLOCK_SET_NS) < alive.booted_at_unix_ns) =>
        {
            None
        }
        wtmp::Event::Shutdown { .. } => {
            let end = Says::Ended(End::Clean);
            Some(sign(
                end,
                Weight::Cause,
                "wtmp",
                "a shutdown is noted",
                at_unix_ns,
            ))
        }
        wtmp::Event::Boot { .. } => {
            let text = "no shutdown is noted after the boot";
            Some(sign(Says::Abruptly, Weight::Fits, "wtmp", text, at_unix_ns))
        }
    }
}

fn unix_ns(event: wtmp::Event) -> u64 {
    event.at_unix_s().saturating_mul(1_000_000_000)
}

fn of_alive(alive: &Alive) -> Sign {
    if alive.stopped {
        let end = Says::Ended(End::Clean);
        sign(
            end,
            Weight::Fits,
            "heartbeat",
            "the agent was stopped in order",
            alive.at_unix_ns,
        )
    } else {
        let text = "the agent's last sign of life; it was not stopped";
        sign(Says::Abruptly, Weight::Weak, "heartbeat", text, alive.at_unix_ns)
    }
}

/// What AMD processors keep over a reset and Linux 6.16 and later print (`arch/x86/kernel/cpu/amd.c`:
/// `s5_reset_reason_txt`). Resets that software asked for say nothing: a panic asks for one too.
fn of_reset_reason(reason: &str) -> Option<Sign> {
    let meanings = [
        ("BP_THERMTRIP_L", End::Thermal, Weight::Cause),
        ("thermal limit", End::Thermal, Weight::Cause),
        ("sync flood", End::HardwareError, Weight::Cause),
        ("parity error", End::HardwareError, Weight::Cause),
        ("power button was pressed", End::PowerLoss, Weight::Cause),
        ("watchdog timer expired", End::HardHang, Weight::Fits),
    ];
    let (_, end, weight) = meanings.into_iter().find(|(words, ..)| reason.contains(words))?;
    Some(sign(Says::Ended(end), weight, "processor", reason, 0))
}
