//! A frame of the local socket, behind its size.
#![no_main]

use libfuzzer_sys::fuzz_target;
use telemd::frame;

fuzz_target!(|body: &[u8]| {
    // Frames before version 4 have no event id, and are not written any more.
    if let Some(frame) = frame::parse(body).ok().filter(|frame| !frame.event_id.is_empty()) {
        // What is understood can be said again.
        let Ok(bytes) = frame::write(&frame, &frame::Facts::default()) else {
            // Replaced bytes made the payload too long.
            assert!(frame.payload.len() > frame::PAYLOAD_BYTES);
            return;
        };
        let again = frame::parse(&bytes[4..]).expect("a written frame is understood");
        assert_eq!(again.payload, frame.payload);
        assert_eq!(again.classification, frame.classification);
    }
});
