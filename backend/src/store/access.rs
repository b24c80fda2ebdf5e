//! People, sessions, tokens of programs, and who did what.

use std::time::Duration;

use deadpool_postgres::Object;
use serde::Serialize;

use super::{Store, StoreError, clean};
use crate::access::{Caller, Role};

/// A session ends that long after it began, seconds: a week.
const SESSION_S: f64 = 7.0 * 86_400.0;
/// And that long after its last request, seconds: a day.
const IDLE_S: f64 = 86_400.0;
/// How precisely it is kept when that was, seconds.
const SEEN_S: f64 = 300.0;
/// Entries that are told at once at most.
const AUDIT: i64 = 1000;

/// What people call a token by, of which only the hash is kept.
pub(super) const TOKEN_ID: &str = "left(encode(token_sha256, 'hex'), 16)";

/// Somebody who may sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The role.
    pub role: String,
    /// Since when, seconds since the Unix epoch.
    pub created_unix_s: i64,
    /// Browsers that are signed in.
    pub sessions: i64,
}

/// A token of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiToken {
    /// The first 16 digits of its hash.
    pub id: String,
    /// What it is for.
    pub note: String,
    /// The role.
    pub role: String,
    /// When it was made, seconds since the Unix epoch.
    pub created_unix_s: i64,
    /// When it ends, seconds since the Unix epoch.
    pub expires_unix_s: i64,
    /// Whether it was taken back.
    pub revoked: bool,
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    /// When, seconds since the Unix epoch.
    pub unix_s: i64,
    /// By whom.
    pub who: String,
    /// What.
    pub action: String,
    /// To what.
    pub object: String,
}

impl Store {
    /// Adds somebody, or gives them another role and password. Their sessions end.
    pub async fn set_person(&self, name: &str, role: Role, password_hash: &str) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute(
                "WITH ended AS (DELETE FROM sessions WHERE name = $1)
                 INSERT INTO people (name, role, password) VALUES ($1, $2, $3)
                 ON CONFLICT (name) DO UPDATE SET role = $2, password = $3, changed_at = now()",
                &[&name, &role.name(), &password_hash],
            )
            .await?;
        Ok(())
    }

    /// Gives somebody another role; says whether they are known.
    pub async fn set_role(&self, name: &str, role: Role) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let changed = client
            .execute(
                "UPDATE people SET role = $2, changed_at = now() WHERE name = $1",
                &[&name, &role.name()],
            )
            .await?;
        Ok(changed > 0)
    }

    /// Removes somebody and ends their sessions; says whether they were known.
    pub async fn remove_person(&self, name: &str) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let removed = client
            .execute("DELETE FROM people WHERE name = $1", &[&name])
            .await?;
        Ok(removed > 0)
    }

    /// Everybody who may sign in.
    pub async fn people(&self) -> Result<Vec<Person>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "SELECT name, role, extract(epoch FROM created_at)::bigint,
                        (SELECT count(*) FROM sessions s WHERE s.name = p.name
                         AND s.created_at > now() - make_interval(secs => $1)
                         AND s.seen_at > now() - make_interval(secs => $2))
                 FROM people p ORDER BY name",
                &[&SESSION_S, &IDLE_S],
            )
            .await?;
        let person = |row: &tokio_postgres::Row| Person {
            name: row.get(0),
            role: row.get(1),
            created_unix_s: row.get(2),
            sessions: row.get(3),
        };
        Ok(rows.iter().map(person).collect())
    }

    /// What is kept of somebody's password.
    pub(crate) async fn password(&self, name: &str) -> Result<Option<String>, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_opt("SELECT password FROM people WHERE name = $1", &[&clean(name)])
            .await?;
        Ok(row.map(|row| row.get(0)))
    }

    pub(crate) async fn open_session(&self, cookie_sha256: &[u8], name: &str) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute(
                "WITH old AS (DELETE FROM sessions WHERE created_at < now() - make_interval(secs => $3)
                              OR seen_at < now() - make_interval(secs => $4)),
                      told AS (INSERT INTO audit_log (who, action, object) VALUES ($2, 'sign-in', ''))
                 INSERT INTO sessions (token_sha256, name) VALUES ($1, $2)",
                &[&cookie_sha256, &name, &SESSION_S, &IDLE_S],
            )
            .await?;
        Ok(())
    }

    pub(crate) async fn end_session(&self, cookie_sha256: &[u8]) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute("DELETE FROM sessions WHERE token_sha256 = $1", &[&cookie_sha256])
            .await?;
        Ok(())
    }

    /// Whose session it is, unless it is over.
    pub(crate) async fn session_caller(&self, cookie_sha256: &[u8]) -> Result<Option<Caller>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT name, role, seen_at < now() - make_interval(secs => $4)
                 FROM sessions JOIN people USING (name)
                 WHERE token_sha256 = $1 AND sessions.created_at > now() - make_interval(secs => $2)
                   AND seen_at > now() - make_interval(secs => $3)",
            )
            .await?;
        let row = client
            .query_opt(&statement, &[&cookie_sha256, &SESSION_S, &IDLE_S, &SEEN_S])
            .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        if row.get(2) {
            client
                .execute(
                    "UPDATE sessions SET seen_at = now() WHERE token_sha256 = $1",
                    &[&cookie_sha256],
                )
                .await?;
        }
        Ok(caller(row.get(0), row.get(1)))
    }

    /// Notes a new token of a program. Answers with when it ends, seconds since the Unix epoch.
    pub async fn create_api_token(
        &self,
        sha256: &[u8],
        role: Role,
        life: Duration,
        note: &str,
    ) -> Result<i64, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_one(
                "INSERT INTO api_tokens (token_sha256, role, expires_at, note)
                 VALUES ($1, $2, now() + make_interval(secs => $3), $4)
                 RETURNING extract(epoch FROM expires_at)::bigint",
                &[&sha256, &role.name(), &life.as_secs_f64(), &clean(note)],
            )
            .await?;
        Ok(row.get(0))
    }

    /// All tokens of programs, the newest first.
    pub async fn api_tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                &format!(
                    "SELECT {TOKEN_ID}, note, role, extract(epoch FROM created_at)::bigint,
                            extract(epoch FROM expires_at)::bigint, revoked_at IS NOT NULL
                     FROM api_tokens ORDER BY created_at DESC, token_sha256"
                ),
                &[],
            )
            .await?;
        let token = |row: &tokio_postgres::Row| ApiToken {
            id: row.get(0),
            note: row.get(1),
            role: row.get(2),
            created_unix_s: row.get(3),
            expires_unix_s: row.get(4),
            revoked: row.get(5),
        };
        Ok(rows.iter().map(token).collect())
    }

    /// Takes the token of a program back; says whether there is one with this id.
    pub async fn revoke_api_token(&self, id: &str) -> Result<bool, StoreError> {
        let client = self.client().await?;
        withdraw(&client, "api_tokens", id).await
    }

    /// Whose token it is, unless it is over.
    pub(crate) async fn api_token_caller(&self, sha256: &[u8]) -> Result<Option<Caller>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT note, role FROM api_tokens
                 WHERE token_sha256 = $1 AND revoked_at IS NULL AND expires_at > now()",
            )
            .await?;
        let row = client.query_opt(&statement, &[&sha256]).await?;
        Ok(row.and_then(|row| caller(row.get(0), row.get(1))))
    }

    /// Notes that something was done.
    pub async fn audit(&self, who: &str, action: &str, object: &str) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute(
                "INSERT INTO audit_log (who, action, object) VALUES (left($1, 256), $2, left($3, 256))",
                &[&clean(who), &action, &clean(object)],
            )
            .await?;
        Ok(())
    }

    /// What was done last, the latest first, a thousand entries at most.
    pub async fn audit_log(&self) -> Result<Vec<AuditEntry>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "SELECT extract(epoch FROM at)::bigint, who, action, object FROM audit_log ORDER BY at DESC, id LIMIT $1",
                &[&AUDIT],
            )
            .await?;
        let entry = |row: &tokio_postgres::Row| AuditEntry {
            unix_s: row.get(0),
            who: row.get(1),
            action: row.get(2),
            object: row.get(3),
        };
        Ok(rows.iter().map(entry).collect())
    }
}

/// Nobody, where the role is one that this version does not know.
fn caller(name: String, role: &str) -> Option<Caller> {
    Some(Caller {
        name: Some(name),
        role: Role::named(role)?,
    })
}

/// Withdraws the token of a table that has this id; says whether there is one.
pub(super) async fn withdraw(client: &Object, table: &'static str, id: &str) -> Result<bool, StoreError> {
    let withdraw =
        format!("UPDATE {table} SET revoked_at = coalesce(revoked_at, now()) WHERE {TOKEN_ID} = $1");
    Ok(client.execute(&withdraw, &[&id]).await? > 0)
}
