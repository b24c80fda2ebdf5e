//! The rules of what is given up, as people see and change them. [`super::expire`] goes by them.

use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::{Store, StoreError, clean, filter};

/// Days that can be kept at most: ten years. Who keeps longer says for ever.
pub const KEEP_DAYS: i32 = 3660;

/// A rule: the first that matches a record decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionRule {
    /// Its place among the rules.
    pub position: i32,
    /// A class, or a prefix that ends in a dot; empty: any.
    pub class: String,
    /// Records up to this severity match, 1 to 4.
    pub max_severity: i16,
    /// Records of this host match; None: of any.
    pub agent_id: Option<Uuid>,
    /// Days; None: for ever.
    pub keep_days: Option<i32>,
}

/// For how many days records of this class and severity are kept, whichever host they are of. None: for ever.
pub fn kept_days(rules: &[RetentionRule], class: &str, severity: i16) -> Option<i32> {
    let mut of_any_host = rules.iter().filter(|rule| rule.agent_id.is_none());
    let first =
        of_any_host.find(|rule| filter::class_is_of(class, &rule.class) && severity <= rule.max_severity);
    first.and_then(|rule| rule.keep_days)
}

impl Store {
    /// All rules, in the order in which they are tried.
    pub async fn retention(&self) -> Result<Vec<RetentionRule>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "SELECT position, class, max_severity, agent_id, keep_days FROM retention ORDER BY position",
                &[],
            )
            .await?;
        let rule = |row: &tokio_postgres::Row| RetentionRule {
            position: row.get(0),
            class: row.get(1),
            max_severity: row.get(2),
            agent_id: row.get(3),
            keep_days: row.get(4),
        };
        Ok(rows.iter().map(rule).collect())
    }

    /// Adds a rule. Within the hour it gives up what it says. False: there is one at this position.
    pub async fn add_retention(&self, rule: &RetentionRule) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let added = client
            .execute(
                "INSERT INTO retention (position, class, max_severity, agent_id, keep_days) VALUES ($1, $2, $3, $4, $5)",
                &[
                    &rule.position,
                    &clean(&rule.class),
                    &rule.max_severity,
                    &rule.agent_id,
                    &rule.keep_days,
                ],
            )
            .await;
        match added {
            Ok(_one) => Ok(true),
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the rule at a position away; says whether there was one.
    pub async fn remove_retention(&self, position: i32) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let removed = client
            .execute("DELETE FROM retention WHERE position = $1", &[&position])
            .await?;
        Ok(removed > 0)
    }
}
