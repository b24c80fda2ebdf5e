use proptest::prelude::*;

use super::*;

fn address(number: u32) -> SocketAddr {
    let [_, b, c, d] = number.to_be_bytes();
    SocketAddr::from(([10, b, c, d], 6665))
}

/// A report in one datagram of the basic form.
fn warning(function: &str) -> Vec<u8> {
    format!("WARNING: CPU: 0 PID: 1 at a.c:1 {function}+0x1/0x2\nCall Trace:\n {function}+0x1/0x2\n")
        .into_bytes()
}

fn reports(heard: &[Heard]) -> Vec<(SocketAddr, String)> {
    let report = |heard: &Heard| match heard {
        Heard::Report(report) => Some((report.from, report.report.title.clone())),
        _ => None,
    };
    heard.iter().filter_map(report).collect()
}

fn lost(heard: &[Heard]) -> u64 {
    heard
        .iter()
        .map(|heard| match heard {
            Heard::Lost(lost) => lost.count,
            _ => 0,
        })
        .sum()
}

#[test]
fn senders_are_kept_apart() {
    let (mut receiver, mut heard) = (Receiver::default(), Vec::new());
    let text = warning("example_open");
    let (begin, end) = text.split_at(40);
    for piece in [begin, end] {
        for sender in 0..3 {
            receiver.datagram(address(sender), piece, 1000, &mut heard);
        }
    }
    receiver.tick(300_000, &mut heard);
    receiver.tick(5_000_000, &mut heard);
    assert_eq!(
        reports(&heard),
        [0, 1, 2].map(|sender| (address(sender), "WARNING in example_open".to_owned()))
    );
    assert!(receiver.busy.is_empty());
}

#[test]
fn a_token_is_told_once() {
    let (mut receiver, mut heard) = (Receiver::default(), Vec::new());
    for number in 1..4 {
        let datagram = format!("6,{number},7000000,-;x\n telemetrics=00112233445566778899aabbccddeeff\n");
        receiver.datagram(address(1), datagram.as_bytes(), 1000, &mut heard);
    }
    receiver.tick(1_000_000, &mut heard);
    let [Heard::Claim(claim)] = heard.as_slice() else {
        panic!("{heard:?}");
    };
    assert_eq!(claim.from, address(1));
    assert_eq!(claim.uptime_us, Some(7_000_000));
}

#[test]
fn a_flood_is_counted() {
    let (mut receiver, mut heard) = (Receiver::default(), Vec::new());
    for _ in 0..BURST + 500 {
        receiver.datagram(address(1), b"6,1,1,-;x\n", 1000, &mut heard);
    }
    receiver.datagram(address(2), &warning("other"), 1000, &mut heard);
    receiver.flush(2000, &mut heard);
    assert_eq!(lost(&heard), 500);
    assert_eq!(reports(&heard), [(address(2), "WARNING in other".to_owned())]);
}

#[test]
fn repeats_are_counted() {
    let (mut receiver, mut heard, mut now_us) = (Receiver::default(), Vec::new(), 0);
    for _ in 0..20 {
        receiver.datagram(address(1), &warning("again"), now_us, &mut heard);
        for _ in 0..4 {
            now_us += 1_000_000;
            receiver.tick(now_us, &mut heard);
        }
    }
    receiver.flush(now_us, &mut heard);
    assert_eq!(reports(&heard).len() as u64 + lost(&heard), 20);
    assert_eq!(lost(&heard), 15);
}

#[test]
fn memory_is_bounded_whoever_sends() {
    let (mut receiver, mut heard) = (Receiver::default(), Vec::new());
    let senders = u32::try_from(SENDERS).unwrap() + 100;
    for sender in 0..senders {
        receiver.datagram(
            address(sender),
            &warning("example"),
            u64::from(sender),
            &mut heard,
        );
        assert!(receiver.busy.len() <= BUSY && receiver.senders.len() <= SENDERS);
    }
    receiver.flush(u64::from(senders), &mut heard);
    assert_eq!(
        reports(&heard).len(),
        senders as usize,
        "and nothing was thrown away"
    );
    assert!(receiver.senders.is_empty() && receiver.busy.is_empty());
}

#[test]
fn silent_senders_are_forgotten() {
    let (mut receiver, mut heard) = (Receiver::default(), Vec::new());
    receiver.datagram(address(1), b"hello\n", 0, &mut heard);
    receiver.tick(SILENCE_US - 1, &mut heard);
    assert_eq!(receiver.senders.len(), 1);
    receiver.tick(SILENCE_US, &mut heard);
    assert_eq!(receiver.senders.len(), 0);
}

proptest! {
    #[test]
    fn any_datagrams_do_no_harm(
        datagrams in proptest::collection::vec((0u32..5, proptest::collection::vec(any::<u8>(), 0..60)), 0..100),
    ) {
        let (mut receiver, mut heard) = (Receiver::default(), Vec::new());
        for (now_us, (sender, datagram)) in (0..).zip(&datagrams) {
            receiver.datagram(address(*sender), datagram, now_us * 50_000, &mut heard);
            receiver.tick(now_us * 50_000, &mut heard);
        }
        receiver.flush(10_000_000, &mut heard);
        prop_assert!(receiver.senders.is_empty() && receiver.busy.is_empty());
    }
}
