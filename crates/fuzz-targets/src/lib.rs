//! Everything here that reads foreign bytes, as functions of bytes that panic when what they read does not do as it should.
//!
//! `cargo xtask fuzz` looks for such bytes; the tests of this crate try the seeds, what was cut out of them and put into them,
//! and noise, always the same.
#![expect(
    clippy::expect_used,
    reason = "to panic is how a target says that it found something"
)]

mod assembler;
mod btf;
mod certificate;
mod channel;
mod config;
mod console_lines;
mod core_dump;
mod cper;
mod crash;
mod demangle;
mod filter;
mod fingerprint;
mod hardware_text;
mod host;
mod kallsyms;
mod kernel_report;
mod kmsg;
mod ledger;
mod machine_check;
mod netconsole;
mod old_client;
mod old_config;
mod past;
mod pem;
mod pstore;
mod reader;
mod record;
mod ring;
mod ring_memory;
mod scrub;
mod signs;
mod smbios;
mod socket_frame;
mod socket_message;
mod spool;
mod symbols;
mod tracefs_format;
mod tracepoint_record;
mod updates;
mod user_probe;

/// Something that reads foreign bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name of its file here.
    pub name: &'static str,
    /// Has it read an input.
    pub run: fn(&[u8]),
}

macro_rules! targets {
    ($($name:ident)*) => {
        &[$(Target { name: stringify!($name), run: $name::run }),*]
    };
}

/// All of them, by name.
pub const TARGETS: &[Target] = targets! {
    assembler
    btf
    certificate
    channel
    config
    console_lines
    core_dump
    cper
    crash
    demangle
    filter
    fingerprint
    hardware_text
    host
    kallsyms
    kernel_report
    kmsg
    ledger
    machine_check
    netconsole
    old_client
    old_config
    past
    pem
    pstore
    reader
    record
    ring
    ring_memory
    scrub
    signs
    smbios
    socket_frame
    socket_message
    spool
    symbols
    tracefs_format
    tracepoint_record
    updates
    user_probe
};

/// The target of a name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// A folder in memory, gone when it is dropped.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").expect("a temporary folder")
}
