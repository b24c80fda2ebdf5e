//! A frame of the local socket in Clear Linux's language, behind its size.

use local::legacy::{self, Facts};

pub(crate) fn run(body: &[u8]) {
    if let Ok(frame) = legacy::parse(body) {
        // What is understood can be said again.
        let Ok(bytes) = legacy::write(&frame.submission, &Facts::default()) else {
            // Replaced bytes made the payload too long.
            assert!(frame.submission.payload.len() > legacy::PAYLOAD_BYTES);
            return;
        };
        let again = legacy::parse(&bytes[4..]).expect("a written frame is understood");
        assert_eq!(again.submission, frame.submission);
    }
}
