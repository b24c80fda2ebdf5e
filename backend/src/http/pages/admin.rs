//! The page of administration, and what its forms do. Admins only; what is done is in the audit log.

mod action;

use std::time::Duration;

use askama::Template as _;
use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use uuid::Uuid;

use self::action::Action;
use super::{App, Page};
use crate::access::{Caller, ENROLMENT_TOKEN_PREFIX, Role, hash, person_name, secret, token_id};
use crate::authority::sha256;
use crate::class;
use crate::http::access::Frame;
use crate::http::error::{PageError, Refusal};
use crate::http::query::{self, BadQuery};
use crate::http::taken::FromForm;
use crate::http::view::{AdminForms, AdminInput, AdminPage};
use crate::store::{KEEP_DAYS, RetentionRule};
use crate::text::duration;

/// Who does what is done by somebody without a name, in the audit log.
const STRANGER: &str = "not signed in";
/// The longest that a token is good, or a silence lasts.
const LONGEST: Duration = Duration::from_hours(366 * 24);
/// Hosts that one token is for, as `backend token create` has it.
const USES: std::ops::RangeInclusive<i32> = 1..=1_000_000;
/// Bytes of a note.
const NOTE_BYTES: usize = 256;

/// What became of an action.
enum Done {
    /// It is so now.
    So,
    /// A token was made, which is shown this once.
    Token(String),
}

/// `GET /admin`.
pub(in crate::http) async fn admin(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
) -> Page {
    let page = page(&app, &caller, frame, AdminForms::default()).await?;
    Ok(Html(page.render()?))
}

/// `POST /admin`.
pub(in crate::http) async fn act(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    FromForm(action): FromForm<Action>,
) -> Result<Response, PageError> {
    let who = caller.name.as_deref().unwrap_or(STRANGER);
    let (part, forms) = (action.part(), action.forms());
    match done(&app, who, action).await {
        Ok(Done::So) => Ok(Redirect::to(&format!("/admin#{part}")).into_response()),
        Ok(Done::Token(made)) => {
            let mut page = page(&app, &caller, frame, AdminForms::default()).await?;
            page.made = made;
            let nowhere = [(header::CACHE_CONTROL, "no-store")];
            Ok((nowhere, Html(page.render()?)).into_response())
        }
        Err(refusal) => {
            let Some((status, wrong)) = refusal.of_what_was_sent() else {
                return Err(refusal.into());
            };
            let forms = AdminForms { wrong, ..forms };
            let page = page(&app, &caller, frame, forms).await?;
            Ok((status, Html(page.render()?)).into_response())
        }
    }
}

async fn page(app: &App, caller: &Caller, frame: Frame, forms: AdminForms) -> Result<AdminPage, PageError> {
    Ok(AdminPage::new(AdminInput {
        forms,
        tokens: app.store.tokens().await?,
        people: app.store.people().await?,
        retention: app.store.retention().await?,
        alerts: app.store.open_alerts_listed().await?,
        silences: app.store.silences().await?,
        started: &app.started,
        privacy: app.store.privacy().await?,
        audit: app.store.audit_log().await?,
        you: caller.name.clone(),
        frame,
        now: (app.now)(),
    }))
}

async fn done(app: &App, who: &str, action: Action) -> Result<Done, Refusal> {
    match action {
        Action::CreateToken { .. } | Action::RevokeToken { .. } => tokens(app, who, action).await,
        Action::SetPerson { .. } | Action::SetRole { .. } | Action::RemovePerson { .. } => {
            people(app, who, action).await
        }
        Action::AddRetention {
            position,
            class,
            max_severity,
            agent_id,
            keep_days,
        } => {
            let rule = rule([&position, &class, &max_severity, &agent_id, &keep_days])?;
            if !app.store.add_retention(&rule).await? {
                return Err(wrong("there is a rule at this position: choose another"));
            }
            let object = format!("{position} {class} {max_severity} {agent_id} {keep_days}");
            app.store.audit(who, "retention.add", &object).await?;
            Ok(Done::So)
        }
        Action::RemoveRetention { position } => {
            let number = number(&position, i32::MIN..=i32::MAX, "position: a number")?;
            if !app.store.remove_retention(number).await? {
                return Err(wrong("there is no rule at this position any more"));
            }
            app.store.audit(who, "retention.remove", &position).await?;
            Ok(Done::So)
        }
        Action::Silence {
            rule,
            object,
            time,
            note,
        } => {
            let rules = app.started.alert_rules();
            let known = rules.is_empty() || rules.contains(&rule);
            if rule.is_empty() || !known {
                return Err(wrong("rule: the name of a rule of the alerts file"));
            }
            let time = time_of(&time)?;
            app.store
                .silence(&rule, &object, time, who, &short(&note)?)
                .await?;
            let object = format!("{rule} {object}");
            app.store.audit(who, "alert.silence", &object).await?;
            Ok(Done::So)
        }
        Action::Unsilence { rule, object } => {
            if !app.store.unsilence(&rule, &object).await? {
                return Err(wrong("this is not silenced any more"));
            }
            let object = format!("{rule} {object}");
            app.store.audit(who, "alert.unsilence", &object).await?;
            Ok(Done::So)
        }
    }
}

async fn tokens(app: &App, who: &str, action: Action) -> Result<Done, Refusal> {
    match action {
        Action::CreateToken { uses, expires, note } => {
            let uses = number(&uses, USES, "hosts: a number from 1 to 1000000")?;
            let (life, note) = (time_of(&expires)?, short(&note)?);
            let token = secret(ENROLMENT_TOKEN_PREFIX)?;
            let hash = sha256(token.as_bytes());
            app.store.create_token(&hash, None, uses, life, &note).await?;
            let id = &token_id(&hash);
            app.store.audit(who, "token.create", id).await?;
            Ok(Done::Token(token))
        }
        Action::RevokeToken { id } => {
            if !app.store.revoke_token(&id).await? {
                return Err(wrong("there is no such token"));
            }
            app.store.audit(who, "token.revoke", &id).await?;
            Ok(Done::So)
        }
        _ => Err(wrong("no action on tokens")),
    }
}

async fn people(app: &App, who: &str, action: Action) -> Result<Done, Refusal> {
    let unknown = || wrong("nobody has this name any more");
    match action {
        Action::SetPerson { name, role, password } => {
            let name = person_name(&name).map_err(Refusal::Request)?;
            let role = role_of(&role)?;
            let hashed = tokio::task::spawn_blocking(move || hash(&password)).await;
            let hashed = hashed.map_err(|_panicked| wrong("password: it could not be hashed"))?;
            let hashed = hashed.map_err(|error| Refusal::Request(error.to_string()))?;
            app.store.set_person(&name, role, &hashed).await?;
            let object = format!("{name}, {}", role.name());
            app.store.audit(who, "people.add", &object).await?;
        }
        Action::SetRole { name, role } => {
            let role = role_of(&role)?;
            not_oneself(&name, who)?;
            if !app.store.set_role(&name, role).await? {
                return Err(unknown());
            }
            let object = format!("{name}, {}", role.name());
            app.store.audit(who, "people.role", &object).await?;
        }
        Action::RemovePerson { name } => {
            not_oneself(&name, who)?;
            if !app.store.remove_person(&name).await? {
                return Err(unknown());
            }
            app.store.audit(who, "people.remove", &name).await?;
        }
        _ => return Err(wrong("no action on people")),
    }
    Ok(Done::So)
}

/// Nobody locks themselves out by a click.
fn not_oneself(name: &str, who: &str) -> Result<(), Refusal> {
    if name == who {
        return Err(wrong(
            "this is you: another admin, or `backend people` on the collector, can do that",
        ));
    }
    Ok(())
}

fn wrong(what: &str) -> Refusal {
    Refusal::Request(what.to_owned())
}

fn role_of(name: &str) -> Result<Role, Refusal> {
    Role::named(name).ok_or_else(|| wrong("role: viewer, triager or admin"))
}

fn time_of(text: &str) -> Result<Duration, Refusal> {
    duration(text)
        .filter(|time| *time <= LONGEST)
        .ok_or_else(|| wrong("a time such as 30m, 12h or 1d, of at most 366 days"))
}

fn short(note: &str) -> Result<String, Refusal> {
    if note.len() > NOTE_BYTES {
        return Err(wrong("a note of at most 256 bytes"));
    }
    Ok(note.to_owned())
}

fn number(text: &str, allowed: std::ops::RangeInclusive<i32>, expected: &str) -> Result<i32, Refusal> {
    text.parse()
        .ok()
        .filter(|number| allowed.contains(number))
        .ok_or_else(|| wrong(expected))
}

/// Reads the fields of a rule, in the order of the form.
fn rule([position, class, max_severity, agent_id, keep_days]: [&str; 5]) -> Result<RetentionRule, Refusal> {
    let severity = query::severity(max_severity)?;
    let agent_id = match agent_id {
        "" => None,
        id => Some(Uuid::try_parse(id).map_err(|_no_uuid| Refusal::AgentId)?),
    };
    let keep_days = match keep_days {
        "" => None,
        days => Some(number(
            days,
            1..=KEEP_DAYS,
            "days: a number from 1 to 3660, or nothing for ever",
        )?),
    };
    Ok(RetentionRule {
        position: number(position, 0..=1_000_000, "position: a number from 0 to 1000000")?,
        class: class::known(class).map_err(BadQuery::from)?,
        max_severity: i16::try_from(i32::from(severity)).unwrap_or(i16::MAX),
        agent_id,
        keep_days,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_as_it_was_meant_or_refused() {
        let read = rule(["10", "kernel.", "low", "", "35"]).unwrap();
        assert_eq!(
            (read.position, read.max_severity, read.keep_days),
            (10, 1, Some(35))
        );
        assert_eq!(
            rule(["10", "", "critical", "", ""]).unwrap().keep_days,
            None,
            "for ever"
        );
        for fields in [
            ["", "", "low", "", "35"],
            ["10", "Kernel", "low", "", "35"],
            ["10", "", "dire", "", "35"],
            ["10", "", "low", "somebody", "35"],
            ["10", "", "low", "", "0"],
            ["10", "", "low", "", "99999"],
        ] {
            assert!(rule(fields).is_err(), "{fields:?}");
        }
    }

    #[test]
    fn nobody_removes_themselves() {
        assert!(not_oneself("ann", "ann").is_err());
        assert!(not_oneself("bob", "ann").is_ok());
        assert!(time_of("367d").is_err() && time_of("12h").is_ok());
    }
}
