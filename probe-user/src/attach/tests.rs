use probe_common::SLOTS;

use super::{own::is_older, *};
use crate::catalogue::{Since, Target};

#[test]
fn the_ring_takes_powers_of_two_of_at_least_a_page() {
    let page = u32::try_from(rustix::param::page_size()).unwrap();
    for bytes in [0, page, 2 * page, 1 << 24] {
        assert!(check_ring_bytes(bytes).is_ok(), "{bytes}");
    }
    for bytes in [1, page / 2, page + 1, 3 * page] {
        assert!(
            matches!(check_ring_bytes(bytes), Err(AttachError::RingBytes { .. })),
            "{bytes}"
        );
    }
}

#[test]
fn every_program_and_global_of_the_catalogue_is_in_the_object() {
    use object::{Object as _, ObjectSymbol as _};
    if EMBEDDED.is_empty() {
        println!("SKIP every_program_and_global_of_the_catalogue_is_in_the_object: no object was built");
        return;
    }
    let file = object::File::parse(EMBEDDED).unwrap();
    let symbols: std::collections::HashSet<&str> =
        file.symbols().filter_map(|symbol| symbol.name().ok()).collect();
    let mut wanted = vec![ABI_SYMBOL, MAP_EVENTS, MAP_COUNTERS, records::MAP_SLOTS];
    wanted.extend(crate::catalogue::members().map(|member| member.global));
    wanted.push(DIRECT_WORDS);
    let slots: Vec<String> = (0..SLOTS).map(|slot| format!("record_{slot}")).collect();
    wanted.extend(slots.iter().map(String::as_str));
    for name in hindsight::symbols() {
        wanted.push(name);
    }
    for attempt in crate::catalogue::attempts() {
        wanted.push(attempt.program);
        match attempt.target {
            Target::Tracepoint(tracepoint) => {
                wanted.extend(tracepoint.fields.iter().map(|field| field.global));
            }
            Target::TpBtf(tracepoint) => {
                wanted.extend(tracepoint.members.iter().map(|member| member.global));
            }
            Target::RawTp(_) | Target::Fentry(_) | Target::Kprobe(_) => {}
        }
    }
    for name in wanted {
        assert!(symbols.contains(name), "{name}");
    }
}

#[test]
fn a_hook_waits_for_the_kernel_that_has_it_right() {
    let since = Since {
        major: 5,
        minor: 19,
        before: "",
    };
    assert!(is_older(Some(KernelVersion::new(5, 18, 255)), since));
    assert!(!is_older(Some(KernelVersion::new(5, 19, 0)), since));
    assert!(!is_older(Some(KernelVersion::new(6, 1, 0)), since));
    assert!(!is_older(None, since));
}

#[test]
fn an_object_that_is_missing_or_garbage_is_an_error() {
    let missing = Options {
        object: Some("/nonexistent/probes.o".into()),
        ..Options::default()
    };
    assert!(matches!(attach(&missing), Err(AttachError::ReadObject { .. })));

    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), b"\x7fELF garbage").unwrap();
    let garbage = Options {
        object: Some(file.path().to_owned()),
        ..Options::default()
    };
    assert!(matches!(
        attach(&garbage),
        Err(AttachError::Load(_) | AttachError::NotPermitted(_))
    ));
}
