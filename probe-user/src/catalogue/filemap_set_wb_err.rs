//! Data that a program wrote could not be brought to the disk: the next `fsync` of the file fails, if there is one.
//! `include/trace/events/filemap.h`; every file system.

use super::{Class, Fields, HookSpec, Privacy, Record, Records, Severity, Source, Storm, Told};

pub(super) const HOOK: HookSpec = HookSpec {
    name: "filemap_set_wb_err",
    sees: "data of a file could not be written back: device, inode, error",
    without: "lost writes are known only where a program asks with `fsync`",
    class: Class::StorageFilesystemError,
    severity: Severity::High,
    storm: Storm::Configured,
    privacy: Privacy::Machine,
    source: Source::Records(Records {
        attempts: &[Record {
            tracepoint: "filemap:filemap_set_wb_err",
            module: None,
            required: &["s_dev", "errseq"],
            filter: &[],
        }],
        stack: false,
        twin: None,
        tell,
    }),
};

fn tell(fields: &Fields) -> Option<Told> {
    let title = match fields.unsigned("errseq").map(|errseq| errseq & MAX_ERRNO) {
        Some(5) => "lost writes: I/O error",
        Some(28) => "lost writes: no space left",
        Some(122) => "lost writes: quota exceeded",
        Some(12) => "lost writes: no memory",
        Some(30) => "lost writes: read-only file system",
        Some(117) => "lost writes: file system is inconsistent",
        _ => "lost writes",
    };
    let told = Told::new(HOOK.class, HOOK.severity, title);
    Some(told.on_device(fields.number("s_dev")))
}

/// `lib/errseq.c`: the error is in the lower bits, a flag and a counter are above.
const MAX_ERRNO: u64 = 0xfff;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn the_counter_above_the_error_is_left_out() {
        let told = tell(&Fields::from_iter([("errseq", Value::Unsigned(0x7000 | 5))])).unwrap();
        assert_eq!(told.title, "lost writes: I/O error");
    }
}
