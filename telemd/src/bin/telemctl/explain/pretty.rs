//! Reports for people.

mod facts;
mod lines;
mod stacks;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use faults::fingerprint::{self, Fingerprint};

use super::read::Found;
use super::{Sink, hardware};
use crate::input::STDIN;
use crate::output::{Paint, harmless};

/// Different faults of one file that are told apart; further ones are all shown.
const DIFFERENT_MAX: usize = 10_000;
/// Repeated faults that the end of a file lists.
const REPEATED_SHOWN: usize = 20;
/// Columns of the names of facts.
const NAME_WIDTH: usize = 13;

/// What is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Repeated reports too.
    pub(super) all: bool,
    /// Every line and frame.
    pub(super) full: bool,
    /// The rules behind fingerprints.
    pub(super) why: bool,
    /// How many files there are.
    pub(super) files: usize,
}

/// What was counted in one file, or in all.
#[derive(Debug, Default)]
struct Count {
    reports: u64,
    corrupted: u64,
    hidden: u64,
}

/// A fault that was shown.
#[derive(Debug)]
struct Shown {
    number: u64,
    title: String,
    times: u64,
}

pub(super) struct Pretty<W: Write> {
    out: BufWriter<W>,
    paint: Paint,
    style: Style,
    file: String,
    count: Count,
    all: Count,
    shown: HashMap<Fingerprint, Shown>,
}

impl<W: Write> Pretty<W> {
    pub(super) fn new(out: W, paint: Paint, style: Style) -> Self {
        Self {
            out: BufWriter::new(out),
            paint,
            style,
            file: String::new(),
            count: Count::default(),
            all: Count::default(),
            shown: HashMap::new(),
        }
    }

    /// Whether the report repeats one that was shown.
    fn repeats(&mut self, found: &Found) -> bool {
        let report = &found.report.report;
        // The finest level: two faults with one title but different stacks are two.
        let Some(fingerprint) = fingerprint::of_report(report).pop() else {
            return false;
        };
        if let Some(shown) = self.shown.get_mut(&fingerprint) {
            shown.times += 1;
            return true;
        }
        if self.shown.len() < DIFFERENT_MAX {
            let shown = Shown {
                number: self.count.reports,
                title: report.title.clone(),
                times: 1,
            };
            self.shown.insert(fingerprint, shown);
        }
        false
    }

    fn text(&self, found: &Found) -> String {
        let report = &found.report.report;
        let mut text = format!(
            "{}{}\n",
            self.paint.bold(&format!("{}. ", self.count.reports)),
            self.paint.headline(&harmless(&report.title), report.severity)
        );
        facts::write(&mut text, found, self.paint, self.style.full);
        stacks::write(&mut text, report, self.paint, self.style.full);
        for record in hardware::decoded(&found.report) {
            fact(
                &mut text,
                self.paint,
                "decoded",
                &record.text(self.paint, self.style.full),
            );
        }
        facts::known(&mut text, self.paint, "symbols", &found.symbols.join("\n"));
        facts::fingerprints(&mut text, report, self.paint, self.style.why);
        lines::write(&mut text, found, self.paint, self.style.full);
        text.push('\n');
        text
    }

    /// The faults that came again, most frequent first.
    fn repeated(&self) -> String {
        let mut repeated: Vec<_> = self.shown.values().filter(|shown| shown.times > 1).collect();
        repeated.sort_by_key(|shown| (std::cmp::Reverse(shown.times), shown.number));
        let mut text = String::new();
        for shown in repeated.iter().take(REPEATED_SHOWN) {
            // Writing to a String cannot fail.
            let number = self.paint.bold(&format!("{}.", shown.number));
            let title = harmless(&shown.title);
            let _infallible = match shown.times {
                2 => writeln!(text, "{number} came twice: {title}"),
                times => writeln!(text, "{number} came {times} times: {title}"),
            };
        }
        if let Some(more) = repeated
            .len()
            .checked_sub(REPEATED_SHOWN)
            .filter(|more| *more > 0)
        {
            let _infallible = writeln!(text, "{more} more faults came several times");
        }
        text
    }
}

impl<W: Write> Sink for Pretty<W> {
    fn begin(&mut self, file: &str) -> io::Result<()> {
        self.file = if file == STDIN {
            "stdin".to_owned()
        } else {
            harmless(file).into_owned()
        };
        self.count = Count::default();
        self.shown.clear();
        if self.style.files > 1 {
            writeln!(self.out, "{}", self.paint.bold(&format!("== {} ==", self.file)))?;
        }
        Ok(())
    }

    fn report(&mut self, found: Found) -> io::Result<()> {
        self.count.reports += 1;
        self.count.corrupted += u64::from(found.report.report.corrupted);
        if self.repeats(&found) && !self.style.all {
            self.count.hidden += 1;
            return Ok(());
        }
        self.out.write_all(self.text(&found).as_bytes())?;
        // A report is seen when it was found, though the log goes on.
        self.out.flush()
    }

    fn end(&mut self, error: Option<&str>) -> io::Result<()> {
        self.out.write_all(self.repeated().as_bytes())?;
        let count = std::mem::take(&mut self.count);
        self.all.reports += count.reports;
        self.all.corrupted += count.corrupted;
        self.all.hidden += count.hidden;
        match error {
            // stderr says why.
            Some(_) if count.reports == 0 => writeln!(self.out, "{}: could not be read", self.file)?,
            Some(_) => writeln!(self.out, "{}: {count}; could not be read to its end", self.file)?,
            None => writeln!(self.out, "{}: {count}", self.file)?,
        }
        if self.style.files > 1 {
            writeln!(self.out)?;
        }
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.style.files > 1 {
            writeln!(self.out, "{} files: {}", self.style.files, self.all)?;
        }
        self.out.flush()
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.reports {
            0 => return f.write_str("no kernel report found"),
            1 => f.write_str("1 report")?,
            many => write!(f, "{many} reports")?,
        }
        if self.corrupted > 0 {
            write!(f, ", {} corrupted", self.corrupted)?;
        }
        if self.hidden > 0 {
            write!(
                f,
                ", {} of them repeat others and are not shown (--all shows them)",
                self.hidden
            )?;
        }
        Ok(())
    }
}

/// A fact: its name in a column, and the value; further lines of the value are indented as the first.
fn fact(text: &mut String, paint: Paint, name: &str, value: &str) {
    for (at, line) in value.lines().enumerate() {
        let name = if at == 0 { name } else { "" };
        let name = paint.label(&format!("{name:<NAME_WIDTH$}"));
        // Writing to a String cannot fail.
        let _infallible = writeln!(text, "   {name} {line}");
    }
}
