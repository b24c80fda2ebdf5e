//! What `telem_journal` and `telemctl journal` print.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::{Entry, read};
use crate::cli;
use crate::config::Config;
use crate::fixes::{self, Fix};

/// Which entries, and how.
#[derive(Debug, Clone, Default, Args)]
pub struct Options {
    /// Only this record.
    #[arg(short, long, visible_alias = "record_id", value_name = "ID")]
    pub record_id: Option<String>,
    /// Only records of this event.
    #[arg(short, long, visible_alias = "event_id", value_name = "ID")]
    pub event_id: Option<String>,
    /// Only this classification, or all that begin with it when it ends with `/*` (or, for kernel.oops and the like, `.*`).
    #[arg(short, long, value_name = "CLASS")]
    pub classification: Option<String>,
    /// Only records of this boot.
    #[arg(short, long, visible_alias = "boot_id", value_name = "ID")]
    pub boot_id: Option<String>,
    /// Print what came before a fault too, and the payloads of programs where `journal.payloads` keeps them.
    #[arg(short, long, visible_alias = "include_record")]
    pub include_record: bool,
    /// Print titles of the columns, and how many records there are.
    #[arg(short = 'V', long)]
    pub verbose: bool,
}

impl Options {
    /// Whether an entry is asked for.
    fn takes(&self, entry: &Entry) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
        let in_class = self.classification.as_ref().is_none_or(|wanted| {
            let prefix = wanted
                .strip_suffix('*')
                .filter(|prefix| prefix.ends_with(['/', '.']));
            prefix.map_or(wanted == &entry.classification, |prefix| {
                entry.classification.starts_with(prefix)
            })
        });
        // Boot ids are written with and without hyphens.
        let boot = |id: &str| id.replace('-', "");
        in_class
            && is(&self.record_id, &entry.record_id)
            && is(&self.event_id, &entry.event_id)
            && self
                .boot_id
                .as_ref()
                .is_none_or(|wanted| boot(wanted) == boot(&entry.boot_id))
    }
}

/// Prints the journal of the agent that has this configuration.
pub fn show(options: &Options, config: &Config, json: bool) -> ExitCode {
    let mut entries = Vec::new();
    let all = read(&config.state_dir, |entry| {
        if options.takes(&entry) {
            entries.push(entry);
        }
    });
    if let Err(error) = all {
        cli::complain(&format!(
            "cannot read the journal in {}: {error}\n  it is closed to everyone but telemd's user and root",
            config.state_dir.display()
        ));
        return ExitCode::FAILURE;
    }
    let fixes = fixes::read(&config.state_dir);
    cli::say_all(&if json {
        entries.iter().map(|entry| line_json(entry, &fixes)).collect()
    } else {
        table(options, &entries, &fixes)
    });
    ExitCode::SUCCESS
}

/// An entry, with what mends it.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    entry: &'a Entry,
    #[serde(skip_serializing_if = "Option::is_none")]
    known_fix: Option<&'a Fix>,
}

fn line_json(entry: &Entry, fixes: &[Fix]) -> String {
    let line = Line {
        entry,
        known_fix: known_fix(entry, fixes),
    };
    // It has only texts and numbers, which are JSON.
    serde_json::to_string(&line).unwrap_or_default() + "\n"
}

fn known_fix<'a>(entry: &Entry, fixes: &'a [Fix]) -> Option<&'a Fix> {
    fixes
        .iter()
        .rev()
        .find(|fix| entry.fingerprints.contains(&fix.fingerprint))
}

fn table(options: &Options, entries: &[Entry], fixes: &[Fix]) -> String {
    let mut text = String::new();
    if options.verbose {
        let titles = ["Classification", "Time stamp", "Record ID", "Event ID", "Boot ID"];
        row(&mut text, titles);
    }
    for entry in entries {
        let time = moment(entry.delivered_unix_ms);
        let event = if entry.event_id.is_empty() {
            "-"
        } else {
            &entry.event_id
        };
        let columns = [
            &entry.classification,
            time.as_str(),
            &entry.record_id,
            event,
            &entry.boot_id,
        ];
        row(&mut text, columns);
        if let Some(fix) = known_fix(entry, fixes) {
            // As in `row`.
            let _infallible = writeln!(text, "  known fix: {}", fix.advice());
        }
        if options.include_record {
            content(&mut text, entry);
        }
    }
    if options.verbose {
        // As in `row`.
        let _infallible = writeln!(text, "Total records: {}", entries.len());
    }
    text
}

/// What came before it, and its payload.
fn content(text: &mut String, entry: &Entry) {
    for sign in &entry.precursors {
        // As in `row`.
        let _infallible = writeln!(
            text,
            "  {}.{:03} s before, CPU {}: {}",
            sign.before_ms / 1000,
            sign.before_ms % 1000,
            sign.cpu,
            harmless(&sign.text)
        );
    }
    if let Some(payload) = &entry.payload {
        text.push_str(&harmless(payload.trim_end_matches('\n')));
        text.push_str("\n\n");
    }
}

fn row(text: &mut String, [class, time, record, event, boot]: [&str; 5]) {
    // Writing to a String cannot fail.
    let _infallible = writeln!(text, "{class:<30} {time:<27} {record:<32} {event:<32} {boot}");
}

/// A payload without what a terminal would obey.
fn harmless(payload: &str) -> String {
    let obeyed = |character: char| character.is_control() && !matches!(character, '\n' | '\t');
    payload.replace(obeyed, "\u{fffd}")
}

/// `Fri 2026-11-27 13:05:09 UTC`, in the host's time zone.
fn moment(unix_ms: u64) -> String {
    let time = i64::try_from(unix_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or_default();
    time.to_zoned_datetime(TimeZone::system())
        .strftime("%a %Y-%m-%d %H:%M:%S %Z")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            record_id: "r".into(),
            classification: "org.example/disk/swapped".into(),
            event_id: "e".into(),
            boot_id: "1111-22".into(),
            payload: Some("te\x1b[31mxt\n".into()),
            ..Entry::default()
        }
    }

    #[test]
    fn filters_are_joined_with_and() {
        let asked = |change: fn(&mut Options)| {
            let mut options = Options::default();
            change(&mut options);
            options.takes(&entry())
        };
        assert!(asked(|_| {}));
        assert!(asked(|o| o.classification = Some("org.example/*".into())));
        assert!(asked(
            |o| o.classification = Some("org.example/disk/swapped".into())
        ));
        assert!(!asked(|o| o.classification = Some("org.example/disk".into())));
        assert!(!asked(|o| o.classification = Some("org.exam*".into())));
        assert!(asked(|o| o.boot_id = Some("111122".into())));
        assert!(!asked(|o| {
            o.record_id = Some("r".into());
            o.event_id = Some("other".into());
        }));
    }

    #[test]
    fn a_record_has_the_fix_of_any_of_its_fingerprints() {
        let entry = Entry {
            fingerprints: vec!["a".into(), "b".into()],
            ..entry()
        };
        let fix = |fingerprint: &str| Fix {
            fingerprint: fingerprint.into(),
            fixed_in: "6.1.120".into(),
            ..Fix::default()
        };
        let text = table(
            &Options::default(),
            std::slice::from_ref(&entry),
            &[fix("b"), fix("c")],
        );
        assert!(text.ends_with("\n  known fix: fixed in 6.1.120\n"), "{text}");
        assert!(line_json(&entry, &[fix("b")]).contains(r#""known_fix":{"fingerprint":"b""#));
        assert!(!line_json(&entry, &[fix("c")]).contains("known_fix"));
    }

    #[test]
    fn what_came_before_is_printed_with_the_record() {
        let before = super::super::Before {
            before_ms: 1_200,
            cpu: 1,
            text: "allocation stall 340 ms of d\x1bd (7)".into(),
        };
        let entry = Entry {
            precursors: vec![before],
            payload: None,
            ..entry()
        };
        let options = Options {
            include_record: true,
            ..Options::default()
        };
        let text = table(&options, std::slice::from_ref(&entry), &[]);
        assert!(
            text.ends_with("\n  1.200 s before, CPU 1: allocation stall 340 ms of d\u{fffd}d (7)\n"),
            "{text}"
        );
        assert!(!table(&Options::default(), &[entry], &[]).contains("before"));
    }

    #[test]
    fn payloads_titles_and_the_count_are_printed_when_asked_for() {
        let plain = table(&Options::default(), &[entry()], &[]);
        assert_eq!(plain.lines().count(), 1);
        assert!(
            plain.contains("org.example/disk/swapped") && !plain.contains("xt"),
            "{plain}"
        );
        let options = Options {
            include_record: true,
            verbose: true,
            ..Options::default()
        };
        let all = table(&options, &[entry()], &[]);
        assert!(
            all.starts_with("Classification") && all.contains("\nte\u{fffd}[31mxt\n\nTotal records: 1\n"),
            "{all}"
        );
    }
}
