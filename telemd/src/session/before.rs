//! What a session does about the time before it: the log of this boot, what earlier boots left, how the last one ended;
//! and what it leaves behind for the one after it.

use std::path::PathBuf;

use probe_user::kmsg::KmsgRecord;
use probe_user::past::{self, Past, Places};
use probe_user::pstore::{Dump, Unreadable};
use proto::v1::Record;
use proto::v1::record::Payload;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;
use uuid::Uuid;

use super::Session;
use super::leftover::Leftovers;
use crate::alive::{self, Alive, Pulse};
use crate::clock::Moment;
use crate::config;
use crate::earlier::Teller;
use crate::identity::Boots;
use crate::keeper::KeepError;
use crate::kept::{Kept, Mark, Told};
use crate::obituary::{judge, signs};
use crate::pipeline::Found;
use crate::privileged::Half;
use crate::record::Boot;
use crate::sources::Buffers;
use crate::text::chain;

/// What this boot's kernel prints about the last reset (`arch/x86/kernel/cpu/amd.c`, Linux 6.16 and later); the reason
/// follows behind a number in brackets.
const RESET_REASON: &[u8] = b"x86/amd: Previous system reset reason ";

/// How the kernel begins to print what BERT holds (`drivers/acpi/apei/bert.c`).
const BERT_TEXT: &str = "BERT: Error records from previous boot";

/// What is known of the time before, and what of it waits to be told.
#[derive(Debug)]
pub(super) struct Before {
    boots: Boots,
    /// What was known at the start.
    kept: Kept,
    /// What was kept of the part of the log that is read again, while reports of it may still come.
    told: Option<Told>,
    places: Places,
    reading: Option<JoinHandle<Result<Past, JoinError>>>,
    /// There is a BERT region, which is told from its bytes.
    has_bert: bool,
    /// The tool that pstore belongs to here.
    pstore_owner: Option<String>,
    reset_reason: String,
    pulse: Option<Pulse>,
    beat_at: Instant,
    place: Place,
    pub(super) leftovers: Leftovers,
}

/// How far the log is told.
#[derive(Debug, Default)]
struct Place {
    /// Something was told since the last round.
    told: bool,
    /// There is a reason to note the place.
    due: bool,
    /// How far the log was in the last round, when nothing was told since the one before.
    sampled: Option<u64>,
}

impl Before {
    /// Nothing is read yet. The second value is where the log is to be read from.
    pub(super) fn new(config: &config::Probes, boots: Boots, kept: Kept) -> (Self, Option<u64>) {
        let (from, told) = kept.of_log(&boots.current);
        let places = Places {
            root: config.earlier_root.clone(),
            pstore: config.pstore_dir.clone(),
        };
        let before = Self {
            boots,
            kept,
            told: Some(told),
            has_bert: past::has_bert(&places),
            places,
            reading: None,
            pstore_owner: None,
            reset_reason: String::new(),
            pulse: None,
            beat_at: Instant::now(),
            place: Place {
                due: true,
                ..Place::default()
            },
            leftovers: Leftovers::default(),
        };
        (before, from)
    }

    /// The tool that pstore belongs to on this host.
    pub(super) fn pstore_owner(&self) -> Option<&str> {
        self.pstore_owner.as_deref()
    }

    /// Begins to read what earlier boots left: the privileged half does it, or this process as far as it may.
    pub(super) fn begin(&mut self, config: &config::Probes, half: &Half) {
        let (places, previous, half) = (self.places.clone(), self.boots.previous.clone(), half.clone());
        self.reading = config.enabled.then(|| {
            tokio::spawn(async move {
                let id = previous.clone();
                match half.ask(move |client| client.past(&id)).await {
                    Ok(past) => Ok(past),
                    Err(_not_there) => {
                        tokio::task::spawn_blocking(move || past::read(&places, &previous)).await
                    }
                }
            })
        });
    }

    /// Whether [`Before::past`] has something to wait for.
    pub(super) fn is_reading(&self) -> bool {
        self.reading.is_some()
    }

    /// Waits until everything is read. Cancel-safe.
    pub(super) async fn past(&mut self) -> Past {
        let read = match &mut self.reading {
            Some(reading) => reading.await,
            None => return std::future::pending().await,
        };
        self.reading = None;
        read.flatten().unwrap_or_else(|error| {
            tracing::error!(%error, "what earlier boots left could not be read");
            Past::default()
        })
    }

    /// Whether a fault was kept before and only comes again from the log, or is told from better sources.
    pub(super) fn is_known(&mut self, found: &Found) -> bool {
        self.place.told = true;
        let told = self.told.as_mut().zip(found.mark.as_ref());
        told.is_some_and(|(told, mark)| told.take(mark)) || (self.has_bert && is_bert_text(&found.record))
    }
}

impl Session<'_> {
    /// Reads the log of this boot from where it was not told yet, then attaches the hooks, without a gap and without an
    /// overlap.
    pub(super) async fn catch_up(&mut self) {
        let config = &self.surroundings.config.probes;
        let mut records = Vec::new();
        let mut replayed = 0;
        while self.sources.read_log(&mut records) {
            replayed += records.len();
            self.replay(&mut records).await;
        }
        let mut buffers = Buffers::default();
        let attached_at = Moment::now();
        self.sources.attach(config, &mut buffers).await;
        replayed += buffers.log.len();
        self.replay(&mut buffers.log).await;
        let mut found = Vec::new();
        self.take(&mut buffers, &mut found).await;
        // What was printed since may be in the ring still.
        self.pipeline.tick(attached_at, &mut found);
        self.hand_over(found).await;
        tracing::info!(records = replayed, "the kernel's log of this boot was read");
    }

    async fn replay(&mut self, records: &mut Vec<KmsgRecord>) {
        let now = Moment::now();
        let mut found = Vec::new();
        for record in records.drain(..) {
            if let Some(reason) = record.text.strip_prefix(RESET_REASON) {
                self.before.reset_reason = String::from_utf8_lossy(reason).into_owned();
            }
            self.pipeline.replay(&record, now, &mut found);
        }
        self.hand_over(found).await;
    }

    /// Tells what earlier boots left and how the last one ended, and frees what of it is kept.
    pub(super) async fn tell_past(&mut self, past: &Past) {
        for Unreadable { path, reason } in &past.unreadable {
            tracing::warn!(path = %path.display(), reason, "something of an earlier boot is left there unread");
        }
        self.before.pstore_owner.clone_from(&past.pstore_owner);
        let state_dir = self.surroundings.state.path();
        let boots = self.before.boots.clone();
        let alive = Alive::read(state_dir).filter(|alive| alive.boot_id == boots.previous);
        let mut done = Vec::new();
        let mut teller = Teller {
            boots: &boots,
            previous_began_ns: alive.as_ref().map(|alive| alive.booted_at_unix_ns),
            kept: std::mem::take(&mut self.before.kept),
            recorder: &self.recorder,
            now: Moment::now(),
        };
        let kept = teller.keep(past, &mut done).await;
        self.before.kept = teller.kept;
        if let Err(error) = kept {
            tracing::error!(
                error = chain(&error),
                "what an earlier boot left could not be kept; it stays where it is"
            );
        }
        self.settle_leftovers(&past.dumps).await;
        self.clear(past, done).await;
        match self.tell_end(past, alive.as_ref()).await {
            Ok(()) => self.start_pulse(),
            Err(error) => tracing::error!(
                error = chain(&error),
                "how the boot before ended could not be kept; it is told after the next start"
            ),
        }
    }

    /// Tells machine checks of this boot's log that none of `dumps` tells.
    pub(super) async fn settle_leftovers(&mut self, dumps: &[Dump]) {
        let (untold, marks) = self.before.leftovers.settle(dumps);
        for mark in marks {
            // Where it is not noted, it is told after the next start.
            if let Err(error) = self.recorder.keeper().note(mark).await {
                tracing::debug!(error = chain(&error), "a machine check is not noted as told");
            }
        }
        self.hand_over(untold).await;
    }

    async fn clear(&self, past: &Past, done: Vec<PathBuf>) {
        if done.is_empty() {
            return;
        }
        if let Some(owner) = &past.pstore_owner {
            tracing::info!(
                owner,
                "pstore is another tool's here: its dumps are told and left to it"
            );
        } else if let Err(error) = self.remove(done).await {
            tracing::warn!(error, "a pstore dump is kept but cannot be removed from pstore");
        }
    }

    /// Removes files of pstore: the privileged half does it, or this process if it may.
    async fn remove(&self, files: Vec<PathBuf>) -> Result<(), String> {
        let half = self.surroundings.half;
        if half.is_up() {
            half.ask(|client| client.clear_past(files)).await
        } else {
            past::clear(&self.before.places, &files).map_err(|error| chain(&error))
        }
    }

    /// Tells once in a boot how the one before ended, when there was one.
    async fn tell_end(&self, past: &Past, alive: Option<&Alive>) -> Result<(), KeepError> {
        let Before { boots, kept, .. } = &self.before;
        if kept.has_end(&boots.current) {
            return Ok(());
        }
        let now = Moment::now();
        let booted_at_unix_ns = now.unix_ns.saturating_sub(now.since_boot_ns);
        let known = signs::Known {
            alive,
            booted_at_unix_ns,
            reset_reason: &self.before.reset_reason,
        };
        let signs = signs::of(past, known);
        if signs.is_empty() && boots.previous.is_empty() {
            return Ok(());
        }
        let last_alive = signs
            .iter()
            .map(|sign| sign.at_unix_ns.min(booted_at_unix_ns))
            .max();
        let boot = Boot {
            id: previous_boot(boots, past),
            kernel_release: alive
                .map(|alive| alive.kernel_release.clone())
                .unwrap_or_default(),
        };
        let began = alive.map_or(0, |alive| alive.booted_at_unix_ns);
        let verdict = judge(signs, past.keeps_dumps);
        tracing::info!(end = ?verdict.end, confidence = ?verdict.confidence, "how the boot before ended");
        let record = verdict.record(&boot, began, last_alive.unwrap_or(0));
        if !self.recorder.allows(&record) {
            return Ok(());
        }
        let mark = Mark::End {
            boot_id: boots.current.clone(),
        };
        self.recorder.keep_always(record, vec![mark]).await.map(drop)
    }

    fn start_pulse(&mut self) {
        let boot = self.recorder.boot();
        let state_dir = self.surroundings.state.path();
        match Pulse::start(state_dir, &boot.id, &boot.kernel_release, Moment::now()) {
            Ok(pulse) => self.before.pulse = Some(pulse),
            Err(error) => tracing::warn!(%error, "signs of life cannot be written"),
        }
    }

    /// Notes how far this session is: its sign of life, and the place in the log.
    pub(super) async fn leave_traces(&mut self, now: Moment) {
        let is_quiet = !self.pipeline.is_busy();
        let before = &mut self.before;
        if Instant::now() >= before.beat_at
            && let Some(pulse) = &mut before.pulse
        {
            before.beat_at = Instant::now() + alive::EVERY;
            if let Err(error) = pulse.beat(now) {
                tracing::warn!(%error, "a sign of life cannot be written");
                before.pulse = None;
            }
        }
        if is_quiet {
            before.told = None;
        }
        let told = std::mem::take(&mut before.place.told);
        before.place.due |= told;
        // What the log held a round ago has come through the hook by now; nothing came of it that is still to be kept.
        match before.place.sampled.take() {
            Some(next) if is_quiet && !told => {
                before.place.due = false;
                self.note_place(next).await;
            }
            _ if is_quiet && !told && before.place.due => before.place.sampled = self.sources.place(),
            _ => {}
        }
    }

    /// The place in the log is noted when things are quiet again.
    pub(super) fn want_place(&mut self) {
        self.before.place.due = true;
    }

    /// Notes that everything before the record `next` of the log is told.
    pub(super) async fn note_place(&self, next: u64) {
        let mark = Mark::Log {
            boot_id: self.before.boots.current.clone(),
            next,
        };
        // Where it is not noted, more is read again than is needed.
        if let Err(error) = self.recorder.keeper().note(mark).await {
            tracing::debug!(error = chain(&error), "the place in the log is not noted");
        }
    }

    /// Notes that the session ends in order.
    pub(super) fn stop_pulse(&mut self) {
        if let Some(pulse) = self.before.pulse.take()
            && let Err(error) = pulse.stop(Moment::now())
        {
            tracing::warn!(%error, "that the agent was stopped in order could not be noted");
        }
    }

    /// How far the log is now; [`Session::has_told`] says whether something was told since.
    pub(super) fn sample_place(&mut self) -> Option<u64> {
        self.before.place.told = false;
        self.sources.place()
    }

    /// Whether something was told since the last round, or since the place was sampled.
    pub(super) fn has_told(&self) -> bool {
        self.before.place.told
    }
}

fn is_bert_text(record: &Record) -> bool {
    matches!(&record.payload, Some(Payload::KernelReport(report)) if report.text.starts_with(BERT_TEXT))
}

/// The id of the boot before: as the agent knows it, else as the journal does; empty when neither does.
fn previous_boot(boots: &Boots, past: &Past) -> String {
    if !boots.previous.is_empty() {
        return boots.previous.clone();
    }
    let id = past
        .journal
        .last()
        .and_then(|entry| Uuid::parse_str(&entry.boot_id).ok());
    id.map(|id| id.to_string()).unwrap_or_default()
}
