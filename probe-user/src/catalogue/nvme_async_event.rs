//! A controller of NVM Express reports an error or bad health by itself. `drivers/nvme/host/trace.h`.

use super::{Class, Fields, HookSpec, Privacy, Record, Records, Severity, Source, Storm, Told};

pub(super) const HOOK: HookSpec = HookSpec {
    name: "nvme_async_event",
    sees: "an NVMe controller reports an error or bad health by itself: controller, event",
    without: "the controller's log has it (`nvme smart-log`)",
    class: Class::StorageBlockError,
    severity: Severity::High,
    storm: Storm::Configured,
    privacy: Privacy::Machine,
    source: Source::Records(Records {
        attempts: &[Record {
            tracepoint: "nvme:nvme_async_event",
            module: Some("nvme_core"),
            required: &["result"],
            filter: &[],
        }],
        stack: false,
        twin: None,
        tell,
    }),
};

/// NVM Express base specification 2.0, figures 145 and 146: event information of errors and of health.
const ERRORS: &[&str] = &[
    "write to an invalid doorbell",
    "invalid doorbell value",
    "diagnostic failure",
    "persistent internal error",
    "transient internal error",
    "firmware image load error",
];
const HEALTH: &[&str] = &[
    "reliability is degraded",
    "temperature threshold",
    "spare is below its threshold",
];

fn tell(fields: &Fields) -> Option<Told> {
    let result = fields.unsigned("result")?;
    // Bits 2:0 are the type, 15:8 the information; other types are notices and commands' own.
    let (names, otherwise) = match result & 7 {
        0 => (ERRORS, "error"),
        1 => (HEALTH, "bad health"),
        _ => return None,
    };
    let information = usize::try_from(result >> 8 & 0xff).ok();
    let what = information
        .and_then(|information| names.get(information))
        .copied();
    let title = format!("nvme: {}", what.unwrap_or(otherwise));
    Some(Told::new(HOOK.class, HOOK.severity, title))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn notices_are_no_fault() {
        let event = |result| tell(&Fields::from_iter([("result", Value::Unsigned(result))]));
        assert_eq!(event(0x0002_0101).unwrap().title, "nvme: temperature threshold");
        assert_eq!(event(0xff00).unwrap().title, "nvme: error");
        assert_eq!(event(0x0004_0002), None);
    }
}
