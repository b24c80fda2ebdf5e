//! Comma-separated values, RFC 4180: CRLF line ends, a header, quotation marks where they are needed.

use proto::v1::Fault;

use super::columns::{COLUMNS, Cell};
use crate::http::json::rfc3339;

/// What spreadsheets take the beginning of a formula for (OWASP, CSV Injection). A quotation mark before it makes it text.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Rows that were not handed on yet.
pub(super) struct Encoder(csv::Writer<Vec<u8>>);

impl Encoder {
    /// With the header.
    pub(super) fn new() -> Self {
        let mut encoder = Self(writer());
        encoder.row(COLUMNS.iter().map(|column| column.name.to_owned()));
        encoder
    }

    pub(super) fn add(&mut self, faults: &[Fault]) {
        for fault in faults {
            self.row(COLUMNS.iter().map(|column| text(column.cell(fault))));
        }
    }

    fn row(&mut self, cells: impl Iterator<Item = String>) {
        // Writing into memory does not fail, and each row has all columns.
        self.0.write_record(cells).ok();
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        let full = std::mem::replace(&mut self.0, writer());
        // As above.
        full.into_inner().unwrap_or_default()
    }
}

fn writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new())
}

fn text(cell: Cell) -> String {
    match cell {
        Cell::Text(text) if text.starts_with(FORMULA) => format!("'{text}"),
        Cell::Text(text) => text,
        Cell::Moment(unix_ns) => unix_ns
            .and_then(|unix_ns| rfc3339(u64::try_from(unix_ns).ok()?))
            .unwrap_or_default(),
        Cell::Severity(severity) => severity.to_string(),
        Cell::Flag(flag) => flag.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proto::v1::Record;

    use super::*;

    fn title(title: &str) -> Fault {
        Fault {
            record: Some(Record {
                title: title.to_owned(),
                ..Record::default()
            }),
            ..Fault::default()
        }
    }

    #[test]
    fn what_a_spreadsheet_would_run_is_text_and_all_else_comes_back() {
        let titles = [
            (
                "=HYPERLINK(\"http://evil.example\")",
                "'=HYPERLINK(\"http://evil.example\")",
            ),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("BUG: a, \"b\"\nline two", "BUG: a, \"b\"\nline two"),
            ("", ""),
        ];
        let mut encoder = Encoder::new();
        encoder.add(&titles.map(|(told, _)| title(told)));
        let bytes = encoder.take();
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let names: Vec<_> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        assert_eq!(names, COLUMNS.each_ref().map(|column| column.name));
        let at = names.iter().position(|name| name == "title").unwrap();
        let read: Vec<_> = reader.records().map(|row| row.unwrap()[at].to_owned()).collect();
        assert_eq!(read, titles.map(|(_, shown)| shown));
        assert_eq!(encoder.take(), b"", "the header comes once");
    }
}
