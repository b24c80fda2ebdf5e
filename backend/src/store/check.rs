//! Whether a database is as this program needs it.

use jiff::Timestamp;
use serde::Serialize;

use super::{Store, StoreError, upkeep};

/// The oldest PostgreSQL, as `server_version_num` has it.
const OLDEST_SERVER: i32 = 150_000;
/// Days ahead that partitions should be there for: fewer, and upkeep has not run for a while.
const DAYS_AHEAD: i64 = 2;
/// What clocks may differ by, seconds: a round trip, and what NTP leaves.
const CLOCKS_S: f64 = 5.0;
/// Free space below which it is time to do something, percent.
const FREE_PERCENT: u64 = 10;

/// What each role may do if `roles.sql` was run in this database, by the oldest and the newest of its rights.
const TELLING: [(&str, &str, &str); 8] = [
    ("telemetrics_ingest", "records", "INSERT"),
    ("telemetrics_ingest", "population", "DELETE"),
    ("telemetrics_query", "records", "SELECT"),
    ("telemetrics_query", "saved_searches", "SELECT"),
    ("telemetrics_pages", "triage", "UPDATE"),
    ("telemetrics_pages", "saved_searches", "INSERT"),
    ("telemetrics_grafana", "v_records", "SELECT"),
    ("telemetrics_grafana", "v_exposure_daily", "SELECT"),
];

/// How it is with one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, and will not for ever.
    Warning,
    /// It does not work.
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Condition {
    /// Which: server, schema, roles, partitions, books, clock, durability, disk.
    pub what: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found, and what to do where it is not good.
    pub detail: String,
}

/// What is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Hosts that were ever heard.
    pub hosts: i64,
    /// Records that were not given up since.
    pub records: i64,
}

impl Condition {
    /// One that is good when `good`, or else `otherwise`.
    fn new(what: &'static str, good: bool, otherwise: Verdict, detail: String) -> Self {
        let verdict = if good { Verdict::Good } else { otherwise };
        Self {
            what,
            verdict,
            detail,
        }
    }

    /// How full the file system of a folder is.
    pub fn disk(folder: &std::path::Path) -> Self {
        let space = match rustix::fs::statvfs(folder) {
            Ok(space) => space,
            Err(error) => {
                let detail = format!("{}: {error}", folder.display());
                return Self::new("disk", false, Verdict::Bad, detail);
            }
        };
        let percent = space.f_bavail.saturating_mul(100) / space.f_blocks.max(1);
        let advice = "let `retention` give records up, or make it larger (docs/data-model.md)";
        Self::new(
            "disk",
            percent >= FREE_PERCENT,
            Verdict::Warning,
            format!(
                "{percent} % of it are free at {}; below {FREE_PERCENT} %: {advice}",
                folder.display()
            ),
        )
    }
}

impl Store {
    /// Whether the schema is the one that this program knows. The error says what to do.
    pub async fn require_schema(&self) -> Result<(), StoreError> {
        let (found, needed) = (self.schema_version().await?, upkeep::latest_migration());
        if found < needed {
            return Err(StoreError::OldSchema { found, needed });
        }
        Ok(())
    }

    /// Looks at everything that can be asked of the database; `now` is the time here. The error: it does not even answer.
    pub async fn check(&self, now: Timestamp) -> Result<Vec<Condition>, StoreError> {
        let schema = self.schema_version().await?;
        let mut conditions = vec![self.check_server().await?, schema_condition(schema)];
        // Without the tables there is nothing more to ask.
        if schema == upkeep::latest_migration() {
            conditions.push(self.check_roles().await?);
            conditions.push(self.check_partitions().await?);
            conditions.push(self.check_books().await?);
        }
        conditions.push(self.check_durability().await?);
        conditions.push(self.check_clock(now).await?);
        Ok(conditions)
    }

    /// Whether there are no tables in the database.
    pub async fn is_empty(&self) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let none = "SELECT NOT EXISTS (SELECT FROM pg_class
                                       WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v'))";
        Ok(client.query_one(none, &[]).await?.get(0))
    }

    /// How much is stored, by the books.
    pub async fn held(&self) -> Result<Held, StoreError> {
        let client = self.client().await?;
        let held = "SELECT (SELECT count(*) FROM hosts), (SELECT coalesce(sum(records - expired), 0)::bigint FROM senders)";
        let row = client.query_one(held, &[]).await?;
        Ok(Held {
            hosts: row.get(0),
            records: row.get(1),
        })
    }

    /// The latest migration that was applied; 0: none.
    async fn schema_version(&self) -> Result<i32, StoreError> {
        let client = self.client().await?;
        let there = "SELECT to_regclass('public.refinery_schema_history') IS NOT NULL";
        if !client.query_one(there, &[]).await?.get::<_, bool>(0) {
            return Ok(0);
        }
        let version = "SELECT coalesce(max(version), 0) FROM refinery_schema_history";
        Ok(client.query_one(version, &[]).await?.get(0))
    }

    async fn check_server(&self) -> Result<Condition, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_one(
                "SELECT current_setting('server_version_num')::int, current_setting('server_version')",
                &[],
            )
            .await?;
        let (number, name): (i32, String) = (row.get(0), row.get(1));
        let detail = format!("PostgreSQL {name}; 15 or newer is needed");
        Ok(Condition::new(
            "server",
            number >= OLDEST_SERVER,
            Verdict::Bad,
            detail,
        ))
    }

    async fn check_roles(&self) -> Result<Condition, StoreError> {
        let client = self.client().await?;
        let (roles, relations, rights): (Vec<&str>, Vec<&str>, Vec<&str>) = TELLING.into_iter().collect();
        // Roles are of the whole server, and what they may do is of one database.
        let row = client
            .query_one(
                "SELECT coalesce(array_agg(DISTINCT wanted.role) FILTER (WHERE r.oid IS NULL), '{}'),
                        coalesce(array_agg(DISTINCT wanted.role) FILTER (
                            WHERE NOT (has_schema_privilege(r.oid, 'public', 'USAGE')
                                       AND has_table_privilege(r.oid, 'public.' || relation, privilege))), '{}')
                 FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted(role, relation, privilege)
                 LEFT JOIN pg_roles r ON r.rolname = wanted.role",
                &[&roles, &relations, &rights],
            )
            .await?;
        let (missing, powerless): (Vec<String>, Vec<String>) = (row.get(0), row.get(1));
        let advice = "`backend migrate --roles` mends that, where users shall have few rights";
        let wrong: Vec<String> = [
            (missing, "not there"),
            (powerless, "without rights in this database"),
        ]
        .into_iter()
        .filter(|(roles, _)| !roles.is_empty())
        .map(|(roles, how)| format!("{}: {how}", roles.join(", ")))
        .collect();
        let good = wrong.is_empty();
        let detail = if good {
            "those for storing, for asking, for pages and for Grafana are there and have their rights"
                .to_owned()
        } else {
            format!("{}; {advice}", wrong.join("; "))
        };
        Ok(Condition::new("roles", good, Verdict::Warning, detail))
    }

    async fn check_partitions(&self) -> Result<Condition, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_one(
                "SELECT count(*) FILTER (WHERE to_regclass('records_' || to_char(day, 'YYYYMMDD')) IS NOT NULL),
                        EXISTS (SELECT FROM records_default)
                 FROM generate_series(now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC' + ($1 - 1) * interval '1 day',
                                      interval '1 day') AS day",
                &[&i32::try_from(DAYS_AHEAD).unwrap_or(1)],
            )
            .await?;
        let (there, strays): (i64, bool) = (row.get(0), row.get(1));
        let mut wrong = Vec::new();
        if there < DAYS_AHEAD {
            wrong.push("there are none for today or tomorrow: neither a collector nor `backend migrate` made them, see their logs");
        }
        if strays {
            wrong.push("records_default has records of days without one: a collector that migrates moves them within the hour, `backend migrate` at once, 31 days at a time");
        }
        let good = wrong.is_empty();
        let detail = if good {
            "there are partitions for today and tomorrow, and nothing outside of them".to_owned()
        } else {
            wrong.join("; ")
        };
        Ok(Condition::new("partitions", good, Verdict::Warning, detail))
    }

    async fn check_books(&self) -> Result<Condition, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_one(
                "SELECT count(*), count(*) FILTER (WHERE NOT balanced) FROM books",
                &[],
            )
            .await?;
        let (senders, wrong): (i64, i64) = (row.get(0), row.get(1));
        let detail = if wrong == 0 {
            format!("those of all {senders} senders balance")
        } else {
            format!(
                "those of {wrong} of {senders} senders do not balance: SELECT * FROM v_books WHERE NOT balanced"
            )
        };
        Ok(Condition::new("books", wrong == 0, Verdict::Bad, detail))
    }

    async fn check_durability(&self) -> Result<Condition, StoreError> {
        let client = self.client().await?;
        let off: Vec<String> = client
            .query_one(
                "SELECT coalesce(array_agg(name::text ORDER BY name), '{}') FROM pg_settings
                 WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes') AND setting = 'off'",
                &[],
            )
            .await?
            .get(0);
        let detail = if off.is_empty() {
            "what is acknowledged is on disk".to_owned()
        } else {
            let off = off.join(", ");
            format!("off: {off}; records that were acknowledged can be lost: turn it on in postgresql.conf")
        };
        Ok(Condition::new("durability", off.is_empty(), Verdict::Bad, detail))
    }

    async fn check_clock(&self, now: Timestamp) -> Result<Condition, StoreError> {
        let client = self.client().await?;
        let clock = "SELECT extract(epoch FROM clock_timestamp())::float8";
        let theirs: f64 = client.query_one(clock, &[]).await?.get(0);
        let apart_s = (theirs - now.as_duration().as_secs_f64()).abs();
        let detail = format!(
            "the database's differs by {apart_s:.1} s; more than {CLOCKS_S} s: is NTP at work on both?"
        );
        Ok(Condition::new(
            "clock",
            apart_s <= CLOCKS_S,
            Verdict::Warning,
            detail,
        ))
    }
}

fn schema_condition(found: i32) -> Condition {
    let needed = upkeep::latest_migration();
    let detail = match found.cmp(&needed) {
        std::cmp::Ordering::Equal => format!("version {found}, the latest that this program knows"),
        std::cmp::Ordering::Less => format!("version {found}, {needed} is needed: run `backend migrate`"),
        std::cmp::Ordering::Greater => {
            format!("version {found}, of a newer program than this, which knows {needed}")
        }
    };
    let verdict = match found.cmp(&needed) {
        std::cmp::Ordering::Equal => Verdict::Good,
        std::cmp::Ordering::Less => Verdict::Bad,
        std::cmp::Ordering::Greater => Verdict::Warning,
    };
    Condition {
        what: "schema",
        verdict,
        detail,
    }
}
