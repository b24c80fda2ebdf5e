//! What can be sent upstream about an issue: plain text, as kernel.org's "Reporting issues" asks for it (what happened, on which kernels
//! and hardware, how often, and the kernel's own words).

use std::fmt::Write as _;

use proto::v1::{Issue, KernelReport, Record, record::Payload};

use crate::analysis::Rate;
use crate::http::view::shown::beginning;
use crate::http::view::{counted, titled};

/// Bytes that the kernel's own words take of a page: the start of the report, where the fault is.
const QUOTED_BYTES: usize = 16 << 10;
/// Kernels that are named.
const KERNELS: usize = 8;

/// The kernels on which it was seen and those on which it was not, with hosts.
pub(super) fn kernels(rates: &[(&'static str, Vec<Rate>)]) -> Vec<String> {
    let of_kernels = rates.iter().find(|(by, _)| *by == "kernel");
    let mut rates: Vec<&Rate> = of_kernels.into_iter().flat_map(|(_, rates)| rates).collect();
    rates.sort_by_key(|rate| std::cmp::Reverse(rate.affected));
    let named = rates.into_iter().take(KERNELS);
    named
        .map(|rate| format!("{}: {} of {} hosts", rate.name, rate.affected, rate.hosts))
        .collect()
}

/// The text; empty where the record has none of the kernel's words.
pub(super) fn upstream(issue: &Issue, record: &Record, kernels: &[String]) -> String {
    let Some(Payload::KernelReport(report)) = &record.payload else {
        return String::new();
    };
    if report.text.is_empty() {
        return String::new();
    }
    let title = titled(&issue.title, &issue.class);
    let mut text = format!("Subject: {}\n\n", one_line(&title));
    // Writing into a String does not fail.
    let mut line = |words: std::fmt::Arguments<'_>| writeln!(text, "{words}").unwrap_or_default();
    line(format_args!(
        "We see this on {} of our fleet ({}).",
        counted(issue.hosts, "host"),
        counted(issue.occurrences, "report")
    ));
    for (label, value) in facts(report) {
        if !value.is_empty() {
            line(format_args!("{label}: {}", one_line(value)));
        }
    }
    if !kernels.is_empty() {
        line(format_args!("\nKernels of our hosts, and how many had it:"));
        for kernel in kernels {
            line(format_args!("  {}", one_line(kernel)));
        }
    }
    let quoted = beginning(&report.text, QUOTED_BYTES);
    line(format_args!("\n{quoted}"));
    if quoted.len() < report.text.len() {
        line(format_args!("[{} more bytes]", report.text.len() - quoted.len()));
    }
    text
}

fn facts(report: &KernelReport) -> [(&'static str, &str); 4] {
    [
        ("Function", &report.function),
        ("Module", &report.module),
        ("Hardware", &report.hardware),
        ("Taint", &report.taint),
    ]
}

/// Strangers' text on one line.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: String) -> Record {
        Record {
            payload: Some(Payload::KernelReport(KernelReport {
                text,
                function: "f\nSubject: another".to_owned(),
                ..KernelReport::default()
            })),
            ..Record::default()
        }
    }

    #[test]
    fn a_report_says_what_where_and_how_often_in_the_kernels_words() {
        let issue = Issue {
            title: "BUG: example".to_owned(),
            hosts: 3,
            occurrences: 12,
            ..Issue::default()
        };
        let kernels = ["6.1.0: 3 of 40 hosts".to_owned()];
        let text = upstream(&issue, &record("BUG: example\nCall Trace:".to_owned()), &kernels);
        assert_eq!(
            text,
            "Subject: BUG: example\n\nWe see this on 3 hosts of our fleet (12 reports).\n\
             Function: f Subject: another\n\nKernels of our hosts, and how many had it:\n  6.1.0: 3 of 40 hosts\n\n\
             BUG: example\nCall Trace:\n"
        );
    }

    #[test]
    fn a_report_has_an_end_between_characters() {
        let text = upstream(&Issue::default(), &record("\u{e9}".repeat(100_000)), &[]);
        assert!(text.len() < QUOTED_BYTES + 500);
        assert!(text.contains("more bytes]"));
        assert_eq!(upstream(&Issue::default(), &Record::default(), &[]), "");
    }
}
