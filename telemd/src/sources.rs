//! Where faults of this boot come from: the eBPF hooks, and the kernel log where they do not see it.

use probe_user::kmsg::{KernelLog, KmsgRecord, Position};
use probe_user::{Event, HookState, Probes, Reader, hook};
use proto::v1::LossReason;

use crate::config;
use crate::pipeline::KMSG;
use crate::recorder::Recorder;
use crate::status::HookStatus;
use crate::text::chain;

/// How the hooks are called together.
const EBPF: &str = "ebpf";

/// The hooks and the kernel log, each with the reason why it is not there.
#[derive(Debug)]
pub(crate) struct Sources {
    probes: Result<Watch, String>,
    log: Result<KernelLog, String>,
    /// Records of the log that were read.
    log_records: u64,
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
    /// Attaches what this kernel allows. What it does not allow is told in [`Sources::states`].
    pub(crate) fn open(config: &config::Probes) -> Self {
        let not_needed = Err("the console hook sees the kernel's text".to_owned());
        if !config.enabled {
            let reason = "probes.enabled is false in the configuration";
            return Self {
                probes: Err(reason.into()),
                log: Err(reason.into()),
                log_records: 0,
                unfit: unfit(config),
            };
        }
        let options = probe_user::Options {
            object: config.object.clone(),
            ring_bytes: config.ring_bytes,
            disable: config.disable.clone(),
            probes: Vec::new(),
        };
        let mut probes = Watch::attach(&options);
        let sees_text = probes.as_mut().is_ok_and(|watch| {
            let sees = |state: &HookState| &*state.hook == hook::PRINTK_CONSOLE && state.attach.is_some();
            watch.probes.states().iter().any(sees)
        });
        let unwanted = config.disable.iter().any(|name| name == hook::PRINTK_CONSOLE);
        let log = if sees_text {
            not_needed
        } else if unwanted {
            Err("disabled in the configuration".to_owned())
        } else {
            KernelLog::open(&config.kmsg_path, Position::Now).map_err(|error| chain(&error))
        };
        Self {
            probes,
            log,
            log_records: 0,
            unfit: unfit(config),
        }
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
        if let Ok(log) = &self.log {
            recorder.lost(LossReason::KmsgOverrun, KMSG, lost(log));
        }
    }
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
            reason: mistake.to_string(),
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
