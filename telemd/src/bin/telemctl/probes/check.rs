//! `telemctl probes check`: whether files of `probes.d` are right and fit this kernel.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use probe_user::user_probe::{Fit, Operand, UserProbe, Verdict, look_up};
use serde::Serialize;
use telemd::cli;
use telemd::config::Config;
use telemd::config::probes_d::{Mistake, Probe, Probes};

use crate::output::{EXIT_UNREADABLE, harmless};
use crate::show;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 all probes are right and fit this kernel, 1 there is a mistake, 2 the kernel could not be \
                  asked (tracefs takes root as a rule), 64 wrong command line."
)]
pub(crate) struct Options {
    /// The files; none: those of the folder that telemd reads.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Do not compare them with this kernel: for files of other hosts.
    #[arg(long)]
    file_only: bool,
}

/// What was found out about a probe.
#[derive(Debug, Serialize)]
struct Report {
    name: String,
    file: PathBuf,
    tracepoint: String,
    class: String,
    severity: String,
    rate_per_minute: u32,
    stack: bool,
    filter: Comparisons,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    here: Option<Here>,
}

/// Where comparisons are made.
#[derive(Debug, Default, Serialize)]
struct Comparisons {
    kernel: Vec<String>,
    user_space: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Fits,
    Wrong,
    NotCompared,
}

/// What a probe is on this kernel.
#[derive(Debug, Serialize)]
struct Here {
    fields: Vec<Field>,
    example: Example,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Field {
    name: String,
    holds: String,
    kept: bool,
}

#[derive(Debug, Serialize)]
struct Example {
    title: String,
    fields: BTreeMap<String, String>,
}

/// A mistake, for programs.
#[derive(Debug, Serialize)]
struct Told<'a> {
    file: &'a PathBuf,
    line: usize,
    column: usize,
    probe: &'a Option<String>,
    problem: &'a str,
    remedy: &'a str,
}

pub(super) fn check(options: &Options, config: &Config, json: bool) -> ExitCode {
    let mut probes = if options.files.is_empty() {
        config.probes.user.clone()
    } else {
        Probes::of_files(&options.files)
    };
    let reports = compare(&mut probes, options.file_only);
    let unknown = reports.iter().any(|report| report.reason.is_some());
    cli::say(&if json {
        as_json(&reports, &probes.mistakes)
    } else {
        text(&reports, &probes.mistakes)
    });
    if !probes.mistakes.is_empty() {
        ExitCode::FAILURE
    } else if unknown {
        ExitCode::from(EXIT_UNREADABLE)
    } else {
        ExitCode::SUCCESS
    }
}

/// Compares the probes with this kernel; what does not fit becomes a mistake.
fn compare(probes: &mut Probes, file_only: bool) -> Vec<Report> {
    let Probes { probes, mistakes } = probes;
    if file_only {
        return probes
            .iter()
            .map(|probe| Report::new(probe, State::NotCompared))
            .collect();
    }
    let alone: Vec<UserProbe> = probes.iter().map(|located| located.probe.clone()).collect();
    let verdicts = look_up(&alone);
    let with = probes.iter().zip(verdicts).map(|(probe, verdict)| match verdict {
        Verdict::Fits(fit) => Report {
            here: Some(Here::new(&probe.probe, &fit)),
            ..Report::new(probe, State::Fits)
        },
        Verdict::Wrong(wrongs) => {
            mistakes.extend(wrongs.iter().map(|wrong| probe.mistake(wrong)));
            Report::new(probe, State::Wrong)
        }
        Verdict::Unknown(reason) => Report {
            reason: Some(reason),
            ..Report::new(probe, State::NotCompared)
        },
    });
    with.collect()
}

impl Report {
    fn new(located: &Probe, state: State) -> Self {
        let probe = &located.probe;
        let mut filter = Comparisons::default();
        for term in probe.filter.terms() {
            match term.value {
                Operand::Integer(_) => filter.kernel.push(term.to_string()),
                Operand::Text(_) => filter.user_space.push(term.to_string()),
            }
        }
        Self {
            name: located.name().to_owned(),
            file: located.file().to_owned(),
            tracepoint: probe.tracepoint(),
            class: probe.class.clone(),
            severity: probe.severity.to_string(),
            rate_per_minute: probe.rate,
            stack: probe.stack,
            filter,
            state,
            reason: None,
            here: None,
        }
    }
}

impl Here {
    fn new(probe: &UserProbe, fit: &Fit) -> Self {
        let (title, fields) = probe.example(fit);
        let field = |field: &probe_user::user_probe::FitField| Field {
            name: field.name.clone(),
            holds: field.kind.words(),
            kept: field.kept,
        };
        Self {
            fields: fit.fields.iter().map(field).collect(),
            example: Example {
                title,
                fields: fields.into_iter().collect(),
            },
            notes: fit.notes.clone(),
        }
    }
}

fn as_json(reports: &[Report], mistakes: &[Mistake]) -> String {
    let told = mistakes.iter().map(|mistake| Told {
        file: &mistake.file,
        line: mistake.line,
        column: mistake.column,
        probe: &mistake.probe,
        problem: &mistake.problem,
        remedy: &mistake.remedy,
    });
    show::json(&serde_json::json!({ "probes": reports, "mistakes": told.collect::<Vec<_>>() }))
}

fn text(reports: &[Report], mistakes: &[Mistake]) -> String {
    let mut out = String::new();
    for report in reports {
        report.write(&mut out);
    }
    for mistake in mistakes {
        line(&mut out, &mistake.to_string());
    }
    let probes = counted(reports.len(), "probe");
    line(
        &mut out,
        &format!("{probes}, {}", counted(mistakes.len(), "mistake")),
    );
    // What files say may not steer the terminal.
    let lines: Vec<_> = out.lines().map(harmless).collect();
    lines.join("\n")
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _infallible = writeln!(out, "{text}");
}

impl Report {
    fn write(&self, out: &mut String) {
        let state = match (self.state, &self.reason) {
            (State::Fits, _) => "fits this kernel".to_owned(),
            (State::Wrong, _) => "does not fit this kernel".to_owned(),
            (State::NotCompared, None) => "right; not compared with this kernel".to_owned(),
            (State::NotCompared, Some(reason)) => format!("right; not compared with this kernel: {reason}"),
        };
        line(
            out,
            &format!("{}: probe {} {state}", self.file.display(), self.name),
        );
        let mut row = |name: &str, value: &str| line(out, &format!("  {name:<14} {value}"));
        row("tracepoint", &self.tracepoint);
        row(
            "records",
            &format!(
                "{}, {}, {} a minute in full{}",
                self.class,
                self.severity,
                self.rate_per_minute,
                if self.stack {
                    ", with the kernel's stack"
                } else {
                    ""
                }
            ),
        );
        for (place, terms) in [
            ("in the kernel", &self.filter.kernel),
            ("in user space", &self.filter.user_space),
        ] {
            if !terms.is_empty() {
                row(place, &terms.join(" && "));
            }
        }
        let Some(here) = &self.here else { return };
        for (index, field) in here.fields.iter().enumerate() {
            let kept = if field.kept { "" } else { ", not kept" };
            let name = if index == 0 { "fields" } else { "" };
            row(name, &format!("{:<24} {}{kept}", field.name, field.holds));
        }
        row("example", &here.example.title);
        for (name, value) in &here.example.fields {
            row("", &format!("{name} = {value}"));
        }
        for note in &here.notes {
            row("note", note);
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
