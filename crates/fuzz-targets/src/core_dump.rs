//! A core dump, which a program that crashed may have made by hand in its own memory, and its record.

use telemd::crashes::dump::{self, Process};

pub(crate) fn run(bytes: &[u8]) {
    let _found = core_dump::build_id(bytes);
    if let Ok(dump) = core_dump::read(bytes) {
        assert!(dump.threads.len() <= core_dump::THREADS);
        assert!(
            dump.threads
                .iter()
                .all(|thread| thread.frames.len() <= core_dump::FRAMES)
        );
    }
    let process = Process {
        pid: 7,
        ..Process::default()
    };
    let (submission, _unread) = dump::read(process, 11, bytes);
    local::rules::check(&submission).expect("whatever a dump holds, its record is taken");
}
