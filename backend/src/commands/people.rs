//! `backend people`, `backend api-token`, `backend audit`: who may ask, and who did what.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::time::Duration;

use anyhow::{Context as _, bail};
use backend::access::{API_TOKEN_PREFIX, Role, hash, person_name, secret, token_id};
use backend::authority::sha256;
use backend::store::{ApiToken, AuditEntry, Person};
use clap::Subcommand;
use jiff::Timestamp;
use serde_json::json;

use super::{Opened, Target, WHO, life, moment, printable, say, say_list};

/// People who may sign in on the pages.
#[derive(Debug, Subcommand)]
pub(crate) enum People {
    /// Add somebody, or give them a new role and password, which ends their sessions. The password is asked for, or read from
    /// standard input where that is no terminal: one line of 10 to 256 bytes.
    Add {
        /// The name: lower-case letters, digits and . _ @ -, 64 at most.
        #[arg(value_parser = person_name)]
        name: String,
        /// What they may do.
        #[arg(long, default_value = "viewer")]
        role: Role,
    },
    /// Give somebody another role.
    Role {
        /// The name.
        name: String,
        /// What they may do from now on.
        role: Role,
    },
    /// Remove somebody: their sessions end at once.
    Remove {
        /// The name.
        name: String,
    },
    /// List everybody.
    List,
}

/// What programs show to ask.
#[derive(Debug, Subcommand)]
pub(crate) enum ApiTokens {
    /// Make a token. It is printed this once and kept nowhere.
    Create {
        /// What the program may do.
        #[arg(long, default_value = "viewer")]
        role: Role,
        /// How long it is good: 12h, 30d; at most 366 days.
        #[arg(long, value_name = "TIME", default_value = "90d", value_parser = life)]
        expires: Duration,
        /// Which program it is for: the name under which its changes are kept.
        #[arg(long, value_name = "TEXT")]
        note: String,
    },
    /// List all tokens, the newest first.
    List,
    /// Take a token back: it is refused at once.
    Revoke {
        /// The id that `create` and `list` show.
        id: String,
    },
}

/// Runs `backend people`.
pub(crate) async fn people(command: People, target: Target) -> anyhow::Result<()> {
    // Before the database is opened: somebody may take long to think of one.
    let password_hash = match &command {
        People::Add { name, .. } => Some(hash(&new_password(name)?)?),
        _ => None,
    };
    let makes = matches!(command, People::Add { .. });
    let opened = Opened::open_or_make(&target, makes).await?;
    let store = &opened.store;
    let unknown = |name: &str| format!("nobody is called {name}: `backend people list` shows who is");
    match command {
        People::Add { name, role } => {
            store
                .set_person(&name, role, &password_hash.unwrap_or_default())
                .await?;
            let object = format!("{name}, {}", role.name());
            store.audit(WHO, "people.add", &object).await?;
        }
        People::Role { name, role } => {
            anyhow::ensure!(store.set_role(&name, role).await?, unknown(&name));
            let object = format!("{name}, {}", role.name());
            store.audit(WHO, "people.role", &object).await?;
        }
        People::Remove { name } => {
            anyhow::ensure!(store.remove_person(&name).await?, unknown(&name));
            store.audit(WHO, "people.remove", &name).await?;
        }
        People::List => say_list(&store.people().await?, target.json, person_line)?,
    }
    Ok(())
}

/// Runs `backend api-token`.
pub(crate) async fn api_token(command: ApiTokens, target: Target) -> anyhow::Result<()> {
    let opened = Opened::open(&target).await?;
    let store = &opened.store;
    match command {
        ApiTokens::Create { role, expires, note } => {
            let token = secret(API_TOKEN_PREFIX)?;
            let hash = sha256(token.as_bytes());
            let expires_unix_s = store.create_api_token(&hash, role, expires, &note).await?;
            let id = &token_id(&hash);
            let object = format!("{id}, {}, {note}", role.name());
            store.audit(WHO, "api-token.create", &object).await?;
            if target.json {
                let told = json!({ "token": token, "id": id, "role": role.name(), "expires_unix_s": expires_unix_s });
                say(&told.to_string())?;
            } else {
                say(&token)?;
            }
        }
        ApiTokens::List => say_list(&store.api_tokens().await?, target.json, token_line)?,
        ApiTokens::Revoke { id } => {
            anyhow::ensure!(
                store.revoke_api_token(&id).await?,
                "there is no token {id}: `backend api-token list` shows them"
            );
            store.audit(WHO, "api-token.revoke", &id).await?;
        }
    }
    Ok(())
}

/// Runs `backend audit`.
pub(crate) async fn audit(target: Target) -> anyhow::Result<()> {
    let opened = Opened::open(&target).await?;
    say_list(&opened.store.audit_log().await?, target.json, audit_line)?;
    Ok(())
}

fn new_password(name: &str) -> anyhow::Result<String> {
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        io::stdin()
            .lock()
            .read_line(&mut line)
            .context("read the password")?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    let password =
        rpassword::prompt_password(format!("Password for {name}: ")).context("read the password")?;
    let again = rpassword::prompt_password("The same again: ").context("read the password")?;
    if password != again {
        bail!("these are two passwords: nothing was changed");
    }
    Ok(password)
}

fn person_line(person: &Person) -> String {
    format!(
        "{:<24} {:<8} since {}  {} signed in",
        person.name,
        person.role,
        moment(person.created_unix_s),
        person.sessions
    )
}

fn token_line(token: &ApiToken) -> String {
    let state = if token.revoked {
        "revoked"
    } else if token.expires_unix_s <= Timestamp::now().as_second() {
        "expired"
    } else {
        "good"
    };
    format!(
        "{}  {state:<8} {:<8} until {}  {}",
        token.id,
        token.role,
        moment(token.expires_unix_s),
        printable(&token.note)
    )
}

fn audit_line(entry: &AuditEntry) -> String {
    format!(
        "{}  {}  {}  {}",
        moment(entry.unix_s),
        printable(&entry.who),
        entry.action,
        printable(&entry.object)
    )
}
