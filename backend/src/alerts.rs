//! Tells people what they want to be told: rules of a file are looked at once a minute, and what they find goes to targets.
//!
//! Of several collectors before one database the first that comes looks. What is found stays open until it is no longer
//! found; its targets are told when it begins and when it ends, and where they should be reminded, in between. Messages wait
//! in the database until their target takes them: one that cannot be reached is tried again with pauses of 10 s to 1 h, for a
//! day. A message may come twice, with the same id.

mod file;
mod find;
mod hooks;
mod rules;
mod send;

use std::{sync::Arc, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

pub use self::file::File;
pub use self::find::find;
pub use self::rules::{Condition, Rule, Rules, RulesError, Severity, Target, Way};
pub use self::send::SendError;
use self::send::Sender;
use crate::analysis::AnalysisError;
use crate::metrics::Metrics;
use crate::store::{AlertMessage, AlertState, Store, StoreError, chain};

/// How often it is looked whether it is time to look, and whether messages wait.
const TICK: Duration = Duration::from_secs(2);
/// A message is sent again for so long.
const GIVE_UP: Duration = Duration::from_hours(24);
/// The first pause after a failure; each is twice the last.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// Looks and tells until `shutdown`; reads the file again on SIGHUP.
pub async fn run(store: Store, file: File, metrics: Metrics, shutdown: CancellationToken) {
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => {
            tracing::error!(%error, "alerts are not looked after: SIGHUP cannot be handled");
            return;
        }
    };
    let (mut rules, mut sender) = in_force(&file);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = hangup.recv() => {
                file.read_again(&metrics);
                (rules, sender) = in_force(&file);
                continue;
            }
            () = sleep(TICK) => {}
        }
        let turn = async {
            if store.alert_turn().await? {
                look(&store, &rules).await?;
            }
            tell(&store, &sender, &metrics).await?;
            Ok::<(), AnalysisError>(())
        };
        match shutdown.run_until_cancelled(turn).await {
            // The outage itself is told elsewhere.
            None | Some(Ok(()) | Err(AnalysisError::Store(StoreError::Unavailable(_)))) => {}
            Some(Err(error)) => tracing::warn!(error = %chain(&error), "alerts could not be looked after"),
        }
    }
}

/// The rules, and who sends what they find.
fn in_force(file: &File) -> (Arc<Rules>, Sender) {
    let rules = file.rules();
    for remark in rules.remarks() {
        tracing::warn!(remark, "the alerts file tells less than it could");
    }
    let sender = Sender::new(&rules);
    (rules, sender)
}

/// Looks once at every rule; one that fails is logged, and the others are looked at all the same.
pub async fn look(store: &Store, rules: &Rules) -> Result<(), AnalysisError> {
    let names: Vec<&str> = rules.rules().iter().map(|rule| rule.name.as_str()).collect();
    store.end_alerts_of_others(&names).await?;
    for rule in rules.rules() {
        match look_by(store, rules, rule).await {
            Ok(()) => {}
            // No other rule could be looked at.
            Err(AnalysisError::Store(error @ StoreError::Unavailable(_))) if !error.is_timeout() => {
                return Err(error.into());
            }
            Err(error) => {
                tracing::warn!(rule = rule.name, error = %chain(&error), "a rule could not be looked at");
            }
        }
    }
    Ok(())
}

/// Looks at one. What is open of it stays so when that fails.
async fn look_by(store: &Store, rules: &Rules, rule: &Rule) -> Result<(), AnalysisError> {
    let open = store.open_objects(&rule.name).await?;
    let mut found = find(store, &rule.when, &open).await?;
    let rest = found.rest(rule.when.page());
    found.findings.extend(rest);
    store.open_alerts(&rule.name, &found.findings).await?;
    let changes = store.alerts_to_tell(&rule.name, rules.remind(rule)).await?;
    for alert in &changes {
        let ended = alert.state == AlertState::Resolved;
        tracing::info!(
            rule = rule.name,
            object = alert.object,
            ended,
            "{}",
            alert.summary
        );
    }
    Ok(store.told(&rule.targets, &changes).await?)
}

/// Sends what waits: to each target what it takes together.
async fn tell(store: &Store, sender: &Sender, metrics: &Metrics) -> Result<(), StoreError> {
    for target in store.alert_targets_due().await? {
        let delivery = sender.delivery(&target);
        let due = store.alert_messages_due(&target, delivery.a_turn()).await?;
        for messages in due.chunks(delivery.at_once().into()) {
            let sent = sender.send(&target, messages).await;
            let taken = sent.is_ok();
            for _ in messages {
                metrics.alert_message(taken);
            }
            after(store, messages, sent).await?;
            if !taken {
                // What is left is due again in a minute: other targets do not wait for one that is away.
                break;
            }
        }
    }
    Ok(())
}

/// Notes which messages were taken, and which are sent again.
async fn after(
    store: &Store,
    messages: &[AlertMessage],
    sent: Result<(), SendError>,
) -> Result<(), StoreError> {
    let Err(error) = sent else {
        let taken: Vec<_> = messages.iter().collect();
        return store.alert_messages_done(&taken, "").await;
    };
    let reason = chain(&error);
    let no_target = matches!(error, SendError::NoTarget(_));
    let (given_up, again): (Vec<_>, Vec<_>) = messages
        .iter()
        .partition(|message| no_target || message.age >= GIVE_UP);
    tracing::warn!(
        target = messages.first().map(|message| &*message.target),
        error = reason,
        alerts = messages.len(),
        given_up = given_up.len(),
        "alerts were not taken"
    );
    store.alert_messages_done(&given_up, &reason).await?;
    store.alert_messages_again(&again, pause, &reason).await
}

fn pause(message: &AlertMessage) -> Duration {
    let doublings = message.attempts.min(16);
    LONGEST_PAUSE.min(FIRST_PAUSE.saturating_mul(1 << doublings))
}
