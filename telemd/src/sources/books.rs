//! How the sources are doing, and what they have lost.

use probe_user::{HookState, hook};
use proto::v1::LossReason;

use super::{Sources, Unsent, lost};
use crate::pipeline::KMSG;
use crate::privileged::Client;
use crate::recorder::Recorder;
use crate::status::HookStatus;

impl Sources {
    /// Every hook, watched or not, by the last answer of the privileged half.
    pub(crate) fn states(&self) -> Vec<HookStatus> {
        let mut states: Vec<_> = match &self.hooks {
            Ok(hooks) => hooks.iter().map(|state| self.status(state)).collect(),
            Err(reason) => {
                let own = self.probes.iter().map(|probe| probe.hook.as_str());
                let unwatched = |name: &str| HookStatus {
                    name: name.to_owned(),
                    reason: reason.clone(),
                    ..HookStatus::default()
                };
                hook::ALL.iter().copied().chain(own).map(unwatched).collect()
            }
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
    pub(crate) async fn account(&mut self, recorder: &Recorder) {
        self.refresh().await;
        for state in self.hooks.iter().flatten() {
            let Unsent { lost, limited } = self.unsent(state);
            recorder.lost(LossReason::RingFull, &state.hook, lost);
            recorder.lost(LossReason::RateLimit, &state.hook, limited);
        }
        let overrun = match &self.log {
            Ok(log) => lost(log).saturating_sub(self.passed),
            Err(_) => self.overrun,
        };
        recorder.lost(LossReason::KmsgOverrun, KMSG, overrun);
    }

    /// How many events with the kernel's text were lost, by the last answer of the privileged half.
    pub(crate) fn lost_texts(&self) -> u64 {
        let before = self.unsent_before.get(hook::PRINTK_CONSOLE);
        let mut states = self.hooks.iter().flatten();
        let now = states.find(|state| *state.hook == *hook::PRINTK_CONSOLE);
        before.map_or(0, |unsent| unsent.lost) + now.map_or(0, |state| state.lost)
    }

    /// Asks how the hooks are doing. Without an answer they are as they were.
    pub(crate) async fn refresh(&mut self) {
        if self.hooks.is_err() {
            return;
        }
        let hooks = self.half.ask(Client::hooks).await;
        if let Ok(hooks) = hooks {
            self.hooks = Ok(hooks);
        } else if !self.half.is_up() {
            self.take_leave(self.half.seen().reason);
        }
    }

    /// What a hook has not sent since the session began.
    fn unsent(&self, state: &HookState) -> Unsent {
        let before = self.unsent_before.get(&state.hook).copied().unwrap_or_default();
        Unsent {
            lost: before.lost + state.lost,
            limited: before.limited + state.limited,
        }
    }

    fn status(&self, state: &HookState) -> HookStatus {
        let unsent = self.unsent(state);
        HookStatus {
            name: state.hook.as_ref().to_owned(),
            attach: state.attach.map_or("", probe_user::Attach::as_str).to_owned(),
            reason: state.reason.clone(),
            events: state.events,
            lost: unsent.lost,
            limited: unsent.limited,
            program: state.program,
        }
    }
}
