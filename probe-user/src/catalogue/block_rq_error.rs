//! A request that a block device failed. `include/trace/events/block.h`: `block_rq_error` since 5.18; before, every
//! request that ends is told, and the kernel tests the error.

use super::{
    Best, Class, Device, Fields, HookSpec, Is, Privacy, Record, Records, Severity, Source, Storm, Term, Told,
    Twin,
};
use faults::ReportKind;

pub(super) const HOOK: HookSpec = HookSpec {
    name: "block_rq_error",
    sees: "requests that a block device failed: device, sector, operation, error",
    without: "the text `I/O error, dev` is left, which the kernel limits",
    class: Class::StorageBlockError,
    severity: Severity::High,
    storm: Storm::Configured,
    privacy: Privacy::Machine,
    source: Source::Records(Records {
        attempts: &[
            Record {
                tracepoint: "block:block_rq_error",
                module: None,
                required: REQUIRED,
                filter: &[NOT_SUPPORTED, WOULD_WAIT, HAS_A_DISK],
            },
            Record {
                tracepoint: "block:block_rq_complete",
                module: None,
                required: REQUIRED,
                filter: &[FAILED, NOT_SUPPORTED, WOULD_WAIT, HAS_A_DISK],
            },
        ],
        stack: false,
        twin: Some(TWIN),
        tell,
    }),
};

const REQUIRED: &[&str] = &["dev", "error", "rwbs"];

const FAILED: Term<'_> = error_is_not(0);
/// A device that cannot discard or zero says so once and the caller does without (`EOPNOTSUPP`).
const NOT_SUPPORTED: Term<'_> = error_is_not(-95);
/// A caller that does not want to wait tries again (`EAGAIN`).
const WOULD_WAIT: Term<'_> = error_is_not(-11);
/// Commands to the device of a bus (`/dev/sg0`, `/dev/bsg`) are no requests of a disk and fail for many reasons.
const HAS_A_DISK: Term<'_> = Term {
    field: "dev",
    is: Is::NotEqual,
    value: 0,
};

const fn error_is_not(value: i128) -> Term<'static> {
    Term {
        field: "error",
        is: Is::NotEqual,
        value,
    }
}

/// `block/blk-core.c`, `blk_print_req_error`; `fs/buffer.c`, `buffer_io_error`; `drivers/scsi/constants.c`: what the kernel
/// prints of one failed request.
const TWIN: Twin = Twin {
    kinds: &[ReportKind::BlockError],
    says: &[" error, dev ", "Buffer I/O error on dev", "Sense Key : "],
    best: Best::Hook,
};

fn tell(fields: &Fields) -> Option<Told> {
    // Commands that programs send to a disk (`SG_IO`) are neither reads nor writes: `blk_fill_rwbs`.
    if fields.text("rwbs").is_some_and(|rwbs| rwbs.starts_with('N')) {
        return None;
    }
    let what = fields.signed("error").map_or("I/O", name_of);
    Some(Told {
        device: fields.number("dev").map(|number| Device {
            number,
            in_title: true,
        }),
        ..Told::new(HOOK.class, HOOK.severity, format!("{what} error"))
    })
}

/// `block/blk-core.c`, `blk_errors`; the number is `-errno`.
fn name_of(error: i64) -> &'static str {
    match error {
        -110 => "timeout",
        -28 => "critical space allocation",
        -67 => "recoverable transport",
        -121 => "critical target",
        -52 => "reservation conflict",
        -61 => "critical medium",
        -84 => "protection",
        -12 => "kernel resource",
        -16 => "device resource",
        -19 => "device offline",
        -109 => "open zones exceeded",
        -75 => "active zones exceeded",
        -62 => "command duration limit exceeded",
        -22 => "invalid",
        _ => "I/O",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    fn failed(error: i64, rwbs: &str) -> Option<Told> {
        tell(&Fields::from_iter([
            ("dev", Value::Unsigned(8 << 20)),
            ("sector", Value::Unsigned(4660)),
            ("error", Value::Signed(error)),
            ("rwbs", Value::Text(rwbs.into())),
        ]))
    }

    #[test]
    fn errors_have_the_names_that_the_kernel_prints() {
        let told = failed(-61, "RS").unwrap();
        assert_eq!(
            (told.title.as_str(), told.device.map(|device| device.number)),
            ("critical medium error", Some(8 << 20))
        );
        assert_eq!(failed(-5, "W").unwrap().title, "I/O error");
        assert_eq!(failed(i64::MIN, "").unwrap().title, "I/O error");
    }

    #[test]
    fn commands_of_programs_are_no_fault() {
        assert_eq!(failed(-5, "N"), None);
        assert_eq!(tell(&Fields::default()).unwrap().title, "I/O error");
    }
}
