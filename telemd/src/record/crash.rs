//! Crashes of programs, for the wire.

use faults::{Class, Severity};
use probe_user::{Context, UserFrame};
use proto::v1::record::Payload;
use proto::v1::{CoreDump, ProgramCrash, Record};

use super::{Boot, caught};
use crate::clock::Moment;
use crate::container;
use crate::text::cut;

/// What records that were made from a core dump were caught by: `kernel.core_pattern`.
pub const CORE_PATTERN: &str = "core_pattern";
/// Longest path of a program, bytes.
const EXECUTABLE_BYTES: usize = 4096;
/// Longest build id, digits.
const BUILD_ID_DIGITS: usize = 40;
/// Most frames of a stack.
const FRAMES: usize = 64;

/// The program that a fatal signal hit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// The process's name.
    pub name: String,
    /// Path of its executable; empty when it is not known.
    pub executable: String,
    /// Its build id, lower-case hexadecimal; empty when it is not known.
    pub build_id: String,
}

/// A fatal signal: the fields of siginfo, and where the program was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signal {
    /// `si_signo`
    pub number: u32,
    /// `si_code`
    pub code: i32,
    /// `si_errno`
    pub errno: i32,
    /// `si_addr` of a fault.
    pub address: Option<u64>,
    /// The stack, innermost first.
    pub frames: Vec<UserFrame>,
}

impl Boot {
    /// A program that died of a signal.
    pub fn program_crash(&self, context: &Context, program: &Program, signal: &Signal, at: Moment) -> Record {
        let what = faults::signal::crash_title(signal.number, &program.name);
        let mut record = self.record(Class::ProgramCrash, Severity::High, &what, at);
        let payload = ProgramCrash {
            signal: signal.number,
            code: signal.code,
            errno: signal.errno,
            executable: cut(&program.executable, EXECUTABLE_BYTES).to_owned(),
            address: signal.address,
            build_id: cut(&program.build_id, BUILD_ID_DIGITS).to_owned(),
            frames: signal
                .frames
                .iter()
                .take(FRAMES)
                .map(|frame| wire_frame(frame, program))
                .collect(),
            ..ProgramCrash::default()
        };
        record
            .fingerprints
            .extend(wire::crash_fingerprints(&payload, &program.name));
        caught(record, context, Payload::ProgramCrash(payload))
    }

    /// A program that dumped core, by what the dump says.
    pub fn core_dump(&self, dump: CoreDump, at: Moment) -> Record {
        let CoreDump {
            pid,
            comm,
            cgroup,
            crash,
        } = dump;
        let crash = crash.unwrap_or_default();
        let what = faults::signal::crash_title(crash.signal, &comm);
        let mut record = self.record(Class::ProgramCrash, Severity::High, &what, at);
        record
            .fingerprints
            .extend(wire::crash_fingerprints(&crash, &comm));
        record.hook = Some(super::hook(CORE_PATTERN, ""));
        record.context = Some(proto::v1::Context {
            pid,
            tgid: pid,
            container_id: container::id(&cgroup).unwrap_or_default(),
            comm,
            cgroup,
            ..proto::v1::Context::default()
        });
        record.payload = Some(Payload::ProgramCrash(crash));
        record
    }
}

fn wire_frame(frame: &UserFrame, program: &Program) -> proto::v1::UserFrame {
    let build_id = frame.build_id.as_deref().unwrap_or_default();
    let is_program = !build_id.is_empty() && build_id == program.build_id;
    let file = if is_program {
        program.executable.as_str()
    } else {
        ""
    };
    proto::v1::UserFrame {
        build_id: cut(build_id, BUILD_ID_DIGITS).to_owned(),
        offset: frame.offset,
        file: cut(file, EXECUTABLE_BYTES).to_owned(),
        function: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use probe_user::Attach;

    use super::*;

    fn context() -> Context {
        Context {
            hook: "signal_deliver".into(),
            attach: Attach::TpBtf,
            cpu: 0,
            pid: 7,
            tgid: 7,
            comm: "app".into(),
            cgroup_id: 0,
            since_boot_ns: 1,
            sequence: 1,
            stack: Vec::new(),
        }
    }

    fn crash(offsets: &[u64]) -> Record {
        let program = Program {
            name: "app".into(),
            executable: "/usr/bin/app".into(),
            build_id: "aa".repeat(20),
        };
        let frame = |offset: &u64| UserFrame {
            build_id: Some(if *offset < 0x1000 { "aa" } else { "bb" }.repeat(20)),
            offset: *offset,
        };
        let signal = Signal {
            number: 11,
            code: 1,
            address: Some(0x10),
            frames: offsets.iter().map(frame).collect(),
            ..Signal::default()
        };
        Boot::default().program_crash(&context(), &program, &signal, Moment::default())
    }

    #[test]
    fn crashes_meet_by_title_and_then_by_stack() {
        let levels = |record: &Record| {
            record
                .fingerprints
                .iter()
                .map(|print| print.value.clone())
                .collect::<Vec<_>>()
        };
        let (here, there, none) = (crash(&[0x10, 0x2000]), crash(&[0x20, 0x2000]), crash(&[]));
        assert_eq!(here.title, "SIGSEGV in app");
        assert_eq!(levels(&here), levels(&crash(&[0x10, 0x2000])));
        assert_eq!((levels(&here).len(), levels(&none).len()), (3, 1));
        assert_eq!(levels(&here)[0], levels(&there)[0]);
        assert_ne!(levels(&here)[1..], levels(&there)[1..]);
    }

    #[test]
    fn a_frame_in_the_program_has_its_path() {
        let Some(Payload::ProgramCrash(crash)) = crash(&[0x10, 0x2000]).payload else {
            panic!("no crash");
        };
        let files: Vec<_> = crash
            .frames
            .iter()
            .map(|frame| (frame.file.as_str(), frame.offset))
            .collect();
        assert_eq!(files, [("/usr/bin/app", 0x10), ("", 0x2000)]);
        assert_eq!((crash.address, crash.build_id), (Some(0x10), "aa".repeat(20)));
    }
}
