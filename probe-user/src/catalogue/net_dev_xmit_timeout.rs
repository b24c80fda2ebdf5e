//! A queue of a network card did not send for too long. `include/trace/events/net.h`.

use super::{Best, Class, Fields, HookSpec, Privacy, Record, Records, Severity, Source, Storm, Told, Twin};
use faults::ReportKind;

pub(super) const HOOK: HookSpec = HookSpec {
    name: "net_dev_xmit_timeout",
    sees: "a queue of a network card did not send for too long: device, driver, queue",
    without: "the text `NETDEV WATCHDOG` is left, which many kernels print once a boot",
    class: Class::NetworkTimeout,
    severity: Severity::Medium,
    storm: Storm::Configured,
    privacy: Privacy::Names,
    source: Source::Records(Records {
        attempts: &[Record {
            tracepoint: "net:net_dev_xmit_timeout",
            module: None,
            required: &["driver"],
            filter: &[],
        }],
        stack: false,
        twin: Some(TWIN),
        tell,
    }),
};

/// `net/sched/sch_generic.c`, `dev_watchdog`: a WARN before 6.6.
const TWIN: Twin = Twin {
    kinds: &[ReportKind::NetTimeout, ReportKind::Warning],
    says: &["NETDEV WATCHDOG:"],
    best: Best::Hook,
};

fn tell(fields: &Fields) -> Option<Told> {
    let title = match fields.text("driver").filter(|driver| !driver.is_empty()) {
        Some(driver) => format!("NETDEV WATCHDOG: transmit queue of {driver} timed out"),
        None => "NETDEV WATCHDOG: transmit queue timed out".to_owned(),
    };
    Some(Told::new(HOOK.class, HOOK.severity, title))
}
