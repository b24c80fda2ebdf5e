//! What one half of the agent sends the other: frames, the questions in them, and the answers.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::thread;

use privilege::channel::{Channel, ChannelError, FRAME_BYTES};
use telemd::privileged::{Answer, Request};

pub(crate) fn run(bytes: &[u8]) {
    let (mut here, there) = UnixStream::pair().expect("a pair of sockets");
    let mut channel = Channel::new(there);
    thread::scope(|scope| {
        scope.spawn(move || {
            // The other side may have closed its end: that is what is looked for.
            let _closed = here.write_all(bytes);
        });
        let mut taken = 0;
        let end = loop {
            match channel.receive() {
                Ok(frame) => {
                    taken += size_of::<u32>() + frame.bytes.len();
                    assert!(frame.bytes.len() <= FRAME_BYTES && frame.descriptors.is_empty());
                    let _question = serde_json::from_slice::<Request>(&frame.bytes).is_ok();
                    let _answer = serde_json::from_slice::<Answer>(&frame.bytes).is_ok();
                }
                Err(end) => break end,
            }
        };
        assert!(taken <= bytes.len());
        assert!(matches!(end, ChannelError::Closed | ChannelError::Long(_)));
        drop(channel);
    });
}
