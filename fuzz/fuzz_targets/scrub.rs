//! A text to scrub. The first byte chooses the action.
#![no_main]

use faults::scrub::{Action, Policy, Scrubber};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SCRUBBERS: LazyLock<[Scrubber; 3]> = LazyLock::new(|| {
    [Action::Replace, Action::Mask, Action::Hash].map(|action| {
        let policy = Policy::all(action).key(b"0123456789abcdef");
        Scrubber::new(&policy.hosts(["anna-pc".to_owned()])).expect("the policy can be followed")
    })
});

fuzz_target!(|input: (u8, &str)| {
    let (action, text) = input;
    let scrubber = &SCRUBBERS[usize::from(action) % SCRUBBERS.len()];
    let once = scrubber.text(text);
    for span in &once.spans {
        assert!(text.get(span.before.clone()).is_some() && once.text.get(span.after.clone()).is_some());
        assert_eq!(once.moved(span.before.start), span.after.start);
    }
    assert_eq!(scrubber.text(&once.text).text, once.text);
    if let Some(mut report) = faults::parse(text) {
        scrubber.report(&mut report);
    }
});
