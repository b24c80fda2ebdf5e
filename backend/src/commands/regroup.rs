//! `backend regroup`.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
    sync::Arc,
};

use anyhow::bail;
use backend::{
    record::rules::RunningRules,
    store::{Preview, PreviewedIssue, Regrouped},
};
use clap::Args;

use super::{Opened, Target, printable, say};

/// What is to be done.
#[derive(Debug, Args)]
pub(crate) struct Regroup {
    /// Say what would become of issues, with examples, and change nothing.
    #[arg(long)]
    preview: bool,
    #[command(flatten)]
    target: Target,
}

/// Runs `backend regroup`.
pub(crate) async fn regroup(options: Regroup) -> anyhow::Result<()> {
    let json = options.target.json;
    let opened = Opened::open(&options.target).await?;
    if options.preview {
        let preview = opened.store.preview_regrouping(Arc::new(RunningRules)).await?;
        say(&if json {
            serde_json::to_string(&preview)?
        } else {
            previewed(&preview)
        })?;
    } else {
        let Some(done) = opened.store.regroup_by(Arc::new(RunningRules), &tell).await? else {
            bail!(
                "a collector regroups this database already: /metrics has how far it is, in telemetrics_regrouping_*"
            );
        };
        say(&if json {
            serde_json::to_string(&done)?
        } else {
            format!(
                "{} issues with {} records were regrouped",
                done.issues, done.records
            )
        })?;
    }
    Ok(())
}

/// How far it is, on a line that is written over.
fn tell(so_far: Regrouped) {
    let mut terminal = io::stderr();
    if terminal.is_terminal() {
        let Regrouped {
            issues_left, records, ..
        } = so_far;
        // Nobody to tell when stderr is closed.
        write!(
            terminal,
            "\r{records} records, {issues_left} issues left\x1b[K{}",
            if issues_left == 0 { "\n" } else { "" }
        )
        .ok();
    }
}

fn previewed(preview: &Preview) -> String {
    let Preview {
        version,
        issues,
        records,
        same,
        renamed,
        split,
        joined,
        examples,
    } = preview;
    if *issues == 0 {
        return format!("All issues are grouped by rules {version} or newer ones: nothing to do");
    }
    let mut text = format!(
        "Rules {version} group {records} records of {issues} issues anew:\n  {same} stay as they are\n  {renamed} get another \
         title\n  {split} are split\n  {joined} become one with others"
    );
    for example in examples {
        text.push_str(&shown(example));
    }
    text
}

fn shown(example: &PreviewedIssue) -> String {
    let mut text = format!(
        "\n\n{}  {} records  {}",
        example.issue,
        example.records,
        printable(&example.title)
    );
    for part in &example.becomes {
        let joined = if part.joined { ", with others" } else { "" };
        // Writing into a String does not fail.
        write!(
            text,
            "\n  -> {}  {} records of {} hosts{joined}  {}",
            part.issue,
            part.records,
            part.hosts,
            printable(&part.title)
        )
        .ok();
    }
    text
}
