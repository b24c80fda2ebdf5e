//! Where faults of this boot come from: the eBPF hooks, and the kernel log where they do not see it.
//!
//! The privileged half attaches the hooks and opens the log; here they are read.

use std::collections::HashMap;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use probe_user::hindsight::Hindsight;
use probe_user::kmsg::{KernelLog, KmsgRecord, Position};
use probe_user::user_probe::UserProbe;
use probe_user::{Event, HookState, Reader, hook};
use tokio::time::Instant;

use crate::clock::Moment;
use crate::config;
use crate::pipeline::KMSG;
use crate::privileged::{Attached, Client, Half};
use crate::recorder::Recorder;
use crate::replay;
use crate::status::HookStatus;
use crate::text::chain;

mod books;

/// How the hooks are called together.
const EBPF: &str = "ebpf";
/// How often the hooks' counters are entered into the books: often enough that a crash of the agent forgets little, and
/// too seldom to be seen in an idle agent's time.
const ACCOUNT_EVERY: Duration = Duration::from_secs(5);
/// How long the ring is listened to for what the hooks have brought while they were attached.
const SEAM: Duration = Duration::from_millis(20);
/// Batches of events that are taken there: more than the ring holds.
const SEAM_BATCHES: usize = 64;

/// Why nothing is watched when somebody wants it so.
const DISABLED: &str = "probes.enabled is false in the configuration";

/// The hooks and the kernel log, each with the reason why it is not there.
#[derive(Debug)]
pub(crate) struct Sources {
    half: Half,
    /// How often the privileged half had been started again when the hooks were attached.
    restarts: u32,
    /// It outlives a privileged half that ended, because what that has sent is still in the ring.
    reader: Result<Reader, String>,
    /// As they were when they were last asked for.
    hooks: Result<Vec<HookState>, String>,
    /// Whether hindsight is wanted.
    looks_back: bool,
    /// What came before faults, where that is wanted and this kernel tells it.
    hindsight: Option<Hindsight>,
    /// What hooks had not sent when a privileged half ended: the next one counts from 0.
    unsent_before: HashMap<Arc<str>, Unsent>,
    account_at: Instant,
    log: Result<KernelLog, String>,
    /// Records of the log that were read.
    log_records: u64,
    /// The log where the hook sees the text: only to know how far it is.
    place: Option<KernelLog>,
    /// What the log had lost when the hook took over.
    overrun: u64,
    /// What it lost while the hook saw the text.
    passed: u64,
    /// The host's own probes.
    probes: Vec<UserProbe>,
    /// Those that are wrong.
    unfit: Vec<HookStatus>,
}

/// Events of a hook that did not come.
#[derive(Debug, Clone, Copy, Default)]
struct Unsent {
    lost: u64,
    limited: u64,
}

/// Room for what came, used again and again.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    pub(crate) events: Vec<Event>,
    pub(crate) log: Vec<KmsgRecord>,
}

impl Sources {
    /// Opens the kernel's log at the record `from`, at its beginning without one. Nothing is attached yet.
    pub(crate) async fn open(config: &config::Probes, half: &Half, from: Option<u64>) -> Self {
        let log = if config.enabled {
            let position = from.map_or(Position::Oldest, Position::Sequence);
            kernel_log(config, half, position).await
        } else {
            Err(DISABLED.to_owned())
        };
        let reason = if config.enabled {
            "not attached yet"
        } else {
            DISABLED
        };
        Self {
            half: half.clone(),
            restarts: half.restarts(),
            reader: Err(reason.to_owned()),
            hooks: Err(reason.to_owned()),
            looks_back: config.hindsight.enabled,
            hindsight: None,
            unsent_before: HashMap::new(),
            account_at: Instant::now() + ACCOUNT_EVERY,
            log,
            log_records: 0,
            place: None,
            overrun: 0,
            passed: 0,
            probes: config.user.alone().cloned().collect(),
            unfit: unfit(config),
        }
    }

    /// Appends what the log holds, at most a bounded batch; false at its end.
    pub(crate) fn read_log(&mut self, records: &mut Vec<KmsgRecord>) -> bool {
        let Ok(log) = &mut self.log else { return false };
        match log.read_available(records) {
            Ok(more) => more,
            Err(error) => {
                self.log = Err(chain(&error));
                false
            }
        }
    }

    /// Attaches what this kernel allows. What it does not allow is told in [`Sources::states`]. Where the console hook sees
    /// the text the log ends here: `buffers` has the records that the hook did not bring, and the events that came
    /// meanwhile.
    pub(crate) async fn attach(&mut self, config: &config::Probes, buffers: &mut Buffers) {
        if config.enabled {
            self.attach_all(buffers).await;
        }
    }

    async fn attach_all(&mut self, buffers: &mut Buffers) {
        self.restarts = self.half.restarts();
        self.reader = self.half.ask(Client::attach).await.and_then(|attached| {
            let Attached {
                ring,
                ring_bytes,
                origins,
            } = attached;
            Reader::new(ring, ring_bytes, origins, &self.probes).map_err(|error| chain(&error))
        });
        self.hooks = match &self.reader {
            Ok(_) => self.half.ask(Client::hooks).await,
            Err(reason) => Err(reason.clone()),
        };
        self.look_back().await;
        let sees_text = |state: &HookState| &*state.hook == hook::PRINTK_CONSOLE && state.attach.is_some();
        if self.hooks.iter().flatten().any(sees_text) {
            self.join(buffers).await;
        }
    }

    /// Looks for what modules have brought, enters what was lost into the books now and then, and has the hooks attached
    /// again by a new privileged half: `buffers` is as in [`Sources::attach`] then.
    pub(crate) async fn round(&mut self, recorder: &Recorder, buffers: &mut Buffers) {
        if self.half.is_up() && self.half.restarts() != self.restarts {
            self.take_leave("the privileged half was started again".to_owned());
            self.attach_all(buffers).await;
        }
        self.attach_missing().await;
        let now = Instant::now();
        if now >= self.account_at {
            self.account_at = now + ACCOUNT_EVERY;
            self.account(recorder).await;
        }
    }

    /// Notes what hooks had lost that are not watched any more, and why. The kernel's log goes on where its hook did.
    fn take_leave(&mut self, reason: String) {
        let Ok(known) = &self.hooks else { return };
        for state in known {
            let before = self.unsent_before.entry(Arc::clone(&state.hook)).or_default();
            before.lost += state.lost;
            before.limited += state.limited;
        }
        self.hooks = Err(reason);
        // What is in the log by now the hook has seen, but for what was printed since it ended, a round ago at most.
        if self.place().is_some()
            && let Some(log) = self.place.take()
        {
            self.passed = lost(&log).saturating_sub(self.overrun);
            self.log = Ok(log);
        }
    }

    /// Ends the log where the hook begins, see [`replay`].
    async fn join(&mut self, buffers: &mut Buffers) {
        while self.read_log(&mut buffers.log) {}
        let until_ns = Moment::now().since_boot_ns;
        let not_needed = Err("the console hook sees the kernel's text".to_owned());
        self.place = std::mem::replace(&mut self.log, not_needed).ok();
        self.overrun = self
            .place
            .as_ref()
            .map_or(0, |log| lost(log).saturating_sub(self.passed));
        let Ok(reader) = &mut self.reader else { return };
        for _ in 0..SEAM_BATCHES {
            let next = tokio::time::timeout(SEAM, reader.next(&mut buffers.events));
            // A failure is told by the next reading.
            if !matches!(next.await, Ok(Ok(()))) || is_behind(buffers.events.last(), until_ns) {
                break;
            }
        }
        buffers.log = replay::unseen(std::mem::take(&mut buffers.log), &buffers.events, until_ns);
    }

    /// The sequence of the first record of the log that was not printed yet, or not read where the log is what is watched.
    pub(crate) fn place(&mut self) -> Option<u64> {
        let Some(log) = &mut self.place else {
            return self.log.as_ref().ok()?.next_sequence();
        };
        let mut passed = Vec::new();
        while log.read_available(&mut passed).ok()? {
            passed.clear();
        }
        log.next_sequence()
    }

    /// Waits until something comes, then takes a batch of each source: what is left in one is younger than what was taken
    /// of it, or than this call. A source that fails is closed, and told as such; what it lost is in the books then.
    /// Cancel-safe.
    pub(crate) async fn next(&mut self, buffers: &mut Buffers, recorder: &Recorder) {
        let Self { reader, log, .. } = self;
        let read = tokio::select! {
            read = async { match reader {
                Ok(reader) => reader.next(&mut buffers.events).await.map_err(|error| (EBPF, chain(&error))),
                Err(_) => std::future::pending().await,
            }} => read.and_then(|()| more_text(log, &mut buffers.log)),
            read = async { match log {
                Ok(log) => log.next(&mut buffers.log).await.map_err(|error| (KMSG, chain(&error))),
                Err(_) => std::future::pending().await,
            }} => read.and_then(|()| more_events(reader, &mut buffers.events)),
        };
        self.log_records += buffers.log.len() as u64;
        if let Err((source, reason)) = read {
            self.close_source(source, reason, recorder).await;
        }
    }

    async fn close_source(&mut self, source: &'static str, reason: String, recorder: &Recorder) {
        self.account(recorder).await;
        tracing::error!(
            source,
            error = reason,
            "a source of faults failed: what it saw is watched no longer until telemd is restarted"
        );
        if source == KMSG {
            self.log = Err(reason);
        } else {
            self.reader = Err(reason.clone());
            self.take_leave(reason);
        }
    }

    /// Has attached what modules have brought since. Asked even while nothing is attached: only so is it known that the
    /// privileged half is still there.
    async fn attach_missing(&mut self) {
        let answer = self.half.ask(Client::attach_missing).await;
        if !self.half.is_up() {
            self.take_leave(self.half.seen().reason);
        } else if let (Ok(reader), Ok(Some(origins))) = (&mut self.reader, answer) {
            reader.set_origins(origins);
        }
    }

    /// Detaches the hooks.
    pub(crate) async fn close(&mut self) {
        let reason = "the agent stops".to_owned();
        if self.hooks.is_ok()
            && let Err(error) = self.half.ask(Client::detach).await
        {
            tracing::warn!(error, "the hooks could not be detached");
        }
        self.reader = Err(reason.clone());
        self.hooks = Err(reason.clone());
        self.log = Err(reason);
    }

    /// What came before faults; `None` where nobody wants to know, or this kernel does not tell.
    pub(crate) fn hindsight(&self) -> Option<&Hindsight> {
        self.hindsight.as_ref()
    }

    /// Maps the memory of hindsight, which a new privileged half has made anew.
    async fn look_back(&mut self) {
        self.hindsight = None;
        if !self.looks_back || self.hooks.is_err() {
            return;
        }
        let signs = self.half.ask(Client::signs).await;
        let opened =
            signs.and_then(|(map, room)| Hindsight::open(map.as_fd(), room).map_err(|error| chain(&error)));
        match opened {
            Ok(hindsight) => self.hindsight = Some(hindsight),
            Err(error) => tracing::warn!(error, "what comes before faults is not known"),
        }
    }
}

/// The kernel's log: the privileged half opens it, or this process can.
async fn kernel_log(config: &config::Probes, half: &Half, from: Position) -> Result<KernelLog, String> {
    let log = match half.ask(Client::kernel_log).await {
        Ok(file) => KernelLog::of_file(file, &config.kmsg_path, from),
        Err(_not_there) => KernelLog::open(&config.kmsg_path, from),
    };
    log.map_err(|error| chain(&error))
}

/// Takes a batch of what the ring holds.
fn more_events(
    reader: &mut Result<Reader, String>,
    events: &mut Vec<Event>,
) -> Result<(), (&'static str, String)> {
    let Ok(reader) = reader else { return Ok(()) };
    let read = reader.read_available(events);
    read.map(drop).map_err(|error| (EBPF, chain(&error)))
}

/// Takes a batch of what the log holds.
fn more_text(
    log: &mut Result<KernelLog, String>,
    records: &mut Vec<KmsgRecord>,
) -> Result<(), (&'static str, String)> {
    let Ok(log) = log else { return Ok(()) };
    let read = log.read_available(records);
    read.map(drop).map_err(|error| (KMSG, chain(&error)))
}

/// Whether an event came behind a moment.
fn is_behind(event: Option<&Event>, until_ns: u64) -> bool {
    matches!(event, Some(Event::KernelText { context, .. }) if context.since_boot_ns > until_ns)
}

/// What the log held and nobody could read is as gone as what it overwrote.
fn lost(log: &KernelLog) -> u64 {
    log.lost() + log.undecodable()
}

/// Probes that are wrong are told as hooks that are not watched.
fn unfit(config: &config::Probes) -> Vec<HookStatus> {
    let mistakes = config.user.unfit().into_iter();
    mistakes
        .map(|(name, mistake)| HookStatus {
            name,
            reason: mistake.to_string().replace("\n  ", "; "),
            ..HookStatus::default()
        })
        .collect()
}
