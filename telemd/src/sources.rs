//! Where faults of this boot come from: the eBPF hooks, and the kernel log where they do not see it.

use std::time::Duration;

use probe_user::kmsg::{KernelLog, KmsgRecord, Position};
use probe_user::{Event, HookState, Probes, Reader, hook};
use proto::v1::LossReason;

use crate::clock::Moment;
use crate::config;
use crate::pipeline::KMSG;
use crate::recorder::Recorder;
use crate::replay;
use crate::status::HookStatus;
use crate::text::chain;

/// How the hooks are called together.
const EBPF: &str = "ebpf";
/// How long the ring is listened to for what the hooks have brought while they were attached.
const SEAM: Duration = Duration::from_millis(20);
/// Batches of events that are taken there: more than the ring holds.
const SEAM_BATCHES: usize = 64;

/// Why nothing is watched when somebody wants it so.
const DISABLED: &str = "probes.enabled is false in the configuration";

/// The hooks and the kernel log, each with the reason why it is not there.
#[derive(Debug)]
pub(crate) struct Sources {
    probes: Result<Watch, String>,
    log: Result<KernelLog, String>,
    /// Records of the log that were read.
    log_records: u64,
    /// The log where the hook sees the text: only to know how far it is.
    place: Option<KernelLog>,
    /// What the log had lost when the hook took over.
    overrun: u64,
    /// The host's own probes that are wrong.
    unfit: Vec<HookStatus>,
}

/// The hooks, and what reads them.
#[derive(Debug)]
struct Watch {
    probes: Probes,
    reader: Reader,
}

impl Watch {
    fn attach(options: &probe_user::Options) -> Result<Self, String> {
        let probes = Probes::attach(options).map_err(|error| chain(&error))?;
        let reader = probes.reader().map_err(|error| chain(&error))?;
        Ok(Self { probes, reader })
    }
}

/// What came.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Caught {
    Events,
    Log,
}

/// Room for what came, used again and again.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    pub(crate) events: Vec<Event>,
    pub(crate) log: Vec<KmsgRecord>,
}

impl Sources {
    /// Opens the kernel's log at the record `from`, at its beginning without one. Nothing is attached yet.
    pub(crate) fn open(config: &config::Probes, from: Option<u64>) -> Self {
        let unwanted = config.disable.iter().any(|name| name == hook::PRINTK_CONSOLE);
        let log = if !config.enabled {
            Err(DISABLED.to_owned())
        } else if unwanted {
            Err("disabled in the configuration".to_owned())
        } else {
            let position = from.map_or(Position::Oldest, Position::Sequence);
            KernelLog::open(&config.kmsg_path, position).map_err(|error| chain(&error))
        };
        Self {
            probes: Err(if config.enabled {
                "not attached yet"
            } else {
                DISABLED
            }
            .to_owned()),
            log,
            log_records: 0,
            place: None,
            overrun: 0,
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
        if !config.enabled {
            return;
        }
        let options = probe_user::Options {
            object: config.object.clone(),
            ring_bytes: config.ring_bytes,
            disable: config.disable.clone(),
            probes: config.user.alone().cloned().collect(),
        };
        self.probes = Watch::attach(&options);
        let sees_text = self.probes.as_mut().is_ok_and(|watch| {
            let sees = |state: &HookState| &*state.hook == hook::PRINTK_CONSOLE && state.attach.is_some();
            watch.probes.states().iter().any(sees)
        });
        if sees_text {
            self.join(buffers).await;
        }
    }

    /// Ends the log where the hook begins, see [`replay`].
    async fn join(&mut self, buffers: &mut Buffers) {
        while self.read_log(&mut buffers.log) {}
        let until_ns = Moment::now().since_boot_ns;
        let not_needed = Err("the console hook sees the kernel's text".to_owned());
        self.place = std::mem::replace(&mut self.log, not_needed).ok();
        self.overrun = self.place.as_ref().map_or(0, lost);
        let Ok(Watch { reader, .. }) = &mut self.probes else {
            return;
        };
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

    /// Waits until something comes. A source that fails is closed, and told as such; what it lost is in the books then.
    /// Cancel-safe.
    pub(crate) async fn next(&mut self, buffers: &mut Buffers, recorder: &Recorder) -> Caught {
        let Self { probes, log, .. } = self;
        let failed = tokio::select! {
            read = async { match probes {
                Ok(watch) => watch.reader.next(&mut buffers.events).await.map_err(|error| chain(&error)),
                Err(_) => std::future::pending().await,
            }} => match read {
                Ok(()) => return Caught::Events,
                Err(reason) => (EBPF, reason),
            },
            read = async { match log {
                Ok(log) => log.next(&mut buffers.log).await.map_err(|error| chain(&error)),
                Err(_) => std::future::pending().await,
            }} => match read {
                Ok(()) => {
                    self.log_records += buffers.log.len() as u64;
                    return Caught::Log;
                }
                Err(reason) => (KMSG, reason),
            },
        };
        let (source, reason) = failed;
        self.account(recorder);
        tracing::error!(
            source,
            error = reason,
            "a source of faults failed: what it saw is watched no longer until telemd is restarted"
        );
        if source == KMSG {
            self.log = Err(reason);
            Caught::Log
        } else {
            self.probes = Err(reason);
            Caught::Events
        }
    }

    /// Attaches hooks whose tracepoints a module has brought since.
    pub(crate) fn attach_missing(&mut self) {
        if let Ok(watch) = &mut self.probes
            && watch.probes.attach_missing()
        {
            watch.reader.set_origins(watch.probes.origins());
        }
    }

    /// Detaches the hooks.
    pub(crate) fn close(&mut self) {
        let reason = "the agent stops".to_owned();
        self.probes = Err(reason.clone());
        self.log = Err(reason);
    }

    /// Every hook, watched or not.
    pub(crate) fn states(&mut self) -> Vec<HookStatus> {
        let mut states: Vec<_> = match &mut self.probes {
            Ok(watch) => watch.probes.states().into_iter().map(status).collect(),
            Err(reason) => hook::ALL
                .iter()
                .map(|name| HookStatus {
                    name: (*name).to_owned(),
                    reason: reason.clone(),
                    ..HookStatus::default()
                })
                .collect(),
        };
        let text = states
            .iter_mut()
            .find(|state| state.name == hook::PRINTK_CONSOLE && state.attach.is_empty());
        if let Some(text) = text {
            match &self.log {
                Ok(log) => {
                    text.attach = KMSG.into();
                    text.events = self.log_records;
                    text.lost = lost(log);
                }
                Err(reason) if *reason != text.reason => {
                    text.reason = format!("{}; {KMSG}: {reason}", text.reason);
                }
                Err(_) => {}
            }
        }
        states.extend(self.unfit.iter().cloned());
        states
    }

    /// Enters what was lost on the way into the books.
    pub(crate) fn account(&mut self, recorder: &Recorder) {
        if let Ok(watch) = &mut self.probes {
            for state in watch.probes.states() {
                recorder.lost(LossReason::RingFull, &state.hook, state.lost);
            }
        }
        let overrun = self.log.as_ref().map_or(self.overrun, lost);
        recorder.lost(LossReason::KmsgOverrun, KMSG, overrun);
    }
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

fn status(state: probe_user::HookState) -> HookStatus {
    HookStatus {
        name: state.hook.as_ref().to_owned(),
        attach: state.attach.map_or("", probe_user::Attach::as_str).to_owned(),
        reason: state.reason,
        events: state.events,
        lost: state.lost,
        program: state.program,
    }
}
