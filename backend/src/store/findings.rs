//! What the rules of alerts look for.

use std::time::Duration;

use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    Store, StoreError,
    alerts::FINDINGS,
    clean,
    filter::{self, Parameters},
};

/// Hosts that were silent for longer are gone, and no longer told of.
pub(crate) const GONE_DAYS: u8 = 14;
const ISSUES: &str =
    "SELECT replace(issue::text, '-', ''), state, title, severity::smallint, hosts::bigint FROM v_issues";
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

impl Store {
    /// Issues in the state new, of this severity at least, that so many hosts have within that time of the first record.
    pub(crate) async fn new_issues(
        &self,
        hosts: u32,
        within: Duration,
        class: &str,
        severity: i16,
    ) -> Result<Vec<Finding>, StoreError> {
        let mut parameters = Parameters::default();
        let within = parameters.bind(within.as_secs_f64());
        let conditions = [
            "state = 'new'".to_owned(),
            format!("first_seen > now() - make_interval(secs => {within})"),
            format!("hosts >= {}", parameters.bind(i64::from(hosts))),
            format!("severity >= {}", parameters.bind(severity)),
        ];
        self.issues_found(&conditions, class, "hosts", parameters).await
    }

    /// Issues in a state, those with the latest records first.
    pub(crate) async fn issues_in(&self, state: &str, class: &str) -> Result<Vec<Finding>, StoreError> {
        let mut parameters = Parameters::default();
        let conditions = [format!("state = {}", parameters.bind(state.to_owned()))];
        self.issues_found(&conditions, class, "last_seen", parameters)
            .await
    }

    /// Of issues that rose for so many days, each by its 32 digits, those that were there before, and that nobody has resolved or
    /// ignored; those in the state escalating are not among them.
    pub(crate) async fn issues_that_rose(
        &self,
        rises: impl Iterator<Item = (&str, u64)>,
    ) -> Result<Vec<Finding>, StoreError> {
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
        self.issues_found(&conditions, "", "hosts", parameters).await
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

    /// Issues of a class for which all of that holds, those with most in a column first.
    async fn issues_found(
        &self,
        conditions: &[String],
        class: &str,
        most: &str,
        mut parameters: Parameters,
    ) -> Result<Vec<Finding>, StoreError> {
        let of_class = filter::of_class("class", &clean(class), &mut parameters);
        let conditions: Vec<&str> = conditions.iter().chain(&of_class).map(String::as_str).collect();
        let sql = format!(
            "{ISSUES} WHERE {} ORDER BY {most} DESC, issue LIMIT {}",
            conditions.join(" AND "),
            parameters.bind(i64::from(FINDINGS))
        );
        let client = self.client().await?;
        let rows = client.query(&sql, &parameters.values()).await?;
        let finding = |row: &Row| {
            let issue: String = row.get(0);
            let (state, title, hosts): (String, String, i64) = (row.get(1), row.get(2), row.get(4));
            let hosts = if hosts == 1 {
                "1 host".to_owned()
            } else {
                format!("{hosts} hosts")
            };
            Finding {
                summary: format!("{state} on {hosts}: {title}"),
                severity: row.get(3),
                path: format!("/issues/{issue}"),
                object: issue,
            }
        };
        Ok(rows.iter().map(finding).collect())
    }

    /// Hosts that were not heard of for so long.
    pub(crate) async fn silent_hosts(&self, longer_than: Duration) -> Result<Vec<Finding>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "SELECT agent_id::text, hostname, to_char(last_seen AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')
                 FROM hosts
                 WHERE last_seen BETWEEN now() - make_interval(days => $1) AND now() - make_interval(secs => $2)
                 ORDER BY last_seen DESC, agent_id LIMIT $3",
                &[&i32::from(GONE_DAYS), &longer_than.as_secs_f64(), &i64::from(FINDINGS)],
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
        Ok(rows.iter().map(finding).collect())
    }

    /// Hosts whose books do not balance.
    pub(crate) async fn wrong_books(&self) -> Result<Vec<Finding>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "SELECT agent_id::text, coalesce(hostname, ''), produced::bigint, stored::bigint, lost::bigint
                 FROM books WHERE NOT balanced ORDER BY agent_id, epoch LIMIT $1",
                &[&i64::from(FINDINGS)],
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
        let mut found: Vec<_> = rows.iter().map(finding).collect();
        // A host may have several spools.
        found.dedup_by(|next, first| next.object == first.object);
        Ok(found)
    }
}
