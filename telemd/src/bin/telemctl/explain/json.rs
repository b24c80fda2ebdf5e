//! Reports for programs: an object a file on a line of its own, written as the reports come.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use faults::KernelReport;
use faults::fingerprint::{self, Explanation};
use serde::Serialize;

use super::read::Found;
use super::{Sink, hardware};
use crate::decode::Record;

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
    /// Hardware errors that the report shows, decoded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hardware_errors: Vec<Record>,
    /// What kept frames from getting their lines.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    symbols: &'a [String],
    /// What went into the fingerprints.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<Explanation>,
}

impl<'a> Report<'a> {
    fn new(found: &'a Found, why: bool) -> Self {
        let report = &found.report.report;
        let explanation = fingerprint::explain(report);
        let fingerprints = explanation
            .fingerprints()
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
            hardware_errors: hardware::decoded(&found.report),
            symbols: &found.symbols,
            why: why.then_some(explanation),
        }
    }
}

pub(super) struct Json<W: Write> {
    out: BufWriter<W>,
    /// What went into fingerprints is wanted.
    why: bool,
    /// The object that is being written has a report.
    any: bool,
}

impl<W: Write> Json<W> {
    pub(super) fn new(out: W, why: bool) -> Self {
        Self {
            out: BufWriter::new(out),
            why,
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
        serde_json::to_writer(&mut self.out, &Report::new(&found, self.why))?;
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
