//! Telling the person who waits what is happening.
//!
//! On a terminal a step is a spinner with its elapsed time; elsewhere it is a line at its start and one at its end.
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "this module is xtask's voice"
)]

use std::{
    ffi::OsStr,
    io::{IsTerminal as _, Read as _, Seek as _},
    process::{Command, Stdio},
    sync::LazyLock,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// How much of a failed command's output is shown.
const TAIL_LINES: usize = 60;

/// The spinners of steps that are under way at the same time, one below the other.
static SPINNERS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// A step that is under way. Dropped without [`Step::done`], it shows as failed.
#[derive(Debug)]
pub(crate) struct Step {
    bar: Option<ProgressBar>,
    what: String,
    started: std::time::Instant,
    finished: bool,
}

/// Starts a step.
pub(crate) fn step(what: impl Into<String>) -> Step {
    let what = what.into();
    let bar = std::io::stderr().is_terminal().then(|| {
        let bar = SPINNERS.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {wide_msg} {elapsed:.dim}") {
            bar.set_style(style);
        }
        bar.set_message(what.clone());
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    });
    if bar.is_none() {
        eprintln!("  ... {what}");
    }
    #[expect(clippy::disallowed_methods, reason = "a person's waiting time is wall time")]
    let started = std::time::Instant::now();
    Step {
        bar,
        what,
        started,
        finished: false,
    }
}

impl Step {
    /// Shows how far the step is.
    pub(crate) fn note(&self, note: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{}: {note}", self.what));
        }
    }

    /// Ends the step well.
    pub(crate) fn done(mut self) {
        self.end("ok");
    }

    fn end(&mut self, word: &str) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            SPINNERS.remove(&bar);
        }
        say(format!(
            "{word:>5} {} ({:.1} s)",
            self.what,
            self.started.elapsed().as_secs_f64()
        ));
        self.finished = true;
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.finished {
            self.end("FAIL");
        }
    }
}

/// Says one line of a command's result: on stdout, so that it can be piped.
pub(crate) fn result(line: impl AsRef<str>) {
    SPINNERS.suspend(|| println!("{}", line.as_ref()));
}

/// Says one line about the work.
pub(crate) fn say(line: impl AsRef<str>) {
    SPINNERS.suspend(|| eprintln!("{}", line.as_ref()));
}

/// Shows an error with its whole chain.
pub(crate) fn print_error(error: &anyhow::Error) {
    eprintln!("error: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
}

/// Runs a command as a step. Its output is shown only when it fails: the last lines, with the command itself.
pub(crate) fn run(what: impl Into<String>, command: &mut Command) -> Result<()> {
    output(what, command).map(drop)
}

/// The same, for what the command prints.
pub(crate) fn output(what: impl Into<String>, command: &mut Command) -> Result<String> {
    let step = step(what);
    let mut output = tempfile::tempfile().context("create a temporary file for the command's output")?;
    let status = command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?)
        .status()
        .with_context(|| format!("start {}", command.get_program().display()))?;
    let mut bytes = Vec::new();
    output.rewind()?;
    output.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    if status.success() {
        step.done();
        return Ok(text.into_owned());
    }
    drop(step);
    let lines: Vec<&str> = text.lines().collect();
    for line in &lines[lines.len().saturating_sub(TAIL_LINES)..] {
        eprintln!("      {line}");
    }
    let arguments: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    bail!(
        "`{} {}` ended with {status}",
        command.get_program().display(),
        arguments.join(" ")
    )
}
