//! What nobody is told for some time.

use std::time::Duration;

use tokio_postgres::Row;

use super::{FINDINGS, Store, StoreError, clean};

/// What nobody is told for some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// The rule.
    pub rule: String,
    /// What it is about; empty: anything.
    pub object: String,
    /// Until when, seconds since the Unix epoch.
    pub until_unix_s: i64,
    /// Who wanted it.
    pub who: String,
    /// Why.
    pub note: String,
}

impl Store {
    /// Keeps a rule, or one object of it, quiet for some time.
    pub async fn silence(
        &self,
        rule: &str,
        object: &str,
        time: Duration,
        who: &str,
        note: &str,
    ) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute(
                "INSERT INTO alert_silences (rule, object, until, who, note)
                 VALUES ($1, $2, now() + make_interval(secs => $3), $4, $5)",
                &[
                    &clean(rule),
                    &clean(object),
                    &time.as_secs_f64(),
                    &clean(who),
                    &clean(note),
                ],
            )
            .await?;
        Ok(())
    }

    /// Whether a rule of this name found something in the last time.
    pub async fn has_found(&self, rule: &str) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let found = "SELECT EXISTS (SELECT FROM alerts WHERE rule = $1)";
        Ok(client.query_one(found, &[&clean(rule)]).await?.get(0))
    }

    /// Silences that last still, those that end first first; at most [`FINDINGS`].
    pub async fn silences(&self) -> Result<Vec<Silence>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "SELECT rule, object, extract(epoch FROM until)::bigint, who, note FROM alert_silences
                 WHERE until > now() ORDER BY until, id LIMIT $1",
                &[&i64::from(FINDINGS)],
            )
            .await?;
        let silence = |row: &Row| Silence {
            rule: row.get(0),
            object: row.get(1),
            until_unix_s: row.get(2),
            who: row.get(3),
            note: row.get(4),
        };
        Ok(rows.iter().map(silence).collect())
    }

    /// Ends the silences of a rule, or of one object of it; says whether there were any.
    pub async fn unsilence(&self, rule: &str, object: &str) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let ended = client
            .execute(
                "DELETE FROM alert_silences WHERE rule = $1 AND ($2 = '' OR object = $2)",
                &[&clean(rule), &clean(object)],
            )
            .await?;
        Ok(ended > 0)
    }
}
