//! What regrouping would do.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    pin::pin,
    sync::Arc,
};

use futures::TryStreamExt as _;
use serde::Serialize;
use tokio_postgres::{Client, IsolationLevel, Transaction};
use uuid::Uuid;

use super::{
    super::{Store, StoreError, connect},
    FAMILY, due,
    read::{COLUMNS, Pair, by_title},
};
use crate::record::rules::Rules;

/// Examples of each sort.
const EXAMPLES: usize = 10;
/// Records that are read at a time.
const RECORDS: i32 = 1000;

/// What regrouping would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// Version of the rules.
    pub version: u32,
    /// Issues of older rules.
    pub issues: u64,
    /// Their records.
    pub records: u64,
    /// Issues that stay what they are.
    pub same: u64,
    /// Issues that get another title.
    pub renamed: u64,
    /// Issues whose records make several.
    pub split: u64,
    /// Issues that become one with others, of which some may be there already.
    pub joined: u64,
    /// Some that are split, then some that are joined, then some with another title; of each those with the most records.
    pub examples: Vec<PreviewedIssue>,
}

/// An issue of older rules, and what becomes of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PreviewedIssue {
    /// Its 32 hexadecimal digits.
    pub issue: String,
    /// Its title.
    pub title: String,
    /// Records that are there.
    pub records: u64,
    /// What they make, the largest part first: the successor.
    pub becomes: Vec<PreviewedPart>,
}

/// What some records of an issue make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PreviewedPart {
    /// The issue's 32 hexadecimal digits.
    pub issue: String,
    /// Title of the latest of them.
    pub title: String,
    /// How many.
    pub records: u64,
    /// Hosts that sent them.
    pub hosts: u64,
    /// Other issues become this one, too, or it is there already.
    pub joined: bool,
}

/// Records that make the same issue.
#[derive(Default)]
struct Part {
    title: String,
    records: u64,
    hosts: HashSet<Uuid>,
}

/// An issue with its parts.
struct Old {
    issue: Uuid,
    title: String,
    parts: BTreeMap<Uuid, Part>,
}

impl Store {
    /// Reads all that is grouped by older rules than these, and says what they would make of it. Nothing is changed.
    pub async fn preview_regrouping(&self, rules: Arc<dyn Rules>) -> Result<Preview, StoreError> {
        let mut client = connect::single(&self.config).await?;
        let due = due(&client, rules.version()).await?;
        let mut olds = Vec::new();
        for issue in due {
            olds.push(read(&mut client, issue, &rules).await?);
        }
        let present = "SELECT issue FROM triage WHERE occurrences > 0";
        let present = client.query(present, &[]).await?;
        let mut sources: HashMap<Uuid, usize> = present.iter().map(|row| (row.get(0), 1)).collect();
        for old in &olds {
            for part in old.parts.keys() {
                *sources.entry(*part).or_default() += 1;
            }
        }
        let issues = olds.iter().map(|old| old.shown(&sources)).collect();
        Ok(Preview::of(rules.version(), issues))
    }
}

/// Reads the records of an issue.
async fn read(client: &mut Client, issue: Uuid, rules: &Arc<dyn Rules>) -> Result<Old, StoreError> {
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    let known = "SELECT class, title, split FROM triage WHERE issue = $1";
    let known = transaction.query_one(known, &[&issue]).await?;
    let (class, title, split): (String, String, bool) = (known.get(0), known.get(1), known.get(2));
    let mut parts = parts(&transaction, issue, split, rules).await?;
    if parts.is_empty()
        && let Some(becomes) = by_title(&class, &title, &**rules)
    {
        let orphan = Part {
            title: title.clone(),
            ..Part::default()
        };
        parts.insert(becomes, orphan);
    }
    transaction.rollback().await?;
    Ok(Old { issue, title, parts })
}

async fn parts(
    transaction: &Transaction<'_>,
    issue: Uuid,
    split: bool,
    rules: &Arc<dyn Rules>,
) -> Result<BTreeMap<Uuid, Part>, StoreError> {
    let records = format!("SELECT {COLUMNS} FROM records r WHERE r.issue = ANY ({FAMILY})");
    let records = transaction.prepare(&records).await?;
    let portal = transaction.bind(&records, &[&issue]).await?;
    let mut parts: BTreeMap<Uuid, Part> = BTreeMap::new();
    loop {
        let mut rows = Vec::new();
        let mut some = pin!(transaction.query_portal_raw(&portal, RECORDS).await?);
        while let Some(row) = some.try_next().await? {
            rows.push(row);
        }
        if rows.is_empty() {
            return Ok(parts);
        }
        let rules = Arc::clone(rules);
        let read = move || -> Vec<Pair> { rows.iter().map(|row| Pair::of(row, &*rules)).collect() };
        // Invariant: reading reports does not panic, and the runtime ends after its tasks.
        for pair in tokio::task::spawn_blocking(read).await.unwrap_or_default() {
            let becomes = pair.becomes;
            let target = becomes.finer.filter(|_| split).unwrap_or(becomes.coarse);
            let part = parts.entry(target).or_default();
            part.title = becomes.title;
            part.records += 1;
            part.hosts.insert(pair.agent_id);
        }
    }
}

impl Old {
    fn shown(&self, sources: &HashMap<Uuid, usize>) -> PreviewedIssue {
        let part = |(issue, part): (&Uuid, &Part)| PreviewedPart {
            issue: issue.simple().to_string(),
            title: part.title.clone(),
            records: part.records,
            hosts: part.hosts.len() as u64,
            joined: sources.get(issue).is_some_and(|sources| *sources > 1),
        };
        let mut becomes: Vec<PreviewedPart> = self.parts.iter().map(part).collect();
        becomes.sort_by(|a, b| b.records.cmp(&a.records).then_with(|| a.issue.cmp(&b.issue)));
        PreviewedIssue {
            issue: self.issue.simple().to_string(),
            title: self.title.clone(),
            records: becomes.iter().map(|part| part.records).sum(),
            becomes,
        }
    }
}

impl PreviewedIssue {
    fn is_split(&self) -> bool {
        self.becomes.len() > 1
    }

    fn is_joined(&self) -> bool {
        self.becomes.iter().any(|part| part.joined)
    }

    fn is_renamed(&self) -> bool {
        self.becomes.iter().any(|part| part.title != self.title)
    }
}

impl Preview {
    fn of(version: u32, mut issues: Vec<PreviewedIssue>) -> Self {
        issues.sort_by(|a, b| b.records.cmp(&a.records).then_with(|| a.issue.cmp(&b.issue)));
        let mut preview = Self {
            version,
            issues: issues.len() as u64,
            records: issues.iter().map(|issue| issue.records).sum(),
            ..Self::default()
        };
        let mut examples: [Vec<PreviewedIssue>; 3] = Default::default();
        for issue in issues {
            let (split, joined, renamed) = (issue.is_split(), issue.is_joined(), issue.is_renamed());
            preview.split += u64::from(split);
            preview.joined += u64::from(joined);
            preview.renamed += u64::from(renamed);
            preview.same += u64::from(!(split || joined || renamed));
            let sort = match (split, joined, renamed) {
                (true, ..) => 0,
                (_, true, _) => 1,
                (.., true) => 2,
                _ => continue,
            };
            if examples[sort].len() < EXAMPLES {
                examples[sort].push(issue);
            }
        }
        preview.examples = examples.into_iter().flatten().collect();
        preview
    }
}
