//! What targets are told, until they have taken it.

use std::time::Duration;

use proto::v1::Severity;
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Alert, AlertState, Store, StoreError, clean};
use crate::severity;

/// Messages that are sent in a turn.
const MESSAGES: i64 = 32;
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

    /// Takes messages that are to be sent now.
    pub(crate) async fn alert_messages_due(&self) -> Result<Vec<AlertMessage>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "UPDATE alert_messages SET attempts = attempts + 1, next_at = now() + make_interval(secs => $2)
                 WHERE id IN (SELECT id FROM alert_messages WHERE done_at IS NULL AND next_at <= now()
                              ORDER BY next_at, id LIMIT $1 FOR UPDATE SKIP LOCKED)
                 RETURNING id, target, message, attempts - 1, extract(epoch FROM now() - created_at)::bigint",
                &[&MESSAGES, &SENDING_S],
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

    /// A message was taken, or is given up for a reason.
    pub(crate) async fn alert_message_done(
        &self,
        message: &AlertMessage,
        error: &str,
    ) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute(
                "UPDATE alert_messages SET done_at = now(), error = $2 WHERE id = $1",
                &[&message.id, &clean(error)],
            )
            .await?;
        Ok(())
    }

    /// A message is sent again later.
    pub(crate) async fn alert_message_again(
        &self,
        message: &AlertMessage,
        pause: Duration,
        error: &str,
    ) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute(
                "UPDATE alert_messages SET next_at = now() + make_interval(secs => $2), error = $3 WHERE id = $1",
                &[&message.id, &pause.as_secs_f64(), &clean(error)],
            )
            .await?;
        Ok(())
    }
}

/// The word for a severity of the table, whose CHECK keeps it from 1 to 4.
fn severity_word(number: i16) -> &'static str {
    severity::word(Severity::try_from(i32::from(number)).unwrap_or_default())
}
