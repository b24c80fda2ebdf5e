//! Searches that people keep.

use axum::Extension;
use axum::extract::State;
use axum::response::Redirect;
use filter::Subject;
use serde::Deserialize;

use super::App;
use crate::access::{Caller, Role};
use crate::http::error::{PageError, Refusal};
use crate::http::issues::state;
use crate::http::query;
use crate::http::taken::{FromForm, from_query};
use crate::http::view::{HostsAsked, IssuesAsked, subject_href};
use crate::store::{SAVED_SEARCHES, SavedSearch};

/// Characters of a name.
const NAME_CHARS: usize = 64;

/// What the forms of a list send. `subject` is the list: faults, issues or hosts.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase", deny_unknown_fields)]
pub(in crate::http) enum Act {
    /// Keep the list as it is asked for now.
    Save {
        subject: String,
        name: String,
        /// The parameters of the list.
        search: String,
        /// Any value: for everybody.
        shared: Option<String>,
    },
    /// Keep it no longer.
    Delete {
        subject: String,
        name: String,
        owner: String,
        /// The parameters of the list that is shown then.
        search: String,
    },
}

/// `POST /searches`. Whoever is signed in keeps searches of their own; to share them takes a triager, and so does keeping them for
/// those who need not sign in. Those of others are given up by admins.
pub(in crate::http) async fn act(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    FromForm(act): FromForm<Act>,
) -> Result<Redirect, PageError> {
    let takes = |role: Role| {
        if caller.role < role {
            Err(Refusal::Role(caller.role, role))
        } else {
            Ok(())
        }
    };
    let own = caller.owner().to_owned();
    if own.is_empty() {
        takes(Role::Triager)?;
    }
    let (subject, search) = match act {
        Act::Save {
            subject,
            name,
            search,
            shared,
        } => {
            if shared.is_some() {
                takes(Role::Triager)?;
            }
            let subject = list_named(&subject)?;
            let search = checked(subject, &search)?;
            let kept = SavedSearch {
                owner: own,
                subject,
                name: named(&name)?,
                search: search.clone(),
                shared: shared.is_some(),
            };
            if !app.store.save_search(&kept).await? {
                let full = format!("{SAVED_SEARCHES} searches are kept already: give one up first");
                return Err(Refusal::Request(full).into());
            }
            (subject, search)
        }
        Act::Delete {
            subject,
            name,
            owner,
            search,
        } => {
            if owner != own {
                takes(Role::Admin)?;
            }
            let subject = list_named(&subject)?;
            app.store.delete_search(&owner, subject, &name).await?;
            (subject, checked(subject, &search)?)
        }
    };
    Ok(Redirect::to(&subject_href(subject, &search)))
}

fn list_named(name: &str) -> Result<Subject, Refusal> {
    Subject::named(name).ok_or(Refusal::Subject)
}

fn named(name: &str) -> Result<String, Refusal> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS || name.chars().any(char::is_control) {
        return Err(Refusal::Request(format!(
            "the name of a search has 1 to {NAME_CHARS} characters and no control characters"
        )));
    }
    Ok(name.to_owned())
}

/// The parameters of the first page of a list, in their one form.
fn checked(subject: Subject, search: &str) -> Result<String, Refusal> {
    let (parameters, search) = match subject {
        Subject::Faults => {
            let mut request = query::parse(search)?;
            request.page_token.clear();
            let parameters = query::to_string(&request);
            (parameters, request.filter.unwrap_or_default().query)
        }
        Subject::Issues => {
            let asked: IssuesAsked = from_query(search)?;
            state(&asked.state)?;
            (asked.parameters(), asked.q)
        }
        Subject::Hosts => {
            let asked: HostsAsked = from_query(search)?;
            (asked.parameters(), asked.q)
        }
    };
    filter::parse(&search, subject).map_err(|error| Refusal::Request(format!("the search: {error}")))?;
    Ok(parameters)
}
