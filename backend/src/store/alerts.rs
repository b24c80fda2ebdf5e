//! What is open of what rules found.

mod messages;
mod silences;

use std::time::Duration;

use deadpool_postgres::Transaction;
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

pub use self::messages::AlertMessage;
pub use self::silences::Silence;
use super::{Finding, Store, StoreError, clean, time::iso};

/// Whoever comes first looks, once in so many seconds.
const TURN_S: f64 = 60.0;
/// Findings of a rule that are told one by one; one more stands for the rest.
pub(crate) const FINDINGS: u16 = 500;
/// Whether nobody is told of an alert for now.
const SILENCED: &str = "EXISTS (SELECT FROM alert_silences s
                                WHERE s.rule = alerts.rule AND s.object IN ('', alerts.object) AND s.until > now())";
/// How long messages, and alerts that have ended, are kept.
const KEEP_DAYS: i32 = 30;

/// Whether it is still so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertState {
    /// It is.
    Firing,
    /// It is not any more.
    Resolved,
}

/// An alert that its targets are to be told of.
#[derive(Debug, Clone)]
pub struct Alert {
    /// The rule that found it.
    pub rule: String,
    /// What it is about.
    pub object: String,
    /// What is the matter.
    pub summary: String,
    /// Whether it is still so.
    pub state: AlertState,
    severity: i16,
    since: String,
    path: String,
}

/// What is open of one rule.
#[derive(Debug)]
pub(crate) struct OpenOfRule {
    /// The worst that is not silenced, of several the latest, as a JSON object.
    pub(crate) worst: Value,
    /// How many more are not silenced.
    pub(crate) others: u64,
}

impl Store {
    /// Whether it is this collector's turn to look.
    pub(crate) async fn alert_turn(&self) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let taken = client
            .execute(
                "UPDATE alert_turn SET at = now() WHERE at < now() - make_interval(secs => $1)",
                &[&TURN_S],
            )
            .await?;
        Ok(taken > 0)
    }

    /// Opens what a rule found and ends what it found before and does no longer.
    pub(crate) async fn open_alerts(&self, rule: &str, found: &[Finding]) -> Result<(), StoreError> {
        let column = |of: fn(&Finding) -> &str| {
            found
                .iter()
                .map(of)
                .map(|text| clean(text).into_owned())
                .collect::<Vec<_>>()
        };
        let objects = column(|finding| &finding.object);
        let summaries = column(|finding| &finding.summary);
        let paths = column(|finding| &finding.path);
        let severities: Vec<i16> = found.iter().map(|finding| finding.severity).collect();
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        transaction
            .execute(
                "INSERT INTO alerts AS known (rule, object, severity, summary, path)
                 SELECT $1, * FROM unnest($2::text[], $3::smallint[], $4::text[], $5::text[])
                 ON CONFLICT (rule, object) DO UPDATE
                 SET severity = excluded.severity, summary = excluded.summary, path = excluded.path, ended_at = NULL,
                     since = CASE WHEN known.ended_at IS NULL THEN known.since ELSE now() END,
                     told_at = CASE WHEN known.ended_at IS NULL THEN known.told_at END",
                &[&rule, &objects, &severities, &summaries, &paths],
            )
            .await?;
        transaction
            .execute(
                "UPDATE alerts SET ended_at = now() WHERE rule = $1 AND ended_at IS NULL AND object <> ALL ($2)",
                &[&rule, &objects],
            )
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Ends what rules found that are no longer in the file; nobody is told.
    pub(crate) async fn end_alerts_of_others(&self, rules: &[&str]) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute(
                "UPDATE alerts SET ended_at = now(), told_at = NULL WHERE ended_at IS NULL AND rule <> ALL ($1)",
                &[&rules],
            )
            .await?;
        Ok(())
    }

    /// Forgets alerts that ended long ago, what was told so long ago, and silences that are over.
    pub async fn forget_alerts(&self) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute(
                "WITH old AS (DELETE FROM alerts WHERE ended_at < now() - make_interval(days => $1)),
                      unsilenced AS (DELETE FROM alert_silences WHERE until < now())
                 DELETE FROM alert_messages WHERE created_at < now() - make_interval(days => $1)",
                &[&KEEP_DAYS],
            )
            .await?;
        Ok(())
    }

    /// What the targets of a rule do not know yet, or are to be reminded of, and what has ended that they know of.
    pub(crate) async fn alerts_to_tell(
        &self,
        rule: &str,
        remind: Option<Duration>,
    ) -> Result<Vec<Alert>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                &format!(
                    "SELECT rule, object, summary, ended_at IS NOT NULL, severity,
                        {}, path
                 FROM alerts
                 WHERE rule = $1
                   AND CASE WHEN ended_at IS NOT NULL THEN told_at IS NOT NULL
                            ELSE (told_at IS NULL OR told_at < now() - make_interval(secs => $2))
                                 AND NOT {SILENCED}
                       END
                 ORDER BY since, object",
                    iso("since")
                ),
                &[&rule, &remind.map(|remind| remind.as_secs_f64())],
            )
            .await?;
        let alert = |row: &Row| Alert {
            rule: row.get(0),
            object: row.get(1),
            summary: row.get(2),
            state: if row.get(3) {
                AlertState::Resolved
            } else {
                AlertState::Firing
            },
            severity: row.get(4),
            since: row.get(5),
            path: row.get(6),
        };
        Ok(rows.iter().map(alert).collect())
    }

    /// What is open, with when its targets were told, as JSON objects; the worst first, of these the latest.
    pub async fn open_alerts_listed(&self) -> Result<Vec<Value>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                &format!("SELECT jsonb_build_object('rule', rule, 'object', object, 'severity', severity, 'summary', summary, 'path', path,
                        'since', {}, 'told', {}, 'silenced', {SILENCED},
                        'failed', (SELECT m.error FROM alert_messages m
                                   WHERE m.message->>'rule' = alerts.rule AND m.message->>'object' = alerts.object AND m.error <> ''
                                   ORDER BY m.created_at DESC LIMIT 1))
                 FROM alerts WHERE ended_at IS NULL ORDER BY severity DESC, since DESC, rule, object",
                    iso("since"), iso("told_at")),
                &[],
            )
            .await?;
        Ok(rows.iter().map(|row| with_word(row.get(0))).collect())
    }

    /// What is open and not silenced of each rule; the rule with the worst first.
    pub(crate) async fn open_alerts_by_rule(&self) -> Result<Vec<OpenOfRule>, StoreError> {
        let client = self.client().await?;
        let open = client
            .prepare_cached(&format!("WITH open AS (
                     SELECT rule, object, severity, summary, path, {} AS since, count(*) OVER (PARTITION BY rule) - 1 AS others,
                            row_number() OVER (PARTITION BY rule ORDER BY severity DESC, since DESC, object) AS place
                     FROM alerts WHERE ended_at IS NULL AND NOT {SILENCED}
                 )
                 SELECT to_jsonb(open), others FROM open WHERE place = 1 ORDER BY severity DESC, since DESC, rule",
                iso("since")
            ))
            .await?;
        let rows = client.query(&open, &[]).await?;
        let of_rule = |row: &Row| OpenOfRule {
            worst: with_word(row.get(0)),
            others: u64::try_from(row.get::<_, i64>(1)).unwrap_or(0),
        };
        Ok(rows.iter().map(of_rule).collect())
    }
}

/// An alert with the word for its severity.
fn with_word(mut alert: Value) -> Value {
    let number = alert["severity"]
        .as_i64()
        .and_then(|number| i16::try_from(number).ok());
    alert["severity"] = messages::severity_word(number.unwrap_or(0)).into();
    alert
}

/// Has open alerts, what waits to be told of them, and silences follow an issue to `becomes`, or to what that is merged into. An alert
/// of a rule that has one about that already ends by itself.
pub(super) async fn follow(
    transaction: &Transaction<'_>,
    was: Uuid,
    becomes: Uuid,
) -> Result<(), StoreError> {
    let target = "SELECT coalesce(merged_into, issue) FROM triage WHERE issue = $1";
    let target: Uuid = transaction.query_one(target, &[&becomes]).await?.get(0);
    let (old, new) = (was.simple().to_string(), target.simple().to_string());
    for sql in [
        "DELETE FROM alerts e USING alerts o
         WHERE e.object = $2 AND e.ended_at IS NOT NULL AND o.object = $1 AND o.ended_at IS NULL AND o.rule = e.rule",
        "UPDATE alerts a SET object = $2, path = '/issues/' || $2
         WHERE object = $1 AND ended_at IS NULL AND NOT EXISTS (SELECT FROM alerts n WHERE n.rule = a.rule AND n.object = $2)",
        "UPDATE alert_messages SET message = message || jsonb_build_object('object', $2::text, 'path', '/issues/' || $2)
         WHERE done_at IS NULL AND message->>'object' = $1",
        "UPDATE alert_silences SET object = $2 WHERE object = $1 AND until > now()",
    ] {
        transaction.execute(sql, &[&old, &new]).await?;
    }
    Ok(())
}
