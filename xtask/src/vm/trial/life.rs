//! One power-on of a guest, from its boot to the check of its books.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::{Cell, Surroundings, Trial, Verdict};
use crate::{
    paths::{self, Scratch},
    progress,
    vm::{
        AFTERMATH, POLL,
        books::Books,
        expect::Expect,
        guest::{AgentOptions, Caused, Guest, GuestOptions},
        kernels::Series,
        ledger::{Entry, Ledger},
        scenario::Scenario,
    },
};

/// From a scenario's end to its records in the database: seconds, unless this host is busy. A storm is read for longer than
/// it lasts.
const PATIENCE: Duration = Duration::from_mins(4);
/// After the records that are expected: time for those that are not. Later ones are found when the guest is closed.
const QUIET: Duration = Duration::from_millis(500);

/// A guest with its records.
pub(super) struct Life<'a> {
    surroundings: Surroundings<'a>,
    series: Series,
    host: String,
    guest: Guest,
    ledger: Ledger,
    /// Beside each entry of the ledger.
    notes: Vec<Note>,
    /// Scenarios that this kernel cannot have.
    impossible: Vec<Cell>,
    _scratch: Scratch,
}

/// What else is known of a scenario.
#[derive(Debug, Default)]
struct Note {
    took: Duration,
    /// What is wrong, a line each.
    complaints: Vec<String>,
    cannot: Option<String>,
}

impl<'a> Life<'a> {
    /// Boots the guest of a trial as `host`.
    pub(super) fn begin(trial: &Trial<'_>, surroundings: Surroundings<'a>, host: &str) -> Result<Self> {
        let scratch = paths::scratch(&format!("vm/{host}"))?;
        let guest = Guest::boot(&GuestOptions {
            kernel: trial.kernel,
            boot: trial.boot,
            agent: Some(AgentOptions {
                programs: surroundings.programs,
                collector_port: surroundings.collector.grpc_port(),
                netconsole_port: surroundings.collector.netconsole_port(),
            }),
            hostname: host,
            work_dir: scratch.path(),
        })?;
        Ok(Self {
            surroundings,
            series: trial.kernel.series,
            host: host.to_owned(),
            guest,
            ledger: Ledger::default(),
            notes: Vec::new(),
            impossible: Vec::new(),
            _scratch: scratch,
        })
    }

    /// Goes through scenarios and takes each that is over off `left`. An error is the end of the guest.
    #[expect(clippy::disallowed_methods, reason = "how long a scenario takes is wall time")]
    pub(super) fn go_through(&mut self, left: &mut &[&'static Scenario]) -> Result<()> {
        while let Some((scenario, rest)) = left.split_first() {
            if let Some(reason) = scenario.impossible_on(self.series) {
                self.impossible.push(Cell {
                    scenario,
                    verdict: Verdict::Impossible(reason.to_owned()),
                    records: Vec::new(),
                    took: Duration::ZERO,
                });
                *left = rest;
                continue;
            }
            let started = Instant::now();
            self.enter_what_came()?;
            self.ledger.begin(scenario);
            self.notes.push(Note::default());
            let end = self.live_through(scenario);
            if end.is_err() {
                self.ledger.abandon();
                self.notes.pop();
                return end;
            }
            if let Some(note) = self.notes.last_mut() {
                note.took = started.elapsed();
            }
            self.say_how_it_went();
            *left = rest;
        }
        Ok(())
    }

    fn live_through(&mut self, scenario: &'static Scenario) -> Result<()> {
        if let Caused::Cannot(reason) = self.guest.cause(scenario)? {
            if let Some(note) = self.notes.last_mut() {
                note.cannot = Some(reason);
            }
            return Ok(());
        }
        self.wait_for_arrival()?;
        if let Some(entry) = self.ledger.current() {
            let complaints = self.complaints(entry)?;
            if let Some(note) = self.notes.last_mut() {
                note.complaints = complaints;
            }
        }
        Ok(())
    }

    /// Waits until every expectation is met, and then until nothing comes any more.
    #[expect(
        clippy::disallowed_methods,
        reason = "waiting for another process is wall time"
    )]
    fn wait_for_arrival(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut quiet_since = Instant::now();
        while Instant::now() < deadline {
            if self.enter_what_came()? {
                quiet_since = Instant::now();
            }
            if self.is_complete()? && quiet_since.elapsed() >= QUIET {
                break;
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    fn enter_what_came(&mut self) -> Result<bool> {
        let records = self.surroundings.collector.faults_of(&self.host)?;
        self.ledger.note_resets(self.guest.resets());
        Ok(self.ledger.enter(&records))
    }

    fn is_complete(&self) -> Result<bool> {
        let Some(entry) = self.ledger.current() else {
            return Ok(true);
        };
        if entry.missing().next().is_some() {
            return Ok(false);
        }
        let many = || entry.met.iter().filter(|(expect, _)| expect.how_often() > 1);
        if many().next().is_none() {
            return Ok(true);
        }
        let books = self.books()?;
        Ok(many().all(|(expect, records)| shortage(expect, records.len(), &books) == 0))
    }

    /// What is wrong with the fields of a scenario's records, and with how many there are.
    fn complaints(&self, entry: &Entry) -> Result<Vec<String>> {
        let mut complaints = Vec::new();
        for (expect, records) in &entry.met {
            if let Some(first) = records.first() {
                let record = self.surroundings.collector.record(first)?;
                complaints.extend(expect.differences(&record));
            }
            if expect.how_often() > 1 {
                let books = self.books()?;
                let told = records.len() as u64 + books.counted(expect);
                if shortage(expect, records.len(), &books) > 0 || told > expect.how_often() {
                    complaints.push(format!(
                        "{told} times {expect}; in the books: {}",
                        books.in_words()
                    ));
                }
            }
        }
        Ok(complaints)
    }

    fn books(&self) -> Result<Books> {
        Books::of(&self.host, &self.surroundings.collector.database_socket())
    }

    fn say_how_it_went(&self) {
        let (Some(entry), Some(note)) = (self.ledger.current(), self.notes.last()) else {
            return;
        };
        let cell = cell(entry, note);
        let seconds = cell.took.as_secs_f64();
        let line = match &cell.verdict {
            Verdict::Passed => {
                let titles: Vec<&str> = cell.records.iter().map(|record| record.title.as_str()).collect();
                format!(
                    "{:>5} {}: {} ({seconds:.1} s): {}",
                    "ok",
                    self.host,
                    cell.scenario,
                    titles.join("; ")
                )
            }
            Verdict::Impossible(reason) => format!("{:>5} {}: {}: {reason}", "-", self.host, cell.scenario),
            Verdict::Failed(reason) => {
                let console = self.guest.console_file().display();
                format!(
                    "{:>5} {}: {} ({seconds:.1} s): {reason}
      its console: {console}",
                    "FAIL", self.host, cell.scenario
                )
            }
        };
        progress::say(line);
    }

    /// Gives late records their time, checks the books and says how each scenario ended.
    pub(super) fn close(mut self) -> Vec<Cell> {
        thread::sleep(AFTERMATH);
        if let Err(error) = self.look_again()
            && let Some(note) = self.notes.last_mut()
        {
            note.complaints.push(format!("{error:#}"));
        }
        let mut cells = self.impossible;
        cells.extend(
            self.ledger
                .entries()
                .iter()
                .zip(&self.notes)
                .map(|(entry, note)| cell(entry, note)),
        );
        cells
    }

    /// Judges every scenario by all that has come, late records too, and the books of all together.
    fn look_again(&mut self) -> Result<()> {
        self.enter_what_came()?;
        for (index, entry) in self.ledger.entries().iter().enumerate() {
            let complaints = self.complaints(entry)?;
            if let Some(note) = self.notes.get_mut(index) {
                note.complaints = complaints;
            }
        }
        let books = self.books().context("the books")?;
        ensure!(
            books.are_balanced(),
            "the books do not balance: {}",
            books.in_words()
        );
        Ok(())
    }
}

/// How many of what happens many times are neither stored nor counted. What was lost before it was looked at may be
/// them.
fn shortage(expect: &Expect, stored: usize, books: &Books) -> u64 {
    let known = stored as u64 + books.counted(expect) + books.lost_unseen();
    expect.how_often().saturating_sub(known)
}

fn cell(entry: &Entry, note: &Note) -> Cell {
    let complaints: Vec<String> = entry
        .complaints()
        .chain(note.complaints.iter().cloned())
        .collect();
    let verdict = match &note.cannot {
        Some(reason) => Verdict::Impossible(reason.clone()),
        None if complaints.is_empty() => Verdict::Passed,
        None => Verdict::Failed(complaints.join("; ")),
    };
    Cell {
        scenario: entry.scenario,
        verdict,
        records: entry
            .met
            .iter()
            .flat_map(|(_, records)| records.iter().cloned())
            .collect(),
        took: note.took,
    }
}
