//! What a session answers on the control socket.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Session;
use crate::clock::Moment;
use crate::control::{Answer, Question};
use crate::fixes;
use crate::ship::message;
use crate::status::{SessionStatus, SpoolStatus, Status};

impl Session<'_> {
    pub(super) async fn answer(&mut self, question: Question, reply: oneshot::Sender<Answer>) {
        match question {
            Question::Reload => {
                let reloaded = self.surroundings.reload(Some((&self.recorder, &self.hostname)));
                let every = self.surroundings.settings.now().heartbeat.interval_s;
                self.heartbeat_at = self.heartbeat_at.min(Instant::now() + Duration::from_secs(every));
                drop(reply.send(Answer::Reloaded(reloaded)));
            }
            Question::Flush => {
                let now = Moment::now();
                self.recorder.close_windows(now, true);
                self.tell_losses(now).await;
                self.shipping.hurry();
                answer(reply, self.status().await);
            }
            Question::Waiting(from_seq) => {
                let waiting = message::waiting(self.recorder.keeper(), &self.shipping.hello, from_seq).await;
                // Who gets no answer is told that the agent does not answer.
                if let Ok(waiting) = waiting {
                    drop(reply.send(Answer::Waiting(waiting)));
                }
            }
            Question::Status | Question::Metrics | Question::Consent => answer(reply, self.status().await),
        }
    }

    /// How it goes.
    pub(crate) async fn status(&mut self) -> Status {
        if self.is_answered_soon() {
            self.sources.refresh().await;
        }
        let config = self.surroundings.config;
        let stats = self.recorder.keeper().stats().borrow().clone();
        let (counted, rejected) = self.recorder.counts();
        self.surroundings.status(Some(SessionStatus {
            agent_id: self.agent_id,
            epoch: self.recorder.keeper().epoch(),
            hostname: self.hostname.clone(),
            hooks: self.sources.states(),
            spool: SpoolStatus {
                dir: config.spool_dir(),
                durable_seq: stats.durable_seq,
                acknowledged_seq: stats.acknowledged_seq,
                backlog: stats.backlog,
                bytes: stats.bytes,
                max_bytes: config.spool.max_bytes,
                refused: stats.refused,
                failing: stats.failing,
            },
            link: self.shipping.link.borrow().clone(),
            counted,
            rejected,
            pstore_owner: self.before.pstore_owner().map(str::to_owned),
            known_fixes: fixes::read(&config.state_dir),
        }))
    }
}

/// Answers a question; whoever asked may have given up waiting.
pub(crate) fn answer(reply: oneshot::Sender<Answer>, status: Status) {
    drop(reply.send(Answer::Status(Box::new(status))));
}
