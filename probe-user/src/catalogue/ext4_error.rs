//! ext4 found its data inconsistent. `include/trace/events/ext4.h`.

use super::{Best, Class, Fields, HookSpec, Privacy, Record, Records, Severity, Source, Storm, Told, Twin};
use faults::ReportKind;

pub(super) const HOOK: HookSpec = HookSpec {
    name: "ext4_error",
    sees: "ext4 found its data inconsistent: device, function and line of the source",
    without: "the text `EXT4-fs error` is left, which the kernel limits",
    class: Class::StorageFilesystemError,
    severity: Severity::High,
    storm: Storm::Configured,
    privacy: Privacy::Machine,
    source: Source::Records(Records {
        attempts: &[Record {
            tracepoint: "ext4:ext4_error",
            module: Some("ext4"),
            required: &["dev"],
            filter: &[],
        }],
        stack: false,
        twin: Some(TWIN),
        tell,
    }),
};

/// `fs/ext4/super.c`, `__ext4_error` and its like: the text says in words what is inconsistent.
const TWIN: Twin = Twin {
    kinds: &[ReportKind::FilesystemError],
    says: &["EXT4-fs error (device "],
    best: Best::Text,
};

fn tell(fields: &Fields) -> Option<Told> {
    let title = match fields.text("function").filter(|function| !function.is_empty()) {
        Some(function) => format!("EXT4-fs error in {function}"),
        None => "EXT4-fs error".to_owned(),
    };
    let told = Told::new(HOOK.class, HOOK.severity, title);
    Some(told.on_device(fields.number("dev")))
}
