//! Tokens, enrolled agents, agents that are shut out, and the authority's key.

use std::collections::HashSet;
use std::time::Duration;

use tokio_postgres::Row;
use uuid::Uuid;

use super::{Store, StoreError, access};
use crate::authority::Pair;

/// Agents that are shut out at the same time: those beyond are refused when they next connect.
const REVOKED: i64 = 100_000;

/// What a token looks like from outside: the token itself is kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Token {
    /// The first 16 hexadecimal digits of its hash.
    pub id: String,
    /// The only agent that it is for.
    pub agent_id: Option<Uuid>,
    /// How many agents it is for.
    pub uses: i32,
    /// How many have used it.
    pub used: i32,
    /// What somebody wrote down about it.
    pub note: String,
    /// Seconds since the Unix epoch.
    pub created_unix_s: i64,
    /// When it ends, seconds since the Unix epoch.
    pub expires_unix_s: i64,
    /// Whether it was withdrawn.
    pub revoked: bool,
}

/// An agent that was enrolled or shut out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Agent {
    /// The agent.
    pub agent_id: Uuid,
    /// Its host, where it has delivered something.
    pub hostname: Option<String>,
    /// When its last certificate ends, seconds since the Unix epoch; `None`: it was not enrolled.
    pub not_after_unix_s: Option<i64>,
    /// Since when it is shut out, seconds since the Unix epoch.
    pub revoked_unix_s: Option<i64>,
}

/// How an agent stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// It has a certificate.
    pub enrolled: bool,
    /// It is shut out.
    pub revoked: bool,
}

/// What became of an enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enrolled {
    /// It is noted.
    Done,
    /// The token is not good.
    BadToken,
    /// The agent has a certificate, and the token is not for this agent.
    Already,
    /// The agent is shut out.
    Revoked,
}

impl Store {
    /// The time by the database's clock, which all collectors share. Seconds since the Unix epoch.
    pub async fn now_unix_s(&self) -> Result<u64, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_one("SELECT extract(epoch FROM clock_timestamp())::bigint", &[])
            .await?;
        Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
    }

    /// The authority.
    pub async fn authority(&self) -> Result<Option<Pair>, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_opt(
                "SELECT certificate, key FROM authority JOIN authority_key USING (one)",
                &[],
            )
            .await?;
        Ok(row.map(|row| Pair {
            certificate: row.get(0),
            key: row.get(1),
        }))
    }

    /// Keeps an authority, unless there is one. Says whether it did.
    pub async fn keep_authority(&self, pair: &Pair) -> Result<bool, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let kept = transaction
            .execute(
                "INSERT INTO authority (certificate) VALUES ($1) ON CONFLICT DO NOTHING",
                &[&pair.certificate],
            )
            .await?;
        if kept == 1 {
            transaction
                .execute("INSERT INTO authority_key (key) VALUES ($1)", &[&pair.key])
                .await?;
        }
        transaction.commit().await?;
        Ok(kept == 1)
    }

    /// Makes a token known by its hash. Says when it ends, seconds since the Unix epoch.
    pub async fn create_token(
        &self,
        sha256: &[u8],
        agent_id: Option<Uuid>,
        uses: i32,
        life: Duration,
        note: &str,
    ) -> Result<i64, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_one(
                "INSERT INTO enrolment_tokens (token_sha256, agent_id, uses, expires_at, note)
                 VALUES ($1, $2, $3, now() + make_interval(secs => $4), $5)
                 RETURNING extract(epoch FROM expires_at)::bigint",
                &[
                    &sha256,
                    &agent_id,
                    &uses,
                    &life.as_secs_f64(),
                    &super::clean(note),
                ],
            )
            .await?;
        Ok(row.get(0))
    }

    /// All tokens, the newest first.
    pub async fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                &format!(
                    "SELECT {}, agent_id, uses, used, note, extract(epoch FROM created_at)::bigint,
                            extract(epoch FROM expires_at)::bigint, revoked_at IS NOT NULL
                     FROM enrolment_tokens ORDER BY created_at DESC, token_sha256",
                    access::TOKEN_ID
                ),
                &[],
            )
            .await?;
        Ok(rows.iter().map(token).collect())
    }

    /// Withdraws the token with this id. Says whether there is one.
    pub async fn revoke_token(&self, id: &str) -> Result<bool, StoreError> {
        let client = self.client().await?;
        access::withdraw(&client, "enrolment_tokens", id).await
    }

    /// Notes that an agent gets a certificate for a token, and that the token was used.
    pub async fn enrol(
        &self,
        token_sha256: &[u8],
        agent_id: Uuid,
        not_after_unix_s: u64,
    ) -> Result<Enrolled, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let token = transaction
            .query_opt(
                "UPDATE enrolment_tokens SET used = used + 1
                 WHERE token_sha256 = $1 AND used < uses AND revoked_at IS NULL AND expires_at > now()
                   AND (agent_id IS NULL OR agent_id = $2)
                 RETURNING agent_id IS NOT NULL",
                &[&token_sha256, &agent_id],
            )
            .await?;
        let Some(token) = token else {
            return Ok(Enrolled::BadToken);
        };
        let for_this_agent: bool = token.get(0);
        let revoked = transaction
            .query_opt("SELECT 1 FROM revoked_agents WHERE agent_id = $1", &[&agent_id])
            .await?;
        if revoked.is_some() {
            return Ok(Enrolled::Revoked);
        }
        let noted = transaction
            .execute(
                "INSERT INTO enrolled_agents AS known (agent_id, token_sha256, not_after)
                 VALUES ($1, $2, to_timestamp($3))
                 ON CONFLICT (agent_id) DO UPDATE
                 SET token_sha256 = $2, not_after = to_timestamp($3), enrolled_at = now(), renewed_at = NULL
                 WHERE $4",
                &[
                    &agent_id,
                    &token_sha256,
                    &seconds(not_after_unix_s),
                    &for_this_agent,
                ],
            )
            .await?;
        if noted == 0 {
            return Ok(Enrolled::Already);
        }
        transaction.commit().await?;
        Ok(Enrolled::Done)
    }

    /// Notes that an agent gets another certificate. Says whether it is enrolled and not shut out.
    pub async fn renew(&self, agent_id: Uuid, not_after_unix_s: u64) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let renewed = client
            .execute(
                "UPDATE enrolled_agents SET renewed_at = now(), not_after = to_timestamp($2)
                 WHERE agent_id = $1
                   AND NOT EXISTS (SELECT 1 FROM revoked_agents WHERE revoked_agents.agent_id = $1)",
                &[&agent_id, &seconds(not_after_unix_s)],
            )
            .await?;
        Ok(renewed > 0)
    }

    /// How an agent stands.
    pub async fn standing(&self, agent_id: Uuid) -> Result<Standing, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM enrolled_agents WHERE agent_id = $1),
                        EXISTS (SELECT 1 FROM revoked_agents WHERE agent_id = $1)",
            )
            .await?;
        let row = client.query_one(&statement, &[&agent_id]).await?;
        Ok(Standing {
            enrolled: row.get(0),
            revoked: row.get(1),
        })
    }

    /// Every agent that is shut out.
    pub async fn revoked(&self) -> Result<HashSet<Uuid>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached("SELECT agent_id FROM revoked_agents ORDER BY revoked_at DESC LIMIT $1")
            .await?;
        let rows = client.query(&statement, &[&REVOKED]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Shuts an agent out. Says whether that is new.
    pub async fn revoke_agent(&self, agent_id: Uuid, note: &str) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let revoked = client
            .execute(
                "INSERT INTO revoked_agents (agent_id, note) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                &[&agent_id, &super::clean(note)],
            )
            .await?;
        Ok(revoked > 0)
    }

    /// Lets an agent in again. Says whether it was shut out.
    pub async fn allow_agent(&self, agent_id: Uuid) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let allowed = client
            .execute("DELETE FROM revoked_agents WHERE agent_id = $1", &[&agent_id])
            .await?;
        Ok(allowed > 0)
    }

    /// Every agent that was enrolled or is shut out.
    pub async fn agents(&self) -> Result<Vec<Agent>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "SELECT agent_id, hosts.hostname, extract(epoch FROM not_after)::bigint,
                        extract(epoch FROM revoked_at)::bigint
                 FROM enrolled_agents FULL JOIN revoked_agents USING (agent_id) LEFT JOIN hosts USING (agent_id)
                 ORDER BY hosts.hostname NULLS LAST, agent_id",
                &[],
            )
            .await?;
        Ok(rows
            .iter()
            .map(|row| Agent {
                agent_id: row.get(0),
                hostname: row.get(1),
                not_after_unix_s: row.get(2),
                revoked_unix_s: row.get(3),
            })
            .collect())
    }
}

fn token(row: &Row) -> Token {
    Token {
        id: row.get(0),
        agent_id: row.get(1),
        uses: row.get(2),
        used: row.get(3),
        note: row.get(4),
        created_unix_s: row.get(5),
        expires_unix_s: row.get(6),
        revoked: row.get(7),
    }
}

/// Seconds as `to_timestamp` takes them: far below 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "seconds of this millennium fit exactly"
)]
fn seconds(unix_s: u64) -> f64 {
    unix_s as f64
}
