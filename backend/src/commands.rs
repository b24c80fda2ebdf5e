//! `backend ca`, `backend token`, `backend agent`: who may deliver; in `people` who may ask, in `alerts`
//! what people are told, in `export` what was stored as a file, in `hardware` parts at risk, in `regroup` records that newer rules
//! group otherwise, in `simulate` fleets that are made up.

mod alerts;
mod export;
mod hardware;
mod opened;
mod operations;
mod people;
mod regroup;
mod simulate;

use std::{
    io::{self, Write as _},
    path::PathBuf,
    time::Duration,
};

use anyhow::Context as _;
use backend::{
    access::{ENROLMENT_TOKEN_PREFIX, secret, token_id},
    authority::{Authority, Pair, fingerprint, sha256},
    embedded::Cluster,
    store::{Agent, Token},
    text::duration,
};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

pub(crate) use self::alerts::{Alerts, alert};
pub(crate) use self::export::{Export, export_records};
pub(crate) use self::hardware::{Hardware, hardware};
use self::opened::Opened;
pub(crate) use self::operations::{backup, check, restore};
pub(crate) use self::people::{ApiTokens, People, api_token, audit, people};
pub(crate) use self::regroup::{Regroup, regroup};
pub(crate) use self::simulate::{Simulate, simulate};
use crate::options::default_data_dir;

/// Who does what is done here, in the audit log.
const WHO: &str = "command line";
/// Longest life of a token: what is valid for longer is forgotten about.
const TOKEN_LIFE_MAX: Duration = Duration::from_hours(366 * 24);

/// Which database it is about.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// URL of the PostgreSQL database. Default: the private PostgreSQL in the data directory, running or not.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "BACKEND_DATABASE_URL",
        hide_env_values = true
    )]
    database: Option<String>,
    /// Where the private PostgreSQL lives. Default: /var/lib/telemetrics-backend for root, else ~/.local/share/telemetrics-backend.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "BACKEND_DATA_DIR",
        hide_env_values = true
    )]
    data_dir: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long, global = true)]
    json: bool,
}

impl Target {
    /// Where the private PostgreSQL lives.
    fn dir(&self) -> anyhow::Result<PathBuf> {
        self.data_dir.clone().map_or_else(default_data_dir, Ok)
    }

    /// Whether there is a database, or one was named.
    fn is_there(&self) -> anyhow::Result<bool> {
        Ok(self.database.is_some() || Cluster::is_in(&self.dir()?))
    }
}

/// The certificate authority of the collector.
#[derive(Debug, Subcommand)]
pub(crate) enum Ca {
    /// Make it and print its fingerprint, which hosts enrol with. Changes nothing where there is one.
    Init,
    /// Print its fingerprint, and its certificate with --pem.
    Show {
        /// Print the certificate, for `collector.ca_file` of agents.
        #[arg(long)]
        pem: bool,
    },
}

/// What hosts enrol with.
#[derive(Debug, Subcommand)]
pub(crate) enum Tokens {
    /// Make a token. It is printed this once and kept nowhere.
    Create {
        /// How many hosts may enrol with it.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=1_000_000))]
        uses: i32,
        /// How long it is good: 30m, 12h, 1d; at most 366 days.
        #[arg(long, value_name = "TIME", default_value = "1d", value_parser = life)]
        expires: Duration,
        /// Only for this agent, also where it has a certificate that is lost or over.
        #[arg(long, value_name = "ID")]
        agent: Option<Uuid>,
        /// What it is for, shown by `list`.
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
    },
    /// List all tokens, the newest first.
    List,
    /// Withdraw a token. Certificates that were given for it stay good.
    Revoke {
        /// The id that `create` and `list` show.
        id: String,
    },
}

/// Agents that were enrolled or shut out.
#[derive(Debug, Subcommand)]
pub(crate) enum Agents {
    /// List them.
    List,
    /// Shut an agent out: its stream ends within seconds, and it is refused from then on.
    Revoke {
        /// The agent's id, as `telemctl status` and the pages show it.
        id: Uuid,
        /// Why.
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
    },
    /// Let an agent in again.
    Allow {
        /// The agent's id.
        id: Uuid,
    },
}

/// Runs `backend ca`.
pub(crate) async fn ca(command: Ca, target: Target) -> anyhow::Result<()> {
    let makes = matches!(command, Ca::Init);
    let opened = Opened::open_or_make(&target, makes).await?;
    if makes {
        let made = Authority::make(opened.store.now_unix_s().await?)?;
        opened.store.keep_authority(&made).await?;
    }
    let authority = opened.store.authority().await?;
    let authority = authority.context("there is no authority yet: make one with `backend ca init`")?;
    let fingerprint = fingerprint(&authority.certificate);
    let pem = matches!(command, Ca::Show { pem: true });
    let said = match (target.json, pem) {
        (true, _) => {
            json!({ "fingerprint": fingerprint, "certificate": certificate(&authority) }).to_string()
        }
        (false, true) => certificate(&authority),
        (false, false) => fingerprint,
    };
    say(said.trim_end())?;
    Ok(())
}

/// Runs `backend token`.
pub(crate) async fn token(command: Tokens, target: Target) -> anyhow::Result<()> {
    let opened = Opened::open(&target).await?;
    match command {
        Tokens::Create {
            uses,
            expires,
            agent,
            note,
        } => {
            let token = secret(ENROLMENT_TOKEN_PREFIX)?;
            let hash = sha256(token.as_bytes());
            let expires_unix_s = opened
                .store
                .create_token(&hash, agent, uses, expires, &note)
                .await?;
            let id = &token_id(&hash);
            opened.store.audit(WHO, "token.create", id).await?;
            if target.json {
                say(
                    &json!({ "token": token, "id": id, "uses": uses, "expires_unix_s": expires_unix_s })
                        .to_string(),
                )?;
            } else {
                say(&token)?;
            }
        }
        Tokens::List => {
            let tokens = opened.store.tokens().await?;
            say_list(&tokens, target.json, token_line)?;
        }
        Tokens::Revoke { id } => {
            anyhow::ensure!(
                opened.store.revoke_token(&id).await?,
                "there is no token {id}: `backend token list` shows them"
            );
            opened.store.audit(WHO, "token.revoke", &id).await?;
        }
    }
    Ok(())
}

/// Runs `backend agent`.
pub(crate) async fn agent(command: Agents, target: Target) -> anyhow::Result<()> {
    let opened = Opened::open(&target).await?;
    match command {
        Agents::List => {
            let agents = opened.store.agents().await?;
            say_list(&agents, target.json, agent_line)?;
        }
        Agents::Revoke { id, note } => {
            let changed = opened.store.revoke_agent(id, &note).await?;
            opened.store.audit(WHO, "agent.revoke", &id.to_string()).await?;
            say(if changed {
                "shut out"
            } else {
                "was shut out before"
            })?;
        }
        Agents::Allow { id } => {
            let changed = opened.store.allow_agent(id).await?;
            opened.store.audit(WHO, "agent.allow", &id.to_string()).await?;
            say(if changed {
                "let in again"
            } else {
                "was not shut out"
            })?;
        }
    }
    Ok(())
}

fn life(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time such as 30m, 12h or 1d, of at most 366 days");
    duration(text)
        .filter(|life| *life <= TOKEN_LIFE_MAX)
        .ok_or_else(wrong)
}

fn certificate(authority: &Pair) -> String {
    pem::encode(&pem::Pem::new("CERTIFICATE", authority.certificate.as_slice())).replace("\r\n", "\n")
}

fn token_line(token: &Token) -> String {
    let state = if token.revoked {
        "revoked"
    } else if token.used >= token.uses {
        "used up"
    } else if token.expires_unix_s <= Timestamp::now().as_second() {
        "expired"
    } else {
        "good"
    };
    let agent = token
        .agent_id
        .map_or("any new agent".to_owned(), |id| id.to_string());
    format!(
        "{}  {state:<8} {}/{} used  until {}  {agent}  {}",
        token.id,
        token.used,
        token.uses,
        moment(token.expires_unix_s),
        printable(&token.note)
    )
}

fn agent_line(agent: &Agent) -> String {
    let certificate = agent.not_after_unix_s.map_or("not enrolled".to_owned(), |until| {
        format!("certificate until {}", moment(until))
    });
    let revoked = agent.revoked_unix_s.map_or(String::new(), |since| {
        format!("  shut out since {}", moment(since))
    });
    let hostname = agent.hostname.as_deref().unwrap_or("-");
    format!(
        "{}  {}  {certificate}{revoked}",
        agent.agent_id,
        printable(hostname)
    )
}

/// Text without what a terminal would obey.
fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

fn moment(unix_s: i64) -> String {
    Timestamp::from_second(unix_s).unwrap_or_default().to_string()
}

fn say_list<T: serde::Serialize>(list: &[T], json: bool, line: impl Fn(&T) -> String) -> anyhow::Result<()> {
    for item in list {
        say(&if json {
            serde_json::to_string(item)?
        } else {
            line(item)
        })?;
    }
    Ok(())
}

fn say(text: &str) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{text}").context("write to stdout")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(life("1d").unwrap(), Duration::from_hours(24));
        assert_eq!(life("30m").unwrap(), Duration::from_mins(30));
        assert_eq!(life("1d12h").unwrap(), Duration::from_hours(36));
        for wrong in ["", "1", "0s", "-1d", "2y", "367d", "1mo"] {
            life(wrong).unwrap_err();
        }
    }
}
