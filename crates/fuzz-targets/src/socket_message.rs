//! A message of the local socket in the language with an answer, from either side, behind its length.

use local::framed;

pub(crate) fn run(body: &[u8]) {
    if let Ok(submission) = framed::read_submission(body) {
        // What is understood can be said again, within the limit.
        let bytes = framed::write_submission(&submission).expect("it was checked");
        assert!(bytes.len() <= framed::HEAD_BYTES + framed::SUBMISSION_BYTES);
        let again = framed::read_submission(&bytes[framed::HEAD_BYTES..]);
        assert_eq!(again.as_ref(), Ok(&submission));
    }
    if let Ok(receipt) = framed::read_receipt(body) {
        let bytes = framed::write_receipt(&receipt);
        assert_eq!(framed::read_receipt(&bytes[framed::LENGTH_BYTES..]), Ok(receipt));
    }
}
