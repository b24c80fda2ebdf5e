//! Datagrams of netconsole from a few senders, with time passing between them.
//!
//! Each begins with two bytes: who sends it (and whether time passes after it), and its length.

use std::net::SocketAddr;

use backend::netconsole::receiver::Receiver;

pub(crate) fn run(bytes: &[u8]) {
    let (mut receiver, mut heard, mut now_us) = (Receiver::default(), Vec::new(), 0);
    let mut rest = bytes;
    while let [sender, length, tail @ ..] = rest {
        let (datagram, behind) = tail.split_at(tail.len().min(usize::from(*length)));
        rest = behind;
        let from = SocketAddr::from(([10, 0, 0, sender & 3], 6665));
        receiver.datagram(from, datagram, now_us, &mut heard);
        now_us += u64::from(sender >> 2) * 50_000;
        receiver.tick(now_us, &mut heard);
    }
    receiver.flush(now_us, &mut heard);
    assert_eq!(format!("{receiver:?}"), format!("{:?}", Receiver::default()));
}
