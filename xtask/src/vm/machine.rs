//! A virtual machine as a process with a console log, that answers words with lines and takes commands of QEMU's.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use crate::{progress, service::tail};

#[cfg(test)]
mod tests;

/// A console that has said nothing for so long belongs to a guest that hangs.
const SILENCE: Duration = Duration::from_mins(1);
/// A boot whose console has said nothing for so long stands still: once in some hundred boots a kernel in software emulation
/// never gets to its first program, its processors busy with interrupts (seen with QEMU 7.2 and Linux 5.10 and 6.1).
const STANDSTILL: Duration = Duration::from_mins(2);
/// How often a boot is begun again.
const RESETS: u32 = 2;
/// How often a console is looked at.
const LOOK: Duration = Duration::from_secs(5);
/// A guest says that it has heard a word before it does what it is told, within milliseconds. After so long without that it is
/// told again: once in some thousand words a guest does not notice that its serial line has something for it (seen with
/// QEMU 7.2 and Linux 6.12), and what comes next wakes it.
const UNHEARD: Duration = Duration::from_secs(20);
/// QEMU answers at once, but this host may be busy.
const MONITOR_PATIENCE: Duration = Duration::from_secs(30);
/// Ends each of its answers.
const MONITOR_PROMPT: &[u8] = b"(qemu) ";

/// What a machine answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// What it was waited for.
    Told,
    /// That its kernel cannot do it, and why.
    Cannot(String),
}

/// The process.
#[derive(Debug)]
pub(super) struct Machine {
    process: Child,
    words: ChildStdin,
    answers: Receiver<String>,
    console: PathBuf,
    monitor: PathBuf,
    resets: u32,
    /// How many words it was told.
    told: u32,
    /// The last one, until it has been heard.
    unheard: Option<Word>,
    /// [`UNHEARD`].
    repeat_after: Duration,
}

/// A word with its number, by which a guest knows one that it was told before.
#[derive(Debug)]
struct Word {
    number: u32,
    text: String,
    /// When it was last told.
    told_at: Instant,
}

impl Word {
    /// How it is told: what of an earlier try is still in the line ends with it.
    fn line(&self) -> String {
        format!("\n{} {}\n", self.number, self.text)
    }
}

impl Machine {
    /// Starts it. Its console log is `console`, the socket of its monitor `monitor`.
    pub(super) fn start(command: &mut Command, console: &Path, monitor: &Path) -> Result<Self> {
        let log = console.with_extension("qemu.log");
        let errors = File::create(&log).with_context(|| format!("create {}", log.display()))?;
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .with_context(|| format!("start {}", command.get_program().display()))?;
        let words = process.stdin.take().context("its input is piped")?;
        let output = process.stdout.take().context("its output is piped")?;
        let (sender, answers) = channel();
        // Ends with the process, or with the receiver.
        thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n') {
                let Ok(line) = line else { break };
                let line = String::from_utf8_lossy(&line).trim().to_owned();
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            process,
            words,
            answers,
            console: console.to_owned(),
            monitor: monitor.to_owned(),
            resets: 0,
            told: 0,
            unheard: None,
            repeat_after: UNHEARD,
        })
    }

    /// The log of its console.
    pub(super) fn console(&self) -> &Path {
        &self.console
    }

    /// How often a boot was begun again.
    pub(super) const fn resets(&self) -> u32 {
        self.resets
    }

    /// Tells it a word, which is told again while [`Machine::wait_for`] waits until it says `heard` and the word's number.
    #[expect(clippy::disallowed_methods, reason = "the guest's time is wall time")]
    pub(super) fn tell(&mut self, word: &str) -> Result<()> {
        self.told += 1;
        let word = Word {
            number: self.told,
            text: word.to_owned(),
            told_at: Instant::now(),
        };
        self.write(&word.line())?;
        self.unheard = Some(word);
        Ok(())
    }

    fn write(&mut self, line: &str) -> Result<()> {
        let told = self.words.write_all(line.as_bytes());
        told.and_then(|()| self.words.flush())
            .map_err(|error| self.failure(&format!("the guest does not listen ({error})")))
    }

    /// Tells a word again that has not been heard for long; answers when to come back for the next time.
    #[expect(clippy::disallowed_methods, reason = "the guest's time is wall time")]
    fn repeat(&mut self) -> Result<Option<Instant>> {
        let now = Instant::now();
        let Some(word) = &mut self.unheard else {
            return Ok(None);
        };
        let mut line = None;
        if now >= word.told_at + self.repeat_after {
            word.told_at = now;
            line = Some(word.line());
        }
        let next = word.told_at + self.repeat_after;
        if let Some(line) = line {
            progress::say(format!(
                "{}: the guest has not heard {:?}: it is told again",
                self.console.display(),
                line.trim()
            ));
            self.write(&line)?;
        }
        Ok(Some(next))
    }

    /// Whether a line says that the last word was heard.
    fn is_heard(&self, line: &str) -> bool {
        self.unheard
            .as_ref()
            .is_some_and(|word| line == format!("heard {}", word.number))
    }

    /// Waits for a line that starts with `word` and, unless that is empty, `name`; or says that `name` cannot be done.
    pub(super) fn wait_for(&mut self, word: &str, name: &str, patience: Duration) -> Result<Answer> {
        if let Some(answer) = self.answer(word, name, patience)? {
            return Ok(answer);
        }
        let silent = silence(&self.console);
        let state = if silent >= SILENCE.min(patience / 2) {
            format!("the guest hangs: no \"{word}\" within {patience:?} and a console silent for {silent:?}")
        } else {
            format!("time-out: the guest is busy, but no \"{word}\" within {patience:?}")
        };
        Err(self.failure(&state))
    }

    /// Waits for the line `ready` of a guest that boots. A boot that stands still is begun again, [`RESETS`] times at most.
    #[expect(clippy::disallowed_methods, reason = "the guest's time is wall time")]
    pub(super) fn wait_for_boot(&mut self, patience: Duration) -> Result<()> {
        let started = Instant::now();
        let (mut resets, mut reset_at) = (0, started);
        while started.elapsed() < patience && resets < RESETS {
            if self.answer("ready", "", LOOK)?.is_some() {
                return Ok(());
            }
            if silence(&self.console).min(reset_at.elapsed()) >= STANDSTILL {
                let step = progress::step(format!("{}: a boot stands still: reset", self.console.display()));
                self.monitor("system_reset")?;
                step.done();
                (resets, reset_at) = (resets + 1, Instant::now());
                self.resets += 1;
            }
        }
        let left = patience.saturating_sub(started.elapsed());
        self.wait_for("ready", "", left).map(|_ready| ())
    }

    /// Waits for such a line; `None` when it does not come in time.
    #[expect(clippy::disallowed_methods, reason = "the guest's time is wall time")]
    fn answer(&mut self, word: &str, name: &str, patience: Duration) -> Result<Option<Answer>> {
        let deadline = Instant::now() + patience;
        loop {
            let until = self.repeat()?.map_or(deadline, |again| again.min(deadline));
            let left = until.saturating_duration_since(Instant::now());
            match self.answers.recv_timeout(left) {
                Ok(line) if self.is_heard(&line) => self.unheard = None,
                Ok(line) if is_about(&line, word, name).is_some() => return Ok(Some(Answer::Told)),
                Ok(line) if is_about(&line, "cannot", name).is_some() => {
                    let reason = is_about(&line, "cannot", name).unwrap_or_default();
                    return Ok(Some(Answer::Cannot(reason.to_owned())));
                }
                Ok(line) if line.starts_with("failed ") => {
                    return Err(self.failure(&format!("the guest {line}")));
                }
                // The firmware's and the line's own noise.
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let end = self.process.wait().context("wait for QEMU")?;
                    let said = tail(&self.console.with_extension("qemu.log"));
                    return Err(self.failure(&format!(
                        "the guest is dead: its machine ended with {end}. {said}"
                    )));
                }
                Err(RecvTimeoutError::Timeout) if until < deadline => {}
                Err(RecvTimeoutError::Timeout) => return Ok(None),
            }
        }
    }

    /// Gives QEMU's monitor a command.
    pub(super) fn monitor(&self, command: &str) -> Result<()> {
        let what = || format!("QEMU's monitor, for {command:?}");
        let mut socket = UnixStream::connect(&self.monitor).with_context(what)?;
        socket
            .set_read_timeout(Some(MONITOR_PATIENCE))
            .with_context(what)?;
        read_to_prompt(&mut socket).with_context(what)?;
        socket
            .write_all(format!("{command}\n").as_bytes())
            .with_context(what)?;
        read_to_prompt(&mut socket).with_context(what)
    }

    fn failure(&self, what: &str) -> anyhow::Error {
        anyhow::anyhow!(
            "{what}\nThe end of its console ({}):\n{}",
            self.console.display(),
            tail(&self.console)
        )
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Both fail only when it has ended and been waited for.
        let _killed = self.process.kill();
        let _waited = self.process.wait();
    }
}

/// What follows `word` and, unless that is empty, `name`, when a line starts with them.
fn is_about<'line>(line: &'line str, word: &str, name: &str) -> Option<&'line str> {
    let mut rest = line;
    for part in [word, name] {
        if !part.is_empty() {
            rest = rest.strip_prefix(part)?;
            if !rest.is_empty() {
                rest = rest.strip_prefix(' ')?;
            }
        }
    }
    Some(rest)
}

fn read_to_prompt(socket: &mut UnixStream) -> Result<()> {
    let mut said = Vec::new();
    let mut piece = [0; 512];
    while !said.ends_with(MONITOR_PROMPT) {
        let length = socket.read(&mut piece)?;
        anyhow::ensure!(length > 0, "it ended after {:?}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&piece[..length]);
    }
    Ok(())
}

/// How long ago a file was last written to.
fn silence(file: &Path) -> Duration {
    let written = fs::metadata(file).and_then(|data| data.modified());
    let age = written
        .ok()
        .and_then(|time| time.elapsed().ok())
        .unwrap_or_default();
    Duration::from_secs(age.as_secs())
}
