//! What stays the same from one session to the next.

use crate::clock::Moment;
use crate::config::Config;
use crate::consent::Consent;
use crate::identity::StateDir;
use crate::logging::Log;
use crate::policy::Policy;
use crate::privacy;
use crate::privileged::Half;
use crate::recorder::Recorder;
use crate::settings::{Reloaded, Settings};
use crate::ship;
use crate::socket::Door;
use crate::status::{Confinement, SessionStatus, Status};
use crate::text::chain;

/// What stays the same from one session to the next.
pub(crate) struct Surroundings<'a> {
    /// As the agent started with it.
    pub(crate) config: &'a Config,
    pub(crate) settings: &'a Settings,
    pub(crate) log: &'a Log,
    pub(crate) door: &'a Door,
    pub(crate) state: &'a StateDir,
    pub(crate) consent: &'a Consent,
    pub(crate) confinement: &'a Confinement,
    pub(crate) half: &'a Half,
    pub(crate) started: Moment,
}

impl Surroundings<'_> {
    /// The agent's status, with what a session has to say.
    pub(crate) fn status(&self, session: Option<SessionStatus>) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_s: self.uptime_s(),
            opted_in: self.consent.given(),
            opt_in_file: self.consent.file().to_owned(),
            socket_path: self.config.socket_path.clone(),
            collector_url: ship::target(self.config),
            confinement: self.confinement.clone(),
            privileged: self.half.seen(),
            session,
        }
    }

    /// Reads the configuration again and applies what can be applied; `session` is who takes records in, and the host's
    /// name in them.
    pub(crate) fn reload(&self, session: Option<(&Recorder, &str)>) -> Reloaded {
        let mut reloaded = self.settings.reload();
        let next = self.settings.now();
        if let Some((recorder, hostname)) = session {
            if reloaded.changed("consent.") || reloaded.changed("rate") {
                recorder.set_policy(Policy::new(&next.consent, &next.rate));
            }
            match privacy::scrubber(&next.privacy, hostname, self.state) {
                Ok(scrubber) => recorder.change(next.storm, scrubber),
                Err(error) => reloaded.error = chain(&error),
            }
        }
        if reloaded.changed("quota.") {
            self.door.set_quota(next.quota);
        }
        self.log.change(&next.log);
        if reloaded.error.is_empty() {
            tracing::info!(applied = ?reloaded.applied, restart = ?reloaded.restart, "the configuration was read again");
        } else {
            tracing::error!(
                error = reloaded.error,
                "the configuration is wrong, the one before stays in effect"
            );
        }
        reloaded
    }

    /// Seconds since the agent started.
    pub(crate) fn uptime_s(&self) -> u64 {
        let now = Moment::now();
        now.since_boot_ms().saturating_sub(self.started.since_boot_ms()) / 1_000
    }
}
