//! What the service manager is told: how the agent is, and that it lives. Without systemd all of it does nothing.

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

/// Tells systemd how it goes, and the first time that it is ready.
pub(crate) fn tell(ready: &mut bool, status: &str) {
    let mut states = vec![NotifyState::Status(status)];
    if !std::mem::replace(ready, true) {
        states.push(NotifyState::Ready);
    }
    send(&states);
}

/// Tells systemd's watchdog that the agent lives, twice in each of its periods (`WatchdogSec=`), until `stop`. Where the
/// runtime of the agent is stuck, this is too.
pub(crate) async fn keep_alive(stop: CancellationToken) {
    let Some(period) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut beat = tokio::time::interval(period / 2);
    while stop.run_until_cancelled(beat.tick()).await.is_some() {
        send(&[NotifyState::Watchdog]);
    }
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}
