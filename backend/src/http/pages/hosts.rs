//! The pages of hosts.

use axum::Extension;
use axum::extract::{Path, State};
use filter::Subject;
use proto::v1::{Fault, FaultFilter, HostFilter, PartFilter};
use uuid::Uuid;

use super::{App, Listed, Page, fault_id, listed, problem_with, rendered, unless};
use crate::access::Caller;
use crate::http::access::Frame;
use crate::http::error::{PageError, Refusal};
use crate::http::taken::FromQuery;
use crate::http::view::{HostInput, HostPage, HostsAsked, HostsInput, HostsPage};

/// Hosts of a page.
const PAGE: u32 = 100;
/// Faults of a host that are looked at, the latest.
const FAULTS: u32 = 100;
/// Its parts with errors that are shown, the worst.
const PARTS: u32 = 20;
/// Ends of its boots that are looked at.
const ENDS: u32 = 50;

/// `GET /hosts`.
pub(in crate::http) async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    FromQuery(asked): FromQuery<HostsAsked>,
) -> Listed {
    let filter = HostFilter {
        query: asked.q.clone(),
    };
    let problem = problem_with(&filter.query, Subject::Hosts);
    let list = unless(&problem, app.store.list_hosts(&filter, PAGE, &asked.page_token)).await?;
    let page = HostsPage::new(HostsInput {
        asked: &asked,
        problem: &problem,
        list: &list,
        searches: app.store.searches(caller.owner(), Subject::Hosts).await?,
        caller: &caller,
        now: (app.now)(),
        frame,
    });
    listed(&page, &problem)
}

/// `GET /hosts/{agent}`.
pub(in crate::http) async fn host(State(app): State<App>, frame: Frame, Path(agent): Path<String>) -> Page {
    let agent_id = Uuid::try_parse(&agent).map_err(|_no_id| Refusal::AgentId)?;
    let host = app.store.host(agent_id).await?.ok_or(Refusal::NoHost)?;
    let of_class = |class: &str, include_housekeeping| FaultFilter {
        host: agent_id.to_string(),
        class: class.to_owned(),
        include_housekeeping,
        ..FaultFilter::default()
    };
    let faults = async |filter, count| -> Result<Vec<Fault>, PageError> {
        Ok(app.store.list_faults(&filter, count, "").await?.faults)
    };
    let beat = match faults(of_class("telemetry.heartbeat", true), 1).await?.first() {
        Some(beat) => app.store.get_fault(fault_id(&beat.id)?).await?,
        None => None,
    };
    let parts = PartFilter {
        host: agent_id.to_string(),
        ..PartFilter::default()
    };
    let page = HostPage::new(HostInput {
        host,
        parts: app.store.list_parts(&parts, PARTS, "").await?.parts,
        story: app.store.story(agent_id).await?,
        faults: faults(of_class("", false), FAULTS).await?,
        ends: faults(of_class("boot.end", false), ENDS).await?,
        beat,
        now: (app.now)(),
        frame,
    });
    rendered(&page)
}
