//! Scores titles against a folder of logs with expected titles.
//!
//! `cargo run -p faults --example score -- DIR [--quiet]`, where `DIR` holds `expected.jsonl` (objects with `file`, `title`,
//! `alt`, `corrupted`; an empty title means that nothing is to be found) and `logs/`.

#![expect(clippy::print_stdout, reason = "a command line program")]

use faults::KernelReport;
use serde_json::Value;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

/// Right and all of one sort of logs.
#[derive(Debug, Default)]
struct Score {
    right: usize,
    all: usize,
}

impl Score {
    fn count(&mut self, right: bool) {
        self.all += 1;
        self.right += usize::from(right);
    }

    fn print(&self, what: &str) {
        let permille = self.right * 1000 / self.all.max(1);
        println!(
            "{what}: {}/{} = {}.{} %",
            self.right,
            self.all,
            permille / 10,
            permille % 10
        );
    }
}

/// The first report of a log.
fn first_report(bytes: &[u8]) -> Option<KernelReport> {
    faults::reports(bytes)
        .into_iter()
        .next()
        .map(|found| found.report)
}

/// The title that a log carries itself: a few begin with comments and a header (`TITLE: ...`) that the list lacks.
fn own_title(bytes: &[u8]) -> Option<String> {
    let text = bytes.starts_with(b"#").then(|| String::from_utf8_lossy(bytes))?;
    let mut header = text.lines().take_while(|line| !line.is_empty());
    header.find_map(|line| line.strip_prefix("TITLE: ").map(str::to_owned))
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: score DIR [--quiet]")?;
    let quiet = arguments.next().is_some_and(|argument| argument == "--quiet");
    let folder = Path::new(&folder);
    let (mut titles, mut none, mut corrupted, mut damaged, mut clean) = (
        Score::default(),
        Score::default(),
        Score::default(),
        Score::default(),
        Score::default(),
    );
    for line in std::fs::read_to_string(folder.join("expected.jsonl"))?.lines() {
        let expected: Value = serde_json::from_str(line)?;
        let file = expected["file"].as_str().unwrap_or_default();
        let bytes = std::fs::read(folder.join("logs").join(file))?;
        let report = first_report(&bytes);
        let title = report.as_ref().map_or("", |report| report.title.as_str());
        let flagged = report.as_ref().is_some_and(|report| report.corrupted);
        let listed = expected["title"].as_str().unwrap_or_default();
        let wanted = own_title(&bytes).unwrap_or_else(|| listed.to_owned());
        let alternatives = expected["alt"].as_array().map(Vec::as_slice).unwrap_or_default();
        let right = title == wanted || alternatives.iter().any(|alternative| alternative == title);
        let marked = expected["corrupted"] == true;
        let sort = if wanted.is_empty() {
            none.count(right);
            "none"
        } else if marked {
            corrupted.count(right);
            damaged.count(flagged);
            "corrupted"
        } else {
            titles.count(right);
            clean.count(!flagged);
            "titled"
        };
        if !quiet && !right {
            println!("{file} {sort}: got {title:?}, expected {wanted:?}");
        }
        if !quiet && marked != flagged {
            println!("{file} {sort}: corrupted is {flagged}, expected {marked}: {wanted:?}");
        }
    }
    titles.print("exact titles");
    none.print("no report where none is");
    damaged.print("corrupted logs flagged");
    corrupted.print("exact titles of corrupted logs");
    clean.print("whole logs not flagged");
    let good = titles.right * 100 >= titles.all * 95 && damaged.right * 100 >= damaged.all * 90;
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
