//! What a kernel and earlier boots leave, in a folder of the test's own.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};

use super::Host;
use super::collector::Running;

/// A kernel log that the test writes: one `write` is one record for one `read`, as in `/dev/kmsg`.
pub(crate) struct Log {
    pipe: File,
    pub(crate) next: u64,
}

impl Log {
    fn create(path: &Path) -> Self {
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
        rustix::fs::mknodat(rustix::fs::CWD, path, FileType::Fifo, mode, 0).unwrap();
        // Open for both, so that what nobody has read yet stays.
        let pipe = File::options().read(true).write(true).open(path).unwrap();
        rustix::fs::fcntl_setfl(&pipe, OFlags::DIRECT).unwrap();
        rustix::pipe::fcntl_setpipe_size(&pipe, 1 << 20).unwrap();
        Self { pipe, next: 0 }
    }

    /// Prints a report of four lines, `number` in its title.
    pub(crate) fn report(&mut self, number: u32, at_s: u64) {
        self.line(
            &format!("BUG: scheduling while atomic: test/77/0x{number:08x}"),
            at_s,
        );
        self.line("Call Trace:", at_s);
        self.line(&format!(" example_{number}+0x1f/0x40"), at_s);
        self.line(" example_ioctl+0x8/0x90", at_s);
        self.line("eth0: link up", at_s + 1);
    }

    pub(crate) fn line(&mut self, text: &str, at_s: u64) {
        let record = format!("4,{},{},-;{text}\n", self.next, at_s * 1_000_000);
        self.pipe.write_all(record.as_bytes()).unwrap();
        self.next += 1;
    }

    /// As the kernel does for a reader that comes anew: everything from the beginning.
    pub(crate) fn again(&mut self) {
        self.next = 0;
    }
}

/// A host that has opted in, without hooks, whose log and earlier boots are in its own folder.
pub(crate) fn host(collector: &Running) -> (Host, Log) {
    host_with(collector, "probes.object = \"/nonexistent\"\n")
}

/// The same with something else in its configuration than that there are no hooks.
pub(crate) fn host_with(collector: &Running, extra: &str) -> (Host, Log) {
    let host = Host::new_with(&collector.address.to_string(), "", "");
    let path = |name: &str| host.path(name).display().to_string();
    let probes = format!(
        "{extra}probes.kmsg_path = {:?}\nprobes.pstore_dir = {:?}\nprobes.earlier_root = {:?}\n",
        path("kmsg"),
        path("pstore"),
        path("root"),
    );
    let config = std::fs::read_to_string(host.path("telemd.toml")).unwrap();
    std::fs::write(host.path("telemd.toml"), config + &probes).unwrap();
    let log = Log::create(&host.path("kmsg"));
    let given = host.telemctl(&["opt-in"]);
    assert!(given.status.success(), "{given:?}");
    (host, log)
}

/// Has the firmware keep a fatal memory error of the boot before.
pub(crate) fn keep_fatal_error(host: &Host) {
    let mut region = vec![0; 20 + 64 + 80];
    region[12] = 64 + 80;
    region[16] = 1;
    region[20..36].copy_from_slice(&faults::cper::guids::MEMORY.bytes());
    region[36] = 1;
    region[44] = 80;
    let tables = host.path("root/sys/firmware/acpi/tables/data");
    std::fs::create_dir_all(&tables).unwrap();
    std::fs::write(tables.join("BERT"), region).unwrap();
}
