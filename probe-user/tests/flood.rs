//! The books of one ring under a flood of events. Needs root and an object built by `cargo xtask build-ebpf`; what is not
//! possible here is skipped with its reason.

#![expect(clippy::unwrap_used, reason = "a test panics")]

use std::{thread, time::Duration};

use probe_user::{
    AttachError, Event, Options, Probes,
    cost::usages,
    hook,
    user_probe::{MAX_RATE, UserProbe, Written},
};
use rustix::process::{Pid, Signal, kill_process};
use testing::skip;

/// Signals sent as fast as it goes: more than the ring holds, when its reader does not keep up.
const SIGNALS: u64 = 20_000;
/// When nothing comes for so long, all has been read.
const QUIET: Duration = Duration::from_secs(1);

/// Only the signals that are sent to `target`.
fn probe(target: Pid, rate: u32) -> UserProbe {
    let written = Written {
        name: "flood".into(),
        tracepoint: "signal:signal_generate".into(),
        filter: format!(
            "sig == {} && pid == {}",
            Signal::CONT.as_raw(),
            target.as_raw_nonzero()
        ),
        rate,
        ..Written::default()
    };
    UserProbe::new(&written).unwrap()
}

/// Sends signals that mean nothing to a running process.
fn send(target: Pid) {
    for _ in 0..SIGNALS {
        kill_process(target, Signal::CONT).unwrap();
    }
}

/// What became of the signals.
#[derive(Debug)]
struct Books {
    decoded: u64,
    lost: u64,
    limited: u64,
}

/// Floods a probe that keeps `rate` records a minute; `None` when that cannot be tried here.
async fn flooded(test: &str, rate: u32) -> Option<Books> {
    let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    let target = Pid::from_child(&child);
    let options = Options {
        ring_bytes: 64 * 1024,
        disable: hook::ALL.iter().map(|name| (*name).to_owned()).collect(),
        probes: vec![probe(target, rate)],
        ..Options::default()
    };
    let counted = match Probes::attach(&options) {
        Ok(probes) => flood(probes, target).await,
        Err(error @ (AttachError::NoObject | AttachError::NotPermitted(_))) => Err(error.to_string()),
        Err(error) => panic!("{error:?}"),
    };
    child.kill().unwrap();
    child.wait().unwrap();
    counted.map_err(|reason| skip(test, &reason)).ok()
}

#[tokio::test]
async fn what_is_produced_is_decoded_or_counted() {
    let Some(books) = flooded("what_is_produced_is_decoded_or_counted", MAX_RATE).await else {
        return;
    };
    assert_eq!(books.decoded + books.lost + books.limited, SIGNALS, "{books:?}");
    assert!(books.decoded > 0, "{books:?}");
}

#[tokio::test]
async fn beyond_the_rate_the_kernel_counts_and_copies_nothing() {
    let Some(books) = flooded("beyond_the_rate_the_kernel_counts_and_copies_nothing", 1).await else {
        return;
    };
    assert_eq!(books.decoded + books.lost + books.limited, SIGNALS, "{books:?}");
    assert!(books.decoded > 0 && books.limited > 0, "{books:?}");
}

/// Sends the signals and reads what comes; or why that cannot be tried here.
async fn flood(mut probes: Probes, target: Pid) -> Result<Books, String> {
    let state = probes.states().pop().unwrap();
    let Some(program) = state.program else {
        return Err(state.reason);
    };
    let mut reader = probes.reader().unwrap();
    let sender = thread::spawn(move || send(target));
    let (mut events, mut decoded) = (Vec::new(), 0);
    loop {
        match tokio::time::timeout(QUIET, reader.next(&mut events)).await {
            Ok(read) => read.unwrap(),
            Err(_quiet) if sender.is_finished() => break,
            Err(_quiet) => {}
        }
        for event in events.drain(..) {
            assert!(matches!(event, Event::Record { .. }), "{event:?}");
            decoded += 1;
        }
    }
    sender.join().unwrap();
    let state = probes.states().pop().unwrap();
    assert_eq!(state.events, decoded);
    let missed = usages(&[program]).unwrap()[&program].missed;
    Ok(Books {
        decoded,
        lost: state.lost + missed,
        limited: state.limited,
    })
}
