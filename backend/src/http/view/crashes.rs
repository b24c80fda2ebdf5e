//! Crashes of programs: by program, and of each by signal and build.

use std::collections::HashMap;

use askama::Template;
use jiff::Timestamp;
use proto::v1::{Issue, IssueDay, ProgramCrash, Record, record::Payload};
use uuid::Uuid;

use super::chart::Bars;
use super::issues::{issue_href, issue_id, spark};
use super::{Moment, counted, grouped, titled};
use crate::http::access::Frame;
use crate::store::issue_state_name;

/// Digits of a build id that tell builds of one program apart.
const BUILD_ID_CHARS: usize = 12;

/// The page `/crashes`.
#[derive(Debug, Template)]
#[template(path = "crashes.html")]
pub(in crate::http) struct CrashesPage {
    pub(in crate::http) programs: Vec<Program>,
    /// How many issues were looked at, where there are more.
    pub(in crate::http) only: Option<usize>,
    pub(in crate::http) frame: Frame,
}

/// A program and its crashes.
#[derive(Debug)]
pub(in crate::http) struct Program {
    pub(in crate::http) name: String,
    /// Empty: not known.
    pub(in crate::http) path: String,
    pub(in crate::http) records: String,
    pub(in crate::http) crashes: Vec<CrashRow>,
}

/// An issue of a program.
#[derive(Debug)]
pub(in crate::http) struct CrashRow {
    pub(in crate::http) href: String,
    pub(in crate::http) title: String,
    pub(in crate::http) state: &'static str,
    pub(in crate::http) signal: String,
    /// The first digits; empty: not known.
    pub(in crate::http) build_id: String,
    pub(in crate::http) whole_build_id: String,
    pub(in crate::http) records: String,
    pub(in crate::http) hosts: String,
    pub(in crate::http) days: Bars,
    pub(in crate::http) last: Option<Moment>,
}

/// What the page is made of.
#[derive(Debug)]
pub(in crate::http) struct CrashesInput {
    /// Those with the latest records first.
    pub(in crate::http) issues: Vec<Issue>,
    /// There are more.
    pub(in crate::http) more: bool,
    pub(in crate::http) newest: HashMap<Uuid, Record>,
    pub(in crate::http) days: HashMap<Uuid, Vec<IssueDay>>,
    pub(in crate::http) now: Timestamp,
    pub(in crate::http) frame: Frame,
}

impl CrashesPage {
    pub(in crate::http) fn new(input: CrashesInput) -> Self {
        let mut programs: Vec<(String, u64, Program)> = Vec::new();
        for issue in &input.issues {
            let record = issue_id(issue).and_then(|id| input.newest.get(&id));
            let crash = record.and_then(crash);
            let path = path(record, crash, &issue.title);
            let row = CrashRow::new(issue, crash, &input);
            match programs.iter_mut().find(|(known, ..)| *known == path) {
                Some((_, records, program)) => {
                    *records = records.saturating_add(issue.occurrences);
                    program.crashes.push(row);
                }
                None => programs.push((path.clone(), issue.occurrences, Program::new(&path, row))),
            }
        }
        programs.sort_by_key(|(_, records, _)| std::cmp::Reverse(*records));
        let programs = programs.into_iter().map(|(_, records, program)| Program {
            records: counted(records, "record"),
            ..program
        });
        Self {
            programs: programs.collect(),
            only: input.more.then_some(input.issues.len()),
            frame: input.frame,
        }
    }
}

impl Program {
    fn new(path: &str, row: CrashRow) -> Self {
        let name = path.rsplit('/').next().filter(|name| !name.is_empty());
        Self {
            name: name.unwrap_or(path).to_owned(),
            path: if path.contains('/') { path } else { "" }.to_owned(),
            records: String::new(),
            crashes: vec![row],
        }
    }
}

impl CrashRow {
    fn new(issue: &Issue, crash: Option<&ProgramCrash>, input: &CrashesInput) -> Self {
        let none = Vec::new();
        let days = issue_id(issue)
            .and_then(|id| input.days.get(&id))
            .unwrap_or(&none);
        let whole_build_id = crash.map(|crash| crash.build_id.clone()).unwrap_or_default();
        Self {
            href: issue_href(&issue.issue),
            title: titled(&issue.title, &issue.class),
            state: issue_state_name(issue.state()),
            signal: crash.map(signal).unwrap_or_default(),
            build_id: whole_build_id.chars().take(BUILD_ID_CHARS).collect(),
            whole_build_id,
            records: grouped(issue.occurrences),
            hosts: grouped(issue.hosts),
            days: spark(days),
            last: Moment::new(issue.last_seen_unix_ns, input.now),
        }
    }
}

fn crash(record: &Record) -> Option<&ProgramCrash> {
    match &record.payload {
        Some(Payload::ProgramCrash(crash)) => Some(crash),
        _ => None,
    }
}

fn signal(crash: &ProgramCrash) -> String {
    faults::signal::name(crash.signal).map_or_else(|| format!("signal {}", crash.signal), str::to_owned)
}

/// Which program it is, as precisely as is known: its path, the task's name, or the title of the issue.
fn path(record: Option<&Record>, crash: Option<&ProgramCrash>, title: &str) -> String {
    let executable = crash.map(|crash| crash.executable.as_str());
    let comm = record
        .and_then(|record| record.context.as_ref())
        .map(|context| context.comm.as_str());
    [executable, comm, Some(title)]
        .into_iter()
        .flatten()
        .find(|name| !name.is_empty())
        .unwrap_or("not known")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use proto::v1::Context;

    use super::*;

    #[test]
    fn crashes_of_a_program_are_together_and_the_most_come_first() {
        let issue = |number: u128, occurrences| Issue {
            issue: Uuid::from_u128(number).simple().to_string(),
            title: format!("title {number}"),
            occurrences,
            ..Issue::default()
        };
        let record = |executable: &str, signal, comm: &str| Record {
            context: Some(Context {
                comm: comm.to_owned(),
                ..Context::default()
            }),
            payload: Some(Payload::ProgramCrash(ProgramCrash {
                executable: executable.to_owned(),
                signal,
                build_id: "0123456789abcdef".to_owned(),
                ..ProgramCrash::default()
            })),
            ..Record::default()
        };
        let page = CrashesPage::new(CrashesInput {
            issues: vec![issue(1, 2), issue(2, 4), issue(3, 3), issue(4, 1)],
            more: false,
            newest: HashMap::from([
                (Uuid::from_u128(1), record("/usr/bin/a", 11, "a")),
                (Uuid::from_u128(2), record("", 6, "b")),
                (Uuid::from_u128(3), record("/usr/bin/a", 6, "a")),
            ]),
            days: HashMap::new(),
            now: Timestamp::UNIX_EPOCH,
            frame: Frame::default(),
        });
        let programs: Vec<_> = page
            .programs
            .iter()
            .map(|program| {
                (
                    program.name.as_str(),
                    program.records.as_str(),
                    program.crashes.len(),
                )
            })
            .collect();
        assert_eq!(
            programs,
            [
                ("a", "5 records", 2),
                ("b", "4 records", 1),
                ("title 4", "1 record", 1)
            ]
        );
        let row = &page.programs[0].crashes[0];
        assert_eq!(
            (row.signal.as_str(), row.build_id.as_str()),
            ("SIGSEGV", "0123456789ab")
        );
        assert_eq!(page.programs[2].crashes[0].signal, "", "its record is gone");
    }
}
