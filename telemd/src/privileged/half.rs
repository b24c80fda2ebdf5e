//! The privileged half as the rest of the agent has it: there, or not and why.
//!
//! A thread asks it, one question at a time, so that whoever waits for an answer holds nobody else up; and has it started
//! again when it died.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::client::{Client, ClientError};
use super::launch::{LaunchError, Reached, Source};
use crate::status::Privileged;
use crate::text::chain;

/// Pause before a privileged half that ended is started again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause: what keeps it from starting needs a person, and five minutes are no load. One that lived for so long
/// begins with the shortest pause again.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// Questions that wait: more than the tasks of the agent that ask, which wait for the answer each.
const QUESTIONS: usize = 16;

type Question = Box<dyn FnOnce(&mut Attendant) + Send>;

/// The privileged half. Cheap to copy.
#[derive(Debug, Clone)]
pub struct Half {
    questions: SyncSender<Question>,
    seen: watch::Receiver<Privileged>,
}

impl Half {
    /// Asks something. The error is why there is no answer, in words.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Client) -> Result<T, ClientError> + Send + 'static,
    ) -> Result<T, String> {
        if !self.is_up() {
            return Err(self.seen().reason);
        }
        let (answer, answered) = oneshot::channel();
        let asking = self
            .questions
            .try_send(Box::new(move |attendant: &mut Attendant| {
                // Who has given up waiting is not asked for.
                if !answer.is_closed() {
                    drop(answer.send(attendant.ask(question)));
                }
            }));
        match asking {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err("too many questions wait for telemd-probes".to_owned()),
            Err(TrySendError::Disconnected(_)) => return Err(self.seen().reason),
        }
        answered
            .await
            .unwrap_or_else(|_gone| Err("telemd-probes is asked no more".to_owned()))
    }

    /// Who the privileged half is, or why there is none.
    pub fn seen(&self) -> Privileged {
        self.seen.borrow().clone()
    }

    /// Whether it can be asked.
    pub fn is_up(&self) -> bool {
        self.seen.borrow().standing.is_some()
    }

    /// How often it was started again.
    pub fn restarts(&self) -> u32 {
        self.seen.borrow().restarts
    }
}

/// Looks after the privileged half.
#[derive(Debug)]
pub struct Attendant {
    /// `None` when there is nowhere it could come from.
    source: Option<Source>,
    client: Option<Client>,
    seen: watch::Sender<Privileged>,
    started_at: Instant,
    pause: Duration,
    retry_at: Option<Instant>,
}

impl Attendant {
    /// Has the privileged half started with the privileges and the configuration file of this process, or connects to
    /// `socket`, where the service manager starts it. Must be called before the privileges are given up.
    pub fn start(config: Option<&Path>, socket: Option<&Path>) -> Self {
        match Source::new(config, socket) {
            Ok(source) => {
                let mut attendant = Self::new(Some(source));
                attendant.reach();
                attendant
            }
            Err(error) => {
                let mut attendant = Self::new(None);
                attendant.ended(&chain(&error));
                attendant
            }
        }
    }

    /// No privileged half, because nothing that it does is wanted.
    pub fn unwanted(reason: &str) -> Self {
        let attendant = Self::new(None);
        attendant
            .seen
            .send_modify(|seen| reason.clone_into(&mut seen.reason));
        attendant
    }

    fn new(source: Option<Source>) -> Self {
        Self {
            source,
            client: None,
            seen: watch::Sender::default(),
            started_at: Instant::now(),
            pause: FIRST_PAUSE,
            retry_at: None,
        }
    }

    /// Begins to answer, in a thread that ends with the last copy of the answer.
    pub fn attend(mut self) -> std::io::Result<Half> {
        let (questions, asked) = sync_channel(QUESTIONS);
        let half = Half {
            questions,
            seen: self.seen.subscribe(),
        };
        if self.source.is_some() {
            std::thread::Builder::new()
                .name("half".to_owned())
                .spawn(move || self.answer(&asked))?;
        }
        Ok(half)
    }

    fn answer(&mut self, asked: &Receiver<Question>) {
        loop {
            let question = match self.retry_at {
                None => asked.recv().map_err(|_all_gone| RecvTimeoutError::Disconnected),
                Some(at) => asked.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            match question {
                Ok(question) => question(self),
                Err(RecvTimeoutError::Timeout) => self.reach(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn ask<T>(&mut self, question: impl FnOnce(&mut Client) -> Result<T, ClientError>) -> Result<T, String> {
        let Some(client) = &mut self.client else {
            return Err(self.seen.borrow().reason.clone());
        };
        question(client).map_err(|error| {
            let reason = chain(&error);
            if error.is_end() {
                self.ended(&reason);
            }
            reason
        })
    }

    /// Has a privileged half started.
    fn reach(&mut self) {
        let Some(source) = &mut self.source else { return };
        match source.reach() {
            Ok(Reached {
                client,
                introduction,
                ended,
            }) => {
                tracing::info!(
                    pid = introduction.standing.pid,
                    uid = introduction.standing.uid,
                    before = ended,
                    "the privileged half is there"
                );
                for missing in &introduction.missing {
                    tracing::warn!(missing, "the privileged half gives less up than it could");
                }
                self.client = Some(client);
                self.started_at = Instant::now();
                let again = self.retry_at.take().is_some();
                self.seen.send_modify(|seen| {
                    seen.standing = Some(introduction.standing);
                    seen.missing = introduction.missing;
                    seen.reason.clear();
                    seen.restarts += u32::from(again);
                });
            }
            Err(error) => {
                // Nobody is left who could start it.
                if matches!(error, LaunchError::Supervisor(_)) {
                    self.source = None;
                }
                self.ended(&chain(&error));
            }
        }
    }

    /// Notes that it cannot be asked any more, and when to try again.
    fn ended(&mut self, reason: &str) {
        let now = Instant::now();
        if self.client.take().is_some() && now.saturating_duration_since(self.started_at) >= LONGEST_PAUSE {
            self.pause = FIRST_PAUSE;
        }
        self.retry_at = self.source.as_ref().map(|_| now + self.pause);
        tracing::error!(
            reason,
            again_in_s = self.retry_at.map(|_| self.pause.as_secs()),
            "the privileged half is not there: what it watches is not watched"
        );
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.seen.send_modify(|seen| {
            seen.standing = None;
            seen.missing.clear();
            reason.clone_into(&mut seen.reason);
        });
    }
}
