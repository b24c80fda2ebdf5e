//! `backend alert`: looks at rules, at what is open, and keeps it quiet.

use std::path::PathBuf;
use std::time::Duration;

use backend::alerts::{Rules, find};
use clap::Subcommand;
use serde_json::Value;

use super::{Opened, Target, WHO, life, printable, say, say_list};

/// What people are told by themselves.
#[derive(Debug, Subcommand)]
pub(crate) enum Alerts {
    /// Look whether an alerts file is right, and print what its rules would find now. Nobody is told.
    Check {
        /// The file that `serve --alerts` is given.
        file: PathBuf,
    },
    /// List what is open, the worst first.
    List,
    /// Tell nobody of a rule, or of one object of it, for some time. What is still so then is told.
    Silence {
        /// The rule's name.
        rule: String,
        /// Only what it finds about this object, as `list` shows it.
        #[arg(long, value_name = "OBJECT", default_value = "")]
        object: String,
        /// For how long: 30m, 12h, 1d; at most 366 days.
        #[arg(long = "for", value_name = "TIME", value_parser = life)]
        time: Duration,
        /// Why.
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
    },
    /// End silences of a rule, or of one object of it.
    Unsilence {
        /// The rule's name.
        rule: String,
        /// Only those of this object.
        #[arg(long, value_name = "OBJECT", default_value = "")]
        object: String,
    },
}

/// Runs `backend alert`.
pub(crate) async fn alert(command: Alerts, target: Target) -> anyhow::Result<()> {
    // Before a database is opened: a file can be wrong without one.
    let rules = match &command {
        Alerts::Check { file } => Rules::read(file)?,
        _ => Rules::default(),
    };
    if matches!(command, Alerts::Check { .. }) {
        rules.remarks().iter().try_for_each(|remark| say(remark))?;
        if !target.is_there()? {
            return say("the file is right, and there is no database yet to look at");
        }
    }
    let opened = Opened::open(&target).await?;
    let store = &opened.store;
    match command {
        Alerts::Check { .. } => {
            for rule in rules.rules() {
                let open = store.open_objects(&rule.name).await?;
                let found = find(store, &rule.when, &open).await?;
                let rest = found.rest(rule.when.page());
                say(&format!("{}: {} now", rule.name, found.count()))?;
                for finding in found.findings.iter().chain(&rest) {
                    say(&format!("  {}", printable(&finding.summary)))?;
                }
            }
        }
        Alerts::List => say_list(&store.open_alerts_listed().await?, target.json, line)?,
        Alerts::Silence {
            rule,
            object,
            time,
            note,
        } => {
            store.silence(&rule, &object, time, WHO, &note).await?;
            if !store.has_found(&rule).await? {
                // It is silenced all the same: nobody is told by it.
                tracing::warn!(
                    rule,
                    "no rule of this name has found anything lately: is it the one of the alerts file?"
                );
            }
            store
                .audit(WHO, "alert.silence", &format!("{rule} {object}"))
                .await?;
        }
        Alerts::Unsilence { rule, object } => {
            anyhow::ensure!(
                store.unsilence(&rule, &object).await?,
                "nothing of {rule} is silenced"
            );
            store
                .audit(WHO, "alert.unsilence", &format!("{rule} {object}"))
                .await?;
        }
    }
    Ok(())
}

fn line(alert: &Value) -> String {
    let text = |key: &str| printable(alert[key].as_str().unwrap_or_default());
    let quiet = if alert["silenced"] == true {
        "  silenced"
    } else {
        ""
    };
    let failed = match alert["failed"].as_str() {
        Some(error) => format!("  not taken: {}", printable(error)),
        None => String::new(),
    };
    format!(
        "{}  {}  {}  {}  {}{quiet}{failed}",
        text("since"),
        text("severity"),
        text("rule"),
        text("object"),
        text("summary")
    )
}
