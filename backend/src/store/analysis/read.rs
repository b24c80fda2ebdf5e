//! Reads histories from what is counted.

use std::{collections::HashMap, pin::pin, sync::Arc};

use deadpool_postgres::{GenericClient as _, Object, Transaction};
use futures::TryStreamExt as _;
use indexmap::{Equivalent, IndexMap, IndexSet};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    check_days, count,
    histories::{Histories, History, KnownIssue, Seen, System, Watched},
};
use crate::store::{
    Store, StoreError,
    time::{DAY, Micros},
};

/// Rows that are read of a kind at most: 30 days of 300,000 hosts. What they become takes some 40 bytes each.
const ROWS: usize = 10_000_000;

/// Arrays, because a row for each day takes three times as long to send and to read.
const WATCHED: &str = "SELECT agent_id, os_build, kernel_release, product, array_agg(day), array_agg(seconds)
                       FROM exposure_daily WHERE day >= $1 GROUP BY 1, 2, 3, 4";
/// The day is that of `first_at`.
const SEEN: &str = "SELECT agent_id, os_build, kernel_release, product, array_agg(issue), array_agg(first_at), array_agg(records)
                    FROM sightings WHERE day >= $1 GROUP BY 1, 2, 3, 4";
/// PostgreSQL expects 8 kB of each array, and would rather sort all rows. Where it does not know how many days are asked for, it expects a
/// third of all rows and looks them up by the index. A month of 100,000 hosts takes it some five seconds.
const SETTINGS: &str = "SET LOCAL enable_sort = off; SET LOCAL plan_cache_mode = force_custom_plan; \
                        SET LOCAL work_mem = '64MB'; SET LOCAL statement_timeout = '60s'";
/// What counts for an issue, whatever that was then. What a host has not had since is of no interest, unless another that counts for the
/// same came since.
const HAD: &str = "SELECT DISTINCT f.agent_id, coalesce(t.merged_into, t.issue)
                   FROM fingerprints f JOIN triage t ON t.issue = f.fingerprint
                   WHERE f.first_seen < $1
                     AND (f.last_seen >= $1 OR t.merged_into IS NOT NULL
                          OR t.issue IN (SELECT merged_into FROM triage WHERE merged_into IS NOT NULL))";
/// What came in these days, and what others are merged into: to ask for as many by their ids takes three times as long.
const ISSUES: &str = "SELECT issue, coalesce(merged_into, issue), class, title, severity FROM triage
                      WHERE last_seen >= $1 OR issue IN (SELECT merged_into FROM triage WHERE merged_into IS NOT NULL)";
const ISSUES_BY_ID: &str =
    "SELECT issue, coalesce(merged_into, issue), class, title, severity FROM triage WHERE issue = ANY ($1)";

impl Store {
    /// The histories of all hosts in so many days (UTC), 1 to 366, of which today is the last.
    pub async fn histories(&self, days: u32) -> Result<Arc<Histories>, StoreError> {
        check_days(days)?;
        let store = self.clone();
        // It is large, and part of what many wait for.
        let read = Box::pin(async move { read(&store, days).await });
        self.kept.get(days, read).await
    }
}

/// Reads it over two connections at the same time.
async fn read(store: &Store, days: u32) -> Result<Histories, StoreError> {
    let days = i32::try_from(days).unwrap_or(i32::MAX);
    let bounds =
        "SELECT today - make_interval(days => $1 - 1), today FROM date_trunc('day', now(), 'UTC') AS today";
    let client = store.client().await?;
    let statement = client.prepare_cached(bounds).await?;
    let bounds = client.query_one(&statement, &[&days]).await?;
    drop(client);
    let (since, today): (Micros, Micros) = (bounds.get(0), bounds.get(1));

    let watched = async {
        let mut client = store.client().await?;
        let transaction = transaction(&mut client).await?;
        let mut watched = Reading::since(since);
        rows(&transaction, WATCHED, since, |row| watched.watched(row)).await?;
        let mut had: Vec<(Uuid, Uuid)> = Vec::new();
        let add = |row: &Row| {
            had.push((row.get(0), row.get(1)));
            1
        };
        rows(&transaction, HAD, since, add).await?;
        let statement = transaction.prepare_cached(ISSUES).await?;
        let told = told(&transaction.query(&statement, &[&since]).await?);
        Ok((watched, had, told))
    };
    let seen = async {
        let mut client = store.client().await?;
        let transaction = transaction(&mut client).await?;
        let (mut seen, mut issues) = (Reading::since(since), IndexSet::new());
        rows(&transaction, SEEN, since, |row| seen.seen(row, &mut issues)).await?;
        Ok::<_, StoreError>((seen, issues))
    };
    let ((watched, had, mut told_of), (seen, issues)) = tokio::try_join!(watched, seen)?;
    // What came while it was read.
    let unknown = issues.iter().filter(|issue| !told_of.contains_key(*issue));
    let unknown: Vec<Uuid> = unknown.copied().collect();
    if !unknown.is_empty() {
        let client = store.client().await?;
        let statement = client.prepare_cached(ISSUES_BY_ID).await?;
        told_of.extend(told(&client.query(&statement, &[&unknown]).await?));
    }
    Ok(Histories {
        days: usize::from(day(since, today)) + 1,
        since: since.0,
        ..joined(watched, seen, &had, known(issues, told_of))
    })
}

async fn transaction(client: &mut Object) -> Result<Transaction<'_>, StoreError> {
    let transaction = client.build_transaction().read_only(true).start().await?;
    transaction.batch_execute(SETTINGS).await?;
    Ok(transaction)
}

/// Reads the rows of a query; `add` says how much it took from one, [`ROWS`] of that in all at most.
async fn rows(
    transaction: &Transaction<'_>,
    sql: &str,
    since: Micros,
    mut add: impl FnMut(&Row) -> usize,
) -> Result<(), StoreError> {
    let statement = transaction.prepare_cached(sql).await?;
    let mut rows = pin!(transaction.query_raw(&statement, [since]).await?);
    let mut taken = 0;
    while let Some(row) = rows.try_next().await? {
        taken += add(&row);
        if taken > ROWS {
            let refused = "so many days of this fleet are too much to add up: ask for fewer";
            return Err(StoreError::InvalidFilter(refused.to_owned()));
        }
    }
    Ok(())
}

/// What a table has of hosts, and in which systems.
struct Reading<T> {
    since: Micros,
    systems: IndexSet<System>,
    hosts: IndexMap<Uuid, Vec<T>>,
}

impl<T> Reading<T> {
    fn since(since: Micros) -> Self {
        Self {
            since,
            systems: IndexSet::new(),
            hosts: IndexMap::new(),
        }
    }

    /// Adds what a row has of its host.
    fn add(&mut self, row: &Row, told: impl ExactSizeIterator<Item = T>) -> usize {
        let number = told.len();
        self.hosts.entry(row.get(0)).or_default().extend(told);
        number
    }

    fn system(&mut self, row: &Row) -> u32 {
        let named = Named {
            build: row.get(1),
            kernel: row.get(2),
            model: row.get(3),
        };
        let known = self.systems.get_index_of(&named);
        place(known.unwrap_or_else(|| self.systems.insert_full(named.into()).0))
    }
}

impl Reading<Watched> {
    fn watched(&mut self, row: &Row) -> usize {
        let (since, system) = (self.since, self.system(row));
        let (days, seconds): (Vec<Micros>, Vec<f64>) = (row.get(4), row.get(5));
        let watched = days.into_iter().zip(seconds).map(|(at, seconds)| Watched {
            system,
            day: day(since, at),
            seconds,
        });
        self.add(row, watched)
    }
}

impl Reading<Seen> {
    fn seen(&mut self, row: &Row, issues: &mut IndexSet<Uuid>) -> usize {
        let (since, system) = (self.since, self.system(row));
        let (of_issues, first_at): (Vec<Uuid>, Vec<Micros>) = (row.get(4), row.get(5));
        let records: Vec<i64> = row.get(6);
        let seen = of_issues.into_iter().zip(first_at).zip(records);
        let seen = seen.map(|((issue, first_at), records)| Seen {
            issue: place(issues.insert_full(issue).0),
            system,
            day: day(since, first_at),
            first_at: first_at.0,
            records: count(records),
        });
        self.add(row, seen)
    }
}

/// What is told of issues. One that was given up meanwhile has no severity: no question looks at it.
#[derive(Default)]
struct Told {
    counts_for: Uuid,
    class: String,
    title: String,
    severity: i16,
}

fn told(rows: &[Row]) -> HashMap<Uuid, Told> {
    let told = |row: &Row| {
        let told = Told {
            counts_for: row.get(1),
            class: row.get(2),
            title: row.get(3),
            severity: row.get(4),
        };
        (row.get(0), told)
    };
    rows.iter().map(told).collect()
}

/// What is known of issues, in their order, then of what they are merged into.
fn known(mut issues: IndexSet<Uuid>, mut told: HashMap<Uuid, Told>) -> IndexMap<Uuid, KnownIssue> {
    let counts_for = issues.iter().filter_map(|issue| told.get(issue));
    let counts_for: Vec<Uuid> = counts_for.map(|told| told.counts_for).collect();
    issues.extend(counts_for);
    let known = |(place, id): (usize, &Uuid)| {
        let told = told.remove(id).unwrap_or_default();
        let known = KnownIssue {
            id: *id,
            counts_for: issues.get_index_of(&told.counts_for).unwrap_or(place),
            class: told.class,
            title: told.title,
            severity: told.severity,
        };
        (*id, known)
    };
    issues.iter().enumerate().map(known).collect()
}

fn joined(
    watched: Reading<Watched>,
    seen: Reading<Seen>,
    had: &[(Uuid, Uuid)],
    issues: IndexMap<Uuid, KnownIssue>,
) -> Histories {
    let mut systems = watched.systems;
    let places: Vec<u32> = seen
        .systems
        .into_iter()
        .map(|system| place(systems.insert_full(system).0))
        .collect();
    let mut hosts: IndexMap<Uuid, History> = IndexMap::new();
    for (agent_id, watched) in watched.hosts {
        hosts.entry(agent_id).or_default().watched = watched;
    }
    for (agent_id, mut seen) in seen.hosts {
        // Who sends no heartbeats shows no hours that faults could be divided by.
        let Some(host) = hosts.get_mut(&agent_id) else {
            continue;
        };
        for seen in &mut seen {
            seen.system = places[seen.system as usize];
        }
        host.seen = seen;
    }
    for (agent_id, issue) in had {
        if let (Some(host), Some(issue)) = (hosts.get_mut(agent_id), issues.get_index_of(issue)) {
            host.had.push(issue);
        }
    }
    hosts.sort_unstable_keys();
    for (agent_id, host) in &mut hosts {
        host.agent_id = *agent_id;
    }
    Histories {
        systems: systems.into_iter().collect(),
        issues: issues.into_values().collect(),
        hosts: hosts.into_values().collect(),
        ..Histories::default()
    }
}

/// A system as a row has it.
#[derive(Hash)]
struct Named<'a> {
    build: &'a str,
    kernel: &'a str,
    model: &'a str,
}

impl Equivalent<System> for Named<'_> {
    fn equivalent(&self, system: &System) -> bool {
        (self.build, self.kernel, self.model) == (&*system.build, &*system.kernel, &*system.model)
    }
}

impl From<Named<'_>> for System {
    fn from(named: Named<'_>) -> Self {
        Self {
            build: named.build.to_owned(),
            kernel: named.kernel.to_owned(),
            model: named.model.to_owned(),
        }
    }
}

/// There are fewer of anything than [`ROWS`].
fn place(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// Days from one to another; a clock that is ahead by centuries is ahead by 179 years.
fn day(since: Micros, day: Micros) -> u16 {
    u16::try_from((day.0 - since.0) / DAY).unwrap_or(u16::MAX)
}
