//! The pages of issues.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use filter::Subject;
use proto::v1::{Fault, FaultFilter, Issue, IssueFilter};
use serde::Deserialize;
use uuid::Uuid;

use super::{App, Listed, fault_id, listed, problem_with, rendered, unless};
use crate::access::{Caller, Role};
use crate::analysis::{self, usual::DAYS};
use crate::http::access::Frame;
use crate::http::error::{PageError, Refusal};
use crate::http::issues::state;
use crate::http::taken::{FromForm, FromQuery, from_query};
use crate::http::view::{
    IssueInput, IssuePage, IssuesAsked, IssuesInput, IssuesPage, SPARK_DAYS, Several, TREND_DAYS, issue_href,
    issue_id,
};
use crate::store::{Dimension, IssueChange, IssueState, Watch, kept_days};

/// Issues of a page.
const PAGE: u32 = 50;
/// Confidence of the bounds of rates.
const CONFIDENCE: f64 = 0.95;
/// Part of what is called unusual that may be false.
const FALSE_PART: f64 = 0.05;

/// `GET /issues`: `state`, `q` and `page_token`, as the API takes them, and how many were `changed` just now.
pub(in crate::http) async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    FromQuery(asked): FromQuery<IssuesAsked>,
) -> Listed {
    let page = list_page(&app, &caller, frame, &asked, Several::default()).await?;
    listed(&page, &page.problem)
}

async fn list_page(
    app: &App,
    caller: &Caller,
    frame: Frame,
    asked: &IssuesAsked,
    several: Several,
) -> Result<IssuesPage, PageError> {
    let filter = IssueFilter {
        state: state(&asked.state)?.into(),
        query: asked.q.clone(),
        ..IssueFilter::default()
    };
    let problem = problem_with(&filter.query, Subject::Issues);
    let list = unless(&problem, app.store.list_issues(&filter, PAGE, &asked.page_token)).await?;
    let ids: Vec<Uuid> = list.issues.iter().filter_map(issue_id).collect();
    let days = app.store.issue_days(&ids, SPARK_DAYS).await?;
    let builds = app.store.builds_of_issues(&ids, SPARK_DAYS).await?;
    Ok(IssuesPage::new(IssuesInput {
        asked,
        several,
        problem: &problem,
        list: &list,
        days: &days,
        builds: &builds,
        searches: app.store.searches(caller.owner(), Subject::Issues).await?,
        caller,
        now: (app.now)(),
        frame,
    }))
}

/// `GET /issues/{issue}`; of one that counts for another it leads to that other, as long as it does.
pub(in crate::http) async fn issue(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Path(issue): Path<String>,
) -> Result<Response, PageError> {
    let found = app.store.get_issue(&issue).await?.ok_or(Refusal::NoIssue)?;
    if found.issue != issue {
        return Ok(Redirect::temporary(&issue_href(&found.issue)).into_response());
    }
    let id = issue_id(&found).ok_or(Refusal::NoIssue)?;
    let watch = Watch {
        days: DAYS,
        min_severity: 1,
        class: String::new(),
        issue: Some(id),
    };
    let rates = async |by| analysis::rates(&app.store, by, &watch, CONFIDENCE).await;
    let sums = async {
        let sums = tokio::try_join!(
            rates(Dimension::Kernel),
            rates(Dimension::Build),
            rates(Dimension::Model),
            analysis::unusual(&app.store, id, DAYS, FALSE_PART),
        );
        Ok(sums.map_err(Refusal::from)?)
    };
    let rest = async {
        let newest = newest(&app, &found.issue).await?;
        let resolvable = match &newest {
            Some(fault) => app.symbols.may_resolve(fault).await?,
            None => false,
        };
        let hosts = app.store.affected_hosts(id).await?;
        let similar = app.store.similar_issues(id).await?;
        let merged = app.store.merged_issues(id).await?;
        let severity = i16::try_from(found.severity).unwrap_or_default();
        let kept_days = kept_days(&app.store.retention().await?, &found.class, severity);
        Ok::<_, PageError>((newest, resolvable, hosts, similar, merged, kept_days))
    };
    let finer = async {
        let variants = app.store.variants(id);
        let days = app.store.days_of_issue(id, TREND_DAYS);
        Ok::<_, PageError>(tokio::try_join!(variants, days)?)
    };
    let (sums, rest, (variants, days)) = tokio::try_join!(sums, rest, finer)?;
    let (kernels, builds, models, unusual) = sums;
    let (newest, resolvable, hosts, similar, merged, kept_days) = rest;
    let page = IssuePage::new(IssueInput {
        days,
        variants,
        rates: vec![
            (Dimension::Kernel.noun(), kernels),
            (Dimension::Build.noun(), builds),
            (Dimension::Model.noun(), models),
        ],
        unusual,
        hosts,
        newest,
        resolvable,
        similar,
        merged,
        kept_days,
        may_change: caller.role >= Role::Triager,
        now: (app.now)(),
        issue: found,
        frame,
    });
    Ok(rendered(&page)?.into_response())
}

/// What the form of an issue's page sends: texts, empty where nothing was written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::http) struct Decision {
    who: String,
    state: String,
    resolved_in: String,
    resolved_in_build: String,
    ignore_days: String,
    ignore_occurrences: String,
    ignore_hosts: String,
    /// The digits of an issue, or the address of its page.
    merged_into: String,
    split: String,
    owner: String,
    known_fix: String,
    fixed_in: String,
    fix_url: String,
    note: String,
    /// An issue that is to stand for itself again; then nothing else is sent.
    apart: String,
}

impl Decision {
    /// The change of `issue` that was meant: fields that say what it says already are left out.
    fn change(self, issue: &Issue, caller: &Caller) -> Result<IssueChange, Refusal> {
        let merged_into = self.merged_into.trim().rsplit('/').next().unwrap_or_default();
        let given = |text: String| (!text.is_empty()).then_some(text);
        let changed = |text: String, was: &str| (text != was).then_some(text);
        Ok(IssueChange {
            // Strangers are who they say.
            who: caller.name.clone().unwrap_or(self.who),
            state: decided(&self.state)?,
            resolved_in: given(self.resolved_in),
            resolved_in_build: given(self.resolved_in_build),
            ignore_days: number("ignored for days", &self.ignore_days)?,
            ignore_occurrences: number("ignored until records", &self.ignore_occurrences)?,
            ignore_hosts: number("ignored until hosts", &self.ignore_hosts)?,
            merged_into: given(merged_into.to_owned()),
            split: match self.split.as_str() {
                "" => None,
                "true" => Some(true),
                "false" => Some(false),
                _ => return Err(Refusal::Request("split: true or false".to_owned())),
            },
            owner: changed(self.owner, &issue.owner),
            known_fix: changed(self.known_fix, &issue.known_fix),
            fixed_in: changed(self.fixed_in, &issue.fixed_in),
            fix_url: changed(self.fix_url, &issue.fix_url),
            note: given(note(&self.note)),
        })
    }
}

/// A note as it was written: a form sends two characters for the end of a line, and its field counts one.
fn note(sent: &str) -> String {
    sent.replace("\r\n", "\n")
}

/// A number, where one was written.
fn number(what: &str, text: &str) -> Result<Option<u32>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse();
    number
        .map(Some)
        .map_err(|_no_number| Refusal::Request(format!("{what}: a number")))
}

/// The state that was chosen; None: it stays as it is.
fn decided(state: &str) -> Result<Option<IssueState>, Refusal> {
    Ok(Some(match state {
        "" => return Ok(None),
        "new" => IssueState::New,
        "ongoing" => IssueState::Ongoing,
        "resolved" => IssueState::Resolved,
        "ignored" => IssueState::Ignored,
        _ => {
            let states = "state: new, ongoing, resolved or ignored";
            return Err(Refusal::Request(states.to_owned()));
        }
    }))
}

/// `POST /issues`: one decision about several, each named by a field `issue`. It leads back to the list that they were chosen from, by
/// the same parameters; what is wrong is said there, and what was written stays.
pub(in crate::http) async fn decide_about_several(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    RawQuery(list): RawQuery,
    body: Bytes,
) -> Result<Response, PageError> {
    let asked: IssuesAsked = from_query(&list.unwrap_or_default())?;
    let several = several(&body)?;
    let refusal = match change_several(&app, &caller, &several).await {
        Ok(()) => return Ok(Redirect::to(&asked.href_of_changed(several.issues.len())).into_response()),
        Err(refusal) => refusal,
    };
    let Some((status, refused)) = refusal.of_what_was_sent() else {
        return Err(refusal.into());
    };
    let several = Several { refused, ..several };
    let asked = IssuesAsked { changed: 0, ..asked };
    let page = list_page(&app, &caller, frame, &asked, several).await?;
    Ok((status, rendered(&page)?).into_response())
}

/// Reads the form of the list.
fn several(body: &[u8]) -> Result<Several, Refusal> {
    let mut several = Several::default();
    for (name, value) in form_urlencoded::parse(body) {
        let value = value.into_owned();
        match name.as_ref() {
            "issue" => several.issues.push(value),
            "who" => several.who = value,
            "state" => several.state = value,
            "owner" => several.owner = value,
            "note" => several.note = value,
            other => return Err(Refusal::Request(format!("{other:?} is no field of this form"))),
        }
    }
    Ok(several)
}

/// All of them are known, or nothing is changed.
async fn change_several(app: &App, caller: &Caller, several: &Several) -> Result<(), Refusal> {
    let Several { issues, .. } = several;
    if issues.is_empty() || issues.len() > PAGE as usize {
        return Err(Refusal::Request(format!("choose 1 to {PAGE} issues")));
    }
    let given = |text: &String| (!text.is_empty()).then(|| text.clone());
    let change = IssueChange {
        who: caller.name.clone().unwrap_or_else(|| several.who.clone()),
        state: decided(&several.state)?,
        owner: given(&several.owner),
        note: given(&several.note).as_deref().map(note),
        ..IssueChange::default()
    };
    for issue in issues {
        app.store.get_issue(issue).await?.ok_or(Refusal::NoIssue)?;
    }
    for issue in issues {
        app.store.change_issue(issue, &change).await?;
    }
    Ok(())
}

/// `POST /issues/{issue}`.
pub(in crate::http) async fn decide(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(issue): Path<String>,
    FromForm(decision): FromForm<Decision>,
) -> Result<Redirect, PageError> {
    let found = app.store.get_issue(&issue).await?.ok_or(Refusal::NoIssue)?;
    if decision.apart.is_empty() {
        let change = decision.change(&found, &caller)?;
        app.store.change_issue(&found.issue, &change).await?;
    } else {
        let apart = IssueChange {
            who: caller.name.unwrap_or(decision.who),
            merged_into: Some(String::new()),
            ..IssueChange::default()
        };
        let parted = app.store.change_issue(&decision.apart, &apart).await?;
        parted.ok_or(Refusal::NoIssue)?;
    }
    // What it counts for now is where that leads.
    Ok(Redirect::to(&issue_href(&found.issue)))
}

/// The newest record of an issue, whole.
async fn newest(app: &App, issue: &str) -> Result<Option<Fault>, PageError> {
    let filter = FaultFilter {
        query: format!("issue:{issue}"),
        ..FaultFilter::default()
    };
    let list = app.store.list_faults(&filter, 1, "").await?;
    let Some(fault) = list.faults.first() else {
        return Ok(None);
    };
    Ok(app.store.get_fault(fault_id(&fault.id)?).await?)
}
