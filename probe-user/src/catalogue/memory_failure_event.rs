//! A page with an error in it, and whether the kernel could take it out of use. `include/ras/ras_event.h`, since 6.14
//! `include/trace/events/memory-failure.h`.

use super::{Best, Class, Fields, HookSpec, Privacy, Record, Records, Severity, Source, Storm, Told, Twin};
use faults::ReportKind;
use faults::ras::{MemoryFailure, Recovery};

pub(super) const HOOK: HookSpec = HookSpec {
    name: "memory_failure_event",
    sees: "broken pages of memory and what became of them: page, use, outcome",
    without: "the text `Memory failure` is left",
    class: Class::HardwareMemoryFailure,
    severity: Severity::High,
    storm: Storm::Configured,
    privacy: Privacy::Machine,
    source: Source::Records(Records {
        attempts: &[Record {
            tracepoint: "ras:memory_failure_event",
            module: None,
            required: &["pfn", "type", "result"],
            filter: &[],
        }],
        stack: false,
        twin: Some(TWIN),
        tell,
    }),
};

/// `mm/memory-failure.c`, `action_result` and what comes before it.
const TWIN: Twin = Twin {
    kinds: &[ReportKind::MemoryFailure],
    says: &["Memory failure: 0x"],
    best: Best::Hook,
};

fn tell(fields: &Fields) -> Option<Told> {
    let recovery = fields
        .signed("result")
        .and_then(|result| i32::try_from(result).ok());
    let failure = MemoryFailure {
        pfn: fields.unsigned("pfn")?,
        // The numbers of types differ between kernels, so each says what they mean.
        page_type: fields.meaning("type").unwrap_or("page of unknown use").to_owned(),
        recovery: recovery.and_then(Recovery::of_kernel),
    };
    Some(Told::hardware(failure.hardware_error()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn a_type_that_the_kernel_does_not_name_is_not_guessed() {
        let told = tell(&Fields::from_iter([
            ("pfn", Value::Unsigned(0x12345)),
            ("type", Value::Signed(3)),
            ("result", Value::Signed(1)),
        ]))
        .unwrap();
        assert_eq!(told.title, "memory failure: page of unknown use (failed)");
        assert_eq!(told.hardware.unwrap().place.address, Some(0x1234_5000));
        assert_eq!(tell(&Fields::default()), None);
    }
}
