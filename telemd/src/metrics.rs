//! The agent's state in the text format of Prometheus, version 0.0.4.
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>)

use std::fmt::Write as _;

use crate::ship::LinkState;
use crate::status::{HookStatus, SessionStatus, Status};

/// Says `status`, a metric a line, each with its help and type.
pub fn text(status: &Status) -> String {
    let mut out = Out::default();
    out.gauge(
        "opted_in",
        "Whether this host takes part.",
        u64::from(status.opted_in),
    );
    out.gauge("uptime_seconds", "Time since the agent started.", status.uptime_s);
    out.counter(
        "probes_restarts_total",
        "How often the half with privileges was started again.",
        u64::from(status.privileged.restarts),
    );
    if let Some(session) = &status.session {
        session_metrics(&mut out, session);
    }
    out.0
}

fn session_metrics(out: &mut Out, session: &SessionStatus) {
    let spool = &session.spool;
    out.counter(
        "records_durable_total",
        "Records that were made durable.",
        spool.durable_seq,
    );
    out.counter(
        "records_stored_total",
        "Records that the collector has stored.",
        spool.acknowledged_seq,
    );
    out.gauge(
        "spool_records",
        "Records that wait for the collector.",
        spool.backlog,
    );
    out.gauge("spool_bytes", "Size of the spool on disk.", spool.bytes);
    out.gauge(
        "spool_limit_bytes",
        "Size at which the oldest records are given up.",
        spool.max_bytes,
    );
    out.gauge(
        "spool_failing",
        "Whether the disk refuses writes.",
        u64::from(spool.failing.is_some()),
    );
    out.counter(
        "records_refused_total",
        "Records that the disk did not take.",
        spool.refused,
    );
    out.counter(
        "storm_counted_total",
        "Repeats that storm control only counted.",
        session.counted,
    );
    out.counter(
        "socket_rejected_total",
        "Malformed frames on the local socket.",
        session.rejected,
    );
    let is_connected = session.link.state == LinkState::Connected;
    out.gauge(
        "collector_connected",
        "Whether the collector takes records.",
        u64::from(is_connected),
    );
    out.gauge(
        "collector_failures",
        "Tries to connect that failed in a row.",
        u64::from(session.link.failures),
    );
    hook_metrics(out, &session.hooks);
}

fn hook_metrics(out: &mut Out, hooks: &[HookStatus]) {
    let attached = hooks
        .iter()
        .map(|hook| (hook.name.as_str(), u64::from(!hook.attach.is_empty())));
    out.each("hook_attached", "Whether a hook is attached.", "gauge", attached);
    let events = hooks.iter().map(|hook| (hook.name.as_str(), hook.events));
    out.each(
        "hook_events_total",
        "Events that a hook has seen.",
        "counter",
        events,
    );
    let lost = hooks.iter().map(|hook| (hook.name.as_str(), hook.lost));
    out.each(
        "hook_lost_total",
        "Events of a hook that found no room in the ring.",
        "counter",
        lost,
    );
    let limited = hooks.iter().map(|hook| (hook.name.as_str(), hook.limited));
    out.each(
        "hook_limited_total",
        "Events of a hook that the kernel only counted.",
        "counter",
        limited,
    );
}

#[derive(Default)]
struct Out(String);

impl Out {
    fn head(&mut self, name: &str, help: &str, kind: &str) {
        // Writing to a string does not fail.
        let _infallible = writeln!(
            self.0,
            "# HELP telemetrics_{name} {help}\n# TYPE telemetrics_{name} {kind}"
        );
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "gauge");
        let _infallible = writeln!(self.0, "telemetrics_{name} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "counter");
        let _infallible = writeln!(self.0, "telemetrics_{name} {value}");
    }

    fn each<'a>(&mut self, name: &str, help: &str, kind: &str, values: impl Iterator<Item = (&'a str, u64)>) {
        self.head(name, help, kind);
        for (hook, value) in values {
            let hook = hook
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            let _infallible = writeln!(self.0, "telemetrics_{name}{{hook=\"{hook}\"}} {value}");
        }
    }
}
