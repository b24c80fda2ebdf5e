//! `backend check`, `backend backup`, `backend restore`.

use std::path::Path;

use anyhow::{Context as _, bail};
use backend::{
    backup,
    store::{Condition, Verdict},
};
use jiff::Timestamp;
use serde_json::json;

use super::{Opened, Target, printable, say};

/// Runs `backend check`. The error: something is bad.
pub(crate) async fn check(target: Target) -> anyhow::Result<()> {
    let opened = Opened::as_it_is(&target).await?;
    let mut conditions = opened
        .store
        .check(Timestamp::now())
        .await
        .context("the database does not answer")?;
    if target.database.is_none() {
        conditions.push(Condition::disk(&target.dir()?));
    }
    for condition in &conditions {
        let verdict = match condition.verdict {
            Verdict::Good => "good",
            Verdict::Warning => "warning",
            Verdict::Bad => "bad",
        };
        say(&if target.json {
            serde_json::to_string(condition)?
        } else {
            format!(
                "{verdict:<8} {:<11} {}",
                condition.what,
                printable(&condition.detail)
            )
        })?;
    }
    let bad = conditions
        .iter()
        .filter(|condition| condition.verdict == Verdict::Bad);
    match bad.count() {
        0 => Ok(()),
        bad => bail!("{bad} of {} are bad", conditions.len()),
    }
}

/// Runs `backend backup`.
pub(crate) async fn backup(file: &Path, target: Target) -> anyhow::Result<()> {
    let opened = Opened::open(&target).await?;
    backup::dump(&opened.url, file).await?;
    let bytes = std::fs::metadata(file).context("look at the backup")?.len();
    say(&if target.json {
        json!({ "file": file, "bytes": bytes }).to_string()
    } else {
        format!("{} has {bytes} bytes", file.display())
    })?;
    Ok(())
}

/// Runs `backend restore`.
pub(crate) async fn restore(file: &Path, target: Target) -> anyhow::Result<()> {
    let opened = Opened::new(&target).await?;
    if !opened.store.is_empty().await? {
        bail!("this database has tables already: restore into an empty one, or with a new --data-dir");
    }
    backup::restore(&opened.url, file).await?;
    opened.store.migrate().await?;
    let held = opened.store.held().await?;
    say(&if target.json {
        json!({ "hosts": held.hosts, "records": held.records }).to_string()
    } else {
        format!("{} records of {} hosts are restored", held.records, held.hosts)
    })?;
    Ok(())
}
