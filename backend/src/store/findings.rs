//! What the rules of alerts look for.

use std::time::Duration;

use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    Store, StoreError,
    alerts::FINDINGS,
    clean, count,
    filter::{self, Parameters},
    time::iso,
};

/// Hosts that were silent for longer are gone, and no longer told of.
pub(crate) const GONE_DAYS: u8 = 14;
/// The object of the alert that stands for what is not told one by one.
const REST: &str = "(more)";
/// What is told of `found`. Of regressed ones the hosts with a record since they were resolved, in a kernel and build that should not have
/// it, and what brought them back; both are null where the history does not say.
const ISSUES: &str = "
    SELECT replace(i.issue::text, '-', ''), i.state, i.title, i.severity::smallint, i.hosts::bigint, since.hosts, told.first, i.every
    FROM found i
    LEFT JOIN LATERAL (
        SELECT max(h.at) FILTER (WHERE h.change->>'state' = 'resolved') AS resolved_at,
               (array_agg(h.change->>'note' ORDER BY h.at DESC)
                    FILTER (WHERE h.who = 'collector' AND h.change->>'state' = 'regressed'))[1] AS first
        FROM triage_history h WHERE h.issue = i.issue AND i.state = 'regressed'
    ) told ON true
    LEFT JOIN LATERAL (
        WITH seen AS MATERIALIZED (
            SELECT s.agent_id, s.kernel_release, s.os_build
            FROM triage t
            JOIN sightings s ON s.issue = t.issue AND s.day >= date_trunc('day', told.resolved_at, 'UTC')
            JOIN fingerprints f ON f.agent_id = s.agent_id AND f.fingerprint = s.issue AND f.last_seen >= told.resolved_at
            WHERE t.issue = i.issue OR t.merged_into = i.issue
        ), reached AS MATERIALIZED (
            -- Each once: there are fewer kernels and builds than hosts.
            SELECT v.kernel_release, v.os_build FROM (SELECT DISTINCT kernel_release, os_build FROM seen) v
            WHERE (i.resolved_in = '' OR version_reached(v.kernel_release, i.resolved_in))
              AND (i.resolved_in_build = '' OR version_reached(v.os_build, i.resolved_in_build))
        )
        SELECT nullif(count(DISTINCT agent_id), 0) AS hosts FROM seen JOIN reached USING (kernel_release, os_build)
    ) since ON true
    ORDER BY i.place";

/// Something that a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub object: String,
    /// 1 to 4.
    pub severity: i16,
    /// What is the matter.
    pub summary: String,
    /// The page that shows it.
    pub path: String,
}

/// All that a rule found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// What is told one by one: what is open already, then the most important.
    pub findings: Vec<Finding>,
    /// How much more there is.
    pub more: u64,
}

impl Found {
    /// Of rows whose last column is how many there are without a limit.
    pub(super) fn of(rows: &[Row], finding: impl Fn(&Row) -> Finding) -> Self {
        let every = rows.first().map_or(0, |row| count(row.get(row.len() - 1)));
        Self {
            findings: rows.iter().map(finding).collect(),
            more: every.saturating_sub(rows.len() as u64),
        }
    }

    /// How much there is.
    pub fn count(&self) -> u64 {
        self.findings.len() as u64 + self.more
    }

    /// With no more than is told one by one. What is `open` stays, for it ends when it is no longer found, not when there is much else.
    pub(crate) fn cut(mut self, open: &[String]) -> Self {
        self.findings
            .sort_by_cached_key(|finding| !open.contains(&finding.object));
        let kept = self.findings.len().min(usize::from(FINDINGS));
        self.more += (self.findings.len() - kept) as u64;
        self.findings.truncate(kept);
        self
    }

    /// What stands for the rest; `path` is the page that has all.
    pub fn rest(&self, path: &str) -> Option<Finding> {
        let worst = self.findings.iter().map(|finding| finding.severity).max()?;
        (self.more > 0).then(|| Finding {
            object: REST.to_owned(),
            severity: worst,
            summary: format!("and {} more, which are not told one by one", self.more),
            path: path.to_owned(),
        })
    }
}

impl Store {
    /// What is open of a rule.
    pub async fn open_objects(&self, rule: &str) -> Result<Vec<String>, StoreError> {
        let client = self.client().await?;
        let open = "SELECT object FROM alerts WHERE rule = $1 AND ended_at IS NULL";
        let rows = client.query(open, &[&rule]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Issues in the state new, of this severity at least, that so many hosts have within that time of the first record.
    pub(crate) async fn new_issues(
        &self,
        hosts: u32,
        within: Duration,
        class: &str,
        severity: i16,
        open: &[String],
    ) -> Result<Found, StoreError> {
        let mut parameters = Parameters::default();
        let within = parameters.bind(within.as_secs_f64());
        let conditions = [
            "state = 'new'".to_owned(),
            format!("first_seen > now() - make_interval(secs => {within})"),
            format!("hosts >= {}", parameters.bind(i64::from(hosts))),
            format!("severity >= {}", parameters.bind(severity)),
        ];
        self.issues_found(&conditions, class, "hosts", open, parameters)
            .await
    }

    /// Issues in a state, those with the latest records first.
    pub(crate) async fn issues_in(
        &self,
        state: &str,
        class: &str,
        open: &[String],
    ) -> Result<Found, StoreError> {
        let mut parameters = Parameters::default();
        let conditions = [format!("state = {}", parameters.bind(state.to_owned()))];
        self.issues_found(&conditions, class, "last_seen", open, parameters)
            .await
    }

    /// Of issues that rose for so many days, each by its 32 digits, those that were there before, and that nobody has resolved or
    /// ignored; those in the state escalating are not among them.
    pub(crate) async fn issues_that_rose(
        &self,
        rises: impl Iterator<Item = (&str, u64)>,
        open: &[String],
    ) -> Result<Found, StoreError> {
        let rises =
            rises.filter_map(|(issue, days)| Some((Uuid::try_parse(issue).ok()?, i32::try_from(days).ok()?)));
        let (issues, days): (Vec<Uuid>, Vec<i32>) = rises.unzip();
        let mut parameters = Parameters::default();
        let (issues, days) = (parameters.bind(issues), parameters.bind(days));
        let conditions = [
            "state IN ('new', 'ongoing', 'regressed')".to_owned(),
            format!(
                "EXISTS (SELECT FROM unnest({issues}::uuid[], {days}::int[]) AS rise(of, days)
                         WHERE rise.of = issue AND first_seen < date_trunc('day', now(), 'UTC') - make_interval(days => rise.days - 1))"
            ),
        ];
        self.issues_found(&conditions, "", "hosts", open, parameters)
            .await
    }

    /// The builds that hosts began to run last, of those that were watched in these days, the newest first; of builds that began on the
    /// same day, by the hour.
    pub(crate) async fn newest_builds(&self, days: u32) -> Result<Vec<String>, StoreError> {
        let client = self.client().await?;
        let newest = client
            .prepare_cached(
                "WITH RECURSIVE known AS (
                     (SELECT os_build FROM exposure_daily WHERE os_build > '' ORDER BY os_build LIMIT 1)
                     UNION ALL
                     SELECT (SELECT os_build FROM exposure_daily WHERE os_build > k.os_build ORDER BY os_build LIMIT 1)
                     FROM known k WHERE k.os_build IS NOT NULL
                 ), builds AS (
                     SELECT os_build, (SELECT min(day) FROM exposure_daily e WHERE e.os_build = k.os_build) AS began,
                            (SELECT max(day) FROM exposure_daily e WHERE e.os_build = k.os_build) AS last
                     FROM known k WHERE os_build IS NOT NULL
                 )
                 SELECT b.os_build FROM builds b
                 WHERE b.last >= date_trunc('day', now(), 'UTC') - make_interval(days => $1 - 1)
                 ORDER BY b.began DESC, (SELECT min(e.hour) FROM exposure e
                                         WHERE e.os_build = b.os_build AND e.hour >= b.began
                                           AND e.hour < b.began + interval '24 hours') DESC NULLS LAST, b.os_build",
            )
            .await?;
        let days = i32::try_from(days).unwrap_or(i32::MAX);
        let rows = client.query(&newest, &[&days]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Issues of a class for which all of that holds: those that are `open`, then those with most in a column.
    async fn issues_found(
        &self,
        conditions: &[String],
        class: &str,
        most: &str,
        open: &[String],
        mut parameters: Parameters,
    ) -> Result<Found, StoreError> {
        let of_class = filter::of_class("class", &clean(class), &mut parameters);
        let conditions: Vec<&str> = conditions.iter().chain(&of_class).map(String::as_str).collect();
        let sql = format!(
            "WITH found AS (
                 SELECT *, count(*) OVER () AS every,
                        row_number() OVER (ORDER BY replace(issue::text, '-', '') = ANY ({}) DESC, {most} DESC, issue) AS place
                 FROM v_issues WHERE {} ORDER BY place LIMIT {}
             ) {ISSUES}",
            parameters.bind(open.to_vec()),
            conditions.join(" AND "),
            parameters.bind(i64::from(FINDINGS))
        );
        let client = self.client().await?;
        let rows = client.query(&sql, &parameters.values()).await?;
        Ok(Found::of(&rows, issue))
    }

    /// Hosts that were not heard of for so long.
    pub(crate) async fn silent_hosts(
        &self,
        longer_than: Duration,
        open: &[String],
    ) -> Result<Found, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                &format!(
                    "SELECT agent_id::text, hostname, {}, count(*) OVER () FROM hosts
                     WHERE last_seen BETWEEN now() - make_interval(days => $1) AND now() - make_interval(secs => $2)
                     ORDER BY agent_id::text = ANY ($4) DESC, last_seen DESC, agent_id LIMIT $3",
                    iso("last_seen")
                ),
                &[
                    &i32::from(GONE_DAYS),
                    &longer_than.as_secs_f64(),
                    &i64::from(FINDINGS),
                    &open,
                ],
            )
            .await?;
        let finding = |row: &Row| {
            let (agent, host, seen): (String, String, String) = (row.get(0), row.get(1), row.get(2));
            Finding {
                summary: format!("{host} has been silent since {seen}"),
                severity: 2,
                path: format!("/hosts/{agent}"),
                object: agent,
            }
        };
        Ok(Found::of(&rows, finding))
    }

    /// Hosts whose books do not balance. A host may have several spools: it is told of the first.
    pub(crate) async fn wrong_books(&self, open: &[String]) -> Result<Found, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "SELECT agent_id::text, coalesce(hostname, ''), produced::bigint, stored::bigint, lost::bigint, count(*) OVER ()
                 FROM (SELECT DISTINCT ON (agent_id) * FROM books WHERE NOT balanced ORDER BY agent_id, epoch) AS wrong
                 ORDER BY agent_id::text = ANY ($2) DESC, agent_id LIMIT $1",
                &[&i64::from(FINDINGS), &open],
            )
            .await?;
        let finding = |row: &Row| {
            let (agent, host): (String, String) = (row.get(0), row.get(1));
            let (produced, stored, lost): (i64, i64, i64) = (row.get(2), row.get(3), row.get(4));
            Finding {
                summary: format!(
                    "the books of {host} do not balance: {produced} produced, {stored} stored, {lost} lost"
                ),
                severity: 3,
                path: format!("/hosts/{agent}"),
                object: agent,
            }
        };
        Ok(Found::of(&rows, finding))
    }
}

/// A row of [`ISSUES`].
fn issue(row: &Row) -> Finding {
    let issue: String = row.get(0);
    let (state, title): (&str, &str) = (row.get(1), row.get(2));
    let (hosts, since): (i64, Option<i64>) = (row.get(4), row.get(5));
    let on = match since.unwrap_or(hosts) {
        1 => "1 host".to_owned(),
        hosts => format!("{hosts} hosts"),
    };
    let since = since.map_or("", |_| " since it was resolved");
    let first = row
        .get::<_, Option<&str>>(6)
        .map_or_else(String::new, |first| format!(" (first with {first})"));
    Finding {
        summary: format!("{state} on {on}{since}{first}: {title}"),
        severity: row.get(3),
        path: format!("/issues/{issue}"),
        object: issue,
    }
}
