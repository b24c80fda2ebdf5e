//! A decoded record as people read it: what failed, the values in columns, what to do.

use std::fmt::Write as _;

use faults::Severity;

use crate::output::{Paint, harmless};

/// A wider value moves only its own meaning.
const VALUE_WIDTH_MAX: usize = 24;

/// A name, the value as it stands in the record, and what it means.
#[derive(Debug, Clone)]
pub(super) struct Row {
    name: String,
    value: String,
    meaning: String,
}

/// One record.
#[derive(Debug)]
pub(super) struct Sheet {
    /// What failed and how bad that is.
    pub(super) headline: String,
    pub(super) severity: Severity,
    pub(super) rows: Vec<Row>,
    /// What to do.
    pub(super) advice: String,
}

impl Sheet {
    pub(super) fn new(headline: impl Into<String>, severity: Severity) -> Self {
        Self {
            headline: headline.into(),
            severity,
            rows: Vec::new(),
            advice: String::new(),
        }
    }

    pub(super) fn row(
        &mut self,
        name: impl Into<String>,
        value: impl Into<String>,
        meaning: impl Into<String>,
    ) {
        self.rows.push(Row {
            name: name.into(),
            value: value.into(),
            meaning: meaning.into(),
        });
    }

    /// The same without the flags of registers that are not set.
    pub(super) fn without_clear_flags(&self) -> Self {
        let says = |row: &&Row| !(row.name.starts_with(' ') && row.value == "0" && row.meaning.is_empty());
        Self {
            headline: self.headline.clone(),
            severity: self.severity,
            rows: self.rows.iter().filter(says).cloned().collect(),
            advice: self.advice.clone(),
        }
    }

    fn write(&self, text: &mut String, paint: Paint) {
        let longest = |of: fn(&Row) -> &str, max| {
            let widths = self.rows.iter().map(|row| of(row).chars().count());
            widths.filter(|width| *width <= max).max().unwrap_or(0)
        };
        let name_width = longest(|row| &row.name, usize::MAX);
        let value_width = longest(|row| &row.value, VALUE_WIDTH_MAX);
        for row in &self.rows {
            let name = paint.label(&format!("{:<name_width$}", harmless(&row.name)));
            let value = format!("{:<value_width$}", harmless(&row.value));
            let line = format!("  {name}  {value}  {}", harmless(&row.meaning));
            // Writing to a String cannot fail.
            let _infallible = writeln!(text, "{}", line.trim_end());
        }
        if !self.advice.is_empty() {
            let _infallible = writeln!(text, "  {} {}", paint.bold("->"), harmless(&self.advice));
        }
    }
}

/// Sheets below each other, numbered when there are several.
pub(super) fn text<'a>(sheets: impl ExactSizeIterator<Item = &'a Sheet>, paint: Paint) -> String {
    let several = sheets.len() > 1;
    let mut text = String::new();
    for (at, sheet) in sheets.enumerate() {
        if several {
            let blank = if at == 0 { "" } else { "\n" };
            let _infallible = write!(text, "{blank}{}", paint.bold(&format!("{}. ", at + 1)));
        }
        let headline = paint.headline(&harmless(&sheet.headline), sheet.severity);
        let _infallible = writeln!(text, "{headline}");
        sheet.write(&mut text, paint);
    }
    text
}
