//! The collector's books, asked for in SQL: what was produced is stored, or lost with a reason.

use std::{fmt::Write as _, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::expect::Expect;
use crate::packages;

/// The books of one host's senders.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Books {
    /// Whether every sequence is stored exactly once, or lost with a reason.
    balanced: bool,
    /// Events that are stored as records.
    stored: u64,
    /// What is not.
    losses: Vec<Lost>,
}

/// Events that are lost.
#[derive(Clone, Debug, Deserialize)]
struct Lost {
    reason: String,
    hook: String,
    class: String,
    title: String,
    events: u64,
}

/// Answers with one JSON object; `host` is a variable of psql's.
const QUERY: &str = "
SELECT json_build_object(
    'balanced', coalesce((SELECT bool_and(balanced) FROM audit WHERE hostname = :'host'), false),
    'stored', coalesce((SELECT sum(stored)::bigint FROM books WHERE hostname = :'host'), 0),
    'losses', coalesce((
        SELECT json_agg(l) FROM (
            SELECT reason, hook, class, title, sum(events)::bigint AS events
            FROM losses JOIN hosts USING (agent_id) WHERE hostname = :'host'
            GROUP BY reason, hook, class, title ORDER BY reason, hook, class, title
        ) AS l), '[]'));
";

impl Books {
    /// The books of `host`, in the private database whose socket is in `socket_dir`.
    pub(super) fn of(host: &str, socket_dir: &Path) -> Result<Self> {
        packages::ensure_program("psql", "postgresql-client")?;
        let output = Command::new("psql")
            .arg("--host")
            .arg(socket_dir)
            .args([
                "--username",
                "postgres",
                "--no-psqlrc",
                "--tuples-only",
                "--no-align",
            ])
            .arg(format!("--variable=host={host}"))
            .args(["--file", "-"])
            .stdin(query_file()?)
            .output()
            .context("start psql")?;
        ensure!(
            output.status.success(),
            "psql ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).context("read the answer of psql")
    }

    /// Whether everything is accounted for.
    pub(super) const fn are_balanced(&self) -> bool {
        self.balanced
    }

    /// How many of what is expected were only counted.
    pub(super) fn counted(&self, expect: &Expect) -> u64 {
        self.losses
            .iter()
            .filter(|lost| lost.class == expect.class() && expect.has_title(&lost.title))
            .map(|lost| lost.events)
            .sum()
    }

    /// How many events were lost before anything was known of them.
    pub(super) fn lost_unseen(&self) -> u64 {
        let unseen = |lost: &&Lost| lost.class.is_empty() && lost.title.is_empty();
        self.losses.iter().filter(unseen).map(|lost| lost.events).sum()
    }

    /// In words: what is stored, and what is lost why.
    pub(super) fn in_words(&self) -> String {
        let mut text = format!("{} stored", self.stored);
        for lost in &self.losses {
            let Lost {
                reason,
                hook,
                class,
                title,
                events,
            } = lost;
            let what: Vec<&str> = [hook, class, title]
                .into_iter()
                .map(String::as_str)
                .filter(|part| !part.is_empty())
                .collect();
            _ = write!(text, ", {events} lost ({reason} {})", what.join(" "));
        }
        text
    }
}

/// The query as a file: psql puts variables into what it reads, not into what it is given as an argument.
fn query_file() -> Result<std::fs::File> {
    use std::io::{Seek as _, Write as _};
    let mut file = tempfile::tempfile().context("create a temporary file")?;
    file.write_all(QUERY.as_bytes()).context("write the query")?;
    file.rewind().context("rewind the query")?;
    Ok(file)
}
