use probe_common::{
    ABI_VERSION, COMPONENTS, Event as Bytes, Header, Hook, USER_FRAMES, UserFrame as Frame, decode,
};
use proptest::prelude::*;

use super::*;

/// A signal whose stack and path are these.
fn signal(number: i32, code: i32, frames: &[Frame], names: &[&str], cut: bool) -> Vec<u8> {
    let signal = Signal {
        header: Header {
            abi: ABI_VERSION,
            hook: Hook::SignalDeliver as u16,
            ..Header::default()
        },
        signal: number,
        code,
        has_address: 1,
        address: 0x1000,
        frames: u32::try_from(frames.len()).unwrap(),
        components: u32::try_from(names.len()).unwrap() | if cut { COMPONENTS_CUT } else { 0 },
        ..Signal::default()
    };
    let mut stack: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
    stack.resize(USER_FRAMES * Frame::SIZE, 0);
    let mut path: Vec<u8> = names
        .iter()
        .flat_map(|name| {
            let mut name = name.as_bytes()[..name.len().min(COMPONENT_BYTES - 1)].to_vec();
            name.resize(COMPONENT_BYTES, 0);
            name
        })
        .collect();
    path.resize(COMPONENTS * COMPONENT_BYTES, 0);
    [signal.encode().to_vec(), stack, path].concat()
}

fn path(names: &[&str], cut: bool) -> Option<String> {
    let bytes = signal(11, 1, &[], names, cut);
    let Ok(Bytes::Signal(signal, program)) = decode(&bytes) else {
        panic!("{:?}", decode(&bytes))
    };
    executable(&signal, program)
}

#[test]
fn a_path_is_told_from_the_root_or_by_its_end() {
    assert_eq!(path(&["ls", "bin", "usr"], false).as_deref(), Some("/usr/bin/ls"));
    assert_eq!(path(&["ls", "bin", "usr"], true).as_deref(), Some("usr/bin/ls"));
    assert_eq!(path(&[], false), None);
    assert_eq!(path(&[""], true), None);
    // A name that was cut is none, and what is above it is not its path.
    let long = "x".repeat(COMPONENT_BYTES);
    assert_eq!(path(&["ls", &long, "usr"], false).as_deref(), Some("ls"));
    assert_eq!(path(&[&long, "usr"], false), None);
}

#[test]
fn an_address_is_that_of_a_fault() {
    let of = |number, code| {
        let bytes = signal(number, code, &[], &[], false);
        let Ok(Bytes::Signal(signal, _)) = decode(&bytes) else {
            panic!("{:?}", decode(&bytes))
        };
        address(&signal)
    };
    assert_eq!(of(11, 1), Some(0x1000));
    // Sent by a program, raised without an address, a refused system call, abort.
    assert_eq!(
        (of(11, 0), of(11, 0x80), of(31, 1), of(6, -6)),
        (None, None, None, None)
    );
}

#[test]
fn frames_end_where_the_kernel_could_not_tell() {
    let frame = |status, build_id: &[u8], offset| {
        let mut frame = Frame {
            status,
            offset,
            ..Frame::default()
        };
        frame.build_id[..build_id.len()].copy_from_slice(build_id);
        frame
    };
    let sent = [
        frame(1, &[0xab; 20], 1),
        frame(1, &[0xcd; 16], 2),
        frame(1, &[0x0f; 8], 3),
        frame(2, &[], 4),
        frame(0, &[], 5),
        frame(1, &[0xab; 20], 6),
    ];
    let bytes = signal(11, 1, &sent, &[], false);
    let Ok(Bytes::Signal(_, program)) = decode(&bytes) else {
        panic!("{:?}", decode(&bytes))
    };
    let known = |build_id: Option<String>, offset| UserFrame { build_id, offset };
    assert_eq!(
        frames(program),
        [
            known(Some("ab".repeat(20)), 1),
            known(Some("cd".repeat(16)), 2),
            known(Some("0f".repeat(8)), 3),
            known(None, 4),
        ]
    );
}

proptest! {
    #[test]
    fn whatever_the_kernel_sends_is_told_without_a_panic(
        number: i32,
        code: i32,
        frames in prop::collection::vec((0_u32..4, any::<[u8; 20]>(), any::<u64>()), 0..=USER_FRAMES),
        names in prop::collection::vec("[a-z\u{e9}]{0,80}", 0..=COMPONENTS),
        cut: bool,
    ) {
        let sent: Vec<Frame> = frames
            .iter()
            .map(|(status, build_id, offset)| Frame { status: *status, build_id: *build_id, offset: *offset })
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let bytes = signal(number, code, &sent, &names, cut);
        let decoded = decode(&bytes);
        let Ok(Bytes::Signal(signal, program)) = decoded else {
            return Err(TestCaseError::fail(format!("{decoded:?}")));
        };
        prop_assert!(super::frames(program).len() <= sent.len());
        if let Some(path) = executable(&signal, program) {
            prop_assert!(!path.is_empty() && (!cut || !path.starts_with('/')));
        }
        let _any = address(&signal);
    }
}
