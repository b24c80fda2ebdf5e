//! Reports for programs: an object a file on a line of its own, written as the reports come.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use faults::{KernelReport, fingerprint};
use serde::Serialize;

use super::Sink;
use super::read::Found;

/// A report as programs get it: what the report says, and where it was found.
#[derive(Debug, Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    facts: &'a KernelReport,
    /// That of the title.
    fingerprint: String,
    /// By the name of the level.
    fingerprints: BTreeMap<&'static str, String>,
    /// Time of the first line, microseconds since boot.
    first_at_us: Option<u64>,
    last_at_us: Option<u64>,
    /// Line numbers in the file, from 1.
    first_line: Option<u64>,
    last_line: Option<u64>,
}

impl<'a> Report<'a> {
    fn new(found: &'a Found) -> Self {
        let report = &found.report.report;
        let fingerprints = fingerprint::of_report(report)
            .into_iter()
            .map(|fingerprint| (fingerprint.level.as_str(), fingerprint.to_string()))
            .collect();
        Self {
            facts: report,
            fingerprint: fingerprint::of_title(report.class, &report.title).to_string(),
            fingerprints,
            first_at_us: found.report.first_at_us,
            last_at_us: found.report.last_at_us,
            first_line: found.numbers.first().copied().flatten(),
            last_line: found.numbers.last().copied().flatten(),
        }
    }
}

pub(super) struct Json<W: Write> {
    out: BufWriter<W>,
    /// The object that is being written has a report.
    any: bool,
}

impl<W: Write> Json<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out: BufWriter::new(out),
            any: false,
        }
    }
}

impl<W: Write> Sink for Json<W> {
    fn begin(&mut self, file: &str) -> io::Result<()> {
        self.any = false;
        self.out.write_all(b"{\"file\":")?;
        serde_json::to_writer(&mut self.out, file)?;
        self.out.write_all(b",\"reports\":[")
    }

    fn report(&mut self, found: Found) -> io::Result<()> {
        if std::mem::replace(&mut self.any, true) {
            self.out.write_all(b",")?;
        }
        serde_json::to_writer(&mut self.out, &Report::new(&found))?;
        Ok(())
    }

    fn end(&mut self, error: Option<&str>) -> io::Result<()> {
        self.out.write_all(b"]")?;
        if let Some(error) = error {
            self.out.write_all(b",\"error\":")?;
            serde_json::to_writer(&mut self.out, error)?;
        }
        self.out.write_all(b"}\n")?;
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
