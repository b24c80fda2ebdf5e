//! A folder of logs with expected titles, and how many are met.

use faults::KernelReport;
use serde_json::Value;
use std::error::Error;
use std::path::Path;

/// Right and all of one sort of logs.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Score {
    right: usize,
    all: usize,
}

impl Score {
    fn count(&mut self, right: bool) {
        self.all += 1;
        self.right += usize::from(right);
    }

    /// Whether at least so many of a hundred are right.
    pub(crate) fn reaches(self, percent: usize) -> bool {
        self.right * 100 >= self.all * percent
    }

    /// One line for people.
    pub(crate) fn line(self, what: &str) -> String {
        let permille = self.right * 1000 / self.all.max(1);
        format!(
            "{what}: {}/{} = {}.{} %",
            self.right,
            self.all,
            permille / 10,
            permille % 10
        )
    }
}

/// The scores of a corpus.
#[derive(Debug, Default)]
pub(crate) struct Scores {
    /// Exact titles of whole logs.
    pub(crate) titles: Score,
    /// No report in logs without one.
    pub(crate) none: Score,
    /// Logs that are marked as corrupted are flagged.
    pub(crate) damaged: Score,
    /// Exact titles of corrupted logs.
    pub(crate) corrupted: Score,
    /// Whole logs are not flagged.
    pub(crate) clean: Score,
    /// A line for each log that is not as expected.
    pub(crate) misses: Vec<String>,
}

impl Scores {
    /// Reads the logs of a folder: `expected.jsonl` (objects with `file`, `title`, `alt`, `corrupted`; an empty title
    /// means that nothing is to be found) and `logs/`.
    pub(crate) fn of(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let mut scores = Self::default();
        for line in std::fs::read_to_string(folder.join("expected.jsonl"))?.lines() {
            let expected: Value = serde_json::from_str(line)?;
            let file = expected["file"].as_str().unwrap_or_default();
            let bytes = std::fs::read(folder.join("logs").join(file))?;
            scores.add(file, &expected, &bytes);
        }
        Ok(scores)
    }

    fn add(&mut self, file: &str, expected: &Value, bytes: &[u8]) {
        let report = first_report(bytes);
        let title = report.as_ref().map_or("", |report| report.title.as_str());
        let flagged = report.as_ref().is_some_and(|report| report.corrupted);
        let listed = expected["title"].as_str().unwrap_or_default();
        let wanted = own_title(bytes).unwrap_or_else(|| listed.to_owned());
        let alternatives = expected["alt"].as_array().map(Vec::as_slice).unwrap_or_default();
        let right = title == wanted || alternatives.iter().any(|alternative| alternative == title);
        let marked = expected["corrupted"] == true;
        let sort = if wanted.is_empty() {
            self.none.count(right);
            "none"
        } else if marked {
            self.corrupted.count(right);
            self.damaged.count(flagged);
            "corrupted"
        } else {
            self.titles.count(right);
            self.clean.count(!flagged);
            "titled"
        };
        if !right {
            let miss = format!("{file} {sort}: got {title:?}, expected {wanted:?}");
            self.misses.push(miss);
        }
        if marked != flagged {
            let miss = format!("{file} {sort}: corrupted is {flagged}, expected {marked}: {wanted:?}");
            self.misses.push(miss);
        }
    }

    /// The scores for people, a line each.
    pub(crate) fn lines(&self) -> [String; 5] {
        [
            self.titles.line("exact titles"),
            self.none.line("no report where none is"),
            self.damaged.line("corrupted logs flagged"),
            self.corrupted.line("exact titles of corrupted logs"),
            self.clean.line("whole logs not flagged"),
        ]
    }

    /// The bar: 95 % of the titles, no report where none is, 90 % of the corrupted logs flagged.
    pub(crate) fn are_good(&self) -> bool {
        self.titles.reaches(95) && self.none.reaches(100) && self.damaged.reaches(90)
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
