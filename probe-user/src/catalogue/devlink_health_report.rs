//! A driver reports that a part of its device is not well. `include/trace/events/devlink.h`.

use super::{Class, Fields, HookSpec, Privacy, Record, Records, Severity, Source, Storm, Told};

pub(super) const HOOK: HookSpec = HookSpec {
    name: "devlink_health_report",
    sees: "a driver reports that a part of its device is not well: device, reporter, what it says",
    without: "the devices' drivers may print text of their own",
    class: Class::HardwareFirmwareError,
    severity: Severity::Medium,
    storm: Storm::Configured,
    privacy: Privacy::Machine,
    source: Source::Records(Records {
        attempts: &[Record {
            tracepoint: "devlink:devlink_health_report",
            module: None,
            required: &["driver_name", "reporter_name"],
            filter: &[],
        }],
        stack: false,
        twin: None,
        tell,
    }),
};

fn tell(fields: &Fields) -> Option<Told> {
    let name = |field: &str| fields.text(field).filter(|name| !name.is_empty());
    let timed_out = name("msg").is_some_and(|msg| msg.starts_with("TX timeout"));
    let class = if timed_out {
        Class::NetworkTimeout
    } else {
        HOOK.class
    };
    let driver = name("driver_name").unwrap_or("a driver");
    // What it says holds numbers of queues and addresses; the reporter's name does not.
    let title = match name("reporter_name") {
        Some(reporter) => format!("{driver}: health of {reporter}"),
        None => format!("{driver}: health"),
    };
    Some(Told::new(class, HOOK.severity, title))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn a_queue_that_does_not_send_is_a_timeout() {
        let text = |text: &str| Value::Text(text.into());
        let told = tell(&Fields::from_iter([
            ("driver_name", text("mlx5_core")),
            ("reporter_name", text("tx")),
            ("msg", text("TX timeout on queue: 3, SQ: 0x8a, CQ: 0x4")),
        ]))
        .unwrap();
        assert_eq!(
            (told.class, told.title.as_str()),
            (Class::NetworkTimeout, "mlx5_core: health of tx")
        );
        assert_eq!(tell(&Fields::default()).unwrap().title, "a driver: health");
    }
}
