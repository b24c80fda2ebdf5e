//! Scores titles against a folder of logs with expected titles, and prints every miss.
//!
//! `cargo run -p faults --example score -- DIR [--quiet]`, where `DIR` holds `expected.jsonl` (objects with `file`, `title`,
//! `alt`, `corrupted`; an empty title means that nothing is to be found) and `logs/`.

#![expect(clippy::print_stdout, reason = "a command line program")]

mod corpus;

use corpus::Scores;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: score DIR [--quiet]")?;
    let quiet = arguments.next().is_some_and(|argument| argument == "--quiet");
    let scores = Scores::of(Path::new(&folder))?;
    if !quiet {
        for miss in &scores.misses {
            println!("{miss}");
        }
    }
    for line in scores.lines() {
        println!("{line}");
    }
    Ok(if scores.are_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
