//! The task that ships, and its end.

use std::sync::{Arc, Mutex};

use proto::v1::{Hello, Host};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::Config;
use crate::journal::Journal;
use crate::ledger::Ledger;
use crate::recorder::Recorder;
use crate::ship::{Link, LinkState, Options, Proxies, Shipper};

/// The task that ships.
pub(super) struct Shipping {
    pub(super) task: tokio::task::JoinHandle<()>,
    pub(super) stop: CancellationToken,
    pub(super) link: watch::Receiver<Link>,
    /// What is said first on every stream.
    pub(super) hello: Hello,
    kick: Arc<Notify>,
}

impl Shipping {
    pub(super) fn start(config: &Config, agent_id: Uuid, host: Host, recorder: &Recorder) -> Self {
        let (link, seen) = watch::channel(Link::default());
        let stop = CancellationToken::new();
        let kick = Arc::new(Notify::new());
        let hello = hello(agent_id, recorder.keeper().epoch(), host);
        if !config.collector.enabled {
            link.send_modify(|link| link.state = LinkState::Off);
            tracing::info!("collector.enabled is false: nothing leaves this host");
            return Self {
                task: tokio::spawn(async {}),
                stop,
                link: seen,
                hello,
                kick,
            };
        }
        let shipper = Shipper {
            collector: config.collector.clone(),
            state_dir: config.state_dir.clone(),
            proxies: Proxies::of_environment(),
            agent_id,
            hello: hello.clone(),
            keeper: recorder.keeper().clone(),
            journal: (config.journal.max_bytes > 0).then(|| {
                let crate::config::Journal { max_bytes, payloads } = config.journal;
                Arc::new(Mutex::new(Journal::new(&config.state_dir, max_bytes, payloads)))
            }),
            ledger: (config.ledger.max_bytes > 0).then(|| {
                Arc::new(Mutex::new(Ledger::new(
                    &config.state_dir,
                    config.ledger.max_bytes,
                )))
            }),
            options: Options::default(),
            link,
            kick: Arc::clone(&kick),
        };
        tokio::spawn(tell_manager(seen.clone(), stop.clone()));
        Self {
            task: tokio::spawn(shipper.run(stop.clone())),
            stop,
            link: seen,
            hello,
            kick,
        }
    }

    /// Stops shipping.
    pub(super) async fn end(&mut self) {
        self.stop.cancel();
        // Its failure is its end.
        let _ended = (&mut self.task).await.is_ok();
    }

    /// Tries at once, if a try waits.
    pub(super) fn hurry(&self) {
        self.kick.notify_one();
    }

    /// Waits until everything is shipped, unless the collector is away or it takes too long.
    pub(super) async fn finish(&mut self, recorder: &Recorder, deadline: Instant) {
        let mut stats = recorder.keeper().stats();
        if self.link.borrow().state == LinkState::Off {
            return;
        }
        self.link.mark_unchanged();
        self.kick.notify_one();
        let shipped = async {
            while stats.borrow_and_update().backlog > 0 {
                tokio::select! {
                    changed = stats.changed() => if changed.is_err() { return },
                    changed = self.link.changed() => {
                        if changed.is_err() || self.link.borrow_and_update().state == LinkState::Waiting {
                            return;
                        }
                    }
                }
            }
        };
        if tokio::time::timeout_at(deadline, shipped).await.is_err() {
            tracing::debug!("there was no time to ship everything");
        }
    }
}

/// What is said first on every stream.
fn hello(agent_id: Uuid, epoch: Uuid, host: Host) -> Hello {
    Hello {
        agent_id: agent_id.as_bytes().to_vec().into(),
        epoch: epoch.as_bytes().to_vec().into(),
        host: Some(host),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// Shows in systemd's status why nothing is delivered until somebody acts.
async fn tell_manager(mut link: watch::Receiver<Link>, stop: CancellationToken) {
    while let Some(Ok(())) = stop.run_until_cancelled(link.changed()).await {
        let status = {
            let link = link.borrow_and_update();
            if link.state == LinkState::Connecting {
                continue;
            }
            match link.refusal {
                Some(_) => format!(
                    "watching; nothing is delivered: {}; {}",
                    link.last_error, link.advice
                ),
                None => "watching".to_owned(),
            }
        };
        if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Status(&status)]) {
            tracing::debug!(%error, "the service manager could not be told");
        }
    }
}
