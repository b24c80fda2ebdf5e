//! A status for people and for programs.

use std::fmt::Write as _;

use privilege::standing::{SECCOMP_FILTER, Standing};
use serde::Serialize;
use telemd::retry::Refusal;
use telemd::ship::{Link, LinkState, Skew};
use telemd::status::{Confinement, HookStatus, Privileged, SessionStatus, Status};

pub(crate) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

pub(crate) fn text(status: &Status) -> String {
    let mut out = String::new();
    line(
        &mut out,
        "telemd",
        &format!(
            "{}, pid {}, up {}",
            status.version,
            status.pid,
            duration(status.uptime_s)
        ),
    );
    line(&mut out, "networked half", &networked(&status.confinement));
    line(&mut out, "privileged half", &privileged(&status.privileged));
    let missing = status
        .confinement
        .missing
        .iter()
        .chain(&status.privileged.missing);
    for missing in missing {
        line(&mut out, "", &format!("without {missing}"));
    }
    let Some(session) = &status.session else {
        line(
            &mut out,
            "opted in",
            "no: nothing is recorded (`telemctl opt-in`)",
        );
        return out.trim_end().to_owned();
    };
    line(
        &mut out,
        "opted in",
        &format!("yes, as {} ({})", session.hostname, session.agent_id),
    );
    line(&mut out, "collector", &link(&session.link, &status.collector_url));
    line(&mut out, "spool", &spool(session));
    line(
        &mut out,
        "not in full",
        &format!(
            "{} counted by storm control, {} refused on the socket",
            session.counted, session.rejected
        ),
    );
    for fix in &session.known_fixes {
        line(&mut out, "known fix", &format!("{}: {}", fix.title, fix.advice()));
    }
    for hook in &session.hooks {
        line(&mut out, &hook.name, &hook_text(hook));
    }
    out.trim_end().to_owned()
}

fn line(out: &mut String, name: &str, value: &str) {
    // Writing to a String cannot fail.
    let _infallible = writeln!(out, "{name:<16} {value}");
}

/// What the half that talks to the network may do, in one line.
pub(crate) fn networked(confinement: &Confinement) -> String {
    let Confinement {
        user,
        standing,
        landlock,
        ..
    } = confinement;
    let landlock = landlock.map_or("no Landlock".to_owned(), |abi| format!("Landlock ABI {abi}"));
    let seccomp = if standing.seccomp == Some(SECCOMP_FILTER) {
        "seccomp"
    } else {
        "no seccomp"
    };
    format!("user {user}, {}, {landlock}, {seccomp}", capabilities(standing))
}

/// What the half that attaches the probes may do, or why it is not there, in one line.
pub(crate) fn privileged(privileged: &Privileged) -> String {
    let mut text = match &privileged.standing {
        Some(standing) => format!(
            "pid {}, uid {}, {}",
            standing.pid,
            standing.uid,
            capabilities(standing)
        ),
        None => format!("not there: {}", privileged.reason),
    };
    match privileged.restarts {
        0 => {}
        1 => text.push_str("; started again once"),
        restarts => {
            let _infallible = write!(text, "; started again {restarts} times");
        }
    }
    text
}

fn capabilities(standing: &Standing) -> String {
    match standing.capability_names() {
        names if names.is_empty() => "no capability".to_owned(),
        names => names.join(" "),
    }
}

/// A hook in one line.
pub(crate) fn hook_text(hook: &HookStatus) -> String {
    let mut text = if hook.attach.is_empty() {
        "not watched".to_owned()
    } else {
        format!("{}, {} events", hook.attach, hook.events)
    };
    if hook.lost > 0 {
        let _infallible = write!(text, ", {} lost", hook.lost);
    }
    if hook.limited > 0 {
        let _infallible = write!(text, ", {} more only counted", hook.limited);
    }
    if !hook.reason.is_empty() {
        let _infallible = write!(text, ": {}", hook.reason);
    }
    text
}

/// The connection in one line. `target` is where records are to go.
pub(crate) fn link(link: &Link, target: &str) -> String {
    let server = if link.server.is_empty() {
        target
    } else {
        &link.server
    };
    match link.state {
        LinkState::Off => return "nothing leaves this host: collector.enabled is false".to_owned(),
        LinkState::Connected => return connected(link, server),
        // One more try does not make the ones that failed undone.
        LinkState::Connecting | LinkState::Waiting if link.failures == 0 => {
            return format!("{server}, connecting");
        }
        LinkState::Connecting | LinkState::Waiting => {}
    }
    let advice = if link.advice.is_empty() {
        "telemd tries again by itself; records wait in the spool"
    } else {
        &link.advice
    };
    let state = link.refusal.map_or("not connected", refusal);
    format!(
        "{server}, {state} after {} tries: {}; {advice}",
        link.failures, link.last_error
    )
}

fn connected(link: &Link, server: &str) -> String {
    let mut text = format!("{server}, connected");
    if let Some(until) = link.certificate_until_unix_s {
        let until = jiff::Timestamp::from_second(until).unwrap_or_default();
        let _infallible = write!(text, ", certificate until {until}");
    }
    let skew = Skew(link.clock_skew_s);
    if skew.is_wrong() {
        let _infallible = write!(text, "; {skew}");
    }
    text
}

fn refusal(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Revoked => "REVOKED",
        Refusal::NotEnrolled => "NOT ENROLLED",
        Refusal::CertificateExpired => "CERTIFICATE EXPIRED",
        Refusal::ClockWrong => "CLOCK WRONG",
        Refusal::Untrusted => "SERVER NOT BELIEVED",
        Refusal::Configuration => "WRONG CONFIGURATION",
        Refusal::Refused => "REFUSED",
    }
}

/// The spool in one line.
pub(crate) fn spool(session: &SessionStatus) -> String {
    let spool = &session.spool;
    let mut text = format!(
        "{} kept, {} stored by the collector, {} waiting; {} of {}",
        spool.durable_seq,
        spool.acknowledged_seq,
        spool.backlog,
        bytes(spool.bytes),
        bytes(spool.max_bytes)
    );
    if let Some(failing) = &spool.failing {
        let _infallible = write!(
            text,
            "; NOT WRITABLE: {failing} ({} records refused)",
            spool.refused
        );
    }
    text
}

fn bytes(bytes: u64) -> String {
    if bytes < 10 << 20 {
        format!("{} KiB", bytes.div_ceil(1024))
    } else {
        format!("{} MiB", bytes >> 20)
    }
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
