//! The daemon: waits for consent, runs sessions while there is consent, forgets when it is withdrawn.

use std::sync::Arc;
use std::time::Duration;

use spool::SpoolError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::Moment;
use crate::consent::{self, Consent};
use crate::control::{Answer, Asked, Question};
use crate::drop_dir;
use crate::ground::Ground;
use crate::identity::StateError;
use crate::logging::Log;
use crate::manager;
use crate::privacy::PrivacyError;
use crate::privileged::Half;
use crate::recorder::Recorder;
use crate::session::{End, Session, Surroundings, answer};
use crate::settings::Settings;
use crate::ship::message::Waiting;
use crate::socket::Socket;

/// How often the opt-in file is looked for while it is missing.
const CONSENT_POLL: Duration = Duration::from_secs(2);
/// How long the sockets may take to end.
const SOCKETS_TIME: Duration = Duration::from_secs(1);

/// Why the agent cannot run.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateError),
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The marks of kept reports.
    #[error("cannot read kept.json in the state directory")]
    Marks(#[source] std::io::Error),
    /// Nothing can be taken out of records.
    #[error(transparent)]
    Privacy(#[from] PrivacyError),
    /// The spool's thread.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
    /// The spool's thread ended by itself.
    #[error(
        "the spool's thread ended by itself, which is a bug: start the agent again; what was acknowledged is on disk"
    )]
    Ended,
    /// What was recorded could not be deleted after consent was withdrawn.
    #[error("cannot delete what was recorded: delete the state directory by hand")]
    Forget(#[source] std::io::Error),
}

/// Runs on `ground`, with the privileged half `half`, until `stop`.
pub async fn run(
    settings: &Settings,
    log: &Log,
    ground: Ground,
    half: &Half,
    stop: &CancellationToken,
) -> Result<(), AgentError> {
    let Ground {
        state,
        control: (control, mut questions),
        socket,
        confinement,
    } = ground;
    let config = settings.started();
    let consent = Consent::new(&config.opt_in_file);
    let (publish, session) = watch::channel(None);
    let socket = Socket::new(socket, config.quota, consent.clone(), session.clone());
    let door = socket.door();
    // It answers while the last records are kept and shipped.
    let control_stop = CancellationToken::new();
    let control = tokio::spawn(control.serve(control_stop.clone()));
    // It takes nothing more: who comes now waits in the service manager's socket for the next start.
    let socket = tokio::spawn(socket.serve(stop.clone()));
    // They end with `stop`.
    tokio::spawn(manager::keep_alive(stop.clone()));
    let (folders, until, agreed) = (config.drop.clone(), stop.clone(), consent.clone());
    tokio::spawn(async move { drop_dir::watch(&folders, &agreed, session, until).await });
    let surroundings = Surroundings {
        config,
        settings,
        log,
        door: &door,
        state: &state,
        consent: &consent,
        confinement: &confinement,
        half,
        started: Moment::now(),
    };
    let outcome = work(&surroundings, &mut questions, &publish, stop).await;
    control_stop.cancel();
    let ended = async { (control.await.is_ok(), socket.await.is_ok()) };
    if tokio::time::timeout(SOCKETS_TIME, ended).await.is_err() {
        tracing::warn!("the sockets did not end in time");
    }
    outcome
}

async fn work(
    surroundings: &Surroundings<'_>,
    questions: &mut mpsc::Receiver<Asked>,
    publish: &watch::Sender<Option<Arc<Recorder>>>,
    stop: &CancellationToken,
) -> Result<(), AgentError> {
    let mut asked = None;
    let mut ready = false;
    if !surroundings.consent.given() {
        // It was withdrawn while no agent ran, or the last one ended before it had forgotten everything.
        consent::forget(surroundings.state.path()).map_err(AgentError::Forget)?;
    }
    loop {
        if !surroundings.consent.given() {
            manager::tell(&mut ready, "waiting for opt-in");
            wait_for_consent(surroundings, questions, &mut asked, stop).await;
        }
        if stop.is_cancelled() {
            return Ok(());
        }
        let mut session = Session::start(surroundings, publish).await?;
        manager::tell(&mut ready, "watching");
        if let Some(reply) = asked.take() {
            answer(reply, session.status().await);
        }
        let end = loop {
            let end = session.run(questions, stop).await;
            publish.send_replace(None);
            if !matches!(end, End::Rotate) || stop.is_cancelled() {
                break end;
            }
            session.rotate().await?;
            publish.send_replace(Some(session.recorder()));
        };
        let end = match end {
            // Both at once: nothing is kept or shipped any more.
            End::Stopped | End::Rotate if !surroundings.consent.given() => End::Withdrawn(None),
            end => end,
        };
        match end {
            End::Stopped | End::Rotate => {
                session.drain().await;
                return Ok(());
            }
            End::Broken => return Err(AgentError::Ended),
            End::Withdrawn(reply) => {
                session.abandon().await;
                consent::forget(surroundings.state.path()).map_err(AgentError::Forget)?;
                tracing::info!("consent was withdrawn: what was recorded is deleted, nothing is recorded");
                if let Some(reply) = reply {
                    answer(reply, surroundings.status(None));
                }
            }
        }
    }
}

/// Waits for the opt-in file, or for `stop`. `asked` is whoever is to be answered once that has taken effect.
async fn wait_for_consent(
    surroundings: &Surroundings<'_>,
    questions: &mut mpsc::Receiver<Asked>,
    asked: &mut Option<oneshot::Sender<Answer>>,
    stop: &CancellationToken,
) {
    tracing::info!(
        file = %surroundings.consent.file().display(),
        "this host has not opted in: nothing is recorded; `telemctl opt-in` changes that"
    );
    let mut poll = tokio::time::interval(CONSENT_POLL);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some((question, reply)) = questions.recv() => {
                match question {
                    Question::Consent if surroundings.consent.given() => *asked = Some(reply),
                    Question::Reload => drop(reply.send(Answer::Reloaded(surroundings.reload(None)))),
                    // Nothing is recorded, so nothing waits.
                    Question::Waiting(_) => drop(reply.send(Answer::Waiting(Waiting::default()))),
                    _ => answer(reply, surroundings.status(None)),
                }
            }
            _ = poll.tick() => {}
        }
        if surroundings.consent.given() {
            return;
        }
    }
}
