//! What the agent does while the host takes part: from the hooks to the spool, and from there to the collector.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use probe_user::Event;
use spool::{Damage, Spool};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::agent::AgentError;
use crate::clock::Moment;
use crate::config::Config;
use crate::control::{Answer, Asked, Question};
use crate::crashes::pattern::CORE_PATTERN;
use crate::durable;
use crate::host;
use crate::keeper::{self, KeepError};
use crate::kept::Kept;
use crate::memory;
use crate::pipeline::{Found, Pipeline, TICK_MS};
use crate::policy::Policy;
use crate::privacy;
use crate::privileged::Client;
use crate::process::{self, Executable};
use crate::record::Boot;
use crate::recorder::Recorder;
use crate::sources::{Buffers, Sources};
use crate::status::HookStatus;
use crate::storm::{Limits, Storm};
use crate::text::chain;
use crate::worth;

mod before;
mod ending;
mod facts;
mod health;
mod leftover;
mod questions;
mod rotation;
mod shipping;
mod surroundings;

use before::Before;
pub(crate) use questions::answer;
pub(crate) use rotation::OLD_SPOOL;
use shipping::Shipping;
pub(crate) use surroundings::Surroundings;

/// How often the books are looked at, storm windows closed and consent checked.
const ROUND: Duration = Duration::from_secs(1);
/// How long a slow disk may hold up the stop.
const GRACE: Duration = Duration::from_millis(500);
/// How long the privileged half may take to say what a process runs that is about to be gone.
const LOOK: Duration = Duration::from_millis(250);

/// Why a session ended.
pub(crate) enum End {
    /// The agent stops.
    Stopped,
    /// The agent is to have another id: [`Session::rotate`], then the session goes on.
    Rotate,
    /// Consent was withdrawn. Whoever asked is answered once everything is forgotten.
    Withdrawn(Option<oneshot::Sender<Answer>>),
    /// The spool's thread ended by itself: nothing can be kept any more.
    Broken,
}

/// A session at work.
pub(crate) struct Session<'a> {
    surroundings: &'a Surroundings<'a>,
    agent_id: Uuid,
    hostname: String,
    recorder: Arc<Recorder>,
    /// The keeper's; `None` only while another takes its place.
    thread: Option<JoinHandle<()>>,
    sources: Sources,
    pipeline: Pipeline,
    before: Before,
    shipping: Shipping,
    heartbeat_at: Instant,
    tidier: memory::Tidier,
    /// When another id may be had at the earliest.
    rotate_at: Instant,
}

impl<'a> Session<'a> {
    /// Opens the spool, begins to ship and to read what earlier boots left, takes in the log of this one and attaches the
    /// hooks. Records of programs are taken in, through `publish`, as soon as the spool is open: attaching takes seconds on a
    /// slow machine.
    pub(crate) async fn start(
        surroundings: &'a Surroundings<'a>,
        publish: &watch::Sender<Option<Arc<Recorder>>>,
    ) -> Result<Self, AgentError> {
        let Surroundings { config, state, .. } = *surroundings;
        let agent_id = state.agent_id()?;
        let host = host::facts(Path::new("/"), config.hostname.as_deref());
        let boots = state.enter_boot(&host.boot_id)?;
        durable::remove(&state.path().join(OLD_SPOOL)).map_err(AgentError::Forget)?;
        let spool = open_spool(config, Uuid::new_v4())?;
        let kept_path = state.path().join("kept.json");
        let epoch = Uuid::from_bytes(spool.epoch());
        let kept = Kept::load(&kept_path, epoch, spool.durable_seq()).map_err(AgentError::Marks)?;
        let (before, log_from) = Before::new(&config.probes, boots, kept.clone());
        let (keeper, thread) = keeper::start(spool, kept, kept_path).map_err(AgentError::Thread)?;
        let boot = Boot {
            id: host.boot_id.clone(),
            kernel_release: host.kernel_release.clone(),
        };
        let now = surroundings.settings.now();
        let storm = Storm::new(now.storm.first, now.storm.window_s * 1_000)
            .with_limits(Limits::new(config.probes.user.alone()));
        let hostname = host::name(config.hostname.as_deref());
        let scrubber = privacy::scrubber(&now.privacy, &hostname, state)?;
        let recorder = Arc::new(Recorder::new(boot.clone(), keeper, storm, scrubber));
        recorder.set_policy(Policy::new(&now.consent, &now.rate));
        publish.send_replace(Some(Arc::clone(&recorder)));
        let host = facts::told(host, surroundings, agent_id, &recorder.scrubber()).await;
        let mut session = Self {
            surroundings,
            agent_id,
            hostname,
            shipping: Shipping::start(config, agent_id, host, &recorder),
            recorder,
            thread: Some(thread),
            sources: Sources::open(&config.probes, surroundings.half, log_from).await,
            pipeline: Pipeline::new(boot, "/proc".into(), "/sys".into())
                .with_probes(config.probes.user.alone()),
            before,
            heartbeat_at: Instant::now() + ROUND,
            tidier: memory::Tidier::new(Instant::now()),
            rotate_at: Instant::now(),
        };
        if let Ok(symbols) = surroundings.half.ask(Client::kernel_symbols).await {
            session.pipeline.read_symbols(symbols);
        }
        session.catch_up().await;
        session.before.begin(&config.probes, surroundings.half);
        announce(&session.sources.states());
        memory::give_back();
        Ok(session)
    }

    /// Who takes records of the local socket in.
    pub(crate) fn recorder(&self) -> Arc<Recorder> {
        Arc::clone(&self.recorder)
    }

    /// Works until `stop`, or until consent is withdrawn.
    pub(crate) async fn run(
        &mut self,
        questions: &mut mpsc::Receiver<Asked>,
        stop: &CancellationToken,
    ) -> End {
        let overdue = async {
            stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            end = self.work(questions, stop) => end,
            () = overdue => {
                tracing::error!("the spool's disk is stuck: what is being kept is given up");
                End::Stopped
            }
        }
    }

    async fn work(&mut self, questions: &mut mpsc::Receiver<Asked>, stop: &CancellationToken) -> End {
        let mut buffers = Buffers::default();
        let mut round = tokio::time::interval(ROUND);
        round.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let tick = Duration::from_millis(TICK_MS);
        let mut tick_at = Instant::now() + tick;
        loop {
            let busy = self.pipeline.is_busy();
            let mut found = Vec::new();
            // In this order, and until the moment before the sources were asked: a wait for more text ends only when no
            // text is there. Naming a stack takes seconds on a slow machine, and what was printed meanwhile is not late.
            let asked_at = Moment::now();
            tokio::select! {
                biased;
                () = stop.cancelled() => return End::Stopped,
                Some((question, reply)) = questions.recv() => {
                    if question == Question::Consent && !self.surroundings.consent.given() {
                        return End::Withdrawn(Some(reply));
                    }
                    self.answer(question, reply).await;
                }
                _ = round.tick() => {
                    if !self.surroundings.consent.given() {
                        return End::Withdrawn(None);
                    }
                    if self.recorder.keeper().has_ended() {
                        return End::Broken;
                    }
                    self.round(&mut buffers, &mut found).await;
                    if self.is_rotation_due() {
                        self.hand_over(found).await;
                        return End::Rotate;
                    }
                }
                () = self.sources.next(&mut buffers, &self.recorder) => {
                    let last = self.take(&mut buffers, &mut found).await;
                    // A source that holds more than a batch is behind: what is in it is as old as what was taken.
                    let taken_until = last.map_or(asked_at, |last_ns| asked_at.at_boot_ns(last_ns));
                    if Instant::now() >= tick_at {
                        tick_at = Instant::now() + tick;
                        self.pipeline.tick(taken_until, &mut found);
                    }
                }
                past = self.before.past(), if self.before.is_reading() => self.tell_past(&past).await,
                () = tokio::time::sleep_until(tick_at), if busy => {
                    tick_at = Instant::now() + tick;
                    self.pipeline.tick(asked_at, &mut found);
                }
            }
            if self.pipeline.is_cut_short() && self.is_answered_soon() {
                self.sources.refresh().await;
                self.pipeline
                    .has_lost(self.sources.lost_texts(), Moment::now(), &mut found);
            }
            self.hand_over(found).await;
        }
    }

    /// Takes what came. Answers when the last of it happened, nanoseconds since boot: of the source that is behind.
    async fn take(&mut self, buffers: &mut Buffers, found: &mut Vec<Found>) -> Option<u64> {
        let now = Moment::now();
        let mut last_text_ns = None;
        for record in buffers.log.drain(..) {
            last_text_ns = Some(self.pipeline.kmsg(&record, now, found));
        }
        let last_event = buffers.events.last().and_then(Event::context);
        let last_event_ns = last_event.map(|context| context.since_boot_ns);
        for event in buffers.events.drain(..) {
            let running = self.running(&event).await;
            self.pipeline.event_of(event, running, now, found);
        }
        last_text_ns.into_iter().chain(last_event_ns).min()
    }

    /// What the task of an event runs, where that is told. It is about to be gone, so there is no long wait for it.
    async fn running(&self, event: &Event) -> Executable {
        let Event::FatalSignal { context, .. } = event else {
            return Executable::default();
        };
        let pid = context.tgid;
        let asked = self.surroundings.half.ask(move |client| client.executable(pid));
        match tokio::time::timeout(LOOK, asked).await {
            Ok(Ok(running)) => running,
            Ok(Err(_)) | Err(_) => process::executable(Path::new("/proc"), pid),
        }
    }

    async fn hand_over(&mut self, found: Vec<Found>) {
        let now = Moment::now();
        for found in found {
            if self.before.is_known(&found) {
                continue;
            }
            let Some(found) = self.before.leftovers.hold(found) else {
                continue;
            };
            let crashes = self.recorder.crashes();
            if let Some(found) = crashes.hook(found, Path::new(CORE_PATTERN), now.since_boot_ns) {
                self.record(found, now).await;
            }
        }
    }

    /// Tells crashes whose core dump did not come until `until_ns`.
    async fn tell_crashes(&mut self, until_ns: u64) {
        while let Some(found) = self.recorder.crashes().late(until_ns) {
            self.record(found, Moment::now()).await;
        }
    }

    async fn record(&self, found: Found, now: Moment) {
        if let Err(error) = self
            .recorder
            .hand_over(found, self.sources.hindsight(), now)
            .await
        {
            tracing::error!(error = chain(&error), "a fault could not be kept");
        }
    }

    async fn round(&mut self, buffers: &mut Buffers, found: &mut Vec<Found>) {
        let now = Moment::now();
        if self.is_answered_soon() {
            self.sources.round(&self.recorder, buffers).await;
        }
        if !self.pipeline.is_busy() {
            self.pipeline.has_lost(self.sources.lost_texts(), now, found);
        }
        self.take(buffers, found).await;
        self.tell_crashes(now.since_boot_ns).await;
        self.recorder.close_windows(now, false);
        self.tell_losses(now).await;
        self.leave_traces(now).await;
        if Instant::now() >= self.heartbeat_at && self.is_answered_soon() {
            self.want_place();
            let every = self.surroundings.settings.now().heartbeat.interval_s;
            self.heartbeat_at = Instant::now() + jittered(every, fastrand::f64());
            self.heartbeat(now).await;
        }
        if !self.pipeline.is_busy() {
            self.tidier.pass(Instant::now());
        }
    }

    /// Whether the privileged half has nothing to do that takes long. It answers one question after the other, and reads what
    /// earlier boots left for seconds where the journal is large: whoever waited behind that would read neither ring nor log.
    fn is_answered_soon(&self) -> bool {
        !self.before.is_reading()
    }

    pub(super) async fn tell_losses(&self, now: Moment) {
        match self.recorder.tell_losses(now).await {
            // The keeper has said that the disk refuses; the counts stay in the books.
            Ok(()) | Err(KeepError::Refused | KeepError::NotDurable) => {}
            Err(error) => tracing::error!(
                error = chain(&error),
                "the count of what was lost could not be kept"
            ),
        }
    }

    async fn heartbeat(&mut self, now: Moment) {
        let stats = self.recorder.keeper().stats().borrow().clone();
        if stats.failing.is_some() {
            return;
        }
        self.sources.refresh().await;
        let states = self.sources.states();
        let health = self.health(&stats);
        let record = self.recorder.boot().heartbeat(health, &states, now);
        if !self.recorder.allows(&record) {
            return;
        }
        match self.recorder.keep_always(record, Vec::new()).await {
            Ok(_) | Err(KeepError::NotDurable) => {}
            Err(error) => tracing::warn!(error = chain(&error), "a heartbeat could not be kept"),
        }
    }
}

/// `seconds`, a tenth more or less by `luck` from 0 to 1: hosts that were started together do not stay so.
fn jittered(seconds: u64, luck: f64) -> Duration {
    Duration::from_secs(seconds).mul_f64(0.9 + 0.2 * luck)
}

fn open_spool(config: &Config, new_epoch: Uuid) -> Result<Spool, AgentError> {
    let options = spool::Options {
        segment_bytes: config.spool.segment_bytes,
        max_bytes: config.spool.max_bytes,
        max_age: Duration::from_secs(config.spool.max_age_s),
        judge: worth::judge,
    };
    let opened = Spool::open(&config.spool_dir(), options, new_epoch.into_bytes())?;
    for damage in opened.damage {
        match damage {
            Damage::TornTail {
                segment,
                offset,
                bytes,
            } => tracing::warn!(
                segment = %segment.display(), offset, bytes,
                "a write was cut off by a crash; nobody was told that it was kept"
            ),
            damage => tracing::error!(
                ?damage,
                "the spool is damaged; what is lost is told to the collector"
            ),
        }
    }
    Ok(opened.spool)
}

fn announce(states: &[HookStatus]) {
    for state in states {
        if state.attach.is_empty() {
            tracing::warn!(hook = state.name, reason = state.reason, "not watched");
        } else {
            tracing::info!(
                hook = state.name,
                attach = state.attach,
                reason = state.reason,
                "watched"
            );
        }
    }
}
