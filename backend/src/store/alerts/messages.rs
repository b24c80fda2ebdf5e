//! What targets are told, until they have taken it.

use std::time::Duration;

use proto::v1::Severity;
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Alert, AlertState, Store, StoreError, clean};
use crate::severity;

/// A message that is being sent is not sent by another collector for so many seconds.
const SENDING_S: f64 = 60.0;

/// A message on its way.
#[derive(Debug, Clone)]
pub struct AlertMessage {
    /// Its id, the same in each attempt.
    pub id: Uuid,
    /// Who is told.
    pub target: String,
    /// What.
    pub message: Value,
    /// How often it was sent before.
    pub attempts: u32,
    /// How long ago it was made.
    pub age: Duration,
}

impl AlertMessage {
    /// A text of it; empty: it has none of that name.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.message[key].as_str().unwrap_or_default()
    }

    /// Whether it tells of a beginning or an end.
    pub fn state(&self) -> AlertState {
        if self.message["state"] == "resolved" {
            AlertState::Resolved
        } else {
            AlertState::Firing
        }
    }
}

impl Store {
    /// Leaves a message about each for each target.
    pub(crate) async fn told(&self, targets: &[String], alerts: &[Alert]) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        for alert in alerts {
            let resolved = alert.state == AlertState::Resolved;
            let message = json!({
                "state": if resolved { "resolved" } else { "firing" },
                "rule": alert.rule,
                "object": alert.object,
                "severity": severity_word(alert.severity),
                "summary": alert.summary,
                "since": alert.since,
                "path": alert.path,
            });
            transaction
                .execute(
                    "INSERT INTO alert_messages (target, message) SELECT unnest($1::text[]), $2",
                    &[&targets, &message],
                )
                .await?;
            transaction
                .execute(
                    "UPDATE alerts SET told_at = CASE WHEN $3 THEN NULL ELSE now() END WHERE rule = $1 AND object = $2",
                    &[&alert.rule, &alert.object, &resolved],
                )
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Those for whom there are messages to be sent now.
    pub(crate) async fn alert_targets_due(&self) -> Result<Vec<String>, StoreError> {
        let client = self.client().await?;
        let due = "SELECT DISTINCT target FROM alert_messages WHERE done_at IS NULL AND next_at <= now() ORDER BY target";
        let rows = client.query(due, &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Takes messages that are to be sent to a target now, the first of them. Of an object the earlier one is taken first: nobody is
    /// told of an end before its beginning.
    pub(crate) async fn alert_messages_due(
        &self,
        target: &str,
        at_most: u16,
    ) -> Result<Vec<AlertMessage>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "UPDATE alert_messages SET next_at = now() + make_interval(secs => $2)
                 WHERE id IN (SELECT id FROM alert_messages m WHERE done_at IS NULL AND next_at <= now() AND target = $3
                              AND NOT EXISTS (SELECT FROM alert_messages e WHERE e.done_at IS NULL AND e.target = m.target
                                              AND e.message->>'rule' = m.message->>'rule' AND e.message->>'object' = m.message->>'object'
                                              AND (e.created_at, e.id) < (m.created_at, m.id))
                              ORDER BY next_at, id LIMIT $1 FOR UPDATE SKIP LOCKED)
                 RETURNING id, target, message, attempts, extract(epoch FROM now() - created_at)::bigint",
                &[&i64::from(at_most), &SENDING_S, &target],
            )
            .await?;
        let message = |row: &Row| AlertMessage {
            id: row.get(0),
            target: row.get(1),
            message: row.get(2),
            attempts: row.get::<_, i32>(3).try_into().unwrap_or_default(),
            age: Duration::from_secs(row.get::<_, i64>(4).try_into().unwrap_or_default()),
        };
        Ok(rows.iter().map(message).collect())
    }

    /// Messages were taken, or are given up for a reason.
    pub(crate) async fn alert_messages_done(
        &self,
        messages: &[&AlertMessage],
        error: &str,
    ) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = messages.iter().map(|message| message.id).collect();
        let client = self.client().await?;
        client
            .execute(
                "UPDATE alert_messages SET attempts = attempts + 1, done_at = now(), error = $2 WHERE id = ANY ($1)",
                &[&ids, &clean(error)],
            )
            .await?;
        Ok(())
    }

    /// Messages are sent again later, each after the pause that it is to have.
    pub(crate) async fn alert_messages_again(
        &self,
        messages: &[&AlertMessage],
        pause: impl Fn(&AlertMessage) -> Duration,
        error: &str,
    ) -> Result<(), StoreError> {
        let again = messages
            .iter()
            .map(|message| (message.id, pause(message).as_secs_f64()));
        let (ids, pauses): (Vec<Uuid>, Vec<f64>) = again.unzip();
        let client = self.client().await?;
        client
            .execute(
                "UPDATE alert_messages m SET attempts = attempts + 1, next_at = now() + make_interval(secs => a.pause), error = $3
                 FROM unnest($1::uuid[], $2::float8[]) AS a(id, pause) WHERE m.id = a.id",
                &[&ids, &pauses, &clean(error)],
            )
            .await?;
        Ok(())
    }
}

/// The word for a severity of the table, whose CHECK keeps it from 1 to 4.
pub(super) fn severity_word(number: i16) -> &'static str {
    severity::word(Severity::try_from(i32::from(number)).unwrap_or_default())
}
