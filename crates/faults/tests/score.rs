//! Titles are those that syzkaller's tests expect, where that corpus is beside the checkout.

#[path = "../examples/score/corpus.rs"]
mod corpus;

use std::path::Path;

/// From the root of the checkout.
const CORPUS: &str = "../shared/corpus/kernel-reports";

#[test]
fn titles_are_those_of_the_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(CORPUS);
    if !folder.join("expected.jsonl").exists() {
        let reason = format!("there is no corpus in {CORPUS} beside this checkout");
        testing::skip("faults::score", &reason);
        return;
    }
    let scores = corpus::Scores::of(&folder).expect("the corpus can be read");
    let told = [scores.lines().to_vec(), scores.misses.clone()]
        .concat()
        .join("\n");
    assert!(scores.are_good(), "{told}");
}
