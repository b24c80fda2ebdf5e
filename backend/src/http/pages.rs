//! The pages.

pub(super) mod admin;
pub(super) mod builds;
pub(super) mod crashes;
pub(super) mod hardware;
pub(super) mod hosts;
pub(super) mod issues;
pub(super) mod overview;
pub(super) mod population;
pub(super) mod probes;
pub(super) mod searches;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::Html;
use filter::Subject;
use futures::future::try_join_all;
use proto::v1::Fault;
use uuid::Uuid;

use super::access::Frame;
use super::error::{PageError, Refusal};
use super::view::{FaultPage, FirstHost, ListInput, ListPage, Problem, StackPage, whole_text};
use super::{App, query};
use crate::access::Caller;
use crate::store::StoreError;
use crate::text::host_name;

/// A page, or why there is none.
type Page = Result<Html<String>, PageError>;

/// Characters of a UUID with hyphens: the one form of an id.
const ID_CHARS: usize = 36;
/// Faults of a page at most: whatever they say, it has less than 200 KB.
const FAULTS: u32 = 50;
/// Fingerprints of a record that are looked up; `Record.fingerprints` has no more.
const FINGERPRINTS: usize = 8;

/// `GET /faults`.
pub(super) async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Listed {
    let mut request = query::parse(&raw.unwrap_or_default())?;
    request.page_size = request.page_size.min(FAULTS);
    let filter = request.filter.clone().unwrap_or_default();
    let problem = problem_with(&filter.query, Subject::Faults);
    let list = app
        .store
        .list_faults(&filter, request.page_size, &request.page_token);
    let list = unless(&problem, list).await?;
    let facets = app.store.facets().await?;
    let same = match filter.fingerprint.as_str() {
        "" => None,
        fingerprint => app.store.fingerprint_facts(fingerprint).await?,
    };
    // Later pages are of the same list: its numbers are on the first.
    let counts = if request.page_token.is_empty() {
        unless(&problem, app.store.counts(&filter)).await?
    } else {
        None
    };
    let page = ListPage::new(ListInput {
        request: &request,
        problem: &problem,
        list: &list,
        facets,
        counts,
        searches: app.store.searches(caller.owner(), Subject::Faults).await?,
        caller: &caller,
        same,
        first_host: FirstHost::new(&app.started, &collector_name(&headers)),
        now: (app.now)(),
        frame,
    });
    listed(&page, &problem)
}

/// `GET /faults/{id}`.
pub(super) async fn fault(State(app): State<App>, frame: Frame, Path(id): Path<String>) -> Page {
    let fault = fault_of(&app, &id).await?;
    let fingerprints = fault
        .record
        .as_ref()
        .map(|record| record.fingerprints.as_slice())
        .unwrap_or_default();
    let lookups = fingerprints
        .iter()
        .take(FINGERPRINTS)
        .map(|print| app.store.fingerprint_facts(&print.value));
    let known: Vec<_> = try_join_all(lookups).await?.into_iter().flatten().collect();
    let resolvable = app.symbols.may_resolve(&fault).await?;
    let page = FaultPage::new(&fault, &known, resolvable, (app.now)(), frame);
    rendered(&page)
}

/// `GET /faults/{id}/stack`: with files and lines. It takes as long as debug files take to be read; the page of the fault puts it
/// in place of the stacks as they came.
pub(super) async fn stack(State(app): State<App>, frame: Frame, Path(id): Path<String>) -> Page {
    let fault = fault_of(&app, &id).await?;
    let page = StackPage::new(&fault, app.symbols.resolve(&fault).await?, frame);
    rendered(&page)
}

/// `GET /faults/{id}/text`: the text of a record as it came.
pub(super) async fn text(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<([(HeaderName, &'static str); 1], String), PageError> {
    let fault = fault_of(&app, &id).await?;
    let text = fault
        .record
        .as_ref()
        .and_then(whole_text)
        .ok_or(Refusal::NoText)?;
    let plain = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
    Ok(([plain], text.to_owned()))
}

fn rendered(page: &impl Template) -> Page {
    Ok(Html(page.render()?))
}

/// A list, or why there is none.
type Listed = Result<(StatusCode, Html<String>), PageError>;

/// A list, unless its search has a problem: then it is the search as it was written, with what is wrong.
fn listed(page: &impl Template, problem: &Problem) -> Listed {
    let status = if problem.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    Ok((status, Html(page.render()?)))
}

/// What a search finds; nothing where it has a problem.
async fn unless<T: Default>(
    problem: &Problem,
    found: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    if problem.is_empty() {
        found.await
    } else {
        Ok(T::default())
    }
}

/// What is wrong with a search.
fn problem_with(search: &str, subject: Subject) -> Problem {
    let error = filter::parse(search, subject).err();
    error.map_or_else(Problem::default, |error| Problem {
        words: error.to_string(),
        place: error.underlined(search),
    })
}

/// The fault that an address names.
pub(super) async fn fault_of(app: &App, id: &str) -> Result<Fault, Refusal> {
    let fault = app.store.get_fault(fault_id(id)?).await?;
    fault.ok_or(Refusal::NoFault)
}

/// Reads the id of a fault.
pub(super) fn fault_id(text: &str) -> Result<Uuid, Refusal> {
    if text.len() != ID_CHARS {
        return Err(Refusal::Id);
    }
    Uuid::try_parse(text).map_err(|_not_a_uuid| Refusal::Id)
}

/// The name by which the browser reached this server: agents reach it by the same name.
fn collector_name(headers: &HeaderMap) -> String {
    let host = headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let name = host_name(host);
    if name.is_empty() {
        "collector.example".into()
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_form() {
        assert!(fault_id("0193a5c0-0000-7000-8000-000000000001").is_ok());
        for wrong in [
            "",
            "1",
            "0193a5c0000070008000000000000001",
            "zzzzzzzz-0000-7000-8000-000000000001",
        ] {
            assert!(fault_id(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_collector_is_named_as_the_browser_knows_it() {
        let name = |host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            collector_name(&headers)
        };
        assert_eq!(name("metrics.example:7131"), "metrics.example");
        assert_eq!(name("[::1]:7131"), "[::1]");
        assert_eq!(name("[::1]"), "[::1]");
        assert_eq!(collector_name(&HeaderMap::new()), "collector.example");
    }
}
