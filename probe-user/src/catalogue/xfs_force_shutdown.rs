//! XFS gave up a file system. `fs/xfs/xfs_trace.h`, since 5.15.

use super::{Best, Class, Fields, HookSpec, Privacy, Record, Records, Severity, Source, Storm, Told, Twin};
use faults::ReportKind;

pub(super) const HOOK: HookSpec = HookSpec {
    name: "xfs_force_shutdown",
    sees: "XFS gave up a file system: device, reason, place in the source",
    without: "the text `Shutting down filesystem` is left",
    class: Class::StorageFilesystemError,
    severity: Severity::High,
    storm: Storm::Configured,
    privacy: Privacy::Machine,
    source: Source::Records(Records {
        attempts: &[Record {
            tracepoint: "xfs:xfs_force_shutdown",
            module: Some("xfs"),
            required: &["dev", "flags"],
            filter: &[],
        }],
        stack: false,
        twin: Some(TWIN),
        tell,
    }),
};

/// `fs/xfs/xfs_fsops.c`, `xfs_do_force_shutdown`: the text names the reason in words of its own and, with
/// `xfs_error_level`, the stack.
const TWIN: Twin = Twin {
    kinds: &[ReportKind::FilesystemError],
    says: &["XFS ("],
    best: Best::Text,
};

/// `fs/xfs/xfs_mount.h`, `SHUTDOWN_*`, the gravest first.
const REASONS: &[(u64, &str)] = &[
    (1 << 4, "corruption on disk"),
    (1 << 3, "corruption in memory"),
    (1 << 1, "I/O error of the log"),
    (1 << 0, "I/O error of metadata"),
    (1 << 5, "device removed"),
    (1 << 2, "asked for"),
];

fn tell(fields: &Fields) -> Option<Told> {
    let flags = fields.unsigned("flags").unwrap_or(0);
    let reason = REASONS.iter().find(|(flag, _)| flags & flag != 0);
    let title = match reason {
        Some((_, reason)) => format!("XFS: shut down, {reason}"),
        None => "XFS: shut down".to_owned(),
    };
    let told = Told::new(HOOK.class, HOOK.severity, title);
    Some(told.on_device(fields.number("dev")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn the_gravest_reason_is_named() {
        let flags = |flags| tell(&Fields::from_iter([("flags", Value::Signed(flags))]));
        assert_eq!(
            flags(1 << 3 | 1).unwrap().title,
            "XFS: shut down, corruption in memory"
        );
        assert_eq!(flags(4).unwrap().title, "XFS: shut down, asked for");
        assert_eq!(flags(-1).unwrap().title, "XFS: shut down");
    }
}
